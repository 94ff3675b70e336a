package auth

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/chunksign/chunksign/server/destination"
)

// HeadersConfig says which proxy is believed, and in which headers it says
// what.
type HeadersConfig struct {
	From   []netip.Prefix    // the addresses that the proxy connects from
	User   string            // the header with the principal's ID
	Claims map[string]string // claim → header, a text
	Lists  map[string]string // claim → header, its parts between commas
}

// Headers believes a reverse proxy that signs people in and says who they are
// in headers. It must overwrite what a client sends under these names.
type Headers struct{ HeadersConfig }

// NewHeaders makes a Headers.
func NewHeaders(c HeadersConfig) *Headers { return &Headers{c} }

// Authenticate implements destination.Authenticator. What counts is the
// address of the connection itself, which no header can change.
func (h *Headers) Authenticate(r *http.Request) (destination.Principal, error) {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !slices.ContainsFunc(h.From, func(p netip.Prefix) bool { return p.Contains(from.Addr().Unmap().WithZone("")) }) {
		return destination.Principal{}, unauthenticated("the request did not come by the proxy that signs people in; go to its address", nil)
	}
	id, err := one(r, h.User)
	if err != nil {
		return destination.Principal{}, err
	}
	if id == "" {
		return destination.Principal{}, unauthenticated("the proxy in front does not say who you are; sign in there, or have its admin send the header "+h.User, nil)
	}
	p := destination.Principal{ID: id, Claims: map[string]any{}}
	for claim, name := range h.Claims {
		text, err := one(r, name)
		if err != nil {
			return destination.Principal{}, err
		}
		if text != "" {
			p.Claims[claim] = text
		}
	}
	for claim, name := range h.Lists {
		text, err := one(r, name)
		if err != nil {
			return destination.Principal{}, err
		}
		items := []any{} // with none, a rule finds nobody in it, and not an error
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.Trim(item, " \t"); item != "" {
				items = append(items, item)
			}
		}
		p.Claims[claim] = items
	}
	return p, nil
}

// one is a header that is there once at most: of two, one might be the client's.
func one(r *http.Request, name string) (string, error) {
	values := r.Header.Values(name)
	if len(values) > 1 {
		return "", unauthenticated("the header "+name+" is there more than once; the proxy in front must overwrite what a client sends", nil)
	}
	if len(values) == 0 {
		return "", nil
	}
	text := strings.Trim(values[0], " \t") // a name may end in any other space, and is another then
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return "", unauthenticated("the header "+name+" is not text in UTF-8; have the proxy's admin look at it", nil)
	}
	return text, nil
}
