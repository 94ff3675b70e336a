package s3direct

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
)

type kind int

const (
	null kind = iota
	boolean
	number
	text
	list
	dict
	function
	other // a Python object that is none of these; its text is its repr
)

// A setting is a value of Python as the snippet shows it. Dicts are in order.
type setting struct {
	kind  kind
	text  string // of text, other
	int   int64  // of a number
	whole bool   // the number is a whole one
	truth bool   // what Python's bool() makes of it
	items []setting
	pairs []pair
	fn    callable
}

type pair struct {
	name  string
	value setting
}

// callable describes a function, or an object that can be called.
type callable struct {
	Repr   string
	Name   string
	Line   int
	Source string
	With   json.RawMessage // the arguments of a partial, or the attributes of an object
}

// get returns a dict's entry.
func (s setting) get(name string) (setting, bool) {
	for _, p := range s.pairs {
		if p.name == name {
			return p.value, true
		}
	}
	return setting{}, false
}

// String is a setting as it is named in notes.
func (s setting) String() string {
	switch s.kind {
	case null:
		return "None"
	case boolean:
		return map[bool]string{true: "True", false: "False"}[s.truth]
	case text:
		return strconv.Quote(s.text)
	case list:
		var items []string
		for _, item := range s.items {
			items = append(items, item.String())
		}
		return "[" + strings.Join(items, ", ") + "]"
	case dict:
		var entries []string
		for _, p := range s.pairs {
			entries = append(entries, strconv.Quote(p.name)+": "+p.value.String())
		}
		return "{" + strings.Join(entries, ", ") + "}"
	case function:
		return s.fn.Name
	}
	return s.text
}

// marker begins what the snippet prints.
const marker = `{"chunksign_s3direct"`

// ErrPython reports settings that were not evaluated.
var ErrPython = errors.New("this is not the settings as JSON. Only Django can evaluate them; where the site runs, do\n" +
	"  chunksign import-s3direct -snippet | python manage.py shell >s3direct.json" +
	" && chunksign import-s3direct s3direct.json >chunksign.yaml")

// read finds the settings in what manage.py shell printed. The settings' own
// code may have printed something too.
func read(data []byte) (setting, error) {
	printed := decode(data)
	if strings.TrimSpace(printed) == "" {
		return setting{}, errors.New("there is nothing in it; what manage.py shell wrote to its stderr says why")
	}
	if at := strings.LastIndex(printed, marker); at >= 0 {
		printed = printed[at:]
	} else if !strings.HasPrefix(strings.TrimSpace(printed), "{") {
		return setting{}, ErrPython
	}
	d := json.NewDecoder(strings.NewReader(printed))
	d.UseNumber()
	s, err := value(d, 100)
	switch {
	case err != nil && strings.HasPrefix(printed, marker):
		return s, fmt.Errorf("the JSON of the settings is not complete: %w; run the snippet again", err)
	case err != nil:
		return s, ErrPython
	}
	return s, nil
}

// decode makes UTF-8 of what a shell wrote: PowerShell's > writes UTF-16.
func decode(data []byte) string {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	default:
		return string(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	}
	var units []uint16
	for data = data[2:]; len(data) > 1; data = data[2:] {
		units = append(units, order.Uint16(data))
	}
	return string(utf16.Decode(units))
}

// value reads one value, nested at most so many levels.
func value(d *json.Decoder, levels int) (setting, error) {
	if levels == 0 {
		return setting{}, errors.New("it is nested too deeply")
	}
	token, err := d.Token()
	if err != nil {
		return setting{}, err
	}
	switch v := token.(type) {
	case bool:
		return setting{kind: boolean, truth: v}, nil
	case string:
		return setting{kind: text, text: v, truth: v != ""}, nil
	case json.Number:
		n, err := v.Int64()
		return setting{kind: number, int: n, text: v.String(), whole: err == nil, truth: v.String() != "0"}, nil
	case json.Delim:
		if v == '[' {
			return items(d, levels)
		}
		return entries(d, levels)
	}
	return setting{}, nil
}

func items(d *json.Decoder, levels int) (setting, error) {
	s := setting{kind: list}
	for d.More() {
		item, err := value(d, levels-1)
		if err != nil {
			return s, err
		}
		s.items = append(s.items, item)
	}
	s.truth = len(s.items) > 0
	_, err := d.Token()
	return s, err
}

func entries(d *json.Decoder, levels int) (setting, error) {
	s := setting{kind: dict}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return s, err
		}
		p := pair{name: name.(string)} // an object's names are strings
		if p.name == "$callable" {
			s = setting{kind: function, truth: true}
			err = d.Decode(&s.fn)
		} else {
			p.value, err = value(d, levels-1)
		}
		if err != nil {
			return s, err
		}
		if p.name == "$other" {
			s = setting{kind: other, text: p.value.text, truth: true}
		}
		if s.kind == dict {
			s.pairs = append(s.pairs, p)
		}
	}
	s.truth = s.kind != dict || len(s.pairs) > 0
	_, err := d.Token()
	return s, err
}
