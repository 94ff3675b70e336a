package compat

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/strictjson"
)

// The session of a destination's page travels in an encrypted cookie. Script
// cannot read it (HttpOnly), pages of other sites cannot make the browser send
// it with a POST (SameSite=Lax), and it opens for its principal and destination
// only. STS's tokens can be long, and browsers take 4,096 bytes a cookie
// (RFC 6265, section 6.1), so it may be cut into several.
const (
	cookiePrefix = "chunksign-"
	cookiePiece  = 3800 // bytes
	maxPieces    = 4
)

// cookiePaths are where the session signs.
var cookiePaths = []string{"/s3direct/", "/evaporate/"}

// held is what a cookie holds.
type held struct {
	AccessKeyID     string    `json:"k"`
	SecretAccessKey string    `json:"s"`
	SessionToken    string    `json:"t"`
	Expires         time.Time `json:"e"`
}

func about(d *destination.Destination, p destination.Principal) string { return d.Name + "\n" + p.ID }

func cookieName(d *destination.Destination, piece int) string {
	return fmt.Sprintf("%s%s.%d", cookiePrefix, d.Name, piece)
}

// hold leaves a session with the page.
func (v *Views) hold(w http.ResponseWriter, r *http.Request, d *destination.Destination, p destination.Principal, h held) error {
	plain, err := json.Marshal(h)
	if err != nil {
		return err
	}
	text := v.Held.Seal(plain, about(d, p))
	if len(text) > maxPieces*cookiePiece {
		return fmt.Errorf("a session token of %d bytes is too long for cookies", len(h.SessionToken))
	}
	c := http.Cookie{
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Expires: h.Expires,
		// Behind a proxy the page's own origin says whether it came by https.
		Secure: r.TLS != nil || strings.HasPrefix(r.Header.Get("Origin"), "https://"),
	}
	for piece := 0; piece < maxPieces; piece++ {
		c.Name, c.Value = cookieName(d, piece), text[:min(len(text), cookiePiece)]
		text = text[len(c.Value):]
		if c.Value == "" {
			if _, err := r.Cookie(c.Name); err != nil {
				break
			}
			c.MaxAge = -1 // left over from a longer one
		}
		for _, c.Path = range cookiePaths {
			http.SetCookie(w, &c)
		}
	}
	return nil
}

// holds gives the session that was left with the page, if it has not ended.
func (v *Views) holds(r *http.Request, d *destination.Destination, p destination.Principal) (h held, ok bool) {
	var text strings.Builder
	for piece := range maxPieces {
		c, err := r.Cookie(cookieName(d, piece))
		if err != nil {
			break
		}
		text.WriteString(c.Value)
	}
	plain, ok := v.Held.Open(text.String(), about(d, p))
	if !ok || strictjson.Unmarshal(plain, &h) != nil {
		return held{}, false
	}
	return h, v.Now().Before(h.Expires)
}
