package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Django-s3direct's own keys: one folder for all, and a file of the same name replaces the one of before.
func TestS3DirectInASharedFolder(t *testing.T) {
	r := startWith(t, `auth: { headers: { from: [127.0.0.0/8] } }
stores: { s: $STORE }
destinations:
  pdfs: { store: s, bucket: media, key: "uploads/pdfs/{filename}", content_length: 1..1GiB, scope: shared, overwrite: true, compat: [s3direct] }
`)
	var params map[string]any
	for who, content := range map[string]string{"alice": "hers", "bob": "his."} {
		w := newWidget(t, r, as(who)...)
		if params = w.params(t, "pdfs", "x.png", 4); params["object_key"] != "uploads/pdfs/x.png" {
			t.Fatal(params)
		}
		w.upload(t, "pdfs", params, content)
		if got, err := os.ReadFile(filepath.Join(r.data, "media/uploads/pdfs/x.png")); err != nil || string(got) != content {
			t.Errorf("after %s: %q, %v", who, got, err)
		}
	}
	u := r.grantAs(t, as("alice"), "pdfs", "y.png", 4)
	world := &world{T: t, s3Engine: r.engine, own: u.Upload.Key}
	session := aws.Credentials{AccessKeyID: u.Credentials.AccessKeyID, SecretAccessKey: u.Credentials.SecretAccessKey, SessionToken: u.Credentials.SessionToken}
	for path, want := range map[string]int{
		"/media/uploads/pdfs/z": 200, "/media/uploads/pdfs2/z": 403, "/media/uploads/pdfs": 403, "/media/uploads/z": 403, "/media/z": 403,
	} {
		if got := world.send(session, "PUT", path, "", nil, "x"); got.status != want {
			t.Errorf("%s: %v; want %d", path, got, want)
		}
	}
	if got := world.send(session, "GET", "/media/uploads/pdfs/x.png", "", nil, ""); got.status != 403 {
		t.Errorf("reading: %v", got)
	}
}
