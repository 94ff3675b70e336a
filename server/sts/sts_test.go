package sts

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/devstore"
)

const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::media/x"}]}`

// real starts the embedded store's STS, and answers an Issuer for it whose clock is at.
func real(t *testing.T, at *time.Time) (*Issuer, *destination.Store) {
	t.Helper()
	embedded, err := devstore.Start(context.Background(), devstore.Config{Dir: t.TempDir(), Secret: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { embedded.Close() })
	s := &destination.Store{Name: "s", Region: embedded.Region(), Endpoint: embedded.Endpoint(), STS: destination.STS{RoleARN: embedded.RoleARN(), Endpoint: embedded.STSEndpoint()}}
	own := embedded.Credentials()
	return New([]*destination.Store{s}, map[string]aws.CredentialsProvider{
		"s": credentials.NewStaticCredentialsProvider(own.AccessKeyID, own.SecretAccessKey, ""),
	}, nil, func() time.Time { return *at }), s
}

func TestSessions(t *testing.T) {
	at := time.Now()
	i, s := real(t, &at)
	ctx := context.Background()
	issue := func(change func(*destination.SessionRequest)) destination.Session {
		t.Helper()
		r := destination.SessionRequest{Store: s, Principal: "alice", Policy: policy, Duration: time.Hour, Shared: true}
		change(&r)
		session, err := i.Issue(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		if left := session.Expires.Sub(at); left < r.Duration/2 || session.SessionToken == "" || session.SecretAccessKey == "" {
			t.Errorf("%v with %v left", session, left)
		}
		return session
	}
	same := func(*destination.SessionRequest) {}
	first := issue(same)
	if again := issue(same); again != first {
		t.Error("the second asking got another session")
	}
	for name, change := range map[string]func(*destination.SessionRequest){
		"another principal": func(r *destination.SessionRequest) { r.Principal = "bob" },
		"another policy":    func(r *destination.SessionRequest) { r.Policy = strings.Replace(policy, "media/x", "media/y", 1) },
		"another duration":  func(r *destination.SessionRequest) { r.Duration = 2 * time.Hour },
		"not shared":        func(r *destination.SessionRequest) { r.Shared = false },
	} {
		if issue(change) == first {
			t.Errorf("%s: the same session", name)
		}
	}
	// What the store has refused is handed out no more.
	carol := func(r *destination.SessionRequest) { r.Principal = "carol" }
	before := issue(carol)
	anew := issue(func(r *destination.SessionRequest) { carol(r); r.Anew = true })
	if anew == before || issue(carol) != anew {
		t.Error("a session that the store has refused is handed out again")
	}
	at = at.Add(29 * time.Minute)
	if issue(same) != first {
		t.Error("renewed before half of its duration was over")
	}
	at = at.Add(2 * time.Minute)
	if session, err := i.Issue(ctx, destination.SessionRequest{Store: s, Principal: "alice", Policy: policy, Duration: time.Hour, Shared: true}); err != nil || session == first {
		t.Errorf("not renewed after half of its duration: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	at := time.Now()
	i, s := real(t, &at)
	wrongRole := *s
	wrongRole.STS.RoleARN = "arn:aws:iam::000000000000:role/someone-elses"
	for name, c := range map[string]struct {
		r    destination.SessionRequest
		code destination.Code
	}{
		"another role":    {destination.SessionRequest{Store: &wrongRole, Principal: "alice", Policy: policy, Duration: time.Hour}, destination.StoreRefused},
		"a broken policy": {destination.SessionRequest{Store: s, Principal: "alice", Policy: "{", Duration: time.Hour}, destination.StoreRefused},
	} {
		for _, shared := range []bool{false, true} {
			c.r.Shared = shared
			_, err := i.Issue(context.Background(), c.r)
			var e *destination.Error
			if !errors.As(err, &e) || e.Code != c.code || strings.Contains(e.Detail, "someone-elses") {
				t.Errorf("%s: %v; want %s", name, err, c.code)
			}
		}
	}
}

func TestOneFetchForManyAskers(t *testing.T) {
	c := cache{now: time.Now}
	key := cacheKey{principal: "alice", duration: time.Hour}
	var mu sync.Mutex
	fetches := 0
	release := make(chan struct{})
	fetch := func(context.Context) (destination.Session, error) {
		mu.Lock()
		fetches++
		mu.Unlock()
		<-release
		return destination.Session{AccessKeyID: "ASIA", Expires: time.Now().Add(time.Hour)}, nil
	}
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() {
			if s, err := c.get(context.Background(), key, fetch); err != nil || s.AccessKeyID != "ASIA" {
				t.Errorf("%v, %v", s, err)
			}
		})
	}
	gone, leave := context.WithCancel(context.Background())
	leave()
	if _, err := c.get(gone, key, fetch); err == nil {
		t.Error("who has gone waits on")
	}
	close(release)
	wait.Wait()
	if fetches != 1 {
		t.Errorf("%d fetches; want 1", fetches)
	}
}

func TestFailuresAreNotKept(t *testing.T) {
	c := cache{now: time.Now}
	key := cacheKey{principal: "alice", duration: time.Hour}
	failing := errors.New("away")
	if _, err := c.get(context.Background(), key, func(context.Context) (destination.Session, error) { return destination.Session{}, failing }); err != failing {
		t.Errorf("%v", err)
	}
	if _, err := c.get(context.Background(), key, func(context.Context) (destination.Session, error) {
		return destination.Session{Expires: time.Now().Add(time.Hour)}, nil
	}); err != nil {
		t.Errorf("the failure was kept: %v", err)
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	c := cache{now: time.Now}
	for n := range maxEntries + 100 {
		c.get(context.Background(), cacheKey{policy: string(rune(n)) + "x", store: time.Duration(n).String(), duration: time.Hour}, func(context.Context) (destination.Session, error) {
			return destination.Session{Expires: time.Now().Add(time.Hour)}, nil
		})
	}
	if len(c.entries) > maxEntries {
		t.Errorf("%d entries", len(c.entries))
	}
}

func TestSessionNames(t *testing.T) {
	valid := regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	seen := map[string]string{}
	for _, id := range []string{"alice", "a", "", "auth0|1", "auth0/1", "auth0-1", "名前", "ünï", strings.Repeat("x", 64), strings.Repeat("x", 65), strings.Repeat("x", 66), "a b", "a\nb", "mary@example.com"} {
		name := SessionName(id)
		if other, twice := seen[name]; twice || !valid.MatchString(name) {
			t.Errorf("%q becomes %q, as %q does", id, name, other)
		}
		seen[name] = id
	}
	if SessionName("mary@example.com") != "mary@example.com" {
		t.Error("a good name is changed")
	}
}
