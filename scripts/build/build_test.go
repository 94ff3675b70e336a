package main

import (
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// tinyTree is a source tree with one of everything.
func tinyTree(t *testing.T) string {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"go.mod":              "module example.com/tiny\n\ngo 1.26.0\n",
		"go.sum":              "",
		"wasm/core/main.go":   "package main\n\nfunc main() { select {} }\n",
		"wasm/keeper/main.go": "package main\n\nfunc main() { println(`keeper`) }\n",
		"web/src/worker.ts": `import { Go } from "wasm_exec"; import { both } from "./shared.ts";
			declare const CORE_WASM: string;
			postMessage([Go, both, CORE_WASM, import("./later.ts")]);`,
		"web/src/later.ts":     `import { both } from "./shared.ts"; declare const KEEPER_WASM: string; export const keeper = [both, KEEPER_WASM];`,
		"web/src/shared.ts":    `export const both: string = "both";`,
		"web/src/index.ts":     `declare const WORKER_JS: string; export const worker = new URL(WORKER_JS, import.meta.url);`,
		"web/src/evaporate.ts": `import { worker } from "chunksign"; export default worker;`,
		"web/src/s3direct.ts":  `import { both } from "./shared.ts"; document.title = both; void import(document.title);`,
		"web/demo/demo.ts":     `import { worker } from "chunksign"; console.log(worker);`,
		"web/demo/demo.css":    `body { background: url(dot.svg) }`,
		"web/demo/dot.svg":     `<svg xmlns="http://www.w3.org/2000/svg"/>`,
		"web/demo/index.html": `<html><head><link rel="icon" href="dot.svg"><link rel="stylesheet" href="./demo.css"></head>
			<body><a href="#top">top</a><a href="/v1/destinations">list</a><script type="module" src="demo.ts"></script></body></html>`,
	} {
		write(t, dir, name, content)
	}
	return dir
}

// shared spares the tests compressing the same megabytes again.
var shared Cache

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "chunksign-build-test-")
	if err != nil {
		panic(err)
	}
	shared.Dir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func buildTiny(t *testing.T, tree string, log io.Writer) Built {
	t.Helper()
	built, err := build(t.Context(), tree, goHere(t), shared, log)
	if err != nil {
		t.Fatal(err)
	}
	return built
}

func goHere(t *testing.T) Compiler {
	t.Helper()
	compiler, err := goCompiler(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return compiler
}

// TestBuild follows the names from file to file, as a browser would.
func TestBuild(t *testing.T) {
	built := buildTiny(t, tinyTree(t), io.Discard)
	files := map[string]string{}
	for _, f := range built.Files() {
		files[f.Path] = string(f.Data)
	}
	follow := func(from, pattern string) string {
		t.Helper()
		m := regexp.MustCompile(pattern).FindStringSubmatch(files[from])
		if m == nil {
			t.Fatalf("%s has nothing like %s:\n%s", from, pattern, files[from])
		}
		if _, ok := files[m[1]]; !ok {
			t.Fatalf("%s refers to %s, which was not built", from, m[1])
		}
		return m[1]
	}
	demo := follow("index.html", `src="/chunksign/(demo-\w+\.js)"`)
	follow("index.html", `href="/chunksign/(dot-\w+\.svg)"`)
	css := follow("index.html", `href="/chunksign/(demo-\w+\.css)"`)
	follow(css, `url\("?\./(dot-\w+\.svg)`)
	library := follow(demo, `from"\./(chunksign-\w+\.js)"`)
	if stable := follow("chunksign.js", `export \* from "\./(\S+)";`); stable != library {
		t.Errorf("chunksign.js is %s, the demo uses %s", stable, library)
	}
	shim := follow("evaporate.js", `export \* from "\./(\S+)"; export \{ default \} from`)
	if used := follow(shim, `from"\./(chunksign-\w+\.js)"`); used != library {
		t.Errorf("evaporate.js uses %s, the demo %s", used, library)
	}
	if widget := files["s3direct.js"]; strings.Contains(widget, "export") || strings.Contains(widget, `from"`) || !strings.Contains(widget, "import(") {
		t.Errorf("s3direct.js is no classic script that imports at run time: %s", widget)
	}
	worker := follow(library, `"(worker-\w+\.js)"`)
	core := follow(worker, `"(core-\w+\.wasm)"`)
	shared := follow(worker, `from"\./(chunk-\w+\.js)"`)
	later := follow(worker, `import\("\./(later-\w+\.js)"\)`)
	keeper := follow(later, `"(keeper-\w+\.wasm)"`)
	for _, unchanged := range []string{`href="#top"`, `href="/v1/destinations"`} {
		if !strings.Contains(files["index.html"], unchanged) {
			t.Errorf("index.html lost %s", unchanged)
		}
	}
	if !strings.HasPrefix(files[core], "\x00asm") || files[core] == files[keeper] {
		t.Errorf("%s and %s are not two wasm modules", core, keeper)
	}

	if got, want := paths(built.First), sorted(library, worker, shared, core); !slices.Equal(got, want) {
		t.Errorf("to the first part: %q, want %q", got, want)
	}
	if got, want := paths(built.Later), sorted(later, keeper); !slices.Equal(got, want) {
		t.Errorf("loaded later: %q, want %q", got, want)
	}
}

func TestBuildIsReproducibleAndKept(t *testing.T) {
	first := buildTiny(t, tinyTree(t), io.Discard)
	// Another folder, the same input: the same names, and nothing to compile.
	tree := tinyTree(t)
	write(t, tree, "wasm/core/main_test.go", "package main\n")
	var log strings.Builder
	second := buildTiny(t, tree, &log)
	if a, b := paths(first.Files()), paths(second.Files()); !slices.Equal(a, b) {
		t.Errorf("the names changed:\n%q\n%q", a, b)
	}
	if log.Len() > 0 {
		t.Errorf("compiled again: %s", log.String())
	}
	write(t, tree, "wasm/core/main.go", "package main\n\nfunc main() { println(1) }\n")
	core, _, err := compileModules(t.Context(), tree, goHere(t), shared, &log)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(paths(first.Files()), core.Path) {
		t.Error("a changed core is still ", core.Path)
	}
}

func TestAFailedBuildLeavesTheOldOne(t *testing.T) {
	for name, content := range map[string]string{
		"wasm/core/main.go":   "package main\n\nfunc main() { missing() }\n",
		"web/src/worker.ts":   `import "./missing.ts";`,
		"web/src/index.ts":    `import "chunksign";`,
		"web/demo/index.html": `<script src="missing.ts"></script>`,
	} {
		t.Run(path.Base(name), func(t *testing.T) {
			tree, dist := tinyTree(t), t.TempDir()
			write(t, dist, "index.html", "old")
			write(t, tree, name, content)
			t.Chdir(tree)
			t.Setenv("CHUNKSIGN_CACHE", filepath.Join(tree, "cache"))
			err := run(t.Context(), "go", dist, io.Discard, io.Discard)
			if err == nil {
				t.Fatal("the build succeeded")
			}
			if !strings.Contains(err.Error(), "missing") && !strings.Contains(err.Error(), `"chunksign"`) {
				t.Errorf("the error does not say what is wrong: %v", err)
			}
			if got := list(t, dist); !slices.Equal(got, []string{"index.html"}) || read(t, dist, "index.html") != "old" {
				t.Errorf("the folder holds %q", got)
			}
		})
	}
}

// TestGlueRunsWithoutNode holds for both compilers' wasm_exec.js what TinyGo's
// made necessary: bundled, it must not look for Node.js.
func TestGlueRunsWithoutNode(t *testing.T) {
	code, err := browserGlue([]byte(`(() => {
		if (!global.require && typeof require !== "undefined") { global.require = require; }
		if (!global.fs && global.require) { global.fs = require("node:fs"); }
		global.Go = class { importObject = {} };
		if (global.require && global.require.main === module) { new Go(); }
	})();`))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(code, "require") || strings.Contains(code, "node:fs") {
		t.Errorf("it still looks for Node.js:\n%s", code)
	}
	if !strings.Contains(code, "export const Go") {
		t.Errorf("it exports no Go:\n%s", code)
	}
}

func TestReportSaysThatItFellBack(t *testing.T) {
	record := filepath.Join(t.TempDir(), "tinygo-sizes.json")
	tinygo := Built{First: []File{{Path: "core.wasm", Data: make([]byte, 333), Brotli: make([]byte, 111)}}}
	other := Built{First: []File{{Path: "core.wasm", Data: make([]byte, 4444)}}}
	print := func(c Compiler, b Built) string {
		t.Helper()
		var out strings.Builder
		if err := report(&out, c, b, record); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	without := print(Compiler{Name: "go", FellBack: true}, other)
	if !strings.Contains(without, "TinyGo was not found") || !strings.Contains(without, "go run ./scripts/tinygo") || strings.Contains(without, "last build") {
		t.Errorf("with no record:\n%s", without)
	}
	if asked := print(Compiler{Name: "go"}, other); strings.Contains(asked, "not found") {
		t.Errorf("asked for Go's compiler:\n%s", asked)
	}
	print(Compiler{Name: "tinygo", Version: "tinygo version 0.41.1"}, tinygo)
	with := print(Compiler{Name: "go", FellBack: true}, other)
	for _, want := range []string{"4444", "333", "111", "(0.41.1)"} {
		if !strings.Contains(with, want) {
			t.Errorf("no %s in:\n%s", want, with)
		}
	}
}

// TestThisTreeIsWhatTheCacheAssumes holds hashInputs to its word: the modules
// import nothing of this repository from outside wasm/.
func TestThisTreeIsWhatTheCacheAssumes(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "./wasm/...")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	const module = "github.com/chunksign/chunksign/"
	for line := range strings.Lines(string(out)) {
		if p := strings.TrimSpace(line); strings.HasPrefix(p, module) && !strings.HasPrefix(p, module+"wasm/") {
			t.Errorf("wasm imports %s; hashInputs must then read it too", p)
		}
	}
}

func paths(files []File) (names []string) {
	for _, f := range files {
		names = append(names, f.Path)
	}
	return sorted(names...)
}

func sorted(names ...string) []string {
	slices.Sort(names)
	return names
}
