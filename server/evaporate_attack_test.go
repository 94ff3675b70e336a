package main

import (
	"crypto/md5"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/server/compat"
	"github.com/chunksign/chunksign/wasm/sigv4"
)

// evaporateAttacked is the configuration of the server whose signer Mallory asks. The
// keys of folder begin like another bucket's name.
const evaporateAttacked = `auth: { headers: { from: [127.0.0.0/8] } }
stores: { s: $STORE }
destinations:
  films: { store: s, bucket: media, key: "u/{user}/{uuid}/{filename}", content_length: 1B..1GiB, compat: [evaporate], grant_duration: 1h }
  prefix: { store: s, bucket: media, key: "p/{user}/{uuid}", content_length: 1B..1GiB, compat: [evaporate], scope: prefix, grant_duration: 1h }
  folder: { store: s, bucket: media, key: "other/{user}/{uuid}", content_length: 1B..1GiB, compat: [evaporate], grant_duration: 1h }
`

// evaporateAt gives Mallory's page at the engine the tests run on, nil where the
// engine does not keep sessions to their policies, so that the server gives none.
func evaporateAt(t *testing.T, dest string, size int) *evaporating {
	t.Helper()
	e := startEngine(t, "media", "media2", "other")
	r := e.serve(t, nothingSet, evaporateAttacked)
	if e.name == "ceph" {
		got := r.do(t, "POST", "/v1/destinations/"+dest+"/uploads", object(map[string]any{"name": "x", "size": size}), as("mallory")...)
		if got.problem() != "sessions_not_kept" {
			t.Errorf("%d %s", got.status, got.body)
		}
		return nil
	}
	return &evaporating{t, r, r.grantAs(t, as("mallory"), dest, "näme.bin", size), as("mallory")}
}

// more is a grant of Mallory's more.
func (e *evaporating) more(dest string, size int) *evaporating {
	return &evaporating{e.T, e.running, e.grantAs(e.T, e.as, dest, "näme.bin", size), e.as}
}

// refused asks for a signature that there is not to be.
func (e *evaporating) refused(what, method, query, body string, header map[string]string, says string) {
	e.Helper()
	_, said := e.signed(method, query, body, "", header)
	if code := said.problem(); said.status == http.StatusOK || code == "" || !strings.Contains(string(said.body), says) {
		e.Errorf("%s: %d %s; want a refusal with %q", what, said.status, said.body, says)
	}
}

// TestAttacksByEvaporateAddingHeaders lets Mallory send what the signer has signed
// for her with headers that it has not. With the server's own key, MinIO and radosgw
// copied Alice's object into hers; the bodies are those of honest requests.
func TestAttacksByEvaporateAddingHeaders(t *testing.T) {
	e := evaporateAt(t, "films", len(ownBytes))
	if e == nil {
		return
	}
	w := &world{T: t, s3Engine: e.engine, n: 1, own: e.upload.Upload.Key, uploadID: map[string]string{}}
	w.put("media", w.theirs(), secretOf+"1")
	e.copiesByTheOwnersKey(w)
	type addition struct {
		name   string
		header map[string]string
	}
	var all []addition
	for _, c := range copied {
		source := w.fill(c.source, escapePath)
		all = append(all, addition{"a copy of " + c.name, map[string]string{"X-Amz-Copy-Source": source}},
			addition{"a copy of a range of " + c.name, map[string]string{"X-Amz-Copy-Source": source, "X-Amz-Copy-Source-Range": "bytes=0-3"}})
	}
	for _, x := range extras {
		all = append(all, addition(x))
	}
	tried := 0
	for _, dest := range []string{"films", "prefix"} {
		honest := e.more(dest, len(ownBytes)).tried(w, "", nil)
		if honest["bytes"] != ownBytes {
			t.Fatalf("an honest upload comes to %v", honest)
		}
		for _, x := range all {
			for _, at := range []string{"create", "part", "complete"} {
				for place, is := range e.more(dest, len(ownBytes)).tried(w, at, x.header) {
					if is != "" && is != honest[place] {
						t.Errorf("%s, at %s, with %s: %s is %q; of an honest upload it is %q", dest, at, x.name, place, is, honest[place])
					}
				}
				tried++
			}
		}
	}
	if got := w.send(w.s3Engine.own, "GET", "/media/"+escapePath(w.theirs()), "", nil, ""); !strings.HasSuffix(got.text, secretOf+"1") {
		t.Errorf("Alice's object is %v", got)
	}
	t.Logf("%s: %d requests with a header that is not signed", w.s3Engine.name, tried)
}

// copiesByTheOwnersKey shows that the attack is no malformed one: signed by the
// store's owner, as the signer once did, it copies at MinIO.
func (e *evaporating) copiesByTheOwnersKey(w *world) {
	e.Helper()
	if w.s3Engine.name != "minio" {
		return
	}
	own := w.s3Engine.own
	u := *e
	u.Evaporate = &compat.ForEvaporate{AWSKey: own.AccessKeyID}
	at, query := time.Now(), "partNumber=1&uploadId="+w.upload(w.own)
	q := canonicalOf(u.upload, "PUT", query, sigv4.UnsignedPayload, at, nil)
	q.Host = strings.TrimPrefix(w.endpoint, "http://")
	q.Header = q.Header[:1] // no token
	signer := sigv4.New(sigv4.Credentials{AccessKeyID: own.AccessKeyID, SecretAccessKey: own.SecretAccessKey}, w.region)
	sent := u.authorize(q, at, signer.Signature(sigv4.StringToSign(sigv4.CanonicalRequest(&q), signer.Scope(at), at), at))
	sent["X-Amz-Copy-Source"] = "/media/" + w.theirs()
	if status, text, _ := send(e.T, "PUT", e.url(query), ownBytes, sent); !strings.Contains(text, "<CopyPartResult") {
		e.Errorf("by the owner's key: %d %s", status, text)
	}
}

// tried is what an upload's object comes to, headers added to one of its requests
// after it was signed: as the store's owner sees it, without what differs in any case.
func (e *evaporating) tried(w *world, at string, added map[string]string) map[string]string {
	e.Helper()
	call := func(op, method, query, body, hash string, header map[string]string) (int, string, http.Header) {
		sent, said := e.signed(method, query, body, hash, header)
		if said.status != http.StatusOK {
			return said.status, "", nil // what was done before broke the grant
		}
		if op == at {
			maps.Copy(sent, added)
		}
		return send(e.T, method, e.url(query), body, sent)
	}
	_, text, _ := call("create", "POST", "uploads", "", "", e.stored())
	id := regexp.MustCompile("<UploadId>(.+)</UploadId>").FindStringSubmatch(text)
	if id == nil {
		return nil
	}
	status, text, header := call("part", "PUT", "partNumber=1&uploadId="+id[1], ownBytes, sigv4.UnsignedPayload, nil)
	etag := header.Get("ETag")
	if copied := regexp.MustCompile("<ETag>(?:&#34;|&quot;|\")?([0-9a-f]{32})").FindStringSubmatch(text); etag == "" && copied != nil {
		e.Errorf("added %v: UploadPartCopy answers %d %s", added, status, text)
		etag = copied[1]
	}
	call("complete", "POST", "uploadId="+id[1], completing("<Part><PartNumber>1</PartNumber><ETag>"+etag+"</ETag></Part>"), "", onlyNew)
	seen, own := map[string]string{}, e.upload.Upload.Key
	w.seesObject(seen, own)
	object := w.send(w.s3Engine.own, "GET", "/media/"+escapePath(own), "", nil, "")
	switch _, body, _ := strings.Cut(object.text, "\r\n\r\n"); object.status {
	case http.StatusOK:
		seen["bytes"] = body
	case http.StatusNotFound:
		return nil // nothing came of it
	default:
		seen["bytes"] = object.String() // it is encrypted by a key of hers, say
	}
	named := map[string]string{}
	for place, is := range seen {
		named[strings.ReplaceAll(place, own, "{own}")] = is
	}
	w.send(w.s3Engine.own, "DELETE", "/media/"+escapePath(own), "uploadId="+id[1], nil, "")
	return named
}

// TestAttacksByEvaporateAtAnotherBucket asks for the bucket in the host at a store
// that reads it from the path: the key's first segment named another bucket there.
func TestAttacksByEvaporateAtAnotherBucket(t *testing.T) {
	e := evaporateAt(t, "folder", 3)
	if e == nil {
		return
	}
	endpoint, _ := url.Parse(e.upload.Upload.Endpoint)
	now := time.Now()
	for _, host := range []string{"media." + endpoint.Hostname(), "media." + endpoint.Host, endpoint.Hostname(), "other." + endpoint.Host, "media." + endpoint.Host + "."} {
		for _, path := range []string{"/" + e.upload.Upload.Key, "//media/" + e.upload.Upload.Key, "/media//" + e.upload.Upload.Key} {
			q := canonicalOf(e.upload, "POST", "uploads", sigv4.EmptyPayload, now, e.stored())
			q.Host, q.Path = host, path
			got := e.signature(t, q, now, e.Evaporate.SignParams, e.as...)
			if got.problem() != "signature_refused" {
				t.Errorf("%s%s: %d %s", host, path, got.status, got.body)
			}
		}
	}
}

// TestAttacksByEvaporateBeyondTheGrant asks for more parts than the grant's file can
// need, and completes what is not the file.
func TestAttacksByEvaporateBeyondTheGrant(t *testing.T) {
	e := evaporateAt(t, "films", 3)
	if e == nil {
		return
	}
	id := e.begin()
	e.refused("part 2 of 3 bytes", "PUT", "partNumber=2&uploadId="+id, "", nil, "1 parts at most")
	for _, n := range []string{"0", "01", "-1", "+1", "1e0", "10001", "100000", ""} {
		e.refused("part "+n, "PUT", "partNumber="+url.QueryEscape(n)+"&uploadId="+id, "", nil, "")
	}
	larger := e.part(id, 1, "four")
	e.refused("completing 4 bytes of 3", "POST", "uploadId="+id, completing(larger), onlyNew, "4 bytes in 1 parts, and 3 were granted")
	right := e.part(id, 1, "abc")
	for _, header := range []map[string]string{nil, {"if-none-match": "x"}, {"if-none-match": ""}, {"if-match": "*"}} {
		e.refused(fmt.Sprint("completing with ", header), "POST", "uploadId="+id, completing(right), header, "canonical_request")
	}
	if status, text, _ := e.call("POST", "uploadId="+id, completing(right), onlyNew); status != http.StatusOK {
		t.Fatalf("Complete: %d %s", status, text)
	}

	// Signed while the store has the granted bytes, for a body that names others, which come later.
	later := e.more("films", 3)
	id = later.begin()
	later.part(id, 1, "abc")
	const others = "many more bytes"
	body := completing(fmt.Sprintf("<Part><PartNumber>1</PartNumber><ETag>%q</ETag></Part>", fmt.Sprintf("%x", md5.Sum([]byte(others)))))
	if sent, said := later.signed("POST", "uploadId="+id, body, "", onlyNew); said.status == http.StatusOK {
		later.part(id, 1, others)
		status, text, _ := send(t, "POST", later.url("uploadId="+id), body, sent)
		t.Errorf("completing parts that come later is signed, and the store answers %d %s", status, text)
	}
	_, said := later.signed("POST", "uploadId="+id, body, sigv4.UnsignedPayload, onlyNew)
	if said.problem() != "signature_refused" || !strings.Contains(string(said.body), "does not complete") {
		t.Errorf("completing with any body: %d %s", said.status, said.body)
	}

	large := e.more("films", 5<<20+1)
	id = large.begin()
	large.part(id, 2, "x")
	large.refused("part 3 of 5 MiB and a byte", "PUT", "partNumber=3&uploadId="+id, "", nil, "2 parts at most")
	large.refused("completing a byte of 5 MiB and one", "POST", "uploadId="+id, "", onlyNew, "1 bytes in 1 parts")
}

// TestAttacksByEvaporateAfterCompletion completes a second upload, signed before the
// first was complete, after the server has verified the object.
func TestAttacksByEvaporateAfterCompletion(t *testing.T) {
	e := evaporateAt(t, "films", 3)
	if e == nil {
		return
	}
	first, second := e.begin(), e.begin()
	one, two := completing(e.part(first, 1, "abc")), completing(e.part(second, 1, "xyz"))
	sent, said := e.signed("POST", "uploadId="+second, two, "", onlyNew)
	if said.status != http.StatusOK {
		t.Fatalf("%d %s", said.status, said.body)
	}
	if status, text, _ := e.call("POST", "uploadId="+first, one, onlyNew); status != http.StatusOK {
		t.Fatalf("Complete: %d %s", status, text)
	}
	if done := e.do(t, "POST", "/v1/uploads/complete", object(map[string]any{"grant": e.Grant}), e.as...); done.status != http.StatusOK {
		t.Fatalf("%d %s", done.status, done.body)
	}
	e.refused("completing again", "POST", "uploadId="+second, two, onlyNew, "already_complete")
	without := maps.Clone(sent)
	delete(without, "if-none-match")
	for what, header := range map[string]map[string]string{"as it was signed": sent, "without its condition": without} {
		if status, text, _ := send(t, "POST", e.url("uploadId="+second), two, header); status < 400 {
			t.Errorf("%s: %d %s", what, status, text)
		}
	}
	w := &world{T: t, s3Engine: e.engine}
	if got := w.send(e.engine.own, "GET", "/media/"+escapePath(e.upload.Upload.Key), "", nil, ""); !strings.HasSuffix(got.text, "abc") {
		t.Errorf("the verified object is %v", got)
	}
}

// TestAttacksByEvaporateByUploadIDs asks for upload IDs that no store gives: the
// embedded store's engine joins them into a path.
func TestAttacksByEvaporateByUploadIDs(t *testing.T) {
	e := evaporateAt(t, "films", 3)
	if e == nil {
		return
	}
	for _, id := range []string{"..", ".", "...", "a/../b", "../../..", "/", `..\x`, "%2e%2e", "x\x00", "x\n", "é", "", " ", strings.Repeat("x", 1025)} {
		id = url.QueryEscape(id)
		e.refused("abort "+id, "DELETE", "uploadId="+id, "", nil, "canonical_request")
		e.refused("list "+id, "GET", "uploadId="+id, "", nil, "canonical_request")
		e.refused("part "+id, "PUT", "partNumber=1&uploadId="+id, "", nil, "canonical_request")
		e.refused("complete "+id, "POST", "uploadId="+id, "", onlyNew, "canonical_request")
	}
}

// TestAttacksByEvaporateBySession brings the sealed session of one grant with another,
// and sessions that have been changed.
func TestAttacksByEvaporateBySession(t *testing.T) {
	e := evaporateAt(t, "films", 3)
	if e == nil {
		return
	}
	alice := e.grantAs(t, as("alice"), "films", "hers.bin", 3)
	mine := e.Evaporate
	changed := []byte(mine.SignParams["session"])
	changed[len(changed)-2] ^= 1
	for what, session := range map[string]string{
		"Alice's": alice.Evaporate.SignParams["session"], "of another grant": e.more("films", 3).Evaporate.SignParams["session"],
		"of another destination": e.more("prefix", 3).Evaporate.SignParams["session"], "changed": string(changed), "cut": mine.SignParams["session"][:40], "none": "",
	} {
		e.Evaporate = &compat.ForEvaporate{AWSKey: mine.AWSKey, Headers: mine.Headers, SignParams: map[string]string{"grant": mine.SignParams["grant"], "session": session}}
		e.refused("a session "+what, "POST", "uploads", "", e.stored(), `"field":"session"`)
	}
	e.Evaporate = &compat.ForEvaporate{AWSKey: mine.AWSKey, Headers: alice.Evaporate.Headers, SignParams: mine.SignParams}
	e.refused("Alice's token", "POST", "uploads", "", e.stored(), "x-amz-security-token")
}

// TestAnImageMakesNoGrant has the browser of a visitor, signed in by a cookie, fetch
// what a page of another site embeds: the shim asks for grants by the same GET.
func TestAnImageMakesNoGrant(t *testing.T) {
	r := startWith(t, shims)
	q := url.Values{"to_sign": {asks("a.txt", "text/x-test", 5, "")}, "datetime": {"x"}, "dest": {"files"}}
	for what, header := range map[string][]string{
		"an image":          {"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"},
		"a link":            {"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"},
		"an XMLHttpRequest": {"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Origin", "https://evil.test"},
	} {
		got := r.do(t, "GET", "/evaporate/sign?"+q.Encode(), "", append(staff("alice"), header...)...)
		if got.problem() != "cross_origin" {
			t.Errorf("%s of another site: %d %s", what, got.status, got.body)
		}
	}
	const onRecord = `"what":"grant"`
	if strings.Contains(r.log.String(), onRecord) {
		t.Error("a grant is on record")
	}
	if got := r.do(t, "GET", "/evaporate/sign?"+q.Encode(), "", append(staff("alice"), "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty")...); got.status != http.StatusOK || !strings.Contains(r.log.String(), onRecord) {
		t.Errorf("the page itself: %d %s", got.status, got.body)
	}
}
