package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/wasm/sigv4"
)

const shims = `auth: { headers: { from: [127.0.0.0/8], lists: { groups: X-Forwarded-Groups } } }
stores: { s: $STORE }
destinations:
  files: { store: s, bucket: media, key: "files/{user}/{date}/{uuid}-{ulid}.{ext}", content_length: 1B..20MiB, content_types: [text/*], scope: prefix, allow: "'staff' in claims.groups", overwrite: true, read: owner, compat: [evaporate, s3direct] }
  fixed: { store: s, bucket: media, key: "fixed/{user}/{filename}", content_length: 1B..20MiB, scope: prefix, compat: [s3direct] }
`

// asks is what the shim sends in place of a string to sign.
func asks(name, kind string, size int, key string) string {
	return "CHUNKSIGN-GRANT\n" + object(map[string]any{"name": name, "type": kind, "size": size, "key": key})
}

// granted asks django-s3direct's view for a grant, and gives what it is for.
func (w *widget) granted(t *testing.T, dest, text string) (status int, grant, key, said string) {
	t.Helper()
	status, out, _ := w.post(t, "get_aws_v4_signature", "to_sign", url.PathEscape(text), "datetime", sigv4.Timestamp(time.Now()), "dest", dest)
	grant, _ = out["s3ObjKey"].(string)
	said, _ = out["error"].(string)
	return status, grant, keyOf(t, grant), said
}

func keyOf(t *testing.T, grant string) string {
	t.Helper()
	if grant == "" {
		return ""
	}
	var claims struct{ Key string }
	plain, err := base64.RawURLEncoding.DecodeString(strings.Split(grant, ".")[1])
	if err != nil || json.Unmarshal(plain, &claims) != nil {
		t.Fatalf("%s is no grant", grant)
	}
	return claims.Key
}

func TestShimIsGivenAGrantByThePagesSigner(t *testing.T) {
	r := startWith(t, shims)
	page := newWidget(t, r, staff("alice")...)
	params := page.params(t, "files", "a.txt", 5)
	told := params["object_key"].(string)
	status, grant, key, said := page.granted(t, "files", asks("a.txt", "text/x-test", 5, told))
	if status != http.StatusOK || key != told {
		t.Fatalf("%d %s: the grant is for %q, and get_upload_params said %q", status, said, key, told)
	}
	renewed := r.do(t, "POST", "/v1/uploads/credentials", object(map[string]any{"grant": grant}), staff("alice")...)
	if renewed.status != http.StatusOK || !strings.Contains(string(renewed.body), told) {
		t.Fatalf("%d %s", renewed.status, renewed.body)
	}

	// EvaporateJS's own signer answers the same.
	q := url.Values{"to_sign": {asks("a.txt", "text/x-test", 5, told)}, "datetime": {"x"}, "dest": {"files"}}
	if got := r.do(t, "GET", "/evaporate/sign?"+q.Encode(), "", staff("alice")...); got.status != http.StatusOK || keyOf(t, string(got.body)) != told {
		t.Errorf("%d %s", got.status, got.body)
	}
	if log := r.log.String(); strings.Contains(log, grant) || strings.Contains(log, "CHUNKSIGN-GRANT") {
		t.Error("the log holds the grant, or what asked for it")
	}

	// Whose key it is nobody knows who was not told: what lies there is not deleted on this grant's strength.
	page.upload(t, "files", params, "too long")
	if done := r.do(t, "POST", "/v1/uploads/complete", object(map[string]any{"grant": grant}), staff("alice")...); done.problem() != "object_breaks_grant" {
		t.Errorf("%d %s", done.status, done.body)
	}
	if _, err := os.Stat(filepath.Join(r.data, "media", told)); err != nil {
		t.Error(err)
	}
	// And where something lies no other grant is given for it.
	if status, _, key, _ := page.granted(t, "files", asks("a.txt", "text/x-test", 5, told)); status != http.StatusOK || key == told {
		t.Errorf("%d: a grant for %q, where something is", status, key)
	}
}

func TestShimIsGivenNoOtherKeyThanTheTemplateMakes(t *testing.T) {
	r := startWith(t, shims)
	page := newWidget(t, r, staff("alice")...)
	told := page.params(t, "files", "a.txt", 5)["object_key"].(string)
	today := time.Now().UTC().Format(time.DateOnly)
	for what, key := range map[string]string{
		"somebody else's":      strings.Replace(told, "alice", "bob", 1),
		"another destination":  strings.Replace(told, "files", "fixed", 1),
		"another extension":    told + "x",
		"a segment more":       told + "/x",
		"a segment less":       strings.Replace(told, "/"+today, "", 1),
		"no UUID":              strings.Replace(told, today+"/", today+"/x", 1),
		"a UUID of version 1":  "files/alice/" + today + "/6ba7b810-9dad-11d1-80b4-00c04fd430c8-01ARZ3NDEKTSV4RRFFQ69G5FAV.txt",
		"another day than its": strings.Replace(told, today, "2001-01-01", 1),
		"a wildcard":           "files/alice/" + today + "/*.txt",
		"none":                 "",
	} {
		status, _, got, said := page.granted(t, "files", asks("a.txt", "text/x-test", 5, key))
		if status != http.StatusOK || got == key || !strings.HasPrefix(got, "files/alice/"+today) {
			t.Errorf("%s: %d %q: a grant for %q", what, status, said, got)
		}
	}
	if _, _, key, _ := page.granted(t, "fixed", asks("a.txt", "text/x-test", 5, "fixed/alice/b.txt")); key != "fixed/alice/a.txt" {
		t.Errorf("a grant for %q", key)
	}
}

func TestShimIsRefusedWhatTheDestinationDoesNotTake(t *testing.T) {
	r := startWith(t, shims)
	alice, nobody, stranger := newWidget(t, r, staff("alice")...), newWidget(t, r), newWidget(t, r, "X-Forwarded-User", "bob")
	for what, c := range map[string]struct {
		page       *widget
		dest, text string
		status     int
		said       string
	}{
		"no destination": {alice, "nope", asks("a", "text/plain", 1, ""), 404, "File destination does not exist."},
		"nobody":         {nobody, "files", asks("a", "text/plain", 1, ""), 403, "Permission denied."},
		"not staff":      {stranger, "files", asks("a", "text/plain", 1, ""), 403, "Permission denied."},
		"type":           {alice, "files", asks("a", "image/png", 1, ""), 400, "Invalid file type (image/png)."},
		"size":           {alice, "files", asks("a", "text/plain", 0, ""), 400, "Invalid file size (must be between 1 and 20971520 bytes)."},
		"not JSON":       {alice, "files", "CHUNKSIGN-GRANT\nx", 400, "to_sign asks for a grant, but not with a file's name, type, size and key in JSON"},
	} {
		if status, grant, _, said := c.page.granted(t, c.dest, c.text); status != c.status || said != c.said || grant != "" {
			t.Errorf("%s: %d %q", what, status, said)
		}
	}
	for what, c := range map[string]struct {
		dest string
		head []string
		code string
	}{
		"nobody": {"files", nil, "unauthenticated"}, "not staff": {"files", []string{"X-Forwarded-User", "bob"}, "not_allowed"}, "no destination": {"nope", staff("alice"), "destination_unknown"},
	} {
		q := url.Values{"to_sign": {asks("a", "text/plain", 1, "")}, "dest": {c.dest}}
		if got := r.do(t, "GET", "/evaporate/sign?"+q.Encode(), "", c.head...); got.problem() != c.code {
			t.Errorf("%s: %d %s", what, got.status, got.body)
		}
	}
}
