package s3direct

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
)

// quoted is a text in YAML, between double quotes as in JSON.
func quoted(s string) string {
	b, _ := json.Marshal(s) // of a text it never fails
	return visible(string(b))
}

// visible escapes what is no printable character: YAML takes some for the end of
// a line, and so of a comment, and a terminal some for a command.
func visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\t':
			b.WriteString("    ")
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

const columns = 116

// comment writes a text as comment lines, broken between words.
func comment(b *strings.Builder, indent, s string) {
	line := indent + "#"
	for _, word := range strings.Fields(visible(s)) {
		if len(line)+1+len(word) > columns && line != indent+"#" {
			b.WriteString(line + "\n")
			line = indent + "#  "
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}

// program writes a piece of a program as comment lines, if there is one.
func program(b *strings.Builder, indent, source string) {
	if source == "" {
		return
	}
	for _, line := range strings.Split(strings.TrimRight(source, " \t\r\n"), "\n") {
		b.WriteString(strings.TrimRight(indent+"#     "+visible(strings.TrimRight(line, "\r")), " ") + "\n")
	}
}

// short is a text that fits into a line.
func short(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 80 {
		s = string(r[:79]) + "…"
	}
	return s
}
