package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/chunksign/chunksign/server/allow"
	"github.com/chunksign/chunksign/server/policy"
)

// lastly is a configuration whose last line, the 9th, is an option of a destination.
const lastly = `auth: { dev: true }
stores: { media: { region: eu-west-1, sts: { role_arn: "arn:aws:iam::123456789012:role/uploads" } } }
defaults: { allow: "'staff' in claims.groups", content_types: [image/*], rate: 1/m, tags: { a: b } }
destinations:
  photos:
    store: media
    bucket: my-media
    key: "photos/{user}/{uuid}/{filename}"
    content_length: 1B..50MiB
`

var blanks = []string{
	"", "~", "null", "Null", "NULL", "!!null x", `""`, "''", `" "`, "'\u00a0'", `"\t\n"`, `"\u200b"`, "!!str", "[]", "{}", "&nothing", "*none",
	"# 'staff' in claims.groups", "|\n\n", ">-\n      \n", "\n      # nothing\n",
}

// However an option is blank and whatever it is, that is a mistake at its line, and nothing of defaults is lost.
func TestABlankOptionIsAMistake(t *testing.T) {
	tried := 0
	for _, p := range destinationOptions.List {
		for _, blank := range blanks {
			var text string
			switch p.Name {
			case "store", "bucket", "key", "content_length":
				continue
			}
			text = strings.Replace(lastly, "rate: 1/m", "rate: &none ''", 1)
			if blank != "*none" {
				text = lastly
			}
			tried++
			_, err := Parse("f", []byte(text+"    "+p.Name+": "+blank), noFiles, nil, allow.Compile, policy.Session)
			want := fmt.Sprintf("f:10:5: %s is blank; write ", p.Name)
			var mistakes Mistakes
			if !errors.As(err, &mistakes) || !strings.HasPrefix(mistakes[len(mistakes)-1].String(), want) {
				t.Errorf("%s: %q: %v\nwant %s", p.Name, blank, err, want)
			}
		}
	}
	if tried < 300 {
		t.Errorf("%d were tried", tried)
	}
}

// The same holds in every mapping of the file.
func TestEveryOptionOfEveryMappingMayNotBeBlank(t *testing.T) {
	for _, o := range All() {
		for _, p := range o.List {
			for _, blank := range []string{"~", "[]", "{}", `" "`} {
				d := &document{file: "f", lines: []string{p.Name + ": " + blank}}
				root := d.parse([]byte(p.Name + ": " + blank))
				in := d.object(root, o.Heading, o)
				if len(d.mistakes) != 1 || !strings.HasPrefix(d.mistakes[0].String(), "f:1:1: "+p.Name+" is blank; write ") || in.fields[p.Name] != nil {
					t.Errorf("%s.%s: %s: %v", o.Heading, p.Name, blank, d.mistakes)
				}
			}
		}
	}
}

func TestBlanksWithinValues(t *testing.T) {
	for _, option := range []string{`content_types: [""]`, "content_types: [~]", `content_types: [image/png, " "]`, "content_types: [[]]", "metadata: { app: }",
		`tags: { a: "" }`, `tags: { "": b }`, "tags: { ~: b }", "webhook: { url: }", "<<: *none", "conditions: { source_ip: [] }", "allow: true\n    allow:", "allow:\n    allow: true",
		"content_types: [any, image/*]", "content_types: [any, any]", "content_types: ANY", "content_types: '*'"} {
		text := strings.Replace(lastly, "rate: 1/m", "rate: &none 1/m", 1)
		_, err := Parse("f", []byte(text+"    "+option+"\n"), noFiles, nil, allow.Compile, policy.Session)
		var mistakes Mistakes
		if !errors.As(err, &mistakes) || mistakes[0].Line < 10 {
			t.Errorf("%s: %v", option, err)
		}
	}
}

func TestAnyTypeIsSaidInWords(t *testing.T) {
	for option, want := range map[string]int{"": 1, "content_types: any": 0, "content_types: [any]": 0, "content_types: [a/b, c/d]": 2} {
		c, err := parse(lastly + "    " + option + "\n")
		if err != nil || len(c.Destinations[0].ContentTypes) != want {
			t.Errorf("%s: %v", option, err)
		}
	}
}

// No advice opens anything: not in the examples of options, nor in what is said of broken files.
func TestNoAdviceWidens(t *testing.T) {
	_, fixes, _ := strings.Cut(reportedOfBroken(t), "\n")
	for _, o := range All() {
		if o.oneOnly {
			continue // there true is all that can be written
		}
		for _, p := range o.List {
			if p.Example != "" {
				fixes += "\nwrite " + p.Name + ": " + p.Example
			}
		}
	}
	for _, wide := range []string{"[]", "{}", "null", `allow: "true"`, "allow: true", "rate: 0", "overwrite: true", "trusted: true", "private: true", "conditional_delete: true", "existence_optimization: true",
		"write *", ": *", "[*", "*/*", "anonymous: true", "dev: true", "0.0.0.0/0"} {
		for line := range strings.SplitSeq(fixes, "\n") {
			if _, fix, _ := strings.Cut(line, "write "); strings.Contains(fix, wide) {
				t.Errorf("%q is in %s", wide, line)
			}
		}
	}
}

func TestRangesThatAreEverybodyTogether(t *testing.T) {
	for list, everybody := range map[string]bool{
		"[0.0.0.0/1, 128.0.0.0/1]":                           true,
		"[0.0.0.0/2, 64.0.0.0/2, 128.0.0.0/1]":               true,
		"[128.0.0.0/1, 64.0.0.0/2, 0.0.0.0/3, 32.0.0.0/3]":   true,
		"[0.0.0.0/1, 128.0.0.0/2, 192.0.0.0/2, 10.0.0.0/8]":  true,
		"['::/1', '8000::/1']":                               true,
		"[0.0.0.0/1, '8000::/1']":                            false,
		"[0.0.0.0/1, 128.0.0.0/2]":                           false,
		"[10.0.0.0/8, 11.0.0.0/8, 10.0.0.1, 10.0.0.0]":       false,
		"[0.0.0.0/1, 128.0.0.0/2, 192.0.0.0/3, 224.0.0.0/3]": true,
	} {
		_, err := signIn(t, "headers: { from: "+list+" }")
		if got := err != nil && strings.HasPrefix(err.Error(), "c.yaml:4:20: the ranges of from together are everybody; "); got != everybody {
			t.Errorf("%s: %v", list, err)
		}
	}
}

func TestAnybodyReplacesAnything(t *testing.T) {
	const warning = "overwrite is true and key has nothing of the user"
	for key, warned := range map[string]bool{"photos/{filename}": true, "photos/{date}/{filename}": true, "photos/{user}/{filename}": false, "{uuid}": false, "{claims.team}/{filename}": false} {
		text := strings.Replace(lastly, "photos/{user}/{uuid}/{filename}", key, 1) + "    overwrite: true\n"
		c, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(c.Warnings) > 0 && strings.HasPrefix(c.Warnings[0].String(), "c.yaml:10:16: "+warning); got != warned {
			t.Errorf("%s: %v", key, c.Warnings)
		}
		_, err = parse(strings.Replace(text, "dev: true", "anonymous: true", 1))
		if got := err != nil && strings.Contains(err.Error(), "c.yaml:10:16: "+warning); got != warned {
			t.Errorf("%s without sign-in: %v", key, err)
		}
	}
}
