package config

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/chunksign/chunksign/server/allow"
	"github.com/chunksign/chunksign/server/policy"
)

// compiled is the schema as an editor has it.
func compiled(t testing.TB) *jsonschema.Schema {
	t.Helper()
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("chunksign.json", value); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("chunksign.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON is a file as an editor holds it against the schema.
func asJSON(t testing.TB, text []byte) (any, bool) {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		return nil, false
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, false // a number that is none, or a key that is no text
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	return value, err == nil
}

func TestTheSchemaTakesWhatTheParserTakes(t *testing.T) {
	schema := compiled(t)
	for _, text := range []string{good, inheriting, narrowed} {
		v, _ := asJSON(t, []byte(text))
		if err := schema.Validate(v); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
	// A file that is wrong for the names of its options is so for an editor too.
	files, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	unknown := 0
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, what := range []string{" has no option ", " is not a mapping", " is not a list", "; write true or false", " has both "} {
			if v, ok := asJSON(t, data); ok && bytes.Contains(data, []byte(what)) {
				if unknown++; schema.Validate(v) == nil {
					t.Errorf("the schema takes %s", name)
				}
			}
		}
	}
	if unknown < 20 {
		t.Errorf("%d of the broken files were tried", unknown)
	}
}

// The example beside every option is one that the schema takes there.
func TestExamplesOfOptions(t *testing.T) {
	for _, o := range All() {
		for _, p := range o.List {
			if (p.Example == "") != (p.shape.one != nil && p.Name != "defaults" || p.shape.each != nil) {
				t.Errorf("%s.%s: the example is %q", o.Heading, p.Name, p.Example)
			}
			one := &Options{List: []Option{p}}
			s, err := one.schema()
			if err != nil {
				t.Fatal(err)
			}
			b, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			value, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			c := jsonschema.NewCompiler()
			if err := c.AddResource("option.json", value); err != nil {
				t.Fatal(err)
			}
			schema, err := c.Compile("option.json")
			if err != nil {
				t.Fatal(err)
			}
			if v, ok := asJSON(t, []byte(p.Name+": "+p.Example)); p.Example != "" && (!ok || schema.Validate(v) != nil) {
				t.Errorf("%s.%s: %s is not valid: %v", o.Heading, p.Name, p.Example, schema.Validate(v))
			}
		}
	}
}

// Whatever the bytes are, they are a configuration that the schema takes as
// well, or each mistake is at a place within the file.
func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Add(inheriting)
	f.Add(narrowed)
	files, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	schema := compiled(f)
	f.Fuzz(func(t *testing.T, text string) {
		_, err := Parse("f", []byte(text), noFiles, nil, allow.Compile, policy.Session)
		if err == nil {
			if v, ok := asJSON(t, []byte(text)); ok {
				if err := schema.Validate(v); err != nil {
					t.Errorf("%v", err)
				}
			}
			return
		}
		mistakes := err.(Mistakes)
		lines := len(lineBreak.Split(text, -1))
		for _, m := range mistakes {
			if m.Line < 1 || m.Line > lines+1 || m.Column < 1 || strings.Contains(m.String(), "\n") || m.Pointed() == "" {
				t.Errorf("%q of %d lines", m, lines)
			}
		}
	})
}
