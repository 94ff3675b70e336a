package destination

import (
	"io"
	"strings"
	"time"
)

// Preview is the key and the rights that a principal's file of some name would
// get here now. Errors are those of Template.Build.
func (d *Destination) Preview(p Principal, name string, now time.Time, random io.Reader) (key string, r Rights, err error) {
	key, err = d.Key.Build(Values{Principal: p, Destination: d.Name, Name: name, Now: now, Random: random})
	if err != nil {
		return "", Rights{}, err
	}
	r, err = d.rights(p, key)
	return key, r, err
}

// Beginning is what all keys of the destination begin with. whole says that
// there is but one key, and that this is it.
func (d *Destination) Beginning() (text string, whole bool) {
	var b strings.Builder
	for i, segment := range d.Key.segments {
		if i > 0 {
			b.WriteByte('/')
		}
		for _, k := range segment {
			switch k.kind {
			case "":
				b.WriteString(k.value)
			case "destination":
				b.WriteString(d.Name)
			default:
				return b.String(), false
			}
		}
	}
	return b.String(), true
}

// Claims are those that the destination's keys and its sessions' tags are made
// with.
func (d *Destination) Claims() (names []string) {
	from := append([][]token{}, d.Key.segments...)
	for _, t := range d.Store.STS.Tags {
		from = append(from, t.value)
	}
	for _, tokens := range from {
		for _, k := range tokens {
			if k.kind == "claims" {
				names = append(names, k.value)
			}
		}
	}
	return names
}
