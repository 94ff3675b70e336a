package toolchain

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestAtLeast(t *testing.T) {
	for line, want := range map[string]bool{
		"tinygo version 0.41.1 linux/amd64 (using go version go1.26.8 and LLVM version 19.1.7)": true,
		"tinygo version 0.41.2 darwin/arm64":                                                    true,
		"tinygo version 0.42.0-dev linux/amd64":                                                 true,
		"tinygo version 1.0.0 linux/amd64":                                                      true,
		"tinygo version 0.41.0 linux/amd64":                                                     false,
		"tinygo version 0.9.9 linux/amd64":                                                      false,
		"tinygo version":                                                                        false,
	} {
		if got := atLeast(line, "0.41.1"); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}

// fakeInstall makes a folder that looks installed, of another "compiler".
func fakeInstall(t *testing.T, dir, stamp string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\necho tinygo version " + Version + " of a test\n"
	if err := os.WriteFile(filepath.Join(dir, "bin", "tinygo"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, stampName), []byte(stamp), 0o644); err != nil {
		t.Fatal(err)
	}
}

// thisRecipe is the stamp that Find takes for this Go.
func thisRecipe(t *testing.T) string {
	t.Helper()
	version, err := goVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return recipe(version)
}

// onlyGoOnPath hides a stock tinygo that this machine may have.
func onlyGoOnPath(t *testing.T) {
	t.Helper()
	path, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(path, filepath.Join(dir, "go")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
}

func TestFindTakesOnlyThisRecipe(t *testing.T) {
	onlyGoOnPath(t)
	cache := t.TempDir()
	own := func() bool {
		found, ok := Find(t.Context(), cache)
		return ok && found.Path == filepath.Join(installDir(cache), "bin", "tinygo")
	}
	if own() {
		t.Error("found one in an empty folder")
	}
	fakeInstall(t, installDir(cache), recipe("go1.0"))
	if own() {
		t.Error("took one that another Go built")
	}
	fakeInstall(t, installDir(cache), thisRecipe(t))
	if !own() {
		t.Error("did not take the one that fits")
	}
}

func TestFindPrefersPath(t *testing.T) {
	cache, stock := t.TempDir(), t.TempDir()
	fakeInstall(t, installDir(cache), thisRecipe(t))
	fakeInstall(t, stock, "")
	t.Setenv("PATH", filepath.Join(stock, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	if found, ok := Find(t.Context(), cache); !ok || found.Path != filepath.Join(stock, "bin", "tinygo") {
		t.Errorf("found %+v, %v", found, ok)
	}
}

func TestInstallReplacesAnotherRecipe(t *testing.T) {
	onlyGoOnPath(t)
	cache := t.TempDir()
	partial := filepath.Join(cache, "tinygo-partial-1")
	fakeInstall(t, installDir(cache), "old")
	fakeInstall(t, partial, thisRecipe(t))
	path, err := install(t.Context(), cache, partial)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(cache)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	if stamp, _ := os.ReadFile(filepath.Join(installDir(cache), stampName)); string(stamp) != thisRecipe(t) {
		t.Errorf("the old one is still there: %q", stamp)
	}
}

func TestRemoveAbandonedKeepsTheYoung(t *testing.T) {
	cache, old := t.TempDir(), time.Unix(1_000_000_000, 0)
	for _, name := range []string{"tinygo-partial-1", "tinygo-partial-2", "tinygo-" + Version} {
		if err := os.Mkdir(filepath.Join(cache, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if name != "tinygo-partial-2" {
			if err := os.Chtimes(filepath.Join(cache, name), old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	removeAbandoned(cache, old.Add(time.Hour))
	left, _ := filepath.Glob(filepath.Join(cache, "*"))
	if len(left) != 2 || filepath.Base(left[1]) != "tinygo-partial-2" {
		t.Errorf("left: %q", left)
	}
}

func TestTargetIsJSON(t *testing.T) {
	if !json.Valid([]byte(targetJSON)) {
		t.Error("wasm.json is not JSON")
	}
}
