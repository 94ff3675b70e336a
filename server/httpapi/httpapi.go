// Package httpapi is the server's HTTP interface: it reads requests, hands
// them to destination.Service, and writes what comes of it. It decides nothing
// about uploads.
//
//	GET  /v1/destinations                  what this principal may use, with the limits
//	POST /v1/destinations/{d}/uploads      {name,type,size} → a grant with session credentials
//	POST /v1/uploads/credentials           {grant} → the same, with fresh credentials
//	POST /v1/uploads/complete              {grant,etag} → the object as the store has it
//	POST /v1/destinations/{d}/presign      {method:"GET",grant} → a link to read the object
//	GET  /healthz, /readyz                 probes
//	GET  /, /chunksign/…                   the demo page and the built web files
//
// The way of a request: New wraps the routes (this file) in the middleware
// (middleware.go) that every reply needs; uploads.go has the JSON routes,
// static.go the files, problems.go every error.
package httpapi

import (
	"io/fs"
	"log/slog"
	"net/http"
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
	// Cookies says that a sign-in may be in a cookie, so that pages of those
	// origins may send theirs.
	Cookies bool

	Static fs.FS // the built web files, at its top
	Logger *slog.Logger
	Now    func() time.Time
	NewID  func() string // a fresh request ID
}

type api struct {
	Config
}

// New makes the handler. It answers an error where an origin is malformed.
func New(c Config) (http.Handler, error) {
	a := &api{c}
	r := mux.NewRouter()
	// A destination's name is one segment; mux would clean // and .. into a redirect.
	r.SkipClean(true)
	r.UseEncodedPath()

	signedIn := func(route func(http.ResponseWriter, *http.Request, destination.Principal) error) http.Handler {
		return a.handle(func(w http.ResponseWriter, r *http.Request) error {
			p, err := c.Auth.Authenticate(r)
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

	r.Handle("/healthz", a.handle(a.alive)).Methods("GET", "HEAD")
	r.Handle("/readyz", a.handle(a.alive)).Methods("GET", "HEAD")
	files := newFiles(c.Static, contentSecurityPolicy(c.Service.Destinations))
	r.Handle("/", a.handle(files.page)).Methods("GET", "HEAD")
	r.Handle("/chunksign/{file}", a.handle(files.file)).Methods("GET", "HEAD")

	r.NotFoundHandler = a.handle(func(http.ResponseWriter, *http.Request) error { return problem(notFound, "") })
	r.MethodNotAllowedHandler = a.handle(func(w http.ResponseWriter, req *http.Request) error {
		w.Header().Set("Allow", allowed(r, req))
		return problem(methodNotAllowed, "")
	})
	return a.wrap(r)
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

// alive answers probes: the server keeps no state, so it is ready once it listens.
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
