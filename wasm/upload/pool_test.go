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

// A thousand small files begin in the order of their arrival, and a big one that came before
// them has a part under way from its first to its last all the same.
func TestSmallFilesDoNotStarveABigOne(t *testing.T) {
	p := NewPool(4)
	big := New(Config{File: File{Size: 200 * plan.MinPartSize}, PartSize: plan.MinPartSize})
	p.Add(big)
	for range 1000 {
		p.Add(New(Config{File: File{Size: 1}}))
	}
	bigs, begun := 0, uint32(1)
	var under []Addressed
	take := func(out []Addressed) {
		for _, c := range out {
			if commandID(c.Command) != 0 {
				under = append(under, Addressed{c.Upload, c.Command})
			}
			if _, ok := c.Command.(Ask); ok && c.Upload > 1 {
				if c.Upload != begun+1 {
					t.Fatalf("upload %d begins after %d", c.Upload, begun)
				}
				begun = c.Upload
			}
		}
	}
	for take(p.Step(epoch, 0, Tick{})); len(under) > 0; {
		c := under[0]
		under = under[1:]
		if send, ok := c.Command.(Send); ok && send.Part > 0 && c.Upload == 1 {
			bigs++
		}
		take(p.Step(epoch, c.Upload, good(c.Command)))
		if begun > 900 && bigs < 100 {
			t.Fatalf("with %d files begun, the big one has %d of its parts stored", begun, bigs)
		}
	}
	if begun != 1001 || bigs != 200 || !big.Over() {
		t.Errorf("%d files began, %d parts of the big one were sent", begun, bigs)
	}
}

// good is the answer to a command when nothing goes wrong.
func good(c Command) Event {
	switch c := c.(type) {
	case Ask:
		return Granted{ID: c.ID, Grant: Grant{Target: target()}, Session: Session{Expires: epoch.Add(time.Hour)}, ServerTime: epoch}
	case Sample:
		return Sampled{ID: c.ID}
	case Hash:
		return Hashed{ID: c.ID, Digest: digest(c.Offset)}
	case Verify:
		return Verified{ID: c.ID}
	case Send:
		return Replied{ID: c.ID, Reply: reply(c)}
	}
	return nil
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
					do(good(c))
				}
				if !u.Over() {
					b.Fatal("not over")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(parts), "ns/part")
		})
	}
}

// What is under way counts against all, also what goes on after its upload has
// lost its lanes, to a pause or to a newcomer.
func TestPartsUnderWayCountOverThePool(t *testing.T) {
	for _, c := range []struct {
		name   string
		event  Event // to the first upload, with four parts under way
		first  int   // its lanes after them
		second int   // the other's
	}{
		{"paused", Pause{}, 0, 4},
		{"shared", Tick{}, 3, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := NewPool(4)
			for id := range uint32(2) {
				p.Add(New(Config{File: File{Size: 20 * plan.MinPartSize}, PartSize: plan.MinPartSize}))
				if id == 0 {
					drive(p, 1, Tick{})
				}
			}
			first, second := p.uploads[0].upload, p.uploads[1].upload
			if first.queue.sending != 4 {
				t.Fatalf("%d parts under way", first.queue.sending)
			}
			drive(p, 1, c.event)
			if first.lanes != c.first || second.lanes != c.second {
				t.Fatalf("%d and %d lanes", first.lanes, second.lanes)
			}
			if first.queue.sending != 4 || second.queue.sending != 0 || len(second.queue.ready) == 0 {
				t.Fatalf("%d and %d parts under way, %d are ready", first.queue.sending, second.queue.sending, len(second.queue.ready))
			}
			for i := range first.calls {
				if first.calls[i].kind == callPart {
					p.Step(epoch, 1, Replied{ID: first.calls[i].id, Reply: s3api.Reply{Status: 200, ETag: `"e"`}})
					break
				}
			}
			if first.queue.sending != 3 || second.queue.sending != 1 {
				t.Errorf("%d and %d parts under way once one of them is done", first.queue.sending, second.queue.sending)
			}
		})
	}
}

// drive answers everything but parts until nothing else is asked for.
func drive(p *Pool, id uint32, ev Event) {
	for _, c := range append([]Addressed(nil), p.Step(epoch, id, ev)...) {
		if s, ok := c.Command.(Send); commandID(c.Command) != 0 && !(ok && s.Part > 0) {
			drive(p, c.Upload, good(c.Command))
		}
	}
}
