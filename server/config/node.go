package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/chunksign/chunksign/server/destination"
)

// document collects what is wrong with a file while it is read.
type document struct {
	file     string
	data     []byte                            // the file's
	lines    []string                          // its lines
	root     *yaml.Node                        // its mapping; nil: it is not YAML
	open     func(name string) ([]byte, error) // files that the file names
	rules    destination.RuleCompiler
	policies destination.PolicyWriter // nil: they are not looked at
	mistakes Mistakes
	warnings Mistakes
	wrong    int             // how often a mistake was found, those that are reported already included
	reported map[report]bool // mistakes and warnings
	hidden   *secrets        // nil until something is reported
	compiled map[string]compiledRule
}

// object is a mapping whose options are read by name. One that could not be
// read has none, so that reading goes on and finds further mistakes.
type object struct {
	d     *document
	node  *yaml.Node
	name  string   // how mistakes call it
	known *Options // nil: any name is an option

	defaults *object // what applies where an option is absent; nil: nothing does
	keys     []string
	names    map[string]*yaml.Node // where the keys stand
	fields   map[string]*yaml.Node
	broken   bool
}

// object reads a mapping. With nil for what is known, all is taken.
func (d *document) object(n *yaml.Node, name string, options *Options) *object {
	return d.objectOver(n, name, options, nil)
}

// objectOver is object for a mapping whose absent options are those of another.
func (d *document) objectOver(n *yaml.Node, name string, options *Options, defaults *object) *object {
	var known []string
	if options != nil {
		known = options.names()
	}
	o := &object{d: d, node: n, name: name, known: options, defaults: defaults,
		names: map[string]*yaml.Node{}, fields: map[string]*yaml.Node{}}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		d.mistake(n, "%s is not a mapping; write %s", name, example(known))
		o.broken = true
		return o
	}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		switch k := key.Value; {
		case key.Kind != yaml.ScalarNode:
			d.mistake(key, "%s has a key that is not a text; write name: value", name)
		case k == "<<":
			d.mistake(key, "merging with << is not taken; write the options out")
		case isBlank(key):
			d.mistake(key, "%s has an option without a name; write name: value", name)
		case o.names[k] != nil:
			d.mistake(key, "%s is there twice in %s; keep one", k, name)
		case known != nil && !slices.Contains(known, k):
			d.mistake(key, "%s has no option %q; %s", name, k, suggest(k, known))
		case isBlank(value):
			o.names[k] = key
			o.blank(key)
		default:
			o.keys = append(o.keys, k)
			o.names[k], o.fields[k] = key, value
		}
	}
	return o
}

func example(known []string) string {
	if len(known) == 0 {
		return "name: value"
	}
	return known[0] + ": …"
}

// suggest names the option that was probably meant.
func suggest(word string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		if len(word) > len(k)+least {
			continue
		}
		if n := distance(word, k); n < least {
			best, least = k, n
		}
	}
	if best != "" {
		return "write " + best
	}
	const few = 8
	if len(known) > few {
		return "there are " + strings.Join(known[:few], ", ") + " and others, which chunksign schema lists"
	}
	return "there are " + strings.Join(known, ", ")
}

// distance is Levenshtein's, of bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// at is where an option stands, or the mapping where it is absent.
func (o *object) at(name string) *yaml.Node {
	if n := o.fields[name]; n != nil {
		return n
	}
	return o.node
}

func (o *object) mistake(name, format string, args ...any) {
	o.d.mistake(o.at(name), format, args...)
}

// text reads a scalar, "" where it is absent.
func (o *object) text(name string) string {
	n := o.fields[name]
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode {
		o.d.mistake(n, "%s has no text; write %s: and a value, or leave it out", name, name)
		return ""
	}
	return n.Value
}

// required is text that must be there; how shows an example.
func (o *object) required(name, how string) string {
	if o.fields[name] == nil && !o.broken {
		o.d.mistake(o.node, "%s has no %s; write for example %s: %s", o.name, name, name, how)
	}
	return o.text(name)
}

func (o *object) flag(name string) bool {
	n := o.fields[name]
	if n == nil {
		return false
	}
	if n.Tag != "!!bool" {
		o.d.mistake(n, "%s is %q; write true or false", name, n.Value)
		return false
	}
	return strings.EqualFold(n.Value, "true")
}

func (o *object) oneOf(name, otherwise string) string {
	v, values := o.text(name), o.known.values(name)
	if v == "" {
		return otherwise
	}
	if !slices.Contains(values, v) {
		o.mistake(name, "%s is %q; write %s", name, v, oneOf(values))
		return otherwise
	}
	return v
}

func oneOf(values []string) string {
	if len(values) == 1 {
		return values[0]
	}
	return strings.Join(values[:len(values)-1], ", ") + " or " + values[len(values)-1]
}

func (o *object) list(name string) []*yaml.Node {
	n := o.fields[name]
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		o.d.mistake(n, "%s is not a list; write such as %s: %s", name, name, o.known.option(name).Example)
		return nil
	}
	var items []*yaml.Node
	for _, item := range n.Content {
		if item.Kind == yaml.AliasNode {
			item = item.Alias
		}
		if item.Kind != yaml.ScalarNode || isBlank(item) {
			o.d.mistake(item, "an item of %s is not a text; write %s: [one, another]", name, name)
			continue
		}
		items = append(items, item)
	}
	return items
}

// duration reads such as 15m, 12h or 7d.
func (o *object) duration(name string, otherwise, shortest, longest time.Duration) time.Duration {
	v := o.text(name)
	if v == "" {
		return otherwise
	}
	t, err := ParseDuration(v)
	switch {
	case err != nil:
		o.mistake(name, "%s is %v", name, err)
	case t < shortest || t > longest:
		o.mistake(name, "%s is %s; write %s to %s", name, v, durationText(shortest), durationText(longest))
	default:
		return t
	}
	return otherwise
}

// ParseDuration reads such as 15m, 1h30m or 7d.
func ParseDuration(v string) (time.Duration, error) {
	t, err := time.ParseDuration(v)
	if days, ok := strings.CutSuffix(v, "d"); ok {
		var n int
		n, err = strconv.Atoi(days)
		t = time.Duration(max(min(n, 3650), -1)) * 24 * time.Hour
	}
	if err != nil {
		return 0, fmt.Errorf("%q; write a number with s, m, h or d, such as 15m", v)
	}
	return t, nil
}

func durationText(t time.Duration) string {
	switch {
	case t > 0 && t%(24*time.Hour) == 0:
		return strconv.Itoa(int(t/(24*time.Hour))) + "d"
	case t < time.Minute:
		return strconv.Itoa(int(t/time.Second)) + "s"
	case t%time.Hour == 0:
		return strconv.Itoa(int(t/time.Hour)) + "h"
	}
	return strconv.Itoa(int(t/time.Minute)) + "m"
}

// texts reads a mapping of texts, sorted by name for the caller's loops.
func (o *object) texts(name string) (map[string]string, []string) {
	n := o.fields[name]
	if n == nil {
		return nil, nil
	}
	inner, values := o.d.object(n, name, nil), map[string]string{}
	for _, k := range inner.keys {
		values[k] = inner.text(k)
	}
	return values, slices.Sorted(maps.Keys(values))
}
