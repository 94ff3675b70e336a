package main

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/redact"
	"github.com/chunksign/chunksign/server/trial"
)

// forgeries tries to get more out of a page's session than its policy gives, as
// the server does before it hands one out.
func (e *examiner) forgeries(ctx context.Context, p *probe) {
	ways, err := trial.Ways(ctx, trial.Subject{Session: p.session, Store: p.d.Store, Bucket: p.d.Bucket, Inside: p.key, Outside: p.outside, Client: e.http(p.d.Store)})
	if err != nil {
		e.fail(p.d.Name, "token", redact.Error(err).Error(), "see the store's own log")
		return
	}
	if slices.Contains(ways, trial.Changed) {
		e.fail(p.d.Name, "token", "a page's session whose token is changed in a letter may write another key", "write signing: presigned for "+p.d.Name+", so that no page gets a session of this store")
	}
	if slices.Contains(ways, trial.Another) {
		e.fail(p.d.Name, "token", "a page's session gets another from STS, without its policy", "keep STS from pages (for Ceph: rgw_enable_apis without sts at the gateway that they reach, and another gateway as sts.endpoint), or write signing: presigned for "+p.d.Name)
	}
	if len(ways) == 0 {
		e.ok(p.d.Name, "token", "a changed one is refused, and none is had by it")
	}
}

// unsigned sees whether the store heeds a header that a presigned PutObject does
// not sign. AWS refuses it.
func (e *examiner) unsigned(ctx context.Context, p *probe) {
	if p.d.Store.AWS() {
		return
	}
	header := p.d.PutHeaders("text/plain", "")
	delete(header, "if-none-match") // the probe is there
	url := e.signer.URL(p.session, destination.StoreRequest{Store: p.d.Store, Bucket: p.d.Bucket, Key: p.key, Method: http.MethodPut, Header: header}, e.now().UTC().Truncate(time.Second), time.Minute)
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, url, strings.NewReader(probeText))
	if err != nil {
		e.fail(p.d.Name, "unsigned headers", redact.Error(err).Error(), "mend the endpoint of the store "+p.d.Store.Name)
		return
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	r.Header.Set("x-amz-website-redirect-location", "https://chunksign.invalid/")
	reply, err := e.http(p.d.Store).Do(r)
	if err == nil {
		reply.Body.Close()
	}
	o, err := e.looker.Look(ctx, p.d.Store, p.d.Bucket, p.key)
	switch {
	case err != nil || o == nil: // look says why
	case o.Redirect != "":
		e.fail(p.d.Name, "unsigned headers", "the store heeds headers that a presigned PUT does not sign: whoever sends it can add an ACL, tags or a redirect", "write unsigned_headers: true for the store "+p.d.Store.Name)
	default:
		e.ok(p.d.Name, "unsigned headers", "one that a presigned PUT does not sign has no effect")
	}
}
