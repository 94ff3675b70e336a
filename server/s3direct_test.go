package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/wasm/sigv4"
)

// widget is a page with django-s3direct's widget: a browser that keeps cookies.
type widget struct {
	*http.Client
	server string // without a slash at its end
	header http.Header
}

func newWidget(t *testing.T, r *running, header ...string) *widget {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &widget{&http.Client{Jar: jar}, strings.TrimSuffix(r.URL, "/"), http.Header{}}
	for i := 0; i < len(header); i += 2 {
		w.header.Set(header[i], header[i+1])
	}
	return w
}

// post sends what FormData would.
func (w *widget) post(t *testing.T, view string, fields ...string) (int, map[string]any, http.Header) {
	t.Helper()
	var body bytes.Buffer
	f := multipart.NewWriter(&body)
	for i := 0; i < len(fields); i += 2 {
		f.WriteField(fields[i], fields[i+1])
	}
	f.Close()
	q, err := http.NewRequest("POST", w.server+"/s3direct/"+view+"/", &body)
	if err != nil {
		t.Fatal(err)
	}
	q.Header = w.header.Clone()
	q.Header.Set("Content-Type", f.FormDataContentType())
	q.Header.Set("X-CSRFToken", "from Django")
	answer, err := w.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil || !strings.HasPrefix(answer.Header.Get("Content-Type"), "application/") {
		t.Fatalf("%s: %d %q, %v", view, answer.StatusCode, text, err)
	}
	return answer.StatusCode, out, answer.Header
}

func (w *widget) params(t *testing.T, dest, name string, size int) map[string]any {
	t.Helper()
	status, out, _ := w.post(t, "get_upload_params", "dest", dest, "name", name, "type", "text/x-test", "size", fmt.Sprint(size))
	if status != http.StatusOK {
		t.Fatalf("%s: %d %v", name, status, out)
	}
	return out
}

// evaporated is one of EvaporateJS's requests: everything but
// x-amz-content-sha256 is signed, and a part's body is not.
type evaporated struct {
	method, query string
	header        map[string]string
	body          string
	unsigned      bool // the body is
}

// toSign is the request as EvaporateJS signs it: the string, encoded as its customAuthMethod gets it.
func (e evaporated) toSign(params map[string]any, at time.Time) (sigv4.Request, string) {
	endpoint, _ := url.Parse(params["endpoint"].(string))
	r := sigv4.Request{Method: e.method, Host: endpoint.Host, Path: "/" + params["bucket"].(string) + "/" + params["object_key"].(string), PayloadHash: sigv4.UnsignedPayload}
	if !e.unsigned {
		sum := sha256.Sum256([]byte(e.body))
		r.PayloadHash = hex.EncodeToString(sum[:])
	}
	query, _ := url.ParseQuery(e.query)
	for name, values := range query {
		r.Query = append(r.Query, sigv4.Param{Name: name, Value: values[0]})
	}
	r.Header = append(r.Header, sigv4.Param{Name: "x-amz-date", Value: sigv4.Timestamp(at)}, sigv4.Param{Name: "x-amz-security-token", Value: params["session_token"].(string)})
	for name, value := range e.header {
		r.Header = append(r.Header, sigv4.Param{Name: name, Value: value})
	}
	scope := sigv4.New(sigv4.Credentials{}, params["region"].(string)).Scope(at)
	text := sigv4.StringToSign(sigv4.CanonicalRequest(&r), scope, at)
	return r, strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

// send has a request signed by the view and sends it to the store.
func (w *widget) send(t *testing.T, dest string, params map[string]any, e evaporated) (int, string, http.Header) {
	t.Helper()
	at := time.Now()
	r, text := e.toSign(params, at)
	status, out, _ := w.post(t, "get_aws_v4_signature", "to_sign", text, "datetime", sigv4.Timestamp(at), "dest", dest)
	if status != http.StatusOK {
		t.Fatalf("the signer: %d %v", status, out)
	}
	var names []string
	header := map[string]string{"x-amz-content-sha256": r.PayloadHash}
	for _, h := range r.Header {
		header[h.Name] = h.Value
	}
	for _, name := range strings.Split("content-md5 content-type host x-amz-acl x-amz-date x-amz-security-token", " ") {
		if header[name] != "" || name == "host" {
			names = append(names, name)
		}
	}
	header["Authorization"] = fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s", params["access_key_id"],
		sigv4.New(sigv4.Credentials{}, params["region"].(string)).Scope(at), strings.Join(names, ";"), out["s3ObjKey"])
	target := "http://" + r.Host + sigv4.EscapePath(r.Path)
	if len(r.Query) > 0 {
		target += "?" + sigv4.EscapeQuery(r.Query)
	}
	return send(t, e.method, target, e.body, header)
}

// upload is EvaporateJS's: Create, a PUT for each part, Complete.
func (w *widget) upload(t *testing.T, dest string, params map[string]any, parts ...string) {
	t.Helper()
	status, text, _ := w.send(t, dest, params, evaporated{method: "POST", query: "uploads", header: map[string]string{"content-type": "text/x-test"}})
	id := regexp.MustCompile("<UploadId>(.+)</UploadId>").FindStringSubmatch(text)
	if status != http.StatusOK || id == nil {
		t.Fatalf("Create: %d %s", status, text)
	}
	list := "<CompleteMultipartUpload>"
	for i, part := range parts {
		sum := md5.Sum([]byte(part))
		status, text, header := w.send(t, dest, params, evaporated{method: "PUT", query: fmt.Sprintf("partNumber=%d&uploadId=%s", i+1, id[1]), body: part, unsigned: true,
			header: map[string]string{"content-type": "text/x-test", "content-md5": base64.StdEncoding.EncodeToString(sum[:])}})
		if status != http.StatusOK {
			t.Fatalf("part %d: %d %s", i+1, status, text)
		}
		list += fmt.Sprintf("<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", i+1, header.Get("ETag"))
	}
	status, text, _ = w.send(t, dest, params, evaporated{method: "POST", query: "uploadId=" + id[1], body: list + "</CompleteMultipartUpload>", header: map[string]string{"content-type": "application/xml; charset=UTF-8"}})
	if status != http.StatusOK {
		t.Fatalf("Complete: %d %s", status, text)
	}
}

const s3directs = `auth: { headers: { from: [127.0.0.0/8], lists: { groups: X-Forwarded-Groups } } }
stores: { s: $STORE }
destinations:
  files: { store: s, bucket: media, key: "files/{user}/{uuid}/{filename}", content_length: 1B..20MiB, content_types: [text/*], scope: prefix, compat: [s3direct], allow: "'staff' in claims.groups", cache_control: max-age=60, content_disposition: attachment }
  plain: { store: s, bucket: media, key: "plain/{user}/{uuid}/{filename}", content_length: 0..1GiB, scope: prefix, compat: [s3direct] }
  object: { store: s, bucket: media, key: "object/{uuid}", content_length: 0..1GiB }
`

func staff(who string) []string {
	return []string{"X-Forwarded-User", who, "X-Forwarded-Groups", "staff"}
}

func TestS3DirectUploads(t *testing.T) {
	r := startWith(t, s3directs)
	page := newWidget(t, r, staff("alice")...)
	params := page.params(t, "files", "näme 1.txt", 5<<20+3)
	want := map[string]any{"region": "us-east-1", "bucket": "media", "acl": "", "allow_existence_optimization": false, "cache_control": "max-age=60", "content_disposition": "attachment"}
	for name, value := range want {
		if params[name] != value {
			t.Errorf("%s is %v; want %v", name, params[name], value)
		}
	}
	if !strings.HasPrefix(params["endpoint"].(string), "http://127.0.0.1:") || !strings.HasPrefix(params["access_key_id"].(string), "ASIA") || params["server_side_encryption"] != nil || len(params) != 10 {
		t.Errorf("%v", params)
	}
	page.upload(t, "files", params, strings.Repeat("p", 5<<20), "end")
	if got, err := os.ReadFile(filepath.Join(r.data, "media", params["object_key"].(string))); err != nil || len(got) != 5<<20+3 || !bytes.HasSuffix(got, []byte("pend")) {
		t.Errorf("%d bytes are stored, %v", len(got), err)
	}
	// One session serves the next file too: a page may send several at once.
	second := page.params(t, "files", "b.txt", 1)
	if second["access_key_id"] != params["access_key_id"] || second["object_key"] == params["object_key"] {
		t.Errorf("the second file's are %v", second)
	}
	page.upload(t, "files", second, "x")
	urlencoded := send1(t, r, "/s3direct/get_upload_params/", "dest=plain&name=c.txt&type=&size=0", append(staff("alice"), "Content-Type", "application/x-www-form-urlencoded")...)
	if urlencoded.status != http.StatusOK {
		t.Errorf("an urlencoded form: %d %s", urlencoded.status, urlencoded.body)
	}
}

// send1 posts a body as it is.
func send1(t *testing.T, r *running, path, body string, header ...string) reply {
	t.Helper()
	return r.do(t, "POST", path, body, header...)
}

func TestS3DirectSaysNoInItsOwnWords(t *testing.T) {
	r := startWith(t, s3directs)
	page := newWidget(t, r, staff("alice")...)
	nobody, stranger := newWidget(t, r), newWidget(t, r, "X-Forwarded-User", "bob")
	const size = "Invalid file size (must be between 1 and 20971520 bytes)."
	for _, c := range []struct {
		page                    *widget
		dest, name, kind, bytes string
		status                  int
		text                    string
	}{
		// In the order of its checks: each of these is wrong in all that follows too.
		{nobody, "nope", "x", "image/png", "0", 404, "File destination does not exist."},
		{nobody, "files", "x", "image/png", "0", 403, "Permission denied."},
		{stranger, "files", "x", "image/png", "0", 403, "Permission denied."},
		{page, "files", "x", "image/png", "0", 400, "Invalid file type (image/png)."},
		{page, "files", "x", "", "1", 400, "Invalid file type ()."},
		{page, "files", "x", "text/plain", "0", 400, size},
		{page, "files", "x", "text/plain", "20971521", 400, size},
		{page, "files", "x", "text/plain", "-1", 400, size},
		{page, "object", "x", "text/plain", "1", 500, "The destination has no compat: [s3direct], which these views need."},
		{page, "files", "", "text/plain", "1", 400, "name is empty; send the file's name"},
		{page, "files", "x", "text/plain", "many", 400, "The field size is not a whole number."},
	} {
		status, out, header := c.page.post(t, "get_upload_params", "dest", c.dest, "name", c.name, "type", c.kind, "size", c.bytes)
		if status != c.status || out["error"] != c.text || len(out) != 1 || header.Get("Content-Type") != "application/json" || header.Get("Set-Cookie") != "" {
			t.Errorf("%+v: %d %v %v", c, status, out, header)
		}
	}
	if status, out, _ := page.post(t, "get_aws_v4_signature", "dest", "object", "to_sign", "x", "datetime", "x"); status != 500 || out["error"] != "The destination has no compat: [s3direct], which these views need." {
		t.Errorf("a signature where the views are off: %d %v", status, out)
	}
	if status, out, _ := page.post(t, "get_upload_params", "dest", "files"); status != 400 || out["error"] != "The field name is missing." {
		t.Errorf("no name: %d %v", status, out)
	}
	if got := r.do(t, "GET", "/s3direct/get_upload_params/", ""); got.status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", got.status)
	}
	if got := send1(t, r, "/s3direct/get_upload_params/", "dest=files", append(staff("alice"), "Origin", "https://evil.test", "Sec-Fetch-Site", "cross-site", "Content-Type", "application/x-www-form-urlencoded")...); got.status != http.StatusForbidden || !strings.Contains(string(got.body), `"code": "cross_origin"`) {
		t.Errorf("a page of another site: %d %s", got.status, got.body)
	}
}

func TestS3DirectSignsWithTheSessionAlone(t *testing.T) {
	r := startWith(t, s3directs)
	alice, bob := newWidget(t, r, staff("alice")...), newWidget(t, r, staff("bob")...)
	params, theirs := alice.params(t, "files", "a.txt", 1), bob.params(t, "files", "b.txt", 1)
	bob.upload(t, "files", theirs, "x")

	// What is not to be signed by anybody.
	at := time.Now()
	one := evaporated{method: "POST", query: "uploads"}
	_, good := one.toSign(params, at)
	sign := func(page *widget, text, datetime, dest string) (int, string) {
		status, out, _ := page.post(t, "get_aws_v4_signature", "to_sign", text, "datetime", datetime, "dest", dest)
		said, _ := out["error"].(string)
		return status, said
	}
	now := sigv4.Timestamp(at)
	if status, said := sign(alice, good, now, "files"); status != 200 {
		t.Fatalf("%d %s", status, said)
	}
	for what, c := range map[string]struct {
		page                 *widget
		text, datetime, dest string
		status               int
	}{
		"another date":            {alice, strings.Replace(good, now[:8], "20130524", 1), now, "files", 400},
		"another day's scope":     {alice, strings.Replace(good, now[:8]+"%2F", "20130524%2F", 1), now, "files", 400},
		"an old time":             {alice, func() string { _, s := one.toSign(params, at.Add(-16*time.Minute)); return s }(), sigv4.Timestamp(at.Add(-16 * time.Minute)), "files", 400},
		"a time to come":          {alice, func() string { _, s := one.toSign(params, at.Add(16*time.Minute)); return s }(), sigv4.Timestamp(at.Add(16 * time.Minute)), "files", 400},
		"another region":          {alice, strings.Replace(good, "us-east-1", "eu-west-1", 1), now, "files", 400},
		"another service":         {alice, strings.Replace(good, "%2Fs3%2F", "%2Fsts%2F", 1), now, "files", 400},
		"another algorithm":       {alice, strings.Replace(good, "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256-PAYLOAD", 1), now, "files", 400},
		"no hash":                 {alice, good[:len(good)-1], now, "files", 400},
		"more than a hash":        {alice, good + "%0A", now, "files", 400},
		"no time":                 {alice, good, "", "files", 400},
		"nothing":                 {alice, "", now, "files", 400},
		"not encoded":             {alice, "%", now, "files", 400},
		"no such destination":     {alice, good, now, "nope", 404},
		"where it has no session": {alice, good, now, "plain", 403},
		"without its cookie":      {newWidget(t, r, staff("alice")...), good, now, "files", 403},
		"signed out":              {&widget{alice.Client, alice.server, http.Header{}}, good, now, "files", 403},
		"as somebody else":        {&widget{alice.Client, alice.server, bob.header}, good, now, "files", 403},
	} {
		if status, said := sign(c.page, c.text, c.datetime, c.dest); status != c.status || said == "" {
			t.Errorf("%s: %d %q; want %d", what, status, said, c.status)
		}
	}

	// What is signed, for a hash tells nothing, and what the store makes of it.
	with := func(name, value string) map[string]any {
		p := map[string]any{}
		for k, v := range params {
			p[k] = v
		}
		p[name] = value
		return p
	}
	for what, c := range map[string]struct {
		params map[string]any
		e      evaporated
	}{
		"another's key":        {with("object_key", theirs["object_key"].(string)), one},
		"another's key, PUT":   {with("object_key", theirs["object_key"].(string)), evaporated{method: "PUT", body: "y"}},
		"another prefix":       {with("object_key", "plain/alice/x"), one},
		"another bucket":       {with("bucket", "other"), one},
		"the bucket":           {with("object_key", ""), evaporated{method: "GET"}},
		"DELETE":               {params, evaporated{method: "DELETE"}},
		"GET":                  {params, evaporated{method: "GET"}},
		"HEAD":                 {params, evaporated{method: "HEAD"}},
		"an ACL":               {params, evaporated{method: "PUT", query: "acl", header: map[string]string{"x-amz-acl": "public-read"}}},
		"another's session":    {with("session_token", theirs["session_token"].(string)), one},
		"another's access key": {with("access_key_id", theirs["access_key_id"].(string)), one},
	} {
		if status, text, _ := alice.send(t, "files", c.params, c.e); status < 400 {
			t.Errorf("%s: the store answers %d %s", what, status, text)
		}
	}
	if got, err := os.ReadFile(filepath.Join(r.data, "media", theirs["object_key"].(string))); err != nil || string(got) != "x" {
		t.Errorf("the other's file is %q, %v", got, err)
	}
}

// The cookie is the page's only hold, and nobody but the server can read it.
func TestS3DirectCookies(t *testing.T) {
	r := startWith(t, s3directs)
	page := newWidget(t, r, append(staff("alice"), "Origin", "https://app.example.com")...)
	page.header.Set("Origin", "")
	_, params, header := page.post(t, "get_upload_params", "dest", "files", "name", "x", "type", "text/plain", "size", "1")
	cookies := (&http.Response{Header: header}).Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies", len(cookies))
	}
	c := cookies[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.Secure || len(c.Raw) > 300 ||
		time.Until(c.Expires) > 15*time.Minute {
		t.Errorf("%v", c)
	}
	for _, secret := range []string{params["session_token"].(string), params["access_key_id"].(string), c.Value} {
		if strings.Contains(r.log.String(), secret) || secret != c.Value && strings.Contains(c.Value, secret) {
			t.Errorf("the cookie or the log holds %s", secret)
		}
	}
}

// Any replica with the same keys signs with the session that another gave.
func TestS3DirectByTwoReplicas(t *testing.T) {
	first := startWith(t, s3directs)
	keys := func(name string) string {
		return map[string]string{grantKeysVariable: "k:" + strings.Repeat("A", 43)}[name]
	}
	replica := func() *running {
		t.Helper()
		r := &running{log: &buffer{}}
		r.Main = &Main{Config: first.Config, Listen: "127.0.0.1:0", Getenv: keys, Stdout: &bytes.Buffer{}, Stderr: r.log, Web: testFiles}
		t.Cleanup(func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
		if err := r.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		return r
	}
	page, another := newWidget(t, replica(), staff("alice")...), replica()
	one := page.params(t, "files", "a.txt", 1)
	page.server = strings.TrimSuffix(another.URL, "/")
	page.upload(t, "files", one, "x")
	page.server = strings.TrimSuffix(first.URL, "/") // which has other keys
	status, out, _ := page.post(t, "get_aws_v4_signature", "to_sign", "x", "datetime", "x", "dest", "files")
	if status != http.StatusForbidden {
		t.Errorf("a server with other keys: %d %v", status, out)
	}
}
