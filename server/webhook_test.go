package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// application is one that takes webhooks; it checks their signatures by itself.
type application struct {
	*httptest.Server
	status int
	heard  []heard
}

type heard struct{ id, body string }

func listening(t *testing.T, secret string) *application {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	a := &application{status: http.StatusNoContent}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		id, at := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
		if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); err != nil || r.Header.Get("webhook-signature") != want || r.Method != "POST" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %v, %v; want the signature %s", r.Method, r.Header, err, want)
		}
		if seconds, err := strconv.ParseInt(at, 10, 64); err != nil || time.Since(time.Unix(seconds, 0)).Abs() > time.Minute {
			t.Errorf("webhook-timestamp is %q", at)
		}
		a.heard = append(a.heard, heard{id, string(body)})
		w.WriteHeader(a.status)
	}))
	t.Cleanup(a.Close)
	return a
}

func TestTheWebhook(t *testing.T) {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	app := listening(t, secret)
	r := startSet(t, func(name string) string { return map[string]string{webhookVariable: secret}[name] }, `auth: { dev: true }
stores: { s: $STORE }
destinations:
  told: { store: s, bucket: media, key: "{user}/{filename}", content_length: 0..1GiB, overwrite: true, webhook: { url: "`+app.URL+`/finished?a=b" } }
  once: { store: s, bucket: media, key: "once/{filename}", content_length: 0..1GiB, existence_optimization: true, webhook: { url: "`+app.URL+`/finished" } }
  untold: { store: s, bucket: media, key: "untold/{uuid}", content_length: 0..1GiB }
`)
	complete := func(u upload) reply {
		t.Helper()
		return r.do(t, "POST", "/v1/uploads/complete", object(map[string]any{"grant": u.Grant}))
	}
	u := r.grant(t, "told", "näme", 4)
	if early := complete(u); early.problem() != "object_missing" {
		t.Errorf("before the upload: %d %s", early.status, early.body)
	}
	u.send(t, "four", 5<<20)

	app.status = http.StatusInternalServerError
	for range 2 {
		away := complete(u)
		if away.status != http.StatusServiceUnavailable || away.problem() != "webhook_failed" || away.header.Get("Retry-After") != "5" || strings.Contains(string(away.body), app.URL) {
			t.Errorf("the application fails: %d %v %s", away.status, away.header, away.body)
		}
	}
	if _, err := os.Stat(filepath.Join(r.data, "media", u.Upload.Key)); err != nil {
		t.Errorf("the object that the application was not told of is gone: %v", err)
	}
	app.status = http.StatusOK
	for range 2 {
		if done := complete(u); done.status != http.StatusOK {
			t.Errorf("%d %s", done.status, done.body)
		}
	}
	if len(app.heard) != 4 {
		t.Fatalf("it heard %v", app.heard)
	}
	for _, h := range app.heard {
		if h != app.heard[0] || len(h.id) != 32 {
			t.Errorf("the same upload is told of as %v and %v", app.heard[0], h)
		}
	}
	var m struct {
		Type, Timestamp string
		Data            struct {
			Destination, Principal, Bucket, Key, Name, ContentType, ETag string
			Size                                                         int
			Checksum                                                     struct{ Algorithm, Value string }
		}
	}
	if err := json.Unmarshal([]byte(app.heard[0].body), &m); err != nil {
		t.Fatal(err)
	}
	if at, err := time.Parse(time.RFC3339, m.Timestamp); err != nil || time.Since(at).Abs() > time.Minute || m.Type != "upload.completed" {
		t.Errorf("%s", app.heard[0].body)
	}
	if d := m.Data; d.Destination != "told" || d.Principal != "dev" || d.Bucket != "media" || d.Key != "dev/näme" || d.Name != "näme" || d.ContentType != "text/x-test" || d.Size != 4 || d.ETag == "" || d.Checksum.Value != composite("four", 5<<20) {
		t.Errorf("%s", app.heard[0].body)
	}

	// Another grant for the same key, and what breaks its grant.
	other := r.grant(t, "told", "näme", 3)
	other.send(t, "333", 5<<20)
	if done := complete(other); done.status != http.StatusOK || len(app.heard) != 5 || app.heard[4].id == app.heard[0].id {
		t.Errorf("%d %s; it heard %v", done.status, done.body, app.heard)
	}
	bad := r.grant(t, "told", "bad", 5)
	bad.send(t, "four", 5<<20)
	if refused := complete(bad); refused.problem() != "object_breaks_grant" || len(app.heard) != 5 {
		t.Errorf("%d %s; it heard %v", refused.status, refused.body, app.heard)
	}
	quiet := r.grant(t, "untold", "x", 1)
	quiet.send(t, "1", 5<<20)
	if done := complete(quiet); done.status != http.StatusOK || len(app.heard) != 5 {
		t.Errorf("%d %s; it heard %v", done.status, done.body, app.heard)
	}
	// What is there already is told of too, once the application takes it.
	r.grant(t, "once", "x", 4).send(t, "four", 5<<20)
	ask := object(map[string]any{"name": "x", "type": "text/x-test", "size": 4, "checksum": map[string]any{"algorithm": "SHA256", "value": composite("four", 5<<20), "partSize": 5 << 20}})
	for status, want := range map[int]string{http.StatusBadGateway: "webhook_failed", http.StatusOK: ""} {
		app.status = status
		if got := r.do(t, "POST", "/v1/destinations/once/uploads", ask); got.problem() != want || want == "" && !strings.Contains(string(got.body), `"exists":true`) {
			t.Errorf("the application answers %d: %d %s", status, got.status, got.body)
		}
	}
	if len(app.heard) != 7 || app.heard[5] != app.heard[6] || !strings.Contains(app.heard[6].body, `"key":"once/x"`) {
		t.Errorf("of what was there it heard %v", app.heard[5:])
	}
	if log := r.log.String(); !strings.Contains(log, `"outcome":"webhook_failed"`) || !strings.Contains(log, "it answers 500") || strings.Contains(log, secret[10:]) || strings.Contains(log, "a=b") {
		t.Errorf("the log is\n%s", log)
	}
}

func TestAWebhookNeedsItsSecret(t *testing.T) {
	path, _ := configured(t)
	text := strings.Replace(configuration, "1B..1GiB", `1B..1GiB, webhook: { url: "https://app.example.com/hook" }`, 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout bytes.Buffer
	m := &Main{Config: path, Getenv: nothingSet, Stdout: &stdout, Stderr: io.Discard, Web: testFiles}
	defer m.Close()
	if err := m.Run(context.Background()); err == nil || stdout.Len() > 0 || !strings.Contains(err.Error(), webhookVariable+" is not set") {
		t.Errorf("serve: %v\n%s", err, &stdout)
	}
	if status, _, stderr := command(t, "check", "-config", path); status != 0 || !strings.Contains(stderr, "warning: "+webhookVariable+" is not set") {
		t.Errorf("check: %d\n%s", status, stderr)
	}
}

func TestCompleteComparesTheChecksum(t *testing.T) {
	r := startWith(t, `auth: { dev: true }
stores: { s: $STORE }
destinations:
  d: { store: s, bucket: media, key: "{uuid}", content_length: 0..1GiB }
`)
	const partSize = 5 << 20
	for name, content := range map[string]string{"one part": "bytes", "two parts": strings.Repeat("p", partSize) + "end"} {
		u := r.grant(t, "d", name, len(content))
		u.send(t, content, partSize)
		for value, want := range map[string]string{composite(content, partSize): "", composite(content[1:]+"x", partSize): "object_replaced", "x": "field_invalid"} {
			checksum := map[string]any{"algorithm": "SHA256", "value": value, "partSize": partSize}
			got := r.do(t, "POST", "/v1/uploads/complete", object(map[string]any{"grant": u.Grant, "checksum": checksum}))
			if got.problem() != want {
				t.Errorf("%s, %s: %d %s; want %q", name, value, got.status, got.body, want)
			}
		}
	}
	u := r.grant(t, "d", "without", 4)
	if _, err := u.put("four"); err != nil {
		t.Fatal(err)
	}
	got := r.do(t, "POST", "/v1/uploads/complete", object(map[string]any{"grant": u.Grant, "checksum": map[string]any{"algorithm": "SHA256", "value": composite("four", partSize), "partSize": partSize}}))
	if got.problem() != "field_invalid" || !strings.Contains(string(got.body), "keeps no SHA256") {
		t.Errorf("an object without SHA-256: %d %s", got.status, got.body)
	}
}
