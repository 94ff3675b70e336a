package sim

import (
	"time"

	"github.com/chunksign/chunksign/wasm/plan"
	"github.com/chunksign/chunksign/wasm/upload"
)

// happen is an act's time.
func (w *world) happen(a act) {
	it := w.items[a.item]
	p := w.page
	if p == nil || it.over {
		return
	}
	if w.t < p.until && a.what <= actStop {
		// Nobody can press a button of a page that stands still.
		w.after(p.until-w.t+time.Millisecond, func() { w.happen(a) })
		return
	}
	live := it.job != nil && it.job.page == p && !it.job.over
	if w.log != nil {
		w.log.event(w, 0, "%s (upload of file %d, %s)", actNames[a.what], a.item, a.span)
	}
	switch a.what {
	case actPause, actForcePause:
		if live {
			j := it.job
			p.do(func() { p.pause(j, a.what == actForcePause) })
			w.after(a.span, func() { p.do(func() { p.resume(j) }) })
		}
	case actOffline:
		p.do(func() { p.offline = true; p.step(0, upload.Offline{}) })
		w.after(a.span, func() { p.do(func() { p.offline = false; p.step(0, upload.Online{}) }) })
	case actCancel:
		if live {
			j := it.job
			p.do(func() { p.cancel(j) })
		}
	case actStop:
		if live {
			j := it.job
			p.do(func() {
				if !j.over {
					p.step(j.id, upload.Stop{})
				}
			})
		}
	case actCrash:
		if w.user.oneIn(2) {
			p.crash(w.user.between(6*time.Second, time.Minute))
		} else {
			p.fuse = 1 + int(w.user.below(10))
		}
	case actWrite:
		it.overwritten(w.user)
	case actVanish:
		it.file.gone = true
	case actSleep:
		p.sleep(a.span)
	case actFreeze:
		p.until = max(p.until, w.t+a.span)
	case actSignOut:
		w.server.signedOut = true
		w.after(a.span, func() { w.server.signedOut = w.plan.bug == bugNoSignIn })
	case actLanes:
		p.lanes = 1 + int(w.user.below(8))
		p.mostLanes = max(p.mostLanes, p.lanes)
		p.pool.SetMax(p.lanes)
	case actRate:
		if rate := w.user.below(2) * (1 + w.user.below(100)) << 18; it.file.size < plan.GiB {
			p.pool.SetRate(rate)
		}
	case actRival:
		if w.plan.fixedKey {
			w.rival(it)
		}
	case actRemove:
		for _, k := range it.keys {
			delete(w.store.objects, k)
		}
	case actSweep:
		for _, m := range w.store.uploads {
			m.swept = true
		}
		clear(w.store.uploads)
	}
}

var actNames = [actKinds]string{"pause", "pause by force", "offline", "cancel", "stop", "crash", "the file is changed", "the file vanishes",
	"the machine sleeps", "the page freezes", "signed out", "other lanes", "another rate", "somebody else writes the key", "the object is removed", "the store clears unfinished uploads away"}

func (p *page) pause(j *job, force bool) {
	if j.over {
		return
	}
	j.paused = true
	if force {
		j.forced++
	}
	switch p.w.plan.bug {
	case bugDeafPause:
		return
	case bugLoseCalls:
		for len(j.calls) > 0 {
			j.remove(j.calls[0])
		}
	}
	p.step(j.id, upload.Pause{Force: force})
}

func (p *page) resume(j *job) {
	if j.over {
		return
	}
	j.paused, j.needsAuth = false, false
	p.step(j.id, upload.Resume{})
}

func (p *page) cancel(j *job) {
	if j.over {
		return
	}
	j.cancelled = true
	p.step(j.id, upload.Cancel{})
}

// sleep stops the machine: its clock stands still, and connections are gone over
// which something would have come or gone meanwhile.
func (p *page) sleep(span time.Duration) {
	w := p.w
	p.asleep += span
	p.down = max(p.down, w.t+span)
	p.until = max(p.until, p.down)
	for _, j := range p.jobs {
		j.slept = true
	}
	// Both clocks are looked at every few seconds.
	w.after(span+w.user.between(0, 10*time.Second), func() { p.do(func() { p.step(0, upload.Jumped{}) }) })
}

// signInSoon is the user, who sees that a sign-in is wanted.
func (w *world) signInSoon(j *job) {
	p := j.page
	j.needsAuth = true
	if p.signingIn {
		return
	}
	p.signingIn = true
	w.after(w.user.between(time.Second, 5*time.Minute), func() {
		p.do(func() {
			p.signingIn = false
			for _, x := range p.jobs {
				x.needsAuth = false
			}
			p.step(0, upload.SignedIn{})
		})
	})
}

// overwritten changes a range of the file that some of its samples are in.
func (it *item) overwritten(r *random) {
	f := it.file
	if f.size == 0 {
		return
	}
	at := r.below(samples) * max(0, f.size-sampleSize) / (samples - 1)
	f.writes = append(f.writes, span{max(0, at-r.below(2*it.part)), at + 1 + r.below(2*it.part)})
}

// rival writes the key of an item as somebody else would.
func (w *world) rival(it *item) {
	size := it.file.size
	if w.user.oneIn(2) {
		size++
	}
	for _, k := range it.keys {
		w.store.objects[k] = foreign(w.user.next(), size)
	}
}

func foreign(id uint64, size int64) *object {
	f := file{id: id, size: size}
	d := f.digest(0, 0, size)
	return &object{parts: []piece{{d, size}}, etag: etagOf(d), by: rivals}
}

const rivals = "somebody else"
