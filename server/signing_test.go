package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chunksign/chunksign/server/devstore"
)

const secretive = `auth: { dev: true }
stores: { s: $STORE }
destinations:
  bare: { store: s, bucket: media, key: "bare/{uuid}/{filename}", content_length: 0..7GiB, signing: presigned, metadata: { app: x } }
  fixed: { store: s, bucket: media, key: "fixed/{filename}", content_length: 0..7GiB, signing: presigned }
`

// What the server answers for a destination with signing: presigned holds no
// credentials, and all that an upload needs.
func TestPresignedDestination(t *testing.T) {
	r := startWith(t, secretive)
	if list := r.do(t, "GET", "/v1/destinations", ""); strings.Count(string(list.body), `"signing":"presigned"`) != 2 {
		t.Errorf("the destinations are %s", list.body)
	}
	const content = "bytes that matter"
	granted := r.do(t, "POST", "/v1/destinations/bare/uploads", object(map[string]any{"name": "f.txt", "type": "text/plain", "size": len(content)}))
	var u struct{ Grant, Signing string }
	if json.Unmarshal(granted.body, &u); granted.status != http.StatusCreated || u.Signing != "presigned" {
		t.Fatalf("%d %s", granted.status, granted.body)
	}
	renewed := r.do(t, "POST", "/v1/uploads/credentials", object(map[string]any{"grant": u.Grant}))
	for _, answer := range []reply{granted, renewed} {
		for _, word := range []string{"credentials", "ecret", "oken", "ASIA"} {
			if answer.status >= 300 || strings.Contains(string(answer.body), word) {
				t.Errorf("%d, it has %q: %s", answer.status, word, answer.body)
			}
		}
	}

	part := func(n int, content string) map[string]any {
		return map[string]any{"partNumber": n, "size": len(content), "sha256": composite(content, 1<<20)}
	}
	for field, parts := range map[string][]any{
		"parts": {part(1, content[:9]), part(2, content[9:])}, "parts.0.size": {part(1, content+"!")}, "parts.0.sha256": {map[string]any{"partNumber": 1, "size": len(content)}},
	} {
		if answer := r.do(t, "POST", "/v1/uploads/parts", object(map[string]any{"grant": u.Grant, "parts": parts})); answer.problem() != "field_invalid" || !strings.Contains(string(answer.body), `"field":"`+field+`"`) {
			t.Errorf("%s: %d %s", field, answer.status, answer.body)
		}
	}
	links := func(token, content string) (l struct {
		Parts []struct {
			PartNumber int
			URL        string
			Headers    map[string]string
		}
		Expires, ServerTime string
	}) {
		t.Helper()
		answer := r.do(t, "POST", "/v1/uploads/parts", object(map[string]any{"grant": token, "parts": []any{part(1, content)}}))
		if err := json.Unmarshal(answer.body, &l); err != nil || answer.status != http.StatusOK || len(l.Parts) != 1 || l.ServerTime == "" {
			t.Fatalf("%d %s, %v", answer.status, answer.body, err)
		}
		return l
	}
	put := links(u.Grant, content).Parts[0]
	for what, c := range map[string]struct{ url, body string }{
		"other bytes": {put.URL, strings.ToUpper(content)}, "another length": {put.URL, content[1:]}, "another key": {strings.Replace(put.URL, "/bare/", "/fixed/", 1), content},
	} {
		if what == "other bytes" && !r.engine.keepsChecksums() {
			continue // they are taken there
		}
		if status, text, _ := send(t, "PUT", c.url, c.body, put.Headers); status < 400 {
			t.Errorf("%s: %d %s", what, status, text)
		}
	}
	for name := range put.Headers {
		changed := map[string]string{}
		for n, v := range put.Headers {
			if n != name {
				changed[n] = v
			}
		}
		if status, text, _ := send(t, "PUT", put.URL, content, changed); status < 400 {
			t.Errorf("without %s: %d %s", name, status, text)
		}
	}
	if status, text, _ := send(t, "PUT", put.URL, content, put.Headers); status != http.StatusOK || put.Headers["x-amz-meta-app"] != "x" || put.Headers["if-none-match"] != "*" {
		t.Errorf("%d %s, %v", status, text, put.Headers)
	}
	if answer := r.do(t, "POST", "/v1/uploads/complete", object(map[string]any{"grant": u.Grant})); answer.status != http.StatusOK {
		t.Errorf("complete: %d %s", answer.status, answer.body)
	}
	if answer := r.do(t, "POST", "/v1/uploads/credentials", object(map[string]any{"grant": u.Grant})); answer.problem() != "already_complete" {
		t.Errorf("renewed after completion: %d %s", answer.status, answer.body)
	}
	if answer := r.do(t, "POST", "/s3direct/get_upload_params/", "dest=bare&name=x&type=text%2Fplain&size=1", "Content-Type", "application/x-www-form-urlencoded"); answer.status != http.StatusInternalServerError || strings.Contains(string(answer.body), "access_key") {
		t.Errorf("django-s3direct's view: %d %s", answer.status, answer.body)
	}
}

// The server signs with its own credentials where the store gives no sessions, and
// gives them to nobody.
func TestAStoreWithoutSTS(t *testing.T) {
	if refusesOwnKey() {
		return // see TestAttacksByTheServersSignature
	}
	r := startWith(t, strings.Replace(secretive, "$STORE", "$BARE", 1))
	for _, content := range []string{"x", ""} {
		answer := r.do(t, "POST", "/v1/destinations/bare/presign", object(map[string]any{"method": "PUT", "name": "f", "type": "text/plain", "size": len(content)}))
		var p presigned
		if json.Unmarshal(answer.body, &p); answer.status != http.StatusCreated || strings.Contains(string(answer.body), "Security-Token") || strings.Contains(string(answer.body), os.Getenv("AWS_SECRET_ACCESS_KEY")) {
			t.Fatalf("%d %s", answer.status, answer.body)
		}
		if status, text, _ := send(t, "PUT", p.URL, content, p.Headers); status != http.StatusOK {
			t.Errorf("%d %s", status, text)
		}
		if status, text, _ := send(t, "GET", p.URL, "", nil); status < 400 {
			t.Errorf("read with it: %d %s", status, text)
		}
	}
	if got := r.do(t, "GET", "/readyz", ""); got.status != http.StatusOK {
		t.Errorf("readyz: %d %s", got.status, got.body)
	}
	if log := r.log.String(); strings.Contains(log, os.Getenv("AWS_SECRET_ACCESS_KEY")) || !strings.Contains(log, `"session":"own"`) {
		t.Errorf("the log has the secret, or lacks whose credentials signed:\n%s", log)
	}
}

func TestCommandsForAStoreWithoutSTS(t *testing.T) {
	store, err := devstore.Start(t.Context(), devstore.Config{Dir: t.TempDir(), Secret: make([]byte, 32), Buckets: []string{"media"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	t.Setenv("AWS_ACCESS_KEY_ID", store.Credentials().AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", store.Credentials().SecretAccessKey)
	path := filepath.Join(t.TempDir(), "c.yaml")
	text := strings.Replace(secretive, "$STORE", fmt.Sprintf("{ region: %s, endpoint: %q, conditional_delete: true }", store.Region(), store.Endpoint()), 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args         []string
		status       int
		says, saysNo string
	}{
		{[]string{"check"}, 0, "", "sts"},
		{[]string{"iam"}, 0, `"s3:PutObject"`, "AssumeRole"},
		{[]string{"iam", "-only", "role"}, 0, "", "s3:"},
		{[]string{"policy", "-file", "x", "bare"}, 1, "the store s has no sts", "Statement"},
		{[]string{"doctor", "bare"}, 1, "✓ bare: session: none: the server signs with its own credentials", "✗ bare"},
	} {
		status, stdout, stderr := command(t, append([]string{c.args[0], "-config", path}, c.args[1:]...)...)
		if all := stdout + stderr; status != c.status || !strings.Contains(all, c.says) || strings.Contains(all, c.saysNo) {
			t.Errorf("%v: %d\n%s", c.args, status, all)
		}
	}
}
