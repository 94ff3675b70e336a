package strictjson

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

type file struct {
	Name string `json:"name"`
	Size *int64 `json:"size,omitempty"`
}

type body struct {
	file
	Files  []file            `json:"files"`
	Labels map[string]string `json:"labels"`
	Raw    json.RawMessage   `json:"raw"`
	Any    any               `json:"any"`
	Plain  string
}

func TestNames(t *testing.T) {
	for text, want := range map[string]string{
		`{"name":"a","size":1,"files":[{"name":"b"},{"name":"c"}],"labels":{"a":"1","A":"2"},"raw":{"NAME":1},"any":{"x":{"X":1}}}`: "",
		`{"Plain":"a"}`:                             "",
		`null`:                                      "",
		`{"unknown":1,"other":{"size":1}}`:          "",
		`{"size":1,"SIZE":2}`:                       `"SIZE" is spelt "size"`,
		`{"SIZE":2}`:                                `"SIZE" is spelt "size"`,
		`{"\u017fize":2}`:                           `"ſize" is spelt "size"`,
		`{"size":1,"size":1}`:                       `"size" is there twice`,
		`{"\u0073ize":1,"size":1}`:                  `"size" is there twice`,
		`{"plain":"a"}`:                             `"plain" is spelt "Plain"`,
		`{"files":[{"name":"b"},{"Name":"c"}]}`:     `"Name" is spelt "name"`,
		`{"files":[{"name":"b","name":"c"}]}`:       `"name" is there twice`,
		`{"labels":{"a":"1","a":"2"}}`:              `"a" is there twice`,
		`{"raw":{"b":[{"a":1,"a":2}]}}`:             `"a" is there twice`,
		`{"any":[[{"a":1,"a":2}]]}`:                 `"a" is there twice`,
		`{"unknown":{"a":1,"a":2}}`:                 `"a" is there twice`,
		`{"unknown":1,"unknown":2}`:                 `"unknown" is there twice`,
		`{"name":"a"}{}`:                            "follows",
		`{"name":"a"} x`:                            "follows",
		`{"name":"a"`:                               "EOF",
		"{\"name\":\"\xff\"}":                       "UTF-8",
		`{"name":"\ud800"}`:                         "surrogate",
		`{"name":"\uDC00"}`:                         "surrogate",
		`{"name":"\ud800\ud800"}`:                   "surrogate",
		`{"name":"\ud800x\udc00"}`:                  "surrogate",
		`{"name":"\ud83d\ude00 \\ud800 \\\\ud800"}`: "",
		`{"name":"\\\ud800"}`:                       "surrogate",
		strings.Repeat(`[`, 100_000):                "",
	} {
		var b body
		err := Unmarshal([]byte(text), &b)
		switch {
		case strings.HasPrefix(text, "[["):
			if err == nil {
				t.Error("100,000 brackets were read")
			}
		case want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v; want %q", text, err, want)
		}
	}
}

func TestUnknownMembers(t *testing.T) {
	var f file
	if err := UnmarshalKnown([]byte(`{"name":"a","nam":"b"}`), &f); err == nil || !strings.Contains(err.Error(), `unknown field "nam"`) {
		t.Error(err)
	}
	if err := UnmarshalKnown([]byte(`{"name":"a","size":7}`), &f); err != nil || f.Name != "a" || *f.Size != 7 {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestObject(t *testing.T) {
	o, err := Object([]byte(`{"sub":"a","n":9007199254740993,"Role":1,"role":2}`), "sub")
	if want := map[string]any{"sub": "a", "n": json.Number("9007199254740993"), "Role": json.Number("1"), "role": json.Number("2")}; err != nil || !reflect.DeepEqual(o, want) {
		t.Errorf("%v, %v", o, err)
	}
	for _, text := range []string{`null`, `[]`, `"a"`, `{"Sub":1}`, `{"sub":1,"SUB":2}`, ``, `{`} {
		if o, err := Object([]byte(text), "sub"); err == nil {
			t.Errorf("%s: %v", text, o)
		}
	}
}

// FuzzUnmarshal holds what is accepted against encoding/json: the same value comes of it.
func FuzzUnmarshal(f *testing.F) {
	for _, text := range []string{`{"name":"a","size":1}`, `{"NAME":"a"}`, `{"any":{"a":[1,2,{"b":null}]}}`, `{"name":"\ud83d\ude00"}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var ours, theirs body
		if Unmarshal(data, &ours) != nil {
			return
		}
		var members map[string]json.RawMessage
		if json.Unmarshal(data, &theirs) != nil || json.Unmarshal(data, &members) != nil {
			t.Fatalf("%q is no JSON object", data)
		}
		if _, there := members["name"]; !there && ours.Name != "" {
			t.Fatalf("%q gave the name %q", data, ours.Name)
		}
		if ours.Name != theirs.Name || !reflect.DeepEqual(ours.Files, theirs.Files) || !reflect.DeepEqual(ours.Labels, theirs.Labels) {
			t.Fatalf("%q: %+v and %+v", data, ours, theirs)
		}
	})
}
