// Package strictjson decodes JSON that every reader reads alike.
//
// encoding/json takes "SUB" for the field "sub" (and "\u017fub", with a long s),
// the last of two members of one name, U+FFFD for what is not a character. A
// proxy, a firewall or an identity provider in front may read the same bytes in
// another way, and check another subject or size than the one that counts here.
// What is decoded here is I-JSON (RFC 7493, section 2): UTF-8 without half
// surrogates, each name once, names as they are spelt. Where a member is known,
// another spelling of its name is an error and not an unknown member, for
// somebody else may take it for the known one.
//
// All JSON that comes to the server is decoded here; TestJSONIsDecodedStrictly
// in package main ensures it. What go-jose parses (the headers of tokens, JSON
// Web Keys) it holds to the same rules by itself.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"unicode/utf8"
)

// NameError is a member's name that is there twice, or that is another
// spelling of a known one.
type NameError struct {
	Name  string
	Known string // the known name that Name is another spelling of; "" where Name is there twice
}

// Error implements error.
func (e *NameError) Error() string {
	if e.Known == "" {
		return fmt.Sprintf("the member %q is there twice; send it once", e.Name)
	}
	return fmt.Sprintf("the member %q is spelt %q; write it so", e.Name, e.Known)
}

// Errors of the text itself.
var (
	ErrEncoding = errors.New("it is not UTF-8, or holds half of a surrogate pair")
	ErrTrailing = errors.New("something follows the JSON value")
)

// Unmarshal decodes one value as json.Unmarshal does; members that into has no
// field for are skipped.
func Unmarshal(data []byte, into any) error { return unmarshal(data, into, false) }

// UnmarshalKnown refuses members that into has no field for.
func UnmarshalKnown(data []byte, into any) error { return unmarshal(data, into, true) }

func unmarshal(data []byte, into any, known bool) error {
	if !utf8.Valid(data) || halfSurrogate(data) {
		return ErrEncoding
	}
	// The names first: they say better what is wrong with {"SIZE": 1} than that the type is.
	names := json.NewDecoder(bytes.NewReader(data))
	names.UseNumber()
	if json.Valid(data) { // or Decode says below what is wrong, and how deep it goes is bounded
		if err := checkNames(names, reflect.TypeOf(into)); err != nil {
			return err
		}
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if known {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return ErrTrailing
	}
	return nil
}

// Object decodes an object. Numbers are json.Number, for a float64 would make
// one of two large ones. No name may be another spelling of one in exact.
func Object(data []byte, exact ...string) (map[string]any, error) {
	var object map[string]any
	if err := Unmarshal(data, &object); err != nil {
		return nil, err
	}
	if object == nil {
		return nil, errors.New("it is null, not an object")
	}
	for name := range object {
		if other := respelt(name, exact); other != "" {
			return nil, &NameError{name, other}
		}
	}
	return object, nil
}

// respelt returns the one of names that encoding/json would take name for, if
// it is not name itself.
func respelt(name string, names []string) string {
	other := ""
	for _, n := range names {
		if n == name {
			return ""
		}
		if strings.EqualFold(n, name) {
			other = n
		}
	}
	return other
}

// checkNames reads one valid value that is to be decoded into type t; nil
// stands for a type that decodes by itself, or none.
func checkNames(d *json.Decoder, t reflect.Type) error {
	first, err := d.Token()
	if err != nil {
		return err
	}
	t = plain(t)
	switch first {
	case json.Delim('['):
		for d.More() {
			if err := checkNames(d, element(t, reflect.Slice, reflect.Array)); err != nil {
				return err
			}
		}
	case json.Delim('{'):
		fields := fieldsOf(t)
		seen := map[string]bool{}
		for d.More() {
			token, err := d.Token()
			if err != nil {
				return err
			}
			name, _ := token.(string)
			if seen[name] {
				return &NameError{Name: name}
			}
			seen[name] = true
			if other := respelt(name, fields.names); other != "" {
				return &NameError{name, other}
			}
			of := fields.types[name]
			if of == nil {
				of = element(t, reflect.Map)
			}
			if err := checkNames(d, of); err != nil {
				return err
			}
		}
	default:
		return nil
	}
	_, err = d.Token() // the closing bracket
	return err
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// plain is what a pointer leads to; nil for a type that decodes by itself.
func plain(t reflect.Type) reflect.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		if t.Implements(unmarshaler) {
			return nil
		}
		t = t.Elem()
	}
	if t == nil || t.Implements(unmarshaler) || reflect.PointerTo(t).Implements(unmarshaler) {
		return nil
	}
	return t
}

func element(t reflect.Type, kinds ...reflect.Kind) reflect.Type {
	for _, k := range kinds {
		if t != nil && t.Kind() == k {
			return t.Elem()
		}
	}
	return nil
}

type fields struct {
	names []string
	types map[string]reflect.Type
}

// known holds the fields of each type that was decoded into.
var known sync.Map

// fieldsOf lists the members that encoding/json finds fields for in t.
func fieldsOf(t reflect.Type) (f fields) {
	if t == nil || t.Kind() != reflect.Struct {
		return f
	}
	if f, ok := known.Load(t); ok {
		return f.(fields)
	}
	defer func() { known.Store(t, f) }()
	f.types = map[string]reflect.Type{}
	for _, field := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" || !field.IsExported() || field.Anonymous && name == "" {
			continue
		}
		if name == "" {
			name = field.Name
		}
		f.names = append(f.names, name)
		f.types[name] = field.Type
	}
	return f
}

// halfSurrogate reports whether a string has a \u escape of half of a
// surrogate pair (RFC 7493, section 2.1): all of those become one character.
func halfSurrogate(data []byte) bool {
	for i := 0; i+1 < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		i++ // whatever is escaped, so that \\u is no escape
		half := surrogate(data[i:])
		if half == 0 {
			continue
		}
		if half == low || i+5 >= len(data) || data[i+5] != '\\' || surrogate(data[i+6:]) != low {
			return true
		}
		i += 10
	}
	return false
}

const high, low = 'h', 'l'

// surrogate returns which half "uD8xx" at the start of text is, 0 for none.
func surrogate(text []byte) rune {
	if len(text) < 5 || text[0] != 'u' || text[1] != 'd' && text[1] != 'D' {
		return 0
	}
	switch text[2] {
	case '8', '9', 'a', 'b', 'A', 'B':
		return high
	case 'c', 'd', 'e', 'f', 'C', 'D', 'E', 'F':
		return low
	}
	return 0
}
