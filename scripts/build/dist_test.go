package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
)

func TestHashedNamesFollowContent(t *testing.T) {
	a, again, b := hashed("core.wasm", []byte("a")), hashed("core.wasm", []byte("a")), hashed("core.wasm", []byte("b"))
	// printf a | sha256sum
	if want := "core-ca978112ca1b.wasm"; a.Path != want || again.Path != want {
		t.Errorf("paths %q and %q, want %q", a.Path, again.Path, want)
	}
	if b.Path == a.Path {
		t.Errorf("another content has the same path %q", b.Path)
	}
	if a.Name != "core.wasm" {
		t.Errorf("name %q", a.Name)
	}
}

func TestWriteDistReplacesWhatABuildWrote(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{".gitkeep", "core-ca978112ca1b.wasm", "core-ca978112ca1b.wasm.br", "chunk-ABCDEFGH.js", "chunk-ABCDEFGH.js.map", "index.html", "index.html.gz", ".tmp-123"} {
		write(t, dir, name, "old")
	}
	files := []File{
		{Path: "core-3e23e8160039.wasm", Data: []byte("new"), Gzip: []byte("g"), Brotli: []byte("b")},
		{Path: "index.html", Data: []byte("new")},
	}
	if err := writeDist(dir, files); err != nil {
		t.Fatal(err)
	}
	want := []string{".gitkeep", "core-3e23e8160039.wasm", "core-3e23e8160039.wasm.br", "core-3e23e8160039.wasm.gz", "index.html"}
	if got := list(t, dir); !slices.Equal(got, want) {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
	if got := read(t, dir, "index.html"); got != "new" {
		t.Errorf("index.html is %q", got)
	}
}

func TestWriteDistRefusesAForeignFolder(t *testing.T) {
	for _, name := range []string{"thesis.odt", "main.js", "photo-1234.jpg"} {
		dir := t.TempDir()
		write(t, dir, name, "mine")
		err := writeDist(dir, []File{{Path: "index.html"}})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want one naming %s", err, name)
		}
		if got := list(t, dir); !slices.Equal(got, []string{name}) {
			t.Errorf("the folder holds %q after the refusal", got)
		}
	}
}

func TestWriteDistLeavesUnchangedFilesAlone(t *testing.T) {
	dir := t.TempDir()
	files := []File{{Path: "index.html", Data: []byte("same")}}
	if err := writeDist(dir, files); err != nil {
		t.Fatal(err)
	}
	path, long := filepath.Join(dir, "index.html"), time.Unix(1_000_000_000, 0)
	if err := os.Chtimes(path, long, long); err != nil {
		t.Fatal(err)
	}
	if err := writeDist(dir, files); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if !info.ModTime().Equal(long) {
		t.Errorf("written again at %v", info.ModTime())
	}
}

func TestManifestListsNamesAndSizes(t *testing.T) {
	f, err := manifest([]File{{Name: "core.wasm", Path: "core-1.wasm", Data: make([]byte, 9), Gzip: make([]byte, 5), Brotli: make([]byte, 4)}},
		[]File{{Name: "i.svg", Path: "i-1.svg"}, {Name: "i.svg", Path: "i-2.svg"}})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]map[string]any
	if err := json.Unmarshal(f.Data, &got); err != nil {
		t.Fatal(err)
	}
	if core := got["core.wasm"]; core["file"] != "core-1.wasm" || core["bytes"] != 9.0 || core["gzip"] != 5.0 || core["brotli"] != 4.0 {
		t.Errorf("core.wasm: %v", core)
	}
	if got["i.svg"]["file"] != "i-1.svg" || got["i-2.svg"]["file"] != "i-2.svg" {
		t.Errorf("two files of one name: %v", got)
	}
	if _, ok := got["i.svg"]["brotli"]; ok {
		t.Error("a size is given for a .br that is not there")
	}
}

func TestCompressRoundTrips(t *testing.T) {
	long := []byte(strings.Repeat("a part is a slice of a file; ", 100))
	files := []File{{Path: "long.js", Data: long}, {Path: "short.js", Data: []byte("x")}}
	cache := Cache{Dir: t.TempDir()}
	for range 2 { // made, then kept
		if err := compress(cache, files); err != nil {
			t.Fatal(err)
		}
		unzipped, err := gzip.NewReader(bytes.NewReader(files[0].Gzip))
		if err != nil {
			t.Fatal(err)
		}
		for name, r := range map[string]io.Reader{"gzip": unzipped, "brotli": brotli.NewReader(bytes.NewReader(files[0].Brotli))} {
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, long) {
				t.Errorf("%s gives %d bytes and %v back", name, len(got), err)
			}
		}
		if files[1].Gzip != nil || files[1].Brotli != nil {
			t.Error("kept a compressed file that is larger than the original")
		}
	}
}

func TestCacheMakesOnceAndForgetsTheUnused(t *testing.T) {
	begin := time.Unix(1_700_000_000, 0)
	cache, made := Cache{Dir: t.TempDir(), Now: begin}, 0
	get := func(key string) {
		t.Helper()
		if data, err := cache.Get("wasm", key, func() ([]byte, error) { made++; return []byte(key), nil }); err != nil || string(data) != key {
			t.Fatalf("%q, %v", data, err)
		}
	}
	get("a")
	get("a")
	if made != 1 {
		t.Errorf("made %d times", made)
	}
	cache.Now = begin.Add(time.Hour)
	get("a")
	cache.Prune(begin.Add(time.Minute))
	if get("a"); made != 1 {
		t.Error("what was used since is gone")
	}
	cache.Prune(begin.Add(2 * time.Hour))
	if get("a"); made != 2 {
		t.Error("what was not used since is still there")
	}
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func list(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
