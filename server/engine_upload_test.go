package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// An engine loses a node in the middle of an upload by `chunksign upload` through
// `chunksign serve -config`, and the object is the file. Which nodes there are only
// scripts/engine knows: the embedded store is killed in TestUploadIsKilledAndGoesOn.
func TestUploadWhileANodeIsKilled(t *testing.T) {
	if engineName() == embedded {
		return
	}
	e := startEngine(t, "media")
	server := e.serveApart(t, `auth: { dev: true }
stores: { s: $STORE }
destinations: { kill: { store: s, bucket: media, key: "kill/{filename}", content_length: 0..50TB, signing: $SIGNING } }
`)
	last := e.nodes - 1
	for _, c := range []struct {
		name   string
		node   int
		during bool // it stays away up to the end
	}{
		{"one that others stand in for", last, true},
		{"the one that is spoken to", 0, false},
	} {
		if c.during && last == 0 {
			continue // there is no other
		}
		t.Run(c.name, func(t *testing.T) {
			const size, partSize = 384 << 20, 5 << 20
			name := fmt.Sprintf("%d.bin", c.node)
			path := filepath.Join(t.TempDir(), name)
			sum := randomFile(t, path, size)
			p := uploadCommand(t, filepath.Join(t.TempDir(), "journal"), server, "-destination", "kill", "-part-size", "5MiB", "-json", path)
			p.begin(t)
			ended := make(chan int, 1)
			go func() { ended <- p.end(t) }()

			there := 0
			for there < 8 {
				select {
				case status := <-ended:
					t.Fatalf("it ended with %d before a node was killed: %s%s", status, &p.stdout, &p.stderr)
				case <-time.After(10 * time.Millisecond):
					there = e.partsOf(t, "media", "kill/"+name)
				}
			}
			e.node(t, "kill", c.node)
			if !c.during {
				e.node(t, "start", c.node)
			}
			if status := <-ended; status != 0 {
				t.Fatalf("%d: %s%s", status, &p.stdout, &p.stderr)
			}
			if c.during {
				e.node(t, "start", c.node)
			}
			got, err := e.s3(e.own).GetObject(context.Background(), &s3.GetObjectInput{Bucket: &[]string{"media"}[0], Key: &p.outcomes(t)[0].Key})
			if err != nil {
				t.Fatal(err)
			}
			defer got.Body.Close()
			h := sha256.New()
			if n, err := io.Copy(h, got.Body); err != nil || n != size || [32]byte(h.Sum(nil)) != sum {
				t.Errorf("the object is not the file: %d bytes, %v", n, err)
			}
			t.Logf("%s: killed with %d of %d parts there", e.name, there, (size+partSize-1)/partSize)
		})
	}
}

// partsOf is how many parts the unfinished upload of a key has.
func (e *s3Engine) partsOf(t *testing.T, bucket, key string) (n int) {
	t.Helper()
	ctx, c := context.Background(), e.s3(e.own)
	list, err := c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &bucket, Prefix: &key})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range list.Uploads {
		if parts, err := c.ListParts(ctx, &s3.ListPartsInput{Bucket: &bucket, Key: u.Key, UploadId: u.UploadId}); err == nil {
			n += len(parts.Parts)
		}
	}
	return n
}

// serveApart runs `chunksign serve -config` as a process and gives its URL.
func (e *s3Engine) serveApart(t *testing.T, configuration string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "serve", "-config", e.configure(t, configuration), "-listen", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), asMain+"=1")
	log := &buffer{}
	cmd.Stderr = log
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("serve: %v\n%s", err, log)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("serve: %v\n%s", err, log)
	}
	return strings.TrimSuffix(strings.TrimSpace(line), "/")
}

// randomFile writes a file of so many bytes and gives its SHA-256.
func randomFile(t *testing.T, path string, size int64) (sum [32]byte) {
	t.Helper()
	h := sha256.New()
	f, err := os.Create(path)
	if err == nil {
		_, err = io.CopyN(io.MultiWriter(f, h), rand.NewChaCha8([32]byte{byte(size), 1}), size)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return [32]byte(h.Sum(nil))
}
