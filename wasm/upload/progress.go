package upload

import "time"

// reportEvery bounds how often progress is reported; a change of state is
// reported at once.
const reportEvery = 100 * time.Millisecond

// smoothing is the time constant of the speed's moving average.
const smoothing = 4 * time.Second

// meter counts bytes.
type meter struct {
	confirmed int64 // of parts that the store has
	parts     int
	moved     int64 // that went out, those sent again included
	counted   int64 // moved, when speed was last computed
	at        time.Time
	speed     float64 // bytes a second
	begun     time.Time
	due       bool // a Report was held back
}

func (u *Upload) state() State {
	switch {
	case u.phase == over:
		return u.shown // set by the Finish
	case u.cancelled && u.phase != verifying:
		return Cancelling
	case u.needsAuth:
		return NeedsAuth
	case u.paused:
		return Paused
	case u.offline:
		return OfflineNow
	}
	switch u.phase {
	case comparing:
		if u.seen != nil {
			return Finishing
		}
		return Preparing
	case asking:
		if u.step.call == 0 && u.step.tries == 0 {
			return Queued
		}
		return Preparing
	case sampling, listing:
		return Preparing
	case collecting, checking, completing, verifying, aborting:
		return Finishing
	}
	return Uploading
}

func (u *Upload) report() {
	s := u.state()
	if u.phase == over {
		u.reportEnd()
		return
	}
	m := &u.meter
	if m.due = s == u.shown && u.said == u.trouble.Code && u.now.Sub(m.at) < reportEvery; m.due {
		return
	}
	if s == Uploading {
		u.measure()
	} else {
		m.speed, m.begun, m.at, m.counted = 0, time.Time{}, u.now, m.moved
	}
	u.shown, u.said = s, u.trouble.Code
	u.emit(Report{Progress: u.progress(s)})
}

// reportEnd shows the end once, before its Finish.
func (u *Upload) reportEnd() {
	if len(u.out) == 0 {
		return
	}
	f, ok := u.out[len(u.out)-1].(Finish)
	if !ok {
		return
	}
	switch {
	case f.Err == nil:
		u.shown = Done
	case f.Err.Code == errCancelled.Code || f.Err.Code == errUnconfirmed:
		u.shown = Cancelled
	default:
		u.shown = Failed
	}
	// Nothing is tried again after the end.
	u.meter.speed, u.trouble, u.retryAt = 0, Error{}, time.Time{}
	u.out[len(u.out)-1] = Report{Progress: u.progress(u.shown)}
	u.emit(f)
}

// measure takes the bytes moved since the last look into the moving average.
func (u *Upload) measure() {
	m := &u.meter
	if m.begun.IsZero() {
		m.begun, m.at, m.counted = u.now, u.now, m.moved
		return
	}
	dt := u.now.Sub(m.at).Seconds()
	if dt <= 0 {
		return
	}
	rate := float64(m.moved-m.counted) / dt
	// Early on, the plain mean: the average must not start from nothing.
	weight := max(dt/(dt+smoothing.Seconds()), dt/u.now.Sub(m.begun).Seconds())
	m.speed += (rate - m.speed) * weight
	m.at, m.counted = u.now, m.moved
}

func (u *Upload) progress(s State) Progress {
	m := &u.meter
	p := Progress{
		State: s, Total: u.cfg.File.Size, Confirmed: m.confirmed, Sent: m.confirmed,
		Parts: len(u.queue.parts), PartsDone: m.parts, Speed: int64(m.speed), Left: -1,
		Hashing: u.queue.hashing, Sending: u.queue.sending, Waiting: len(u.queue.again),
		Trouble: u.trouble, RetryAt: u.retryAt,
	}
	for i := range u.calls {
		if u.calls[i].kind == callPart {
			p.Sent += u.calls[i].bytes
		}
	}
	if p.Sent > p.Total {
		p.Sent = p.Total
	}
	if p.Speed > 0 {
		p.Left = (p.Total - p.Sent + p.Speed - 1) / p.Speed
	}
	return p
}
