package config

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Options are the keys that a mapping of the file may have: what the parser
// takes, what the reference in the docs tells, and what the JSON Schema tells
// editors.
type Options struct {
	Heading string // of the docs, without its #
	List    []Option

	oneOnly bool // exactly one of them is there
}

// Option is one of these keys. Its texts are Markdown.
type Option struct {
	Name, Type, Default, Example, Text string

	Required bool // wherever the mapping is
	shape    shape
}

// shape is what a value looks like, as far as a JSON Schema can tell.
type shape struct {
	plain  map[string]any // a JSON Schema
	flag   bool           // true or false
	values []string       // one of these
	one    *Options       // a mapping of these
	each   *Options       // a mapping of names to mappings of these
}

// A scalar counts as its text, whatever YAML takes it for. What a pattern
// leaves open is held against the rest by the parser.
var (
	aText             = pattern(`\S`) // not blank
	aFlag             = shape{flag: true, plain: map[string]any{"type": "boolean"}}
	aList             = shape{plain: map[string]any{"type": "array", "minItems": 1, "items": aText.plain}}
	addressesOrClient = listOr("client")
	typesOrAny        = listOr("any")
	texts             = shape{plain: map[string]any{"type": "object", "minProperties": 1, "additionalProperties": aText.plain}}
	aDuration         = pattern(`^([+-]?([0-9.]+(ns|us|µs|μs|ms|s|m|h))+|[+-]?0|[+-]?[0-9]+d)$`)
	aSizeRange        = pattern(`^\s*[0-9.]+\s*([kKMGT]i?B|B)?\s*\.\.\s*[0-9.]+\s*([kKMGT]i?B|B)?\s*$`)
	aRate             = pattern(`^[0-9]+/[smhd]$`)

	scalar = []string{"string", "number", "boolean"}
)

// listOf is a list of some of these.
func listOf(values ...string) shape {
	return shape{plain: map[string]any{"type": "array", "items": map[string]any{"enum": values}}}
}

func pattern(p string) shape { return shape{plain: map[string]any{"type": scalar, "pattern": p}} }

// listOr is a list, or a word in its place.
func listOr(word string) shape {
	return shape{plain: map[string]any{"anyOf": []any{map[string]any{"const": word}, aList.plain}}}
}

func oneOfThese(values ...string) shape { return shape{values: values} }
func within(o *Options) shape           { return shape{one: o} }
func named(o *Options) shape            { return shape{each: o} }

// All are the mappings of the file, in the order of the docs.
func All() []*Options {
	return []*Options{&theFile, &serverOptions, &tlsOptions, &authOptions, &oidcOptions, &jwtOptions, &forwardOptions, &headersOptions,
		&storeOptions, &stsOptions, &viaOptions, &boundsOptions, &destinationOptions, &conditionOptions, &verifyOptions, &webhookOptions}
}

func (o *Options) names() (names []string) {
	for i := range o.List {
		names = append(names, o.List[i].Name)
	}
	return names
}

// values are what an option may be, which has to be one of some.
func (o *Options) values(name string) []string {
	return o.option(name).shape.values
}

// option is one of the options by its name, which has to be one.
func (o *Options) option(name string) *Option {
	i := slices.IndexFunc(o.List, func(p Option) bool { return p.Name == name })
	return &o.List[i]
}

// without is for defaults: a destination's options but those that tell it from
// others, none of them required.
func (o *Options) without(names ...string) *Options {
	rest := &Options{}
	for _, p := range o.List {
		if p.Required = false; !slices.Contains(names, p.Name) {
			rest.List = append(rest.List, p)
		}
	}
	return rest
}

// Table is the options as the docs' reference has them.
func (o *Options) Table() string {
	var b strings.Builder
	b.WriteString("| key | type | default | what it does | example |\n|---|---|---|---|---|\n")
	cell := func(s string) {
		if s != "" {
			b.WriteString(" " + s)
		}
		b.WriteString(" |")
	}
	for _, p := range o.List {
		b.WriteString("|")
		cell("`" + p.Name + "`")
		cell(p.Type)
		cell(p.Default)
		cell(p.Text)
		if p.Example != "" {
			p.Example = "`" + p.Example + "`"
		}
		cell(p.Example)
		b.WriteString("\n")
	}
	return b.String()
}

// Schema is the JSON Schema of the file, of the draft that editors know best
// (json-schema.org/draft-07). Whatever Parse takes is valid by it; it cannot
// tell all that Parse refuses.
func Schema() ([]byte, error) {
	root, err := theFile.schema()
	if err != nil {
		return nil, err
	}
	root["$schema"], root["title"] = "http://json-schema.org/draft-07/schema#", "The configuration of chunksign"
	return json.MarshalIndent(root, "", "  ")
}

func (o *Options) schema() (map[string]any, error) {
	properties, required := map[string]any{}, []string{}
	for _, p := range o.List {
		s, err := p.schema()
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", o.Heading, p.Name, err)
		}
		properties[p.Name] = s
		if p.Required {
			required = append(required, p.Name)
		}
	}
	s := map[string]any{"type": "object", "properties": properties, "additionalProperties": false, "minProperties": 1}
	if len(required) > 0 {
		s["required"] = required
	}
	if o.oneOnly {
		s["minProperties"], s["maxProperties"] = 1, 1
	}
	return s, nil
}

var link = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)

func (p *Option) schema() (map[string]any, error) {
	s := map[string]any{}
	var err error
	switch {
	case p.shape.one != nil:
		s, err = p.shape.one.schema()
	case p.shape.each != nil:
		s["type"], s["propertyNames"] = "object", map[string]any{"pattern": name.String()}
		s["additionalProperties"], err = p.shape.each.schema()
	case p.shape.values != nil:
		s["enum"] = p.shape.values
	default:
		for k, v := range p.shape.plain {
			s[k] = v
		}
	}
	if err != nil {
		return nil, err
	}
	text := p.Text
	if p.Default != "" {
		text += "\n\nDefault: " + p.Default
	}
	s["description"] = link.ReplaceAllString(text, "$1")
	if p.Example != "" {
		var example any
		if err := yaml.Unmarshal([]byte(p.Example), &example); err != nil {
			return nil, err
		}
		s["examples"] = []any{example}
	}
	return s, nil
}
