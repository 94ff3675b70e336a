package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/chunksign/chunksign/server/destination"
)

// signed is a token of the payload, byte for byte. With a type, the header has it as typ.
func signed(t *testing.T, key *ecdsa.PrivateKey, typ, payload string) string {
	t.Helper()
	options := &jose.SignerOptions{}
	if typ != "" {
		options = options.WithType(jose.ContentType(typ))
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	object, err := s.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	text, err := object.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestClaimsAreReadExactly signs payloads that JSON libraries read in different ways: another one, a proxy's or
// the identity provider's own, must not find another principal in the token than this server does.
func TestClaimsAreReadExactly(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const good = `"iss":"https://id.example.com","aud":"uploads","sub":"alice","exp":%[1]d,"iat":%[2]d`
	payload := func(text string) string {
		return strings.NewReplacer("%GOOD", fmt.Sprintf(good, now.Add(time.Hour).Unix(), now.Unix()),
			"%LATER", fmt.Sprint(now.Add(time.Hour).Unix()), "%PAST", fmt.Sprint(now.Add(-time.Hour).Unix())).Replace(text)
	}
	refused := map[string]string{
		"SUB after sub":                 `{%GOOD,"SUB":"mallory"}`,
		"Sub before sub":                `{"Sub":"mallory",%GOOD}`,
		"sub with a long s":             `{%GOOD,"\u017fub":"mallory"}`,
		"sub twice":                     `{%GOOD,"sub":"mallory"}`,
		"sub twice, one escaped":        `{%GOOD,"\u0073ub":"mallory"}`,
		"only SUB":                      `{"iss":"https://id.example.com","aud":"uploads","SUB":"alice","exp":%LATER}`,
		"ISS after another iss":         `{"iss":"https://evil.test","ISS":"https://id.example.com","aud":"uploads","sub":"alice","exp":%LATER}`,
		"AUD after another aud":         `{"iss":"https://id.example.com","aud":"mail","AUD":"uploads","sub":"alice","exp":%LATER}`,
		"EXP after one that has passed": `{"iss":"https://id.example.com","aud":"uploads","sub":"alice","exp":%PAST,"EXP":%LATER}`,
		"exp twice":                     `{"iss":"https://id.example.com","aud":"uploads","sub":"alice","exp":%PAST,"exp":%LATER}`,
		"NBF beside nbf":                `{%GOOD,"nbf":%LATER,"NBF":0}`,
		"only EXP":                      `{"iss":"https://id.example.com","aud":"uploads","sub":"alice","EXP":%LATER}`,
		"AZP beside azp":                `{%GOOD,"azp":"a","AZP":"b"}`,
		"groups twice":                  `{%GOOD,"groups":["guest"],"groups":["staff"]}`,
		"groups twice, deep":            `{%GOOD,"realm":{"x":[{"roles":["guest"],"roles":["staff"]}]}}`,
		"half of a surrogate pair":      `{"iss":"https://id.example.com","aud":"uploads","sub":"a\ud800","exp":%LATER}`,
		"another half":                  `{"iss":"https://id.example.com","aud":"uploads","sub":"a\udfff\ud800x","exp":%LATER}`,
		"not UTF-8":                     "{\"iss\":\"https://id.example.com\",\"aud\":\"uploads\",\"sub\":\"a\xff\",\"exp\":%LATER}",
		"a second object":               `{%GOOD}{"sub":"mallory"}`,
		"an array":                      `[{%GOOD}]`,
		"null":                          `null`,
		"nbf as text":                   `{%GOOD,"nbf":"%LATER"}`,
		"sub as a number":               `{"iss":"https://id.example.com","aud":"uploads","sub":7,"exp":%LATER}`,
		"exp as a distant number":       `{"iss":"https://id.example.com","aud":"uploads","sub":"alice","exp":1e400}`,
		"no exp":                        `{"iss":"https://id.example.com","aud":"uploads","sub":"alice"}`,
	}
	accepted := map[string]string{
		"as it should be":              `{%GOOD}`,
		"members of the same value":    `{%GOOD,"a":{"b":1},"c":{"b":1}}`,
		"custom claims of two cases":   `{%GOOD,"https://example.com/Role":"x","https://example.com/role":"y"}`,
		"a surrogate pair":             `{%GOOD,"name":"\ud83d\ude00 \\ud800"}`,
		"the audience as one of a few": `{"iss":"https://id.example.com","aud":["mail","uploads"],"sub":"alice","exp":%LATER}`,
	}
	config := JWTConfig{Issuer: "https://id.example.com", Audience: "uploads", Now: func() time.Time { return now }}
	ways := map[string]func(payload string) (destination.Principal, error){
		"jwt, keys given": func(payload string) (destination.Principal, error) {
			c := config
			c.Keys = append(c.Keys, key.Public())
			return NewJWT(c).Authenticate(bearer(signed(t, key, "", payload)))
		},
		"jwt, in a cookie": func(payload string) (destination.Principal, error) {
			c := config
			c.Keys, c.Cookie = append(c.Keys, key.Public()), "token"
			r := httptest.NewRequest("POST", "/", nil)
			r.AddCookie(&http.Cookie{Name: "token", Value: signed(t, key, "JWT", payload)})
			return NewJWT(c).Authenticate(r)
		},
		"jwks_url": func(payload string) (destination.Principal, error) {
			set := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				public, err := (&jose.JSONWebKey{Key: key.Public(), Algorithm: "ES256", Use: "sig"}).MarshalJSON()
				if err != nil {
					t.Error(err)
				}
				fmt.Fprintf(w, `{"keys":[%s]}`, public)
			}))
			defer set.Close()
			c := config
			c.JWKSURL, c.Client = set.URL, &http.Client{}
			return NewJWT(c).Authenticate(bearer(signed(t, key, "at+jwt", payload)))
		},
	}
	for way, authenticate := range ways {
		for name, text := range refused {
			if p, err := authenticate(payload(text)); codeOf(err) != destination.Unauthenticated {
				t.Errorf("%s, %s: %+v, %v", way, name, p, err)
			}
		}
		for name, text := range accepted {
			if p, err := authenticate(payload(text)); err != nil || p.ID != "alice" {
				t.Errorf("%s, %s: %+v, %v", way, name, p, err)
			}
		}
	}
}

// TestTokensOfOtherKinds sends what an identity provider signs with the same keys for another purpose (RFC 8725,
// section 3.11): a log-out token has the same issuer, audience and subject.
func TestTokensOfOtherKinds(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	j := NewJWT(JWTConfig{Issuer: "https://id.example.com", Audience: "uploads", Now: func() time.Time { return now }})
	j.keys.keys = append(j.keys.keys, jose.JSONWebKey{Key: key.Public()})
	j.keys.fetch = nil
	payload := fmt.Sprintf(`{"iss":"https://id.example.com","aud":"uploads","sub":"alice","exp":%d}`, now.Add(time.Hour).Unix())
	for typ, ok := range map[string]bool{
		"": true, "JWT": true, "jwt": true, "at+jwt": true, "AT+JWT": true, "application/at+jwt": true, "application/jwt": true,
		"logout+jwt": false, "secevent+jwt": false, "dpop+jwt": false, "oauth-authz-req+jwt": false, "JOSE": false, "at+jwt ": false,
	} {
		if p, err := j.Authenticate(bearer(signed(t, key, typ, payload))); ok != (err == nil) || !ok && codeOf(err) != destination.Unauthenticated {
			t.Errorf("typ %q: %+v, %v", typ, p, err)
		}
	}
}

// TestHeadersOfTokens signs tokens whose payload is good under headers of all kinds, by the right key.
func TestHeadersOfTokens(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := JWTConfig{Issuer: "https://id.example.com", Audience: "uploads", Now: func() time.Time { return now }}
	c.Keys = append(c.Keys, key.Public())
	j := NewJWT(c)
	payload := fmt.Sprintf(`{"iss":"https://id.example.com","aud":"uploads","sub":"alice","exp":%d}`, now.Add(time.Hour).Unix())
	sign := func(header string) string {
		text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
		sum := sha256.Sum256([]byte(text))
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return text + "." + base64.RawURLEncoding.EncodeToString(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
	}
	for header, ok := range map[string]bool{
		`{"alg":"ES256"}`:                                  true,
		`{"alg":"ES256","kid":"other"}`:                    true, // given keys have no ID
		`{"alg":"ES256","jku":"https://evil.test/keys"}`:   true, // not asked
		`{"alg":"HS256","alg":"ES256"}`:                    false,
		`{"alg":"ES256","alg":"ES256"}`:                    false,
		`{"ALG":"ES256"}`:                                  false,
		`{"alg":"ES256","crit":["exp"],"exp":1}`:           false,
		`{"alg":"ES256","crit":["http://x"],"http://x":1}`: false,
		`{"alg":"ES256","crit":[]}`:                        false,
		`{"alg":"ES256","b64":false,"crit":["b64"]}`:       false,
		`{"alg":"none"}`:                                   false,
		`{"alg":"ES384"}`:                                  false,
		`{"alg":"es256"}`:                                  false,
		`{"alg":["ES256"]}`:                                false,
	} {
		if p, err := j.Authenticate(bearer(sign(header))); ok != (err == nil) || !ok && codeOf(err) != destination.Unauthenticated {
			t.Errorf("%s: %+v, %v", header, p, err)
		}
	}
}

// TestForwardedClaimsAreReadExactly has the application answer what JSON libraries read in different ways.
func TestForwardedClaimsAreReadExactly(t *testing.T) {
	reply := ""
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, reply) }))
	defer app.Close()
	for text, ok := range map[string]bool{
		`{"sub":"alice"}`:                                true,
		`{"sub":"alice","SUB":"mallory"}`:                false,
		`{"sub":"alice","sub":"mallory"}`:                false,
		`{"sub":"alice","groups":[],"groups":["staff"]}`: false,
		`{"SUB":"alice"}`:                                false,
		`{"sub":"a\ud800"}`:                              false,
		`{"sub":"alice"} {}`:                             false,
	} {
		reply = text
		f := NewForward(ForwardConfig{URL: app.URL, User: "sub", Client: &http.Client{}, Now: func() time.Time { return now }})
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Cookie", "sessionid=1")
		if p, err := f.Authenticate(r); ok != (err == nil) {
			t.Errorf("%s: %+v, %v", text, p, err)
		}
	}
}

// TestURLsStayOutOfErrors has the addresses of forward and jwks_url fail in every way: both may hold a token.
func TestURLsStayOutOfErrors(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, reply := range []string{"", "500", "404", "not JSON", "[]", `{"sub":[]}`, `{"keys":[]}`, strings.Repeat(" ", 2<<20)} {
		app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if status, err := strconv.Atoi(reply); err == nil {
				w.WriteHeader(status)
			}
			io.WriteString(w, reply)
		}))
		if reply == "" {
			app.URL = gone.URL
		}
		r := bearer(signed(t, key, "", `{}`))
		client := NewClient()
		_, first := NewForward(ForwardConfig{URL: app.URL + "/t0ken?t=t0ken", User: "sub", Client: client, Now: func() time.Time { return now }}).Authenticate(r)
		_, second := NewJWT(JWTConfig{JWKSURL: app.URL + "/t0ken?t=t0ken", Client: client, Now: func() time.Time { return now }}).Authenticate(r)
		for _, err := range []error{first, second} {
			if err == nil || strings.Contains(err.Error(), "t0ken") {
				t.Errorf("%.20q: %v", reply, err)
			}
		}
		app.Close()
	}
}
