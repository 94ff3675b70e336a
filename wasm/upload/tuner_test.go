package upload

import (
	"testing"
	"time"
)

// tuned is what a tuner comes to where n lanes carry line(n) bytes a second.
func tuned(line func(n int) int64, most int, seconds int) int {
	t, now := newTuner(most), epoch
	for range seconds * 10 {
		n := t.tune(now, true)
		t.moved += line(n) / 10
		now = now.Add(time.Second / 10)
	}
	return t.lanes
}

func TestLanesFollowGoodput(t *testing.T) {
	for _, c := range []struct {
		name string
		line func(int) int64
		most int
		want func(int) bool
	}{
		{"each lane carries as much", func(n int) int64 { return int64(n) << 20 }, 6, func(n int) bool { return n == 6 }},
		{"four fill the line", func(n int) int64 { return int64(min(n, 4)) << 20 }, 6, func(n int) bool { return n == 4 }},
		{"the user wants two", func(n int) int64 { return int64(n) << 20 }, 2, func(n int) bool { return n == 2 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if n := tuned(c.line, c.most, 25); !c.want(n) {
				t.Errorf("%d lanes", n)
			}
		})
	}
}

func TestSlowDownTakesLanesAwayAndTheyComeBack(t *testing.T) {
	tu := newTuner(6)
	for range 5 {
		tu.slower(epoch) // five replies of one moment
	}
	if tu.lanes != startLanes-1 {
		t.Fatalf("%d lanes", tu.lanes)
	}
	now := epoch
	for range 600 {
		tu.moved += int64(tu.tune(now, true)) << 17
		now = now.Add(time.Second / 10)
	}
	if tu.lanes != 6 {
		t.Errorf("%d lanes a minute later", tu.lanes)
	}
}

// The bytes of all uploads stay under the rate, in the mean.
func TestRate(t *testing.T) {
	p := NewPool(4)
	p.SetRate(1 << 20)
	for range 2 {
		p.Add(New(Config{File: File{Size: 40 << 20}, PartSize: 5 << 20}))
	}
	now, sent, wakes := epoch, int64(0), map[uint32]time.Time{}
	var do func(id uint32, ev Event)
	do = func(id uint32, ev Event) {
		var answers []func()
		for _, c := range append([]Addressed(nil), p.Step(now, id, ev)...) {
			switch k := c.Command.(type) {
			case Ask:
				answers = append(answers, func() {
					do(c.Upload, Granted{ID: k.ID, Grant: Grant{Target: target()}, Session: Session{Expires: now.Add(time.Hour)}, ServerTime: now})
				})
			case Sample:
				answers = append(answers, func() { do(c.Upload, Sampled{ID: k.ID}) })
			case Hash:
				answers = append(answers, func() { do(c.Upload, Hashed{ID: k.ID, Digest: digest(k.Offset)}) })
			case Send:
				sent += k.Size
				if max := int64(now.Sub(epoch).Seconds()*(1<<20)) + 2*(5<<20); sent > max {
					t.Fatalf("%d bytes after %v", sent, now.Sub(epoch))
				}
				answers = append(answers, func() {
					do(c.Upload, Replied{ID: k.ID, Reply: reply(k)})
				})
			case Verify:
				answers = append(answers, func() { do(c.Upload, Verified{ID: k.ID}) })
			case Wake:
				wakes[c.Upload] = k.At
			}
		}
		for _, a := range answers {
			a()
		}
	}
	do(0, Tick{})
	for len(p.uploads) > 0 {
		var next uint32
		for id, at := range wakes {
			if next == 0 || at.Before(wakes[next]) {
				next = id
			}
		}
		if now = wakes[next]; next == 0 {
			t.Fatal("nothing wakes the pool")
		}
		delete(wakes, next)
		do(next, Tick{})
	}
	if took := now.Sub(epoch); took < 70*time.Second || took > 80*time.Second {
		t.Errorf("80 MiB took %v", took)
	}
}
