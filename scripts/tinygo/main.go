// Command tinygo sets the TinyGo compiler up for scripts/build and prints, as
// the last line on stdout, the path of an executable `tinygo` that works as it
// is: on Debian and Ubuntu a wrapper around a compiler built from source into a
// cache folder outside the repository, elsewhere the stock one found on PATH.
//
// It needs Go, npm (for wasm-opt) and, where Debian packages are missing, root
// or sudo. It changes nothing when everything is there, and may be interrupted:
// the folder appears under its name only when it is whole.
//
// The cache is os.UserCacheDir()/chunksign; CHUNKSIGN_CACHE names another.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/chunksign/chunksign/scripts/tinygo/toolchain"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	path, err := run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "tinygo:", err)
		os.Exit(1)
	}
	fmt.Println(path)
}

func run(ctx context.Context) (string, error) {
	cache, err := toolchain.CacheDir()
	if err != nil {
		return "", err
	}
	if found, ok := toolchain.Find(ctx, cache); ok {
		return found.Path, nil
	}
	return toolchain.Setup(ctx, cache, os.Stderr)
}
