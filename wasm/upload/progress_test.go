package upload

import (
	"testing"
	"time"

	"github.com/chunksign/chunksign/wasm/plan"
)

// Bytes that left and bytes that the store has are told apart, ten times a second at the
// most, with the parts' states, the speed, and the time left at that speed.
func TestProgress(t *testing.T) {
	const part, rate = plan.MinPartSize, 1 << 20 // bytes a second, of each of two parts
	r := newRig(t, 4*part)
	r.step(Lanes{N: 2})
	r.grant()
	r.created()
	r.hash()
	r.hash()
	first, second := take(r, has("partNumber=1")), take(r, has("partNumber=2"))

	reports, last := 0, r.latest
	const step, steps = 10 * time.Millisecond, 400
	for i := 1; i <= steps; i++ {
		r.now = r.now.Add(step)
		sent := int64(i) * rate * int64(step) / int64(time.Second)
		r.step(Sent{ID: first.ID, Bytes: sent})
		r.step(Sent{ID: second.ID, Bytes: sent})
		if r.latest != last {
			reports, last = reports+1, r.latest
		}
	}
	if most := int(step*steps/reportEvery) + 1; reports > most || reports < most/2 {
		t.Errorf("%d reports in %v, at most %d are wanted", reports, step*steps, most)
	}
	p := r.latest
	if p.State != Uploading || p.Confirmed != 0 || p.Sent < 7<<20 || p.Sent > 8<<20 {
		t.Errorf("%v: %d bytes sent, %d confirmed", p.State, p.Sent, p.Confirmed)
	}
	if p.Sending != 2 || p.Parts != 4 || p.PartsDone != 0 {
		t.Errorf("%d parts under way, %d of %d done", p.Sending, p.PartsDone, p.Parts)
	}
	if p.Speed < 2*rate*9/10 || p.Speed > 2*rate*11/10 {
		t.Errorf("%d bytes a second, want about %d", p.Speed, 2*rate)
	}
	if want := (p.Total - p.Sent) / p.Speed; p.Left < want || p.Left > want+1 {
		t.Errorf("%d s are left, want %d", p.Left, want)
	}

	// The speed is a moving average: half a second of silence lessens it and does not make it 0.
	r.now = r.now.Add(500 * time.Millisecond)
	r.step(Sent{ID: first.ID, Bytes: 4 * rate})
	if s := r.latest.Speed; s < rate || s >= p.Speed {
		t.Errorf("%d bytes a second after half a second's silence, %d before", s, p.Speed)
	}

	r.step(Replied{ID: first.ID, Reply: reply(first)})
	r.now = r.now.Add(reportEvery)
	r.step(Sent{ID: second.ID, Bytes: 4 * rate})
	if p := r.latest; p.Confirmed != part || p.PartsDone != 1 || p.Sent != part+4*rate {
		t.Errorf("with one part stored: %d bytes sent, %d confirmed, %d parts done", p.Sent, p.Confirmed, p.PartsDone)
	}
}
