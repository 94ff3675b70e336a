package auth

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/oauth2-proxy/mockoidc"

	"github.com/chunksign/chunksign/server/destination"
)

// provider is a real OpenID provider in this process. It counts what it is
// asked for by path, and can go away.
type provider struct {
	*mockoidc.MockOIDC
	asked [2]atomic.Int32 // discovery, keys
	away  atomic.Bool
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	m, err := mockoidc.NewServer(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{MockOIDC: m}
	if err := m.AddMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case mockoidc.DiscoveryEndpoint:
				p.asked[0].Add(1)
			case mockoidc.JWKSEndpoint:
				p.asked[1].Add(1)
			}
			if p.away.Load() {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			next.ServeHTTP(w, r)
		})
	}); err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewUnstartedServer(nil).Listener
	if err := m.Start(listener, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Shutdown() })
	return p
}

// token signs claims with the provider's key of now.
func (p *provider) token(t *testing.T, change map[string]any) string {
	t.Helper()
	c := claims(map[string]any{"iss": p.Issuer(), "aud": p.ClientID})
	for k, v := range change {
		if v == nil {
			delete(c, k)
		} else {
			c[k] = v
		}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: p.Keypair.PrivateKey}, (&jose.SignerOptions{}).WithHeader("kid", p.Keypair.Kid))
	if err != nil {
		t.Fatal(err)
	}
	payload, _ := json.Marshal(c)
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := signed.CompactSerialize()
	return text
}

func (p *provider) rotate(t *testing.T) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if p.Keypair, err = mockoidc.NewKeypair(key); err != nil {
		t.Fatal(err)
	}
}

func bearer(token string) *http.Request {
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func TestOIDC(t *testing.T) {
	p := newProvider(t)
	at := now
	j := NewJWT(JWTConfig{Issuer: p.Issuer(), Audience: p.ClientID, Leeway: 30 * time.Second, Client: &http.Client{}, Now: func() time.Time { return at }})
	unsigned := func(header string) string {
		payload := strings.Split(p.token(t, nil), ".")[1]
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + payload + "."
	}
	stranger, _ := rsa.GenerateKey(rand.Reader, 2048)
	for name, c := range map[string]struct {
		token string
		ok    bool
	}{
		"a good one":             {p.token(t, nil), true},
		"one audience of two":    {p.token(t, map[string]any{"aud": []string{"x", p.ClientID}}), true},
		"within the leeway":      {p.token(t, map[string]any{"exp": now.Add(-29 * time.Second).Unix(), "nbf": now.Add(29 * time.Second).Unix()}), true},
		"another audience":       {p.token(t, map[string]any{"aud": "mail"}), false},
		"another issuer":         {p.token(t, map[string]any{"iss": "https://evil.test"}), false},
		"the issuer, lengthened": {p.token(t, map[string]any{"iss": p.Issuer() + "/"}), false},
		"expired":                {p.token(t, map[string]any{"exp": now.Add(-31 * time.Second).Unix()}), false},
		"not yet valid":          {p.token(t, map[string]any{"nbf": now.Add(31 * time.Second).Unix()}), false},
		"alg none":               {unsigned(`{"alg":"none"}`), false},
		"alg none, with a kid":   {unsigned(`{"alg":"none","kid":"` + p.Keypair.Kid + `"}`), false},
		"alg None":               {unsigned(`{"alg":"None"}`), false},
		"another's key":          {token(t, jose.RS256, stranger, claims(map[string]any{"iss": p.Issuer(), "aud": p.ClientID})), false},
		"another's key inside":   {embedded(t, stranger, claims(map[string]any{"iss": p.Issuer(), "aud": p.ClientID})), false},
	} {
		who, err := j.Authenticate(bearer(c.token))
		if c.ok != (err == nil) || c.ok && who.ID != "alice" || !c.ok && codeOf(err) != destination.Unauthenticated {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}

	// The provider's own token, as its token endpoint would give it.
	session, err := p.SessionStore.NewSession("openid", "", &mockoidc.MockUser{Subject: "carol", Email: "carol@example.com"}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	at = time.Now()
	own, err := session.IDToken(p.Config(), p.Keypair, at)
	if err != nil {
		t.Fatal(err)
	}
	if who, err := j.Authenticate(bearer(own)); err != nil || who.ID != "carol" {
		t.Errorf("the provider's own token: %+v, %v", who, err)
	}
}

// embedded carries its own key in its header, which nobody may believe (RFC 7515, section 4.1.3).
func embedded(t *testing.T, key *rsa.PrivateKey, c map[string]any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, &jose.SignerOptions{EmbedJWK: true})
	if err != nil {
		t.Fatal(err)
	}
	payload, _ := json.Marshal(c)
	signed, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := signed.CompactSerialize()
	return text
}

func TestKeysAreRotated(t *testing.T) {
	p := newProvider(t)
	at := now
	j := NewJWT(JWTConfig{Issuer: p.Issuer(), Audience: p.ClientID, Client: &http.Client{}, Now: func() time.Time { return at }})
	forever := map[string]any{"exp": now.Add(24 * time.Hour).Unix()}
	try := func(what, token string, want destination.Code, keys int32) {
		t.Helper()
		_, err := j.Authenticate(bearer(token))
		if codeOf(err) != want {
			t.Errorf("%s: %v; want %q", what, err, want)
		}
		if got := p.asked[1].Load(); got != keys || p.asked[0].Load() != keys {
			t.Errorf("%s: the keys were asked for %d times, and discovered %d; want %d", what, got, p.asked[0].Load(), keys)
		}
	}
	p.away.Store(true)
	old := p.token(t, forever)
	if _, err := j.Authenticate(bearer(old)); codeOf(err) != destination.SignInUnavailable {
		t.Errorf("with the provider away: %v; want %s", err, destination.SignInUnavailable)
	}
	p.asked[0].Store(0)
	p.away.Store(false)
	at = at.Add(askAgain)
	try("the first", old, "", 1)
	try("the second", old, "", 1)

	p.rotate(t)
	fresh := p.token(t, forever)
	try("the new key, at once", fresh, destination.Unauthenticated, 1) // asked a moment ago
	at = at.Add(askAgain)
	try("the new key", fresh, "", 2)
	try("the withdrawn key", old, destination.Unauthenticated, 2)
	try("made-up keys ask no more often", token(t, jose.RS256, mustKey(t), claims(nil)), destination.Unauthenticated, 2)

	p.rotate(t)
	try("a withdrawn key while it is cached", fresh, "", 2)
	at = at.Add(refreshAfter)
	try("a withdrawn key once it is old", fresh, destination.Unauthenticated, 3)

	last := p.token(t, forever)
	try("the last", last, "", 3)
	p.away.Store(true)
	at = at.Add(refreshAfter)
	if _, err := j.Authenticate(bearer(last)); err != nil {
		t.Errorf("the provider is away for a while: %v", err)
	}
	if _, err := j.Authenticate(bearer(fresh)); codeOf(err) != destination.SignInUnavailable {
		t.Errorf("an unknown key while the provider is away: %v", err)
	}
	at = at.Add(keysLast)
	if _, err := j.Authenticate(bearer(last)); codeOf(err) != destination.SignInUnavailable {
		t.Errorf("the provider is away for long: %v; want %s", err, destination.SignInUnavailable)
	}
}

func mustKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestDiscoveryIsNotBelievedBlindly(t *testing.T) {
	for name, found := range map[string]string{
		"another issuer":    `{"issuer":"https://evil.test","jwks_uri":"$/keys"}`,
		"keys in the clear": `{"issuer":"$","jwks_uri":"http://keys.example.com/keys"}`,
		"keys in a file":    `{"issuer":"$","jwks_uri":"file:///etc/keys"}`,
		"no keys":           `{"issuer":"$"}`,
		"not JSON":          `<html>`,
		"secrets for keys":  `{"issuer":"$","jwks_uri":"$/secret"}`,
		"moved":             `{"issuer":"$","jwks_uri":"$/moved"}`,
	} {
		s := httptest.NewUnstartedServer(nil)
		base := "http://" + s.Listener.Addr().String()
		s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/.well-known/openid-configuration":
				w.Write([]byte(strings.ReplaceAll(found, "$", base)))
			case "/secret":
				w.Write([]byte(`{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`))
			case "/moved":
				http.Redirect(w, r, "/keys", http.StatusFound)
			default:
				json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: mustKey(t).Public()}}})
			}
		})
		s.Start()
		j := NewJWT(JWTConfig{Issuer: base, Audience: "uploads", Client: NewClient(), Now: func() time.Time { return now }})
		if _, err := j.Authenticate(bearer(token(t, jose.RS256, mustKey(t), claims(map[string]any{"iss": base})))); codeOf(err) != destination.SignInUnavailable {
			t.Errorf("%s: %v; want %s", name, err, destination.SignInUnavailable)
		}
		s.Close()
	}
}
