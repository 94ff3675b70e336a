package upload

import "time"

const (
	startLanes = 4
	window     = 2 * time.Second  // over which goodput is measured
	rest       = 30 * time.Second // after a step that did not pay, or a store that asked for less
)

// tuner finds how many lanes carry the most: one more while that pays, one
// fewer when the store says SlowDown or a request stands still.
type tuner struct {
	most  int
	lanes int

	moved  int64     // bytes, since at
	at     time.Time // when the window began; zero: with the next look
	before float64   // goodput before the last step up, 0 where there was none
	until  time.Time // no step up before
	cut    time.Time // the last step down
}

func newTuner(most int) tuner {
	most = max(1, most)
	return tuner{most: most, lanes: min(most, startLanes)}
}

// slower takes a lane away, once for what comes together.
func (t *tuner) slower(now time.Time) {
	if !t.cut.IsZero() && now.Sub(t.cut) < window {
		return
	}
	t.cut, t.until = now, now.Add(rest)
	t.lanes = max(1, t.lanes-1)
	t.at, t.before = time.Time{}, 0
}

// tune gives the number of lanes to share now. full says that all of the last
// were in use: only then does the goodput say something about their number.
func (t *tuner) tune(now time.Time, full bool) int {
	if !full || t.at.IsZero() {
		t.at, t.moved = now, 0
		return t.lanes
	}
	passed := now.Sub(t.at)
	if passed < window {
		return t.lanes
	}
	goodput := float64(t.moved) / passed.Seconds()
	t.at, t.moved = now, 0
	switch {
	case t.before > 0 && goodput < t.before*1.03:
		t.lanes = max(1, t.lanes-1) // the last step did not pay
		t.before, t.until = 0, now.Add(rest)
	case t.lanes < t.most && !now.Before(t.until):
		t.before = goodput
		t.lanes++
	default:
		t.before = 0
	}
	return t.lanes
}
