package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// signingAttacked is the configuration of the server whose signatures are Mallory's.
const signingAttacked = `auth: { headers: { from: [127.0.0.0/8] } }
stores: { s: $STORE }
destinations:
  d: { store: s, bucket: media, key: "u/{user}/{uuid}/{filename}", content_length: 0..1GiB, overwrite: true, grant_duration: 1h, signing: presigned }
`

// presignedPut is what others than pages ask for.
const presignedPut = "a presigned PUT"

// presignedSource is of credentials that stand for a signature in a URL.
const presignedSource = "presigned"

// borne is a presigned request, of which Mallory sends what she likes with
// whatever else she likes.
type borne struct {
	query  string // what is added to an attack's own
	header map[string]string
	twice  bool // headers that an attack has of its own are sent beside those that were signed
}

// put adds the signature, and the headers that it is of, to a request.
func (b *borne) put(q *http.Request) {
	for name, value := range b.header {
		switch own := q.Header.Get(name); {
		case q.Header.Values(name) == nil:
			q.Header.Set(name, value)
		case b.twice:
			q.Header[http.CanonicalHeaderKey(name)] = []string{value, own}
		}
	}
	if q.URL.RawQuery != "" {
		q.URL.RawQuery += "&"
	}
	q.URL.RawQuery += b.query
}

// signature is the part of a URL's query that signs it.
func signature(query string) string {
	var own []string
	for field := range strings.SplitSeq(query, "&") {
		if strings.HasPrefix(field, "X-Amz-") {
			own = append(own, field)
		}
	}
	return strings.Join(own, "&")
}

// TestAttacksByPresignedRequests lets Mallory try everything with what a page has
// of a destination with signing: presigned, signed by a session.
func TestAttacksByPresignedRequests(t *testing.T) { attackSigned(t, signingAttacked, nil) }

// TestAttacksByTheServersSignature is the same at a store without sts, where the
// server signs with its own key: if the store enforces what is signed.
func TestAttacksByTheServersSignature(t *testing.T) {
	configuration := strings.ReplaceAll(signingAttacked, "$STORE", "$BARE")
	found := "signed: none honours an unsigned header"
	if refusesOwnKey() {
		e := startEngine(t, "media")
		found = "refused, for it honours unsigned " + e.ownKeyRefused(t, e.serve(t, nothingSet, configuration))
	} else {
		attackSigned(t, configuration, nil)
	}
	hold(t, "Presigned requests where the store has no `sts`", found)
}

// refusesOwnKey reports whether the server signs nothing with its own key at the
// engine of the tests: it honours unsigned headers.
func refusesOwnKey() bool { return engineName() != embedded }

// ownKeyRefused sees that no page gets anything from a server whose own key would sign
// it, and that the log says why and what to write. It gives the headers that the log names.
func (e *s3Engine) ownKeyRefused(t *testing.T, r *running) string {
	t.Helper()
	file := `"name":"x","type":"text/x-test","size":5`
	for path, body := range map[string]string{"uploads": "{" + file + "}", "presign": `{"method":"PUT",` + file + "}"} {
		if got := r.do(t, "POST", "/v1/destinations/d/"+path, body, as("mallory")...); got.problem() != "signing_not_enforced" {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	form := r.do(t, "POST", "/v1/destinations/d/presign", `{"method":"POST",`+file+"}", as("mallory")...)
	if form.problem() != "signing_not_enforced" {
		t.Errorf("a form: %d %s", form.status, form.body)
	}
	named := between(r.log.String(), "does not sign (", ")")
	if !strings.Contains(named, "x-amz-copy-source") || !strings.Contains(r.log.String(), "write sts: for the store s") {
		t.Errorf("the log is\n%s", r.log)
	}
	// radosgw lists those of a prefix, MinIO those of one exact key.
	left, err := e.s3(e.own).ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String("media"), Prefix: aws.String("u/chunksign-trial")})
	if seen := e.list(t, "media", ""); len(seen) > 0 || err != nil || len(left.Uploads) > 0 {
		t.Errorf("the trial left %v, %v, %v", seen, left, err)
	}
	return named
}

func attackSigned(t *testing.T, configuration string, carries []string) {
	e := startEngine(t, "media", "media2", "other")
	r := e.serve(t, nothingSet, configuration)
	for _, c := range []struct {
		with               string
		part, whole, twice bool
	}{
		{"the signature of a whole file", false, false, false}, {"the signature of a whole file, headers twice", false, false, true},
		{"the signature of a part", true, false, false}, {"a part's whole query", true, true, false},
		{presignedPut, false, false, false},
	} {
		u := r.grantAs(t, as("mallory"), "d", "näme.bin", len(ownBytes))
		call := func(path string, fields map[string]any, into any) {
			t.Helper()
			fields["grant"] = u.Grant
			if answer := r.do(t, "POST", "/v1/uploads/"+path, object(fields), as("mallory")...); answer.status != http.StatusOK || json.Unmarshal(answer.body, into) != nil {
				t.Fatalf("%s: %d %s", path, answer.status, answer.body)
			}
		}
		var made struct{ UploadID string }
		call("multipart", map[string]any{"op": "create"}, &made)
		asked := map[string]any{"parts": []any{map[string]any{"partNumber": 1, "size": len(ownBytes), "sha256": composite(ownBytes, 1<<20)}}}
		if c.part {
			asked["uploadId"] = made.UploadID
		}
		var links struct {
			Parts []struct {
				URL     string
				Headers map[string]string
			}
		}
		call("parts", asked, &links)
		link := links.Parts[0]
		if c.with == presignedPut {
			p := r.presignAs(t, as("mallory"), "d", map[string]any{"method": "PUT", "name": "näme.bin", "type": "text/x-test", "size": len(ownBytes)})
			link.URL, link.Headers, u.Upload.Key = p.URL, p.Headers, p.Key
		}
		at, err := url.Parse(link.URL)
		if err != nil {
			t.Fatal(err)
		}
		b := &borne{signature(at.RawQuery), link.Headers, c.twice}
		if c.whole {
			b.query = at.RawQuery
		}
		if status, text, _ := send(t, "PUT", link.URL, ownBytes, link.Headers); status != http.StatusOK {
			t.Fatalf("%s, as it is: %d %s", c.with, status, text) // or the attacks would show nothing
		}
		key, _, _ := strings.Cut(at.Query().Get("X-Amz-Credential"), "/")
		holds := aws.Credentials{AccessKeyID: key, SecretAccessKey: "guessed", SessionToken: at.Query().Get("X-Amz-Security-Token"), Source: presignedSource}
		comes := carries
		if c.part {
			comes = nil // a part is stored with nothing
		}
		e.attack(t, c.with, u.Upload.Key, holds, b, map[string]string{u.Upload.Key: made.UploadID}, comes, false)
	}
}
