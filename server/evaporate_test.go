package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/wasm/sigv4"
)

const evaporates = `auth: { headers: { from: [127.0.0.0/8], lists: { groups: X-Forwarded-Groups } } }
stores: { s: $STORE }
destinations:
  films: { store: s, bucket: media, key: "films/{user}/{uuid}/{filename}", content_length: 1B..20MiB, allow: "'staff' in claims.groups", metadata: { app: x }, cache_control: no-store, compat: [evaporate] }
  files: { store: s, bucket: media, key: "files/{user}/{uuid}/{filename}", content_length: 1B..20MiB, scope: prefix, compat: [evaporate, s3direct] }
  off: { store: s, bucket: media, key: "off/{user}/{uuid}", content_length: 1B..20MiB, scope: prefix }
`

// canonicalOf is what EvaporateJS makes of a request: the host without its port, and x-amz-content-sha256 not among the headers.
func canonicalOf(u upload, method, query, payloadHash string, at time.Time, header map[string]string) sigv4.Request {
	endpoint, _ := url.Parse(u.Upload.Endpoint)
	r := sigv4.Request{Method: method, Host: endpoint.Hostname(), Path: "/" + u.Upload.Bucket + "/" + u.Upload.Key, PayloadHash: payloadHash}
	fields, _ := url.ParseQuery(query)
	for name, values := range fields {
		r.Query = append(r.Query, sigv4.Param{Name: name, Value: values[0]})
	}
	r.Header = append(r.Header, sigv4.Param{Name: "x-amz-date", Value: sigv4.Timestamp(at)})
	if u.Evaporate != nil {
		r.Header = append(r.Header, sigv4.Param{Name: "x-amz-security-token", Value: u.Evaporate.Headers["x-amz-security-token"]})
	}
	for name, value := range header {
		r.Header = append(r.Header, sigv4.Param{Name: name, Value: value})
	}
	return r
}

// signature asks the signer as EvaporateJS does, with more in the query.
func (r *running) signature(t *testing.T, q sigv4.Request, at time.Time, more map[string]string, header ...string) reply {
	t.Helper()
	canonical := sigv4.CanonicalRequest(&q)
	scope := sigv4.New(sigv4.Credentials{}, "us-east-1").Scope(at)
	query := url.Values{"to_sign": {sigv4.StringToSign(canonical, scope, at)}, "datetime": {sigv4.Timestamp(at)}, "canonical_request": {canonical}}
	for name, value := range more {
		if query.Set(name, value); value == "" {
			query.Del(name)
		}
	}
	return r.do(t, "GET", "/evaporate/sign?"+query.Encode(), "", header...)
}

// evaporating is a page with EvaporateJS and a grant.
type evaporating struct {
	*testing.T
	*running
	upload
	as []string // headers that say who it is
}

// signed is one of EvaporateJS's requests with what the signer says of it: the
// headers that sign it, where it does. A hash of "" is the body's.
func (e evaporating) signed(method, query, body, hash string, header map[string]string) (sent map[string]string, said reply) {
	e.Helper()
	at := time.Now()
	if hash == "" {
		sum := sha256.Sum256([]byte(body))
		hash = hex.EncodeToString(sum[:])
	}
	q := canonicalOf(e.upload, method, query, hash, at, header)
	said = e.signature(e.T, q, at, e.Evaporate.SignParams, e.as...)
	return e.authorize(q, at, string(said.body)), said
}

// authorize gives the headers of a request that has a signature.
func (e evaporating) authorize(q sigv4.Request, at time.Time, signature string) map[string]string {
	sent, names := map[string]string{"x-amz-content-sha256": q.PayloadHash}, []string{"host"}
	for _, h := range q.Header {
		sent[h.Name], names = h.Value, append(names, h.Name)
	}
	slices.Sort(names)
	scope := sigv4.New(sigv4.Credentials{}, e.upload.Upload.Region).Scope(at)
	sent["Authorization"] = fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s", e.Evaporate.AWSKey, scope, strings.Join(names, ";"), signature)
	return sent
}

func (e evaporating) url(query string) string {
	return e.upload.Upload.Endpoint + sigv4.EscapePath("/"+e.upload.Upload.Bucket+"/"+e.upload.Upload.Key) + "?" + query
}

// call makes one of EvaporateJS's requests, which the signer signs.
func (e evaporating) call(method, query, body string, header map[string]string) (int, string, http.Header) {
	e.Helper()
	hash := ""
	if method == "PUT" { // a part, whose bytes EvaporateJS does not sign
		hash = sigv4.UnsignedPayload
	}
	sent, said := e.signed(method, query, body, hash, header)
	if said.status != http.StatusOK || !regexp.MustCompile("^[0-9a-f]{64}$").Match(said.body) || !strings.HasPrefix(said.header.Get("Content-Type"), "text/plain") {
		e.Fatalf("%s %s: the signer: %d %s", method, query, said.status, said.body)
	}
	if query == "uploads" { // notSignedHeadersAtInitiate
		for name, value := range e.upload.Upload.Headers {
			if name != "content-type" && !strings.HasPrefix(name, "x-amz-") {
				sent[name] = value
			}
		}
	}
	return send(e.T, method, e.url(query), body, sent)
}

// begin creates an upload, with what a destination's objects are stored with.
func (e evaporating) begin() (uploadID string) {
	e.Helper()
	status, text, _ := e.call("POST", "uploads", "", e.stored())
	id := regexp.MustCompile("<UploadId>(.+)</UploadId>").FindStringSubmatch(text)
	if status != http.StatusOK || id == nil {
		e.Fatalf("Create: %d %s", status, text)
	}
	return id[1]
}

// stored are the headers that Create is signed with.
func (e evaporating) stored() map[string]string {
	header := map[string]string{}
	for name, value := range e.upload.Upload.Headers {
		if name == "content-type" || strings.HasPrefix(name, "x-amz-") {
			header[name] = value
		}
	}
	return header
}

// part sends one, and gives its entry in Complete's list.
func (e evaporating) part(uploadID string, n int, content string) string {
	e.Helper()
	status, text, header := e.call("PUT", fmt.Sprintf("partNumber=%d&uploadId=%s", n, uploadID), content, map[string]string{"content-type": "text/x-test"})
	if status != http.StatusOK {
		e.Fatalf("part %d: %d %s", n, status, text)
	}
	return fmt.Sprintf("<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", n, header.Get("ETag"))
}

func completing(parts string) string {
	return "<CompleteMultipartUpload>" + parts + "</CompleteMultipartUpload>"
}

// onlyNew is what EvaporateJS completes with.
var onlyNew = map[string]string{"content-type": "application/xml; charset=UTF-8", "if-none-match": "*"}

func TestEvaporateUploads(t *testing.T) {
	r := startWith(t, evaporates)
	alice := staff("alice")
	content := []string{strings.Repeat("p", 5<<20), "end"}
	e := evaporating{t, r, r.grantAs(t, alice, "films", "näme (1)'!*.txt", 5<<20+3), alice}
	if secret := e.Credentials.SecretAccessKey; e.Evaporate.AWSKey != e.Credentials.AccessKeyID || strings.Contains(object(e.Evaporate), secret) || len(e.Evaporate.SignParams["session"]) > 300 {
		t.Errorf("%+v", e.Evaporate)
	}
	id := e.begin()
	list := ""
	for i, part := range content {
		list += e.part(id, i+1, part)
	}
	if status, text, _ := e.call("GET", "uploadId="+id+"&part-number-marker=1", "", nil); status != http.StatusOK || strings.Count(text, "<PartNumber>") != 1 {
		t.Errorf("ListParts: %d %s", status, text)
	}
	status, text, _ := e.call("POST", "uploadId="+id, completing(list), onlyNew)
	if status != http.StatusOK {
		t.Fatalf("Complete: %d %s", status, text)
	}
	if got, err := os.ReadFile(filepath.Join(r.data, "media", e.upload.Upload.Key)); err != nil || string(got) != strings.Join(content, "") {
		t.Errorf("%d bytes are stored, %v", len(got), err)
	}
	if done := r.do(t, "POST", "/v1/uploads/complete", object(map[string]any{"grant": e.Grant}), alice...); done.status != http.StatusOK {
		t.Errorf("complete: %d %s", done.status, done.body)
	}
	if log := r.log.String(); strings.Contains(log, e.Grant) || strings.Contains(log, "to_sign") || strings.Contains(log, "uploadId") || strings.Contains(log, e.Evaporate.SignParams["session"]) {
		t.Error("the log holds the query")
	}
	e.upload = r.grantAs(t, alice, "films", "dropped", 3)
	if status, text, _ := e.call("DELETE", "uploadId="+e.begin(), "", nil); status != http.StatusNoContent {
		t.Errorf("Abort: %d %s", status, text)
	}
	// What renews the session renews what EvaporateJS needs.
	renewed := r.do(t, "POST", "/v1/uploads/credentials", object(map[string]any{"grant": e.Grant}), alice...)
	if json.Unmarshal(renewed.body, &e.upload); e.Evaporate.AWSKey != e.Credentials.AccessKeyID {
		t.Errorf("%d %s", renewed.status, renewed.body)
	}
	if status, text, _ := e.call("DELETE", "uploadId="+e.begin(), "", nil); status != http.StatusNoContent {
		t.Errorf("Abort by the renewed session: %d %s", status, text)
	}
}

// Where the destination does not name EvaporateJS its pages get nothing for it, and
// nothing is signed for them.
func TestEvaporateIsOffUnlessNamed(t *testing.T) {
	r := startWith(t, evaporates)
	alice := staff("alice")
	on, off := r.grantAs(t, alice, "films", "a", 3), r.grantAs(t, alice, "off", "a", 3)
	if off.Evaporate != nil {
		t.Errorf("%+v", off.Evaporate)
	}
	now := time.Now()
	q := canonicalOf(off, "POST", "uploads", sigv4.EmptyPayload, now, map[string]string{"content-type": "text/x-test"})
	for what, more := range map[string]map[string]string{
		"a grant":                       {"grant": off.Grant},
		"a grant and another's session": {"grant": off.Grant, "session": on.Evaporate.SignParams["session"]},
		"a destination":                 {"dest": "off"},
		"the shim":                      {"dest": "off", "to_sign": asks("a", "text/x-test", 3, "")},
	} {
		if got := r.signature(t, q, now, more, alice...); got.problem() != "signature_refused" || !strings.Contains(string(got.body), "compat: [evaporate]") {
			t.Errorf("%s: %d %s", what, got.status, got.body)
		}
	}
}

func TestEvaporateSignsWhatItWasAskedToAllow(t *testing.T) {
	r := startWith(t, evaporates)
	alice, bob := staff("alice"), staff("bob")
	u, theirs := r.grantAs(t, alice, "films", "a", 3), r.grantAs(t, bob, "films", "b", 3)
	second := r.grantAs(t, alice, "films", "c", 3)
	stored := map[string]string{"content-type": "text/x-test", "x-amz-meta-app": "x"}
	const none, empty = sigv4.UnsignedPayload, sigv4.EmptyPayload
	now := time.Now()
	create := func(change func(*sigv4.Request)) sigv4.Request {
		q := canonicalOf(u, "POST", "uploads", empty, now, stored)
		if change != nil {
			change(&q)
		}
		return q
	}
	header := func(name, value string) func(*sigv4.Request) {
		return func(q *sigv4.Request) { q.Header = append(q.Header, sigv4.Param{Name: name, Value: value}) }
	}
	without := func(name string) func(*sigv4.Request) {
		return func(q *sigv4.Request) {
			q.Header = slices.DeleteFunc(q.Header, func(h sigv4.Param) bool { return h.Name == name })
		}
	}
	with := u.Evaporate.SignParams
	session := func(text string) map[string]string { return map[string]string{"grant": u.Grant, "session": text} }
	if got := r.signature(t, create(nil), now, with, alice...); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	plain := func(method, query string) sigv4.Request { return canonicalOf(u, method, query, none, now, nil) }
	for what, q := range map[string]sigv4.Request{
		"another's key":          create(func(q *sigv4.Request) { q.Path = "/media/" + theirs.Upload.Key }),
		"another bucket":         create(func(q *sigv4.Request) { q.Path = "/other/" + u.Upload.Key }),
		"the bucket as host":     create(func(q *sigv4.Request) { q.Path = "/" + u.Upload.Key }),
		"another host":           create(func(q *sigv4.Request) { q.Host = "evil.test" }),
		"a path that is cleaned": create(func(q *sigv4.Request) { q.Path = "/media/x/../" + u.Upload.Key }),
		"another type":           create(func(q *sigv4.Request) { without("content-type")(q); header("content-type", "text/html")(q) }),
		"no type":                create(without("content-type")),
		"without its metadata":   create(without("x-amz-meta-app")),
		"other metadata":         create(header("x-amz-meta-more", "y")),
		"an ACL":                 create(header("x-amz-acl", "public-read")),
		"a redirect":             create(header("x-amz-website-redirect-location", "/x")),
		"two tokens":             create(header("x-amz-security-token", "t")),
		"no token":               create(without("x-amz-security-token")),
		"another session's token": create(func(q *sigv4.Request) {
			without("x-amz-security-token")(q)
			header("x-amz-security-token", theirs.Evaporate.Headers["x-amz-security-token"])(q)
		}),
		"a condition on creating":  create(header("if-none-match", "*")),
		"a condition on the store": canonicalOf(u, "POST", "uploadId=x", empty, now, map[string]string{"if-none-match": "x"}),
		"completing over others":   canonicalOf(u, "POST", "uploadId=x", empty, now, nil),
		"a header twice":           create(header("x-amz-meta-app", "x")),
		"PUT of the object":        plain("PUT", ""),
		"GET of the object":        plain("GET", ""),
		"HEAD of the object":       plain("HEAD", ""),
		"DELETE of the object":     plain("DELETE", ""),
		"GET of its ACL":           plain("GET", "acl"),
		"PUT of its ACL":           plain("PUT", "acl"),
		"DELETE of a version":      plain("DELETE", "versionId=x"),
		"abort and delete":         plain("DELETE", "uploadId=x&versionId=x"),
		"a part and an ACL":        plain("PUT", "partNumber=1&uploadId=x&acl"),
		"a part that is a copy":    canonicalOf(u, "PUT", "partNumber=1&uploadId=x", none, now, map[string]string{"x-amz-copy-source": "/media/" + theirs.Upload.Key}),
		"a part without an upload": plain("PUT", "partNumber=1"),
		"the bucket's uploads":     canonicalOf(upload{Upload: u.Upload}, "GET", "uploads", none, now, nil),
		"restoring":                plain("POST", "restore"),
		"selecting":                plain("POST", "select&select-type=2"),
		"another method":           plain("PATCH", "uploadId=x"),
		"a strange payload":        canonicalOf(u, "PUT", "partNumber=1&uploadId=x", sigv4.StreamingPayload, now, nil),
	} {
		got := r.signature(t, q, now, with, alice...)
		if got.status != http.StatusForbidden || got.problem() != "signature_refused" {
			t.Errorf("%s: %d %s", what, got.status, got.body)
		}
	}
	old, young := now.Add(-20*time.Minute), now.Add(20*time.Minute)
	other := sigv4.StringToSign("another", sigv4.New(sigv4.Credentials{}, "us-east-1").Scope(now), now)
	for what, c := range map[string]struct {
		q      sigv4.Request
		at     time.Time
		more   map[string]string
		header []string
		code   string
	}{
		"another's grant":              {create(nil), now, theirs.Evaporate.SignParams, alice, "grant_of_another"},
		"a grant of one's own key":     {create(nil), now, theirs.Evaporate.SignParams, bob, "signature_refused"},
		"a made-up grant":              {create(nil), now, map[string]string{"grant": "x"}, alice, "grant_invalid"},
		"an unsealed session":          {create(nil), now, session(""), alice, "signature_refused"},
		"a session of another grant":   {create(nil), now, session(theirs.Evaporate.SignParams["session"]), alice, "signature_refused"},
		"a session of one's other":     {create(nil), now, session(second.Evaporate.SignParams["session"]), alice, "signature_refused"},
		"a made-up session":            {create(nil), now, session("own.AAAA"), alice, "signature_refused"},
		"who may not any more":         {create(nil), now, with, []string{"X-Forwarded-User", "alice"}, "not_allowed"},
		"nobody":                       {create(nil), now, with, nil, "unauthenticated"},
		"an old time":                  {canonicalOf(u, "POST", "uploads", empty, old, stored), old, with, alice, "signature_refused"},
		"a time to come":               {canonicalOf(u, "POST", "uploads", empty, young, stored), young, with, alice, "signature_refused"},
		"x-amz-date of another time":   {canonicalOf(u, "POST", "uploads", empty, old, stored), now, with, alice, "signature_refused"},
		"the hash of another request":  {create(nil), now, map[string]string{"grant": u.Grant, "session": with["session"], "to_sign": other}, alice, "signature_refused"},
		"no canonical request":         {create(nil), now, map[string]string{"grant": u.Grant, "canonical_request": ""}, alice, "signature_refused"},
		"no grant":                     {create(nil), now, nil, alice, "signature_refused"},
		"no session":                   {create(nil), now, map[string]string{"dest": "films"}, alice, "signature_refused"},
		"no such destination":          {create(nil), now, map[string]string{"dest": "nope"}, alice, "destination_unknown"},
		"a canonical request and more": {create(nil), now, map[string]string{"grant": u.Grant, "canonical_request": sigv4.CanonicalRequest(&sigv4.Request{}) + "\n"}, alice, "signature_refused"},
	} {
		if got := r.signature(t, c.q, c.at, c.more, c.header...); got.problem() != c.code {
			t.Errorf("%s: %d %s; want %s", what, got.status, got.body, c.code)
		}
	}
	// The object that is there is not begun or completed anew.
	if err := os.MkdirAll(filepath.Join(r.data, "media", filepath.Dir(u.Upload.Key)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.data, "media", u.Upload.Key), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, q := range []sigv4.Request{create(nil), canonicalOf(u, "POST", "uploadId=x", empty, now, onlyNew)} {
		if got := r.signature(t, q, now, with, alice...); got.problem() != "already_complete" {
			t.Errorf("%v: %d %s", q.Query, got.status, got.body)
		}
	}
}

// A page that has asked get_upload_params may use this signer too.
func TestEvaporateWithThePagesSession(t *testing.T) {
	r := startWith(t, evaporates)
	page := newWidget(t, r, staff("alice")...)
	params := page.params(t, "files", "a.txt", 1)
	at := time.Now()
	_, encoded := evaporated{method: "POST", query: "uploads"}.toSign(params, at)
	ask := func(dest string) (int, string) {
		t.Helper()
		q, _ := http.NewRequest("GET", page.server+"/evaporate/sign?to_sign="+encoded+"&datetime="+sigv4.Timestamp(at)+"&dest="+dest, nil)
		q.Header = page.header
		answer, err := page.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text := make([]byte, 64)
		n, _ := answer.Body.Read(text)
		return answer.StatusCode, string(text[:n])
	}
	status, signature := ask("files")
	_, out, _ := page.post(t, "get_aws_v4_signature", "to_sign", encoded, "datetime", sigv4.Timestamp(at), "dest", "files")
	if status != http.StatusOK || signature != out["s3ObjKey"] {
		t.Errorf("%d %q; the other view says %v", status, signature, out)
	}
	if status, _ := ask("films"); status != http.StatusForbidden {
		t.Errorf("for another destination: %d", status)
	}
}
