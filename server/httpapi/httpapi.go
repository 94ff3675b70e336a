// Package httpapi is the server's HTTP interface: it reads requests, hands
// them to destination.Service, and writes what comes of it. It decides nothing
// about uploads.
//
//	GET  /v1/destinations                  what this principal may use, with the limits
//	POST /v1/destinations/{d}/uploads      {name,type,size,checksum?} → a grant with session credentials, or the object that is there already
//	POST /v1/uploads/credentials           {grant} → the same, with fresh credentials
//	POST /v1/uploads/complete              {grant,etag,checksum?} → the object as the store has it
//	POST /v1/destinations/{d}/presign      a URL or a form that anybody may send: PUT, POST, GET
//	POST /v1/uploads/parts                 {grant,uploadId,parts} → a URL for each part
//	POST /v1/uploads/multipart             {grant,op,…} → create, list, complete, abort, by the server
//	Config.Views                           what django-s3direct's and EvaporateJS's pages call
//	GET  /healthz, /readyz                 probes
//	GET  /metrics                          Prometheus
//	GET  /, /chunksign/…                   the demo page and the built web files
//
// The way of a request: New wraps the routes (this file) in the middleware
// (middleware.go) that every reply needs; uploads.go and presign.go have the JSON routes,
// static.go the files, problems.go every error.
package httpapi

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/chunksign/chunksign/server/destination"
)

// Config is what the interface stands before.
type Config struct {
	Service *destination.Service
	Auth    destination.Authenticator

	// Guard refuses requests before anything else looks at them; nil for none.
	Guard func(*http.Request) error

	// Origins are the pages, besides the server's own, that may call.
	Origins []string
	// Proxies are the addresses of proxies in front, which are believed where
	// a request comes from (X-Forwarded-For).
	Proxies []netip.Prefix
	// Cookies says that a sign-in may be in a cookie, so that pages of those
	// origins may send theirs.
	Cookies bool

	// Ready says why the server could give no grants now; nil for never.
	Ready func(context.Context) error

	// Metrics answers /metrics to connections from MetricsFrom; others are told
	// that nothing is there.
	Metrics     http.Handler
	MetricsFrom []netip.Prefix
	// Observe is told of every request once it is answered; nil for none. The
	// route is a template such as /v1/destinations/{destination}/uploads, and
	// "other" where none matched.
	Observe func(route, method string, status int, took time.Duration)

	// Evaporate gives what EvaporateJS needs beside a grant's session, which goes
	// into the reply as it is; nil for nothing.
	Evaporate func(destination.Upload) (any, error)

	// Views are routes of interfaces that pages in use speak already.
	Views []View

	// Trace begins the trace of a request, and what it returns ends it, told of
	// the same route; nil for none. ours says that a proxy of ours sent it.
	Trace func(r *http.Request, ours bool) (ctx context.Context, end func(route string, status int))

	Static fs.FS // the built web files, at its top
	Logger *slog.Logger
	Now    func() time.Time
	NewID  func() string // a fresh request ID
}

// View is a route that answers in its own words. Only errors that it has none
// for it returns, to be answered as problems. Its GET may have effects, and so
// is answered to the code of pages that may call, but not to what a page of
// another site embeds (see ownCode).
type View struct {
	Method, Path string
	Serve        func(w http.ResponseWriter, r *http.Request, who func() (destination.Principal, error)) error

	// Problem writes what would be a problem's body otherwise, whatever refused the
	// request, for clients that know no problems; nil for the usual. Headers are set.
	Problem func(w http.ResponseWriter, status int, detail, code, requestID string)
}

// viewAt is the view whose folder a path is in, nil for none: what is asked for
// below it is asked for by its clients.
func (a *api) viewAt(at string) *View {
	for i := range a.Views {
		if dir := path.Dir(strings.TrimSuffix(a.Views[i].Path, "/")) + "/"; strings.HasPrefix(at, dir) {
			return &a.Views[i]
		}
	}
	return nil
}

type api struct {
	Config
	protection *http.CrossOriginProtection
}

// New makes the handler. It answers an error where an origin is malformed.
func New(c Config) (http.Handler, error) {
	a := &api{Config: c, protection: http.NewCrossOriginProtection()}
	for _, origin := range c.Origins {
		if err := a.protection.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("the origin %q: %w", origin, err)
		}
	}
	r := mux.NewRouter()
	// A destination's name is one segment; mux would clean // and .. into a redirect.
	r.SkipClean(true)
	r.UseEncodedPath()

	r.Use(template)

	signedIn := func(route func(http.ResponseWriter, *http.Request, destination.Principal) error) http.Handler {
		return a.handle(func(w http.ResponseWriter, r *http.Request) error {
			p, err := a.who(r)
			if err != nil {
				return err
			}
			return route(w, r, p)
		})
	}
	r.Handle("/v1/destinations", signedIn(a.list)).Methods("GET")
	r.Handle("/v1/destinations/{destination}/uploads", signedIn(a.grant)).Methods("POST")
	r.Handle("/v1/destinations/{destination}/presign", signedIn(a.presign)).Methods("POST")
	r.Handle("/v1/uploads/credentials", signedIn(a.renew)).Methods("POST")
	r.Handle("/v1/uploads/complete", signedIn(a.complete)).Methods("POST")
	r.Handle("/v1/uploads/parts", signedIn(a.parts)).Methods("POST")
	r.Handle("/v1/uploads/multipart", signedIn(a.multipart)).Methods("POST")

	for _, v := range c.Views {
		r.Handle(v.Path, a.handle(func(w http.ResponseWriter, r *http.Request) error {
			if err := a.ownCode(r); err != nil {
				return err
			}
			return v.Serve(w, r, func() (destination.Principal, error) { return a.who(r) })
		})).Methods(v.Method)
	}
	r.Handle("/healthz", a.handle(a.alive)).Methods("GET", "HEAD")
	r.Handle("/readyz", a.handle(a.ready)).Methods("GET", "HEAD")
	files := newFiles(c.Static, contentSecurityPolicy(c.Service.Destinations))
	r.Handle("/metrics", a.handle(a.metrics)).Methods("GET", "HEAD")
	r.Handle("/", a.handle(files.page)).Methods("GET", "HEAD")
	r.Handle("/chunksign/{file}", a.handle(files.file)).Methods("GET", "HEAD")

	r.NotFoundHandler = a.handle(func(http.ResponseWriter, *http.Request) error { return problem(notFound, "") })
	r.MethodNotAllowedHandler = a.handle(func(w http.ResponseWriter, req *http.Request) error {
		w.Header().Set("Allow", allowed(r, req))
		return problem(methodNotAllowed, "")
	})
	return a.wrap(r), nil
}

// who says whose a request is. A sign-in that is refused goes on record.
func (a *api) who(r *http.Request) (destination.Principal, error) {
	via := destination.Request{ID: requestID(r), Address: a.address(r), Origin: r.Header.Get("Origin")}
	p, err := a.Auth.Authenticate(r)
	if err != nil {
		if a.Service.Audit != nil {
			a.Service.Audit(r.Context(), destination.Decision{What: "sign_in", Principal: destination.Principal{Via: via}, Outcome: destination.OutcomeOf(err)})
		}
		return destination.Principal{}, err
	}
	p.Via = via
	return p, nil
}

// allowed lists the methods that an address takes (RFC 9110, section 15.5.6).
func allowed(routes *mux.Router, r *http.Request) string {
	var methods []string
	for _, method := range []string{"GET", "HEAD", "POST"} {
		other := *r
		other.Method = method
		var m mux.RouteMatch
		if routes.Match(&other, &m) && m.MatchErr == nil {
			methods = append(methods, method)
		}
	}
	return strings.Join(methods, ", ")
}

// handle turns a handler's error into a problem body.
func (a *api) handle(h func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			a.writeProblem(w, r, err)
		}
	})
}

// ready answers whether the server can give grants now.
func (a *api) ready(w http.ResponseWriter, r *http.Request) error {
	if a.Ready != nil {
		if err := a.Ready(r.Context()); err != nil {
			return err
		}
	}
	return a.alive(w, r)
}

// alive answers that the server runs: it keeps no state that could be wrong.
func (a *api) alive(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// contentSecurityPolicy is that of the demo page and of its worker, which
// obeys its own reply's. It lets them run WebAssembly and call the stores.
func contentSecurityPolicy(destinations []*destination.Destination) string {
	stores := " "
	var origins []string
	for _, d := range destinations {
		if origin := d.Store.Origin(d.Bucket); !slices.Contains(origins, origin) {
			origins = append(origins, origin)
			stores += origin + " "
		}
	}
	return "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; " +
		"connect-src 'self'" + stores[:len(stores)-1] + "; worker-src 'self' blob:; manifest-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
