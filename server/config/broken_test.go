package config

import (
	"errors"
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
		"auth: { dev: true }\rstores: {}\r\ndestinations: { d: {} }":                                 "    3 | destinations: { d: {} }\n      |                    ^\n",
		"auth: { dev: true }\nstores: {}\ndestinations:\n\u00a0 d: {}":                               "",
		"auth: { dev: true }\nstores: {}\ndestinations: { \"é\u202e\": { key: k } }":                 "    3 | destinations: { \"é\ufffd\": { key: k } }\n      |                 ^\n",
		"auth: { forward: { url: \"https://u:hunter2@a.test\", token: hunter2, my_secret: hunter2 }": "",
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
