package main

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// curl sends a request as its arguments say and gives the status.
func curl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("curl", append([]string{"-sS", "-o", "/dev/null", "-w", "%{http_code}"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("curl %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// Every limit of what is presigned, tried by curl at the embedded store.
func TestLimitsOfPresignedRequestsByCurl(t *testing.T) {
	r := newUploadRig(t, dev).start()
	ask := func(path string, body map[string]any, reply any) {
		t.Helper()
		answer, err := http.Post("http://"+r.address[0]+"/v1/"+path, "application/json", strings.NewReader(object(body)))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		if err := json.Unmarshal(text, reply); err != nil || answer.StatusCode >= 300 {
			t.Fatalf("%s: %d %s, %v", path, answer.StatusCode, text, err)
		}
	}
	const content = "bytes that matter"
	about := func(method string) map[string]any {
		return map[string]any{"method": method, "name": "f.txt", "type": "text/plain", "size": len(content), "sha256": composite(content, 1<<20)}
	}
	headers := func(h map[string]string, more ...string) (args []string) {
		for _, name := range slices.Sorted(maps.Keys(h)) {
			args = append(args, "-H", curlHeader(name, h[name]))
		}
		return append(args, more...)
	}
	fields := func(f map[string]string, changed, value, file string) (args []string) {
		for _, name := range slices.Sorted(maps.Keys(f)) {
			if name == changed {
				args = append(args, "--form-string", name+"="+value)
			} else {
				args = append(args, "--form-string", name+"="+f[name])
			}
		}
		return append(args, "-F", "file="+file+";filename=f.txt")
	}
	changed := func(h map[string]string, name, value string) map[string]string {
		h = maps.Clone(h)
		h[name] = value
		return h
	}
	refused := func(what string, args []string, url string) {
		t.Helper()
		if status := curl(t, append(args, url)...); status[0] != '4' {
			t.Errorf("%s: %s", what, status)
		}
	}

	var put, form, grant presigned
	ask("destinations/demo/presign", about("PUT"), &put)
	body := func(text string) []string { return []string{"-X", "PUT", "--data-binary", text} }
	refused("PUT, another size", headers(put.Headers, body(content+"!")...), put.URL)
	refused("PUT, other bytes", headers(put.Headers, body(strings.ToUpper(content))...), put.URL)
	refused("PUT, another type", headers(changed(put.Headers, "content-type", "text/html"), body(content)...), put.URL)
	refused("PUT, a header less", headers(changed(put.Headers, "if-none-match", ""), body(content)...), put.URL)
	refused("PUT, another key", headers(put.Headers, body(content)...), strings.Replace(put.URL, "/f.txt", "/g.txt", 1))
	refused("PUT, another expiry", headers(put.Headers, body(content)...), strings.Replace(put.URL, "X-Amz-Expires=", "X-Amz-Expires=1", 1))

	ask("destinations/demo/presign", about("POST"), &form)
	refused("POST, another size", fields(form.Fields, "", "", "@"+r.file("short", 3, 1)), form.URL)
	refused("POST, another type", fields(form.Fields, "Content-Type", "text/html", "@"+r.file("f", int64(len(content)), 1)), form.URL)
	refused("POST, another key", fields(form.Fields, "key", "demo/x", "@"+r.file("f", int64(len(content)), 1)), form.URL)
	refused("POST, another field", append(fields(form.Fields, "", "", "@"+r.file("f", int64(len(content)), 1)), "--form-string", "acl=public-read"), form.URL)

	var created struct{ UploadID string }
	var signed struct{ Parts []presigned }
	ask("destinations/demo/uploads", map[string]any{"name": "f.txt", "type": "text/plain", "size": len(content)}, &grant)
	ask("uploads/multipart", map[string]any{"grant": grant.Grant, "op": "create"}, &created)
	ask("uploads/parts", map[string]any{"grant": grant.Grant, "uploadId": created.UploadID, "parts": []any{map[string]any{"partNumber": 1, "size": len(content), "sha256": composite(content, 1<<20)}}}, &signed)
	part := signed.Parts[0]
	refused("a part, another size", headers(part.Headers, body(content+"!")...), part.URL)
	refused("a part, other bytes", headers(part.Headers, body(strings.ToUpper(content))...), part.URL)
	refused("a part, another number", headers(part.Headers, body(content)...), strings.Replace(part.URL, "partNumber=1", "partNumber=2", 1))
	refused("a part, without its checksum", body(content), part.URL)

	r.ahead.Store(int64(20 * time.Minute)) // what was asked for lasts 15
	refused("PUT, too late", headers(put.Headers, body(content)...), put.URL)
	refused("a part, too late", headers(part.Headers, body(content)...), part.URL)
	r.ahead.Store(0)
	for what, args := range map[string][]string{
		put.URL: headers(put.Headers, body(content)...), part.URL: headers(part.Headers, body(content)...),
	} {
		if status := curl(t, append(args, what)...); status != "200" {
			t.Errorf("as it is: %s", status)
		}
	}
}
