// Command build makes web/dist, the folder that the server embeds and serves
// under /chunksign/: the two wasm modules, the worker, the library, the demo
// page.
//
//	go run ./scripts/build [-compiler auto|go|tinygo] [-o web/dist]
//
// It needs Go and nothing else. Where TinyGo is found (on PATH, or as
// scripts/tinygo set it up) the modules are several times smaller.
//
// Each stage names what it makes by its content and hands the names to the
// next, so that every file but five never changes under its name:
//
//	wasm/core, wasm/keeper → core-HASH.wasm, keeper-HASH.wasm   (compiler.go)
//	web/src/worker.ts      → worker-HASH.js                     (bundle.go)
//	web/src/index.ts       → chunksign-HASH.js                  (bundle.go)
//	web/src/evaporate.ts   → evaporate-HASH.js, over the library
//	web/src/s3direct.ts    → s3direct.js, a classic script that loads evaporate.js
//	web/demo/              → demo-HASH.js, .css, index.html     (page.go)
//	                         chunksign.js, evaporate.js, the stable entries
//	                         manifest.json: name → file, sizes  (dist.go)
//
// The folder is flat: a bundle finds its siblings by new URL(NAME, import.meta.url).
// Files that compress have .br and .gz beside them; .map files belong to no
// budget and nothing refers to them. The same input gives the same files. What
// takes long (compiling, brotli) is kept in the user's cache folder by the
// hash of its input (cache.go).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/chunksign/chunksign/scripts/tinygo/toolchain"
)

func main() {
	want := flag.String("compiler", "auto", "`which` compiles the wasm modules: tinygo, go, or auto for TinyGo where it is found")
	out := flag.String("o", "web/dist", "the `folder` to write, relative to the source tree's top")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *want, *out, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, want, out string, stdout, log io.Writer) error {
	working, err := os.Getwd()
	if err != nil {
		return err
	}
	tree, err := findTree(working)
	if err != nil {
		return err
	}
	cacheDir, err := toolchain.CacheDir()
	if err != nil {
		return err
	}
	if !filepath.IsAbs(out) {
		out = filepath.Join(tree, out)
	}
	compiler, err := pick(ctx, want, cacheDir)
	if err != nil {
		return err
	}
	now := time.Now()
	cache := Cache{Dir: filepath.Join(cacheDir, "build"), Now: now}
	built, err := build(ctx, tree, compiler, cache, log)
	if err != nil {
		return err
	}
	if err := writeDist(out, built.Files()); err != nil {
		return err
	}
	cache.Prune(now.Add(-30 * 24 * time.Hour))
	return report(stdout, compiler, built, filepath.Join(cacheDir, "tinygo-sizes.json"))
}

// Built is a whole build, in memory.
type Built struct {
	First  []File // JavaScript and wasm that an upload loads before its first part
	Later  []File // what the library loads after that, or only on demand
	Shim   []File // EvaporateJS's interface, for pages that import it
	Page   []File // the demo's hashed files
	Stable []File // index.html, chunksign.js, evaporate.js, s3direct.js, manifest.json
	Maps   []File
}

// Files returns all of them, hashed ones first.
func (b Built) Files() []File {
	var all []File
	for _, files := range [][]File{b.First, b.Later, b.Shim, b.Page, b.Maps, b.Stable} {
		all = append(all, files...)
	}
	return all
}

func build(ctx context.Context, tree string, compiler Compiler, cache Cache, log io.Writer) (Built, error) {
	core, keeper, err := compileModules(ctx, tree, compiler, cache, log)
	if err != nil {
		return Built{}, err
	}
	bundler := Bundler{Tree: tree, Glue: compiler.Glue, Define: map[string]string{
		"CORE_WASM":   core.Path,
		"KEEPER_WASM": keeper.Path,
	}}
	worker, err := bundler.Script("web/src/worker.ts", "worker")
	if err != nil {
		return Built{}, err
	}
	bundler.Define["WORKER_JS"] = worker.Entry.Path
	library, err := bundler.Script("web/src/index.ts", "chunksign")
	if err != nil {
		return Built{}, err
	}
	bundler.Library = library.Entry.Path
	shim, err := bundler.Script("web/src/evaporate.ts", "evaporate")
	if err != nil {
		return Built{}, err
	}
	widget, err := bundler.Classic("web/src/s3direct.ts", "s3direct")
	if err != nil {
		return Built{}, err
	}
	page, err := bundler.Page("web/demo/index.html")
	if err != nil {
		return Built{}, err
	}

	built := Built{
		First: unique(library.First, worker.First, []File{core}),
		Later: unique(library.Later, worker.Later, []File{keeper}),
		Shim:  shim.First,
		Page:  page.Files,
		Stable: []File{
			page.HTML,
			{Name: "chunksign.js", Path: "chunksign.js", Data: []byte(`export * from "./` + library.Entry.Path + `";` + "\n")},
			{Name: "evaporate.js", Path: "evaporate.js", Data: []byte(`export * from "./` + shim.Entry.Path + `"; export { default } from "./` + shim.Entry.Path + `";` + "\n")},
			widget,
		},
		Maps: unique(library.Maps, worker.Maps, shim.Maps, page.Maps),
	}
	if err := compress(cache, built.First, built.Later, built.Shim, built.Page, built.Stable); err != nil {
		return Built{}, err
	}
	manifest, err := manifest(built.First, built.Later, built.Shim, built.Page)
	if err != nil {
		return Built{}, err
	}
	built.Stable = append(built.Stable, manifest)
	return built, nil
}

// unique joins the lists, a file that is in several of them counting once.
func unique(lists ...[]File) []File {
	var all []File
	seen := map[string]bool{}
	for _, files := range lists {
		for _, f := range files {
			if !seen[f.Path] {
				seen[f.Path] = true
				all = append(all, f)
			}
		}
	}
	return all
}

// findTree returns the folder at or above dir that holds go.mod.
func findTree(dir string) (string, error) {
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod here or above; run this in chunksign's source tree")
		}
		dir = parent
	}
}
