package upload

import (
	"strconv"
	"time"

	"github.com/chunksign/chunksign/wasm/sigv4"
)

// renewed takes key, token and signature over together. The reply took so long
// that serverTime may be as old.
func (u *Upload) renewed(s Session, serverTime time.Time, took time.Duration) {
	if u.grant.Presigned { // there is no session: the server takes the grant
		u.generation++
		u.renewal = task{}
		u.asksAnew = false
		u.succeeded()
		return
	}
	u.session = s
	u.session.Expires = s.Expires.Add(-took)
	u.generation++
	if !u.storeTime {
		u.skew = serverTime.Sub(u.now)
	}
	// A session that has ended when it is handed out is one of a server whose
	// clock is not that of the STS. The store decides, and tells its own time.
	u.blind = s.Expires.Sub(serverTime) <= minLeft && !u.storeTime
	u.signer = sigv4.New(s.Credentials, u.grant.Target.Region)
	// A server that hands out sessions near their end is not asked at every step.
	u.renewal = task{at: u.now.Add(30 * time.Second)}
	if u.old = !u.old && took > time.Minute; u.old {
		// A reply that lay in a page that stood still says neither what time it is
		// nor how long the session lasts: once more.
		u.session.Expires, u.renewal.at = time.Time{}, u.now
	}
	u.asksAnew = false
	u.succeeded()
}

// jumped: what was known of the server's clock no longer holds, and the session
// may have ended meanwhile. A renewal tells both. What was silent may have slept.
func (u *Upload) jumped() {
	u.storeTime = false
	if u.generation > 0 && u.phase > comparing { // before, a grant is still to come
		u.renewNow()
		if !u.held() {
			u.fresh()
		}
	}
	for i := range u.calls {
		u.calls[i].heard = u.now
	}
}

// renewNow gives the session up, or what the server has signed: nothing is sent
// by it any more, and nothing before the next has come.
func (u *Upload) renewNow() {
	u.session.Expires, u.blind = time.Time{}, false
	u.renewal.at = u.now
	if u.grant.Presigned {
		u.generation++
	}
}

// left is how long the session lasts.
func (u *Upload) left() time.Duration { return u.session.Expires.Sub(u.now.Add(u.skew)) }

// fresh says whether a request may be signed now. It asks for new credentials
// before the old ones end, once at a time.
//
//go:noinline
func (u *Upload) fresh() bool {
	if u.grant.Presigned && u.generation > 0 {
		return true // the server has what signs
	}
	left := u.left()
	if left < renewBefore && u.due(&u.renewal) {
		u.emit(Renew{ID: u.start(&u.renewal, call{kind: callRenew}), Grant: u.grant.Token})
	}
	return left > minLeft || u.blind
}

// thaw notices that the wake comes much too late: the page stood still, and time
// in which it could do nothing counts neither as silence nor as failing. What came
// meanwhile waits to be heard, so that nothing is cut in this step, unless nothing
// was in the one before: timers of a page in the background are always late.
func (u *Upload) thaw() bool {
	late := u.now.Sub(u.wake)
	if u.wake.IsZero() || late < frozen {
		u.thawed = false
		return false
	}
	u.wake = u.now
	if !u.failing.IsZero() {
		u.failing = u.failing.Add(late)
	}
	for i := range u.calls {
		u.calls[i].heard = u.calls[i].heard.Add(late)
	}
	u.thawed = !u.thawed
	return u.thawed
}

// patience is how long a call may be silent. A Complete puts the parts
// together before it answers, which takes S3 minutes for a large object; a disk
// may have to start, and is then read at a mebibyte a second at least.
func (u *Upload) patience(c *call) time.Duration {
	switch c.kind {
	case callHash:
		_, size := u.plan.Range(c.part)
		return time.Minute + time.Duration(size>>20)*time.Second
	case callPart:
		if u.cancelled {
			return time.Minute // its bytes have left: the store is awaited
		}
		if u.cfg.Stall > 0 {
			return u.cfg.Stall
		}
		return defaultStall
	case callComplete:
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
		p := u.patience(&c)
		if u.now.Sub(c.heard) < p {
			continue
		}
		u.drop(i)
		what := "no bytes moved"
		switch c.kind {
		case callPart:
			u.queue.sending--
			u.slow = true
		case callHash:
			u.queue.hashing--
			what = "the file could not be read"
		}
		u.lost(c, &Error{Code: "stalled", Message: what + " for " + seconds(p), Retryable: true})
	}
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d/time.Second)) + " seconds" }

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
			at := u.calls[i].heard.Add(u.patience(&u.calls[i]))
			if !at.After(u.now) { // it has got another moment
				at = u.now.Add(time.Second)
			}
			sooner(at)
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
			if len(u.queue.ready) > 0 && u.queue.sending < u.lanes {
				sooner(u.gate.opens())
			}
		}
	}
	if u.phase != over && u.meter.due {
		sooner(u.meter.at.Add(reportEvery))
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
