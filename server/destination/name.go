package destination

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	maxSegment   = 200   // bytes of a key between two slashes; file systems end at 255
	maxExtension = 20    // bytes; what is longer is no extension
	maxKey       = 1024  // bytes (AmazonS3/latest/userguide/object-keys.html)
	maxName      = 4_096 // bytes of a file's name that a request may hold
	unnamed      = "unnamed"
)

// Forbidden says whether a key may not hold r.
//
// The first six are wildcards, variables and separators to IAM or to some
// store's reading of it, and cannot be escaped everywhere: MinIO and versitygw
// treat the * of ${*} as a wildcard. Control characters, and U+FFFE and
// U+FFFF, cannot stand in the XML of a listing; line separators and the
// characters that turn the direction of text make a name read as another.
func Forbidden(r rune) bool {
	switch r {
	case '*', '?', '$', '{', '}', '\\':
		return true
	case '\u061C', '\u200E', '\u200F', '\u2028', '\u2029', '\uFEFF', '\uFFFE', '\uFFFF', utf8.RuneError:
		return true
	}
	return unicode.IsControl(r) || r >= '\u202A' && r <= '\u202E' || r >= '\u2066' && r <= '\u2069'
}

// CheckKey answers an *Error where a key is not one that a session policy
// can name exactly: see Forbidden, and URL parsers drop . and .. segments.
func CheckKey(key string) error {
	switch {
	case key == "":
		return refuse(FieldInvalid, "key", "the key is empty")
	case len(key) > maxKey:
		return refuse(KeyTooLong, "name", "the object's key would have more than 1,024 bytes, S3's limit; give the file a shorter name")
	case !utf8.ValidString(key):
		return refuse(FieldInvalid, "key", "the key is not valid UTF-8")
	case strings.ContainsFunc(key, Forbidden):
		return refuse(FieldInvalid, "key", `the key holds one of * ? $ { } \ or a control or bidirectional character`)
	}
	for s := range strings.SplitSeq(key, "/") {
		if s == "." || s == ".." || s == "" {
			return refuse(FieldInvalid, "key", "the key has an empty segment, or one that is . or ..")
		}
	}
	return nil
}

// CleanName turns a file's name into one that can be a segment of a key: NFC,
// valid UTF-8, nothing Forbidden, no slash, not only dots, no white space at
// its ends, never empty. What cannot stay becomes "_". It is not shortened.
func CleanName(name string) string {
	name = norm.NFC.String(strings.ToValidUTF8(name, "_"))
	name = strings.Map(func(r rune) rune {
		if r == '/' || Forbidden(r) {
			return '_'
		}
		return r
	}, name)
	name = strings.TrimSpace(name)
	if name == "" {
		return unnamed
	}
	if !norm.NFC.PropertiesString(name).BoundaryBefore() {
		name = "_" + name // or it would compose with what stands before it in the key
	}
	return dotless(name)
}

// dotless replaces the dots of a name that has nothing else.
func dotless(name string) string {
	if strings.Trim(name, ".") == "" {
		return strings.Repeat("_", len(name))
	}
	return name
}

// splitName cuts a clean name into base and extension, the latter without its
// dot and "" where there is none: ".profile" and "a." have none.
func splitName(name string) (base, ext string) {
	i := strings.LastIndexByte(name, '.')
	if i <= 0 || len(name)-i-1 > maxExtension || i == len(name)-1 || strings.ContainsFunc(name[i+1:], unicode.IsSpace) {
		return name, ""
	}
	return dotless(name[:i]), name[i+1:]
}

// shorten cuts a name to at most n bytes at a rune, keeping its extension
// where that leaves room for something else.
func shorten(name string, n int) string {
	if len(name) <= n {
		return name
	}
	base, ext := splitName(name)
	if ext != "" && len(ext)+2 <= n {
		return cut(base, n-len(ext)-1) + "." + ext
	}
	return cut(name, n)
}

func cut(s string, n int) string {
	if n >= len(s) {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return dotless(strings.TrimRightFunc(s[:n], unicode.IsSpace))
}

// encodeIdentity writes an identity so that two of them never become the same
// segment: letters, digits and - _ . @ stay, any other byte becomes =XX as in
// quoted-printable (RFC 2045, section 6.7). What would be too long becomes "~"
// and its SHA-256 in hex, which no other identity can, for its own ~ is =7E.
func encodeIdentity(id string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	dots := strings.Trim(id, ".") == ""
	for i := range len(id) {
		c := id[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '_', c == '@', c == '.' && !dots:
			b.WriteByte(c)
		default:
			b.WriteByte('=')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	if b.Len() <= maxSegment/2 {
		return b.String()
	}
	sum := sha256.Sum256([]byte(id))
	return "~" + hex.EncodeToString(sum[:])
}
