package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func TestPresignedParts(t *testing.T) {
	uploadByParts(t, settings, "A presigned part")
}

func TestPresignedPartsInHeaders(t *testing.T) {
	uploadByParts(t, strings.Replace(settings, "$SESSIONS", "$HEADERS", 1), "A part signed in headers")
}

func uploadByParts(t *testing.T, configuration, what string) {
	r := startWith(t, configuration)
	first, second := strings.Repeat("p", 5<<20), "end"
	u := r.grant(t, "all", "two parts", len(first)+len(second))
	call := func(path string, fields map[string]any) reply {
		t.Helper()
		fields["grant"] = u.Grant
		return r.do(t, "POST", "/v1/uploads/"+path, object(fields))
	}
	var created struct{ UploadID string }
	if answer := call("multipart", map[string]any{"op": "create"}); answer.status != http.StatusOK || json.Unmarshal(answer.body, &created) != nil || created.UploadID == "" {
		t.Fatalf("create: %d %s", answer.status, answer.body)
	}
	id := created.UploadID
	part := func(n int, content string) map[string]any {
		return map[string]any{"partNumber": n, "size": len(content), "sha256": composite(content, 6<<20)}
	}
	answer := call("parts", map[string]any{"uploadId": id, "parts": []any{part(1, first), part(2, second)}})
	var links struct {
		Parts []struct {
			PartNumber int
			URL        string
			Headers    map[string]string
		}
		Expires string
	}
	if err := json.Unmarshal(answer.body, &links); err != nil || answer.status != http.StatusOK || len(links.Parts) != 2 {
		t.Fatalf("parts: %d %s", answer.status, answer.body)
	}
	one, two := links.Parts[0], links.Parts[1]
	var took []string
	for what, c := range map[string]struct {
		url, body string
		header    map[string]string
	}{
		"another length":          {two.URL, "end!", two.Headers},
		"other bytes":             {two.URL, "END", two.Headers},
		"without the checksum":    {two.URL, "end", nil},
		"another number":          {strings.Replace(two.URL, "partNumber=2", "partNumber=3", 1), "end", two.Headers},
		"another upload":          {strings.Replace(two.URL, "uploadId=", "uploadId=x", 1), "end", two.Headers},
		"an object, not a part":   {strings.Replace(strings.Replace(two.URL, "partNumber=2", "", 1), "uploadId="+id, "", 1), "end", two.Headers},
		"another part's checksum": {two.URL, "end", one.Headers},
	} {
		if status, _, _ := send(t, "PUT", c.url, c.body, c.header); status < 400 {
			took = append(took, what)
		}
	}
	r.takes(t, what, took)
	if status, text, _ := send(t, "PUT", one.URL, first, one.Headers); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	complete := map[string]any{"op": "complete", "uploadId": id}
	sums := r.engine.keepsChecksums() // or the wrong bytes are there
	if sums {
		if early := call("multipart", complete); early.problem() != "parts_refused" || early.status != http.StatusUnprocessableEntity {
			t.Errorf("completed too early: %d %s", early.status, early.body)
		}
	}
	if status, text, _ := send(t, "PUT", two.URL, second, two.Headers); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	var listed struct {
		Parts []struct {
			PartNumber, Size int
			ETag, SHA256     string
		}
		Next *int
	}
	if answer := call("multipart", map[string]any{"op": "list", "uploadId": id}); json.Unmarshal(answer.body, &listed) != nil || len(listed.Parts) != 2 || listed.Next != nil || listed.Parts[1].Size != 3 || sums && listed.Parts[1].SHA256 != composite(second, 5) || strings.Contains(listed.Parts[0].ETag, `"`) {
		t.Errorf("list: %d %s", answer.status, answer.body)
	}
	if answer := call("multipart", map[string]any{"op": "list", "uploadId": id, "after": 1}); json.Unmarshal(answer.body, &listed) != nil || len(listed.Parts) != 1 {
		t.Errorf("list after 1: %d %s", answer.status, answer.body)
	}
	for what, parts := range map[string][]any{
		"a part too few": {part(1, first)}, "a part too many": {part(1, first), part(2, second), part(3, second)}, "other bytes": {part(1, first), part(2, "END")},
	} {
		if what == "other bytes" && !sums {
			continue
		}
		complete["parts"] = parts
		if answer := call("multipart", complete); answer.problem() != "parts_refused" {
			t.Errorf("%s: %d %s", what, answer.status, answer.body)
		}
	}
	complete["parts"] = []any{part(2, second), part(1, first)}
	var done struct{ ETag string }
	if answer := call("multipart", complete); json.Unmarshal(answer.body, &done) != nil || answer.status != http.StatusOK || sums && !strings.HasSuffix(done.ETag, "-2") {
		t.Fatalf("complete: %d %s", answer.status, answer.body)
	}
	var again struct{ ETag string } // whose first reply was lost
	if answer := call("multipart", complete); json.Unmarshal(answer.body, &again) != nil || answer.status != http.StatusOK || sums && again != done {
		t.Errorf("completed again: %d %s", answer.status, answer.body)
	}
	if answer := call("complete", map[string]any{"etag": done.ETag}); answer.status != http.StatusOK || sums && !strings.Contains(string(answer.body), composite(first+second, 5<<20)) {
		t.Errorf("the server's own complete: %d %s", answer.status, answer.body)
	}
	if answer := call("multipart", map[string]any{"op": "create"}); answer.problem() != "already_complete" {
		t.Errorf("created anew: %d %s", answer.status, answer.body)
	}
	if answer := call("multipart", map[string]any{"op": "list", "uploadId": id}); answer.problem() != "upload_missing" {
		t.Errorf("listed after completion: %d %s", answer.status, answer.body)
	}

	u = r.grant(t, "again", "dropped", 3)
	if json.Unmarshal(call("multipart", map[string]any{"op": "create"}).body, &created); created.UploadID == id {
		t.Fatal("no second upload")
	}
	for range 2 {
		if answer := call("multipart", map[string]any{"op": "abort", "uploadId": created.UploadID}); answer.status != http.StatusOK || strings.TrimSpace(string(answer.body)) != `{"gone":true}` {
			t.Errorf("abort: %d %s", answer.status, answer.body)
		}
	}
	for field, parts := range map[string][]any{
		"parts": {}, "parts.0.partNumber": {part(0, "x")}, "parts.1.partNumber": {part(1, "x"), part(1, "x")}, "parts.0.size": {part(1, "four")},
		"parts.1.size": {part(1, "ab"), part(2, "cd")}, "parts.0.sha256": {map[string]any{"partNumber": 1, "size": 1}},
	} {
		if answer := call("parts", map[string]any{"uploadId": id, "parts": parts}); answer.problem() != "field_invalid" || !strings.Contains(string(answer.body), `"field":"`+field+`"`) {
			t.Errorf("%s: %d %s", field, answer.status, answer.body)
		}
	}
	if answer := call("parts", map[string]any{"uploadId": "", "parts": []any{part(1, "x")}}); answer.problem() != "field_invalid" {
		t.Errorf("no uploadId: %d %s", answer.status, answer.body)
	}
}
