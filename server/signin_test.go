package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const oneDestination = `
stores: { s: $STORE }
destinations: { d: { store: s, bucket: media, key: "{user}/{filename}", content_length: 0..1GiB, overwrite: true } }
`

// Each way to sign in leads to a grant for the right person's key, in a whole server.
func TestSignInByProxyAndApplication(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := r.Cookie("sessionid")
		if err != nil || c.Value != "secret-session" || r.Header.Get("X-Forwarded-User") != "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"id": 7})
	}))
	defer app.Close()
	for name, c := range map[string]struct {
		auth string
		who  []string // the headers of somebody
		key  string
		not  []string // of nobody
	}{
		"forward":                {fmt.Sprintf("forward: { url: %q, cookie: sessionid, user: id }", app.URL), []string{"Cookie", "sessionid=secret-session"}, "7/x", []string{"Cookie", "sessionid=guess"}},
		"headers":                {"headers: { from: [127.0.0.0/8] }", []string{"X-Forwarded-User", "a b"}, "a=20b/x", nil},
		"headers from elsewhere": {"headers: { from: [10.0.0.0/8] }", nil, "", []string{"X-Forwarded-User", "a", "X-Forwarded-For", "10.0.0.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := startWith(t, "server: { origins: [https://app.example.com] }\nauth: { "+c.auth+" }"+oneDestination)
			ask := func(header []string) reply {
				t.Helper()
				return r.do(t, "POST", "/v1/destinations/d/uploads", `{"name":"x","size":1}`, append([]string{"Origin", "https://app.example.com", "Sec-Fetch-Site", "same-site"}, header...)...)
			}
			if c.key != "" {
				got := ask(c.who)
				var u upload
				if json.Unmarshal(got.body, &u); got.status != http.StatusCreated || u.Upload.Key != c.key {
					t.Errorf("%d %s; want the key %s", got.status, got.body, c.key)
				}
				if got.header.Get("Access-Control-Allow-Credentials") != "true" {
					t.Errorf("%v", got.header)
				}
			}
			if got := ask(c.not); got.problem() != "unauthenticated" || got.status != http.StatusUnauthorized {
				t.Errorf("%d %s", got.status, got.body)
			}
			evil := r.do(t, "POST", "/v1/destinations/d/uploads", `{"name":"x","size":1}`, append([]string{"Origin", "https://evil.test", "Sec-Fetch-Site", "cross-site"}, c.who...)...)
			if evil.problem() != "cross_origin" {
				t.Errorf("a page of another site: %d %s", evil.status, evil.body)
			}
			if strings.Contains(r.log.String(), "secret-session") {
				t.Error("the log holds the cookie")
			}
		})
	}
}
