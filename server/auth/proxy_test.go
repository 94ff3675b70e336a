package auth

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

func TestHeadersAreBelievedFromTheProxyOnly(t *testing.T) {
	h := NewHeaders(HeadersConfig{
		From: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8")},
		User: "X-Forwarded-User", Claims: map[string]string{"email": "X-Forwarded-Email"}, Lists: map[string]string{"groups": "X-Forwarded-Groups"},
	})
	for name, c := range map[string]struct {
		from   string
		header []string
		id     string
	}{
		"the proxy":                {"10.1.2.3:4000", []string{"X-Forwarded-User", "alice"}, "alice"},
		"over IPv6":                {"[fd00::1%eth0]:4000", []string{"X-Forwarded-User", "alice"}, "alice"},
		"IPv4 in IPv6":             {"[::ffff:10.1.2.3]:4000", []string{"X-Forwarded-User", "alice"}, "alice"},
		"in UTF-8":                 {"10.1.2.3:4000", []string{"X-Forwarded-User", "Zoë"}, "Zoë"},
		"somebody else":            {"10.2.2.3:4000", []string{"X-Forwarded-User", "alice"}, ""},
		"who claims to be it":      {"10.2.2.3:4000", []string{"X-Forwarded-User", "alice", "X-Forwarded-For", "10.1.2.3", "X-Real-IP", "10.1.2.3"}, ""},
		"this machine":             {"127.0.0.1:4000", []string{"X-Forwarded-User", "alice"}, ""},
		"no address":               {"", []string{"X-Forwarded-User", "alice"}, ""},
		"a socket":                 {"@", []string{"X-Forwarded-User", "alice"}, ""},
		"nobody":                   {"10.1.2.3:4000", nil, ""},
		"an empty name":            {"10.1.2.3:4000", []string{"X-Forwarded-User", " "}, ""},
		"two names":                {"10.1.2.3:4000", []string{"X-Forwarded-User", "alice", "X-Forwarded-User", "bob"}, ""},
		"two lists":                {"10.1.2.3:4000", []string{"X-Forwarded-User", "alice", "X-Forwarded-Groups", "a", "X-Forwarded-Groups", "staff"}, ""},
		"a header of another name": {"10.1.2.3:4000", []string{"X_Forwarded_User", "alice"}, ""},
		"not UTF-8":                {"10.1.2.3:4000", []string{"X-Forwarded-User", "\xff"}, ""},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.RemoteAddr = c.from
		for i := 0; i < len(c.header); i += 2 {
			r.Header.Add(c.header[i], c.header[i+1])
		}
		p, err := h.Authenticate(r)
		if p.ID != c.id || (c.id == "") != (codeOf(err) == destination.Unauthenticated) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	r := httptest.NewRequest("POST", "/", nil)
	r.RemoteAddr = "10.1.0.1:1"
	for name, value := range map[string]string{"X-Forwarded-User": "alice", "X-Forwarded-Email": "a@example.com", "X-Forwarded-Groups": "staff, ,uploaders "} {
		r.Header.Set(name, value)
	}
	want := map[string]any{"email": "a@example.com", "groups": []any{"staff", "uploaders"}}
	if p, err := h.Authenticate(r); err != nil || !reflect.DeepEqual(p.Claims, want) {
		t.Errorf("%+v, %v; want the claims %v", p, err, want)
	}
}

// site is an application that knows its users by the cookie sessionid.
type site struct {
	*httptest.Server
	asked atomic.Int32
	reply func(w http.ResponseWriter, session string)
}

func newSite(t *testing.T) *site {
	s := &site{reply: func(w http.ResponseWriter, session string) {
		json.NewEncoder(w).Encode(map[string]any{"sub": session, "groups": []string{"staff"}, "tenant": 9007199254740993})
	}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		session := ""
		if c, err := r.Cookie("sessionid"); err == nil {
			session = c.Value
		} else if r.Header.Get("Authorization") != "" {
			session = strings.TrimPrefix(r.Header.Get("Authorization"), "Token ")
		}
		if session == "" {
			w.Header().Set("Location", "/login")
			w.WriteHeader(http.StatusFound)
			return
		}
		s.reply(w, session)
	}))
	t.Cleanup(s.Close)
	return s
}

func withCookie(cookie string) *http.Request {
	r := httptest.NewRequest("POST", "/", nil)
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	return r
}

func TestForward(t *testing.T) {
	s := newSite(t)
	at := now
	f := NewForward(ForwardConfig{URL: s.URL + "/whoami", User: "sub", Client: NewClient(), Now: func() time.Time { return at }})
	try := func(what, cookie, id string, code destination.Code, asked int32) {
		t.Helper()
		p, err := f.Authenticate(withCookie(cookie))
		if p.ID != id || codeOf(err) != code {
			t.Errorf("%s: %+v, %v; want %q, %q", what, p, err, id, code)
		}
		if got := s.asked.Load(); got != asked {
			t.Errorf("%s: the application was asked %d times; want %d", what, got, asked)
		}
	}
	try("nobody", "", "", destination.Unauthenticated, 0)
	try("a cookie that says nothing", "theme=dark", "", destination.Unauthenticated, 1)
	try("alice", "theme=dark; sessionid=alice", "alice", "", 2)
	try("alice again", "theme=dark; sessionid=alice", "alice", "", 2)
	try("bob", "theme=dark; sessionid=bob", "bob", "", 3)
	at = at.Add(believed - 1)
	try("alice a moment before", "theme=dark; sessionid=alice", "alice", "", 3)
	at = at.Add(1)
	try("alice after 30 s", "theme=dark; sessionid=alice", "alice", "", 4)
	if p, _ := f.Authenticate(withCookie("sessionid=alice")); p.Claims["tenant"] != json.Number("9007199254740993") || len(p.Claims["groups"].([]any)) != 1 {
		t.Errorf("the claims are %v", p.Claims)
	}
	token := withCookie("")
	token.Header.Set("Authorization", "Token carol")
	if p, err := f.Authenticate(token); p.ID != "carol" {
		t.Errorf("by Authorization: %+v, %v", p, err)
	}

	one := NewForward(ForwardConfig{URL: s.URL, Cookie: "sessionid", User: "sub", Client: NewClient(), Now: func() time.Time { return at }})
	before := s.asked.Load()
	for _, cookies := range []string{"a=1; sessionid=alice", "a=2; sessionid=alice", "sessionid=alice"} {
		if p, err := one.Authenticate(withCookie(cookies)); p.ID != "alice" {
			t.Errorf("%+v, %v", p, err)
		}
	}
	if s.asked.Load() != before+1 {
		t.Error("other cookies count although one is named")
	}
	if _, err := one.Authenticate(withCookie("a=1")); codeOf(err) != destination.Unauthenticated || s.asked.Load() != before+1 {
		t.Errorf("without the cookie: %v", err)
	}
}

func TestWhatAnApplicationMaySay(t *testing.T) {
	s := newSite(t)
	for name, c := range map[string]struct {
		status int
		body   string
		id     string
		code   destination.Code
	}{
		"claims":          {200, `{"id":"alice"}`, "alice", ""},
		"a number":        {200, `{"id":12}`, "12", ""},
		"created":         {201, `{"id":"alice"}`, "alice", ""},
		"nobody":          {200, `{"id":null}`, "", destination.Unauthenticated},
		"an empty name":   {200, `{"id":""}`, "", destination.Unauthenticated},
		"another's words": {200, `{"user":"alice"}`, "", destination.Unauthenticated},
		"unauthorized":    {401, `{"id":"alice"}`, "", destination.Unauthenticated},
		"forbidden":       {403, "", "", destination.Unauthenticated},
		"a sign-in page":  {302, "", "", destination.Unauthenticated},
		"a truth":         {200, `{"id":true}`, "", destination.SignInUnavailable},
		"an object":       {200, `{"id":{"a":1}}`, "", destination.SignInUnavailable},
		"a list":          {200, `["alice"]`, "", destination.SignInUnavailable},
		"null":            {200, `null`, "", destination.SignInUnavailable},
		"a page":          {200, `<html>hunter2`, "", destination.SignInUnavailable},
		"nothing":         {204, "", "", destination.SignInUnavailable},
		"not found":       {404, `{"id":"alice"}`, "", destination.SignInUnavailable},
		"a failure":       {500, "hunter2", "", destination.SignInUnavailable},
		"too much":        {200, `{"id":"alice","x":"` + strings.Repeat("x", maxClaims) + `"}`, "", destination.SignInUnavailable},
	} {
		s.reply = func(w http.ResponseWriter, _ string) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
			w.Write([]byte(c.body))
		}
		f := NewForward(ForwardConfig{URL: s.URL, User: "id", Client: NewClient(), Now: func() time.Time { return now }})
		p, err := f.Authenticate(withCookie("sessionid=hunter3"))
		if p.ID != c.id || codeOf(err) != c.code {
			t.Errorf("%s: %+v, %v; want %q, %q", name, p, err, c.id, c.code)
		}
		if err != nil && strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: the error is %v", name, err)
		}
		before := s.asked.Load()
		if f.Authenticate(withCookie("sessionid=hunter3")); (s.asked.Load() == before) != (c.code == "") {
			t.Errorf("%s: asked again: %v", name, s.asked.Load() != before)
		}
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	f := NewForward(ForwardConfig{URL: gone.URL, User: "id", Client: NewClient(), Now: func() time.Time { return now }})
	if _, err := f.Authenticate(withCookie("a=b")); codeOf(err) != destination.SignInUnavailable {
		t.Errorf("nobody answers: %v", err)
	}
}

func TestOneQuestionForManyRequests(t *testing.T) {
	s := newSite(t)
	release := make(chan struct{})
	s.reply = func(w http.ResponseWriter, session string) {
		<-release
		json.NewEncoder(w).Encode(map[string]any{"sub": session})
	}
	f := NewForward(ForwardConfig{URL: s.URL, User: "sub", Client: NewClient(), Now: func() time.Time { return now }})
	var wait sync.WaitGroup
	var begun sync.WaitGroup
	for range 30 {
		begun.Add(1)
		wait.Go(func() {
			begun.Done()
			if p, err := f.Authenticate(withCookie("sessionid=alice")); p.ID != "alice" {
				t.Errorf("%+v, %v", p, err)
			}
		})
	}
	begun.Wait()
	close(release)
	wait.Wait()
	if n := s.asked.Load(); n != 1 {
		t.Errorf("asked %d times; want 1", n)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	f := NewForward(ForwardConfig{Now: func() time.Time { return now }})
	for n := range maxAnswers + 100 {
		ready := make(chan struct{})
		close(ready)
		f.mu.Lock()
		f.sweep()
		f.answers[[32]byte{byte(n), byte(n >> 8), byte(n >> 16)}] = &answer{ready: ready, until: now.Add(time.Minute)}
		f.mu.Unlock()
	}
	if len(f.answers) > maxAnswers {
		t.Errorf("%d answers", len(f.answers))
	}
}
