package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chunksign/chunksign/server/config"
	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/policy"
)

// Paths are as from this folder, where go test runs.
const (
	httpPage          = "../docs/http.md"
	configurationPage = "../docs/configuration.md"
	securityPage      = "../docs/security.md"
)

func page(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// section is what stands under a heading, up to the next one.
func section(t *testing.T, path, heading string) string {
	t.Helper()
	_, text, found := strings.Cut(page(t, path), "\n"+heading+"\n")
	if !found {
		t.Errorf("%s has no heading %q", path, heading)
	}
	text, _, _ = strings.Cut(text, "\n#")
	return text
}

// column gives the code words of one column of a text's tables, counting from 0.
func column(text string, n int) (words []string) {
	for line := range strings.SplitSeq(text, "\n") {
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| ") || n >= len(cells) {
			continue
		}
		if m := regexp.MustCompile("^(?:\\| )?`([^`]+)`$").FindStringSubmatch(cells[n]); m != nil {
			words = append(words, m[1])
		}
	}
	return words
}

// same reports what one of two lists has and the other has not.
func same(t *testing.T, what string, code, docs []string) {
	t.Helper()
	for _, w := range code {
		if !slices.Contains(docs, w) {
			t.Errorf("%s: %s is in the code and not in the docs", what, w)
		}
	}
	for i, w := range docs {
		if !slices.Contains(code, w) {
			t.Errorf("%s: %s is in the docs and not in the code", what, w)
		}
		if slices.Contains(docs[:i], w) {
			t.Errorf("%s: %s is there twice", what, w)
		}
	}
	if len(code) == 0 {
		t.Errorf("%s: none was found in the code; the test has to learn its new shape", what)
	}
}

func parsed(t *testing.T, path string) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func literal(x ast.Expr) string {
	if l, ok := x.(*ast.BasicLit); ok && l.Kind == token.STRING {
		text, _ := strconv.Unquote(l.Value)
		return text
	}
	return ""
}

// last is the last part of a name: the Code of destination.Code.
func last(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return x.Sel.Name
	}
	return ""
}

// problems reads httpapi's table: "status code" for each row.
func problems(t *testing.T) (rows []string) {
	t.Helper()
	codes, statuses := map[string]string{}, map[string]int{}
	for status := 100; status < 600; status++ {
		statuses["Status"+strings.NewReplacer(" ", "", "-", "").Replace(http.StatusText(status))] = status
	}
	table := parsed(t, "httpapi/problems.go")
	for _, file := range []*ast.File{parsed(t, "destination/errors.go"), table} {
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.ValueSpec); ok && len(s.Values) == 1 && last(s.Type) == "Code" {
				codes[s.Names[0].Name] = literal(s.Values[0])
			}
			return true
		})
	}
	ast.Inspect(table, func(n ast.Node) bool {
		row, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		if value, ok := row.Value.(*ast.CompositeLit); ok && len(value.Elts) == 2 {
			code, status := codes[last(row.Key)], statuses[last(value.Elts[0])]
			if code == "" || status < 400 {
				t.Errorf("the row %s of the problems is not read: %q %d", last(row.Key), code, status)
			}
			rows = append(rows, fmt.Sprintf("%d %s", status, code))
		}
		return true
	})
	if len(rows) != len(codes) {
		t.Errorf("%d codes are declared and %d are in the table", len(codes), len(rows))
	}
	return rows
}

func TestDocsHaveEveryProblem(t *testing.T) {
	var docs []string
	for _, m := range regexp.MustCompile("(?m)^\\| (\\d{3}) \\| `(\\w+)` \\| .+ \\| .+ \\|$").FindAllStringSubmatch(section(t, httpPage, "## Problems"), -1) {
		docs = append(docs, m[1]+" "+m[2])
	}
	same(t, "problems", problems(t), docs)
}

// The library's own codes are those that its comments list and those that its code names.
func TestDocsHaveEveryErrorOfTheLibrary(t *testing.T) {
	_, listed, _ := strings.Cut(page(t, "../web/src/errors.ts"), "one of the library's")
	listed, _, _ = strings.Cut(listed, "*/")
	found := map[string]bool{}
	for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(listed, -1) {
		found[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`(?m)^//\t([a-z_]+) {2,}\S`).FindAllStringSubmatch(page(t, "../wasm/upload/retry.go"), -1) {
		found[m[1]] = true
	}
	if len(found) < 10 {
		t.Errorf("the comments list %v only", found)
	}
	var sources []string
	for _, pattern := range []string{"../wasm/upload/*.go", "../web/src/*.ts", "../web/src/worker/*.ts"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		sources = append(sources, files...)
	}
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, m := range regexp.MustCompile(`"([a-z]+(?:_[a-z]+)+)"`).FindAllStringSubmatch(page(t, name), -1) {
			found[m[1]] = true
		}
	}
	delete(found, "wasm_exec")         // a file
	delete(found, "abort_unconfirmed") // only ever within the message of cancel_unconfirmed
	for _, row := range problems(t) {  // what the server says and the library reads
		if code := row[4:]; !slices.Contains([]string{"file_too_large", "key_taken"}, code) {
			delete(found, code)
		}
	}
	same(t, "errors of the library", slices.Collect(maps.Keys(found)), column(section(t, httpPage, "## Errors of the library"), 0))
}

// headings are where the page tells of each mapping of the file, by what package config calls it.
var headings = map[string]string{
	"the file": "### Top level", "server": "### `server`", "tls": "### `server.tls`", "auth": "### `auth`", "auth.jwt": "### `auth.jwt`",
	"the store ": "### `stores.NAME`", "sts": "### `stores.NAME.sts`", "the destination ": "### `destinations.NAME`",
}

func TestDocsHaveEveryConfigurationKey(t *testing.T) {
	files, err := filepath.Glob("config/*.go")
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		ast.Inspect(parsed(t, name), func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			// d.object(node, name, keys…); without keys it takes any, as metadata does.
			if !ok || last(call.Fun) != "object" || len(call.Args) < 3 {
				return true
			}
			mapping := call.Args[1]
			if sum, ok := mapping.(*ast.BinaryExpr); ok {
				mapping = sum.X
			}
			heading := headings[literal(mapping)]
			if heading == "" {
				t.Errorf("%s reads a mapping %q that this test knows no heading for", name, literal(mapping))
				return true
			}
			read[heading] = true
			var keys []string
			for _, key := range call.Args[2:] {
				keys = append(keys, literal(key))
			}
			same(t, heading, keys, column(section(t, configurationPage, heading), 0))
			return true
		})
	}
	if len(read) != len(headings) {
		t.Errorf("read are %v only", read)
	}
}

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
	example := examples(page(t, configurationPage), "yaml")[0]
	c, err := config.Parse("example", []byte(example), nil)
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

// The flags of a command are those of the table that begins with it.
func TestDocsHaveEveryFlag(t *testing.T) {
	for _, name := range []string{"serve", "check"} {
		_, _, help := command(t, name, "-h")
		var flags []string
		for _, m := range regexp.MustCompile(`(?m)^  (-\w+)`).FindAllStringSubmatch(help, -1) {
			flags = append(flags, m[1])
		}
		_, table, _ := strings.Cut(section(t, configurationPage, "## Commands"), "| `chunksign "+name+"` |")
		table, _, _ = strings.Cut(table, "\n\n")
		var docs []string
		for _, m := range regexp.MustCompile("(?m)^\\| `(-\\w+) [A-Z:]+` \\|").FindAllStringSubmatch(table, -1) {
			docs = append(docs, m[1])
		}
		same(t, name, flags, docs)
	}
}
