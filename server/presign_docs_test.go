package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const presignPage = "../docs/presign.md"

// The lines that the page shows are run as they are, but for the server's address.
func TestPresignedRequestsOfTheDocsByCurl(t *testing.T) {
	const address = "http://127.0.0.1:8080"
	script := strings.Join(examples(section(t, presignPage, "## By curl"), "sh"), "") // before the embedded store changes the folder
	if strings.Count(script, address) != 1 {
		t.Fatalf("the page names the server's address %d times", strings.Count(script, address))
	}
	r := start(t, t.TempDir())
	dir := t.TempDir()
	files := map[string]string{"hello.txt": "Hello, store.\n", "large.bin": strings.Repeat("0123456789abcdef", 5<<16) + "and the rest"}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := exec.Command("bash", "-euo", "pipefail", "-c", strings.Replace(script, address, strings.TrimSuffix(r.URL, "/"), 1))
	run.Dir = dir
	var out, trouble bytes.Buffer
	run.Stdout, run.Stderr = &out, &trouble
	if err := run.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, &out, &trouble)
	}
	stored := map[string]int{}
	for name, content := range files {
		found, err := filepath.Glob(filepath.Join(r.data, "demo", "demo", "*", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			if got, err := os.ReadFile(path); err != nil || string(got) != content {
				t.Errorf("%s holds %d bytes, not the file's %d, %v", path, len(got), len(content), err)
			}
			stored[name]++
		}
	}
	if stored["hello.txt"] != 2 || stored["large.bin"] != 1 {
		t.Errorf("stored are %v\n%s", stored, &out)
	}
	if back, err := os.ReadFile(filepath.Join(dir, "back.txt")); err != nil || string(back) != files["hello.txt"] {
		t.Errorf("read back: %q, %v", back, err)
	}
	if n := strings.Count(r.log.String(), "what=complete outcome=yes"); n != 3 {
		t.Errorf("%d uploads were completed; want 3\n%s", n, r.log)
	}
}
