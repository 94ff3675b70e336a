package config

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// lineOf is how the YAML parser's errors begin. The line is often not that of
// the fault but of the mapping that it is in.
var lineOf = regexp.MustCompile(`^(yaml: )?(line \d+: )?`)

// lineBreak is what the YAML parser counts lines by (yaml.org/spec/1.1, section 4.1.4).
var lineBreak = regexp.MustCompile(`\r\n|[\n\r\x{85}\x{2028}\x{2029}]`)

// syntax reports what the YAML parser says, at the place from which on it can
// read the file no more.
func (d *document) syntax(data []byte, err error) {
	line, column := 1, 1
	text := lineOf.ReplaceAllString(err.Error(), "")
	if errors.Is(err, io.EOF) {
		text = "the file is empty; write server, auth, stores and destinations"
	} else {
		line, column = place(data)
		text = "this is not YAML: " + text + "; look at the indentation and the quotes here and on the line before"
	}
	d.mistakes = append(d.mistakes, d.found(line, column, text))
}

// place is where the longest beginning of a file that is YAML ends: first by
// whole lines, then within the next one.
func place(data []byte) (line, column int) {
	good, breaks := 0, lineBreak.FindAllIndex(data, -1) // good is a number of bytes
	for line = len(breaks) + 1; line > 1; line-- {
		if end := breaks[line-2][1]; isYAML(data[:end]) {
			good = end
			break
		}
	}
	rest := data[good:]
	if line <= len(breaks) {
		rest = data[good:breaks[line-1][0]]
	}
	for end := len(rest); end > 0; {
		_, size := utf8.DecodeLastRune(rest[:end])
		if end -= size; isYAML(data[:good+end]) {
			return line, utf8.RuneCount(rest[:end]) + 1
		}
	}
	return line, 1
}

func isYAML(data []byte) bool {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var n yaml.Node
		if err := decoder.Decode(&n); err != nil {
			return err == io.EOF
		}
	}
}
