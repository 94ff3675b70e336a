package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// presigned is the reply to a request for one.
type presigned struct {
	URL, Expires, Grant, Key string
	Headers, Fields          map[string]string
}

func (r *running) presign(t *testing.T, destination string, fields map[string]any) presigned {
	t.Helper()
	return r.presignAs(t, nil, destination, fields)
}

// presignAs asks with further headers.
func (r *running) presignAs(t *testing.T, header []string, destination string, fields map[string]any) presigned {
	t.Helper()
	answer := r.do(t, "POST", "/v1/destinations/"+destination+"/presign", object(fields), header...)
	var p presigned
	if err := json.Unmarshal(answer.body, &p); err != nil || answer.status != http.StatusCreated && answer.status != http.StatusOK {
		t.Fatalf("%v: %d %s", fields, answer.status, answer.body)
	}
	return p
}

// send is what somebody without credentials can do: one plain request.
func send(t *testing.T, method, url, body string, header map[string]string) (int, string, http.Header) {
	t.Helper()
	q, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		q.Header.Set(name, value)
	}
	answer, err := http.DefaultTransport.RoundTrip(q)
	if err != nil && revived(t) {
		q.Body, _ = q.GetBody()
		answer, err = http.DefaultTransport.RoundTrip(q)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), answer.Header
}

// settings are a destination whose objects are stored with much.
const settings = `auth: { dev: true }
stores: { s: $SESSIONS }
destinations:
  all:
    store: s
    bucket: media
    key: "all/{uuid}/{filename}"
    content_types: [text/*]
    content_length: 0..7GiB
    read: owner
    cache_control: max-age=60
    content_disposition: 'attachment; filename="a$b.txt"'
    content_encoding: identity
    metadata: { app: "it's 5 $", two: "b" }
    tags: { team: "a b", "k+": "v/1" }
    storage_class: STANDARD
  named: { store: s, bucket: media, key: "named/{user}/{filename}", content_length: 0..1GiB }
  again: { store: s, bucket: media, key: "again/{filename}", content_length: 0..1GiB, overwrite: true }
  whole: { store: s, bucket: media, key: "whole/{user}/{uuid}", content_length: 0..1GiB, scope: prefix }
`

func TestPresignedPut(t *testing.T) {
	r := startWith(t, settings)
	const content = "bytes that matter"
	sum := composite(content, 1<<20)
	asked := map[string]any{"method": "PUT", "name": "näme 1.txt", "type": "text/x-test", "size": len(content), "sha256": sum}
	p := r.presign(t, "all", asked)
	q, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	signed := strings.Split(q.Query().Get("X-Amz-SignedHeaders"), ";")
	want := append(slices.Sorted(maps.Keys(p.Headers)), "content-length", "host")
	slices.Sort(want)
	if !slices.Equal(signed, want) || len(want) < 10 {
		t.Errorf("signed are %v; to be sent are %v", signed, want)
	}
	if strings.Contains(strings.ToLower(q.RawQuery), "checksum") && !slices.Contains(signed, "x-amz-checksum-sha256") || strings.Contains(q.RawQuery, "47DEQpj8HBSa") {
		t.Errorf("the checksum of an empty body is in %s", p.URL)
	}
	with := func(name, value string) map[string]string {
		h := maps.Clone(p.Headers)
		if h[name] = value; value == "" {
			delete(h, name)
		}
		return h
	}
	var took []string
	for what, c := range map[string]struct {
		url, body string
		header    map[string]string
	}{
		"another length":           {p.URL, content + "!", p.Headers},
		"nothing":                  {p.URL, "", p.Headers},
		"other bytes":              {p.URL, strings.ToUpper(content), p.Headers},
		"another checksum":         {p.URL, strings.ToUpper(content), with("x-amz-checksum-sha256", composite(strings.ToUpper(content), 1<<20))},
		"another type":             {p.URL, content, with("content-type", "text/html")},
		"without If-None-Match":    {p.URL, content, with("if-none-match", "")},
		"other metadata":           {p.URL, content, with("x-amz-meta-two", "c")},
		"without metadata":         {p.URL, content, with("x-amz-meta-two", "")},
		"an ACL":                   {p.URL, content, with("x-amz-acl", "public-read")},
		"another key":              {strings.Replace(p.URL, "/all/", "/named/", 1), content, p.Headers},
		"another bucket":           {strings.Replace(p.URL, "/media/", "/other/", 1), content, p.Headers},
		"a longer life":            {strings.Replace(p.URL, "X-Amz-Expires=", "X-Amz-Expires=1", 1), content, p.Headers},
		"part of a multipart":      {p.URL + "&partNumber=1&uploadId=x", content, p.Headers},
		"without the token":        {strings.Replace(p.URL, "X-Amz-Security-Token=", "X-Amz-Security-Tokem=", 1), content, p.Headers},
		"with further permissions": {p.URL + "&acl", content, p.Headers},
	} {
		if status, _, _ := send(t, "PUT", c.url, c.body, c.header); status < 400 {
			took = append(took, what)
			r.engine.emptyBucket(t, "media")
		}
	}
	r.takes(t, "A presigned PUT", took)
	for _, method := range []string{"GET", "HEAD", "DELETE", "POST"} {
		if status, text, _ := send(t, method, p.URL, "", p.Headers); status < 400 {
			t.Errorf("%s with it: %d %s", method, status, text)
		}
	}
	if left := r.engine.list(t, "media", "all/"); len(left) > 0 {
		t.Fatalf("something came of a request that was refused: %v", left)
	}
	status, text, header := send(t, "PUT", p.URL, content, p.Headers)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	if again, text, _ := send(t, "PUT", p.URL, content, p.Headers); again != http.StatusPreconditionFailed {
		t.Errorf("a second time: %d %s", again, text)
	}
	answer := r.do(t, "POST", "/v1/uploads/complete", object(map[string]any{"grant": p.Grant, "etag": header.Get("ETag")}))
	var done struct {
		Key, URL string
		Size     int
		Checksum struct{ Value string }
	}
	if json.Unmarshal(answer.body, &done); answer.status != http.StatusOK || done.Key != p.Key || done.Size != len(content) || done.Checksum.Value != sum && r.engine.keepsChecksums() {
		t.Errorf("complete: %d %s", answer.status, answer.body)
	}
	got, _, stored := send(t, "GET", done.URL, "", nil)
	for name, value := range map[string]string{"content-type": "text/x-test", "cache-control": "max-age=60", "x-amz-meta-app": "it's 5 $", "x-amz-meta-two": "b", "x-amz-tagging-count": "2"} {
		if got != http.StatusOK || stored.Get(name) != value {
			t.Errorf("it is stored with %s %q; want %q", name, stored.Get(name), value)
		}
	}
	secret := q.Query().Get("X-Amz-Signature")
	if log := r.log.String(); strings.Contains(log, secret) || strings.Contains(log, p.Grant) || strings.Contains(log, q.Query().Get("X-Amz-Security-Token")) || !strings.Contains(log, `"what":"put"`) {
		t.Errorf("the log holds what it should not, or lacks the decision:\n%s", log)
	}

	empty := r.presign(t, "named", map[string]any{"method": "PUT", "name": "empty", "size": 0})
	if status, text, _ := send(t, "PUT", empty.URL, "", empty.Headers); status != http.StatusOK {
		t.Errorf("an empty file: %d %s", status, text)
	}
	taken := r.do(t, "POST", "/v1/destinations/named/presign", `{"method":"PUT","name":"empty","size":1}`)
	if taken.problem() != "key_taken" {
		t.Errorf("the same name again: %d %s", taken.status, taken.body)
	}
	for range 2 {
		over := r.presign(t, "again", map[string]any{"method": "PUT", "name": "x", "size": 1})
		if status, text, _ := send(t, "PUT", over.URL, "x", over.Headers); status != http.StatusOK {
			t.Errorf("with overwrite: %d %s", status, text)
		}
	}
}

func TestPresignedRequestsEndWithTheirSession(t *testing.T) {
	r := startWith(t, settings)
	for _, c := range []struct {
		destination string
		expires     int
		least, most time.Duration
	}{
		{"all", 60, 55 * time.Second, time.Minute},
		{"all", 0, 14 * time.Minute, 15 * time.Minute},
		{"all", 7 * 24 * 3600, 14 * time.Minute, 15 * time.Minute},
		{"whole", 7 * 24 * 3600, 7 * time.Minute, 15 * time.Minute},
	} {
		for _, method := range []string{"PUT", "POST"} {
			p := r.presign(t, c.destination, map[string]any{"method": method, "name": "x", "type": "text/plain", "size": 1, "expires": c.expires})
			at, err := time.Parse(time.RFC3339, p.Expires)
			if left := time.Until(at); err != nil || left < c.least || left > c.most {
				t.Errorf("%s at %s for %d s: it says %s: %v, %v", method, c.destination, c.expires, p.Expires, left, err)
			}
			if method == "POST" {
				continue
			}
			q, _ := url.Parse(p.URL)
			from, err := time.Parse("20060102T150405Z", q.Query().Get("X-Amz-Date"))
			var seconds int
			fmt.Sscan(q.Query().Get("X-Amz-Expires"), &seconds)
			if err != nil || from.Add(time.Duration(seconds)*time.Second) != at {
				t.Errorf("the URL says %v + %d s and the reply %s", from, seconds, p.Expires)
			}
		}
	}
}

// takes holds docs/engines.md to what an engine takes of a presigned request that
// is changed in something.
func (r *running) takes(t *testing.T, what string, taken []string) {
	t.Helper()
	slices.Sort(taken)
	hold(t, what+" that is changed in this is taken", word(len(taken) > 0, strings.Join(taken, ", "), "–"))
}

func TestPresignedGet(t *testing.T) {
	r := startWith(t, settings)
	p := r.presign(t, "all", map[string]any{"method": "PUT", "name": "x.txt", "type": "text/x-test", "size": 1})
	if status, text, _ := send(t, "PUT", p.URL, "x", p.Headers); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	for _, c := range []struct {
		disposition, mediaType, wantDisposition, wantType string
	}{
		{"", "", `attachment; filename="x.txt"`, "text/x-test"},
		{"inline", "", `inline; filename="x.txt"`, "text/x-test"},
		{"attachment", "text/plain; charset=utf-8", `attachment; filename="x.txt"`, "text/plain; charset=utf-8"},
	} {
		link := r.presign(t, "all", map[string]any{"method": "GET", "grant": p.Grant, "disposition": c.disposition, "type": c.mediaType})
		if status, body, header := send(t, "GET", link.URL, "", nil); status != http.StatusOK || body != "x" || header.Get("Content-Disposition") != c.wantDisposition || header.Get("Content-Type") != c.wantType {
			t.Errorf("%+v: %d %q %v", c, status, body, header)
		}
		if status, text, _ := send(t, "GET", strings.Replace(link.URL, "x.txt%22", "x.exe%22", 1), "", nil); status != http.StatusForbidden {
			t.Errorf("with another name: %d %s", status, text)
		}
	}
	for _, odd := range []string{"text/plain;\tcharset=utf-8", "text/plain;\r\n charset=utf-8", "text/plain;\u2003charset=utf-8", "text/plain; a=\"ä\""} {
		if no := r.do(t, "POST", "/v1/destinations/all/presign", object(map[string]any{"method": "GET", "grant": p.Grant, "type": odd})); no.problem() != "field_invalid" {
			t.Errorf("as %q: %d %s", odd, no.status, no.body)
		}
	}
	if no := r.do(t, "POST", "/v1/destinations/all/presign", object(map[string]any{"method": "GET", "grant": p.Grant, "type": "image/png"})); no.problem() != "content_type_not_allowed" {
		t.Errorf("as a type that is not taken: %d %s", no.status, no.body)
	}
}
