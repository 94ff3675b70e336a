package compat

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

// The secret of a page's session for a destination travels in an encrypted
// cookie. Script cannot read it (HttpOnly), pages of other sites cannot make the
// browser send it with a POST (SameSite=Lax), and it opens for its principal and
// destination only, until it expires. A signature needs no more than the secret:
// the session token, which can have 4 KB, stays with the page, for proxies pass
// on 4 to 8 KB of headers (nginx: proxy_buffer_size, large_client_header_buffers).
//
// The path is /, for a proxy may have the views below any path of its own.
const (
	cookiePrefix = "chunksign-"
	// maxCookies bounds all of them together, in bytes of the header Cookie.
	maxCookies = 2000
)

// held is what a cookie holds.
type held struct {
	secretAccessKey string
	expires         time.Time
}

// cookieName has 22 characters, whatever the destination's name is.
func cookieName(d *destination.Destination) string {
	sum := sha256.Sum256([]byte(d.Name))
	return cookiePrefix + base64.RawURLEncoding.EncodeToString(sum[:9])
}

func about(d *destination.Destination, p destination.Principal, expires string) string {
	return d.Name + "\n" + p.ID + "\n" + expires
}

// hold leaves a session's secret with the page, and takes away what has expired
// and what would be too much, the first to expire first.
func (v *Views) hold(w http.ResponseWriter, r *http.Request, d *destination.Destination, p destination.Principal, h held) {
	expires := strconv.FormatInt(h.expires.Unix(), 36)
	c := http.Cookie{
		Name: cookieName(d), Value: expires + "." + v.Held.Seal([]byte(h.secretAccessKey), about(d, p, expires)),
		Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Expires: h.expires,
		// Behind a proxy the page's own origin says whether it came by https.
		Secure: r.TLS != nil || strings.HasPrefix(r.Header.Get("Origin"), "https://"),
	}
	http.SetCookie(w, &c)
	size := func(c *http.Cookie) int { return len(c.Name) + len("=") + len(c.Value) + len("; ") }
	others := slices.DeleteFunc(r.Cookies(), func(other *http.Cookie) bool {
		return !strings.HasPrefix(other.Name, cookiePrefix) || other.Name == c.Name
	})
	slices.SortStableFunc(others, func(a, b *http.Cookie) int { return expiryOf(b).Compare(expiryOf(a)) })
	total := size(&c)
	for _, other := range others {
		if total += size(other); total <= maxCookies && v.Now().Before(expiryOf(other)) {
			continue
		}
		total -= size(other)
		c.Name, c.Value, c.MaxAge = other.Name, "", -1
		http.SetCookie(w, &c)
	}
}

// expiryOf is when a cookie says that it expires, the zero time where it does not say.
func expiryOf(c *http.Cookie) time.Time {
	text, _, _ := strings.Cut(c.Value, ".")
	seconds, err := strconv.ParseInt(text, 36, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

// holds gives the secret that was left with the page, if its session has not ended.
func (v *Views) holds(r *http.Request, d *destination.Destination, p destination.Principal) (h held, ok bool) {
	c, err := r.Cookie(cookieName(d))
	if err != nil {
		return held{}, false
	}
	expires, sealed, _ := strings.Cut(c.Value, ".")
	secret, ok := v.Held.Open(sealed, about(d, p, expires))
	if !ok {
		return held{}, false
	}
	h = held{string(secret), expiryOf(c)}
	return h, v.Now().Before(h.expires)
}
