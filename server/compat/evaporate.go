package compat

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/wasm/sigv4"
)

// Evaporate is EvaporateJS's signer: the query has to_sign and datetime, the
// reply is a signature in hex. It answers destinations with compat: [evaporate],
// and signs with a session of the page's, never with a key of the server's:
//
//   - for grant, with the session that came with the grant and travels sealed in
//     session (see ForEvaporate), if canonical_request is one of a multipart
//     upload's requests for the grant's object and for nothing else;
//   - for dest, with the session that UploadParams left with the page, whatever
//     the request is. The server sees its hash only and cannot refuse it, so this
//     way gives what signing: session gives to every page, which has the session's
//     secret and can sign what it likes with it: the session's policy bounds both,
//     and neither the size, nor what replaces what, is bounded before Complete.
//
// Asked by the shim it answers a grant instead: see askForGrant.
// EvaporateJS 2.1.4 takes 401 and 403 for the end, and repeats after others.
func (v *Views) Evaporate(w http.ResponseWriter, r *http.Request, who Who) error {
	p, err := who()
	if err != nil {
		return err
	}
	q := r.URL.Query()
	signature := ""
	if q.Get("grant") == "" {
		signature, err = v.signHeld(r, p, q)
	} else {
		signature, err = v.signGranted(r, p, q)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(signature)) // an error here is a client that has gone
	return nil
}

func no(field, format string, args ...any) error {
	return &destination.Error{Code: destination.SignatureRefused, Field: field, Detail: fmt.Sprintf(format, args...)}
}

// serves reports why a destination's pages may not have EvaporateJS. That compat is
// of no use with Presigned, check says too; programs make destinations without it.
func serves(d *destination.Destination, field string) error {
	switch {
	case !d.Compat.Evaporate:
		return no(field, "the destination %s does not serve EvaporateJS; "+
			"write compat: [evaporate] for it in the server's configuration", d.Name)
	case d.Presigned:
		return no(field, "the destination %s has signing: presigned, and EvaporateJS's requests are signed with a session; "+
			"write signing: session for it", d.Name)
	}
	return nil
}

func (v *Views) signHeld(r *http.Request, p destination.Principal, q url.Values) (string, error) {
	if q.Get("dest") == "" {
		return "", no("grant", "there is neither a grant nor a dest; put evaporate.signParams of the grant's reply into signParams, "+
			"or the destination's name for a page that has asked get_upload_params")
	}
	d, err := v.Service.Named(q.Get("dest"))
	if err != nil {
		return "", err
	}
	if err := v.Service.Allowed(r.Context(), d, p, nil); err != nil {
		return "", err
	}
	if !d.Compat.Evaporate {
		return "", serves(d, "dest")
	}
	if text := q.Get("to_sign"); strings.HasPrefix(text, askForGrant) {
		_, token, err := v.grantAsked(r, d, p, text)
		return token, err
	}
	session, ok := v.holds(r, d, p)
	if !ok {
		return "", no("dest",
			"the page holds no session of this destination, or it has ended; ask get_upload_params, or send a grant")
	}
	s, err := parseToSign(q.Get("to_sign"), q.Get("datetime"), d.Store.Region, v.Now())
	if err != nil {
		return "", no("to_sign", "%v", err)
	}
	return session.sign(d, s), nil
}

func (v *Views) signGranted(r *http.Request, p destination.Principal, q url.Values) (string, error) {
	text := q.Get("canonical_request")
	if text == "" {
		return "", no("canonical_request",
			"canonical_request is missing; set EvaporateJS's option sendCanonicalRequestToSignerUrl")
	}
	c, err := parseCanonical(text)
	if err != nil {
		return "", err
	}
	g, d, err := v.Service.Signable(r.Context(), p, q.Get("grant"), c.op == "create" || c.op == "complete")
	if err != nil {
		return "", err
	}
	if err := serves(d, "grant"); err != nil {
		return "", err
	}
	session, err := v.unseal(q.Get("session"), g)
	if err != nil {
		return "", err
	}
	s, err := parseToSign(q.Get("to_sign"), q.Get("datetime"), d.Store.Region, v.Now())
	if err != nil {
		return "", no("to_sign", "%v", err)
	}
	sum := sha256.Sum256([]byte(text))
	if hex.EncodeToString(sum[:]) != s.hash || c.header["x-amz-date"] != q.Get("datetime") {
		return "", no("to_sign", "to_sign is not that of canonical_request and datetime")
	}
	if err := c.isFor(g, d, session); err != nil {
		return "", err
	}
	if c.op == "complete" {
		by := session.with(c.header[tokenHeader])
		parts, err := v.Service.GrantedParts(r.Context(), by, d, g, c.uploadID, maxParts(g.Size))
		if err != nil {
			return "", err
		}
		if !completes(c.PayloadHash, parts) {
			return "", no("canonical_request", "the request does not complete with the parts that the store has; "+
				"EvaporateJS lists them all, each with its ETag, and signs that")
		}
	}
	// EvaporateJS signs the host without its port, and sends it with one.
	c.Host = c.realHost(d)
	key := sigv4.Credentials{AccessKeyID: session.AccessKeyID, SecretAccessKey: session.SecretAccessKey}
	signer := sigv4.New(key, d.Store.Region)
	return signer.Signature(sigv4.StringToSign(sigv4.CanonicalRequest(&c.Request), signer.Scope(s.at), s.at), s.at), nil
}
