package pyliteral

import (
	"fmt"
	"strings"
	"testing"
)

// show writes a value as a test can read it.
func show(v Value) string {
	switch v.Kind {
	case Bool:
		return fmt.Sprint(v.True)
	case Number:
		return fmt.Sprint(v.Int)
	case Text:
		return fmt.Sprintf("%q", v.Text)
	case Other:
		return fmt.Sprintf("<%d: %s>", v.Line, v.Text)
	case List:
		var items []string
		for _, item := range v.Items {
			items = append(items, show(item))
		}
		return "[" + strings.Join(items, " ") + "]"
	case Dict:
		var pairs []string
		for _, p := range v.Pairs {
			pairs = append(pairs, p.Key+":"+show(p.Value))
		}
		return "{" + strings.Join(pairs, " ") + "}"
	}
	return "none"
}

func TestValues(t *testing.T) {
	for text, want := range map[string]string{
		`'a'`:                          `"a"`,
		`"a" 'b'`:                      `"ab"`,
		`'a' + "b"`:                    `"ab"`,
		`u'a'`:                         `"a"`,
		`r'\d'`:                        `"\\d"`,
		`b'a'`:                         `"a"`,
		`'\x41\u00e9\U0001F600\n\'\d'`: `"Aé😀\n'\\d"`,
		`'''a
b'''`: `"a\nb"`,
		`"""a "b" c"""`:                          `"a \"b\" c"`,
		`'#no comment' # one`:                    `"#no comment"`,
		`f'{x}'`:                                 `<1: f'{x}'>`,
		`1`:                                      `1`,
		`-1`:                                     `-1`,
		`1_000`:                                  `1000`,
		`0x10`:                                   `16`,
		`1e6`:                                    `1000000`,
		`1.5`:                                    `<1: 1.5>`,
		`5 * 1024 * 1024 + 1 - 2`:                `5242879`,
		`2 ** 20`:                                `1048576`,
		`(5 * 2)`:                                `10`,
		`1 / 2`:                                  `<1: 1 / 2>`,
		`True`:                                   `true`,
		`False`:                                  `false`,
		`None`:                                   `none`,
		`[]`:                                     `[]`,
		`()`:                                     `[]`,
		`(1,)`:                                   `[1]`,
		`(1)`:                                    `1`,
		`[1, 'a', [None]]`:                       `[1 "a" [none]]`,
		`{1, 2}`:                                 `[1 2]`,
		`['a'] + ['b']`:                          `["a" "b"]`,
		`{}`:                                     `{}`,
		`{'a': 1, "b": (2, 3),}`:                 `{a:1 b:[2 3]}`,
		`{'a': lambda u: u.is_staff, 'b': 1}`:    `{a:<1: lambda u: u.is_staff> b:1}`,
		`{'a': lambda u, v={}: f(u, 1), 'b': 1}`: `{a:<1: lambda u, v={}: f(u, 1)> b:1}`,
		`{'a': f(x, {1: 2})[0], 'b': 1}`:         `{a:<1: f(x, {1: 2})[0]> b:1}`,
		`[x for x in y]`:                         `[<1: x for x in y>]`,
		`os.environ.get('A', 'b')`:               `<1: os.environ.get('A', 'b')>`,
		`before`:                                 `"set before"`,
		`{'a': before}`:                          `{a:"set before"}`,
		`{'a': unknown}`:                         `{a:<1: unknown>}`,
		`'%s' % 1`:                               `<1: '%s' % 1>`,
		`'a' if b else 'c'`:                      `<1: 'a' if b else 'c'>`,
		"(\n  1,  # one\n\n  2,\n)":              `[1 2]`,
		"1 + \\\n 2":                             `3`,
		"{\n'a':\n  lambda: 1\n}":                `{a:<3: lambda: 1>}`,
	} {
		m, err := Parse("before = 'set before'\nX = " + text + "\nAFTER = 1\n")
		got := show(m.Names["X"])
		got = strings.NewReplacer("<2:", "<1:", "<4:", "<3:").Replace(got) // lines count from X's
		if err != nil || got != want || m.Names["AFTER"].Int != 1 {
			t.Errorf("%s is %s, %v; want %s (then %+v)", text, got, err, want, m.Names["AFTER"])
		}
	}
}

func TestModule(t *testing.T) {
	m, err := Parse(`# -*- coding: utf-8 -*-
"""Doc = 'string'"""
import os
from x import (a,
    b)
A: str = 'annotated'
B = A + '/b'
if DEBUG:
    C = 'in a block'
def f(x):
    D = 1
    return {
        'x': 1}
E['x'] = 1
F = G = 2
H, I = 1, 2
J += 1
K = 'last'`)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"A": `"annotated"`, "B": `"annotated/b"`, "F": "<15: G = 2>", "K": `"last"`} {
		if got := show(m.Names[name]); got != want {
			t.Errorf("%s is %s; want %s", name, got, want)
		}
	}
	if len(m.Names) != 4 {
		t.Error(m.Names)
	}
	var skipped []string
	for _, s := range m.Skipped {
		skipped = append(skipped, fmt.Sprintf("%d %s", s.Line, s.Text))
	}
	for _, want := range []string{"3 import os", "9 C = 'in a block'", "14 E['x'] = 1", "16 H, I = 1, 2", "17 J += 1"} {
		if !strings.Contains("\n"+strings.Join(skipped, "\n")+"\n", "\n"+want+"\n") {
			t.Errorf("%q does not say %q", skipped, want)
		}
	}
}

func TestJSON(t *testing.T) {
	m, err := Parse("\ufeff {\r\n \"A\": {\"k\": \"uploads\\/x \\ud83d\\ude00\", \"n\": null, \"t\": true, \"l\": [1, 2.0]}\r\n}\r\n")
	if got := show(m.Names["A"]); err != nil || got != `{k:"uploads/x 😀" n:none t:true l:[1 2]}` {
		t.Error(got, err)
	}
}

func TestErrorsNameTheLine(t *testing.T) {
	for text, want := range map[string]string{
		"A = 1\nB = {'a': 1 'b': 2}":      "line 2: ",
		"A = 'x":                          "line 1: a text is not closed",
		"A = 1\nB = [1,\n":                "line 2: a bracket is not closed",
		"A = {'a':\n":                     "line 1: ",
		"A = {'a': }":                     "line 1: a value is missing",
		"A = " + strings.Repeat("[", 200): "line 1: brackets or signs stand in each other a hundred deep",
	} {
		if _, err := Parse(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.40q: %v; want %q", text, err, want)
		}
	}
}

// Programs that took all memory, or minutes. What does not fit is Other, or an error that says the line.
func TestHostilePrograms(t *testing.T) {
	doubled := func(first string) string {
		text := "a0 = " + first + "\n"
		for i := range 60 {
			text += fmt.Sprintf("a%d = a%d + a%[2]d\n", i+1, i)
		}
		return text
	}
	nested := "a0 = [1]\n"
	for i := range 60 {
		nested += fmt.Sprintf("a%d = [a%d, a%[2]d]\n", i+1, i)
	}
	for text, want := range map[string]string{
		doubled("['x']"): "other",
		doubled("'x'"):   "other",
		"a0 = 1\n" + strings.TrimPrefix(doubled("1")+"a61 = a60 * a60", "a0 = 1\n"): "other",
		nested: "list",
		"a61 = " + strings.Repeat("-", 150_000) + "1":       "line 1: brackets or signs",
		"a61 = " + strings.Repeat("'x' ", 150_000):          "text",
		"a61 = " + strings.Repeat("'x' + ", 90_000) + "'x'": "line 1: the values up to here",
		"a61 = " + strings.Repeat("[1]+", 40_000) + "[1]":   "line 1: the values up to here",
		"a61 = " + strings.Repeat("2**", 50_000) + "2":      "other",
		"a61 = 10 ** 30":                          "other",
		"a61 = 9223372036854775807 + 1":           "other",
		"a61 = -9223372036854775807 - 2":          "other",
		"a61 = 4611686018427387904 * 2":           "other",
		"a61 = 2 ** 62":                           "number",
		"a61 = " + strings.Repeat("(", 50_000):    "line 1: brackets or signs",
		strings.Repeat("#", maxSource+1):          "line 1: the program is larger than 1 MiB",
		"a61 = [" + strings.Repeat("1,", 150_000): "line 1: the program is too long",
	} {
		m, err := Parse(text)
		got := map[Kind]string{Other: "other", Text: "text", Number: "number", List: "list", None: "none"}[m.Names["a61"].Kind]
		if strings.Contains(text, "a61") && want == "other" && got == "none" || strings.HasPrefix(text, "a0 = ") && !strings.Contains(text, "a61") {
			got = map[Kind]string{Other: "other", List: "list"}[m.Names["a60"].Kind]
		}
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%.60q: %.100s; want %s", text, got, want)
		}
		for name, v := range m.Names {
			if v.Kind != Other && len(v.Text)+len(v.Items) > maxValue {
				t.Errorf("%.60q: %s has %d", text, name, len(v.Text)+len(v.Items))
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"A = {'a': (1, lambda x: y)}", "{\"a\": [1]}", "A = '''", "if x:\n  A = 1", "A = -\\\n(", "A = b'\\x", "é = 1 ** 99"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := Parse(s); err != nil && !strings.HasPrefix(err.Error(), "line ") {
			t.Error(err)
		}
	})
}
