package upload

import "time"

// gate bounds the bytes a second of all uploads of a pool: a part may begin
// once what was sent before it has been paid for. A part that has begun goes
// as fast as the line takes it.
type gate struct {
	rate int64   // bytes a second
	debt float64 // bytes, at
	at   time.Time
}

// open says whether a part may begin now.
func (g *gate) open(now time.Time) bool {
	if g == nil || g.rate == 0 {
		return true
	}
	if !g.at.IsZero() && g.debt > 0 {
		g.debt = max(0, g.debt-float64(g.rate)*now.Sub(g.at).Seconds())
	}
	g.at = now
	return g.debt < 1
}

func (g *gate) take(size int64) {
	if g != nil && g.rate > 0 {
		g.debt += float64(size)
	}
}

// opens is when a part may begin next, as things stand.
func (g *gate) opens() time.Time {
	if g == nil || g.rate == 0 || g.debt < 1 {
		return time.Time{}
	}
	return g.at.Add(time.Duration(g.debt / float64(g.rate) * float64(time.Second)))
}
