package compat

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

// browser keeps cookies as browsers do.
type browser struct {
	*cookiejar.Jar
	at *url.URL
}

func newBrowser(t *testing.T) browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return browser{jar, &url.URL{Scheme: "https", Host: "app.example.com", Path: "/any/where/"}}
}

func (b browser) request() *http.Request {
	r := httptest.NewRequest("POST", b.at.String(), nil)
	r.Header.Set("Origin", "https://app.example.com")
	for _, c := range b.Cookies(b.at) {
		r.AddCookie(c)
	}
	return r
}

func (b browser) hold(v *Views, d *destination.Destination, p destination.Principal, h held) *http.Response {
	w := httptest.NewRecorder()
	v.hold(w, b.request(), d, p, h)
	b.SetCookies(b.at, w.Result().Cookies())
	return w.Result()
}

func named(name string) *destination.Destination {
	_, d := at(destination.Store{Region: "us-east-1"}, "b")
	d.Name = name
	return d
}

func TestCookies(t *testing.T) {
	v, b, d, p := views(t), newBrowser(t), named("films"), destination.Principal{ID: "p"}
	v.Now = time.Now
	session := held{aSession.SecretAccessKey, time.Now().Add(time.Minute).Truncate(time.Second)}
	reply := b.hold(v, d, p, session)
	if got := len(reply.Header.Values("Set-Cookie")); got != 1 {
		t.Errorf("%d cookies are set", got)
	}
	for _, c := range reply.Cookies() {
		if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || len(c.Raw) > 300 {
			t.Errorf("%v", c)
		}
		if strings.Contains(c.Raw, session.secretAccessKey) {
			t.Error("a cookie holds the secret")
		}
	}
	if got, ok := v.holds(b.request(), d, p); !ok || got != session {
		t.Errorf("%+v, %v", got, ok)
	}
	later := b.request()
	for _, c := range later.Cookies() { // its end is sealed with it
		c.Value = "z" + c.Value
		later.Header.Set("Cookie", c.String())
	}
	for what, held := range map[string]bool{
		"somebody else":       second(v.holds(b.request(), d, destination.Principal{ID: "q"})),
		"another destination": second(v.holds(b.request(), named("other"), p)),
		"without it":          second(v.holds(httptest.NewRequest("GET", "/", nil), d, p)),
		"with a later end":    second(v.holds(later, d, p)),
	} {
		if held {
			t.Errorf("%s holds the session", what)
		}
	}
	v.Now = func() time.Time { return session.expires }
	if second(v.holds(b.request(), d, p)) {
		t.Error("the session is held beyond its end")
	}
}

// A user who uploads to many destinations sends few cookies: the last ones.
func TestManyCookies(t *testing.T) {
	v, b, p := views(t), newBrowser(t), destination.Principal{ID: "p"}
	now := time.Now()
	v.Now = func() time.Time { return now }
	end := func(i int) time.Time { return now.Add(time.Hour + time.Duration(i)*time.Second) }
	const all = 60
	for i := range all {
		d := named(fmt.Sprintf("a-destination-with-a-long-name-%d", i))
		reply := b.hold(v, d, p, held{aSession.SecretAccessKey, end(i)})
		if size := len(b.request().Header.Get("Cookie")); size > maxCookies {
			t.Fatalf("after %d destinations the cookies have %d bytes", i+1, size)
		}
		if size := len(strings.Join(reply.Header.Values("Set-Cookie"), "\r\nSet-Cookie: ")); size > 1000 {
			t.Errorf("the reply sets %d bytes of cookies", size)
		}
		for j := max(0, i-11); j <= i; j++ {
			if !second(v.holds(b.request(), named(fmt.Sprintf("a-destination-with-a-long-name-%d", j)), p)) {
				t.Fatalf("after destination %d the session for %d is lost", i, j)
			}
		}
	}
	now = end(all - 2) // when all but the last have expired
	if b.hold(v, named("new"), p, held{aSession.SecretAccessKey, now.Add(time.Hour)}); len(b.request().Cookies()) != 2 {
		t.Errorf("%d cookies are left where 2 have not expired", len(b.request().Cookies()))
	}
	foreign := b.request() // what is not ours stays
	foreign.Header.Set("Cookie", "sessionid=x; "+cookiePrefix+"broken=y; csrftoken="+strings.Repeat("z", 3000))
	w := httptest.NewRecorder()
	v.hold(w, foreign, named("new"), p, held{aSession.SecretAccessKey, now.Add(time.Hour)})
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 && c.Name != cookiePrefix+"broken" {
			t.Errorf("%s is removed", c.Name)
		}
	}
}

func second(_ held, ok bool) bool { return ok }

func TestDumps(t *testing.T) {
	got, err := dumps(member{"error", "Größe 1 < 2 & \"x\"\n\U0001F600"}, member{"n", 3}, member{"none", nil}, member{"no", false})
	want := `{"error": "Gr\u00f6\u00dfe 1 < 2 & \"x\"\n\ud83d\ude00", "n": 3, "none": null, "no": false}` // json.dumps of Python 3.11
	if err != nil || string(got) != want {
		t.Errorf("%s, %v\nwant %s", got, err, want)
	}
}
