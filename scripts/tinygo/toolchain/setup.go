package toolchain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// packages are Debian 12's names (Ubuntu 24.04 has the same): the compiler links
// LLVM and clang, the wasm modules link wasi-libc and the builtins.
var packages = []string{
	"g++", "llvm-19-dev", "clang-19", "libclang-19-dev", "lld-19", "wasi-libc", "libclang-rt-19-dev-wasm32",
}

// Setup builds TinyGo into cache and returns the path of its wrapper, having
// compiled a small program with it. It says on log what it does and how long
// each step took; no step leaves anything under the final name but the last.
func Setup(ctx context.Context, cache string, log io.Writer) (string, error) {
	goVersion, err := goVersion(ctx)
	if err != nil {
		return "", fmt.Errorf("go env GOVERSION: %w; put Go on PATH", err)
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	partial, err := os.MkdirTemp(cache, "tinygo-partial-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(partial)
	removeAbandoned(cache, time.Now().Add(-24*time.Hour))

	steps := []struct {
		name string
		do   func(ctx context.Context, dir string) error
	}{
		{"Debian packages", installPackages},
		{"TinyGo " + Version + ", its source", copySource},
		{"wasm-opt (binaryen " + binaryenVersion + ") and wasm-ld", installTools},
		{"the compiler (a minute)", buildCompiler},
		{"the wrapper", writeWrapper},
		{"a trial", compileTrial},
	}
	for _, step := range steps {
		fmt.Fprintf(log, "tinygo: %s … ", step.name)
		begin := time.Now()
		if err := step.do(ctx, partial); err != nil {
			fmt.Fprintln(log, "failed")
			return "", fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Fprintf(log, "%.1f s\n", time.Since(begin).Seconds())
	}
	if err := os.WriteFile(filepath.Join(partial, stampName), []byte(recipe(goVersion)), 0o644); err != nil {
		return "", err
	}
	return install(ctx, cache, partial)
}

// install puts partial under its final name, in place of one made from another
// recipe. Where another process was quicker, its folder stays.
func install(ctx context.Context, cache, partial string) (string, error) {
	final := installDir(cache)
	path := filepath.Join(final, "bin", "tinygo")
	if found, ok := Find(ctx, cache); ok && found.Path == path {
		return path, nil
	}
	if err := os.Chmod(partial, 0o755); err != nil { // MkdirTemp made it 0700
		return "", err
	}
	// Named so that removeAbandoned finds it, should the next lines not be reached.
	old := filepath.Join(cache, filepath.Base(partial)+"-old")
	if err := os.Rename(final, old); err == nil {
		defer os.RemoveAll(old)
	}
	return path, os.Rename(partial, final)
}

// removeAbandoned removes what a killed run left before the given time.
func removeAbandoned(cache string, before time.Time) {
	dirs, _ := filepath.Glob(filepath.Join(cache, "tinygo-partial-*"))
	for _, dir := range dirs {
		if info, err := os.Stat(dir); err == nil && info.ModTime().Before(before) {
			os.RemoveAll(dir)
		}
	}
}

func installPackages(ctx context.Context, _ string) error {
	if _, err := exec.LookPath("apt-get"); runtime.GOOS != "linux" || err != nil {
		return fmt.Errorf("TinyGo is set up by itself on Debian 12 and Ubuntu 24.04 only; "+
			"here, install TinyGo %s or newer from https://tinygo.org/getting-started/install/ and put it on PATH", Version)
	}
	var missing []string
	for _, name := range packages {
		out, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${db:Status-Status}", name).Output()
		if err != nil || string(out) != "installed" {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	apt := []string{"apt-get"}
	if os.Geteuid() != 0 {
		// -n: a build must not stop to ask for a password.
		if err := exec.CommandContext(ctx, "sudo", "-n", "true").Run(); err != nil {
			return fmt.Errorf("packages are missing, and this user may not install them; run: sudo apt-get install -y --no-install-recommends %s",
				strings.Join(missing, " "))
		}
		apt = []string{"sudo", "-n", "DEBIAN_FRONTEND=noninteractive", "apt-get"}
	}
	if err := command(ctx, "", append(apt, "update")...); err != nil {
		return err
	}
	return command(ctx, "", append(append(apt, "install", "-y", "--no-install-recommends"), missing...)...)
}

// copySource makes dir/root, TinyGo's root: the module's files, writable, with our
// target and the empty src/net that TinyGo's loader expects (a git submodule,
// which module archives do not contain).
func copySource(ctx context.Context, dir string) error {
	download := exec.CommandContext(ctx, "go", "mod", "download", "-json", "github.com/tinygo-org/tinygo@v"+Version)
	download.Dir = dir // not in the repository, whose go.mod is none of its business
	download.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	out, err := download.Output()
	var module struct{ Dir, Sum, Error string }
	if jsonErr := json.Unmarshal(out, &module); jsonErr != nil || err != nil {
		return fmt.Errorf("go mod download: %w %s", errors.Join(err, jsonErr), module.Error)
	}
	if module.Sum != moduleSum {
		return fmt.Errorf("the module's checksum is %s, not %s: do not use it; look at GOPROXY and GONOSUMDB", module.Sum, moduleSum)
	}
	root := filepath.Join(dir, "root")
	if err := os.CopyFS(root, os.DirFS(module.Dir)); err != nil {
		return err
	}
	if err := makeWritable(root); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(root, "src", "net"), 0o755); err != nil {
		return err
	}
	assert := filepath.Join(root, "targets", "wasm-assert")
	if err := errors.Join(
		os.WriteFile(filepath.Join(root, "targets", "wasm.json"), []byte(targetJSON), 0o644),
		os.WriteFile(assert+".c", []byte(assertC), 0o644),
	); err != nil {
		return err
	}
	return command(ctx, "", "clang-19", "--target=wasm32-wasi", "-Os", "-c", assert+".c", "-o", assert+".o")
}

// makeWritable undoes the module cache's read-only modes, so that the folder can
// be changed, and removed again.
func makeWritable(root string) error {
	return filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.Chmod(path, info.Mode().Perm()|0o200)
	})
}

// installTools makes dir/tools, which the wrapper puts first on PATH. TinyGo calls
// the linker by the name wasm-ld; Debian's is wasm-ld-19.
func installTools(ctx context.Context, dir string) error {
	tools := filepath.Join(dir, "tools")
	if err := os.Mkdir(tools, 0o755); err != nil {
		return err
	}
	if err := os.Symlink("/usr/bin/wasm-ld-19", filepath.Join(tools, "wasm-ld")); err != nil {
		return err
	}
	if _, err := exec.LookPath("npm"); err != nil {
		if path, err := exec.LookPath("wasm-opt"); err == nil {
			return os.Symlink(path, filepath.Join(tools, "wasm-opt"))
		}
		return errors.New("neither npm nor wasm-opt is on PATH; install Node.js with npm, or binaryen")
	}
	if err := command(ctx, dir, "npm", "install", "--prefix", dir, "--no-audit", "--no-fund", "--ignore-scripts", "binaryen@"+binaryenVersion); err != nil {
		return err
	}
	// Relative, for the folder is renamed when it is whole.
	return os.Symlink(filepath.Join("..", "node_modules", "binaryen", "bin", "wasm-opt"), filepath.Join(tools, "wasm-opt"))
}

// buildCompiler builds in the source's own module, so by its own go.sum.
func buildCompiler(ctx context.Context, dir string) error {
	return command(ctx, filepath.Join(dir, "root"), "env", "GOWORK=off", "GOFLAGS=", "CGO_ENABLED=1",
		"go", "build", "-buildvcs=false", "-tags", "llvm19", "-ldflags", "-s -w", "-o", filepath.Join(dir, "libexec", "tinygo"), ".")
}

func writeWrapper(_ context.Context, dir string) error {
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "bin", "tinygo"), []byte(wrapper), 0o755)
}

// compileTrial shows that compiler, linker, libc and wasm-opt work together.
func compileTrial(ctx context.Context, dir string) error {
	trial := filepath.Join(dir, "trial")
	defer os.RemoveAll(trial)
	if err := os.Mkdir(trial, 0o755); err != nil {
		return err
	}
	source := "package main\n\nimport \"crypto/sha256\"\n\nfunc main() { go println(sha256.Sum256(nil)[0]); select {} }\n"
	if err := os.WriteFile(filepath.Join(trial, "main.go"), []byte(source), 0o644); err != nil {
		return err
	}
	return command(ctx, trial, filepath.Join(dir, "bin", "tinygo"), "build", "-target", "wasm", "-o", "trial.wasm", "main.go")
}

// command runs to its end, and puts what it printed into the error.
func command(ctx context.Context, dir string, args ...string) error {
	var printed bytes.Buffer
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &printed, &printed
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, printed.Bytes())
	}
	return nil
}
