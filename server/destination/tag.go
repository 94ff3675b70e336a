package destination

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// SessionTag is a tag of sessions: by it AWS's own policies can tell whom one is
// of (IAM/latest/UserGuide/id_session-tags.html). Each takes its part of STS's
// packed limit.
type SessionTag struct {
	Name  string
	value []token
}

// SetTag is a SessionTag of one session.
type SetTag struct{ Name, Value string }

// What STS takes (STS/latest/APIReference/API_Tag.html).
var tagText = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

const maxTagName, maxTagValue = 128, 256 // characters

// ParseSessionTag reads a tag, whose value may hold {user}, {claims.NAME} and
// {destination}. Its errors say what to write instead.
func ParseSessionTag(name, value string) (SessionTag, error) {
	t := SessionTag{Name: name}
	if n := utf8.RuneCountInString(name); n < 1 || n > maxTagName || !tagText.MatchString(name) || strings.HasPrefix(strings.ToLower(name), "aws:") {
		return t, fmt.Errorf("the tag %q is not one that STS takes; write letters, digits, spaces and _ . : / = + - @, up to 128; aws: at the beginning is AWS's own", name)
	}
	var err error
	if t.value, err = parseSegment(value); err != nil {
		return t, fmt.Errorf("the tag %s: %s", name, strings.Replace(err.Error(), "the key", "its value", 1))
	}
	for _, k := range t.value {
		switch {
		case k.kind == "" && !tagText.MatchString(k.value):
			return t, fmt.Errorf("the tag %s holds %q, which STS does not take; write letters, digits, spaces and _ . : = + - @", name, k.value)
		case k.kind != "" && k.kind != "user" && k.kind != "claims" && k.kind != "destination":
			return t, fmt.Errorf("the tag %s has {%s}; a session may serve several files, write {user}, {claims.NAME} or {destination}", name, k.kind)
		}
	}
	return t, nil
}

// SessionTags are those of a session of a principal. Errors are *Error with
// ClaimMissing or PolicyTooLong.
func (d *Destination) SessionTags(p Principal) (set []SetTag, err error) {
	v := Values{Principal: p, Destination: d.Name}
	for _, t := range d.Store.STS.Tags {
		var b strings.Builder
		for _, k := range t.value {
			text, err := v.expand(k)
			if err != nil {
				return nil, err
			}
			b.WriteString(text)
		}
		if utf8.RuneCountInString(b.String()) > maxTagValue {
			return nil, refuse(PolicyTooLong, "", fmt.Sprintf("the session's tag %s would have more than the 256 characters that STS takes; ask the server's admin", t.Name))
		}
		set = append(set, SetTag{t.Name, b.String()})
	}
	return set, nil
}
