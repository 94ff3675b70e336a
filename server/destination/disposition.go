package destination

import (
	"net/url"
	"regexp"
	"strings"
)

// Disposition is a Content-Disposition (RFC 6266), attachment or inline, with a
// file's name, which non-ASCII names need written twice (its appendix D).
func Disposition(kind, name string) string {
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\%`, r) {
			return '_'
		}
		return r
	}, name)
	value := kind + `; filename="` + plain + `"`
	if plain != name {
		// RFC 8187 spares a few more characters than a query does; encoding those too is allowed.
		value += "; filename*=UTF-8''" + strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
	}
	return value
}

// namePlace is where a Content-Disposition of a destination has the file's name.
var namePlace = regexp.MustCompile(`^([A-Za-z-]+) *; *filename="?\{filename\}"?$`)

// CheckDisposition reports whether a destination's content_disposition is a text as it
// is, or one whose parameter filename is {filename} and nothing else.
func CheckDisposition(text string) bool {
	return !strings.ContainsAny(text, "{}") || namePlace.MatchString(text)
}

// of is what the object of a file is stored with: its name in place of {filename}.
func (o ObjectSettings) of(name string) ObjectSettings {
	if m := namePlace.FindStringSubmatch(o.ContentDisposition); m != nil {
		o.ContentDisposition = Disposition(m[1], name)
	}
	return o
}
