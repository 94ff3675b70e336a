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
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/chunksign/chunksign/server/destination"
)

// JWTConfig says whose tokens count.
type JWTConfig struct {
	Issuer   string
	Audience string
	JWKSURL  string             // where the issuer publishes its keys; or
	Keys     []crypto.PublicKey // the keys themselves
	Cookie   string             // the cookie that holds the token where there is no Authorization header, "" for none
	Client   *http.Client       // for JWKSURL
	Now      func() time.Time
}

// JWT checks the bearer tokens (RFC 6750) of one issuer. The principal is the
// token's sub; all its claims are the principal's.
type JWT struct {
	verifier *oidc.IDTokenVerifier
	cookie   string
}

// algorithms are the asymmetric ones: with HS256 among them a public key could
// be used as the secret, and "none" is no signature (RFC 8725, section 2.1).
var algorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA,
}

// leeway is what an identity provider's clock may be behind this one's when a
// token ends. (go-oidc allows five minutes itself when one begins.)
const leeway = 30 * time.Second

// NewJWT makes a JWT. Keys from JWKSURL are fetched when the first token comes
// and again when one has an unknown key.
func NewJWT(c JWTConfig) *JWT {
	var keys oidc.KeySet = &oidc.StaticKeySet{PublicKeys: c.Keys}
	if c.JWKSURL != "" {
		keys = oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), c.Client), c.JWKSURL)
	}
	return &JWT{cookie: c.Cookie, verifier: oidc.NewVerifier(c.Issuer, keys, &oidc.Config{
		ClientID: c.Audience, SupportedSigningAlgs: algorithms,
		Now: func() time.Time { return c.Now().Add(-leeway) },
	})}
}

// Authenticate implements destination.Authenticator.
func (j *JWT) Authenticate(r *http.Request) (destination.Principal, error) {
	token := j.token(r)
	if token == "" {
		return destination.Principal{}, unauthenticated("the request says not who you are; sign in, and send the token as Authorization: Bearer …", nil)
	}
	t, err := j.verifier.Verify(r.Context(), token)
	if err != nil {
		var expired *oidc.TokenExpiredError
		if errors.As(err, &expired) {
			return destination.Principal{}, unauthenticated("the token expired at "+expired.Expiry.UTC().Format(time.RFC3339)+"; sign in again", nil)
		}
		return destination.Principal{}, unauthenticated("the token is not one that this server trusts; sign in again, and see the server's log if that does not help", err)
	}
	if t.Subject == "" {
		return destination.Principal{}, unauthenticated("the token has no subject (sub), so it says not who you are; ask whoever runs the identity provider", nil)
	}
	var payload json.RawMessage
	if err := t.Claims(&payload); err != nil {
		return destination.Principal{}, unauthenticated("the token's claims cannot be read", err)
	}
	p := destination.Principal{ID: t.Subject}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber() // a float would make one number of two large ones
	if err := d.Decode(&p.Claims); err != nil {
		return destination.Principal{}, unauthenticated("the token's claims cannot be read", err)
	}
	return p, nil
}

func (j *JWT) token(r *http.Request) string {
	if h := r.Header.Get("Authorization"); h != "" {
		scheme, token, _ := strings.Cut(h, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return ""
		}
		return strings.TrimSpace(token)
	}
	if j.cookie != "" {
		if c, err := r.Cookie(j.cookie); err == nil {
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
		if err := json.Unmarshal(data, &set); err != nil {
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
