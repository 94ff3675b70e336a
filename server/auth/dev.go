package auth

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/chunksign/chunksign/server/destination"
)

// Dev takes everybody for the one principal "dev". Whoever can reach it may
// upload, so it is for this machine only: start it after CheckLoopback, and
// put Guard before every route.
type Dev struct {
	port    string
	origins []string
}

// NewDev makes a Dev for a server that listens on a port. Pages of the further
// origins may use it too.
func NewDev(port string, origins ...string) *Dev { return &Dev{port: port, origins: origins} }

// Authenticate implements destination.Authenticator.
func (d *Dev) Authenticate(r *http.Request) (destination.Principal, error) {
	if err := d.Guard(r); err != nil {
		return destination.Principal{}, err
	}
	return destination.Principal{ID: "dev"}, nil
}

// Guard refuses requests that a page from elsewhere may have caused.
//
// A page of another site can point its own name at 127.0.0.1 (DNS rebinding)
// and is then of the server's origin to the browser; its name still stands in
// Host. A page that asks across origins says so in Origin.
func (d *Dev) Guard(r *http.Request) error {
	if !d.ownHost(r.Host) {
		return &destination.Error{Code: destination.HostNotAllowed,
			Detail: fmt.Sprintf("this server is for this machine only and does not answer to the host %q; open http://127.0.0.1:%s/", r.Host, d.port)}
	}
	for _, origin := range r.Header.Values("Origin") {
		host, ok := strings.CutPrefix(origin, scheme(r)+"://")
		if !(ok && d.ownHost(host)) && !slices.Contains(d.origins, origin) {
			return &destination.Error{Code: destination.OriginNotAllowed,
				Detail: fmt.Sprintf("pages of the origin %q may not use this server; add it to server.origins, or open http://127.0.0.1:%s/", origin, d.port)}
		}
	}
	return nil
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// ownHost says whether a Host header is one of this machine's names with this
// server's port. Browsers leave out the port that the scheme implies.
func (d *Dev) ownHost(host string) bool {
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		name, port = host[:i], host[i+1:]
	}
	switch strings.ToLower(name) {
	case "localhost", "127.0.0.1", "[::1]":
		return port == d.port || port == "" && (d.port == "80" || d.port == "443")
	}
	return false
}

// CheckLoopback answers an error where an address to listen on can be reached
// from elsewhere.
func CheckLoopback(listen string) error {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("%q is not an address to listen on; write 127.0.0.1:8080", listen)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("auth: dev lets everybody in and may listen on this machine only, not on %q; write 127.0.0.1:8080, or configure auth.jwt", listen)
}
