package sim

import (
	"time"

	"github.com/chunksign/chunksign/wasm/upload"
)

// page is one life of the program that drives the engine: a browser's page, or
// the native command, from its start to its end or its crash. It carries out
// commands as web/src/worker does and decides nothing.
type page struct {
	w         *world
	pool      *upload.Pool
	offset    time.Duration // its clock minus the true one
	asleep    time.Duration // how long its clock has stood still
	until     time.Duration // nothing happens in it before
	down      time.Duration // the machine sleeps until then
	inbox     []func()      // what is to happen then
	jobs      []*job
	wake      timer // the pool's own
	dead      bool
	fuse      int // it dies when so many more commands are carried out; -1 for never
	offline   bool
	signingIn bool // the user is about to
	lanes     int
	mostLanes int
}

// job is an upload in one life of the page.
type job struct {
	page  *page
	item  *item
	id    uint32
	calls []*call
	last  uint32
	wake  timer
	over  bool
	facts
}

// call is a Command whose answer has not come.
type call struct {
	id      uint32
	kind    string
	at      time.Duration
	part    int
	creates bool   // CreateMultipartUpload
	after   int    // the page of ListParts begins after this part
	upload  string // the upload ID, of a request for a part
	digest  string // the checksum that a part is sent with
	gone    bool   // answered or dropped
	did     bool   // the store has done it
	saw     *object
}

// timer is the Wake that is set.
type timer struct {
	at   time.Time
	set  bool
	turn int
}

// open starts a page.
func (w *world) open() *page {
	p := &page{w: w, offset: w.plan.clock, fuse: -1, lanes: w.plan.lanes, mostLanes: w.plan.lanes}
	p.pool = upload.NewPool(p.lanes)
	if w.plan.bug == bugManyLanes {
		p.pool.SetMax(5 * p.lanes)
	}
	w.page = p
	return p
}

// now is the page's own clock, which never goes back and, in a browser, counts
// whole milliseconds.
func (p *page) now() time.Time {
	now := p.w.now().Add(p.offset - p.asleep)
	if !p.w.plan.native {
		now = now.Truncate(time.Millisecond)
	}
	return now
}

// do lets something happen in the page, in its turn, once it is awake.
func (p *page) do(what func()) {
	switch {
	case p.dead:
	case p.w.t < p.until || len(p.inbox) > 0:
		if p.inbox = append(p.inbox, what); len(p.inbox) == 1 {
			p.w.after(p.until-p.w.t, p.drain)
		}
	default:
		what()
	}
}

func (p *page) drain() {
	for len(p.inbox) > 0 && !p.dead {
		if p.w.t < p.until {
			p.w.after(p.until-p.w.t, p.drain)
			return
		}
		what := p.inbox[0]
		what()
		p.inbox = p.inbox[1:]
	}
}

// begin takes an item up: anew, or where its record says.
func (p *page) begin(it *item) *job {
	w := p.w
	j := &job{page: p, item: it}
	j.facts.init()
	c := upload.Config{Stall: w.plan.stall, PartSize: it.part, Seed: w.disk.next(), File: upload.File{Name: "f", Type: "text/x-sim", Size: it.file.size, Modified: 1}}
	u := upload.New(c)
	if it.durable != nil {
		if r, ok := upload.DecodeRecord(it.durable); !ok {
			w.violate("record: what was persisted cannot be read back")
		} else if v, err := upload.Restore(c, r); err != nil {
			w.violate("record: what was persisted cannot be taken up: %v", err)
		} else {
			u = v
			j.restored(r)
		}
	}
	if !w.plan.calm && !w.plan.fair && it.durable != nil && w.user.oneIn(16) && it.file.size > 0 {
		// The user chooses another file of that name and size.
		it.file = &file{id: w.user.next(), size: it.file.size, guarded: it.file.guarded}
	}
	if it.durable == nil {
		it.made = map[string]bool{} // it knows of none
	}
	it.lives++
	it.job = j
	j.id = p.pool.Add(u)
	p.jobs = append(p.jobs, j)
	if w.log != nil {
		w.log.event(w, j.id, "begins, life %d, record: %v", it.lives, it.durable != nil)
	}
	if p.offline {
		p.step(j.id, upload.Offline{})
	} else {
		p.step(j.id, upload.Tick{})
	}
	return j
}

// step gives the engine an event, for all uploads with number 0, and does what it says.
func (p *page) step(id uint32, ev upload.Event) {
	w := p.w
	w.stats.Steps++
	if w.log != nil {
		w.log.event(w, id, "%s", describeEvent(ev))
	}
	for _, a := range p.pool.Step(p.now(), id, ev) {
		if p.dead || w.violation != "" {
			return
		}
		if w.log != nil {
			w.log.command(w, a)
		}
		if a.Upload == 0 {
			if c, ok := a.Command.(upload.Wake); ok {
				p.setWake(&p.wake, 0, c.At)
			}
			continue
		}
		if j := p.find(a.Upload); j != nil {
			p.carryOut(j, a.Command)
		}
		if p.fuse > 0 {
			if p.fuse--; p.fuse == 0 {
				p.crash(w.user.between(6*time.Second, time.Minute))
			}
		}
	}
	p.checkIdle()
}

func (p *page) find(id uint32) *job {
	for _, j := range p.jobs {
		if j.id == id && !j.over {
			return j
		}
	}
	p.w.violate("commands: one for the upload %d, which is over or was never begun", id)
	return nil
}

func (p *page) carryOut(j *job, c upload.Command) {
	w := p.w
	switch c := c.(type) {
	case upload.Ask:
		call := j.start(c.ID, "ask")
		p.callServer(j, call, func() upload.Event { return w.server.ask(&c, j.item, call) })
	case upload.Renew:
		call := j.start(c.ID, "renew")
		p.callServer(j, call, func() upload.Event { return w.server.renew(c.ID, c.Grant) })
	case upload.Verify:
		call := j.start(c.ID, "verify")
		p.callServer(j, call, func() upload.Event { return w.server.verify(c.ID, c.Grant, c.ETag, call) })
	case upload.Hash:
		p.read(j, c.ID, "hash", takes(c.Size, hashing), func(f *file) upload.Event {
			return upload.Hashed{ID: c.ID, Digest: f.digest(f.version(), c.Offset, c.Size)}
		})
	case upload.Sample:
		p.read(j, c.ID, "sample", 5*time.Millisecond, func(f *file) upload.Event {
			return upload.Sampled{ID: c.ID, Digest: f.sample(f.version())}
		})
	case upload.Send:
		call := j.start(c.ID, "send")
		j.checkSend(&c, call)
		p.send(j, c, call)
	case upload.Multipart:
		call := j.start(c.ID, c.Op)
		j.checkMultipart(&c, call)
		p.callServer(j, call, func() upload.Event { return w.server.multipart(&c, call, j) })
	case upload.Drop:
		j.drop(c.ID)
	case upload.Persist:
		j.item.persist(c.Record)
	case upload.Forget:
		j.item.forget()
	case upload.Wake:
		if !c.At.IsZero() && !c.At.After(p.now()) {
			w.violate("wake: upload %d is to be woken at %s, which is past", j.id, c.At)
		}
		if w.plan.bug != bugNoWake || w.net.oneIn(8) {
			p.setWake(&j.wake, j.id, c.At)
		}
	case upload.Warn:
		if c.Code == "" || c.Message == "" {
			w.violate("error: the warning %+v does not say what is wrong", c)
		}
		j.hidden = true
	case upload.Report:
		j.checkProgress(c.Progress)
		if c.Progress.State == upload.NeedsAuth {
			w.signInSoon(j)
		}
	case upload.Finish:
		j.over = true
		j.checkFinish(&c)
		j.item.finished(j, &c)
	default:
		w.violate("commands: %T is not one that is known", c)
	}
}

func (p *page) setWake(t *timer, id uint32, at time.Time) {
	t.at, t.set = at, !at.IsZero()
	t.turn++
	if !t.set {
		return
	}
	// A page's timers count whole milliseconds, and round down.
	wait := at.Sub(p.now())
	if !p.w.plan.native {
		wait = max(wait.Truncate(time.Millisecond), time.Millisecond)
	}
	late := p.w.disk.between(0, p.w.plan.lateTicks)
	if p.w.plan.bug == bugNoTime {
		wait, late = 0, 0
	}
	turn := t.turn
	p.w.after(wait+late, func() { p.do(func() { p.ring(t, id, turn) }) })
}

func (p *page) ring(t *timer, id uint32, turn int) {
	if turn != t.turn {
		return
	}
	if left := t.at.Sub(p.now()); left > time.Millisecond && p.w.plan.bug != bugNoTime { // the clock stood still
		p.w.after(left, func() { p.do(func() { p.ring(t, id, turn) }) })
		return
	}
	t.set = false
	p.step(id, upload.Tick{})
}

// read reads of the file. In a browser this fails once the file was changed.
func (p *page) read(j *job, id uint32, kind string, took time.Duration, done func(*file) upload.Event) {
	w := p.w
	call := j.start(id, kind)
	if !w.plan.calm && w.t < w.plan.healed && took < time.Second && w.disk.oneIn(500) {
		return // Chromium may lose a reader with its read pending
	}
	w.after(took+w.disk.between(0, 5*time.Millisecond), func() {
		f := j.item.file
		if !f.readable() {
			p.answer(j, call, upload.Unreadable{ID: id, Message: "the file is gone or was changed"})
			return
		}
		p.answer(j, call, done(f))
	})
}

// answer ends a call.
func (p *page) answer(j *job, c *call, ev upload.Event) {
	p.do(func() {
		if c.gone {
			if p.w.plan.lateWords && !j.over {
				p.step(j.id, ev)
			}
			return
		}
		c.gone = true
		j.remove(c)
		j.learn(c, ev)
		if p.w.plan.bug == bugForget && c.part > 0 && c.did && p.w.net.oneIn(2) {
			ev = upload.Lost{ID: c.id}
		}
		p.step(j.id, ev)
	})
}

// hear is news of a call that goes on.
func (p *page) hear(j *job, c *call, ev upload.Event) {
	p.do(func() {
		if !c.gone {
			p.step(j.id, ev)
		}
	})
}

func (j *job) start(id uint32, kind string) *call {
	if id <= j.last {
		j.page.w.violate("commands: the call %d of upload %d has a number that was there before", id, j.id)
	}
	j.last = id
	c := &call{id: id, kind: kind, at: j.page.w.t}
	j.calls = append(j.calls, c)
	return c
}

func (j *job) remove(c *call) {
	for i, x := range j.calls {
		if x == c {
			j.calls = append(j.calls[:i], j.calls[i+1:]...)
			return
		}
	}
}

func (j *job) drop(id uint32) {
	for _, c := range j.calls {
		if c.id == id {
			c.gone = true
			if c.creates && j.cancelled && j.page.w.t-c.at < 50*time.Second {
				j.dropsCreate = true
			}
			if j.page.w.plan.bug != bugKeepCalls {
				j.remove(c)
			}
			return
		}
	}
	j.page.w.violate("commands: upload %d drops the call %d, which is not under way", j.id, id)
}

// crash ends the page at once, in the middle of whatever it does. What it has
// not sent out wholly, the store never gets.
func (p *page) crash(down time.Duration) {
	w := p.w
	p.dead = true
	w.page = nil
	if w.log != nil {
		w.log.event(w, 0, "the page dies; the next comes in %s", down)
	}
	for _, it := range w.items {
		it.loseUnwritten()
	}
	clock := p.offset
	if !w.plan.calm && w.user.oneIn(4) {
		clock = w.user.between(-time.Hour, time.Hour)
	}
	w.after(down, func() {
		next := w.open()
		next.offset = clock
		for _, it := range w.items {
			if it.lives > 0 && !it.over {
				next.begin(it)
			}
		}
	})
}
