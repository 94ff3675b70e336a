package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/chunksign/chunksign/scripts/tinygo/toolchain"
)

// Sizes are in bytes, as sent: where there is no compressed file, Data's.
type Sizes struct{ Raw, Gzip, Brotli int }

func sizesOf(files ...File) (s Sizes) {
	sent := func(small, data []byte) int {
		if small == nil {
			return len(data)
		}
		return len(small)
	}
	for _, f := range files {
		s.Raw += len(f.Data)
		s.Gzip += sent(f.Gzip, f.Data)
		s.Brotli += sent(f.Brotli, f.Data)
	}
	return s
}

// totals is what a build comes to, and what is remembered of the last by TinyGo.
type totals struct {
	Compiler     string
	First, Later Sizes
}

// report prints a build's files and sums. record is the file that remembers the
// last TinyGo build's, for builds without TinyGo to be compared with.
func report(w io.Writer, c Compiler, built Built, record string) error {
	row := func(name string, s Sizes) { fmt.Fprintf(w, "%-34s %9d %9d %9d\n", name, s.Raw, s.Gzip, s.Brotli) }
	now := totals{c.Version, sizesOf(built.First...), sizesOf(built.Later...)}

	fmt.Fprintf(w, "wasm by %s\n\n%-34s %9s %9s %9s\n", c.Version, "bytes", "raw", "gzip", "brotli")
	for _, files := range [][]File{built.First, built.Later, built.Shim, built.Page, built.Stable} {
		for _, f := range files {
			row(f.Path, sizesOf(f))
		}
	}
	fmt.Fprintln(w)
	row("JS + wasm to the first part", now.First)
	row("loaded later", now.Later)

	if c.Name == "tinygo" {
		data, err := json.Marshal(now)
		if err != nil {
			return err
		}
		return writeFile(record, data)
	}
	fmt.Fprintln(w)
	if c.FellBack {
		fmt.Fprintln(w, "TinyGo was not found, so Go's own compiler made the wasm modules. They work the same and are several times larger.")
	}
	var last totals
	if data, err := os.ReadFile(record); err == nil && json.Unmarshal(data, &last) == nil {
		fmt.Fprintf(w, "The last build by TinyGo (%s) came to:\n", strings.TrimPrefix(last.Compiler, "tinygo version "))
		row("JS + wasm to the first part", last.First)
		row("loaded later", last.Later)
	}
	if c.FellBack {
		fmt.Fprintf(w, "To have TinyGo %s: go run ./scripts/tinygo\n", toolchain.Version)
	}
	return nil
}
