package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/chunksign/chunksign/server/config"
)

const secretSize = 32 // bytes

// keptSecret reads the embedded store's secret from its folder, and makes
// folder and secret when they are missing. Sessions and grants outlive a
// restart by it.
func keptSecret(dir string) ([]byte, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("the data folder: %w; choose another with -data", err)
	}
	path := filepath.Join(dir, ".chunksign-secret")
	secret, err := config.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newSecret(path)
	}
	if err != nil {
		return nil, fmt.Errorf("the embedded store's secret: %w", err)
	}
	if len(secret) != secretSize {
		return nil, fmt.Errorf("the embedded store's secret %s has %d bytes, not %d; delete it, and the next start makes another (uploads under way then start again)", path, len(secret), secretSize)
	}
	return secret, nil
}

func newSecret(path string) ([]byte, error) {
	secret := make([]byte, secretSize)
	rand.Read(secret)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the embedded store's secret: %w; choose another folder with -data", err)
	}
	_, err = f.Write(secret)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("the embedded store's secret: %w", err)
	}
	return secret, nil
}
