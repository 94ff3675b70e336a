package config

import (
	"errors"
	"strings"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

// defaults are what destinations have that do not say it themselves, nil for
// nothing. They are read, and held against the rest, with each destination.
func (d *document) defaults(root *object) *object {
	n := root.fields["defaults"]
	if n == nil {
		return nil
	}
	return d.object(n, "defaults", defaultOptions)
}

// inherit takes what is not there from defaults.
func (o *object) inherit() {
	if o.defaults == nil {
		return
	}
	for _, k := range o.defaults.keys {
		if o.names[k] == nil {
			o.fields[k], o.names[k] = o.defaults.fields[k], o.defaults.names[k]
		}
	}
}

// longestAddress is as long as one is written.
const longestAddress = "2001:db8:1111:2222:3333:4444:5555:6666"

// budget holds the destination's session policies against STS's limit: as they
// would be for the shortest names, without which nothing could be uploaded, and
// for the longest. The destination has no mistake so far.
func (d *document) budget(o *object, dst *destination.Destination) {
	if d.policies == nil || dst.Store == nil || dst.Store.STS.RoleARN == "" {
		return
	}
	try := func(identity, name string) string {
		p := destination.Principal{ID: identity, Claims: map[string]any{}, Via: destination.Request{Address: longestAddress}}
		for _, claim := range dst.Claims() {
			p.Claims[claim] = identity
		}
		_, rights, err := dst.Preview(p, name, time.Unix(0, 0), strings.NewReader(strings.Repeat("\x00", 256)))
		if err == nil {
			_, err = d.policies(rights)
		}
		var e *destination.Error
		if errors.As(err, &e) {
			return strings.TrimSuffix(e.Detail, "; give the file a shorter name")
		}
		return ""
	}
	if what := try("u", "f"); what != "" {
		o.mistake("key", "nothing could be uploaded to %s: %s; shorten key", dst.Name, what)
		return
	}
	// 100 bytes are the most that an identity has in a key. In a policy é is six
	// characters for two bytes, and no other character is more for each byte.
	const wide = "\u00e9"
	if what := try(strings.Repeat("u", 100), strings.Repeat(wide, 100)+"."+strings.Repeat(wide, 10)); what != "" {
		d.warn(o.at("key"), "with the longest names an upload to %s is refused: %s; shorten key, if such names are to be expected", dst.Name, what)
	}
}
