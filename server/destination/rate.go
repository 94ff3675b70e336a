package destination

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Rate is how often something may happen: Count times within Per, all at once
// or spread. The zero Rate sets no limit.
type Rate struct {
	Count int
	Per   time.Duration
}

// maxCount is what a rate may count: what is more limits nothing.
const maxCount = 1_000_000

// ParseRate reads such as 30/m: a number for each s, m, h or d.
func ParseRate(s string) (Rate, error) {
	count, unit, _ := strings.Cut(s, "/")
	per := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[unit]
	n, err := strconv.Atoi(count)
	if err != nil || per == 0 || n < 1 || n > maxCount || strings.HasPrefix(count, "+") {
		return Rate{}, fmt.Errorf("%q is not a rate; write a number from 1 to %d for each s, m, h or d, such as 30/m", s, maxCount)
	}
	return Rate{n, per}, nil
}

// LimitKey is who is counted, and for what.
type LimitKey struct {
	Destination string
	Who         string // a principal's ID, or the network of one without a name
	What        string // grant, renew or read
}

// Limiter counts.
type Limiter interface {
	// Take counts one more and answers 0 where the rate allows that, or else how
	// long to wait until it would; then it has not counted. What it forgets it
	// forgets in favour of who is counted. It is safe for concurrent use. An
	// error means that it cannot tell.
	Take(ctx context.Context, key LimitKey, rate Rate) (time.Duration, error)
}

// What a Limiter counts.
const (
	limitGrant = "grant"
	limitRenew = "renew"
	limitRead  = "read"
)

// leastRate is what renewals and links may always have: an upload under way
// needs a few, however seldom new ones may begin.
var leastRate = Rate{10, time.Minute}

// limit answers an *Error with TooManyRequests where somebody asks a destination
// more often than it allows.
func (s *Service) limit(ctx context.Context, d *Destination, p Principal, what string) error {
	rate := d.Rate
	if rate == (Rate{}) {
		return nil
	}
	if what != limitGrant && rate.perDay() < leastRate.perDay() {
		rate = leastRate
	}
	wait, err := s.Limits.Take(ctx, LimitKey{d.Name, p.counted(), what}, rate)
	switch {
	case err != nil:
		return &Error{Code: LimitUnavailable, Detail: "the server cannot count requests now; try again", Err: err}
	case wait > 0:
		e := refuse(TooManyRequests, "", fmt.Sprintf("this destination takes %d such requests each %s from one principal; wait, and ask again", rate.Count, unitText(rate.Per)))
		e.RetryAfter = wait
		return e
	}
	return nil
}

func (r Rate) perDay() float64 { return float64(r.Count) * float64(24*time.Hour) / float64(r.Per) }

func unitText(per time.Duration) string {
	switch per {
	case time.Second:
		return "second"
	case time.Minute:
		return "minute"
	case time.Hour:
		return "hour"
	}
	return "day"
}

// counted is under which name a principal is counted. Who has none is counted
// by address; of IPv6 by its first 64 bits, which one household or machine has
// for itself (RFC 6177).
func (p Principal) counted() string {
	if !p.Anonymous {
		return p.ID
	}
	a, err := netip.ParseAddr(p.Via.Address)
	if err != nil {
		return p.Via.Address
	}
	a = a.Unmap().WithZone("")
	if a.Is6() {
		network, _ := a.Prefix(64)
		return network.String()
	}
	return a.String()
}
