package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

const fuzzed = `server: { origins: ["https://app.example.com"], metrics: [192.0.2.0/24], proxies: [192.0.2.0/24] }
auth: { dev: true }
stores: { s: $STORE, bare: $BARE }
destinations:
  any: { store: s, bucket: media, key: "any/{uuid}/{filename}", content_length: 0..50TB, read: owner, rate: 1000000/s, compat: [evaporate] }
  own: { store: s, bucket: media, key: "own/{user}/{date}/{basename}.{ext}", content_length: 0..1GiB, scope: prefix, overwrite: true, compat: [evaporate, s3direct], acl: private, tags: { a: b } }
  once: { store: s, bucket: media, key: "once/{destination}/{filename}", content_length: 1B..1MB, content_types: [image/*, text/plain], existence_optimization: true }
  signed: { store: bare, bucket: media, key: "signed/{uuid}/{filename}", content_length: 0..1GiB, signing: presigned }
  rule: { store: s, bucket: media, key: "rule/{ulid}", content_length: 0..1GiB, allow: "file.name.startsWith('a') || file.size < 5 || file.type == claims.x" }
`

// FuzzHandlers sends requests of any kind to the server as it is wired, before a
// real store. None may make it panic or answer 500. In a request's target and
// body GRANT stands for a grant and UPLOAD for a multipart upload of it.
func FuzzHandlers(f *testing.F) {
	r := startWith(f, fuzzed)
	own := strings.TrimSuffix(strings.TrimPrefix(r.URL, "http://"), "/")
	// send answers nil for what is no HTTP request.
	send := func(method, target, header, body string) *httptest.ResponseRecorder {
		in := method + " " + target + " HTTP/1.1\r\nHost: " + own + "\r\n" + strings.ReplaceAll(header, "\n", "\r\n") + "\r\n\r\n"
		q, err := http.ReadRequest(bufio.NewReader(strings.NewReader(in)))
		if err != nil {
			return nil
		}
		sent := httptest.NewRequest("POST", "/", strings.NewReader(body))
		q.Body, q.ContentLength, q.RemoteAddr = sent.Body, sent.ContentLength, sent.RemoteAddr
		w := httptest.NewRecorder()
		r.serving.ServeHTTP(w, q)
		return w
	}
	const asJSON = "Content-Type: application/json"
	var u upload
	var begun struct{ UploadID string }
	for _, step := range []struct {
		path, body string
		into       any
	}{{"/v1/destinations/any/uploads", `{"name":"a.txt","size":6000000}`, &u}, {"/v1/uploads/multipart", `{"op":"create","grant":"GRANT"}`, &begun}} {
		if err := json.Unmarshal(send("POST", step.path, asJSON, strings.ReplaceAll(step.body, "GRANT", u.Grant)).Body.Bytes(), step.into); err != nil {
			f.Fatal(err)
		}
	}
	known := strings.NewReplacer("GRANT", u.Grant, "UPLOAD", begun.UploadID)
	inQuery := strings.NewReplacer("GRANT", url.QueryEscape(u.Grant), "UPLOAD", url.QueryEscape(begun.UploadID))

	for _, target := range []string{"/", "/healthz", "/readyz", "/metrics", "/chunksign/index.html", "/chunksign/none", "/v1/destinations", "/%2e%2e/", "//", "*", "/v1/uploads/complete?x=%zz",
		"/evaporate/sign?grant=GRANT&to_sign=AWS4-HMAC-SHA256&datetime=20260517T120000Z&canonical_request=PUT%0A%2F", "/evaporate/sign?dest=own&to_sign=x&datetime=y"} {
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "DELETE"} {
			f.Add(method, target, "Origin: https://app.example.com\nAccess-Control-Request-Method: POST\nX-Forwarded-For: 2001:db8::1", "")
		}
	}
	sum := strings.Repeat("A", 43) + "="
	for _, body := range []string{
		`{"name":"a.txt","type":"text/plain","size":5}`, `{"name":"名\u202e../*?.png","type":"image/png","size":1,"checksum":{"algorithm":"SHA256","value":"` + sum + `","partSize":5242880}}`,
		`{"name":"","size":-1}`, `{"size":1e999}`, `[]`, `{`, "", `{"name":"a","size":9223372036854775807}`, `{"name":"a","size":1}{}`,
		`{"method":"PUT","name":"a","size":5,"sha256":"` + sum + `","expires":60}`, `{"method":"POST","name":"a","size":5}`, `{"method":"GET","grant":"GRANT","disposition":"inline","type":"text/html"}`,
	} {
		for _, d := range []string{"any", "own", "once", "rule", "signed", "none", "%2f"} {
			f.Add("POST", "/v1/destinations/"+d+"/uploads", asJSON, body)
			f.Add("POST", "/v1/destinations/"+d+"/presign", asJSON, body)
		}
	}
	for _, body := range []string{
		`{"grant":"GRANT"}`, `{"grant":"GRANT","etag":"x","checksum":{"algorithm":"SHA256","value":"` + sum + `-2","partSize":5242880}}`, `{"grant":"x.y.z"}`, `{"grant":null}`,
		`{"grant":"GRANT","uploadId":"UPLOAD","parts":[{"partNumber":1,"size":5242880,"sha256":"` + sum + `"}],"expires":60}`, `{"grant":"GRANT","uploadId":"../..","parts":[{"partNumber":0}]}`,
		`{"grant":"GRANT","op":"create"}`, `{"grant":"GRANT","op":"list","uploadId":"UPLOAD","after":-1}`, `{"grant":"GRANT","op":"list","uploadId":"none"}`,
		`{"grant":"GRANT","op":"complete","uploadId":"UPLOAD","parts":[{"partNumber":1,"etag":"\"x\"","sha256":"` + sum + `"}]}`, `{"grant":"GRANT","op":"abort","uploadId":"none"}`,
	} {
		for _, path := range []string{"credentials", "complete", "parts", "multipart"} {
			f.Add("POST", "/v1/uploads/"+path, asJSON, body)
		}
	}
	for _, body := range []string{"dest=own&name=a&type=text/plain&size=5", "dest=any&name=a&type=&size=x", "dest=own&to_sign=AWS4-HMAC-SHA256%250A20260517T120000Z&datetime=20260517T120000Z", "%zz", "--b\r\n"} {
		for _, header := range []string{"Content-Type: application/x-www-form-urlencoded", "Content-Type: multipart/form-data; boundary=b", "Cookie: chunksign-own=AAAA"} {
			f.Add("POST", "/s3direct/get_upload_params/", header, body)
			f.Add("POST", "/s3direct/get_aws_v4_signature/", header, body)
		}
	}
	f.Fuzz(func(t *testing.T, method, target, header, body string) {
		w := send(method, inQuery.Replace(target), header, known.Replace(body))
		if w == nil {
			return
		}
		log := r.log.take()
		// django-s3direct's view says so of a destination that it cannot use.
		if misfit := strings.HasPrefix(target, "/s3direct/") && strings.Contains(w.Body.String(), "The destination has no"); w.Code == http.StatusInternalServerError && !misfit || strings.Contains(log, "msg=panic") || strings.Contains(log, `"panic"`) {
			t.Errorf("%s %q\n%s\n%q: %d %s\n%s", method, target, header, body, w.Code, w.Body, log)
		}
		if strings.HasPrefix(target, "/v1/") && w.Code >= 400 && method != "HEAD" && (reply{w.Code, w.Header(), w.Body.Bytes()}).problem() == "" {
			t.Errorf("%s %q: %d %s is no problem's body", method, target, w.Code, w.Body)
		}
	})
}

// take gives the log so far, and begins anew.
func (b *buffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.b.Reset()
	return b.b.String()
}
