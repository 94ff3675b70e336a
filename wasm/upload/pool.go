package upload

import "time"

// Pool shares a page's connections among its uploads. Browsers open six to a
// host, and a grant is asked for only when its upload has a lane, so a
// thousand dropped files are not a thousand sessions at once.
type Pool struct {
	max     int
	uploads []member
	last    uint32
	out     []Addressed
}

type member struct {
	id     uint32
	upload *Upload
	lanes  int
	wants  int
}

// Addressed is a Command and the upload that it is for.
type Addressed struct {
	Upload uint32
	Command
}

// NewPool shares max lanes.
func NewPool(max int) *Pool { return &Pool{max: max} }

// SetMax changes the number of lanes; it counts from the next Step on.
func (p *Pool) SetMax(max int) {
	p.max = max
	for i := range p.uploads {
		p.uploads[i].wants = -1
	}
}

// Add takes an upload in and gives the number that it goes by.
func (p *Pool) Add(u *Upload) uint32 {
	p.last++
	p.uploads = append(p.uploads, member{id: p.last, upload: u, wants: -1})
	return p.last
}

// Step gives ev to one upload, or to all with id 0, and shares the lanes anew
// where what the uploads want has changed. The slice is valid until the next Step.
func (p *Pool) Step(now time.Time, id uint32, ev Event) []Addressed {
	p.out = p.out[:0]
	for i := range p.uploads {
		if m := &p.uploads[i]; id == 0 || m.id == id {
			p.step(now, m, ev)
		}
	}
	p.share(now)
	return p.out
}

func (p *Pool) step(now time.Time, m *member, ev Event) {
	for _, c := range m.upload.Step(now, ev) {
		p.out = append(p.out, Addressed{Upload: m.id, Command: c})
	}
}

// share gives every upload that wants a lane one, in the order of arrival, and
// then the rest to the first that can use them.
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
	p.uploads = kept
	if !changed {
		return
	}
	grants := make([]int, len(p.uploads))
	left := p.max
	for most := 1; left > 0; most = p.max {
		for i := range p.uploads {
			give := min(p.uploads[i].wants, most) - grants[i]
			if give = min(give, left); give > 0 {
				grants[i] += give
				left -= give
			}
		}
		if most == p.max {
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
	case creating, listing, sending:
		return len(u.queue.parts) - u.queue.done
	}
	return 0
}
