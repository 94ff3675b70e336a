package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/andybalholm/brotli"
)

// Cache keeps results by the hash of what they were made from, a file each.
// Nothing in it is ever wrong, only old; deleting it costs time.
type Cache struct {
	Dir string
	Now time.Time // when what is used now counts as used
}

// Get returns what was kept under kind and key, or makes and keeps it.
func (c Cache) Get(kind, key string, make func() ([]byte, error)) ([]byte, error) {
	path := filepath.Join(c.Dir, kind+"-"+key)
	if data, err := os.ReadFile(path); err == nil {
		_ = os.Chtimes(path, c.Now, c.Now) // for Prune; where it fails, the entry is made again some day
		return data, nil
	}
	data, err := make()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return nil, err
	}
	return data, writeFile(path, data)
}

// Prune removes what was last used before the given time.
func (c Cache) Prune(before time.Time) {
	entries, _ := os.ReadDir(c.Dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.ModTime().Before(before) {
			os.Remove(filepath.Join(c.Dir, e.Name()))
		}
	}
}

// compress fills in Gzip and Brotli of the lists' files, where smaller.
func compress(cache Cache, lists ...[]File) error {
	var files []*File
	for _, list := range lists {
		for i := range list {
			files = append(files, &list[i])
		}
	}
	var wait sync.WaitGroup
	errs := make(chan error, 2*len(files))
	for _, f := range files {
		try := func(kind string, into *[]byte, encode func(io.Writer) (io.WriteCloser, error)) {
			small, err := cache.Get(kind, hashOf(f.Data), func() ([]byte, error) { return encoded(f.Data, encode) })
			if err != nil {
				errs <- fmt.Errorf("%s: %s: %w", f.Path, kind, err)
			} else if len(small) < len(f.Data) {
				*into = small
			}
		}
		wait.Go(func() {
			try("gzip-9", &f.Gzip, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzip.BestCompression) })
		})
		wait.Go(func() {
			try("brotli-11", &f.Brotli, func(w io.Writer) (io.WriteCloser, error) {
				return brotli.NewWriterLevel(w, brotli.BestCompression), nil
			})
		})
	}
	wait.Wait()
	close(errs)
	return <-errs
}

func encoded(data []byte, encode func(io.Writer) (io.WriteCloser, error)) ([]byte, error) {
	var out bytes.Buffer
	w, err := encode(&out)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	// Close writes the rest, so it must come before Bytes.
	err = w.Close()
	return out.Bytes(), err
}
