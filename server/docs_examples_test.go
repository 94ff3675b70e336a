package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chunksign/chunksign/server/config"
	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/policy"
)

// examples are the fenced blocks of a language in a page.
func examples(text, language string) (blocks []string) {
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

func TestExamplesOfTheDocs(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	keys := func(name string) string {
		return map[string]string{grantKeysVariable: "k:" + strings.Repeat("A", 43)}[name]
	}
	configurations := 0
	for _, name := range append(pages, "../README.md") {
		for i, text := range examples(page(t, name), "yaml") {
			configurations++
			path := filepath.Join(t.TempDir(), "chunksign.yaml")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var stdout, stderr bytes.Buffer
			if status := run(context.Background(), []string{"check", "-config", path}, keys, &stdout, &stderr); status != 0 || stderr.Len() > 0 {
				t.Errorf("%s, configuration %d: %s%s", name, i+1, &stdout, &stderr)
			}
		}
		for i, text := range examples(page(t, name), "json") {
			if !json.Valid([]byte(text)) {
				t.Errorf("%s: its JSON %d is not JSON:\n%s", name, i+1, text)
			}
		}
	}
	if configurations < 3 {
		t.Errorf("%d configurations were found", configurations)
	}
}

// The session policy that the docs show is the one that the docs' own example leads to, and the role has what sessions need.
func TestPoliciesOfTheDocs(t *testing.T) {
	example := examples(section(t, configurationPage, "## Example: Amazon S3"), "yaml")[0]
	c, err := config.Parse("example", []byte(example), nil, nil, nil, policy.Session)
	if err != nil {
		t.Fatal(err)
	}
	photos := c.Destinations[0]
	shown := section(t, securityPage, "## Session policies")
	key := regexp.MustCompile(`arn:aws:s3:::` + photos.Bucket + `/([^"]+)"`).FindStringSubmatch(shown)
	if key == nil {
		t.Fatalf("no policy for %s in\n%s", photos.Bucket, shown)
	}
	text, err := policy.Session(destination.Rights{Destination: photos, Key: key[1]})
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal([]byte(examples(shown, "json")[0]), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &want); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s shows\n%v\nand the server writes\n%v", securityPage, got, want)
	}

	everything := *photos
	everything.Object = destination.ObjectSettings{ACL: "private", Tags: map[string]string{"a": "b"}, KMSKeyID: "arn:aws:kms:eu-west-1:123456789012:key/k"}
	if text, err = policy.Session(destination.Rights{Destination: &everything, Key: "k"}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	for part, heading := range map[string]string{"cors": "### The bucket's CORS", "trust": "### The role `uploads`", "role": "### The role `uploads`", "server": "### The server's own rights", "lifecycle": "### Uploads that never end"} {
		if status, stdout, stderr := command(t, "iam", "-config", path, "-only", part); status != 0 || !slices.Contains(examples(section(t, configurationPage, heading), "json"), stdout) {
			t.Errorf("iam -only %s prints what %s does not show:\n%s%s", part, heading, stdout, stderr)
		}
	}
	role := section(t, configurationPage, "### The role `uploads`")
	for _, action := range regexp.MustCompile(`"((?:s3|kms):[A-Z]\w+)"`).FindAllStringSubmatch(text, -1) {
		if a := action[1]; a != "s3:ObjectCreationOperation" && !strings.Contains(role, a) {
			t.Errorf("%s does not give the role %s", configurationPage, a)
		}
	}
}

// A page that names a test as evidence names one that is there.
func TestTestsThatTheDocsName(t *testing.T) {
	var all strings.Builder
	for _, pattern := range []string{"*_test.go", "*/*_test.go", "../wasm/*/*_test.go", "../web/test/*.test.js"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			all.WriteString(page(t, name))
		}
	}
	promised := section(t, securityPage, "## Promised")
	named := 0
	for _, m := range regexp.MustCompile("`((?:Test|Fuzz)\\w+)`|(?:test\\.js|,) (\"[^\"]+\")").FindAllStringSubmatch(promised, -1) {
		named++
		if m[1] != "" && !strings.Contains(all.String(), "\nfunc "+m[1]+"(") || m[2] != "" && !strings.Contains(all.String(), "test("+m[2]+",") {
			t.Errorf("%s names %s%s, and there is no such test", securityPage, m[1], m[2])
		}
	}
	if named < 30 {
		t.Errorf("%d tests are named", named)
	}
}
