package httpapi

import (
	"log/slog"
	"net/http"
	"testing"
	"testing/fstest"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

// A view's GET is answered to a page's own code, and to what is no browser; never to
// what another site's page has the browser fetch with the visitor's cookies.
func TestViewsAnswerThePagesOwnCode(t *testing.T) {
	called := false
	serve := func(w http.ResponseWriter, _ *http.Request, _ func() (destination.Principal, error)) error {
		called = true
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	h, err := New(Config{
		Service: &destination.Service{}, Auth: signIn(anybody), Origins: []string{"https://app.example.com"}, Cookies: true,
		Views:  []View{{Method: "GET", Path: "/signer", Serve: serve}, {Method: "POST", Path: "/form", Serve: serve}},
		Static: fstest.MapFS{}, Logger: slog.New(slog.DiscardHandler), Now: time.Now, NewID: func() string { return "id" },
	})
	if err != nil {
		t.Fatal(err)
	}
	const origin, site, mode, dest = "Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"
	for _, c := range []struct {
		what    string
		allowed bool
		header  []string
	}{
		{"no browser", true, nil},
		{"the page's XMLHttpRequest", true, []string{site, "same-origin", mode, "cors", dest, "empty"}},
		{"the page's fetch, same-origin", true, []string{site, "same-origin", mode, "same-origin", dest, "empty"}},
		{"a listed origin's XMLHttpRequest", true, []string{site, "cross-site", mode, "cors", dest, "empty", origin, "https://app.example.com"}},
		{"the same, by an old browser", true, []string{origin, "https://app.example.com"}},
		{"the page's XMLHttpRequest over plain HTTP", true, []string{"Referer", "http://example.com/page"}},
		{"a listed origin's Referer", true, []string{"Referer", "https://app.example.com/page"}},

		{"<img> of another site", false, []string{site, "cross-site", mode, "no-cors", dest, "image"}},
		{"<img> of a neighbour", false, []string{site, "same-site", mode, "no-cors", dest, "image"}},
		{"<img> of the page itself", false, []string{site, "same-origin", mode, "no-cors", dest, "image"}},
		{"<img crossorigin> of another site", false, []string{site, "cross-site", mode, "cors", dest, "image", origin, "https://evil.test"}},
		{"<img crossorigin> of a listed origin", false, []string{site, "cross-site", mode, "cors", dest, "image", origin, "https://app.example.com"}},
		{"<script>", false, []string{site, "cross-site", mode, "no-cors", dest, "script"}},
		{"<link rel=prefetch>", false, []string{site, "cross-site", mode, "no-cors", dest, "empty"}},
		{"fetch with no-cors", false, []string{site, "same-origin", mode, "no-cors", dest, "empty"}},
		{"<iframe>", false, []string{site, "cross-site", mode, "navigate", dest, "iframe"}},
		{"a link that was clicked", false, []string{site, "same-origin", mode, "navigate", dest, "document"}},
		{"an address that was opened from elsewhere", false, []string{site, "none", mode, "navigate", dest, "document"}},
		{"another site's XMLHttpRequest", false, []string{site, "cross-site", mode, "cors", dest, "empty", origin, "https://evil.test"}},
		{"the same, by an old browser", false, []string{origin, "https://evil.test"}},
		{"a sandboxed frame", false, []string{origin, "null"}},
		{"another site's Referer over plain HTTP", false, []string{"Referer", "http://evil.test/page"}},
		{"a Referer that is none", false, []string{"Referer", "%"}},
	} {
		called = false
		w := ask(h, "GET", "http://example.com/signer", c.header...)
		if called != c.allowed || c.allowed != (w.Code == http.StatusNoContent) || !c.allowed && w.Code != http.StatusForbidden {
			t.Errorf("%s: %d %s", c.what, w.Code, w.Body)
		}
	}
	if w := ask(h, "POST", "http://example.com/form", site, "cross-site"); w.Code != http.StatusForbidden {
		t.Errorf("POST from another site: %d", w.Code)
	}
}
