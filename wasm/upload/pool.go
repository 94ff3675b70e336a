package upload

import "time"

// maxAsks is how many grants are asked for at once.
const maxAsks = 4

// Pool shares a page's connections among its uploads. Browsers open six to a
// host, and a grant is asked for only when its upload has a lane, so a
// thousand dropped files are not a thousand sessions at once.
type Pool struct {
	tuner   tuner
	gate    gate
	granted bool // the server has given a grant: a refusal from now on is a lost sign-in
	lanes   int  // shared out last
	sending int  // parts under way, of all uploads
	uploads []member
	last    uint32
	out     []Addressed
}

type member struct {
	id      uint32
	upload  *Upload
	lanes   int
	wants   int
	sending int
}

// Addressed is a Command and the upload that it is for.
type Addressed struct {
	Upload uint32
	Command
}

// NewPool shares up to most lanes; how many of them is found out on the way.
func NewPool(most int) *Pool { return &Pool{tuner: newTuner(most)} }

// SetMax changes the most lanes; it counts from the next Step on.
func (p *Pool) SetMax(most int) { p.tuner = newTuner(most) }

// SetRate bounds the bytes a second of all uploads; 0 for no bound. A part that
// has begun goes as fast as the line takes it: the bound is on the average.
func (p *Pool) SetRate(bytesPerSecond int64) { p.gate.rate = max(0, bytesPerSecond) }

// Add takes an upload in and gives the number that it goes by.
func (p *Pool) Add(u *Upload) uint32 {
	p.last++
	u.gate = &p.gate
	p.uploads = append(p.uploads, member{id: p.last, upload: u, wants: -1})
	return p.last
}

// Step gives ev to one upload, or to all with id 0, and shares the lanes anew
// where what the uploads want has changed. The slice is valid until the next Step.
func (p *Pool) Step(now time.Time, id uint32, ev Event) []Addressed {
	p.out = p.out[:0]
	if _, ok := ev.(Granted); ok {
		p.granted = true
	}
	for i := range p.uploads {
		if m := &p.uploads[i]; id == 0 || m.id == id {
			p.step(now, m, ev)
		}
	}
	p.share(now)
	return p.out
}

func (p *Pool) step(now time.Time, m *member, ev Event) {
	u := m.upload
	u.signedIn = p.granted
	p.sending -= m.sending
	u.room = p.lanes - p.sending
	moved := u.meter.moved
	for _, c := range u.Step(now, ev) {
		p.out = append(p.out, Addressed{Upload: m.id, Command: c})
	}
	m.sending = u.queue.sending
	if u.Over() {
		m.sending = 0
	}
	p.sending += m.sending
	p.tuner.moved += u.meter.moved - moved
	if u.slow {
		u.slow = false
		p.tuner.slower(now)
	}
}

// share gives every upload that wants a lane one, in the order of arrival, and
// then the rest to the first that can use them. What is under way beyond an
// upload's lanes goes on; the others get its room when it ends.
func (p *Pool) share(now time.Time) {
	changed := false
	kept := p.uploads[:0]
	for _, m := range p.uploads {
		if m.upload.Over() {
			changed = true
			continue
		}
		if w := m.upload.Wants(); w != m.wants {
			m.wants, changed = w, true
		}
		kept = append(kept, m)
	}
	clear(p.uploads[len(kept):])
	p.uploads = kept
	lanes := p.tuner.tune(now, p.sending >= p.lanes)
	if changed || lanes != p.lanes {
		p.lanes = lanes
		p.deal(now)
	}
	for i := range p.uploads {
		if m := &p.uploads[i]; m.upload.crowded && p.sending < p.lanes {
			m.upload.crowded = false
			p.step(now, m, Lanes{N: m.lanes})
		}
	}
}

// deal says to each upload how many lanes it has.
func (p *Pool) deal(now time.Time) {
	grants := make([]int, len(p.uploads))
	left, asks := p.lanes, maxAsks
	for most := 1; left > 0; most = p.lanes {
		for i := range p.uploads {
			if u := p.uploads[i].upload; most == 1 && u.phase == asking {
				if asks == 0 {
					continue
				}
				asks--
			}
			give := min(p.uploads[i].wants, most) - grants[i]
			if give = min(give, left); give > 0 {
				grants[i] += give
				left -= give
			}
		}
		if most == p.lanes {
			break
		}
	}
	for i := range p.uploads {
		if m := &p.uploads[i]; m.lanes != grants[i] {
			m.lanes = grants[i]
			p.step(now, m, Lanes{N: m.lanes})
		}
	}
}

// Over says whether the upload has ended.
func (u *Upload) Over() bool { return u.phase == over }

// Wants is how many lanes the upload could use.
func (u *Upload) Wants() int {
	if u.held() {
		return 0
	}
	switch u.phase {
	case asking:
		return 1
	case comparing, sampling, creating, listing, sending:
		return len(u.queue.parts) - u.queue.done
	}
	return 0
}
