package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// audit gives the audit lines of a log in JSON, without their time.
func audit(t *testing.T, log string) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(log) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%q is not JSON: %v", line, err)
		}
		if fields["msg"] == "audit" {
			lines = append(lines, fields)
		}
	}
	return lines
}

func TestEveryDecisionIsOnRecord(t *testing.T) {
	r := startWith(t, `auth: { headers: { from: [127.0.0.0/8] } }
stores: { s: $STORE }
destinations:
  photos: { store: s, bucket: media, key: "{user}/{filename}", content_length: 0..100B, read: owner, existence_optimization: true }
`)
	alice, bob := []string{"X-Forwarded-User", "alice"}, []string{"X-Forwarded-User", "bob b"}
	const ask = "/v1/destinations/photos/uploads"
	var wants [][]string // what, outcome, principal, destination, key
	var ids, secrets []string
	do := func(path, body string, who []string, want ...string) reply {
		t.Helper()
		got := r.do(t, "POST", path, body, who...)
		wants, ids = append(wants, want), append(ids, got.header.Get("X-Request-Id"))
		return got
	}
	first := do(ask, `{"name":"x.txt","type":"text/x-test","size":4}`, alice, "grant", "yes", "alice", "photos", "alice/x.txt")
	var u upload
	if err := json.Unmarshal(first.body, &u); err != nil || first.status != http.StatusCreated {
		t.Fatalf("%d %s", first.status, first.body)
	}
	grant := object(map[string]any{"grant": u.Grant})
	do(ask, `{"name":"x","size":101}`, alice, "grant", "file_too_large", "alice", "photos", "")
	do("/v1/destinations/elsewhere-x/uploads", `{"name":"x","size":1}`, alice, "grant", "destination_unknown", "alice", "", "")
	do("/v1/uploads/complete", grant, alice, "complete", "object_missing", "alice", "photos", "alice/x.txt")
	do("/v1/uploads/credentials", grant, alice, "renew", "yes", "alice", "photos", "alice/x.txt")
	do("/v1/uploads/credentials", grant, bob, "renew", "grant_of_another", "bob b", "", "alice/x.txt")
	do("/v1/uploads/credentials", `{"grant":"made-up"}`, alice, "renew", "grant_invalid", "alice", "", "")
	u.send(t, "four", 5<<20)
	done := do("/v1/uploads/complete", grant, alice, "complete", "yes", "alice", "photos", "alice/x.txt")
	link := do("/v1/destinations/photos/presign", object(map[string]any{"method": "GET", "grant": u.Grant}), alice, "read", "yes", "alice", "photos", "alice/x.txt")
	do(ask, `{"name":"x.txt","type":"text/x-test","size":4,"checksum":{"algorithm":"SHA256","partSize":4,"value":"`+composite("four", 4)+`"}}`, alice, "grant", "exists", "alice", "photos", "alice/x.txt")
	do(ask, `{"name":"x.txt","size":4}`, alice, "grant", "key_taken", "alice", "photos", "alice/x.txt")
	do(ask, `{"name":"x","size":4}`, nil, "sign_in", "unauthenticated", "", "", "")

	lines := audit(t, r.log.String())
	if len(lines) != len(wants) {
		t.Fatalf("%d lines; want %d:\n%s", len(lines), len(wants), r.log)
	}
	text := func(v any) string { s, _ := v.(string); return s }
	for i, want := range wants {
		for n, field := range []string{"what", "outcome", "principal", "destination", "key"} {
			if got := text(lines[i][field]); got != want[n] {
				t.Errorf("line %d: %s is %q; want %q: %v", i, field, got, want[n], lines[i])
			}
		}
		if text(lines[i]["requestId"]) != ids[i] || ids[i] == "" || text(lines[i]["remote"]) != "127.0.0.1" {
			t.Errorf("line %d: %v; want the request %s", i, lines[i], ids[i])
		}
		session := (want[0] == "grant" || want[0] == "renew") && want[1] == "yes"
		if (text(lines[i]["session"]) == "alice") != session {
			t.Errorf("line %d: the session is %v", i, lines[i]["session"])
		}
	}
	if text(lines[0]["grant"]) == "" || lines[0]["grant"] != lines[7]["grant"] {
		t.Errorf("the grant is %v and then %v", lines[0]["grant"], lines[7]["grant"])
	}
	var links struct{ URL string }
	for _, answer := range []reply{done, link} {
		json.Unmarshal(answer.body, &links)
		secrets = append(secrets, links.URL[strings.IndexByte(links.URL, '?'):])
	}
	metrics := r.do(t, "GET", "/metrics", "")
	for _, secret := range append(secrets, u.Grant, u.Credentials.SecretAccessKey, u.Credentials.SessionToken, "X-Amz-Signature") {
		if strings.Contains(r.log.String(), secret) || strings.Contains(string(metrics.body), secret) {
			t.Errorf("the log or the metrics hold %.30s…", secret)
		}
	}
}

func TestMetricsAreForWhoMayReadThem(t *testing.T) {
	r := startWith(t, `server: { metrics: [127.0.0.1], proxies: [127.0.0.1] }
auth: { headers: { from: [127.0.0.0/8] } }
stores: { s: $TRUSTED }
destinations: { photos: { store: s, bucket: media, key: "{user}/{uuid}", content_length: 0..100B } }
`)
	r.do(t, "POST", "/v1/destinations/photos/uploads", `{"name":"x","size":1}`, "X-Forwarded-User", "alice")
	r.do(t, "POST", "/v1/destinations/made-up-name/uploads", `{"name":"x","size":1}`, "X-Forwarded-User", "alice")
	r.do(t, "GET", "/made-up-path", "")
	r.do(t, "BREW", "/v1/destinations", "")
	r.do(t, "OPTIONS", "/v1/destinations", "", "Origin", "https://evil.test", "Access-Control-Request-Method", "POST")
	got := r.do(t, "GET", "/metrics", "")
	text := string(got.body)
	if got.status != http.StatusOK || got.header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(got.header.Get("Content-Type"), "text/plain") {
		t.Fatalf("%d %v", got.status, got.header)
	}
	for _, line := range []string{
		`chunksign_decisions_total{destination="photos",outcome="yes",what="grant"} 1`,
		`chunksign_decisions_total{destination="none",outcome="destination_unknown",what="grant"} 1`,
		`chunksign_http_requests_total{method="POST",route="/v1/destinations/{destination}/uploads",status="201"} 1`,
		`chunksign_http_requests_total{method="GET",route="other",status="404"} 1`,
		`chunksign_http_requests_total{method="other",route="other",status="405"} 1`,
		`chunksign_http_requests_total{method="OPTIONS",route="other",status="403"} 1`,
		`chunksign_sessions_seconds_count{outcome="yes",store="s"} 1`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("there is no %s", line)
		}
	}
	if strings.Contains(text, "made-up") || strings.Contains(text, "alice") {
		t.Errorf("what a client chose is in the metrics:\n%s", text)
	}
	for _, header := range []string{"X-Forwarded-For", "Forwarded", "Via"} {
		if got := r.do(t, "GET", "/metrics", "", header, "for=127.0.0.1"); got.problem() != "not_found" {
			t.Errorf("through a proxy (%s): %d %s", header, got.status, got.body)
		}
	}
}

func TestMetricsAreForNobodyUnlessSaid(t *testing.T) {
	for auth, want := range map[string]int{"auth: { headers: { from: [127.0.0.0/8] } }": 404, "server: { metrics: [10.0.0.0/8] }\nauth: { headers: { from: [127.0.0.0/8] } }": 404} {
		t.Run(auth, func(t *testing.T) {
			if got := startWith(t, auth+oneDestination).do(t, "GET", "/metrics", ""); got.status != want {
				t.Errorf("%d; want %d", got.status, want)
			}
		})
	}
	if got := start(t, t.TempDir()).do(t, "GET", "/metrics", ""); got.status != http.StatusOK {
		t.Errorf("the demo's: %d %s", got.status, got.body)
	}
}
