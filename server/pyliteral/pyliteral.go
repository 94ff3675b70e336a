// Package pyliteral reads the settings of a Python program without running it:
// what its module assigns to names, as far as that is written out.
//
// It knows the literals (numbers, texts, True, False, None, lists, tuples, sets and
// dicts), sums and products of numbers, texts that are joined, and names that were
// assigned before. Anything else, a lambda, a call, the environment, is a value of
// the Kind Other, which knows its text and its line. What stands in blocks (if, def,
// class) is not read. JSON is read the same way.
package pyliteral

import (
	"fmt"
	"math"
	"strings"
)

// Kind says what a Value is.
type Kind int

const (
	None Kind = iota
	Bool
	Number
	Text
	List // a list, a tuple or a set
	Dict
	Other // not a literal
)

// Value is a value of the program.
type Value struct {
	Kind  Kind
	Line  int // where it begins, from 1
	True  bool
	Int   int64  // of a Number, without its fraction
	Text  string // of a Text; of an Other, how it is written
	Items []Value
	Pairs []Pair // of a Dict, in its order

	size int // bytes and items, with all that is in it
}

// Pair is an entry of a Dict whose key is a text. Of two of one key the later counts.
type Pair struct {
	Key   string
	Value Value
}

// Get gives a Dict's entry.
func (v Value) Get(key string) (Value, bool) {
	for i := len(v.Pairs) - 1; i >= 0; i-- {
		if v.Pairs[i].Key == key {
			return v.Pairs[i].Value, true
		}
	}
	return Value{}, false
}

// Skipped is something that was not read.
type Skipped struct {
	Line int
	Text string // how it begins
}

// Module is what a program assigns.
type Module struct {
	Names   map[string]Value
	Skipped []Skipped // statements in blocks, and others than an assignment to one name
}

// What a program may come to, so that reading it ends soon whatever it holds.
const (
	maxSource = 1 << 20 // bytes
	maxTokens = 200_000
	maxDepth  = 100
	maxValue  = 1 << 20 // bytes and items of one value, with all that is in it; a larger one is Other
	maxWork   = 8 << 20 // bytes and items of all values that are put together
)

// Error is a text that is not Python, as far as this package can tell.
type Error struct {
	Line int
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Text) }

// Parse reads a module, or one JSON object, whose members are then the names.
// Errors are *Error.
func Parse(source string) (m Module, err error) {
	defer func() {
		if e, ok := recover().(*Error); ok {
			err = e
		}
	}()
	if len(source) > maxSource {
		return Module{}, &Error{1, "the program is larger than 1 MiB, which is the most that is read"}
	}
	source = strings.TrimPrefix(strings.ReplaceAll(source, "\r\n", "\n"), "\ufeff")
	p := &parser{names: map[string]Value{}, json: strings.HasPrefix(strings.TrimSpace(source), "{")}
	p.tokens = scan(source, p.json)
	if p.json {
		for _, pair := range p.expression().Pairs {
			p.names[pair.Key] = pair.Value
		}
		return Module{Names: p.names}, nil
	}
	for p.peek().kind != end {
		p.statement()
	}
	return Module{Names: p.names, Skipped: p.skipped}, nil
}

type parser struct {
	tokens  []token
	at      int
	json    bool
	names   map[string]Value
	skipped []Skipped
	depth   int
	work    int // bytes and items that were put together so far
}

// made charges for a value that was put together, and reports whether it is not too large.
func (p *parser) made(v *Value, size, line int) bool {
	if v.size = min(size, maxValue+1); v.size > maxValue {
		return false
	}
	if p.work += v.size; p.work > maxWork {
		panic(&Error{line, "the values up to here are too many to be read; write the destinations out without sums"})
	}
	return true
}

func (p *parser) peek() token { return p.tokens[min(p.at, len(p.tokens)-1)] }

func (p *parser) next() token {
	t := p.peek()
	p.at++
	return t
}

func (p *parser) is(text string) bool {
	t := p.peek()
	return t.kind == symbol && t.text == text
}

func (p *parser) take(text string) bool {
	if p.is(text) {
		p.at++
		return true
	}
	return false
}

// statement reads one logical line.
func (p *parser) statement() {
	first := p.peek()
	from := p.at
	if first.kind == name && first.column == 0 {
		p.at++
		if p.take(":") { // an annotation
			p.other("=")
		}
		if p.take("=") {
			v := p.expression()
			if p.peek().kind == newline || p.peek().kind == end {
				p.names[first.text] = v
				p.at++
				return
			}
		}
	}
	p.at = from
	p.skipped = append(p.skipped, Skipped{first.line, p.other("")})
	p.at++
}

// expression reads a literal, or something else up to where it ends.
func (p *parser) expression() Value {
	from, line := p.at, p.peek().line
	v, ok := p.sum()
	if ok && p.ends() {
		v.Line = line
		return v
	}
	p.at = from
	if p.ends() {
		panic(&Error{line, "a value is missing"})
	}
	text := p.other("")
	return Value{Kind: Other, Line: line, Text: text, size: 1 + len(text)}
}

// ends says whether an expression ends here.
func (p *parser) ends() bool {
	t := p.peek()
	return t.kind == newline || t.kind == end || t.kind == symbol && strings.Contains(",)]}:", t.text)
}

// other skips what is no literal, up to where it ends, and gives its text.
func (p *parser) other(until string) string {
	var b strings.Builder
	depth, lambda := 0, 0
	for {
		t := p.peek()
		if t.kind == end || t.kind == newline && depth == 0 {
			break
		}
		if t.kind == symbol && depth == 0 {
			if until != "" && t.text == until || until == "" && p.depth > 0 && (strings.Contains(")]}", t.text) || t.text == "," && lambda == 0 || t.text == ":" && lambda == 0) {
				break
			}
			if t.text == ":" && lambda > 0 {
				lambda--
			}
		}
		if t.kind == name && t.text == "lambda" && depth == 0 {
			lambda++
		}
		if t.kind == symbol && strings.Contains("([{", t.text) {
			depth++
		} else if t.kind == symbol && strings.Contains(")]}", t.text) {
			depth--
		}
		if b.Len() > 0 && t.spaced {
			b.WriteByte(' ')
		}
		b.WriteString(t.source)
		p.at++
	}
	return b.String()
}

// sum reads numbers and texts that are put together.
func (p *parser) sum() (Value, bool) {
	v, ok := p.product()
	for ok && (p.is("+") || p.is("-")) {
		op := p.next()
		w, more := p.product()
		fits := more
		switch {
		case !more:
		case v.Kind == Number && w.Kind == Number:
			if op.text == "-" {
				w.Int = -w.Int
			}
			sum := v.Int + w.Int
			fits = w.Int != math.MinInt64 && (sum > v.Int) == (w.Int > 0)
			v.Int = sum
		case op.text == "+" && v.Kind == Text && w.Kind == Text:
			if fits = p.made(&v, v.size+w.size, op.line); fits {
				v.Text += w.Text
			}
		case op.text == "+" && v.Kind == List && w.Kind == List:
			if fits = p.made(&v, v.size+w.size, op.line); fits {
				v.Items = append(append([]Value{}, v.Items...), w.Items...)
			}
		default:
			fits = false
		}
		if !fits {
			return v, false
		}
	}
	return v, ok
}

func (p *parser) product() (Value, bool) {
	v, ok := p.power()
	for ok && p.is("*") {
		p.at++
		w, more := p.power()
		if !more || v.Kind != Number || w.Kind != Number {
			return v, false
		}
		if v.Int, ok = times(v.Int, w.Int); !ok {
			return v, false
		}
	}
	return v, ok
}

// times multiplies two numbers whose product fits; Python's have no end.
func times(a, b int64) (int64, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	product := a * b
	return product, product/b == a && !(a == -1 && b == math.MinInt64) && !(b == -1 && a == math.MinInt64)
}

func (p *parser) power() (Value, bool) {
	v, ok := p.atom()
	if !ok || !p.take("**") {
		return v, ok
	}
	w, ok := p.atom()
	if !ok || v.Kind != Number || w.Kind != Number || w.Int < 0 || w.Int > 62 {
		return v, false
	}
	base := v.Int
	for v.Int = 1; ok && w.Int > 0; w.Int-- {
		v.Int, ok = times(v.Int, base)
	}
	return v, ok
}

func (p *parser) atom() (Value, bool) {
	t := p.next()
	v := Value{Line: t.line, size: 1}
	switch {
	case t.kind == number:
		v.Kind, v.Int = Number, t.value
		return v, t.known
	case t.kind == text:
		v.Kind = Text
		known := t.known
		var b strings.Builder
		b.WriteString(t.text)
		for p.peek().kind == text { // texts beside each other are one
			t = p.next()
			b.WriteString(t.text)
			known = known && t.known
		}
		v.Text = b.String()
		return v, p.made(&v, 1+len(v.Text), t.line) && known
	case t.kind == name:
		switch t.text {
		case "True", "true":
			v.Kind, v.True = Bool, true
			return v, true
		case "False", "false":
			v.Kind = Bool
			return v, true
		case "None", "null":
			return v, true
		}
		known, ok := p.names[t.text]
		return known, ok && known.Kind != Other
	case t.kind == symbol && t.text == "-":
		p.enter(t.line)
		w, ok := p.atom()
		p.depth--
		w.Int = -w.Int
		return w, ok && w.Kind == Number
	case t.kind == symbol && t.text == "(":
		return p.group(v, ")")
	case t.kind == symbol && t.text == "[":
		return p.group(v, "]")
	case t.kind == symbol && t.text == "{":
		return p.braces(v)
	}
	return v, false
}

func (p *parser) enter(line int) {
	if p.depth++; p.depth > maxDepth {
		panic(&Error{line, "brackets or signs stand in each other a hundred deep"})
	}
}

// closed holds that a bracket does not stay open to the program's end: there are
// no new lines in brackets.
func (p *parser) closed(v Value) {
	if t := p.peek(); t.kind == end || t.kind == newline {
		panic(&Error{v.Line, "a bracket is not closed"})
	}
}

// group reads a list, a tuple, or what parentheses only group.
func (p *parser) group(v Value, closing string) (Value, bool) {
	p.enter(v.Line)
	defer func() { p.depth-- }()
	v.Kind = List
	comma := closing != ")"
	for !p.take(closing) {
		p.closed(v)
		item := p.expression()
		v.size += item.size
		v.Items = append(v.Items, item)
		if p.take(",") {
			comma = true
		} else if p.closed(v); !p.is(closing) {
			return v, false
		}
	}
	if !comma && len(v.Items) == 1 {
		return v.Items[0], v.Items[0].Kind != Other
	}
	return v, p.made(&v, v.size, v.Line)
}

// braces reads a dict or a set.
func (p *parser) braces(v Value) (Value, bool) {
	p.enter(v.Line)
	defer func() { p.depth-- }()
	v.Kind = Dict
	for !p.take("}") {
		p.closed(v)
		key := p.expression()
		if p.take(":") {
			p.closed(v)
			value := p.expression()
			v.size += key.size + value.size
			if key.Kind == Text {
				v.Pairs = append(v.Pairs, Pair{key.Text, value})
			}
		} else {
			v.size += key.size
			v.Kind, v.Items = List, append(v.Items, key)
		}
		if p.closed(v); !p.take(",") && !p.is("}") {
			panic(&Error{p.peek().line, fmt.Sprintf("there is %q where a comma or } was to be", p.peek().source)})
		}
	}
	return v, p.made(&v, v.size, v.Line)
}
