package s3api

// scanner walks the small XML documents that S3 answers with: elements with
// text in them, one level of lists, no attributes that matter. After next,
// path is the element that just ended ("/Error/Code") and text what stood
// directly in it. encoding/xml would add 71 KB to the module.
type scanner struct {
	in   []byte
	path string
	text string

	open  string // the path of the element we are in
	chars []byte // the text since the last tag
	leave bool   // path's element is to be left at the next call
}

// next goes to the end of the next element; false at the end of the document,
// or where it is cut short or is no XML.
func (s *scanner) next() bool {
	if s.leave {
		s.open = parent(s.open)
		s.chars = s.chars[:0]
		s.leave = false
	}
	for len(s.in) > 0 {
		i := indexByte(s.in, '<')
		if i < 0 {
			break
		}
		s.chars = appendText(s.chars, s.in[:i])
		s.in = s.in[i+1:]
		if hasPrefix(s.in, "![CDATA[") {
			end := indexOf(s.in, "]]>")
			if end < 0 {
				break
			}
			s.chars = append(s.chars, s.in[len("![CDATA["):end]...)
			s.in = s.in[end+3:]
			continue
		}
		if hasPrefix(s.in, "!--") {
			end := indexOf(s.in, "-->")
			if end < 0 {
				break
			}
			s.in = s.in[end+3:]
			continue
		}
		end := indexByte(s.in, '>')
		if end < 0 {
			break
		}
		tag := s.in[:end]
		s.in = s.in[end+1:]
		switch {
		case len(tag) == 0 || tag[0] == '?' || tag[0] == '!':
		case tag[0] == '/':
			if s.open == "" {
				s.in = nil
				return false
			}
			s.path, s.text, s.leave = s.open, string(s.chars), true
			return true
		default:
			s.open += "/" + string(name(tag))
			s.chars = s.chars[:0]
			if tag[len(tag)-1] == '/' {
				s.path, s.text, s.leave = s.open, "", true
				return true
			}
		}
	}
	s.in = nil
	return false
}

// name takes the element's name off a start tag, without its prefix.
func name(tag []byte) []byte {
	end := 0
	for end < len(tag) && tag[end] != ' ' && tag[end] != '/' && tag[end] != '\t' && tag[end] != '\n' && tag[end] != '\r' {
		end++
	}
	n := tag[:end]
	if i := indexByte(n, ':'); i >= 0 {
		n = n[i+1:]
	}
	return n
}

func parent(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[:i]
		}
	}
	return ""
}

// appendText appends b with XML's five named entities and its numeric ones resolved.
func appendText(dst, b []byte) []byte {
	for len(b) > 0 {
		if b[0] == '&' {
			if end := indexByte(b, ';'); end > 1 && end <= 10 {
				if r, ok := entity(string(b[1:end])); ok {
					dst = append(dst, string(r)...)
					b = b[end+1:]
					continue
				}
			}
		}
		dst = append(dst, b[0])
		b = b[1:]
	}
	return dst
}

func entity(e string) (rune, bool) {
	switch e {
	case "amp":
		return '&', true
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	if len(e) < 2 || e[0] != '#' {
		return 0, false
	}
	base, digits := rune(10), e[1:]
	if digits[0] == 'x' || digits[0] == 'X' {
		base, digits = 16, digits[1:]
	}
	var r rune
	for i := 0; i < len(digits); i++ {
		d := rune(16)
		switch c := digits[i]; {
		case c >= '0' && c <= '9':
			d = rune(c - '0')
		case c >= 'a' && c <= 'f':
			d = rune(c-'a') + 10
		case c >= 'A' && c <= 'F':
			d = rune(c-'A') + 10
		}
		if d >= base {
			return 0, false
		}
		if r = r*base + d; r > 0x10FFFF {
			return 0, false
		}
	}
	return r, len(digits) > 0
}
