package destination

import (
	"fmt"
	"math"
	"mime"
	"strconv"
	"strings"
	"unicode"
)

// DefaultType is the media type of a file whose browser knows none.
const DefaultType = "application/octet-stream"

var units = []struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// ParseSize reads a number of bytes such as 0, 1B, 1.5GiB or 50MB.
func ParseSize(s string) (int64, error) {
	number, factor := strings.TrimSpace(s), 1.0
	for _, u := range units {
		if n, ok := strings.CutSuffix(number, u.name); ok {
			number, factor = strings.TrimSpace(n), u.bytes
			break
		}
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || f < 0 || strings.Trim(number, "0123456789.") != "" {
		return 0, fmt.Errorf("%q is not a size; write a number with B, kB, MB, GB, TB, KiB, MiB, GiB or TiB, such as 50MiB", s)
	}
	bytes := f * factor
	if bytes != math.Trunc(bytes) {
		return 0, fmt.Errorf("%q is not a whole number of bytes", s)
	}
	if bytes >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is more than S3's largest object; write at most 50TB", s)
	}
	return int64(bytes), nil
}

// ParseSizeRange reads smallest..largest, such as 1B..50MiB.
func ParseSizeRange(s string) (smallest, largest int64, err error) {
	from, to, ok := strings.Cut(s, "..")
	if !ok {
		return 0, 0, fmt.Errorf("%q is not a range of sizes; write smallest..largest, such as 1B..50MiB", s)
	}
	if smallest, err = ParseSize(from); err != nil {
		return 0, 0, err
	}
	if largest, err = ParseSize(to); err != nil {
		return 0, 0, err
	}
	if smallest > largest {
		return 0, 0, fmt.Errorf("%q has its smallest size above its largest; write %s..%s", s, strings.TrimSpace(to), strings.TrimSpace(from))
	}
	if largest > MaxObjectSize {
		return 0, 0, fmt.Errorf("%q goes above S3's largest object; write at most 50TB", s)
	}
	return smallest, largest, nil
}

// sizeText says a size as a person would, exact where it is round.
func sizeText(n int64) string {
	for _, u := range []struct {
		name  string
		bytes int64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.bytes {
			return strconv.FormatFloat(math.Round(float64(n)/float64(u.bytes)*10)/10, 'f', -1, 64) + " " + u.name
		}
	}
	return strconv.FormatInt(n, 10) + " B"
}

// CheckTypeGlob answers an error where a content type pattern is neither
// type/subtype, type/* nor */*.
func CheckTypeGlob(glob string) error {
	main, sub, ok := strings.Cut(glob, "/")
	if !ok || !isToken(main) || !isToken(sub) || glob != strings.ToLower(glob) ||
		main == "*" && sub != "*" || strings.Contains(strings.TrimSuffix(main, "*")+strings.TrimSuffix(sub, "*"), "*") ||
		len(main) > 1 && strings.HasSuffix(main, "*") || len(sub) > 1 && strings.HasSuffix(sub, "*") {
		return fmt.Errorf("%q is not a content type; write type/subtype in lower case, such as image/png or image/*", glob)
	}
	return nil
}

// isToken follows RFC 9110, section 5.6.2.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// AcceptsType says whether a media type, with parameters or without, matches
// one of the destination's globs.
func (d *Destination) AcceptsType(mediaType string) bool {
	essence, _, err := mime.ParseMediaType(mediaType)
	if err != nil {
		return false
	}
	if len(d.ContentTypes) == 0 {
		return true
	}
	for _, glob := range d.ContentTypes {
		if glob == "*/*" || glob == essence {
			return true
		}
		if family, ok := strings.CutSuffix(glob, "*"); ok && strings.HasPrefix(essence, family) {
			return true
		}
	}
	return false
}

// check holds a file against the destination's limits, and gives it back with
// the type it will be stored with.
func (d *Destination) check(f File) (File, error) {
	if strings.TrimSpace(f.Name) == "" {
		return f, refuse(FieldInvalid, "name", "name is empty; send the file's name")
	}
	if len(f.Name) > maxName {
		return f, refuse(FieldInvalid, "name", fmt.Sprintf("name has %d bytes; send at most %d", len(f.Name), maxName))
	}
	if f.Type == "" {
		f.Type = DefaultType
	}
	if err := d.checkLimits(f); err != nil || f.Digest == nil {
		return f, err
	}
	return f, f.Digest.check(f.Size)
}

// cleanName is what a download of the file is called.
func (f File) cleanName() string { return shorten(CleanName(f.Name), maxSegment) }

// CheckMediaType refuses what is no media type in printable ASCII: it becomes a
// header, of an object or of the reply to who reads one, and mime's parser takes
// line breaks and Unicode's spaces between parameters.
func CheckMediaType(text string) error {
	odd := func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) }
	essence, _, err := mime.ParseMediaType(text)
	if err != nil || !strings.Contains(essence, "/") || len(text) > 255 || strings.ContainsFunc(text, odd) {
		return refuse(FieldInvalid, "type", "type is not a media type; send type/subtype such as image/png, or nothing")
	}
	return nil
}

func (d *Destination) checkLimits(f File) error {
	if err := CheckMediaType(f.Type); err != nil {
		return err
	}
	if !d.AcceptsType(f.Type) {
		return refuse(TypeNotAllowed, "type", fmt.Sprintf("%s is not taken here; this destination takes %s", f.Type, strings.Join(d.ContentTypes, ", ")))
	}
	switch {
	case f.Size < 0:
		return refuse(FieldInvalid, "size", "size is negative; send the file's size in bytes")
	case f.Size < d.MinSize:
		return refuse(TooSmall, "size", fmt.Sprintf("the file has %s; this destination takes files from %s", sizeText(f.Size), sizeText(d.MinSize)))
	case f.Size > d.MaxSize:
		return refuse(TooLarge, "size", fmt.Sprintf("the file has %s; this destination takes files up to %s", sizeText(f.Size), sizeText(d.MaxSize)))
	}
	return nil
}
