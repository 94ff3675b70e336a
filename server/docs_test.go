package main

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chunksign/chunksign/server/config"
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
	warnings := map[string]bool{}
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
		for _, m := range regexp.MustCompile(`(?:warn\(\{ code|Warn\{Code): "([a-z_]+)"`).FindAllStringSubmatch(page(t, name), -1) {
			warnings[m[1]] = true
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
	for code := range warnings {
		delete(found, code)
	}
	same(t, "warnings of the library", slices.Collect(maps.Keys(warnings)), column(section(t, httpPage, "## Warnings of the library"), 0))
	same(t, "errors of the library", slices.Collect(maps.Keys(found)), column(section(t, httpPage, "## Errors of the library"), 0))
}

// Every refusal of django-s3direct's views that is a text of their own, with its status.
func TestDocsHaveEveryRefusalOfS3Direct(t *testing.T) {
	statuses := map[string]int{"StatusBadRequest": 400, "StatusForbidden": 403, "StatusNotFound": 404, "StatusInternalServerError": 500}
	var code, docs []string
	ast.Inspect(parsed(t, "compat/s3direct.go"), func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || last(call.Fun) != "refuse" {
			return true
		}
		text := literal(call.Args[2])
		switch x := call.Args[2].(type) {
		case *ast.CallExpr: // fmt.Sprintf, or the error of readForm
			if len(x.Args) == 0 {
				return true
			}
			text = regexp.MustCompile("%.").ReplaceAllString(literal(x.Args[0]), "…")
		case *ast.BinaryExpr:
			text = literal(x.X.(*ast.BinaryExpr).X) + "…" + literal(x.Y)
		}
		if row := fmt.Sprintf("%d %s", statuses[last(call.Args[1])], text); text != "" && !slices.Contains(code, row) {
			code = append(code, row)
		}
		return true
	})
	code = append(code, "400 The form cannot be read.")
	for _, m := range regexp.MustCompile("(?m)^\\| (\\d{3}) \\| `([^`]+)` \\|").FindAllStringSubmatch(section(t, "../docs/migrate.md", "## Its replies"), -1) {
		docs = append(docs, m[1]+" "+m[2])
	}
	same(t, "refusals of django-s3direct's views", code, docs)
}

var update = flag.Bool("update", false, "write the configuration's reference into the docs")

// The reference is generated from what the parser takes: with -update this
// writes it, and without it compares.
func TestTheReferenceOfTheConfiguration(t *testing.T) {
	text := page(t, configurationPage)
	table := regexp.MustCompile(`(?m)^\| key \| type \|.*\n(?:\|.*\n)+`)
	for _, o := range config.All() {
		heading := "\n### `" + o.Heading + "`\n"
		if o.Heading == "Top level" {
			heading = "\n### Top level\n"
		}
		before, after, found := strings.Cut(text, heading)
		under, rest, _ := strings.Cut(after, "\n#")
		is := table.FindString(under)
		if !found || is == "" {
			t.Fatalf("%s has no heading %q with a table of keys", configurationPage, heading)
		}
		if is != o.Table() && !*update {
			t.Errorf("the table under %s is not the parser's; run go test ./server -run %s -update", heading, t.Name())
		}
		text = before + heading + strings.Replace(under, is, o.Table(), 1) + "\n#" + rest
	}
	if *update {
		if err := os.WriteFile(configurationPage, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The flags of a command are those of the table that begins with it.
func TestDocsHaveEveryFlag(t *testing.T) {
	for _, name := range []string{"serve", "check", "policy", "iam", "sweep", "doctor", "presign", "import-s3direct"} {
		_, _, help := command(t, name, "-h")
		var flags []string
		for _, m := range regexp.MustCompile(`(?m)^  (-[\w-]+)`).FindAllStringSubmatch(help, -1) {
			flags = append(flags, m[1])
		}
		_, table, _ := strings.Cut(section(t, configurationPage, "## Commands"), "| `chunksign "+name+"` |")
		table, _, _ = strings.Cut(table, "\n\n")
		var docs []string
		for _, m := range regexp.MustCompile("(?m)^\\| `(-[\\w-]+)(?: [A-Z:=]+)?` \\|").FindAllStringSubmatch(table, -1) {
			docs = append(docs, m[1])
		}
		same(t, name, flags, docs)
	}
}

// The page for developers has every option, every state and every figure of progress.
func TestDocsHaveTheLibrary(t *testing.T) {
	const docs = "../docs/javascript.md"
	member := func(file, from string) []string {
		_, body, found := strings.Cut(page(t, "../web/src/"+file), from)
		if body, _, _ = strings.Cut(body, "\n}"); !found {
			t.Fatalf("%s has no %q", file, from)
		}
		var names []string
		for _, m := range regexp.MustCompile(`(?m)^  (?:readonly )?(\w+)\??:`).FindAllStringSubmatch(body, -1) {
			names = append(names, m[1])
		}
		return names
	}
	same(t, "options", member("uploader.ts", "export interface UploaderOptions {"), column(section(t, docs, "## Options of `Uploader`"), 0))
	one := section(t, docs, "## One upload")
	_, states, _ := strings.Cut(page(t, "../web/src/messages.ts"), "export type UploadState =")
	states, _, _ = strings.Cut(states, ";")
	for _, m := range regexp.MustCompile(`"([a-z-]+)"`).FindAllStringSubmatch(states, -1) {
		if !strings.Contains(one, "`"+m[1]+"`") {
			t.Errorf("the state %s is not in the docs", m[1])
		}
	}
	for _, name := range member("messages.ts", "export interface UploadProgress {") {
		if !strings.Contains(one, "`"+name+"`") {
			t.Errorf("progress.%s is not in the docs", name)
		}
	}
}
