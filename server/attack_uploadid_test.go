package main

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pathsOut are upload IDs that lead elsewhere where a store joins them to a path, and spellings of them.
func pathsOut(theirs string) []string {
	ids := []string{
		".", "..", "../", "../..", "../../..", "../../../..", "../../../../..", "../../../../.chunksign-secret", "../../../../../canary", "../../../../../canary/canary.txt",
		"../../../hostile/theirs", "../../../hostile", theirs, theirs + "/1", "/", "a/../..", "./", "/etc/passwd", strings.Repeat("a", 1025), "a\x00", "..\x00/", "\u202e..", "..\\..\\x", "..;/x", "a b", "é",
	}
	for _, id := range []string{"../../../hostile", "../../../../../canary", theirs} {
		ids = append(ids, strings.ReplaceAll(id, "/", "%2f"), strings.ReplaceAll(id, ".", "%2e"), strings.NewReplacer("/", "%252f", ".", "%252e").Replace(id),
			id+"&uploadId=x", "x&uploadId="+id, id+"#", id+"?", strings.ReplaceAll(id, "../", "\xc0\xae\xc0\xae/"))
	}
	return ids
}

// What the server is asked to do with an upload ID, by who has a grant and no credentials of the store, reaches nothing
// but uploads of the granted key.
func TestUploadIDsThatArePaths(t *testing.T) {
	r := startWith(t, `auth: { dev: true }
stores: { s: $STORE, bare: $BARE }
destinations:
  sessions: { store: s, bucket: media, key: "hostile/{uuid}/{filename}", content_length: 0..1GiB, signing: presigned }
  own: { store: bare, bucket: media, key: "hostile/{uuid}/{filename}", content_length: 0..1GiB, signing: presigned }
  pages: { store: s, bucket: media, key: "hostile/{uuid}/{filename}", content_length: 0..1GiB }
`)
	if r.data == "" {
		t.Fatal("the embedded store's folder is not known")
	}
	around := filepath.Dir(r.data)
	for name, text := range map[string]string{"canary/canary.txt": "canary", "canary/1": "canary"} {
		name = filepath.Join(around, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(path string, fields map[string]any) reply {
		return r.do(t, "POST", "/v1/uploads/"+path, object(fields))
	}
	begin := func(u upload) string {
		t.Helper()
		var made struct{ UploadID string }
		answer := ask("multipart", map[string]any{"grant": u.Grant, "op": "create"})
		if err := json.Unmarshal(answer.body, &made); err != nil || made.UploadID == "" {
			t.Fatalf("create: %d %s", answer.status, answer.body)
		}
		return made.UploadID
	}
	part := func(content string) []any {
		return []any{map[string]any{"partNumber": 1, "size": len(content), "sha256": composite(content, 6<<20)}}
	}
	const bytes = "alice's canary"
	alice := r.grant(t, "own", "theirs", len(bytes))
	theirUpload := begin(alice)
	var links struct {
		Parts []struct {
			URL     string
			Headers map[string]string
		}
	}
	answer := ask("parts", map[string]any{"grant": alice.Grant, "uploadId": theirUpload, "parts": part(bytes)})
	if err := json.Unmarshal(answer.body, &links); err != nil || len(links.Parts) != 1 {
		t.Fatalf("parts: %d %s", answer.status, answer.body)
	}
	if status, text, _ := send(t, "PUT", links.Parts[0].URL, bytes, links.Parts[0].Headers); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	finished := r.grant(t, "pages", "theirs", len(bytes))
	if _, err := finished.put(bytes); err != nil {
		t.Fatal(err)
	}
	tree := func() map[string]string {
		seen := map[string]string{}
		err := filepath.WalkDir(around, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() && (d.Name() == ".vgwlocks" || d.Name() == "tmp") {
				return fs.SkipDir
			}
			info, err := d.Info()
			if err == nil {
				seen[path] = info.Mode().String()
			}
			if text, err := os.ReadFile(path); err == nil {
				seen[path] += string(text)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return seen
	}
	folder, err := filepath.Glob(filepath.Join(r.data, "media", ".sgwtmp", "multipart", "*", theirUpload))
	if err != nil || len(folder) != 1 {
		t.Fatal(folder, err)
	}
	theirs := "../" + filepath.Base(filepath.Dir(folder[0])) + "/" + theirUpload

	const mine = "by mallory"
	for _, destination := range []string{"sessions", "own", "pages"} {
		u := r.grant(t, destination, "mine", len(mine))
		begin(u)
		before := tree()
		for _, id := range pathsOut(theirs) {
			for _, op := range []string{"abort", "list", "complete"} {
				answer := ask("multipart", map[string]any{"grant": u.Grant, "op": op, "uploadId": id})
				if answer.problem() != "field_invalid" || answer.status != http.StatusUnprocessableEntity && answer.status != http.StatusBadRequest {
					t.Errorf("%s: %s of %.60q: %d %.200s", destination, op, id, answer.status, answer.body)
				}
			}
			answer := ask("parts", map[string]any{"grant": u.Grant, "uploadId": id, "parts": part(mine)})
			if answer.problem() != "field_invalid" {
				t.Errorf("%s: parts of %.60q: %d %.200s", destination, id, answer.status, answer.body)
				if json.Unmarshal(answer.body, &links) == nil && len(links.Parts) == 1 {
					send(t, "PUT", links.Parts[0].URL, mine, links.Parts[0].Headers)
				}
			}
			// And by a name, which becomes part of the key.
			for path, fields := range map[string]map[string]any{
				"uploads": {"name": id, "size": 1}, "presign": {"method": "PUT", "name": id, "size": 1, "sha256": composite("x", 1)},
			} {
				answer := r.do(t, "POST", "/v1/destinations/"+destination+"/"+path, object(fields))
				var got upload
				if answer.status < 300 && json.Unmarshal(answer.body, &got) == nil && path == "uploads" && strings.Contains("/"+got.Upload.Key+"/", "/../") {
					t.Errorf("%s: the name %.60q makes the key %q", destination, id, got.Upload.Key)
				}
			}
		}
		after := tree()
		for path := range before {
			if after[path] != before[path] {
				t.Errorf("%s: changed: %s", destination, path)
			}
		}
		for path := range after {
			if _, was := before[path]; !was {
				t.Errorf("%s: new: %s", destination, path)
			}
		}
	}
}
