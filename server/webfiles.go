package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/chunksign/chunksign/web"
)

// webFiles are the built files: those in the binary, or those of the source
// tree around the working directory, which are built first where they are not yet.
func webFiles(ctx context.Context, stderr io.Writer, logger *slog.Logger) (fs.FS, error) {
	embedded, err := fs.Sub(web.Dist, "dist")
	if err != nil {
		return nil, err
	}
	if isBuilt(embedded) {
		return embedded, nil
	}
	working, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	tree, found := sourceTree(working)
	if !found {
		logger.Warn("this binary has no web files: there is no demo page and no /chunksign/; build it from the source tree after: go run ./scripts/build")
		return embedded, nil
	}
	dist := os.DirFS(filepath.Join(tree, "web", "dist"))
	if isBuilt(dist) {
		return dist, nil
	}
	fmt.Fprintln(stderr, "building the web files (once, about a minute): go run ./scripts/build")
	build := exec.CommandContext(ctx, "go", "run", "./scripts/build")
	build.Dir, build.Stdout, build.Stderr = tree, stderr, stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("the web files could not be built: %w; run it yourself to see why: cd %s && go run ./scripts/build", err, tree)
	}
	return dist, nil
}

func isBuilt(dist fs.FS) bool {
	_, err := fs.Stat(dist, "index.html")
	return err == nil
}

// sourceTree looks for this module's go.mod, upwards from a folder.
func sourceTree(dir string) (string, bool) {
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(mod, []byte("module github.com/chunksign/chunksign\n")) {
			return dir, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}
