package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// form is a browser's: the fields, then the file.
func form(t *testing.T, url string, fields map[string]string, content string) (int, string) {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, value := range fields {
		w.WriteField(name, value)
	}
	f, _ := w.CreateFormFile("file", "x")
	io.WriteString(f, content)
	w.Close()
	status, text, _ := send(t, "POST", url, body.String(), map[string]string{"content-type": w.FormDataContentType()})
	return status, text
}

func TestPresignedForm(t *testing.T) {
	r := startWith(t, settings)
	const content = "bytes that matter"
	p := r.presign(t, "all", map[string]any{"method": "POST", "name": "näme <1>.txt", "type": "text/x-test", "size": len(content), "sha256": composite(content, 1<<20)})
	policy, err := base64.StdEncoding.DecodeString(p.Fields["policy"])
	if err != nil || !json.Valid(policy) || bytes.ContainsRune(policy, '$') || !bytes.Contains(policy, []byte(`["content-length-range",17,17]`)) {
		t.Fatalf("the policy is %s, %v", policy, err)
	}
	with := func(name, value string) map[string]string {
		f := maps.Clone(p.Fields)
		if f[name] = value; value == "" {
			delete(f, name)
		}
		return f
	}
	var took []string
	take := func(what, url string, fields map[string]string, content string) {
		if status, _ := form(t, url, fields, content); status < 400 {
			took = append(took, what)
			r.engine.emptyBucket(t, "media")
		}
	}
	for name := range p.Fields { // every field counts, as it is
		take("no "+name, p.URL, with(name, ""), content)
		take("another "+name, p.URL, with(name, p.Fields[name]+"0"), content)
	}
	for what, c := range map[string]struct {
		url     string
		fields  map[string]string
		content string
	}{
		"a byte more":    {p.URL, p.Fields, content + "!"},
		"a byte less":    {p.URL, p.Fields, content[1:]},
		"other bytes":    {p.URL, p.Fields, strings.ToUpper(content)},
		"an ACL":         {p.URL, with("acl", "public-read"), content},
		"more metadata":  {p.URL, with("x-amz-meta-x", "y"), content},
		"another key":    {p.URL, with("key", "all/x"), content},
		"another bucket": {strings.Replace(p.URL, "/media", "/other", 1), p.Fields, content},
	} {
		take(what, c.url, c.fields, c.content)
	}
	for _, x := range extras {
		fields := maps.Clone(p.Fields)
		for name, value := range x.header {
			if name = strings.ToLower(name); name == "x-amz-acl" {
				name = "acl"
			} else if name == "x-amz-tagging" {
				name, value = "tagging", tagging
			}
			fields[name] = value
		}
		take(x.name, p.URL, fields, content)
	}
	r.takes(t, "A form", took)
	status, text := form(t, p.URL, p.Fields, content)
	if status >= 300 {
		t.Errorf("as it is: %d %s", status, text)
	}
	_, err = r.engine.s3(r.engine.own).HeadObject(context.Background(), &s3.HeadObjectInput{Bucket: aws.String("media"), Key: &p.Key})
	hold(t, "An object put by a form, with a session", word(err == nil, "works", "listed, and not found"))
	if err != nil {
		return
	}
	var posted struct{ Bucket, Key, ETag string }
	if err := xml.Unmarshal([]byte(text), &posted); err != nil || status != http.StatusCreated || posted.Key != p.Key {
		t.Fatalf("%d %s, %v", status, text, err)
	}
	answer := r.do(t, "POST", "/v1/uploads/complete", object(map[string]any{"grant": p.Grant, "etag": posted.ETag}))
	var done struct{ URL string }
	if json.Unmarshal(answer.body, &done); answer.status != http.StatusOK {
		t.Fatalf("complete: %d %s", answer.status, answer.body)
	}
	got, body, stored := send(t, "GET", done.URL, "", nil)
	if got != http.StatusOK || body != content || stored.Get("X-Amz-Tagging-Count") != "2" || stored.Get("X-Amz-Meta-App") != "it's 5 $" || stored.Get("Cache-Control") != "max-age=60" || stored.Get("Content-Type") != "text/x-test" {
		t.Errorf("it is stored as %d %q %v", got, body, stored)
	}
	if no := r.do(t, "POST", "/v1/destinations/named/presign", `{"method":"POST","name":"x","size":1}`); no.problem() != "form_not_allowed" || no.status != http.StatusForbidden {
		t.Errorf("where an object might be replaced: %d %s", no.status, no.body)
	}
	for _, destination := range []string{"again", "whole"} {
		p := r.presign(t, destination, map[string]any{"method": "POST", "name": "x", "size": 1})
		if status, text := form(t, p.URL, p.Fields, "x"); status != http.StatusCreated {
			t.Errorf("%s: %d %s", destination, status, text)
		}
	}
}

// What a form may say beside its file: how the store answers, and metadata that
// whoever sends it fills in.
func TestFormsThatAreFilledIn(t *testing.T) {
	r := startWith(t, settings)
	ask := func(fields map[string]any) presigned {
		t.Helper()
		fields["method"], fields["name"], fields["type"], fields["size"] = "POST", "x", "text/plain", 1
		return r.presign(t, "all", fields)
	}
	for status := range map[int]bool{200: true, 201: true, 204: true} {
		p := ask(map[string]any{"status": status})
		if got, text := form(t, p.URL, p.Fields, "x"); got != status {
			t.Errorf("status %d: %d %s", status, got, text)
		}
	}

	const home = "https://app.example.com/uploaded?a=$b"
	p := ask(map[string]any{"redirect": home, "startsWith": map[string]string{"x-amz-meta-title": `A "$`, "x-amz-meta-note": ""}})
	if p.Fields["success_action_redirect"] != home || p.Fields["success_action_status"] != "" {
		t.Errorf("the fields are %v", p.Fields)
	}
	fill := func(name, value string) map[string]string {
		f := maps.Clone(p.Fields)
		f["x-amz-meta-title"], f["x-amz-meta-note"] = `A "$tory`, "anything"
		if f[name] = value; value == "" {
			delete(f, name)
		}
		return f
	}
	for what, fields := range map[string]map[string]string{
		"another beginning":   fill("x-amz-meta-title", "B"),
		"less of it":          fill("x-amz-meta-title", `A "`),
		"without it":          fill("x-amz-meta-title", ""),
		"more metadata":       fill("x-amz-meta-more", "x"),
		"another place":       fill("success_action_redirect", "https://evil.example.com/"),
		"another key":         fill("key", "all/x"),
		"metadata of its own": fill("x-amz-meta-two", "c"),
	} {
		if status, text := form(t, p.URL, fields, "x"); status < 400 {
			t.Errorf("%s: %d %s", what, status, text)
		}
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, value := range fill("x-amz-meta-note", "anything") {
		w.WriteField(name, value)
	}
	f, _ := w.CreateFormFile("file", "x")
	io.WriteString(f, "x")
	w.Close()
	status, text, header := send(t, "POST", p.URL, body.String(), map[string]string{"content-type": w.FormDataContentType()})
	if to := header.Get("Location"); status != http.StatusSeeOther || !strings.HasPrefix(to, "https://app.example.com/uploaded?a=%24b&") || !strings.Contains(to, "etag=") {
		t.Errorf("sent: %d to %q %s", status, to, text)
	}
	answer := r.do(t, "POST", "/v1/uploads/complete", object(map[string]any{"grant": p.Grant}))
	var done struct{ URL string }
	if json.Unmarshal(answer.body, &done); answer.status != http.StatusOK {
		t.Fatalf("complete: %d %s", answer.status, answer.body)
	}
	if _, _, stored := send(t, "GET", done.URL, "", nil); stored.Get("x-amz-meta-title") != `A "$tory` || stored.Get("x-amz-meta-note") != "anything" || stored.Get("x-amz-meta-two") != "b" {
		t.Errorf("it is stored with %v", stored)
	}

	for field, fields := range map[string][]map[string]any{
		"status":   {{"status": 303}, {"status": 200, "redirect": home}},
		"redirect": {{"redirect": "/uploaded"}, {"redirect": "javascript:alert(1)"}, {"redirect": "https://u:p@app.example.com/"}, {"redirect": "https://app.example.com/#x"}, {"redirect": "https://app.example.com/a b"}},
		"startsWith": {
			{"startsWith": map[string]string{"key": "all/"}}, {"startsWith": map[string]string{"x-amz-meta-two": ""}}, {"startsWith": map[string]string{"x-amz-meta-A": ""}},
			{"startsWith": map[string]string{"x-amz-meta-a": "ä"}}, {"startsWith": map[string]string{"Content-Type": "text/"}}, {"startsWith": map[string]string{`x-amz-meta-a","x`: ""}},
		},
	} {
		for _, more := range fields {
			maps.Copy(more, map[string]any{"method": "POST", "name": "x", "type": "text/plain", "size": 1})
			if no := r.do(t, "POST", "/v1/destinations/all/presign", object(more)); no.problem() != "field_invalid" || !strings.Contains(string(no.body), `"field":"`+field+`"`) {
				t.Errorf("%v: %d %s", more, no.status, no.body)
			}
		}
	}
	for _, method := range []string{"PUT", "GET"} {
		for field, value := range map[string]any{"status": 200, "redirect": home, "startsWith": map[string]string{}} {
			if no := r.do(t, "POST", "/v1/destinations/all/presign", object(map[string]any{"method": method, field: value})); no.problem() != "field_unknown" {
				t.Errorf("%s with %s: %d %s", method, field, no.status, no.body)
			}
		}
	}
}
