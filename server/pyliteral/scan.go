package pyliteral

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type kind int

const (
	end kind = iota
	newline
	name
	number
	text
	symbol
)

// token is a piece of a program (docs.python.org/3/reference/lexical_analysis.html).
type token struct {
	kind         kind
	text         string // a text's value
	source       string // as it is written
	value        int64  // a number's
	known        bool   // text or value is what the program would have
	line, column int    // the column from 0
	spaced       bool   // white space stands before it
}

type scanner struct {
	source    string
	at, line  int
	lineStart int
	depth     int
	json      bool
	tokens    []token
}

// scan cuts a program into tokens. A line that goes on, in brackets or by a
// backslash, is one.
func scan(source string, json bool) []token {
	s := &scanner{source: source, line: 1, json: json}
	for s.at < len(source) {
		if s.one(); len(s.tokens) > maxTokens {
			panic(&Error{s.line, "the program is too long to be read"})
		}
	}
	s.add(newline, "", false)
	s.add(end, "", false)
	return s.tokens
}

func (s *scanner) add(k kind, source string, spaced bool) {
	s.tokens = append(s.tokens, token{kind: k, text: source, source: source, line: s.line, column: s.at - s.lineStart, spaced: spaced})
}

func (s *scanner) newLine() {
	s.line++
	s.lineStart = s.at + 1
}

func (s *scanner) one() {
	rest := s.source[s.at:]
	spaced := s.at > 0 && strings.ContainsRune(" \t\n", rune(s.source[s.at-1]))
	switch c := rest[0]; {
	case c == '\n':
		if s.depth == 0 && len(s.tokens) > 0 && s.tokens[len(s.tokens)-1].kind != newline {
			s.add(newline, "", false)
		}
		s.newLine()
		s.at++
	case c == ' ' || c == '\t' || c == '\f':
		s.at++
	case c == '\\' && strings.HasPrefix(rest, "\\\n"):
		s.at++
		s.newLine()
		s.at++
	case c == '#':
		if i := strings.IndexByte(rest, '\n'); i >= 0 {
			s.at += i
		} else {
			s.at = len(s.source)
		}
	case c >= '0' && c <= '9' || c == '.' && len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9':
		s.number(rest, spaced)
	default:
		if prefix, quote := opening(rest); quote != "" {
			s.quoted(rest, prefix, quote, spaced)
			return
		}
		if n := identifier(rest); n > 0 {
			s.add(name, rest[:n], spaced)
			s.at += n
			return
		}
		_, n := utf8.DecodeRuneInString(rest)
		for _, long := range []string{"**", "//", "==", "!=", "<=", ">=", ":=", "+=", "-=", "*=", "|=", "->", "..."} {
			if strings.HasPrefix(rest, long) {
				n = len(long)
				break
			}
		}
		s.add(symbol, rest[:n], spaced)
		if strings.Contains("([{", rest[:n]) {
			s.depth++
		} else if strings.Contains(")]}", rest[:n]) && s.depth > 0 {
			s.depth--
		}
		s.at += n
	}
}

func identifier(rest string) int {
	for i, r := range rest {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return i
		}
	}
	return len(rest)
}

func (s *scanner) number(rest string, spaced bool) {
	n := strings.IndexFunc(rest, func(r rune) bool { return r != '.' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if n < 0 {
		n = len(rest)
	}
	s.add(number, rest[:n], spaced)
	t := &s.tokens[len(s.tokens)-1]
	if v, err := strconv.ParseInt(rest[:n], 0, 64); err == nil {
		t.value, t.known = v, true
	} else if f, err := strconv.ParseFloat(strings.ReplaceAll(rest[:n], "_", ""), 64); err == nil && f > -1e18 && f < 1e18 {
		t.value, t.known = int64(f), f == float64(int64(f))
	}
	s.at += n
}

// opening gives how a text begins, nothing where rest does not begin with one.
func opening(rest string) (prefix, quote string) {
	n := 0
	for n < len(rest) && n < 2 && strings.IndexByte("rRbBuUfF", rest[n]) >= 0 {
		n++
	}
	for _, q := range []string{`"""`, `'''`, `"`, `'`} {
		if strings.HasPrefix(rest[n:], q) {
			return strings.ToLower(rest[:n]), q
		}
	}
	return "", ""
}

func (s *scanner) quoted(rest, prefix, quote string, spaced bool) {
	from, line := len(prefix)+len(quote), s.line
	i := from
	for ; i < len(rest) && !strings.HasPrefix(rest[i:], quote); i++ {
		if rest[i] == '\n' && len(quote) == 1 {
			break
		}
		if rest[i] == '\\' {
			i++
		}
	}
	if i >= len(rest) || !strings.HasPrefix(rest[i:], quote) {
		panic(&Error{line, "a text is not closed"})
	}
	inside, whole := rest[from:i], rest[:i+len(quote)]
	t := token{kind: text, source: whole, line: line, column: s.at - s.lineStart, spaced: spaced}
	t.text, t.known = inside, !strings.Contains(prefix, "f") // an f-string is computed
	if s.json {
		t.known = json.Unmarshal([]byte(whole), &t.text) == nil
	} else if !strings.Contains(prefix, "r") {
		t.text = unescaped(inside)
	}
	s.tokens = append(s.tokens, t)
	for j, c := range []byte(whole) {
		if c == '\n' {
			s.line++
			s.lineStart = s.at + j + 1
		}
	}
	s.at += len(whole)
}

// unescaped reads the escapes of a text; of those that Python does not know the
// backslash stays.
func unescaped(in string) string {
	if !strings.Contains(in, `\`) {
		return in
	}
	simple := map[byte]string{'\n': "", '\\': `\`, '\'': "'", '"': `"`, 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v"}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}
	var b strings.Builder
	for i := 0; i < len(in); i++ {
		if in[i] != '\\' || i+1 == len(in) {
			b.WriteByte(in[i])
			continue
		}
		i++
		if s, ok := simple[in[i]]; ok {
			b.WriteString(s)
			continue
		}
		if n := digits[in[i]]; n > 0 && i+n < len(in) {
			if r, err := strconv.ParseUint(in[i+1:i+1+n], 16, 32); err == nil {
				b.WriteRune(rune(r))
				i += n
				continue
			}
		}
		b.WriteByte('\\')
		b.WriteByte(in[i])
	}
	return b.String()
}
