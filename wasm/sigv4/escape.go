package sigv4

// EscapePath returns a decoded path as it goes over the wire and into the
// canonical request: every byte but A-Z a-z 0-9 - . _ ~ and / becomes %XX with
// upper-case digits. Empty is "/". The path is not cleaned: S3 keys may hold
// "//" and dot segments, though a browser drops the latter from a URL.
//
// It encodes more than net/url does ("!", "$", "(", …), so an http.Request needs
// its URL.RawPath set to this.
func EscapePath(path string) string { return string(appendPath(nil, path)) }

// EscapeQuery returns the canonical query, which is also the one to send: names
// and values encoded as in EscapePath, "/" too, sorted by encoded name and then
// by encoded value. A field without value keeps its equals sign: "uploads=".
// It sorts by insertion, so it is for the dozen fields that S3 knows.
func EscapeQuery(q []Param) string {
	fields := appendQuery(nil, q)
	sortByNameAndValue(fields)
	return string(appendJoined(nil, fields))
}

// appendPath appends EscapePath of path.
func appendPath(dst []byte, path string) []byte {
	if path == "" {
		return append(dst, '/')
	}
	return appendEscaped(dst, path, '/')
}

// appendQuery appends q's fields, encoded, to dst.
func appendQuery(dst, q []Param) []Param {
	for _, p := range q {
		dst = append(dst, Param{escape(p.Name), escape(p.Value)})
	}
	return dst
}

// sortByNameAndValue sorts encoded fields, by bytes. Sorting them before they
// are encoded gives another order: "/" is after "-", "%2F" is before it.
func sortByNameAndValue(fields []Param) {
	for i := 1; i < len(fields); i++ {
		for j := i; j > 0 && before(fields[j], fields[j-1]); j-- {
			fields[j], fields[j-1] = fields[j-1], fields[j]
		}
	}
}

func before(a, b Param) bool {
	return a.Name < b.Name || a.Name == b.Name && a.Value < b.Value
}

// appendJoined appends encoded fields as a query.
func appendJoined(dst []byte, fields []Param) []byte {
	for i, p := range fields {
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = append(dst, p.Name...)
		dst = append(dst, '=')
		dst = append(dst, p.Value...)
	}
	return dst
}

// escape returns s encoded for a query; s itself where nothing needs it.
func escape(s string) string {
	for i := 0; i < len(s); i++ {
		if !unreserved(s[i]) {
			return string(appendEscaped(make([]byte, 0, len(s)+16), s, 0))
		}
	}
	return s
}

// appendEscaped appends s with every byte but the unreserved ones and keep as
// %XX. 0 keeps nothing, for NUL is encoded in any case.
func appendEscaped(dst []byte, s string, keep byte) []byte {
	const upper = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		c := s[i]
		if unreserved(c) || c == keep && keep != 0 {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', upper[c>>4], upper[c&15])
		}
	}
	return dst
}

// unreserved is RFC 3986, section 2.3.
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

// appendHex appends b in lower-case hex.
func appendHex(dst, b []byte) []byte {
	const digits = "0123456789abcdef"
	for _, c := range b {
		dst = append(dst, digits[c>>4], digits[c&15])
	}
	return dst
}
