package sts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/chunksign/chunksign/server/destination"
)

// wire answers requests in place of an STS.
type wire func(*http.Request) (*http.Response, error)

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) { return w(r) }

func faked(w wire, now func() time.Time) (*Issuer, *destination.Store) {
	s := &destination.Store{Name: "s", Region: "us-east-1", Endpoint: "http://store.test", STS: destination.STS{RoleARN: "arn:aws:iam::123456789012:role/uploads", Endpoint: "http://sts.test"}}
	return New([]*destination.Store{s}, map[string]aws.CredentialsProvider{"s": credentials.NewStaticCredentialsProvider("AKIA", "secret", "")}, &http.Client{Transport: w}, now), s
}

func says(status int, code string) (*http.Response, error) {
	body := fmt.Sprintf(`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Code>%s</Code><Message>m</Message></Error></ErrorResponse>`, code)
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func TestWhatSTSRefuses(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		want   destination.Code
		wait   time.Duration
	}{
		{400, "PackedPolicyTooLarge", destination.PackedPolicyTooLarge, 0},
		{400, "Throttling", destination.StoreUnavailable, 5 * time.Second},
		{400, "ThrottlingException", destination.StoreUnavailable, 5 * time.Second},
		{400, "RequestLimitExceeded", destination.StoreUnavailable, 5 * time.Second},
		{429, "TooMany", destination.StoreUnavailable, 5 * time.Second},
		{500, "InternalFailure", destination.StoreUnavailable, 0},
		{403, "AccessDenied", destination.StoreRefused, 0},
		{400, "ValidationError", destination.StoreRefused, 0},
	} {
		i, s := faked(func(*http.Request) (*http.Response, error) { return says(c.status, c.code) }, time.Now)
		_, err := i.Issue(context.Background(), destination.SessionRequest{Store: s, Principal: "alice", Policy: policy, Duration: time.Hour})
		var e *destination.Error
		if !errors.As(err, &e) || e.Code != c.want || e.RetryAfter != c.wait {
			t.Errorf("%d %s: %v; want %s", c.status, c.code, err, c.want)
		}
	}
}

func TestNoMoreCallsWaitThanThat(t *testing.T) {
	arrived, release := make(chan struct{}, maxCalls), make(chan struct{})
	i, s := faked(func(*http.Request) (*http.Response, error) {
		arrived <- struct{}{}
		<-release
		return says(403, "AccessDenied")
	}, time.Now)
	ask := func(principal string) error {
		_, err := i.Issue(context.Background(), destination.SessionRequest{Store: s, Principal: principal, Policy: policy, Duration: time.Hour})
		return err
	}
	var wait sync.WaitGroup
	for n := range maxCalls {
		wait.Go(func() { ask(fmt.Sprint(n)) })
	}
	for range maxCalls {
		<-arrived
	}
	var e *destination.Error
	if err := ask("one more"); !errors.As(err, &e) || e.Code != destination.StoreUnavailable || e.RetryAfter != 5*time.Second || !strings.Contains(e.Detail, "too many wait") {
		t.Errorf("%v", err)
	}
	close(release)
	wait.Wait()
	if err := ask("afterwards"); !errors.As(err, &e) || e.Code != destination.StoreRefused {
		t.Errorf("with none waiting: %v", err)
	}
}

func TestReady(t *testing.T) {
	at := time.Now()
	i, _ := real(t, &at)
	if err := i.Ready(context.Background()); err != nil {
		t.Errorf("the embedded STS: %v", err)
	}
	for name, c := range map[string]struct {
		wire  wire
		ready bool
	}{
		"it does not know the question": {func(*http.Request) (*http.Response, error) { return says(400, "InvalidAction") }, true},
		"it refuses":                    {func(*http.Request) (*http.Response, error) { return says(403, "AccessDenied") }, true},
		"it does not know the server":   {func(*http.Request) (*http.Response, error) { return says(403, "InvalidClientTokenId") }, false},
		"it fails":                      {func(*http.Request) (*http.Response, error) { return says(503, "ServiceUnavailable") }, false},
		"it is away":                    {func(*http.Request) (*http.Response, error) { return nil, errors.New("no route to host") }, false},
	} {
		at := time.Now()
		asked, answer := 0, c.wire
		i, _ := faked(func(r *http.Request) (*http.Response, error) { asked++; return answer(r) }, func() time.Time { return at })
		err := i.Ready(context.Background())
		var e *destination.Error
		if (err == nil) != c.ready || err != nil && (!errors.As(err, &e) || e.Code != destination.StoreUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
		before := asked
		i.Ready(context.Background())
		if asked != before {
			t.Errorf("%s: it is asked again at once", name)
		}
		at = at.Add(readyFor)
		answer = func(*http.Request) (*http.Response, error) { return says(400, "InvalidAction") }
		if err := i.Ready(context.Background()); err != nil || asked == before {
			t.Errorf("%s: after a while: %v", name, err)
		}
	}
}
