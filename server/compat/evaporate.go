package compat

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/wasm/sigv4"
)

// Evaporate is EvaporateJS's signer: the query has to_sign and datetime, the
// reply is a signature in hex. It signs either
//
//   - with the session that UploadParams left with the page, for dest, whatever
//     the request is: the session bounds it; or
//   - with the server's own key, for grant, if canonical_request is one of a
//     multipart upload's requests for the grant's object and for nothing else.
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
		signature, err = v.signOwn(r, p, q)
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

func (v *Views) signHeld(r *http.Request, p destination.Principal, q url.Values) (string, error) {
	if q.Get("dest") == "" {
		return "", no("grant", "there is neither a grant nor a dest; put the grant into signParams, or the destination's name for a page that has asked get_upload_params")
	}
	d, err := v.Service.Named(q.Get("dest"))
	if err != nil {
		return "", err
	}
	if text := q.Get("to_sign"); strings.HasPrefix(text, askForGrant) {
		_, token, err := v.grantAsked(r, d, p, text)
		return token, err
	}
	if err := v.Service.Allowed(r.Context(), d, p, nil); err != nil {
		return "", err
	}
	session, ok := v.holds(r, d, p)
	if !ok {
		return "", no("dest", "the page holds no session of this destination, or it has ended; ask get_upload_params, or send a grant")
	}
	s, err := parseToSign(q.Get("to_sign"), q.Get("datetime"), d.Store.Region, v.Now())
	if err != nil {
		return "", no("to_sign", "%v", err)
	}
	return session.sign(d, s), nil
}

func (v *Views) signOwn(r *http.Request, p destination.Principal, q url.Values) (string, error) {
	text := q.Get("canonical_request")
	if text == "" {
		return "", no("canonical_request", "canonical_request is missing; set EvaporateJS's option sendCanonicalRequestToSignerUrl")
	}
	c, err := parseCanonical(text)
	if err != nil {
		return "", err
	}
	g, d, own, err := v.Service.Signable(r.Context(), p, q.Get("grant"), c.op == "create" || c.op == "complete")
	if err != nil {
		return "", err
	}
	if own.SessionToken != "" {
		return "", no("grant", "the server's own credentials are temporary, so EvaporateJS cannot name them; let the page ask get_upload_params and send dest")
	}
	s, err := parseToSign(q.Get("to_sign"), q.Get("datetime"), d.Store.Region, v.Now())
	if err != nil {
		return "", no("to_sign", "%v", err)
	}
	if sum := sha256.Sum256([]byte(text)); hex.EncodeToString(sum[:]) != s.hash || c.header["x-amz-date"] != q.Get("datetime") {
		return "", no("to_sign", "to_sign is not that of canonical_request and datetime")
	}
	if err := c.isFor(g, d); err != nil {
		return "", err
	}
	// EvaporateJS signs the host without its port, and sends it with one.
	c.Host = c.realHost(d)
	signer := sigv4.New(sigv4.Credentials{AccessKeyID: own.AccessKeyID, SecretAccessKey: own.SecretAccessKey}, d.Store.Region)
	return signer.Signature(sigv4.StringToSign(sigv4.CanonicalRequest(&c.Request), signer.Scope(s.at), s.at), s.at), nil
}

// canonical is a canonical request, taken apart.
type canonical struct {
	sigv4.Request
	op     string            // create, part, list, complete or abort
	header map[string]string // but host
}

var (
	payloadLine = regexp.MustCompile(`^([0-9a-f]{64}|UNSIGNED-PAYLOAD)$`)
	uploadID    = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)
	number      = regexp.MustCompile(`^[0-9]{1,5}$`)
)

// parseCanonical reads the canonical request of one of a multipart upload's
// calls. It takes only what is written as this server would write it.
func parseCanonical(text string) (canonical, error) {
	c := canonical{header: map[string]string{}}
	strange := no("canonical_request", "canonical_request is not one of EvaporateJS's")
	lines := strings.Split(text, "\n")
	if len(lines) < 7 {
		return c, strange
	}
	method, path, query, headers := lines[0], lines[1], lines[2], lines[3:len(lines)-3]
	if lines[len(lines)-3] != "" || !payloadLine.MatchString(lines[len(lines)-1]) {
		return c, strange
	}
	var err error
	c.Method, c.PayloadHash = method, lines[len(lines)-1]
	if c.Path, err = url.PathUnescape(path); err != nil {
		return c, strange
	}
	fields, err := url.ParseQuery(query)
	if err != nil {
		return c, strange
	}
	one := map[string]string{}
	for name, values := range fields {
		one[name] = values[0]
		c.Query = append(c.Query, sigv4.Param{Name: name, Value: values[0]})
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ":")
		if name == "host" {
			c.Host = value
			continue
		}
		c.header[name] = value
		c.Header = append(c.Header, sigv4.Param{Name: name, Value: value})
	}
	if sigv4.CanonicalRequest(&c.Request) != text {
		return c, strange
	}
	_, uploads := one["uploads"]
	id, part := uploadID.MatchString(one["uploadId"]), number.MatchString(one["partNumber"])
	_, marker := one["part-number-marker"]
	switch {
	case method == "POST" && len(one) == 1 && uploads && one["uploads"] == "":
		c.op = "create"
	case method == "PUT" && len(one) == 2 && id && part:
		c.op = "part"
	case method == "GET" && id && (len(one) == 1 || len(one) == 2 && marker && number.MatchString(one["part-number-marker"])):
		c.op = "list"
	case method == "POST" && len(one) == 1 && id:
		c.op = "complete"
	case method == "DELETE" && len(one) == 1 && id:
		c.op = "abort"
	default:
		return c, no("canonical_request", "%s with this query is not signed; only creating, sending, listing, completing and aborting a multipart upload are", method)
	}
	return c, nil
}

// isFor says why a request is not one for a grant's object.
func (c *canonical) isFor(g destination.Grant, d *destination.Destination) error {
	if !slices.Contains(c.hosts(g, d), c.Host) {
		return no("canonical_request", "the request is for another host than the destination's store, or another bucket or key than the grant's")
	}
	stored := d.StoredWith(g)
	for name, value := range c.header {
		switch {
		case name == "x-amz-date" || name == "content-md5":
		case name == "content-type":
			if c.op == "create" && value != stored[name] {
				return no("canonical_request", "the content type is %q, and the grant is for %q", value, stored[name])
			}
		case c.op != "create" || stored[name] == "" || stored[name] != value:
			return no("canonical_request", "the header %s is not one that the destination's objects are stored with", name)
		}
	}
	for name := range stored {
		if c.op == "create" && c.header[name] == "" && (name == "content-type" || strings.HasPrefix(name, "x-amz-")) {
			return no("canonical_request", "the header %s is missing; put upload.headers into xAmzHeadersAtInitiate, and the type into contentType", name)
		}
	}
	return nil
}

// hosts are the names under which the request's path is the grant's object.
func (c *canonical) hosts(g destination.Grant, d *destination.Destination) []string {
	_, base, _ := strings.Cut(d.Store.BaseURL(), "://")
	bases := []string{base, hostname(base)}
	if d.Store.AWS() && d.Store.Partition() == "aws" { // what EvaporateJS calls it
		bases = append(bases, "s3-"+d.Store.Region+".amazonaws.com")
		if d.Store.Region == "us-east-1" {
			bases = append(bases, "s3.amazonaws.com")
		}
	}
	switch c.Path {
	case "/" + g.Bucket + "/" + g.Key:
		return bases
	case "/" + g.Key:
		for i := range bases {
			bases[i] = g.Bucket + "." + bases[i]
		}
		return bases
	}
	return nil
}

// realHost is the Host header that a browser sends for what isFor has let pass.
func (c *canonical) realHost(d *destination.Destination) string {
	scheme, base, _ := strings.Cut(d.Store.BaseURL(), "://")
	port := strings.TrimPrefix(base, hostname(base))
	if port == ":80" && scheme == "http" || port == ":443" && scheme == "https" || strings.HasSuffix(c.Host, port) {
		return c.Host
	}
	return c.Host + port
}

func hostname(hostport string) string {
	if i := strings.LastIndexByte(hostport, ':'); i > strings.LastIndexByte(hostport, ']') {
		return hostport[:i]
	}
	return hostport
}
