// Package toolchain finds TinyGo, and sets it up where there is none.
//
// TinyGo's releases carry their own LLVM, libc and compiler-rt. Its Go module
// carries only source, so Setup builds that against Debian's LLVM (setup.go) and
// lets the `wasm` target link Debian's wasi-libc (target.go). What comes out
// behaves like a release: `tinygo build -target wasm` is all a caller says.
package toolchain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Version is the TinyGo release that Setup builds.
const Version = "0.41.1"

// moduleSum is the checksum of github.com/tinygo-org/tinygo at Version, as go.sum
// would record it.
const moduleSum = "h1:Hp1Frc4zQALL88t49XraSZEwkIYEjMOmmurlmsTigzE="

// binaryenVersion is the npm package that wasm-opt comes from; TinyGo runs
// wasm-opt for its goroutines (asyncify) and for size.
const binaryenVersion = "132.0.0"

// TinyGo is a compiler that has been seen to run.
type TinyGo struct {
	Path    string // the executable to call
	Version string // the one line that `tinygo version` prints
}

// CacheDir is where everything that is downloaded or worth keeping between
// builds goes: CHUNKSIGN_CACHE, or chunksign in the user's cache folder.
func CacheDir() (string, error) {
	if dir := os.Getenv("CHUNKSIGN_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder: %w; set HOME, or CHUNKSIGN_CACHE to a folder that may be written", err)
	}
	return filepath.Join(dir, "chunksign"), nil
}

// Find returns the TinyGo on PATH where it is at least Version, else the one
// that Setup put into cache for the Go in use.
func Find(ctx context.Context, cache string) (TinyGo, bool) {
	if path, err := exec.LookPath("tinygo"); err == nil {
		if version, err := versionOf(ctx, path); err == nil && atLeast(version, Version) {
			return TinyGo{path, version}, true
		}
	}
	goVersion, err := goVersion(ctx)
	if err != nil {
		return TinyGo{}, false
	}
	dir := installDir(cache)
	if stamp, err := os.ReadFile(filepath.Join(dir, stampName)); err != nil || string(stamp) != recipe(goVersion) {
		return TinyGo{}, false
	}
	path := filepath.Join(dir, "bin", "tinygo")
	version, err := versionOf(ctx, path)
	return TinyGo{path, version}, err == nil
}

func installDir(cache string) string { return filepath.Join(cache, "tinygo-"+Version) }

// stampName is the file that says what an installed folder was made from.
const stampName = "recipe"

// recipe changes whenever an installed folder is to be made again: with what is
// written here, and with Go's version, for TinyGo refuses a Go newer than the
// one it was built by.
func recipe(goVersion string) string {
	h := sha256.New()
	for _, s := range []string{Version, moduleSum, binaryenVersion, goVersion, targetJSON, assertC, wrapper} {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	return hex.EncodeToString(h.Sum(nil)) + "\n"
}

func goVersion(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOVERSION").Output()
	return strings.TrimSpace(string(out)), err
}

// versionOf returns the line "tinygo version 0.41.1 linux/amd64 (using go …)".
func versionOf(ctx context.Context, path string) (string, error) {
	out, err := exec.CommandContext(ctx, path, "version").Output()
	if err != nil {
		return "", err
	}
	line := strings.TrimSpace(string(out))
	if !strings.HasPrefix(line, "tinygo version ") {
		return "", errors.New("not TinyGo: " + path)
	}
	return line, nil
}

// atLeast reports whether the version in a line of `tinygo version` is least or
// newer; a suffix such as -dev is ignored.
func atLeast(line, least string) bool {
	fields := strings.Fields(line)
	if len(fields) < 3 {
		return false
	}
	have, want := numbers(fields[2]), numbers(least)
	for i := range want {
		if have[i] != want[i] {
			return have[i] > want[i]
		}
	}
	return true
}

func numbers(version string) (n [3]int) {
	version, _, _ = strings.Cut(version, "-")
	for i, s := range strings.SplitN(version, ".", len(n)) {
		n[i], _ = strconv.Atoi(s)
	}
	return n
}
