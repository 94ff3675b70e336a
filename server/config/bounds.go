package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

// bounds are what no destination may go beyond that does not say bounds itself.
type bounds struct {
	size, duration, grant *bound
}

// bound is a smallest and a largest value, with the text that says so.
type bound struct {
	least, most int64
	text        string
}

// holds answers how from..to goes beyond a bound, "" for not.
func (b *bound) holds(from, to int64) bool { return b == nil || from >= b.least && to <= b.most }

// bounds reads what is there; what is not is as before.
func (o *object) bounds(before bounds) bounds {
	n := o.fields["bounds"]
	if n == nil {
		return before
	}
	in, b := o.d.object(n, "bounds", &boundsOptions), before
	read := func(name string, parse func(string) (int64, int64, error), into **bound) {
		v := in.text(name)
		if v == "" {
			return
		}
		from, to, err := parse(v)
		if err != nil {
			in.mistake(name, "%v", err)
			return
		}
		*into = &bound{from, to, v}
	}
	read("content_length", destination.ParseSizeRange, &b.size)
	read("duration", durations, &b.duration)
	read("grant_duration", durations, &b.grant)
	return b
}

// durations reads shortest..longest, such as 15m..1h.
func durations(s string) (int64, int64, error) {
	from, to, ok := strings.Cut(s, "..")
	shortest, err := ParseDuration(from)
	longest, errTo := ParseDuration(to)
	switch {
	case !ok || err != nil || errTo != nil || shortest < 0:
		return 0, 0, fmt.Errorf("%q is not a range of durations; write shortest..longest, such as 15m..1h", s)
	case shortest > longest:
		return 0, 0, fmt.Errorf("%q has its shortest duration above its longest; write %s..%s", s, to, from)
	}
	return int64(shortest), int64(longest), nil
}

// within holds a destination against its bounds.
func (o *object) within(b bounds, dst *destination.Destination) {
	const fix = "write %s"
	if b.size != nil && !b.size.holds(dst.MinSize, dst.MaxSize) {
		o.mistake("content_length", "content_length goes beyond the bounds %s; "+fix, b.size.text, "what is within them")
	}
	one := func(name string, b *bound, t time.Duration) {
		if b != nil && !b.holds(int64(t), int64(t)) {
			o.mistake(name, "%s is %s and the bounds are %s; "+fix, name, durationText(t), b.text, name+": "+durationText(time.Duration(max(b.least, min(b.most, int64(t))))))
		}
	}
	one("duration", b.duration, dst.Duration)
	one("grant_duration", b.grant, dst.GrantDuration)
}
