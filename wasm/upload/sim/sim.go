// Package sim plays the upload engine against a world of its own making: a
// model of S3 with the quirks of its engines, the chunksign server, a network,
// a clock, a user, a journal and crashes. All of it comes from one seed, so that
// what went wrong once goes wrong again. It is for tests.
//
// Run plays one seed:
//
//	scenario.go  what the seed says of the world: files, weather, what the user does and when
//	world.go     virtual time and the queue of what happens next
//	page.go      carries out the engine's commands, as web/src/worker does
//	network.go   takes its requests to the store, or does not
//	store*.go    the model of S3, held against real engines by conformance.go
//	server.go    grants, sessions, the look at the object
//	item.go      a file through all lives of the page, and its place in the journal
//	check.go     what must hold after every step and in the end
//	log.go       the trace of a seed that fails
package sim

import (
	"fmt"
	"strconv"
	"time"

	"github.com/chunksign/chunksign/wasm/plan"
	"github.com/chunksign/chunksign/wasm/upload"
)

// Result is what came of a seed.
type Result struct {
	Seed      uint64
	Violation string // "" for none; its first word is the invariant
	Steps     int    // of the engine
	Requests  int    // to the store
	Took      time.Duration
	Ends      map[string]int // how uploads ended: "done", or an error's code
}

func (r *Result) ends(f *upload.Finish) {
	code := "done"
	if f.Err != nil {
		code = f.Err.Code
	}
	if r.Ends == nil {
		r.Ends = map[string]int{}
	}
	r.Ends[code]++
}

// Run plays a seed.
func Run(seed uint64) Result { return run(draw(seed), seed, nil) }

// Trace plays a seed and tells what happened, an event a line.
func Trace(seed uint64) (Result, string) { return trace(draw(seed), seed) }

func trace(s scenario, seed uint64) (Result, string) {
	l := &log{}
	l.b = fmt.Appendf(l.b, "seed %d: %+v", seed, s)
	r := run(s, seed, l)
	return r, l.String()
}

func run(s scenario, seed uint64, l *log) Result {
	w := &world{seed: seed, plan: s, store: newStore(s.quirks), log: l,
		net: stream(seed, "network"), user: stream(seed, "user"), disk: stream(seed, "disk")}
	w.stats.Seed = seed
	w.store.verify, w.store.bug = s.verify, s.bug
	w.server = &server{w: w, grants: map[string]*grant{}}
	w.open()
	for n, f := range s.files {
		it := &item{w: w, n: n, part: f.partSize, made: map[string]bool{},
			file: &file{id: seed<<8 + uint64(n), size: f.size, guarded: !s.native}}
		w.items = append(w.items, it)
		w.furnish(it)
		w.after(f.begins, func() { w.start(it) })
	}
	for _, a := range s.acts {
		w.after(a.at, func() { w.happen(a) })
	}
	w.run()
	w.stats.Violation, w.stats.Took = w.violation, w.t
	return w.stats
}

// start is when a user gives a file to the page.
func (w *world) start(it *item) {
	p := w.page
	if p == nil {
		w.after(time.Second, func() { w.start(it) })
		return
	}
	p.do(func() {
		if it.lives == 0 {
			p.begin(it)
		}
	})
	if p.dead || w.t < p.until {
		w.after(time.Second, func() {
			if it.lives == 0 {
				w.start(it)
			}
		})
	}
}

// furnish puts what is there before.
func (w *world) furnish(it *item) {
	at := "b/fixed " + strconv.Itoa(it.n)
	switch p, err := plan.New(it.file.size, it.part, w.plan.limits); {
	case w.plan.occupied:
		w.store.objects[at] = foreign(w.user.next(), it.file.size)
		w.store.objects[at].by = before
	case w.plan.there && err == nil:
		o := &object{by: before, many: p.Parts > 1}
		for n := range p.Parts {
			offset, size := p.Range(n + 1)
			o.parts = append(o.parts, piece{it.file.digest(0, offset, size), size})
		}
		o.etag = compositeETag(o)
		w.store.objects[at] = o
	}
}
