package main

import (
	"net/http"
	"strings"
	"testing"
)

func TestAllow(t *testing.T) {
	r := startWith(t, `server: { origins: [https://app.example.com] }
auth: { headers: { from: [127.0.0.0/8], lists: { groups: X-Groups } } }
stores: { s: $STORE }
destinations:
  staff: { store: s, bucket: media, key: "{uuid}", content_length: 0..1GiB, allow: "'staff' in claims.groups && file.size < 100" }
  broken: { store: s, bucket: media, key: "{uuid}", content_length: 0..1GiB, allow: "claims.absent == 'x'" }
  here: { store: s, bucket: media, key: "{uuid}", content_length: 0..1GiB, allow: "request.ip == '127.0.0.1' && request.origin == 'https://app.example.com'" }
`)
	staff := []string{"X-Forwarded-User", "alice", "X-Groups", "staff, photo"}
	guest := []string{"X-Forwarded-User", "bob", "X-Groups", "guests"}
	for name, c := range map[string]struct {
		destination string
		size        string
		header      []string
		status      int
	}{
		"staff":               {"staff", "99", staff, 201},
		"staff, a large file": {"staff", "100", staff, 403},
		"a guest":             {"staff", "1", guest, 403},
		"a rule that errs":    {"broken", "1", staff, 403},
		"from the page":       {"here", "1", append([]string{"Origin", "https://app.example.com", "Sec-Fetch-Site", "same-site"}, guest...), 201},
		"from no page":        {"here", "1", guest, 403},
		"a made-up address":   {"here", "1", append([]string{"X-Forwarded-For", "127.0.0.1"}, guest...), 403},
		"no such destination": {"nope", "1", staff, 404},
	} {
		got := r.do(t, "POST", "/v1/destinations/"+c.destination+"/uploads", `{"name":"x","size":`+c.size+`}`, c.header...)
		if got.status != c.status || c.status == http.StatusForbidden && got.problem() != "not_allowed" {
			t.Errorf("%s: %d %s; want %d", name, got.status, got.body, c.status)
		}
		if c.status != 201 && (strings.Contains(string(got.body), "claims") || strings.Contains(string(got.body), "absent")) {
			t.Errorf("%s: the answer tells of the rule: %s", name, got.body)
		}
	}
	list := string(r.do(t, "GET", "/v1/destinations", "", staff...).body)
	if !strings.Contains(list, `"staff"`) || strings.Contains(list, `"broken"`) || strings.Contains(list, `"here"`) {
		t.Errorf("staff see %s", list)
	}
	if list := string(r.do(t, "GET", "/v1/destinations", "", guest...).body); strings.TrimSpace(list) != `{"destinations":[]}` {
		t.Errorf("guests see %s", list)
	}
	if log := r.log.String(); !strings.Contains(log, "no such key: absent") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}
