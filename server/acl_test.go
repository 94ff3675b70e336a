package main

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// TestEngineACL uploads to a destination with an acl, whether the store's STS knows s3:PutObjectAcl or not.
func TestEngineACL(t *testing.T) {
	e := startEngine(t, "media")
	r := e.serve(t, nothingSet, `auth: { headers: { from: [127.0.0.0/8] } }
stores: { s: $SESSIONS }
destinations:
  d: { store: s, bucket: media, key: "acl/{user}/{uuid}", content_length: 0..1GiB, acl: authenticated-read }
  prefix: { store: s, bucket: media, key: "acl/{user}/{uuid}", content_length: 0..1GiB, acl: authenticated-read, scope: prefix }
`)
	given := ""
	for range 2 { // the second time the store is known
		for _, destination := range []string{"d", "prefix"} {
			u := r.grantAs(t, as("alice"), destination, "x", 4)
			in := &s3.PutObjectInput{Bucket: aws.String("media"), Key: &u.Upload.Key, Body: strings.NewReader("four"),
				ContentType: aws.String("text/x-test"), ACL: types.ObjectCannedACL(u.Upload.Headers["x-amz-acl"])}
			if _, err := u.s3().PutObject(context.Background(), in); err != nil {
				t.Fatalf("%s: %v", destination, err)
			}
			done := r.do(t, "POST", "/v1/uploads/complete", object(map[string]any{"grant": u.Grant}), as("alice")...)
			if done.status != http.StatusOK {
				t.Fatalf("%s: %d %s", destination, done.status, done.body)
			}
			acl, err := e.s3(e.own).GetObjectAcl(context.Background(), &s3.GetObjectAclInput{Bucket: aws.String("media"), Key: &u.Upload.Key})
			given = "taken, and has no effect"
			if err != nil { // the store keeps none
				continue
			}
			for _, g := range acl.Grants {
				if strings.HasSuffix(aws.ToString(g.Grantee.URI), "/AuthenticatedUsers") {
					given = "works"
				}
			}
		}
	}
	hold(t, "A destination's `acl`", given)
}
