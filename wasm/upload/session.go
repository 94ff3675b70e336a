package upload

import (
	"time"

	"github.com/chunksign/chunksign/wasm/sigv4"
)

// renewed takes key, token and signature over together.
func (u *Upload) renewed(s Session, serverTime time.Time) {
	u.session = s
	u.generation++
	u.skew = serverTime.Sub(u.now)
	u.signer = sigv4.New(s.Credentials, u.grant.Target.Region)
	// A server that hands out sessions near their end is not asked at every step.
	u.renewal = task{at: u.now.Add(30 * time.Second)}
}

// left is how long the session lasts.
func (u *Upload) left() time.Duration { return u.session.Expires.Sub(u.now.Add(u.skew)) }

// fresh says whether a request may be signed now. It asks for new credentials
// before the old ones end, once at a time.
func (u *Upload) fresh() bool {
	left := u.left()
	if left < renewBefore && u.due(&u.renewal) {
		u.emit(Renew{ID: u.start(&u.renewal, call{kind: callRenew}), Grant: u.grant.Token})
	}
	return left > minLeft
}

// patience is how long a call may be silent. A Complete puts the parts
// together before it answers, which takes S3 minutes for a large object.
func (c *call) patience() time.Duration {
	switch c.kind {
	case callHash:
		return 0 // the disk's own time
	case callPart:
		return 30 * time.Second
	case callComplete, callVerify:
		return 5 * time.Minute
	}
	return time.Minute
}

// cutStalled drops the calls that have been silent for too long.
func (u *Upload) cutStalled() {
	for i := len(u.calls) - 1; i >= 0 && u.phase != over; i-- {
		if i >= len(u.calls) {
			continue
		}
		c := u.calls[i]
		if p := c.patience(); p == 0 || u.now.Sub(c.heard) < p {
			continue
		}
		u.drop(i)
		if c.kind == callPart {
			u.queue.sending--
		}
		u.lost(c, &Error{Code: "stalled", Message: "no bytes moved for " + patienceText(c.patience()), Retryable: true})
	}
}

func patienceText(d time.Duration) string {
	switch d {
	case 30 * time.Second:
		return "30 seconds"
	case time.Minute:
		return "a minute"
	}
	return "5 minutes"
}

// setWake asks for a Tick when the next wait is over.
func (u *Upload) setWake() {
	var at time.Time
	sooner := func(t time.Time) {
		if t.After(u.now) && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if u.phase != over {
		for i := range u.calls {
			if p := u.calls[i].patience(); p > 0 {
				sooner(u.calls[i].heard.Add(p))
			}
		}
		if !u.held() {
			if u.step.call == 0 {
				sooner(u.step.at)
			}
			if u.renewal.call == 0 && u.left() < renewBefore {
				sooner(u.renewal.at)
			}
			for _, r := range u.queue.again {
				sooner(r.at)
			}
		}
	}
	// A Wake that comes too early does no harm; one for every byte sent would.
	if at.IsZero() || (u.wake.After(u.now) && !at.Before(u.wake)) {
		return
	}
	u.wake = at
	u.emit(Wake{At: at})
}

func (u *Upload) held() bool {
	return u.phase != aborting && (u.paused || u.offline || u.needsAuth)
}
