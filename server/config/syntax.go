package config

import (
	"bytes"
	"errors"
	"io"
	"regexp"

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
		line, column = (&place{data: data}).find()
		text = "this is not YAML: " + text + "; look at the indentation and the quotes here and on the line before"
	}
	d.mistakeAt(line, column, "%s", text)
}

// attempts is how many places are tried one by one at most, and maxParsed how many bytes are parsed for that. In larger
// files halves are tried, so that the work grows with the size and its logarithm alone.
const (
	attempts  = 4_096
	maxParsed = 4 << 20
)

// place finds where a file stops to be YAML.
type place struct {
	data   []byte
	parsed int // bytes so far
	tries  int
}

// find answers where the longest beginning of the file that is YAML ends: first by whole lines, then within the next.
func (p *place) find() (line, column int) {
	// What the parser has not read when it fails makes no difference, so the fault is before.
	read := p.readBeforeFailure()
	breaks := lineBreak.FindAllIndex(p.data[:read], -1)
	starts := make([]int, 1, len(breaks)+1) // of the lines
	for _, b := range breaks {
		starts = append(starts, b[1])
	}
	line = p.last(len(starts)-1, func(i int) int { return starts[i] })
	good, rest := starts[line], p.data[starts[line]:read]
	if line < len(breaks) {
		rest = p.data[good:breaks[line][0]]
	}
	ends := make([]int, 0, len(rest)) // of the characters
	for i := range string(rest) {
		ends = append(ends, good+i)
	}
	if len(ends) == 0 {
		return line + 1, 1
	}
	return line + 1, p.last(len(ends)-1, func(i int) int { return ends[i] }) + 1
}

// last answers the last of the ends, numbered from 0 to most, up to which the file is YAML; 0 where none is. It tries
// them one by one from the last, and halves where that would be too many bytes.
func (p *place) last(most int, end func(int) int) int {
	affordable := min(attempts, (maxParsed-p.parsed)/2/max(1, end(most)))
	bad := most + 1
	for i := most; i > 0 && most-i < affordable; i-- {
		if p.isYAML(end(i)) {
			return i
		}
		bad = i
	}
	good := 0
	for bad-good > 1 {
		if middle := good + (bad-good)/2; p.isYAML(end(middle)) {
			good = middle
		} else {
			bad = middle
		}
	}
	return good
}

// isYAML reports whether the file up to a byte is YAML.
func (p *place) isYAML(end int) bool {
	p.parsed += end
	p.tries++
	decoder := yaml.NewDecoder(bytes.NewReader(p.data[:end]))
	for {
		var n yaml.Node
		if err := decoder.Decode(&n); err != nil {
			return err == io.EOF
		}
	}
}

// readBeforeFailure is how many bytes the parser takes until it fails.
func (p *place) readBeforeFailure() int {
	p.parsed += len(p.data)
	r := bytes.NewReader(p.data)
	decoder := yaml.NewDecoder(oneByte{r})
	for {
		var n yaml.Node
		if err := decoder.Decode(&n); err != nil {
			return len(p.data) - r.Len()
		}
	}
}

// oneByte reads a byte at a time, so that a parser has no more than it needs.
type oneByte struct{ io.Reader }

func (r oneByte) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(1, len(p))]) }
