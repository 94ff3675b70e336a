package main

import (
	"context"
	"slices"
	"strings"

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

// unsigned sees whether the store honours headers that a presigned PutObject does not
// sign, as the server does before it signs by its own key. AWS refuses them. A
// session may write its own object alone; with the server's own key nothing is signed then.
func (e *examiner) unsigned(ctx context.Context, p *probe) {
	if p.d.Store.AWS() {
		return
	}
	own, err := e.signer.Own(ctx, p.d.Store)
	if err != nil {
		e.fail(p.d.Name, "unsigned headers", redact.Error(err).Error(), "give the server credentials for the store "+p.d.Store.Name)
		return
	}
	key := ""
	if p.d.Store.STS.RoleARN != "" {
		key = p.key // where remove may have left the probe
		if err := e.looker.Discard(ctx, p.d.Store, p.d.Bucket, key); err != nil {
			return // cleanUp says why
		}
	}
	honoured, stray, err := trial.Unsigned(ctx, trial.Signed{
		Destination: p.d, By: p.session, Key: key, Own: own, Signer: e.signer, Client: e.http(p.d.Store), Now: e.now,
	})
	if stray != nil {
		e.fail(p.d.Name, "clean up", redact.Error(stray).Error(), "see docs/configuration.md#doctor")
	}
	those := "the store honours those that a presigned request does not sign (" + strings.Join(honoured, ", ") + ")"
	switch {
	case err != nil:
		e.fail(p.d.Name, "unsigned headers", redact.Error(err).Error(), "see the store's own log")
	case len(honoured) == 0:
		e.ok(p.d.Name, "unsigned headers", "none of %d that a presigned request does not sign has an effect", len(trial.Headers()))
	case p.d.Store.STS.RoleARN == "":
		e.fail(p.d.Name, "unsigned headers", those+", with the rights of the server's own key: the server signs nothing",
			"write "+trial.Advice(p.d.Store))
	case !p.d.Store.TakesUnsigned && slices.ContainsFunc(honoured, destination.SignsMore):
		e.fail(p.d.Name, "unsigned headers", those+": whoever sends it can add an ACL, tags or a redirect",
			"write unsigned_headers: true for the store "+p.d.Store.Name)
	default:
		e.ok(p.d.Name, "unsigned headers", "%s; the session that signs may write the one object alone", those)
	}
}
