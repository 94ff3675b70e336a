package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/chunksign/chunksign/server/allow"
	"github.com/chunksign/chunksign/server/policy"
)

// Files that were read for minutes, or without an end, and what is said of each.
func TestHostileFiles(t *testing.T) {
	repeat, join := strings.Repeat, func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	laughs := "a0: &a0 {x: 1}\n"
	for i := 1; i < 10; i++ {
		laughs += fmt.Sprintf("a%d: &a%d [*a%d, *a%[3]d, *a%[3]d, *a%[3]d, *a%[3]d, *a%[3]d, *a%[3]d, *a%[3]d]\n", i, i, i-1)
	}
	for name, c := range map[string]struct{ text, want string }{
		"a line of 200 kB":            {lastly + "    cache_control: \"" + repeat("x", 200_000) + "\n", "f:10:"},
		"100,000 brackets":            {"auth: " + repeat("[", 100_000), "f:1:"},
		"9,000 brackets, closed":      {"auth: " + repeat("[", 9_000) + repeat("]", 9_000), "f:1:38: mappings and lists stand in each other more than 32 deep"},
		"indented":                    {lastly + "    verify:" + join(900, "\n       %[1]*[1]d:"), "f:"},
		"50,000 dashes":               {"auth: " + repeat("\n- ", 50_000), "f:"},
		"a quote open for long":       {join(20_000, "k%d: \"x\"\n") + "z: \"x\n" + join(20_000, "k%d: v\n"), "f:20001:"},
		"50,000 unknown options":      {lastly + join(50_000, "    k%d: 1\n"), "f:10:5: the destination photos has no option \"k0\""},
		"the same in a line":          {lastly + "    verify: { " + join(50_000, "k%d: 1, ") + "}\n", "f:10:15: verify has no option \"k0\""},
		"an option of 200 kB":         {lastly + "    " + repeat("k", 200_000) + ": 1\n", "f:"},
		"a value of 200 kB":           {lastly + "    scope: " + repeat("k", 200_000) + "\n", "f:10:12: scope is \"…"},
		"aliases of aliases":          {laughs + lastly, "f:1:1: the file has more than 200000 values"},
		"10,000 aliases":              {"x: &x [" + repeat("a, ", 1_000) + "]\ny: [" + repeat("*x, ", 10_000) + "]\n" + lastly, "f:1:1: the file has more than 200000 values"},
		"an alias of what it is in":   {"x: &x [*x]\n" + lastly, "f:1:8: the alias x stands within what it stands for"},
		"defaults for many":           {"defaults: { content_types: [" + repeat("a/b, ", 50_000) + "] }\ndestinations:\n" + join(10_000, "  d%d: { key: k }\n"), "f:1:1: the file has more than 200000 values"},
		"a mistake for each of many":  {"defaults: { scope: x }\ndestinations:\n" + join(10_000, "  d%d: { key: k }\n"), "f:1:1: the file has no auth"},
		"more than 1 MiB":             {lastly + repeat("#\n", 1<<20), "f:1:1: the file is larger than 1 MiB"},
		"a rule of 200 kB":            {lastly + "    allow: \"" + repeat("true || ", 25_000) + "true\"\n", "f:10:13: allow is not a rule: it has 200004 characters"},
		"a rule in brackets":          {lastly + "    allow: \"" + repeat("(", 2_000) + "true" + repeat(")", 2_000) + "\"\n", "f:10:13: allow is not a rule: "},
		"a key of 900 kB":             {strings.Replace(lastly, "photos/{user}", repeat("{ext}/", 150_000)+"{user}", 1), "f:8:10: the key has 900024 bytes"},
		"a size of 200 kB":            {strings.Replace(lastly, "1B..50MiB", repeat("1", 200_000)+"B..2B", 1), "f:9:21: "},
		"tokens all the way":          {join(40_000, "token%d: &t x\n"), "f:1:1: the file has no option \"token0\""},
		"a name of a secret, indents": {"server:\n" + join(900, "token: |\n  x\n  y%d\n"), "f:"},
	} {
		_, err := Parse("f", []byte(c.text), noFiles, nil, allow.Compile, policy.Session)
		var mistakes Mistakes
		if !errors.As(err, &mistakes) || !strings.Contains("\n"+err.Error(), "\n"+c.want) {
			t.Errorf("%s: %.400v\nwant %s", name, err, c.want)
			continue
		}
		printed := 0
		for _, m := range mistakes {
			printed += len(m.String()) + len(m.Pointed())
		}
		if len(mistakes) > maxReported+1 || printed > 200_000 {
			t.Errorf("%s: %d mistakes, %d bytes", name, len(mistakes), printed)
		}
	}
}

// To find where a file stops to be YAML the parser is given no more than some files, and a logarithm of them.
func TestThePlaceOfAFaultIsFoundInBoundedWork(t *testing.T) {
	for name, file := range map[string]func(n int) string{
		"an open quote":     func(n int) string { return "a: \"" + strings.Repeat("x", n) },
		"open brackets":     func(n int) string { return "a: " + strings.Repeat("[", n) },
		"lines after quote": func(n int) string { return "a: \"\n" + strings.Repeat("b: c\n", n/5) },
		"lines before":      func(n int) string { return strings.Repeat("- c\n", n/4) + "- \"" },
		"closed too often":  func(n int) string { return "a: [" + strings.Repeat("x, ", n/3) + "]]" },
		"a long key":        func(n int) string { return "a:\n" + strings.Repeat("k", n) + "\nb: c" },
	} {
		for _, n := range []int{1 << 10, 1 << 14, 1 << 18} {
			p := place{data: []byte(file(n))}
			line, column := p.find()
			if most := maxParsed + 42*len(p.data); p.parsed > most || p.tries > 2*attempts+42 {
				t.Errorf("%s of %d: %d bytes in %d tries, at %d:%d", name, n, p.parsed, p.tries, line, column)
			}
		}
	}
}

// A large file's fault is found at the character, where the beginnings before it are YAML and those after it not.
func TestThePlaceOfAFaultInALargeFile(t *testing.T) {
	p := place{data: []byte(strings.Repeat("k: v\n", 50_000) + "a: \"" + strings.Repeat("x", 100_000))}
	if line, column := p.find(); line != 50_001 || column != 4 {
		t.Errorf("%d:%d", line, column)
	}
}
