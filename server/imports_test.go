package main

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/chunksign/chunksign/"

type goPackage struct {
	ImportPath string
	Imports    []string
	Standard   bool
}

// reach lists what a package is made of, all the way down, for this machine or for the browser.
func reach(t *testing.T, goos, path string) []goPackage {
	t.Helper()
	list := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports,Standard", module+path)
	if goos != "" {
		list.Env = append(os.Environ(), "GOOS="+goos, "GOARCH=wasm")
	}
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("%s: %v", list, err)
	}
	var all []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// mustNotReach reports who imports what it should not.
func mustNotReach(t *testing.T, goos, path string, forbidden func(string) bool) {
	t.Helper()
	for _, p := range reach(t, goos, path) {
		for _, imported := range p.Imports {
			// Go's own runtime for the browser stands on syscall/js; our code may not.
			if forbidden(imported) && !(p.Standard && imported == "syscall/js") {
				t.Errorf("%s reaches %s through %s (GOOS=%s)", path, imported, p.ImportPath, goos)
			}
		}
	}
}

func TestTheEngineReachesNoIO(t *testing.T) {
	forbidden := func(p string) bool {
		return p == "net/http" || p == "os" || p == "syscall/js" || strings.Contains(p, "hackpadfs")
	}
	for _, path := range []string{"wasm/sigv4", "wasm/s3api", "wasm/plan", "wasm/upload"} {
		for _, goos := range []string{"", "js"} {
			mustNotReach(t, goos, path, forbidden)
		}
	}
}

// What these packages would add to the module that the page waits for is tens of kilobytes each.
func TestCoreStaysSmall(t *testing.T) {
	heavy := []string{"encoding/json", "encoding/xml", "fmt", "net/url", "regexp", "context", "syscall/js"}
	mustNotReach(t, "js", "wasm/core", func(p string) bool { return slices.Contains(heavy, p) })
}

func TestTheEngineHasNoClock(t *testing.T) {
	clock := []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTimer", "NewTicker"}
	for _, dir := range []string{"sigv4", "s3api", "plan", "upload", "core", "codec"} {
		files, err := filepath.Glob(filepath.Join("..", "wasm", dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("wasm/%s has no files: %v", dir, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			for _, use := range selectors(t, name, "time") {
				if slices.Contains(clock, use) {
					t.Errorf("%s uses time.%s; take the time as an argument", name, use)
				}
			}
		}
	}
}

// selectors lists the names that a file uses from an imported package.
func selectors(t *testing.T, name, pkg string) (used []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == pkg {
				used = append(used, s.Sel.Name)
			}
		}
		return true
	})
	return used
}

// Arrows point inward: adapters know the domain and never each other, and the domain knows none of them.
func TestAdaptersDoNotKnowEachOther(t *testing.T) {
	adapters := []string{"allow", "auth", "compat", "config", "devstore", "drive", "httpapi", "limit", "observe", "policy", "presign", "s3direct", "sts", "verify"}
	below := []string{"redact", "strictjson"} // these know nothing of the domain
	for _, self := range below {
		mustNotReach(t, "", "server/"+self, func(p string) bool { return strings.HasPrefix(p, module) })
	}
	for _, self := range append(adapters, "destination") {
		mustNotReach(t, "", "server/"+self, func(p string) bool {
			name, ours := strings.CutPrefix(p, module+"server/")
			return ours && name != self && name != "destination" && !slices.Contains(below, name)
		})
	}
	for _, path := range []string{"wasm/sigv4", "wasm/s3api", "wasm/plan", "wasm/upload", "wasm/core", "wasm/keeper", "wasm/journal"} {
		mustNotReach(t, "js", path, func(p string) bool { return strings.HasPrefix(p, module+"server/") })
	}
}

// TestJSONIsDecodedStrictly finds code that decodes JSON by itself, and so in another way than a reader in front may.
func TestJSONIsDecodedStrictly(t *testing.T) {
	own := map[string]bool{
		"strictjson/strictjson.go": true,
		"s3direct/setting.go":      true, // the admin's own settings, whose order counts
		"drive/server.go":          true, // the client, which reads what its own server answers and decides nothing
	}
	err := filepath.WalkDir(".", func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || own[filepath.ToSlash(path)] {
			return err
		}
		for _, use := range selectors(t, path, "json") {
			if use == "Unmarshal" || use == "NewDecoder" {
				t.Errorf("%s uses json.%s; use package strictjson", path, use)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
