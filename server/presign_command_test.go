package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestPresignOnTheCommandLine(t *testing.T) {
	r := startWith(t, `auth: { dev: true }
stores: { s: $STORE }
destinations:
  whole: { store: s, bucket: media, key: "whole/{user}/{claims.team}/{uuid}/{filename}", content_length: 0..1GiB, allow: "false", rate: 1/d, metadata: { q: "it's" } }
  named: { store: s, bucket: media, key: "named/{filename}", content_length: 0..1GiB }
`)
	presign := func(args ...string) (int, string, string) {
		t.Helper()
		var out, log bytes.Buffer
		status := run(context.Background(), append([]string{"presign", "-config", r.Config}, args...), nothingSet, &out, &log)
		return status, out.String(), log.String()
	}
	file := filepath.Join(t.TempDir(), `it's, a; "file".txt`)
	if err := os.WriteFile(file, []byte("four"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"PUT", "POST"} {
		status, out, log := presign("-destination", "whole", "-user", "alice", "-claim", "team=a", "-method", method, file)
		if status != 0 || !strings.HasPrefix(out, "curl ") || !strings.Contains(log, "whole/alice/a/") {
			t.Fatalf("%d\n%s%s", status, out, log)
		}
		if text, err := exec.Command("sh", "-c", out).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", out, err, text)
		}
	}
	found, _ := filepath.Glob(filepath.Join(r.data, "media", "whole", "alice", "a", "*", "*.txt"))
	if len(found) != 2 {
		t.Errorf("stored are %q", found)
	}
	for _, path := range found {
		if got, err := os.ReadFile(path); err != nil || string(got) != "four" {
			t.Errorf("%s holds %q, %v", path, got, err)
		}
	}

	status, out, log := presign("-destination", "named", "-name", "x", "-size", "1KiB", "-type", "text/x-test", "-expires", "1m", "-json")
	var p presigned
	if err := json.Unmarshal([]byte(out), &p); err != nil || status != 0 || p.Key != "named/x" || p.Headers["content-type"] != "text/x-test" || p.Headers["x-amz-checksum-sha256"] != "" {
		t.Fatalf("%d\n%s%s", status, out, log)
	}
	if status, text, _ := send(t, "PUT", p.URL, strings.Repeat("x", 1023), p.Headers); status != 403 {
		t.Errorf("a byte less: %d %s", status, text)
	}
	if status, text, _ := send(t, "PUT", p.URL, strings.Repeat("x", 1024), p.Headers); status != 200 {
		t.Errorf("%d %s", status, text)
	}

	for says, args := range map[string][]string{
		"-destination is missing":      {file},
		"neither a FILE nor -name":     {"-destination", "named"},
		"write PUT or POST":            {"-destination", "named", "-method", "GET", file},
		"-user is missing":             {"-destination", "whole", file},
		"claim_missing":                {"-destination", "whole", "-user", "alice", file},
		"destination_unknown":          {"-destination", "nope", file},
		"form_not_allowed":             {"-destination", "named", "-method", "POST", file},
		"file_too_large":               {"-destination", "named", "-name", "x", "-size", "2GiB"},
		"from 1s to 168h":              {"-destination", "named", "-expires", "200h", file},
		"is there beside a FILE":       {"-destination", "named", "-size", "1", file},
		"no such file":                 {"-destination", "named", file + "x"},
		"is not a size":                {"-destination", "named", "-name", "x", "-size", "much"},
		"options come first":           {"-destination", "named", file, "-json"},
		"write NAME=VALUE":             {"-claim", "x"},
		"there is a file at \"named/x": {"-destination", "named", "-name", "x", "-size", "1"},
	} {
		if status, out, log := presign(args...); status == 0 || out != "" || !strings.Contains(log, says) {
			t.Errorf("%q: %d\n%s%s", args, status, out, log)
		}
	}
}
