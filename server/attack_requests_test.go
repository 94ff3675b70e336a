package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// heldRequest is a request of a kind that a page can get, whole and honest: to it
// Mallory adds a header, or a field of a form.
type heldRequest struct {
	kind        string
	method, url string            // the url of a presigned one
	query       string            // of one that Mallory signs herself
	header      map[string]string // sent with it
	body        string
	fields      map[string]string // of a form
	byField     bool              // what is hostile becomes a field of the form, and no header
	as          aws.Credentials   // who signs, where it is not presigned
	part        bool              // it is seen in the parts of an upload, and not in an object
	flow        func(x *headerRig, r *heldRequest, add http.Header) hit
}

// headerRig sends them. It is a world whose object at own is Mallory's.
type headerRig struct {
	*world
	body   string // of Mallory's file: a tar of which a store may make Alice's key
	upload string // an upload of hers, of one part
}

// newHeaderRig makes what the attacks are about.
func (e *s3Engine) newHeaderRig(t *testing.T) *headerRig {
	t.Helper()
	x := &headerRig{world: &world{T: t, s3Engine: e, uploadID: map[string]string{}}}
	x.put("media", x.theirs(), secretOf+"0")
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	text := "by mallory"
	entry := &tar.Header{Name: "u/alice/0/extracted.bin", Mode: 0o600, Size: int64(len(text))}
	if err := w.WriteHeader(entry); err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, text)
	w.Close()
	x.body = b.String()
	return x
}

// honest sends a request as it is, which has to work.
func (x *headerRig) honest(r *heldRequest) {
	x.Helper()
	if h := r.flow(x, r, nil); h.status < 200 || h.status > 299 {
		x.Fatalf("%s, as it is: %d %s", r.kind, h.status, h.text) // or the attacks would show nothing
	}
}

// once sends a request with what is added to it.
func once(x *headerRig, r *heldRequest, add http.Header) hit {
	x.Helper()
	body, contentType := r.body, ""
	if r.fields != nil {
		body, contentType = r.form(add)
	}
	if r.url == "" { // Mallory signs
		header := maps.Clone(r.header)
		for name, values := range add {
			header[name] = values[0]
		}
		path := "/media/" + escapePath(x.own)
		return x.sendSigned(r.as, r.method, path, path, r.query, header, body)
	}
	q, err := http.NewRequest(r.method, r.url, strings.NewReader(body))
	if err != nil {
		x.Fatal(err)
	}
	for name, value := range r.header {
		q.Header.Set(name, value)
	}
	if contentType != "" {
		q.Header.Set("Content-Type", contentType)
	}
	if !r.byField {
		for name, values := range add {
			q.Header[textproto.CanonicalMIMEHeaderKey(name)] = values
		}
	}
	answer, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		revived(x.T)
		return hit{0, err.Error()}
	}
	defer answer.Body.Close()
	var text bytes.Buffer
	answer.Header.Write(&text)
	io.Copy(&text, answer.Body)
	return hit{answer.StatusCode, text.String()}
}

// form is the body of a form, with further fields before its file.
func (r *heldRequest) form(add http.Header) (body, contentType string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	field := func(name, value string) {
		switch name {
		case "x-amz-acl":
			name = "acl"
		case "x-amz-tagging":
			name, value = "tagging", tagging
		}
		w.WriteField(name, value)
	}
	if r.byField {
		for name, values := range add {
			field(name, values[0])
		}
	}
	for name, value := range r.fields {
		w.WriteField(name, value)
	}
	file, _ := w.CreateFormFile("file", "x")
	io.WriteString(file, r.body)
	w.Close()
	return b.String(), w.FormDataContentType()
}

// createdWith begins an upload with what is added; its owner completes it, so
// that the object shows what has come of that.
func createdWith(x *headerRig, r *heldRequest, add http.Header) hit {
	x.Helper()
	h := once(x, r, add)
	if id := between(h.text, "<UploadId>", "</UploadId>"); id != "" {
		x.completed(id, map[string]string{}, add)
	}
	return h
}

// completedWith completes an upload of Mallory's with what is added.
func completedWith(x *headerRig, r *heldRequest, add http.Header) hit {
	x.Helper()
	path := "/media/" + escapePath(x.own)
	typed := map[string]string{"content-type": "text/x-test"}
	made := x.sendSigned(x.s3Engine.own, "POST", path, path, "uploads=", typed, "")
	id := between(made.text, "<UploadId>", "</UploadId>")
	part := x.sendSigned(x.s3Engine.own, "PUT", path, path, "partNumber=1&uploadId="+id, map[string]string{}, x.body)
	c := *r
	c.query, c.body = "uploadId="+id, completion(part)
	h := once(x, &c, add)
	// Where it was not completed:
	x.sendSigned(x.s3Engine.own, "DELETE", path, path, "uploadId="+id, map[string]string{}, "")
	return h
}

// completed puts an upload together as the store's owner, who sends the key of
// SSE-C again.
func (x *headerRig) completed(id string, header map[string]string, add http.Header) {
	path := "/media/" + escapePath(x.own)
	for name, values := range add {
		if strings.HasPrefix(name, "x-amz-server-side-encryption-customer-") {
			header[name] = values[0]
		}
	}
	part := x.sendSigned(x.s3Engine.own, "PUT", path, path, "partNumber=1&uploadId="+id, header, x.body)
	x.sendSigned(x.s3Engine.own, "POST", path, path, "uploadId="+id, map[string]string{}, completion(part))
	x.sendSigned(x.s3Engine.own, "DELETE", path, path, "uploadId="+id, map[string]string{}, "")
}

func between(text, from, to string) string {
	_, text, _ = strings.Cut(text, from)
	text, _, found := strings.Cut(text, to)
	if !found {
		return ""
	}
	return text
}

// volatile are headers of replies that differ from one to the next.
var volatile = []string{
	"Date", "X-Amz-Request-Id", "X-Amz-Id-2", "Connection", "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "Vary",
}

// still is a reply without what differs from one to the next.
func still(h hit) string {
	var lines []string
	for line := range strings.SplitSeq(h.text, "\r\n") {
		name, value, _ := strings.Cut(line, ": ")
		at, err := http.ParseTime(value)
		recent := name == "Last-Modified" && err == nil && time.Since(at).Abs() < time.Hour
		if recent || slices.Contains(volatile, http.CanonicalHeaderKey(name)) {
			continue
		}
		lines = append(lines, line)
	}
	text := strings.Join(lines, "\r\n")
	for _, tag := range []string{"RequestId", "HostId", "LastModified", "Initiated", "Resource"} {
		if value := between(text, "<"+tag+">", "</"+tag+">"); value != "" {
			text = strings.ReplaceAll(text, value, "")
		}
	}
	return fmt.Sprint(h.status, " ", text)
}

// seesHers is what a request may change of Mallory's own; of its tags and its ACL only with all.
func (x *headerRig) seesHers(r *heldRequest, all bool) string {
	x.Helper()
	path := "/media/" + escapePath(x.own)
	get := func(query string) string {
		asStored := map[string]string{"Accept-Encoding": "identity"} // or Go's client decompresses
		return still(x.sendSigned(x.s3Engine.own, "GET", path, path, query, asStored, ""))
	}
	if r.part {
		return get("uploadId=" + url.QueryEscape(x.upload))
	}
	if seen := get(""); !all {
		return seen
	} else {
		return seen + "\n" + get("tagging=") + "\n" + get("acl=")
	}
}

// seesOthers is all that is there but for Mallory's.
func (x *headerRig) seesOthers(buckets ...string) map[string]string {
	x.Helper()
	seen := map[string]string{}
	for _, bucket := range buckets {
		for _, o := range x.list(x.T, bucket, "") {
			if *o.Key != x.own {
				seen[bucket+"/"+*o.Key] = fmt.Sprint(*o.ETag, *o.Size)
			}
		}
	}
	return seen
}

// signedByMallory are the kinds that whoever holds a session makes of it.
func signedByMallory(as aws.Credentials, x *headerRig) []*heldRequest {
	stored := map[string]string{"content-type": "text/x-test"}
	return []*heldRequest{
		{kind: "PutObject", method: "PUT", header: stored, body: x.body, as: as, flow: once},
		{kind: "CreateMultipartUpload", method: "POST", query: "uploads=", header: stored, as: as, flow: createdWith},
		{kind: "UploadPart", method: "PUT", query: "partNumber=1&uploadId=" + url.QueryEscape(x.upload),
			header: map[string]string{}, body: x.body, as: as, part: true, flow: once},
		{kind: "CompleteMultipartUpload", method: "POST", header: map[string]string{}, as: as, flow: completedWith},
	}
}

// begin begins an upload of Mallory's at her key.
func (x *headerRig) begin(key string) {
	x.Helper()
	x.own = key
	x.upload = x.world.upload(key)
	x.Cleanup(func() {
		path := "/media/" + escapePath(key)
		x.sendSigned(x.s3Engine.own, "DELETE", path, path, "uploadId="+url.QueryEscape(x.upload), map[string]string{}, "")
	})
}

// presigned are the kinds that the server signs for who holds no credentials; all,
// or those alone that depend on where the signatures of parts stand.
func (x *headerRig) presigned(t *testing.T, r *running, all bool) []*heldRequest {
	t.Helper()
	ask := func(path string, fields map[string]any, into any) {
		t.Helper()
		answer := r.do(t, "POST", "/v1/"+path, object(fields), as("mallory")...)
		if answer.status >= 300 || json.Unmarshal(answer.body, into) != nil {
			t.Fatalf("%s: %d %s", path, answer.status, answer.body)
		}
	}
	u := r.grantAs(t, as("mallory"), "d", "näme.bin", len(x.body))
	x.begin(u.Upload.Key)
	link := func(uploadID string) (out struct {
		Parts []struct {
			URL     string
			Headers map[string]string
		}
	}) {
		t.Helper()
		part := map[string]any{"partNumber": 1, "size": len(x.body), "sha256": composite(x.body, 1<<20)}
		fields := map[string]any{"grant": u.Grant, "parts": []any{part}}
		if uploadID != "" {
			fields["uploadId"] = uploadID
		}
		ask("uploads/parts", fields, &out)
		return out
	}
	whole, part := link("").Parts[0], link(x.upload).Parts[0]
	held := []*heldRequest{
		{kind: "a whole file", method: "PUT", url: whole.URL, header: whole.Headers, body: x.body, flow: once},
		{kind: "a part", method: "PUT", url: part.URL, header: part.Headers, body: x.body, part: true, flow: once},
	}
	if !all {
		return held
	}
	// These have keys of their own, each beside the other.
	hers := func(key string, held heldRequest) *heldRequest {
		held.flow = func(x *headerRig, r *heldRequest, add http.Header) hit {
			x.own = key
			return once(x, r, add)
		}
		return &held
	}
	file := map[string]any{"name": "näme.bin", "type": "text/x-test", "size": len(x.body)}
	presign := func(fields map[string]any) presigned {
		t.Helper()
		return r.presignAs(t, as("mallory"), "d", fields)
	}
	x.honest(held[0])
	file["method"] = "PUT"
	put := presign(file)
	read := presign(map[string]any{"method": "GET", "grant": u.Grant})
	held = append(held, &heldRequest{kind: "a link to read", method: "GET", url: read.URL, flow: once},
		hers(put.Key, heldRequest{kind: "a presigned PUT", method: "PUT", url: put.URL, header: put.Headers, body: x.body}))
	file["method"] = "POST"
	for _, byField := range []bool{false, true} {
		form := presign(file)
		held = append(held, hers(form.Key, heldRequest{
			kind: "a form, headers " + word(byField, "as fields", "beside it"), method: "POST", url: form.URL,
			fields: form.Fields, byField: byField, body: x.body,
		}))
	}
	return held
}
