package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chunksign/chunksign/scripts/tinygo/toolchain"
)

// Compiler turns a Go package into a wasm module.
type Compiler struct {
	Name     string // "tinygo" or "go"
	Version  string // as it describes itself
	Glue     []byte // its wasm_exec.js
	FellBack bool   // Go's, because there is no TinyGo

	command []string            // run in the tree, with -o FILE PACKAGE after it
	flags   map[string][]string // a module's own flags
	env     []string
	target  []byte // TinyGo's target file: it decides what is linked
}

// pick finds the compiler that the -compiler flag asks for.
func pick(ctx context.Context, want, cacheDir string) (Compiler, error) {
	switch want {
	case "go":
		return goCompiler(ctx)
	case "auto", "tinygo":
		if tinygo, ok := toolchain.Find(ctx, cacheDir); ok {
			return tinygoCompiler(ctx, tinygo)
		}
		if want == "tinygo" {
			return Compiler{}, fmt.Errorf("-compiler tinygo: TinyGo %s or newer is neither on PATH nor in %s; run: go run ./scripts/tinygo", toolchain.Version, cacheDir)
		}
		c, err := goCompiler(ctx)
		c.FellBack = true
		return c, err
	}
	return Compiler{}, fmt.Errorf("-compiler %q: write auto, go or tinygo", want)
}

func goCompiler(ctx context.Context) (Compiler, error) {
	out, err := output(ctx, "go", "env", "GOVERSION", "GOROOT")
	if err != nil {
		return Compiler{}, err
	}
	version, root, _ := strings.Cut(strings.TrimSpace(out), "\n")
	// lib/wasm since Go 1.24, misc/wasm before.
	glue, err := os.ReadFile(filepath.Join(root, "lib", "wasm", "wasm_exec.js"))
	return Compiler{
		Name: "go", Version: version, Glue: glue,
		command: []string{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid="},
		env:     []string{"GOOS=js", "GOARCH=wasm"},
	}, err
}

func tinygoCompiler(ctx context.Context, tinygo toolchain.TinyGo) (Compiler, error) {
	root, err := output(ctx, tinygo.Path, "env", "TINYGOROOT")
	if err != nil {
		return Compiler{}, err
	}
	targets := filepath.Join(strings.TrimSpace(root), "targets")
	glue, glueErr := os.ReadFile(filepath.Join(targets, "wasm_exec.js"))
	target, targetErr := os.ReadFile(filepath.Join(targets, "wasm.json"))
	return Compiler{
		Name: "tinygo", Version: tinygo.Version, Glue: glue, target: target,
		command: []string{tinygo.Path, "build", "-target", "wasm", "-panic=trap", "-no-debug"},
		// Core signs: -opt=2 makes it larger by a quarter and a signature faster by
		// half. Keeper waits for IndexedDB, so it is made small.
		//
		// Every goroutine takes one of these stacks, and nothing checks for an
		// overflow. 32 KB is ample for core's one (it recurses nowhere). Keeper's
		// many need 6 KB; with TinyGo's 64 KB, garbage stacks fill 32 MB in eight
		// operations.
		flags: map[string][]string{"core": {"-opt=2", "-stack-size=32KB"}, "keeper": {"-opt=z", "-stack-size=16KB"}},
	}, errors.Join(glueErr, targetErr)
}

// compileModules compiles wasm/core and wasm/keeper, unless the cache has what
// these inputs gave before.
func compileModules(ctx context.Context, tree string, c Compiler, cache Cache, log io.Writer) (core, keeper File, err error) {
	inputs, err := hashInputs(os.DirFS(tree))
	if err != nil {
		return File{}, File{}, err
	}
	compile := func(module string) (File, error) {
		key := hashOf([]byte(c.Version), []byte(strings.Join(c.arguments(module)[1:], " ")), c.target, inputs)
		data, err := cache.Get("stripped-"+module, key, func() ([]byte, error) { return c.compile(ctx, tree, module, log) })
		return hashed(module+".wasm", data), err
	}
	var coreErr, keeperErr error
	var both sync.WaitGroup
	both.Go(func() { core, coreErr = compile("core") })
	both.Go(func() { keeper, keeperErr = compile("keeper") })
	both.Wait()
	return core, keeper, errors.Join(coreErr, keeperErr)
}

// arguments is the command line for a module, without -o and the package.
func (c Compiler) arguments(module string) []string {
	return slices.Concat(c.command, c.flags[module])
}

// compile returns the module without its custom sections.
func (c Compiler) compile(ctx context.Context, tree, module string, log io.Writer) ([]byte, error) {
	begin := time.Now()
	dir, err := os.MkdirTemp("", "chunksign-build-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, module+".wasm")
	args := append(c.arguments(module), "-o", file, "./wasm/"+module)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = tree, append(os.Environ(), c.env...)
	if printed, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("wasm/%s by %s: %w\n%s", module, c.Version, err, bytes.TrimSpace(printed))
	}
	fmt.Fprintf(log, "build: compiled wasm/%s with %s in %.1f s\n", module, c.Name, time.Since(begin).Seconds())
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return strip(data)
}

// hashInputs hashes what the modules are made from: all of wasm/ but tests, and
// the versions of everything else. (wasm/ imports nothing else of this module.)
func hashInputs(tree fs.FS) ([]byte, error) {
	names := []string{"go.mod", "go.sum"}
	err := fs.WalkDir(tree, "wasm", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !strings.HasSuffix(path, "_test.go") && !strings.Contains(path, "/testdata/") {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	for _, name := range names {
		data, err := fs.ReadFile(tree, name)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(h, "%s %d\n", name, len(data))
		h.Write(data)
	}
	return h.Sum(nil), nil
}

// hashOf returns the SHA-256, in hex, of the values with their lengths.
func hashOf(values ...[]byte) string {
	h := sha256.New()
	for _, v := range values {
		fmt.Fprintf(h, "%d:", len(v))
		h.Write(v)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func output(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).Output()
	if err != nil {
		err = fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	return string(out), err
}
