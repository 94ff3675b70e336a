package destination

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"
)

// Template says how keys are built: literal text and placeholders.
//
//	{user}          the principal's ID, encoded so that no two become the same
//	{claims.NAME}   a claim of the principal (a text or a number), encoded likewise
//	{destination}   the destination's name
//	{uuid}          a random UUID (version 4)
//	{ulid}          a ULID: as random, and sorted by time
//	{date}          today in UTC as 2006-01-02
//	{filename}      the file's name, cleaned and shortened
//	{basename}      the same without its extension
//	{ext}           the extension alone, "bin" where there is none
type Template struct {
	text     string
	segments [][]token // what is between the slashes
}

type token struct {
	kind  string // "" for literal text, else the placeholder's name
	value string // the text, or the claim's name
}

var placeholders = []string{"user", "claims", "destination", "uuid", "ulid", "date", "filename", "basename", "ext"}

// perFile are the placeholders that differ from file to file: a prefix ends
// before the first of them.
var perFile = []string{"uuid", "ulid", "date", "filename", "basename", "ext"}

// maxTemplate is how many bytes a template may have. The names of its claims may be longer than what they stand for.
const maxTemplate = 4 * maxKey

// ParseTemplate reads a template. Its errors say what to write instead.
func ParseTemplate(text string) (Template, error) {
	t := Template{}
	if text == "" {
		return t, fmt.Errorf("the key is empty; write for example uploads/{user}/{uuid}/{filename}")
	}
	if len(text) > maxTemplate {
		return t, fmt.Errorf("the key has %d bytes, and an object's key at most %d; write for example uploads/{user}/{uuid}/{filename}", len(text), maxKey)
	}
	t.text = text
	if !norm.NFC.IsNormalString(text) {
		return t, fmt.Errorf("the key is not in Unicode's normal form C; write %q", norm.NFC.String(text))
	}
	for s := range strings.SplitSeq(text, "/") {
		tokens, err := parseSegment(s)
		if err != nil {
			return t, err
		}
		t.segments = append(t.segments, tokens)
	}
	return t, nil
}

func parseSegment(s string) ([]token, error) {
	switch s {
	case "":
		return nil, fmt.Errorf("the key has an empty segment; it neither begins nor ends with a slash and has no two in a row")
	case ".", "..":
		return nil, fmt.Errorf("the key has a segment %q, which URL parsers drop; name it differently", s)
	}
	var tokens []token
	names := 0
	for rest := s; rest != ""; {
		open := strings.IndexByte(rest, '{')
		if open < 0 {
			open = len(rest)
		}
		if literal := rest[:open]; literal != "" {
			if i := strings.IndexFunc(literal, Forbidden); i >= 0 {
				return nil, fmt.Errorf(`the key holds %q, which stores take for a wildcard or cannot list; leave it out (a placeholder is written {uuid})`, []rune(literal[i:])[0])
			}
			tokens = append(tokens, token{"", literal})
			rest = rest[open:]
			continue
		}
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			return nil, fmt.Errorf("the key has a { that is not closed; write for example {uuid}")
		}
		kind, claim, dotted := strings.Cut(rest[1:end], ".")
		if !slices.Contains(placeholders, kind) || dotted != (kind == "claims") || dotted && !isClaimName(claim) {
			return nil, fmt.Errorf("{%s} is not a placeholder; there are {user} {claims.NAME} {destination} {uuid} {ulid} {date} {filename} {basename} {ext}", rest[1:end])
		}
		if kind == "filename" || kind == "basename" {
			names++
		}
		tokens = append(tokens, token{kind, claim})
		rest = rest[end+1:]
	}
	if names > 1 {
		return nil, fmt.Errorf("the segment %q has the file's name twice; once is enough", s)
	}
	return tokens, nil
}

func isClaimName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

func (t Template) String() string { return t.text }

// Unique says that no two grants get the same key.
func (t Template) Unique() bool { return t.has("uuid") || t.has("ulid") }

// PerUser says that no two principals get the same key: {user} is a whole
// segment. (Beside other text "a-b" and "c" is not told from "a" and "b-c".)
func (t Template) PerUser() bool {
	return slices.ContainsFunc(t.segments, func(s []token) bool { return len(s) == 1 && s[0].kind == "user" })
}

// PerPrincipal says that the key depends on who asks.
func (t Template) PerPrincipal() bool { return t.has("user") || t.has("claims") }

func (t Template) has(kind string) bool {
	return slices.ContainsFunc(t.segments, func(s []token) bool {
		return slices.ContainsFunc(s, func(k token) bool { return k.kind == kind })
	})
}

// CheckPrefix returns an error where a session for the part before the first
// per-file placeholder would reach other people's objects: without {user} or
// {claims.NAME} as a whole segment there, and where one of them ends that part.
// A prefix that ends with avatars/alice is one of avatars/alice2 too.
func (t Template) CheckPrefix() error {
	separated := false
	for _, s := range t.segments {
		isPerFile := func(k token) bool { return slices.Contains(perFile, k.kind) }
		if at := slices.IndexFunc(s, isPerFile); at >= 0 {
			return separates(separated, s[:at])
		}
		separated = separated || len(s) == 1 && s[0].identity()
	}
	return separates(separated, t.segments[len(t.segments)-1])
}

// CheckPrefix returns an error where a destination's template has no prefix that
// a session of its scope may be for.
func (d *Destination) CheckPrefix() error {
	if d.Scope == ScopeShared {
		return d.Key.checkFolder()
	}
	return d.Key.CheckPrefix()
}

// checkFolder returns an error where the part before the first per-file
// placeholder is no folder: at least a whole segment, with its slash.
func (t Template) checkFolder() error {
	for i, s := range t.segments {
		at := slices.IndexFunc(s, func(k token) bool { return slices.Contains(perFile, k.kind) })
		if at == 0 && i > 0 {
			return nil
		}
		if at >= 0 {
			break
		}
	}
	return errors.New("scope: shared needs a folder before what differs from file to file; " +
		"write for example uploads/pdfs/{filename}, or scope: object")
}

// separates is CheckPrefix's verdict on a prefix that ends with a part of a segment.
func separates(separated bool, end []token) error {
	switch {
	case !separated:
		return errors.New("scope: prefix needs {user} or {claims.NAME} as a whole segment before what differs from file to file; " +
			"write for example uploads/{user}/{uuid}/{filename}, or scope: object")
	case slices.ContainsFunc(end, token.identity):
		return errors.New("scope: prefix needs a slash behind {user} and {claims.NAME}, or the prefix of one would be that of others too; " +
			"write for example uploads/{user}/{uuid}/{filename}, or scope: object")
	}
	return nil
}

// identity reports whether a placeholder says whose an object is.
func (k token) identity() bool { return k.kind == "user" || k.kind == "claims" }

// Values is what placeholders stand for.
type Values struct {
	Principal   Principal
	Destination string
	Name        string // the file's, as the page gave it
	Now         time.Time
	Random      io.Reader
}

// Prefix is the key up to its first per-file placeholder. Errors are *Error
// with ClaimMissing.
func (t Template) Prefix(p Principal, destination string) (string, error) {
	var b strings.Builder
	v := Values{Principal: p, Destination: destination}
	for i, s := range t.segments {
		if i > 0 {
			b.WriteByte('/')
		}
		for _, k := range s {
			if slices.Contains(perFile, k.kind) {
				return b.String(), nil
			}
			text, err := v.expand(k)
			if err != nil {
				return "", err
			}
			b.WriteString(text)
		}
	}
	return b.String(), nil
}

// Build makes a key. Errors are *Error with ClaimMissing or KeyTooLong. A key
// that it returns passes CheckKey, and none of its segments has more than 200
// bytes.
func (t Template) Build(v Values) (string, error) {
	segments := make([]string, len(t.segments))
	for i, tokens := range t.segments {
		var err error
		if segments[i], err = v.segment(tokens); err != nil {
			return "", err
		}
	}
	key := strings.Join(segments, "/")
	return key, CheckKey(key)
}

// segment expands one segment; the file's name gets the room that the rest
// leaves of it.
func (v *Values) segment(tokens []token) (string, error) {
	texts, room, name := make([]string, len(tokens)), maxSegment, -1
	for i, k := range tokens {
		var err error
		if texts[i], err = v.expand(k); err != nil {
			return "", err
		}
		if k.kind == "filename" || k.kind == "basename" {
			name = i
		} else {
			room -= len(texts[i])
		}
	}
	if room < 0 || name >= 0 && room < maxExtension {
		return "", refuse(KeyTooLong, "", "a segment of the object's key would have more than 200 bytes; put the placeholders of the destination's key into segments of their own")
	}
	if name >= 0 {
		texts[name] = shorten(texts[name], room)
	}
	// What was cut apart may compose anew where it meets its neighbour.
	return cut(norm.NFC.String(strings.Join(texts, "")), maxSegment), nil
}

func (v *Values) expand(k token) (string, error) {
	switch k.kind {
	case "":
		return k.value, nil
	case "user":
		if v.Principal.ID == "" {
			return "", refuse(Unauthenticated, "", "the destination's key needs to know who you are; sign in")
		}
		return encodeIdentity(v.Principal.ID), nil
	case "claims":
		return v.claim(k.value)
	case "destination":
		return v.Destination, nil
	case "date":
		return v.Now.UTC().Format(time.DateOnly), nil
	case "uuid":
		id, err := uuid.NewRandomFromReader(v.Random)
		return id.String(), err
	case "ulid":
		return newULID(v.Now, v.Random)
	}
	name := CleanName(v.Name)
	base, ext := splitName(name)
	switch {
	case k.kind == "basename":
		return base, nil
	case k.kind == "ext" && ext == "":
		return "bin", nil
	case k.kind == "ext":
		return ext, nil
	}
	return name, nil
}

func (v *Values) claim(name string) (string, error) {
	text := ""
	switch c := v.Principal.Claims[name].(type) {
	case string:
		text = c
	case json.Number:
		text = c.String()
	}
	if text == "" {
		return "", refuse(ClaimMissing, "", fmt.Sprintf("the destination's key needs the claim %q, and your sign-in has none that is a text or a number; ask whoever runs the identity provider", name))
	}
	return encodeIdentity(text), nil
}

const ulidAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// newULID makes a ULID (github.com/ulid/spec): 48 bits of milliseconds and 80
// random ones in Crockford's base 32.
func newULID(now time.Time, random io.Reader) (string, error) {
	var b [16]byte
	ms := uint64(now.UnixMilli())
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	if _, err := io.ReadFull(random, b[6:]); err != nil {
		return "", err
	}
	var s [26]byte
	for i := range s {
		// 26 × 5 = 130 bits: the first digit has two leading zeros.
		var digit byte
		for bit := i*5 - 2; bit < i*5+3; bit++ {
			digit <<= 1
			if bit >= 0 {
				digit |= b[bit/8] >> (7 - bit%8) & 1
			}
		}
		s[i] = ulidAlphabet[digit]
	}
	return string(s[:]), nil
}
