package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// File is a file of web/dist.
type File struct {
	Name         string // what it is called in the source's terms: core.wasm
	Path         string // its name in the folder: core-0123456789ab.wasm
	Data         []byte
	Gzip, Brotli []byte // nil where not smaller than Data
}

// hashed names data by its content: core.wasm becomes core-0123456789ab.wasm.
func hashed(name string, data []byte) File {
	sum := sha256.Sum256(data)
	ext := filepath.Ext(name)
	return File{Name: name, Path: strings.TrimSuffix(name, ext) + "-" + hex.EncodeToString(sum[:6]) + ext, Data: data}
}

// manifest lists the hashed files: what it lists never changes under its name,
// and what it does not list (index.html, chunksign.js, evaporate.js, s3direct.js, itself) may. Sizes are in
// bytes; gzip and brotli are absent where there is no such file. The second file
// of a name is listed by its path.
func manifest(lists ...[]File) (File, error) {
	type entry struct {
		File   string `json:"file"`
		Bytes  int    `json:"bytes"`
		Gzip   int    `json:"gzip,omitempty"`
		Brotli int    `json:"brotli,omitempty"`
	}
	entries := map[string]entry{}
	for _, files := range lists {
		for _, f := range files {
			name := f.Name
			if _, taken := entries[name]; taken {
				name = f.Path
			}
			entries[name] = entry{f.Path, len(f.Data), len(f.Gzip), len(f.Brotli)}
		}
	}
	data, err := json.MarshalIndent(entries, "", "  ")
	return File{Name: "manifest.json", Path: "manifest.json", Data: append(data, '\n')}, err
}

// ours matches every name that writeDist has ever written: hashed ones (twelve
// hex digits of ours, or esbuild's eight letters), the stable ones, and
// temporary ones that a kill left.
var ours = regexp.MustCompile(`^(\.tmp-\d+|(.+-([0-9a-f]{12}|[0-9A-Z]{8})\.[a-z0-9]+|index\.html|chunksign\.js|evaporate\.js|s3direct\.js|manifest\.json)(\.map)?(\.br|\.gz)?)$`)

// writeDist makes dir hold exactly files, and .gitkeep where there is one. At no
// moment does a file refer to one that is not there: hashed names come first, so
// files must be in that order, each appears whole, and old ones go last. A
// folder with anything in it that is not a build's is refused.
func writeDist(dir string, files []File) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if e.Name() != ".gitkeep" && (e.IsDir() || !ours.MatchString(e.Name())) {
			return fmt.Errorf("-o %s: it holds %s, which no build wrote and the build would have to delete; name an empty folder", dir, e.Name())
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	keep := map[string]bool{".gitkeep": true}
	for _, f := range files {
		for suffix, data := range map[string][]byte{"": f.Data, ".gz": f.Gzip, ".br": f.Brotli} {
			if suffix != "" && data == nil {
				continue
			}
			keep[f.Path+suffix] = true
			if err := writeFile(filepath.Join(dir, f.Path+suffix), data); err != nil {
				return err
			}
		}
	}
	for _, e := range entries {
		if !keep[e.Name()] {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeFile makes path hold data, by rename. One that already does is left
// alone, so that its time says when it changed.
func writeFile(path string, data []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
		return nil
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".tmp-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // gone already when all went well
	_, writeErr := tmp.Write(data)
	if err := errors.Join(writeErr, tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
