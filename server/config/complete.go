package config

import (
	"net/url"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

// How long an application may take for one message. With the look at the
// object it has to fit into what the server gives a request.
const defaultHookTimeout, minHookTimeout, maxHookTimeout = 10 * time.Second, time.Second, 20 * time.Second

// verify reads as whom the server looks at the destination's objects, and what
// becomes of those that break their grants.
func (d *document) verify(o *object, dst *destination.Destination) {
	n := o.fields["verify"]
	if n == nil {
		return
	}
	v := d.object(n, "verify", &verifyOptions)
	dst.KeepsRefused = v.fields["delete"] != nil && !v.flag("delete")
	dst.Object.Unverified = v.fields["headers"] != nil && !v.flag("headers")
	role := destination.VerifyRole{RoleARN: v.role("role_arn"), ExternalID: v.text("external_id")}
	if role.ExternalID != "" && role.RoleARN == "" {
		v.mistake("external_id", "external_id is there without role_arn; write that too, or leave it out")
	}
	if dst.Store == nil || role == (destination.VerifyRole{}) {
		return
	}
	if role.RoleARN == dst.Store.STS.RoleARN {
		d.warn(v.at("role_arn"), "the role of verify is the one that pages get sessions of, so that one has rights to read and delete that no page needs; give verify.role_arn a role of its own")
	}
	store := *dst.Store
	store.Verify = role
	dst.Store = &store
}

// webhook reads who is told of finished uploads, nil for nobody.
func (d *document) webhook(o *object) *destination.Webhook {
	n := o.fields["webhook"]
	if n == nil {
		return nil
	}
	w := d.object(n, "webhook", &webhookOptions)
	hook := &destination.Webhook{
		URL:     w.required("url", "https://app.example.com/uploads/finished"),
		Timeout: w.duration("timeout", defaultHookTimeout, minHookTimeout, maxHookTimeout),
		Private: w.flag("private"),
	}
	u, err := url.Parse(hook.URL)
	switch {
	case hook.URL == "":
	case err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http":
		w.mistake("url", "url is not one that can be called; write such as https://app.example.com/uploads/finished")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		d.warn(w.at("url"), "url is not encrypted: who uploads what can be read on the way; write https where the application has it")
	}
	return hook
}

// role reads a role's ARN, "" where it is absent.
func (o *object) role(name string) string {
	v := o.text(name)
	if v != "" && (len(v) < 20 || !roleARN.MatchString(v)) {
		o.mistake(name, "%s is %q; write a role's ARN, such as arn:aws:iam::123456789012:role/uploads", name, v)
	}
	return v
}
