package drive

import "time"

// partedBy is how far wall and monotonic clock may part before it is a jump:
// above what time services slew in the time between two events.
const partedBy = 2 * time.Second

// clock gives the engine a time that never goes back: that of the start, and what
// has passed since then on the monotonic clock. On Linux that one stands still
// while the machine sleeps, on others it does not; either way a jump is told.
type clock struct {
	start time.Time     // with its monotonic reading
	wall  time.Time     // start, without
	lead  time.Duration // how far the wall clock was ahead when last told
}

func newClock(now time.Time) clock { return clock{start: now, wall: now.Round(0)} }

// read takes what time.Now gave. A jump is told once.
func (c *clock) read(t time.Time) (now time.Time, jumped bool) {
	now, lead := c.at(t.Sub(c.start), t.Round(0))
	return now, c.jumped(lead)
}

// until is how long it is from t to a time that at gave.
func (c *clock) until(at, t time.Time) time.Duration {
	now, _ := c.at(t.Sub(c.start), t.Round(0))
	return at.Sub(now)
}

func (c *clock) jumped(lead time.Duration) bool {
	d := lead - c.lead
	if d <= partedBy && d >= -partedBy {
		return false
	}
	c.lead = lead
	return true
}

// at is the time after so long on the monotonic clock, and how far ahead of it wall is.
func (c *clock) at(elapsed time.Duration, wall time.Time) (now time.Time, lead time.Duration) {
	now = c.wall.Add(elapsed)
	return now, wall.Sub(now)
}
