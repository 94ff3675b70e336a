package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// stored are a destination of each way to upload, with little and with much to
// be stored.
const stored = `auth: { dev: true }
stores: { s: $SESSIONS }
destinations:
  bare: { store: s, bucket: media, key: "bare/{uuid}/{filename}", content_length: 0..1GiB, read: owner }
  much:
    store: s
    bucket: media
    key: "much/{uuid}/{filename}"
    content_length: 0..1GiB
    read: owner
    cache_control: "public, max-age=60"
    content_disposition: attachment
    content_encoding: gzip
    metadata: { app: gallery }
    tags: { team: blue }
  lenient: { store: s, bucket: media, key: "lenient/{uuid}", content_length: 0..1GiB, read: owner, verify: { headers: false } }
`

// added are headers that a presigned PutObject does not sign, with which its
// bearer stores what its destination does not say.
var added = []struct{ name, value string }{
	{"Cache-Control", "public, max-age=31536000, immutable"},
	{"Content-Encoding", "br"},
	{"Content-Encoding", "gzip, br"},
	{"Content-Disposition", `inline; filename="evil.html"`},
	{"Content-Language", "tlh"},
	{"Expires", "Wed, 21 Oct 2099 07:28:00 GMT"},
	{"x-amz-meta-app", "mallory"},
	{"x-amz-meta-role", "admin"},
	{"X-Amz-Meta-App", "gallery2"},
	{"x-amz-tagging", "team=red&role=admin"},
	{"x-amz-storage-class", "REDUCED_REDUNDANCY"},
}

// completed reports an upload's end and returns the reply.
func (r *running) completed(t *testing.T, grant, etag string) reply {
	t.Helper()
	return r.do(t, "POST", "/v1/uploads/complete", object(map[string]any{"grant": grant, "etag": etag}))
}

// A presigned PUT signs what its destination stores; what its bearer adds is
// stored as well, and found when the upload is completed. Until then, and after,
// there is no link to the object.
func TestPresignedPutWithAddedHeaders(t *testing.T) {
	r := startWith(t, stored)
	landed := 0
	for _, destination := range []string{"bare", "much"} {
		for _, h := range added {
			p := r.presign(t, destination, map[string]any{"method": "PUT", "name": "x.bin", "size": 1})
			headers := maps.Clone(p.Headers)
			for name := range headers {
				if strings.EqualFold(name, h.name) {
					delete(headers, name)
				}
			}
			headers[h.name] = h.value
			status, _, header := send(t, "PUT", p.URL, "x", headers)
			if status != http.StatusOK {
				continue // it is signed, or the store takes no such header unsigned
			}
			landed++
			what := fmt.Sprintf("%s with %s: %s", destination, h.name, h.value)
			link := object(map[string]any{"method": "GET", "grant": p.Grant})
			if got := r.do(t, "POST", "/v1/destinations/"+destination+"/presign", link); got.problem() != "object_breaks_grant" {
				t.Errorf("%s: a link before it is completed: %d %s", what, got.status, got.body)
			}
			if got := r.completed(t, p.Grant, header.Get("ETag")); got.problem() != "object_breaks_grant" {
				t.Errorf("%s: complete: %d %s", what, got.status, got.body)
			}
			if got := r.do(t, "POST", "/v1/destinations/"+destination+"/presign", link); got.problem() != "object_missing" && got.problem() != "object_breaks_grant" {
				t.Errorf("%s: a link after it was refused: %d %s", what, got.status, got.body)
			}
		}
	}
	if landed < 6 {
		t.Errorf("only %d of the requests were taken by the store; the attacks have to be what a store takes", landed)
	}
}

// What is sent as the destination says is completed and may be read.
func TestPresignedPutAsAskedIsCompleted(t *testing.T) {
	r := startWith(t, stored)
	for _, destination := range []string{"bare", "much", "lenient"} {
		p := r.presign(t, destination, map[string]any{"method": "PUT", "name": "x.bin", "type": "text/plain; charset=UTF-8", "size": 1})
		status, text, header := send(t, "PUT", p.URL, "x", p.Headers)
		if status != http.StatusOK {
			t.Fatalf("%s: %d %s", destination, status, text)
		}
		if got := r.completed(t, p.Grant, header.Get("ETag")); got.status != http.StatusOK {
			t.Errorf("%s: %d %s", destination, got.status, got.body)
		}
		if link := r.presign(t, destination, map[string]any{"method": "GET", "grant": p.Grant}); link.URL == "" {
			t.Errorf("%s: there is no link", destination)
		}
	}
}

// verify.headers: false is for stores that add headers of their own.
func TestPresignedPutWithoutVerifiedHeaders(t *testing.T) {
	r := startWith(t, stored)
	p := r.presign(t, "lenient", map[string]any{"method": "PUT", "name": "x.bin", "size": 1})
	headers := maps.Clone(p.Headers)
	headers["Cache-Control"] = "private, max-age=0"
	status, text, header := send(t, "PUT", p.URL, "x", headers)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	if got := r.completed(t, p.Grant, header.Get("ETag")); got.status != http.StatusOK {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// A link is for an object that fits its grant.
func TestNoLinkToWhatBreaksItsGrant(t *testing.T) {
	r := startWith(t, strings.Replace(stored, "read: owner }", "read: owner, verify: { delete: false } }", 1))
	link := func(g upload) reply {
		return r.do(t, "POST", "/v1/destinations/bare/presign", object(map[string]any{"method": "GET", "grant": g.Grant}))
	}
	g := r.grant(t, "bare", "x.bin", 3)
	if got := link(g); got.problem() != "object_missing" {
		t.Errorf("nothing is there: %d %s", got.status, got.body)
	}
	r.put(t, g, "four")
	if got := r.completed(t, g.Grant, ""); got.problem() != "object_breaks_grant" {
		t.Errorf("complete: %d %s", got.status, got.body)
	}
	if got := link(g); got.problem() != "object_breaks_grant" {
		t.Errorf("a link to what was refused: %d %s", got.status, got.body)
	}
	r.put(t, g, "yes")
	if got := link(g); got.status != http.StatusOK {
		t.Errorf("a link to what fits, not completed yet: %d %s", got.status, got.body)
	}
}

// put writes a grant's object with the server's own credentials.
func (r *running) put(t *testing.T, g upload, content string) {
	t.Helper()
	_, err := r.engine.s3(r.engine.own).PutObject(context.Background(), &s3.PutObjectInput{
		Bucket: aws.String(g.Upload.Bucket), Key: aws.String(g.Upload.Key), Body: strings.NewReader(content), ContentType: aws.String(g.Upload.Headers["content-type"]),
	})
	if err != nil {
		t.Fatal(err)
	}
}
