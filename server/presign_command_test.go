package main

import (
	"bytes"
	"context"
	"encoding/base64"
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

	for _, wrong := range [][]string{
		{"-key", "a/../b"}, {"-key", ".."}, {"-key", "./a"}, {"-key", "\xff"}, {"-key", strings.Repeat("k", 1025)},
		{"-key", "named/x", "-type", "text/plain;\tcharset=utf-8"}, {"-key", "named/x", "-type", "text/plain;\r\n charset=utf-8"}, {"-key", "named/x", "-type", "text"},
	} {
		args := append([]string{"-destination", "named", "-method", "GET"}, wrong...)
		if status, out, log := presign(args...); status != 1 || out != "" || !strings.Contains(log, wrong[len(wrong)-2]+" is ") {
			t.Errorf("%q: %d\n%s%s", wrong, status, out, log)
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

	// A form that says where the browser goes, and what is to be filled in.
	status, out, log = presign("-destination", "whole", "-user", "alice", "-claim", "team=a", "-method", "POST", "-redirect", "https://app.example.com/done", "-starts-with", "x-amz-meta-title=A ", "-json", file)
	var form presigned
	if err := json.Unmarshal([]byte(out), &form); err != nil || status != 0 || form.Fields["success_action_redirect"] != "https://app.example.com/done" {
		t.Fatalf("%d\n%s%s", status, out, log)
	}
	if policy, err := base64.StdEncoding.DecodeString(form.Fields["policy"]); err != nil || !strings.Contains(string(policy), `["starts-with","$x-amz-meta-title","A "]`) {
		t.Errorf("%s, %v", policy, err)
	}

	// What was sent can be read, as long as the link lasts.
	dir := t.TempDir()
	status, out, log = presign("-destination", "named", "-method", "GET", "-key", "named/x", "-inline", "-type", "text/plain")
	if status != 0 || !strings.HasPrefix(out, "curl --fail-with-body -o 'x' ") || !strings.Contains(out, "response-content-disposition=inline") || !strings.Contains(out, "response-content-type=text%2Fplain") || !strings.Contains(log, "named/x, until ") {
		t.Fatalf("%d\n%s%s", status, out, log)
	}
	fetch := exec.Command("sh", "-c", out)
	fetch.Dir = dir
	if text, err := fetch.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", out, err, text)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "x")); err != nil || string(got) != strings.Repeat("x", 1024) {
		t.Errorf("read are %d bytes, %v", len(got), err)
	}
	status, out, log = presign("-destination", "named", "-method", "GET", "-key", "named/x", "-json")
	if err := json.Unmarshal([]byte(out), &p); err != nil || status != 0 || !strings.Contains(p.URL, "response-content-disposition=attachment") {
		t.Fatalf("%d\n%s%s", status, out, log)
	}

	for says, args := range map[string][]string{
		"-destination is missing":      {file},
		"neither a FILE nor -name":     {"-destination", "named"},
		"write PUT, POST or GET":       {"-destination", "named", "-method", "DELETE", file},
		"name the object to read by":   {"-destination", "named", "-method", "GET", "-key", "named/x", file},
		"-key is missing":              {"-destination", "named", "-method", "GET"},
		"has no such object":           {"-destination", "named", "-method", "GET", "-key", "x"},
		"-key is there, which is for":  {"-destination", "named", "-key", "named/x", file},
		"-status is there":             {"-destination", "whole", "-status", "200", file},
		"-size is there, which is for": {"-destination", "named", "-method", "GET", "-key", "named/x", "-size", "1"},
		"write x-amz-meta-NAME=":       {"-destination", "whole", "-method", "POST", "-starts-with", "x", file},
		"none of 200, 201 and 204":     {"-destination", "whole", "-method", "POST", "-user", "a", "-claim", "team=a", "-status", "302", file},
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
