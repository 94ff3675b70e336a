package httpapi

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"
)

// wrap puts around the routes what every request goes through: from outside
// in, the request's ID and log line, recovery, headers, guard, CORS and the
// protection against requests that a page of another site made the browser send.
func (a *api) wrap(routes http.Handler) http.Handler {
	a.protection.SetDenyHandler(a.handle(func(http.ResponseWriter, *http.Request) error { return anotherSite() }))
	h := a.cors(a.protection.Handler(routes))
	if a.Guard != nil {
		h = a.guard(h)
	}
	return a.log(a.recover(secure(h)))
}

func anotherSite() error {
	return problem(crossOrigin, "the browser says that a page of another site sent this; add its origin to server.origins")
}

// ownCode checks that a GET which has effects, or returns a signature, was made by
// the code of a page that may call, or by no browser. http.CrossOriginProtection
// takes every GET for safe, so the request is held to what it wants of a POST; and a
// browser that reports how a reply is used (w3.org/TR/fetch-metadata) must report a
// fetch or an XMLHttpRequest: not an image, a script, a frame or a navigation, which
// carry the visitor's cookies without any code of the page's. Browsers report that to
// https and to loopback; elsewhere a Referer, where there is one, says the same.
func (a *api) ownCode(r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil // CrossOriginProtection has checked it
	}
	unsafe := *r
	unsafe.Method = http.MethodPost
	if a.protection.Check(&unsafe) != nil {
		return anotherSite()
	}
	mode, dest := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	if mode != "" && mode != "cors" && mode != "same-origin" || dest != "" && dest != "empty" {
		return problem(crossOrigin, "the browser says that no script asked for this; call it by fetch or XMLHttpRequest")
	}
	if r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "" && r.Header.Get("Referer") != "" {
		from, err := url.Parse(r.Header.Get("Referer"))
		if err != nil || from.Host != r.Host && !slices.Contains(a.Origins, from.Scheme+"://"+from.Host) {
			return anotherSite()
		}
	}
	return nil
}

// seen is what is known of a request beside itself. The router fills in route.
type seen struct{ id, route string }

type seenKey struct{}

func requestID(r *http.Request) string {
	if s, ok := r.Context().Value(seenKey{}).(*seen); ok {
		return s.id
	}
	return ""
}

// template notes which route a request has taken.
func template(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s, ok := r.Context().Value(seenKey{}).(*seen); ok {
			if path, err := mux.CurrentRoute(r).GetPathTemplate(); err == nil {
				s.route = path
			}
		}
		next.ServeHTTP(w, r)
	})
}

// log gives the request an ID and writes one line when it is over. The line
// has the path without its query, and no header: tokens and grants are in
// those and in bodies.
func (a *api) log(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		about := &seen{id: a.NewID(), route: "other"}
		w.Header().Set("X-Request-Id", about.id)
		began := a.Now()
		rec := &recorder{ResponseWriter: w}
		ctx, end := r.Context(), func(string, int) {}
		if a.Trace != nil {
			ctx, end = a.Trace(r, a.fromProxy(r))
		}
		next.ServeHTTP(rec, r.WithContext(context.WithValue(ctx, seenKey{}, about)))
		end(about.route, rec.status)
		took := a.Now().Sub(began)
		if a.Observe != nil {
			a.Observe(about.route, r.Method, rec.status, took)
		}
		level := slog.LevelInfo
		if strings.HasPrefix(r.URL.Path, "/chunksign/") || r.URL.Path == "/healthz" || r.URL.Path == "/readyz" || r.URL.Path == "/metrics" {
			level = slog.LevelDebug
		}
		a.Logger.Log(r.Context(), level, "request", "requestId", about.id, "method", r.Method, "path", r.URL.Path,
			"status", rec.status, "bytes", rec.bytes, "ms", float64(took.Microseconds())/1000, "remote", a.address(r))
	})
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// recover answers a panic with a problem, if nothing was answered yet. The log
// gets its text only where that is the runtime's own: any other might quote
// the request.
func (a *api) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler {
				panic(v)
			}
			what := fmt.Sprintf("%T", v)
			if err, ok := v.(runtime.Error); ok {
				what = err.Error()
			}
			a.Logger.ErrorContext(r.Context(), "panic", "requestId", requestID(r), "panic", what, "stack", string(debug.Stack()))
			if rec, ok := w.(*recorder); ok && rec.status == 0 {
				a.writeProblem(w, r, problem("internal", ""))
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// secure sets what every reply carries (OWASP's HTTP Headers Cheat Sheet).
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

func (a *api) guard(next http.Handler) http.Handler {
	return a.handle(func(w http.ResponseWriter, r *http.Request) error {
		if err := a.Guard(r); err != nil {
			return err
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// cors lets pages of the configured origins read replies
// (fetch.spec.whatwg.org/#http-cors-protocol). Other origins get no header,
// and so no answer that they could read.
func (a *api) cors(next http.Handler) http.Handler {
	return a.handle(func(w http.ResponseWriter, r *http.Request) error {
		h := w.Header()
		h.Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		allowed := origin != "" && slices.Contains(a.Origins, origin)
		preflight := r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
		if allowed {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", "X-Request-Id, Retry-After, WWW-Authenticate")
			if a.Cookies {
				h.Set("Access-Control-Allow-Credentials", "true")
			}
		}
		switch {
		case preflight && allowed:
			h.Set("Access-Control-Allow-Methods", "GET, POST")
			// Named, not *, which does not cover Authorization; what else a page
			// sends (for a proxy in front) is let through as it asks.
			h.Set("Access-Control-Allow-Headers", cmp.Or(r.Header.Get("Access-Control-Request-Headers"), "authorization, content-type"))
			h.Set("Access-Control-Max-Age", fmt.Sprint(int(preflightAge.Seconds())))
			w.WriteHeader(http.StatusNoContent)
			return nil
		case preflight:
			return problem("origin_not_allowed", "pages of this origin may not call this server; add it to server.origins")
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// preflightAge is how long a browser may remember a preflight's answer; Chromium caps it here.
const preflightAge = 2 * time.Hour
