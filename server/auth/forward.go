package auth

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/redact"
)

// ForwardConfig says which application is asked.
type ForwardConfig struct {
	URL    string
	Cookie string       // the one cookie that is sent on, "" for all
	User   string       // the claim with the principal's ID
	Client *http.Client // it should follow no redirect: to a sign-in page leads none
	Now    func() time.Time
}

// Forward asks the application that pages belong to who is asking: it sends
// the request's Cookie and Authorization to a URL of the application, whose
// reply (2xx, a JSON object) is the principal's claims.
type Forward struct {
	ForwardConfig
	mu      sync.Mutex
	answers map[[sha256.Size]byte]*answer
}

// answer is what the application said, or is about to: then ready is open.
type answer struct {
	ready chan struct{}
	until time.Time
	p     destination.Principal
	err   error
}

const (
	// believed is how long an answer stands: who signs out is out after that.
	believed = 30 * time.Second
	// forwardTimeout bounds one question to the application.
	forwardTimeout = 5 * time.Second
	// maxAnswers bounds memory: about 1 KB each with claims.
	maxAnswers = 10_000
	// maxClaims is what the application's reply may hold, in bytes.
	maxClaims = 64 << 10
)

// NewForward makes a Forward.
func NewForward(c ForwardConfig) *Forward {
	return &Forward{ForwardConfig: c, answers: map[[sha256.Size]byte]*answer{}}
}

// Authenticate implements destination.Authenticator.
func (f *Forward) Authenticate(r *http.Request) (destination.Principal, error) {
	q, err := http.NewRequest(http.MethodGet, f.URL, nil)
	if err != nil {
		return destination.Principal{}, err
	}
	if f.Cookie == "" {
		for _, c := range r.Header.Values("Cookie") {
			q.Header.Add("Cookie", c)
		}
	} else {
		for _, c := range r.CookiesNamed(f.Cookie) {
			q.AddCookie(c)
		}
	}
	if a := r.Header.Get("Authorization"); a != "" {
		q.Header.Set("Authorization", a)
	}
	if len(q.Header) == 0 {
		return destination.Principal{}, unauthenticated("the request has nothing that says who you are; sign in to the application, and send its cookie", nil)
	}
	key := digest(q.Header)
	q.Header.Set("Accept", "application/json")

	a := f.answer(key, q)
	select {
	case <-a.ready:
		return a.p, a.err
	case <-r.Context().Done():
		return destination.Principal{}, unavailable("the application did not say in time who you are; try again", r.Context().Err())
	}
}

// digest stands for what a request signs in with; the secrets themselves are
// not kept.
func digest(h http.Header) (sum [sha256.Size]byte) {
	d := sha256.New()
	for _, name := range []string{"Cookie", "Authorization"} {
		fmt.Fprintf(d, "%q\n", h.Values(name))
	}
	d.Sum(sum[:0])
	return sum
}

// answer finds what the application says, or begins to ask it: once for all
// that come with the same cookie meanwhile.
func (f *Forward) answer(key [sha256.Size]byte, q *http.Request) *answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.answers[key]
	if a == nil || a.over(f.Now()) {
		f.sweep()
		a = &answer{ready: make(chan struct{})}
		f.answers[key] = a
		go f.fill(key, a, q)
	}
	return a
}

func (a *answer) over(now time.Time) bool {
	select {
	case <-a.ready:
		return !now.Before(a.until)
	default:
		return false
	}
}

func (f *Forward) fill(key [sha256.Size]byte, a *answer, q *http.Request) {
	// Others wait for this too: it must not end with the first one's request.
	ctx, cancel := context.WithTimeout(context.Background(), forwardTimeout)
	defer cancel()
	a.p, a.err = f.ask(q.WithContext(ctx))
	f.mu.Lock()
	defer f.mu.Unlock()
	a.until = f.Now().Add(believed)
	if a.err != nil && f.answers[key] == a {
		delete(f.answers, key) // who signs in now is in now
	}
	close(a.ready)
}

// sweep makes room: what is over goes, and any others while there are too many.
func (f *Forward) sweep() {
	if len(f.answers) < maxAnswers {
		return
	}
	now := f.Now()
	for key, a := range f.answers {
		if a.over(now) {
			delete(f.answers, key)
		}
	}
	for key := range f.answers {
		if len(f.answers) < maxAnswers*3/4 {
			break
		}
		delete(f.answers, key)
	}
}

func (f *Forward) ask(q *http.Request) (destination.Principal, error) {
	const signIn = "the application does not know you; sign in there"
	const broken = "the application cannot say who you are; try again, and see the server's log if that does not help"
	host := redact.URL(f.URL) // the rest may hold a token
	reply, err := f.Client.Do(q)
	if err != nil {
		return destination.Principal{}, unavailable("the application does not answer who you are; try again", redact.Error(err))
	}
	defer reply.Body.Close()
	switch status := reply.StatusCode; {
	case status == http.StatusUnauthorized || status == http.StatusForbidden || status >= 300 && status < 400:
		return destination.Principal{}, unauthenticated(signIn, nil)
	case status < 200 || status > 299:
		return destination.Principal{}, unavailable(broken, fmt.Errorf("%s answers %s", host, reply.Status))
	}
	data, err := io.ReadAll(io.LimitReader(reply.Body, maxClaims+1))
	if err != nil {
		return destination.Principal{}, unavailable(broken, err)
	}
	if len(data) > maxClaims {
		return destination.Principal{}, unavailable(broken, fmt.Errorf("%s answers more than %d bytes", host, maxClaims))
	}
	claims, err := parseClaims(data, f.User)
	if err != nil {
		return destination.Principal{}, unavailable(broken, fmt.Errorf("%s answers claims, but %w", host, err))
	}
	id := ""
	switch v := claims[f.User].(type) {
	case nil: // nobody is signed in
	case string:
		id = v
	case json.Number:
		id = v.String()
	default:
		return destination.Principal{}, unavailable(broken, errors.New(host+" answers a "+f.User+" that is neither text nor number"))
	}
	if id == "" {
		return destination.Principal{}, unauthenticated(signIn, nil)
	}
	return destination.Principal{ID: id, Claims: claims}, nil
}
