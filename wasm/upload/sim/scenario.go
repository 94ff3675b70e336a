package sim

import (
	"time"

	"github.com/chunksign/chunksign/wasm/plan"
)

// scenario is what a seed says about its world before it begins.
type scenario struct {
	calm      bool // no fault at all: every upload must succeed, with no request too many
	fair      bool // nothing that an upload may fail of
	presigned bool // the page gets no session: the server signs
	native    bool // as `chunksign upload`: every reply can be read, files are read as they are
	files     []filePlan
	lanes     int
	quirks    quirks
	verify    bool
	latency   time.Duration
	bandwidth int64 // bytes a second, of one request
	clock     time.Duration

	storeWeather, serverWeather weather

	overwrite   bool
	fixedKey    bool
	occupied    bool // the key has somebody else's object
	existence   bool // the server says where the bytes may be there already
	there       bool // and they are
	stall       time.Duration
	session     time.Duration // how long a session lasts
	cached      bool          // sessions are handed out again, with less left
	serverClock time.Duration // the server's clock minus the true one
	limits      plan.Limits
	noJournal   bool
	journalLag  time.Duration

	acts      []act
	lateTicks time.Duration // a timer is late by up to this
	lateWords bool          // answers to dropped calls are given all the same

	bug bug
	// sessionSlack is how long after its session's end a request may be signed:
	// the server's time is old by as long as its reply took.
	sessionSlack time.Duration

	healed   time.Duration // from here on nothing goes wrong any more
	deadline time.Duration
	maxSteps int
}

type filePlan struct {
	size     int64
	partSize int64
	begins   time.Duration
}

// act is something that a user or the world does to the page at a time.
type act struct {
	at   time.Duration
	what actKind
	item int
	span time.Duration
}

type actKind uint8

const (
	actPause actKind = iota
	actForcePause
	actOffline
	actCancel
	actStop
	actCrash
	actWrite  // the file is changed
	actVanish // the file is removed
	actSleep  // the machine sleeps
	actFreeze // the page's timers and events wait
	actSignOut
	actLanes
	actRate
	actRival // somebody else writes the key
	actRemove
	actSweep // the store clears unfinished uploads away
	actKinds
)

// weather is how often what goes wrong, in thousandths of the requests, until it heals.
type weather struct {
	lost, reset, lostReply, hang, stall, deaf, failing, throttled, garbage, torn, doneBut, conflict, slow int
	outages                                                                                               []outage
}

type outage struct{ from, to time.Duration }

func (r *random) weather(healed time.Duration) (w weather) {
	all := []*int{&w.lost, &w.reset, &w.lostReply, &w.hang, &w.stall, &w.deaf, &w.failing, &w.throttled, &w.garbage, &w.torn, &w.doneBut, &w.conflict, &w.slow}
	switch r.below(5) {
	case 0: // fair
	case 1:
		for _, p := range all {
			*p = int(r.below(15))
		}
	case 2:
		for _, p := range all {
			*p = int(r.below(60))
		}
	default:
		*all[r.below(int64(len(all)))] = 100 + int(r.below(600))
	}
	if r.oneIn(4) {
		from := r.between(0, healed/2)
		w.outages = append(w.outages, outage{from, from + r.between(time.Second, healed/2)})
	}
	return w
}

// drizzle is what a few retries get over.
func (r *random) drizzle() weather {
	n := func() int { return int(r.below(20)) }
	return weather{lost: n(), reset: n(), lostReply: n(), hang: n(), stall: n(), deaf: n(), failing: n(), throttled: n(), garbage: n(), doneBut: n()}
}

func (r *random) size(part int64) int64 {
	switch r.below(16) {
	case 0:
		return 0
	case 1:
		return 1
	case 2:
		return plan.MinPartSize
	case 3:
		return part - 1
	case 4:
		return part
	case 5:
		return part + 1
	case 6:
		return 2*part + r.below(3) - 1
	case 7:
		return part * (10 + r.below(20))
	}
	return part + r.below(6*part)
}

// draw makes a seed's scenario.
func draw(seed uint64) scenario {
	r := stream(seed, "scenario")
	s := scenario{calm: r.oneIn(8), native: r.oneIn(4), lanes: 1 + int(r.below(6)), verify: r.oneIn(16)}
	s.quirks = pick(r, versitygw, minio, ceph, amazon)
	if r.oneIn(4) {
		s.quirks.PageSize = 1 + int(r.below(5))
	}
	s.quirks.LateParts = s.quirks.LateParts || r.oneIn(4)
	s.quirks.HidesRequestID = r.oneIn(4)
	s.quirks.ConflictGoes = r.oneIn(2)
	s.quirks.HidesETag = r.oneIn(8) && !s.native
	s.latency = r.between(time.Millisecond, 150*time.Millisecond)
	s.bandwidth = int64(1+r.below(100)) << 20
	if r.oneIn(6) { // an upload outlives its sessions
		s.bandwidth = int64(4+r.below(12)) << 16
	}
	s.session = pick(r, 15*time.Minute, 15*time.Minute, time.Hour, 5*time.Minute, 4*time.Minute)
	part := pick[int64](r, plan.MinPartSize, plan.MinPartSize, plan.DefaultPartSize, 6*plan.MiB+1)
	s.drawFiles(r, part)
	if s.files[0].size < plan.GiB && r.oneIn(8) {
		s.limits = plan.Limits{MinPartSize: plan.MinPartSize, MaxPartSize: pick[int64](r, plan.MaxPartSize, plan.GiB), MaxParts: pick[int64](r, 100, 1000)}
	}
	s.overwrite, s.fixedKey = r.oneIn(4), r.oneIn(6)
	s.existence = s.fixedKey && r.oneIn(2)
	s.there = s.existence && r.oneIn(2)
	s.stall = pick(r, 0, 0, 0, 5*time.Second, 2*time.Minute)
	s.healed = time.Second
	s.journalLag = 10 * time.Millisecond
	if !s.calm {
		s.drawTrouble(r)
	}
	work := time.Duration(0)
	requests := 0
	for _, f := range s.files {
		work += f.begins + takes(f.size, s.bandwidth) + takes(f.size, hashing)
		requests += int(f.size/max(f.partSize, plan.MinPartSize)) + 1
	}
	s.healed += 2 * work
	s.sessionSlack = 10 * time.Second
	s.presigned = stream(seed, "signing").oneIn(3)
	s.deadline = s.healed + 4*work + time.Duration(6+len(s.files))*time.Hour
	s.maxSteps = 20_000 + 400*min(requests, plan.MaxParts+1)
	return s
}

// hashing is how many bytes a second a page reads and hashes.
const hashing = 300 << 20

// takes is how long bytes take at a speed.
func takes(bytes, perSecond int64) time.Duration {
	return time.Duration(float64(bytes) / float64(perSecond) * float64(time.Second))
}

func (s *scenario) drawFiles(r *random, part int64) {
	switch {
	case r.oneIn(4000): // the largest there is
		s.files = []filePlan{{size: plan.MaxObjectSize, partSize: plan.DefaultPartSize}}
		s.bandwidth, s.lanes = 10*plan.GiB, 64
	case r.oneIn(2500):
		s.files = []filePlan{{size: plan.MaxParts * plan.MinPartSize, partSize: plan.MinPartSize}}
		s.bandwidth = plan.GiB
	case r.oneIn(8):
		for range 2 + r.below(5) {
			s.files = append(s.files, filePlan{size: r.size(part), partSize: part, begins: r.between(0, 5*time.Second)})
		}
	case r.oneIn(200):
		for range 40 {
			s.files = append(s.files, filePlan{size: r.below(3 * part), partSize: part})
		}
	default:
		s.files = []filePlan{{size: r.size(part), partSize: part}}
	}
}

// drawTrouble decides what goes wrong.
func (s *scenario) drawTrouble(r *random) {
	s.healed = r.between(10*time.Second, 20*time.Minute)
	s.storeWeather, s.serverWeather = r.weather(s.healed), r.weather(s.healed)
	switch r.below(6) {
	case 0:
		s.clock = r.between(-20*time.Minute, 20*time.Minute)
	case 1:
		s.clock = r.between(-5*365*24*time.Hour, 5*365*24*time.Hour)
	}
	switch r.below(12) {
	case 0:
		s.serverClock = r.between(-3*time.Second, 3*time.Second)
	case 1:
		s.serverClock = pick(r, -20*time.Minute, 20*time.Minute)
	}
	if s.fair = r.oneIn(4); s.fair {
		s.storeWeather, s.serverWeather = r.drizzle(), r.drizzle()
		s.serverClock = 0
	}
	s.cached = r.oneIn(4)
	s.occupied = s.fixedKey && !s.there && r.oneIn(2) && !s.fair
	s.noJournal = r.oneIn(16)
	s.journalLag = r.between(4*time.Millisecond, pick(r, 20*time.Millisecond, 3*time.Second))
	s.lateTicks = pick(r, 0, 0, 20*time.Millisecond, time.Second, time.Minute)
	s.lateWords = r.oneIn(4)
	// Most acts come while there is something to disturb.
	work := takes(s.files[0].size, s.bandwidth) + 20*s.latency
	swept := false
	for range pick[int64](r, 0, 1, 1, 2, 3, 6) {
		a := act{what: actKind(r.below(int64(actKinds))), item: int(r.below(int64(len(s.files))))}
		a.at = r.between(0, pick(r, work, 2*work, min(s.healed, 10*work)))
		a.span = r.between(time.Millisecond, pick(r, time.Second, time.Minute, time.Hour))
		if s.fair {
			a.what = pick(r, actPause, actForcePause, actOffline, actCrash, actSleep, actFreeze, actLanes, actRate, actSweep)
			if a.what == actSweep && swept {
				a.what = actPause
			}
			swept = swept || a.what == actSweep
		}
		if f := &s.files[a.item]; a.what == actWrite && s.native && f.size < plan.GiB && r.oneIn(2) {
			// A file that changes when some of its parts are sent and others not yet read.
			f.size, s.lanes = f.partSize*(10+r.below(20)), 1+int(r.below(2))
			a.at = f.begins + r.between(0, takes(f.size, s.bandwidth))
		}
		s.healed = max(s.healed, a.at+a.span)
		s.acts = append(s.acts, a)
	}
}
