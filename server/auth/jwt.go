package auth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/strictjson"
)

// JWTConfig says whose tokens count.
type JWTConfig struct {
	Issuer   string
	Audience string
	JWKSURL  string             // where the issuer publishes its keys; or
	Keys     []crypto.PublicKey // the keys themselves; without either, by OpenID Connect's discovery
	Cookie   string             // the cookie that holds the token where there is no Authorization header, "" for none
	Leeway   time.Duration      // what the issuer's clock may be ahead of this one's, or behind
	Client   *http.Client       // for the keys; it should follow no redirect
	Now      func() time.Time
}

// JWT checks the bearer tokens (RFC 6750) of one issuer. The principal is the
// token's sub; all its claims are the principal's.
type JWT struct {
	JWTConfig
	keys *keySet
}

// algorithms are the asymmetric ones: with HS256 among them a public key could
// be used as the secret, and "none" is no signature (RFC 8725, section 2.1).
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// NewJWT makes a JWT. Keys are fetched when the first token comes: the server
// starts without its identity provider.
func NewJWT(c JWTConfig) *JWT {
	switch {
	case len(c.Keys) > 0:
		return &JWT{c, staticKeys(c.Keys)}
	case c.JWKSURL != "":
		return &JWT{c, &keySet{now: c.Now, fetch: func(ctx context.Context) ([]jose.JSONWebKey, error) {
			return fetchKeys(ctx, c.Client, c.JWKSURL)
		}}}
	}
	return &JWT{c, &keySet{now: c.Now, fetch: func(ctx context.Context) ([]jose.JSONWebKey, error) {
		address, err := discover(ctx, c.Client, c.Issuer)
		if err != nil {
			return nil, err
		}
		return fetchKeys(ctx, c.Client, address)
	}}}
}

// Authenticate implements destination.Authenticator.
func (j *JWT) Authenticate(r *http.Request) (destination.Principal, error) {
	token := j.token(r)
	if token == "" {
		return destination.Principal{}, unauthenticated("the request says not who you are; sign in, and send the token as Authorization: Bearer …", nil)
	}
	const untrusted = "the token is not one that this server trusts; sign in again, and see the server's log if that does not help"
	signed, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil {
		return destination.Principal{}, unauthenticated(untrusted, errors.New("it is not a JWS of a kind that is taken (RS, PS, ES or EdDSA)"))
	}
	if err := checkHeader(signed.Signatures[0].Protected); err != nil {
		return destination.Principal{}, unauthenticated(untrusted, err)
	}
	payload, err := j.keys.verify(r.Context(), signed)
	switch {
	case errors.Is(err, errKeysAway):
		return destination.Principal{}, unavailable("the identity provider does not answer, so your token cannot be checked; try again", err)
	case err != nil:
		return destination.Principal{}, unauthenticated(untrusted, err)
	}
	// Before go-oidc reads them, which takes SUB for sub.
	claims, err := parseClaims(payload)
	if err != nil {
		return destination.Principal{}, unauthenticated("the token's claims cannot be read", err)
	}
	t, err := oidc.NewVerifier(j.Issuer, verified(payload), &oidc.Config{
		ClientID: j.Audience, SupportedSigningAlgs: algorithmNames(), Now: func() time.Time { return j.Now().Add(-j.Leeway) },
	}).Verify(r.Context(), token)
	var expired *oidc.TokenExpiredError
	switch {
	case errors.As(err, &expired):
		return destination.Principal{}, unauthenticated("the token expired at "+expired.Expiry.UTC().Format(time.RFC3339)+"; sign in again", nil)
	case err != nil:
		return destination.Principal{}, unauthenticated(untrusted, err)
	case t.Subject == "":
		return destination.Principal{}, unauthenticated("the token has no subject (sub), so it says not who you are; ask whoever runs the identity provider", nil)
	}
	p := destination.Principal{ID: t.Subject, Claims: claims}
	// go-oidc is five minutes too patient with a token that has not begun.
	if begins, ok := p.Claims["nbf"].(json.Number); ok {
		if at, err := begins.Float64(); err != nil || at > float64(j.Now().Add(j.Leeway).Unix()) {
			return destination.Principal{}, unauthenticated("the token is not valid yet; look at the clocks of this server and of the identity provider", nil)
		}
	}
	return p, nil
}

// verified is an oidc.KeySet for the one token whose signature has been checked.
type verified []byte

func (v verified) VerifySignature(context.Context, string) ([]byte, error) { return v, nil }

func algorithmNames() []string {
	names := make([]string, len(algorithms))
	for i, a := range algorithms {
		names[i] = string(a)
	}
	return names
}

// tokenTypes are the types of tokens that say who somebody is or what a client
// may do; none at all says nothing else. An identity provider signs others with
// the same keys: a log-out token has the issuer, audience and subject of the one
// that signed in (RFC 8725, section 3.11; RFC 9068, section 2.1).
var tokenTypes = []string{"JWT", "at+jwt"}

func checkHeader(h jose.Header) error {
	if _, there := h.ExtraHeaders["crit"]; there {
		return errors.New("its header has crit, and no extension of JWS is known here (RFC 7515, section 4.1.11)")
	}
	typ, there := h.ExtraHeaders[jose.HeaderType]
	if !there {
		return nil
	}
	text, _ := typ.(string)
	if len(text) > len("application/") && strings.EqualFold(text[:len("application/")], "application/") {
		text = text[len("application/"):]
	}
	if !slices.ContainsFunc(tokenTypes, func(t string) bool { return strings.EqualFold(t, text) }) {
		return fmt.Errorf("its header has the typ %q; JWT and at+jwt sign in", typ)
	}
	return nil
}

// registered are the claims that mean something to this server, to go-oidc or
// to libraries in front of it (RFC 7519, section 4.1; OpenID Connect Core 1.0,
// section 2; RFC 8693; RFC 9068). No claim may be another spelling of one.
var registered = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti",
	"azp", "nonce", "at_hash", "c_hash", "acr", "amr", "auth_time", "sid", "_claim_names", "_claim_sources",
	"act", "may_act", "client_id", "scope", "cnf", "groups", "roles", "entitlements",
}

// parseClaims reads a JSON object whose members mean the same to every reader.
// Numbers stay as they are written.
func parseClaims(data []byte, further ...string) (map[string]any, error) {
	claims, err := strictjson.Object(data, append(further, registered...)...)
	if err != nil {
		return nil, fmt.Errorf("they are not a JSON object that all readers read alike: %w", err)
	}
	return claims, nil
}

func (j *JWT) token(r *http.Request) string {
	if h := r.Header.Get("Authorization"); h != "" {
		scheme, token, _ := strings.Cut(h, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return ""
		}
		return strings.TrimSpace(token)
	}
	if j.Cookie != "" {
		if c, err := r.Cookie(j.Cookie); err == nil {
			return c.Value
		}
	}
	return ""
}

// ParseKeys reads an identity provider's public keys: PEM (public keys or
// certificates) or a JSON Web Key Set. A private key is refused, for it has no
// business on this machine.
func ParseKeys(data []byte) ([]crypto.PublicKey, error) {
	var keys []crypto.PublicKey
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		var set jose.JSONWebKeySet
		if err := strictjson.Unmarshal(data, &set); err != nil {
			return nil, errors.New("it is not a JSON Web Key Set; save what the provider's jwks_uri answers")
		}
		for _, k := range set.Keys {
			if k.IsPublic() {
				keys = append(keys, k.Key)
			}
		}
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		key, err := parseBlock(block)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("it holds no public key; give PEM (BEGIN PUBLIC KEY or CERTIFICATE) or a JSON Web Key Set")
	}
	for _, k := range keys {
		switch k.(type) {
		case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
		default:
			return nil, fmt.Errorf("it holds a key of the kind %T; RSA, ECDSA and Ed25519 keys can be used", k)
		}
	}
	return keys, nil
}

func parseBlock(b *pem.Block) (crypto.PublicKey, error) {
	switch {
	case strings.Contains(b.Type, "PRIVATE"):
		return nil, errors.New("it holds a private key; give the public one only: openssl pkey -in FILE -pubout")
	case b.Type == "CERTIFICATE":
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("its certificate cannot be read: %w", err)
		}
		return c.PublicKey, nil
	case b.Type == "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(b.Bytes)
	}
	key, err := x509.ParsePKIXPublicKey(b.Bytes)
	if err != nil {
		return nil, fmt.Errorf("its public key cannot be read: %w", err)
	}
	return key, nil
}
