package config

import (
	"regexp"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// isBlank reports whether a value says nothing: null in any spelling, text without a visible character, an
// empty list or an empty mapping. Behind such a value usually stands a line that was taken out, or a comment.
func isBlank(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch n.Kind {
	case yaml.ScalarNode:
		return n.Tag == "!!null" || isBlankText(n.Value)
	case yaml.SequenceNode, yaml.MappingNode:
		return len(n.Content) == 0
	}
	return false
}

func isBlankText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsSpace(r) && !unicode.In(r, unicode.Cc, unicode.Cf)
	})
}

// blank reports an option without a value. A blank option must not count as an absent one, nor replace a value of
// defaults: either could let more people, or more files, in than the author of the file meant.
func (o *object) blank(key *yaml.Node) {
	o.broken = true // its other options are read, and none is reported as missing
	o.d.mistake(key, "%s is blank; %s", key.Value, o.insteadOfBlank(key.Value))
}

var markup = regexp.MustCompile("`|\\[([^\\]]*)\\]\\([^)]*\\)")

// insteadOfBlank says what to write, and what holds if the line is removed.
func (o *object) insteadOfBlank(name string) string {
	if o.known == nil {
		return "write a value, or remove the line"
	}
	if o.known.oneOnly {
		return "write " + waysToSignIn
	}
	p := o.known.option(name)
	value := "such as " + name + ": " + p.Example
	switch sh := p.shape; {
	case name == "auth":
		return "write " + waysToSignIn
	case name == "content_types":
		value = "the types, such as " + p.Example + ", or the word any"
	case sh.one != nil:
		value = "its options"
	case sh.each != nil:
		value = "its entries, NAME: { … }"
	case sh.values != nil:
		value = oneOf(sh.values)
	case sh.flag:
		value = "true or false"
	}
	inherited := o.defaults != nil && o.defaults.fields[name] != nil
	absent := markup.ReplaceAllString(p.Default, "$1")
	switch {
	case inherited:
		return "write " + value + ", or remove the line (then the value in defaults applies)"
	case p.Required || p.Default == "required" || p.Default == "" || strings.HasPrefix(p.Default, "this or"):
		return "write " + value
	case o.known == defaultOptions:
		return "write " + value + ", or remove the line"
	}
	return "write " + value + ", or remove the line (then this applies: " + absent + ")"
}
