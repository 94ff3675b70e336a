package main

import (
	"slices"
	"time"

	"github.com/chunksign/chunksign/server/auth"
	"github.com/chunksign/chunksign/server/httpapi"
)

// signIn wires the way to sign in that the configuration names. Where identity
// is in a cookie, the application's or the proxy's, pages of the configured
// origins may send theirs.
func (w *wiring) signIn(h *httpapi.Config) {
	switch c := w.config.Auth; {
	case c.Dev:
		dev := auth.NewDev(w.port, slices.Clone(w.config.Origins)...)
		h.Auth, h.Guard = dev, dev.Guard
	case c.Anonymous:
		h.Auth = auth.Anonymous{}
	case c.Forward != nil:
		h.Cookies = true
		h.Auth = auth.NewForward(auth.ForwardConfig{URL: c.Forward.URL, Cookie: c.Forward.Cookie, User: c.Forward.User, Client: auth.NewClient(), Now: time.Now})
	case c.Headers != nil:
		h.Cookies = true
		h.Auth = auth.NewHeaders(auth.HeadersConfig{From: c.Headers.From, User: c.Headers.User, Claims: c.Headers.Claims, Lists: c.Headers.Lists})
	default:
		j := c.JWT
		h.Cookies = j.Cookie != ""
		h.Auth = auth.NewJWT(auth.JWTConfig{
			Issuer: j.Issuer, Audience: j.Audience, JWKSURL: j.JWKSURL, Keys: j.Keys, Cookie: j.Cookie, Leeway: j.Leeway,
			Client: auth.NewClient(), Now: time.Now,
		})
	}
}
