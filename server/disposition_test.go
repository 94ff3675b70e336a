package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// An object is saved under the file's name where the destination says so, however it is uploaded.
func TestNameInContentDisposition(t *testing.T) {
	r := startWith(t, `auth: { headers: { from: [127.0.0.0/8] } }
stores: { s: $STORE }
destinations:
  d: { store: s, bucket: media, key: "d/{user}/{uuid}", content_length: 0..1GiB, scope: prefix, compat: [s3direct], content_disposition: 'attachment; filename="{filename}"' }
`)
	const name, want = "näme; 1.pdf", `attachment; filename="n_me; 1.pdf"; filename*=UTF-8''n%C3%A4me%3B%201.pdf`
	completed := func(what, key, grant string) {
		t.Helper()
		done := r.do(t, "POST", "/v1/uploads/complete", object(map[string]any{"grant": grant}), as("alice")...)
		head, err := r.engine.s3(r.engine.own).HeadObject(context.Background(), &s3.HeadObjectInput{Bucket: aws.String("media"), Key: &key})
		if err != nil || done.status != http.StatusOK || aws.ToString(head.ContentDisposition) != want {
			t.Errorf("%s: %d %s; it is stored with %v, %v", what, done.status, done.body, head, err)
		}
	}
	put := func(disposition string) (upload, error) {
		u := r.grantAs(t, as("alice"), "d", name, 4)
		_, err := u.s3().PutObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String("media"), Key: &u.Upload.Key,
			Body: strings.NewReader("four"), ContentType: aws.String("text/x-test"), ContentDisposition: aws.String(disposition)})
		return u, err
	}
	u := r.grantAs(t, as("alice"), "d", name, 4)
	if got := u.Upload.Headers["content-disposition"]; got != want {
		t.Fatal(got)
	}
	u, err := put(want)
	if err != nil {
		t.Fatal(err)
	}
	completed("with a session", u.Upload.Key, u.Grant)
	if u, err = put(`attachment; filename="other.pdf"`); err != nil {
		t.Fatal(err)
	}
	if got := r.do(t, "POST", "/v1/uploads/complete", object(map[string]any{"grant": u.Grant}), as("alice")...); got.problem() != "object_breaks_grant" {
		t.Errorf("another name: %d %s", got.status, got.body)
	}

	p := r.presignAs(t, as("alice"), "d", map[string]any{"method": "PUT", "name": name, "type": "text/x-test", "size": 4})
	if status, text, _ := send(t, "PUT", p.URL, "four", p.Headers); status != http.StatusOK {
		t.Fatal(status, text)
	}
	completed("presigned", p.Key, p.Grant)
	p = r.presignAs(t, as("alice"), "d", map[string]any{"method": "POST", "name": name, "type": "text/x-test", "size": 4})
	if status, text := form(t, p.URL, p.Fields, "four"); status >= 300 {
		t.Fatal(status, text)
	}
	completed("by a form", p.Key, p.Grant)

	if got := newWidget(t, r, as("alice")...).params(t, "d", name, 4)["content_disposition"]; fmt.Sprint(got) != want {
		t.Errorf("django-s3direct's widget is told %v", got)
	}
}
