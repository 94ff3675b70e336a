package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/chunksign/chunksign/server/destination"
)

var now = time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC)

func codeOf(err error) destination.Code {
	var e *destination.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestDevAnswersItsOwnNamesOnly(t *testing.T) {
	d := NewDev("8080", "https://app.example.com")
	for _, c := range []struct {
		host, origin string
		code         destination.Code
	}{
		{"127.0.0.1:8080", "", ""},
		{"localhost:8080", "http://localhost:8080", ""},
		{"LOCALHOST:8080", "http://127.0.0.1:8080", ""},
		{"[::1]:8080", "http://[::1]:8080", ""},
		{"127.0.0.1:8080", "https://app.example.com", ""},
		{"127.0.0.1", "", destination.HostNotAllowed},
		{"localhost:80", "", destination.HostNotAllowed},
		{"", "", destination.HostNotAllowed},
		{"evil.test:8080", "", destination.HostNotAllowed},
		{"evil.test:8080", "http://evil.test:8080", destination.HostNotAllowed},
		{"127.0.0.1.evil.test:8080", "", destination.HostNotAllowed},
		{"localhost.:8080", "", destination.HostNotAllowed},
		{"127.0.0.2:8080", "", destination.HostNotAllowed},
		{"0.0.0.0:8080", "", destination.HostNotAllowed},
		{"::1:8080", "", destination.HostNotAllowed},
		{"127.0.0.1:8080@evil.test", "", destination.HostNotAllowed},
		{"127.0.0.1:8080", "http://evil.test", destination.OriginNotAllowed},
		{"127.0.0.1:8080", "null", destination.OriginNotAllowed},
		{"127.0.0.1:8080", "https://127.0.0.1:8080", destination.OriginNotAllowed},
		{"127.0.0.1:8080", "http://127.0.0.1:3000", destination.OriginNotAllowed},
		{"127.0.0.1:8080", "http://app.example.com", destination.OriginNotAllowed},
		{"127.0.0.1:8080", "http://localhost:8080.evil.test", destination.OriginNotAllowed},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.Host = c.host
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		p, err := d.Authenticate(r)
		if codeOf(err) != c.code || (p.ID == "dev") != (c.code == "") {
			t.Errorf("host %q, origin %q: %v, %v; want %q", c.host, c.origin, p.ID, err, c.code)
		}
	}
	r := httptest.NewRequest("POST", "/", nil)
	r.Host = "127.0.0.1:8080"
	r.Header.Add("Origin", "http://127.0.0.1:8080")
	r.Header.Add("Origin", "http://evil.test")
	if err := d.Guard(r); codeOf(err) != destination.OriginNotAllowed {
		t.Errorf("a second Origin: %v", err)
	}
}

func TestLoopbackAddresses(t *testing.T) {
	for _, a := range []string{"127.0.0.1:8080", "localhost:0", "[::1]:80", "127.9.9.9:1"} {
		if err := CheckLoopback(a); err != nil {
			t.Error(err)
		}
	}
	for _, a := range []string{"", ":8080", "0.0.0.0:80", "[::]:80", "192.168.0.1:80", "example.com:80", "8080", "localhost.evil.test:80"} {
		if CheckLoopback(a) == nil {
			t.Errorf("%q is taken for loopback", a)
		}
	}
}

func token(t *testing.T, alg jose.SignatureAlgorithm, key any, claims map[string]any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload, _ := json.Marshal(claims)
	signed, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := signed.CompactSerialize()
	return text
}

func claims(change map[string]any) map[string]any {
	c := map[string]any{"iss": "https://id.example.com", "aud": "uploads", "sub": "alice", "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(), "tenant": 9007199254740993}
	for k, v := range change {
		if v == nil {
			delete(c, k)
		} else {
			c[k] = v
		}
	}
	return c
}

func TestJWT(t *testing.T) {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	der, _ := x509.MarshalPKIXPublicKey(&key.PublicKey)
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
	payload, _ := json.Marshal(claims(nil))
	unsigned := none + "." + base64.RawURLEncoding.EncodeToString(payload) + "."
	j := NewJWT(JWTConfig{Issuer: "https://id.example.com", Audience: "uploads", Keys: []crypto.PublicKey{&key.PublicKey}, Cookie: "session", Leeway: 30 * time.Second, Now: func() time.Time { return now }})

	for name, c := range map[string]struct {
		token string
		ok    bool
	}{
		"a good one":                  {token(t, jose.ES256, key, claims(nil)), true},
		"one audience of several":     {token(t, jose.ES256, key, claims(map[string]any{"aud": []string{"x", "uploads"}})), true},
		"expired within the leeway":   {token(t, jose.ES256, key, claims(map[string]any{"exp": now.Add(-29 * time.Second).Unix()})), true},
		"expired":                     {token(t, jose.ES256, key, claims(map[string]any{"exp": now.Add(-31 * time.Second).Unix()})), false},
		"without an end":              {token(t, jose.ES256, key, claims(map[string]any{"exp": nil})), false},
		"begun within the leeway":     {token(t, jose.ES256, key, claims(map[string]any{"nbf": now.Add(29 * time.Second).Unix()})), true},
		"not yet":                     {token(t, jose.ES256, key, claims(map[string]any{"nbf": now.Add(31 * time.Second).Unix()})), false},
		"another issuer":              {token(t, jose.ES256, key, claims(map[string]any{"iss": "https://evil.test"})), false},
		"another audience":            {token(t, jose.ES256, key, claims(map[string]any{"aud": "mail"})), false},
		"without an audience":         {token(t, jose.ES256, key, claims(map[string]any{"aud": nil})), false},
		"without a subject":           {token(t, jose.ES256, key, claims(map[string]any{"sub": nil})), false},
		"an empty subject":            {token(t, jose.ES256, key, claims(map[string]any{"sub": ""})), false},
		"signed by another":           {token(t, jose.ES256, other, claims(nil)), false},
		"the public key as a secret":  {token(t, jose.HS256, public, claims(nil)), false},
		"alg none":                    {unsigned, false},
		"not a token":                 {"x", false},
		"the signature taken off":     {strings.Join(strings.Split(token(t, jose.ES256, key, claims(nil)), ".")[:2], ".") + ".", false},
		"no token":                    {"", false},
		"two signatures, one is none": {`{"payload":"e30","signatures":[]}`, false},
	} {
		for _, where := range []string{"header", "cookie"} {
			r := httptest.NewRequest("POST", "/", nil)
			if where == "header" {
				r.Header.Set("Authorization", "bearer "+c.token)
			} else {
				r.AddCookie(&http.Cookie{Name: "session", Value: c.token})
			}
			p, err := j.Authenticate(r)
			if c.ok != (err == nil) || c.ok && (p.ID != "alice" || p.Claims["tenant"] != json.Number("9007199254740993")) {
				t.Errorf("%s in the %s: %+v, %v", name, where, p, err)
			}
			if !c.ok && codeOf(err) != destination.Unauthenticated {
				t.Errorf("%s in the %s: %v; want %s", name, where, err, destination.Unauthenticated)
			}
			if err != nil && len(c.token) > 20 && strings.Contains(err.Error(), c.token[:20]) {
				t.Errorf("%s: the error quotes the token: %v", name, err)
			}
		}
	}
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Authorization", "Basic eDp5")
	r.AddCookie(&http.Cookie{Name: "session", Value: token(t, jose.ES256, key, claims(nil))})
	if _, err := j.Authenticate(r); err == nil {
		t.Error("the cookie counts beside an Authorization header of another kind")
	}
}

func TestKeysFromTheIssuer(t *testing.T) {
	public, private, _ := ed25519.GenerateKey(rand.Reader)
	jwks := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: public, KeyID: "1", Algorithm: "EdDSA", Use: "sig"}}})
	}))
	defer jwks.Close()
	j := NewJWT(JWTConfig{Issuer: "https://id.example.com", Audience: "uploads", JWKSURL: jwks.URL, Client: jwks.Client(), Now: func() time.Time { return now }})
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Authorization", "Bearer "+token(t, jose.EdDSA, private, claims(nil)))
	if p, err := j.Authenticate(r); err != nil || p.ID != "alice" {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestParseKeys(t *testing.T) {
	small, _ := rsa.GenerateKey(rand.Reader, 2048)
	public, private, _ := ed25519.GenerateKey(rand.Reader)
	pkix, _ := x509.MarshalPKIXPublicKey(public)
	pkcs8, _ := x509.MarshalPKCS8PrivateKey(private)
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	set, _ := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: public}, {Key: &small.PublicKey}}})
	secret, _ := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: []byte("a shared secret")}}})
	for name, c := range map[string]struct {
		data []byte
		keys int
	}{
		"PEM":               {block("PUBLIC KEY", pkix), 1},
		"two":               {append(block("PUBLIC KEY", pkix), block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&small.PublicKey))...), 2},
		"a JWKS":            {set, 2},
		"a private key":     {block("PRIVATE KEY", pkcs8), 0},
		"a JWKS of secrets": {secret, 0},
		"damaged":           {block("PUBLIC KEY", pkix[:10]), 0},
		"nothing":           {nil, 0},
		"an empty JWKS":     {[]byte(`{"keys":[]}`), 0},
		"not a JWKS":        {[]byte(`{"keys":1}`), 0},
	} {
		keys, err := ParseKeys(c.data)
		if len(keys) != c.keys || (err == nil) != (c.keys > 0) {
			t.Errorf("%s: %d keys, %v", name, len(keys), err)
		}
	}
}
