package config

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// report is a mistake's or a warning's place and text, by which it is reported once: what is wrong in defaults is so
// for every destination.
type report struct {
	line, column int
	text         string
}

func (d *document) mistake(n *yaml.Node, format string, args ...any) {
	d.mistakeAt(max(n.Line, 1), max(n.Column, 1), format, args...)
}

func (d *document) mistakeAt(line, column int, format string, args ...any) {
	d.wrong++
	d.report(&d.mistakes, line, column, format, args)
}

func (d *document) warn(n *yaml.Node, format string, args ...any) {
	d.report(&d.warnings, max(n.Line, 1), max(n.Column, 1), format, args)
}

func (d *document) report(to *Mistakes, line, column int, format string, args []any) {
	if len(*to) > maxReported {
		return
	}
	text := fmt.Sprintf(format, args...)
	if len(*to) == maxReported {
		text = fmt.Sprintf("there are more than %d mistakes or warnings; correct these first", maxReported)
	}
	key := report{line, column, text}
	if d.reported[key] {
		return
	}
	if d.reported == nil {
		d.reported = map[report]bool{}
	}
	d.reported[key] = true
	if d.hidden == nil {
		d.hidden = &secrets{}
		d.hidden.learnLines(string(d.data), d.lines)
		if d.root != nil {
			d.hidden.learnTree(d.root, false)
		}
	}
	m := Mistake{File: d.file, Line: line, Column: column, Text: d.hidden.mask(shortened(text))}
	m.Source, m.pointer = d.excerpt(line, column)
	*to = append(*to, m)
}

// shortened is a text without its middle, where it is long: what is wrong stands at its begin, the fix at its end.
func shortened(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText/2], "") + " … " + strings.ToValidUTF8(text[len(text)-maxText/2:], "")
}

// excerpt is a line around a column as a terminal can show it, and where the column is in that, from 1.
func (d *document) excerpt(line, column int) (string, int) {
	text := d.line(line)
	runes := []rune(text)
	column = min(column, len(runes)+1)
	// A secret that begins before the excerpt is masked as a whole.
	from, to := max(0, column-1-4*maxExcerpt), min(len(runes), column-1+4*maxExcerpt)
	before := string(runes[from : column-1])
	source, at := d.hidden.maskAt(before+string(runes[column-1:to]), len(before))
	pointer := utf8.RuneCountInString(source[:at])
	shown := []rune(strings.Map(printable, source))
	if cut := pointer - maxExcerpt; cut > 0 {
		shown, pointer = append([]rune("… "), shown[cut:]...), maxExcerpt+2
	} else if from > 0 {
		shown, pointer = append([]rune("… "), shown...), pointer+2
	}
	if most := pointer + maxExcerpt; len(shown) > most {
		shown = append(shown[:most:most], []rune(" …")...)
	}
	return string(shown), pointer + 1
}

func printable(r rune) rune {
	switch {
	case r == '\t' || r == '\r':
		return ' '
	case !unicode.IsPrint(r):
		return utf8.RuneError
	}
	return r
}
