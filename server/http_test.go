package main

import (
	"net/http"
	"strings"
	"testing"
)

func TestOtherPagesGetNoCredentials(t *testing.T) {
	r := start(t, t.TempDir())
	own := strings.TrimSuffix(r.URL, "/")
	port := own[strings.LastIndexByte(own, ':'):]
	const grant = "/v1/destinations/demo/uploads"
	const file = `{"name":"x","size":1}`
	for name, c := range map[string]struct {
		method, path, body string
		header             []string
		status             int
		code               string
	}{
		"the demo page":          {"POST", grant, file, []string{"Origin", own, "Sec-Fetch-Site", "same-origin"}, 201, ""},
		"the page at localhost":  {"POST", grant, file, []string{"Host", "localhost" + port, "Origin", "http://localhost" + port, "Sec-Fetch-Site", "same-origin"}, 201, ""},
		"not a browser":          {"POST", grant, file, nil, 201, ""},
		"another origin":         {"POST", grant, file, []string{"Origin", "https://evil.test", "Sec-Fetch-Site", "cross-site"}, 403, "origin_not_allowed"},
		"a sandboxed page":       {"POST", grant, file, []string{"Origin", "null", "Sec-Fetch-Site", "cross-site"}, 403, "origin_not_allowed"},
		"another port":           {"POST", grant, file, []string{"Origin", "http://127.0.0.1:1", "Sec-Fetch-Site", "same-site"}, 403, "origin_not_allowed"},
		"cross-site, no Origin":  {"POST", grant, file, []string{"Sec-Fetch-Site", "cross-site"}, 403, "cross_origin"},
		"a rebinding page":       {"POST", grant, file, []string{"Host", "evil.test" + port, "Origin", "http://evil.test" + port, "Sec-Fetch-Site", "same-origin"}, 421, "host_not_allowed"},
		"rebinding, reading":     {"GET", "/v1/destinations", "", []string{"Host", "evil.test" + port}, 421, "host_not_allowed"},
		"rebinding, the page":    {"GET", "/", "", []string{"Host", "evil.test" + port}, 421, "host_not_allowed"},
		"a preflight":            {"OPTIONS", grant, "", []string{"Origin", "https://evil.test", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type"}, 403, "origin_not_allowed"},
		"another origin, a list": {"GET", "/v1/destinations", "", []string{"Origin", "https://evil.test"}, 403, "origin_not_allowed"},
		"a form":                 {"POST", grant, "name=x", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "not_json"},
		"JSON sent as text":      {"POST", grant, file, []string{"Content-Type", "text/plain"}, 415, "not_json"},
		"no type":                {"POST", grant, file, []string{"Content-Type", ""}, 415, "not_json"},
	} {
		got := r.do(t, c.method, c.path, c.body, c.header...)
		if got.status != c.status || got.problem() != c.code {
			t.Errorf("%s: %d %s; want %d %s", name, got.status, got.body, c.status, c.code)
		}
		if c.status != 201 && (strings.Contains(string(got.body), "secretAccessKey") || got.header.Get("Access-Control-Allow-Origin") != "") {
			t.Errorf("%s: %v %s", name, got.header, got.body)
		}
	}
}

func TestRequestsThatAreWrong(t *testing.T) {
	r := start(t, t.TempDir())
	const grant, presign, renew = "/v1/destinations/demo/uploads", "/v1/destinations/demo/presign", "/v1/uploads/credentials"
	const parts, multipart = "/v1/uploads/parts", "/v1/uploads/multipart"
	for _, c := range []struct {
		method, path, body string
		status             int
		code, field        string
	}{
		{"POST", grant, `{"name":"x","size":1,"sise":2}`, 400, "field_unknown", "sise"},
		{"POST", grant, `{"name":"x","size":1,"SIZE":2}`, 400, "field_unknown", "SIZE"},
		{"POST", grant, `{"name":"x","SIZE":2}`, 400, "field_unknown", "SIZE"},
		{"POST", grant, `{"name":"x","size":1,"\u017fize":2}`, 400, "field_unknown", "ſize"},
		{"POST", grant, `{"name":"x","size":1,"size":2}`, 400, "field_invalid", "size"},
		{"POST", grant, `{"name":"x","size":1,"checksum":{"value":"a","VALUE":"b"}}`, 400, "field_unknown", "VALUE"},
		{"POST", grant, `{"name":"x\ud800","size":1}`, 400, "body_invalid", ""},
		{"POST", parts, `{"parts":[{"partNumber":1,"partnumber":2}]}`, 400, "field_unknown", "partnumber"},
		{"POST", grant, `{"name":"x"}`, 400, "field_invalid", "size"},
		{"POST", grant, `{"name":"x","size":"1"}`, 400, "field_invalid", "size"},
		{"POST", grant, `{"name":"x","size":1.5}`, 400, "field_invalid", "size"},
		{"POST", grant, `{"name":"x","size":-1}`, 400, "field_invalid", "size"},
		{"POST", grant, `{"name":"x","size":99999999999999}`, 422, "file_too_large", "size"},
		{"POST", grant, `{"name":"","size":1}`, 400, "field_invalid", "name"},
		{"POST", grant, `{"name":"x","size":1,"type":"x"}`, 400, "field_invalid", "type"},
		{"POST", grant, `{"name":"x","size":1} {}`, 400, "body_invalid", ""},
		{"POST", grant, `{"name":"x"`, 400, "body_invalid", ""},
		{"POST", grant, `[]`, 400, "body_invalid", ""},
		{"POST", grant, `{"name":"` + strings.Repeat("x", 70_000) + `"}`, 413, "body_too_large", ""},
		{"POST", "/v1/destinations/nope/uploads", `{"name":"x","size":1}`, 404, "destination_unknown", ""},
		{"POST", "/v1/destinations/de%2Fmo/uploads", `{"name":"x","size":1}`, 404, "destination_unknown", ""},
		{"POST", renew, `{"grant":"x"}`, 400, "grant_invalid", "grant"},
		{"POST", renew, `{}`, 400, "grant_invalid", "grant"},
		{"POST", presign, `{"method":"DELETE"}`, 400, "field_invalid", "method"},
		{"POST", presign, `{"method":"PUT","name":"x","type":"y","size":1}`, 400, "field_invalid", "type"},
		{"POST", presign, `{"method":"PUT","name":"x"}`, 400, "field_invalid", "size"},
		{"POST", presign, `{"method":"PUT","name":"x","size":1,"expires":604801}`, 400, "field_invalid", "expires"},
		{"POST", presign, `{"method":"PUT","name":"x","size":1,"expires":99999999999999}`, 400, "field_invalid", "expires"},
		{"POST", presign, `{"method":"PUT","name":"x","size":1,"expires":-5}`, 400, "field_invalid", "expires"},
		{"POST", presign, `{"method":"PUT","name":"x","size":1,"sha256":"abc"}`, 400, "field_invalid", "sha256"},
		{"POST", presign, `{"method":"PUT","name":"x","size":1,"grant":"x"}`, 400, "field_unknown", "grant"},
		{"POST", presign, `{"method":"PUT","name":"x","size":5368709121}`, 422, "file_too_large", "size"},
		{"POST", presign, `{"method":"POST","name":"x","size":-1}`, 400, "field_invalid", "size"},
		{"POST", presign, `{"method":"GET","grant":"x","size":1}`, 400, "field_unknown", "size"},
		{"POST", presign, `{"method":"GET","grant":"x","disposition":"x"}`, 400, "field_invalid", "disposition"},
		{"POST", "/v1/destinations/nope/presign", `{"method":"PUT","name":"x","size":1}`, 404, "destination_unknown", ""},
		{"POST", parts, `{"grant":"x","uploadId":"x","parts":[{"partNumber":1}]}`, 400, "grant_invalid", "grant"},
		{"POST", parts, `{"grant":"x","parts":{}}`, 400, "field_invalid", "parts"},
		{"POST", multipart, `{"grant":"x","op":"create"}`, 400, "grant_invalid", "grant"},
		{"POST", multipart, `{"grant":"x","op":"delete"}`, 400, "field_invalid", "op"},
		{"POST", presign, `{"method":"GET","grant":"x"}`, 400, "grant_invalid", "grant"},
		{"GET", grant, "", 405, "method_not_allowed", ""},
		{"DELETE", "/v1/destinations", "", 405, "method_not_allowed", ""},
		{"GET", "/nope", "", 404, "not_found", ""},
		{"GET", "/v1/../healthz", "", 404, "not_found", ""},
		{"GET", "/chunksign/../index.html", "", 404, "not_found", ""},
		{"GET", "/chunksign/..%2f..%2fgo.mod", "", 404, "not_found", ""},
	} {
		got := r.do(t, c.method, c.path, c.body)
		if got.status != c.status || got.problem() != c.code || c.field != "" && !strings.Contains(string(got.body), `"field":"`+c.field+`"`) {
			t.Errorf("%s %s %.60s: %d %s; want %d %s for %q", c.method, c.path, c.body, got.status, got.body, c.status, c.code, c.field)
		}
	}
	if got := r.do(t, "PUT", grant, "{}"); got.header.Get("Allow") != "POST" {
		t.Errorf("Allow is %q", got.header.Get("Allow"))
	}
}

func TestProbesAndHeaders(t *testing.T) {
	r := start(t, t.TempDir())
	for _, path := range []string{"/healthz", "/readyz", "/"} {
		if got := r.do(t, "GET", path, ""); got.status != http.StatusOK || got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", path, got.status, got.header)
		}
	}
	store := r.grant(t, "demo", "x", 1).Upload.Endpoint
	csp := r.do(t, "GET", "/", "").header.Get("Content-Security-Policy")
	for _, part := range []string{"'wasm-unsafe-eval'", "connect-src 'self' " + store + ";", "worker-src 'self' blob:", "frame-ancestors 'none'", "default-src 'none'"} {
		if !strings.Contains(csp, part) {
			t.Errorf("the policy %q lacks %q", csp, part)
		}
	}
	list := r.do(t, "GET", "/v1/destinations", "")
	const want = `{"destinations":[{"name":"demo","contentTypes":[],"minSize":0,"maxSize":53687091200000,"checksum":"SHA256","signing":"session"},` +
		`{"name":"demo-s3direct","contentTypes":[],"minSize":0,"maxSize":53687091200000,"checksum":"SHA256","signing":"session"},` +
		`{"name":"demo-once","contentTypes":[],"minSize":0,"maxSize":53687091200000,"checksum":"SHA256","signing":"session"},` +
		`{"name":"demo-presigned","contentTypes":[],"minSize":0,"maxSize":53687091200000,"checksum":"SHA256","signing":"presigned"}]}`
	if strings.TrimSpace(string(list.body)) != want {
		t.Errorf("the destinations are %s", list.body)
	}
}
