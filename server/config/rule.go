package config

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/chunksign/chunksign/server/destination"
)

// compiledRule is what a rule's text comes to. That of defaults is the same for many destinations.
type compiledRule struct {
	rule  destination.Rule
	flaws []destination.RuleFlaw
}

// rule compiles a rule. What is wrong in it is reported at its own place in the
// file, as far as YAML's way of writing it lets that be known.
func (d *document) rule(o *object, name string) destination.Rule {
	text := o.text(name)
	if text == "" {
		return nil
	}
	n := o.fields[name]
	if n.Kind == yaml.ScalarNode && n.Tag != "!!str" && n.Tag != "!!bool" {
		o.mistake(name, "%s is %s, not a rule; write for example %s: \"'staff' in claims.groups\"", name, n.Value, name)
		return nil
	}
	c, known := d.compiled[text]
	if !known {
		if d.compiled == nil {
			d.compiled = map[string]compiledRule{}
		}
		c.rule, c.flaws = d.rules(text)
		d.compiled[text] = c
	}
	for _, f := range c.flaws {
		line, column := d.within(n, f.Line, f.Column)
		// The parser's words may go over lines; a mistake is one.
		what := strings.Join(strings.Fields(f.Text), " ")
		d.mistakeAt(line, column, "%s is not a rule: %s; write a CEL expression over user, claims, file and request that is true or false", name, what)
	}
	return c.rule
}

// within turns a place in a text into one in the file.
func (d *document) within(n *yaml.Node, line, column int) (int, int) {
	switch {
	case n.Style&yaml.LiteralStyle != 0:
		// The text begins on the line after the |, and all its lines are indented alike.
		if first := d.line(n.Line + 1); strings.TrimSpace(first) != "" {
			return n.Line + line, len(first) - len(strings.TrimLeft(first, " ")) + column
		}
	case line == 1:
		quote := 0
		if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
			quote = 1
		}
		// Only where the text stands there just as it is: not escaped, not over several lines.
		source := []rune(d.line(n.Line))
		if at := n.Column - 1 + quote; at <= len(source) && strings.HasPrefix(string(source[at:]), n.Value) {
			return n.Line, at + column
		}
	}
	return n.Line, n.Column
}

// line is a line of the file, counted from 1, "" beyond its end.
func (d *document) line(n int) string {
	if n > len(d.lines) {
		return ""
	}
	return d.lines[n-1]
}
