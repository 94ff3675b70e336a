package destination

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"
)

// counter is a Limiter that says what it is told to, and remembers what it was asked.
type counter struct {
	wait time.Duration
	err  error
	key  LimitKey
	rate Rate
}

func (c *counter) Take(_ context.Context, key LimitKey, rate Rate) (time.Duration, error) {
	c.key, c.rate = key, rate
	return c.wait, c.err
}

func TestLimits(t *testing.T) {
	ctx := context.Background()
	b, c := newBench(t, "{uuid}/{filename}"), &counter{}
	b.Limits = c
	u := b.granted(t)
	if c.rate != (Rate{}) {
		t.Errorf("without a rate %+v is counted", c.key)
	}
	b.d.Overwrite = true // so that an upload whose object is there may be renewed
	b.shelf.objects[u.Grant.Key] = &Object{Size: 10, Type: "image/png", ETag: "new"}
	calls := map[string]func() error{
		"grant": func() error { _, err := b.Grant(ctx, alice, "photos", cat); return err },
		"renew": func() error { _, err := b.Renew(ctx, alice, u.Token); return err },
		"read":  func() error { _, err := b.Download(ctx, alice, "photos", u.Token, ReadAs{}, 0); return err },
	}
	hourly, often := Rate{1, time.Hour}, Rate{30, time.Second}
	for what, call := range calls {
		*c, b.d.Rate = counter{}, often
		if err := call(); err != nil || c.key != (LimitKey{"photos", "alice", what}) || c.rate != often {
			t.Errorf("%s: %v, counted %+v at %+v", what, err, c.key, c.rate)
		}
		// An upload under way is renewed, however seldom new ones may begin.
		want := map[bool]Rate{true: hourly, false: {10, time.Minute}}[what == "grant"]
		if b.d.Rate = hourly; call() != nil || c.rate != want {
			t.Errorf("%s: counted at %+v; want %+v", what, c.rate, want)
		}
		before := b.issuer.last
		c.wait = 20 * time.Second
		var e *Error
		if err := call(); !errors.As(err, &e) || e.Code != TooManyRequests || e.RetryAfter != 20*time.Second {
			t.Errorf("%s, too often: %v; want %s", what, err, TooManyRequests)
		}
		c.wait, c.err = 0, errors.New("away")
		if err := call(); codeOf(err) != LimitUnavailable {
			t.Errorf("%s, nobody counts: %v; want %s", what, err, LimitUnavailable)
		}
		if !reflect.DeepEqual(b.issuer.last, before) {
			t.Errorf("%s: a session was asked for", what)
		}
	}
	*c = counter{wait: time.Hour}
	delete(b.shelf.objects, u.Grant.Key)
	if _, err := b.Complete(ctx, alice, u.Token, Reported{}); codeOf(err) != ObjectMissing {
		t.Errorf("completing is counted: %v", err)
	}
	b.shelf.away = true
	if _, err := b.Grant(ctx, alice, "photos", File{Name: "", Size: -1}); codeOf(err) != TooManyRequests {
		t.Errorf("what is wrong is not counted: %v", err)
	}
}

func TestWhoIsCounted(t *testing.T) {
	for address, want := range map[string]string{
		"10.1.2.3": "10.1.2.3", "::ffff:10.1.2.3": "10.1.2.3", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "2001:db8:1:2::1": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64", "@": "@",
	} {
		if got := (Principal{ID: "anonymous", Anonymous: true, Via: Request{Address: address}}).counted(); got != want {
			t.Errorf("%s is counted as %s; want %s", address, got, want)
		}
		if got := (Principal{ID: "alice", Via: Request{Address: address}}).counted(); got != "alice" {
			t.Errorf("alice is counted as %s", got)
		}
	}
}

func TestRates(t *testing.T) {
	for text, want := range map[string]Rate{
		"30/m": {30, time.Minute}, "1/s": {1, time.Second}, "5/h": {5, time.Hour}, "1000000/d": {1_000_000, 24 * time.Hour},
		"": {}, "30": {}, "/m": {}, "0/m": {}, "-1/m": {}, "+1/m": {}, "1.5/m": {}, "1/w": {}, "1/": {}, "1/m/s": {}, "1000001/d": {}, "1 /m": {}, "30/min": {},
	} {
		if got, err := ParseRate(text); got != want || (err == nil) != (want.Count > 0) {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
}
