package upload

import (
	"fmt"
	"testing"
	"time"

	"github.com/chunksign/chunksign/wasm/plan"
	"github.com/chunksign/chunksign/wasm/s3api"
)

func TestPoolAsksForGrantsJustAheadOfNeed(t *testing.T) {
	p := NewPool(4)
	asks := 0
	count := func(out []Addressed) {
		for _, c := range out {
			if _, ok := c.Command.(Ask); ok {
				asks++
			}
		}
	}
	for range 1000 {
		p.Add(New(Config{File: File{Size: 1}}))
		count(p.Step(epoch, 0, Tick{}))
	}
	if asks != 4 {
		t.Errorf("%d grants were asked for at once", asks)
	}
	count(p.Step(epoch, 1, Stop{}))
	if asks != 5 {
		t.Errorf("%d grants after one upload ended", asks)
	}
}

func TestPoolGivesSpareLanesToWhoCanUseThem(t *testing.T) {
	p := NewPool(4)
	big, small := New(Config{File: File{Size: 100 * plan.MinPartSize}}), New(Config{File: File{Size: 1}})
	p.Add(big)
	p.Add(small)
	p.Step(epoch, 0, Tick{})
	p.Step(epoch, 1, Granted{ID: 1, Grant: Grant{Target: target()}, Session: Session{Expires: epoch.Add(time.Hour)}, ServerTime: epoch})
	if big.lanes != 3 || small.lanes != 1 {
		t.Errorf("lanes: %d and %d", big.lanes, small.lanes)
	}
	p.Step(epoch, 2, Stop{})
	if big.lanes != 4 {
		t.Errorf("lanes after the small one ended: %d", big.lanes)
	}
}

// BenchmarkPart is the engine's cost of a part, which must not grow with their number.
func BenchmarkPart(b *testing.B) {
	for _, parts := range []int64{10, 100, 1000, 10000} {
		b.Run(fmt.Sprint(parts), func(b *testing.B) {
			for b.Loop() {
				u := New(Config{File: File{Size: parts * plan.MinPartSize}, PartSize: plan.MinPartSize})
				var calls []Command
				do := func(ev Event) {
					for _, c := range u.Step(epoch, ev) {
						if commandID(c) != 0 {
							calls = append(calls, c)
						}
					}
				}
				do(Lanes{N: 4})
				for len(calls) > 0 {
					c := calls[0]
					calls = calls[1:]
					switch c := c.(type) {
					case Ask:
						do(Granted{ID: c.ID, Grant: Grant{Target: target()}, Session: Session{Expires: epoch.Add(time.Hour)}, ServerTime: epoch})
					case Hash:
						do(Hashed{ID: c.ID, Digest: s3api.Digest{1}})
					case Verify:
						do(Verified{ID: c.ID})
					case Send:
						do(Replied{ID: c.ID, Reply: s3api.Reply{Status: 200, ETag: `"e"`, Body: []byte(createdBody + completedBody)}})
					}
				}
				if !u.Over() {
					b.Fatal("not over")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(parts), "ns/part")
		})
	}
}
