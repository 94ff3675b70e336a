package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chunksign/chunksign/server/allow"
	"github.com/chunksign/chunksign/server/policy"
)

// told finds what a broken file's last comments say that is to be said of it:
// "# line:column: what is wrong; what to write instead".
var told = regexp.MustCompile(`(?m)^# (\d+:\d+: .*)$`)

var update = flag.Bool("update", false, "write what is reported into the files of testdata/broken")

// Each file of testdata/broken is wrong, and is told exactly what its comments say.
func TestBrokenConfigurations(t *testing.T) {
	files, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 100 {
		t.Errorf("there are %d broken files", len(files))
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, m := range told.FindAllSubmatch(data, -1) {
			want = append(want, "f:"+string(m[1]))
		}
		_, err = Parse("f", data, noFiles, nil, allow.Compile, policy.Session)
		var got []string
		var mistakes Mistakes
		if errors.As(err, &mistakes) {
			got = strings.Split(err.Error(), "\n")
		}
		if *update && !slices.Equal(got, want) {
			text := told.ReplaceAllString(string(data), "")
			text = strings.TrimRight(text, "\n") + "\n"
			for _, line := range got {
				text += "# " + strings.TrimPrefix(line, "f:") + "\n"
			}
			if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s:\n got %s\nwant %s", name, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
		}
		for _, m := range mistakes {
			if what, fix, ok := strings.Cut(m.Text, "; "); !ok || what == "" || fix == "" {
				t.Errorf("%s: %s says no fix", name, m)
			}
		}
	}
}

func TestTheLineItself(t *testing.T) {
	for text, want := range map[string]string{
		"auth: { dev: true }\rstores: { s: { region: eu-west-1 } }\r\ndestinations: { d: {} }":                 "    3 | destinations: { d: {} }\n      |                 ^\n",
		"auth: { dev: true }\nstores: { s: { region: eu-west-1 } }\ndestinations:\n\u00a0 d: {}":               "",
		"auth: { dev: true }\nstores: { s: { region: eu-west-1 } }\ndestinations: { \"é\u202e\": { key: k } }": "    3 | destinations: { \"é\ufffd\": { key: k } }\n      |                 ^\n",
		"auth: { forward: { url: \"https://u:hunter2@a.test\", token: hunter2, my_secret: hunter2 }":           "",
	} {
		_, err := Parse("f", []byte(text), noFiles, nil, nil, nil)
		var mistakes Mistakes
		if !errors.As(err, &mistakes) || !strings.HasPrefix(mistakes[0].Pointed(), want) {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
			continue
		}
		for _, m := range mistakes {
			if strings.Contains(m.Pointed(), "hunter2") {
				t.Errorf("it shows %s", m.Pointed())
			}
		}
	}
}

// reportedOfBroken is all that is reported of the files of testdata/broken, a mistake a line.
func reportedOfBroken(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse("f", data, noFiles, nil, allow.Compile, policy.Session); err != nil {
			all.WriteString(err.Error() + "\n")
		}
	}
	return all.String()
}
