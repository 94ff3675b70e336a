package auth

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/chunksign/chunksign/server/redact"
	"github.com/chunksign/chunksign/server/strictjson"
)

// How long an identity provider's keys count, and how often it is asked.
const (
	// refreshAfter lets a key that the provider has withdrawn end.
	refreshAfter = 15 * time.Minute
	// keysLast is how long keys stay good while the provider cannot be reached.
	keysLast = time.Hour
	// askAgain bounds the questions that tokens with made-up keys can cause.
	askAgain = 10 * time.Second
	// maxReply is what a provider's reply may hold, in bytes.
	maxReply = 1 << 20
)

var (
	errKeysAway  = errors.New("the identity provider's keys cannot be fetched")
	errSignature = errors.New("no key of the identity provider made the token's signature")
)

// keySet is an identity provider's keys: given ones, or those that fetch
// answers. It asks when it has none, when a token was made with none of those
// it has (the provider has a new one), and when they have grown old.
type keySet struct {
	fetch func(context.Context) ([]jose.JSONWebKey, error) // nil where the keys are given
	now   func() time.Time

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	fetched time.Time // when keys were, last
	asked   time.Time // when they were to be, last
	err     error     // what came of that
	flight  chan struct{}
}

func staticKeys(keys []crypto.PublicKey) *keySet {
	s := &keySet{}
	for _, k := range keys {
		s.keys = append(s.keys, jose.JSONWebKey{Key: k})
	}
	return s
}

// verify gives the payload of a token that one of the keys has signed. Errors
// are errSignature and, wrapped, errKeysAway.
func (s *keySet) verify(ctx context.Context, token *jose.JSONWebSignature) ([]byte, error) {
	if s.fetch == nil {
		return verifyWith(s.keys, token)
	}
	s.mu.Lock()
	keys, age := s.keys, s.now().Sub(s.fetched)
	s.mu.Unlock()
	if age < refreshAfter {
		if payload, err := verifyWith(keys, token); err == nil {
			return payload, nil
		}
	}
	keys, age, err := s.refresh(ctx)
	if err != nil && age >= keysLast {
		return nil, err
	}
	payload, wrong := verifyWith(keys, token)
	if wrong != nil && err != nil {
		return nil, err // it may be of a key that could not be fetched
	}
	return payload, wrong
}

// verifyWith tries the keys that the token may be of (OpenID Connect Core 1.0,
// section 10.1).
func verifyWith(keys []jose.JSONWebKey, token *jose.JSONWebSignature) ([]byte, error) {
	header := token.Signatures[0].Protected
	for _, k := range keys {
		if header.KeyID != "" && k.KeyID != "" && k.KeyID != header.KeyID || k.Algorithm != "" && k.Algorithm != header.Algorithm {
			continue
		}
		if payload, err := token.Verify(k.Key); err == nil {
			return payload, nil
		}
	}
	return nil, errSignature
}

// refresh fetches the keys, together with all that ask meanwhile and at most
// once in askAgain, and gives what there is then, and its age.
func (s *keySet) refresh(ctx context.Context) ([]jose.JSONWebKey, time.Duration, error) {
	s.mu.Lock()
	if s.flight == nil && s.now().Sub(s.asked) >= askAgain {
		s.flight, s.asked = make(chan struct{}), s.now()
		// Others wait for this too: it must not end with the first one's request.
		go s.fill(context.WithoutCancel(ctx), s.flight)
	}
	flight := s.flight
	s.mu.Unlock()
	if flight != nil {
		select {
		case <-flight:
		case <-ctx.Done():
			return nil, keysLast, fmt.Errorf("%w: %w", errKeysAway, ctx.Err())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys, s.now().Sub(s.fetched), s.err
}

func (s *keySet) fill(ctx context.Context, flight chan struct{}) {
	keys, err := s.fetch(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = nil
	if err != nil {
		s.err = fmt.Errorf("%w: %w", errKeysAway, err)
	} else {
		s.keys, s.fetched = keys, s.now()
	}
	s.flight = nil
	close(flight)
}

// fetchKeys gets a JSON Web Key Set (RFC 7517, section 5), of which only public
// keys for signatures count.
func fetchKeys(ctx context.Context, client *http.Client, address string) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := getJSON(ctx, client, address, &set); err != nil {
		return nil, err
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		// One of a kind that is not known here does not spoil the others.
		if k.UnmarshalJSON(raw) == nil && k.Valid() && k.IsPublic() && k.Use != "enc" {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s has no public key for signatures", redact.URL(address))
	}
	return keys, nil
}

// discover finds where an issuer publishes its keys (OpenID Connect Discovery
// 1.0, section 4).
func discover(ctx context.Context, client *http.Client, issuer string) (string, error) {
	var found struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	address := strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
	if err := getJSON(ctx, client, address, &found); err != nil {
		return "", err
	}
	// Or it could speak for another issuer's tokens (section 4.3).
	if found.Issuer != issuer {
		return "", fmt.Errorf("%s names the issuer %q; write auth.oidc.issuer exactly so", address, found.Issuer)
	}
	u, err := url.Parse(found.JWKSURI)
	if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
		return "", fmt.Errorf("%s names the jwks_uri %q, which is not https", address, found.JWKSURI)
	}
	return found.JWKSURI, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// getJSON reads a reply of status 200. Its errors quote neither the reply nor
// more of the address than its host.
func getJSON(ctx context.Context, client *http.Client, address string, into any) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return redact.Error(err)
	}
	q.Header.Set("Accept", "application/json")
	answer, err := client.Do(q)
	if err != nil {
		return redact.Error(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", redact.URL(address), answer.Status)
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxReply))
	if err == nil {
		err = strictjson.Unmarshal(data, into)
	}
	if err != nil {
		return fmt.Errorf("%s answers no JSON that can be read", redact.URL(address))
	}
	return nil
}

// NewClient makes the client by which identity providers and applications are
// asked. It follows no redirect: that would let one speak for another.
func NewClient() *http.Client {
	return &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
