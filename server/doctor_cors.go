package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/policy"
	"github.com/chunksign/chunksign/server/redact"
)

// cors asks the bucket what a browser would ask for a page.
func (e *examiner) cors(ctx context.Context, p *probe) {
	const fix = "set the bucket's CORS: chunksign iam -only cors"
	if len(e.origins) == 0 {
		e.notChecked(p.d.Name, "cors", "server.origins is empty; name the server's own origin, where its pages are used, with -origin")
		return
	}
	for _, origin := range e.origins {
		if what := e.preflights(ctx, p, origin); what != "" {
			e.fail(p.d.Name, "cors", what, fix)
			continue
		}
		e.ok(p.d.Name, "cors", "pages of %s may send %s", origin, strings.Join(policy.Methods, ", "))
		if !p.d.Presigned || p.d.Store.SignsInHeaders {
			continue
		}
		signed := e.signer.URL(p.session, destination.StoreRequest{Store: p.d.Store, Bucket: p.d.Bucket, Key: p.key, Method: http.MethodPut}, e.now().UTC().Truncate(time.Second), time.Minute)
		if what := e.preflight(ctx, p, origin, http.MethodPut, signed, "content-type,x-amz-checksum-sha256"); what != "" {
			e.fail(p.d.Name, "cors", "with a signature in the URL "+what, "write sign_parts_in: headers for the store "+p.d.Store.Name)
		}
	}
	switch {
	case p.whole:
	case p.exposed == nil || !p.exposed["etag"] && !p.exposed["*"]:
		e.fail(p.d.Name, "cors", "pages of "+e.origins[0]+" cannot read the header ETag, without which no multipart upload is completed", fix)
	default:
		e.ok(p.d.Name, "cors", "ETag can be read")
	}
}

// preflights answers what a browser would take for a no, "" for nothing.
func (e *examiner) preflights(ctx context.Context, p *probe, origin string) string {
	at := p.d.Store.Origin(p.d.Bucket)
	if p.d.Store.AddressingOf(p.d.Bucket) == "path" {
		at += "/" + p.d.Bucket
	}
	for _, method := range policy.Methods {
		if what := e.preflight(ctx, p, origin, method, at+"/"+doctorName, "authorization,content-type,if-none-match,x-amz-checksum-sha256,x-amz-content-sha256,x-amz-date,x-amz-security-token"); what != "" {
			return what
		}
	}
	return ""
}

// preflight does the same for one method, address and list of headers.
func (e *examiner) preflight(ctx context.Context, p *probe, origin, method, at, headers string) string {
	r, err := http.NewRequestWithContext(ctx, http.MethodOptions, at, nil)
	if err != nil {
		return redact.Error(err).Error()
	}
	r.Header.Set("Origin", origin)
	r.Header.Set("Access-Control-Request-Method", method)
	r.Header.Set("Access-Control-Request-Headers", headers)
	reply, err := e.http(p.d.Store).Do(r)
	if err != nil {
		return redact.Error(err).Error()
	}
	reply.Body.Close()
	h := reply.Header
	allowed := h.Get("Access-Control-Allow-Origin")
	switch {
	case reply.StatusCode > 299:
		return fmt.Sprintf("the preflight of %s from %s answers %d", method, origin, reply.StatusCode)
	case allowed != "*" && allowed != origin:
		return fmt.Sprintf("the preflight of %s allows the origin %q, not %s", method, allowed, origin)
	case !lists(h, "Access-Control-Allow-Methods", method):
		return fmt.Sprintf("pages of %s may not send %s", origin, method)
	}
	for name := range strings.SplitSeq(headers, ",") {
		// A * does not stand for Authorization (Fetch, "CORS non-wildcard request-header name").
		if !lists(h, "Access-Control-Allow-Headers", name) && (name == "authorization" || !lists(h, "Access-Control-Allow-Headers", "*")) {
			return fmt.Sprintf("pages of %s may not send the header %s with %s", origin, name, method)
		}
	}
	return ""
}

func lists(h http.Header, name, item string) bool {
	for v := range strings.SplitSeq(strings.Join(h.Values(name), ","), ",") {
		if strings.EqualFold(strings.TrimSpace(v), item) {
			return true
		}
	}
	return false
}
