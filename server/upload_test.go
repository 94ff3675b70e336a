package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// statusOf is the HTTP status of an S3 call: 200 for no error, 0 for no reply.
func statusOf(err error) int {
	if err == nil {
		return http.StatusOK
	}
	var reply *awshttp.ResponseError
	if errors.As(err, &reply) {
		return reply.HTTPStatusCode()
	}
	return 0
}

func TestAnUploadFromGrantToLink(t *testing.T) {
	r := start(t, t.TempDir())
	const content = "bytes that matter"
	u := r.grant(t, "demo", "näme \"名前\".txt", len(content))
	if u.Upload.Headers["content-type"] != "text/x-test" || u.Upload.Overwrite == nil || *u.Upload.Overwrite || u.Parts.MinSize != 5<<20 || u.Parts.MaxSize != 5<<30 || u.Parts.MaxCount != 10_000 || u.Upload.Addressing != "path" {
		t.Errorf("the grant is %+v", u)
	}
	for _, at := range []string{u.Expires, u.ServerTime, u.Credentials.Expiration} {
		if _, err := time.Parse(time.RFC3339, at); err != nil || !strings.HasSuffix(at, "Z") {
			t.Errorf("%q is not RFC 3339 in UTC", at)
		}
	}

	early := r.do(t, "POST", "/v1/uploads/complete", object(map[string]any{"grant": u.Grant}))
	if early.problem() != "object_missing" || early.status != http.StatusNotFound {
		t.Errorf("before the upload: %d %s", early.status, early.body)
	}
	renewed := r.do(t, "POST", "/v1/uploads/credentials", object(map[string]any{"grant": u.Grant}))
	var fresh upload
	if json.Unmarshal(renewed.body, &fresh); renewed.status != http.StatusOK || fresh.Upload.Key != u.Upload.Key || fresh.Grant != u.Grant || fresh.Credentials.AccessKeyID == u.Credentials.AccessKeyID {
		t.Errorf("renewed: %d %s", renewed.status, renewed.body)
	}
	put, err := fresh.put(content)
	if err != nil {
		t.Fatal(err)
	}

	answer := r.do(t, "POST", "/v1/uploads/complete", object(map[string]any{"grant": u.Grant, "etag": *put.ETag}))
	var done struct {
		Key, ETag, URL string
		Size           int
	}
	if json.Unmarshal(answer.body, &done); answer.status != http.StatusOK || done.Key != u.Upload.Key || done.Size != len(content) || `"`+done.ETag+`"` != *put.ETag {
		t.Fatalf("complete: %d %s", answer.status, answer.body)
	}
	if taken := r.do(t, "POST", "/v1/uploads/credentials", object(map[string]any{"grant": u.Grant})); taken.problem() != "already_complete" || taken.status != http.StatusConflict {
		t.Errorf("renewed after completion: %d %s", taken.status, taken.body)
	}
	if wrong := r.do(t, "POST", "/v1/uploads/complete", object(map[string]any{"grant": u.Grant, "etag": "another"})); wrong.problem() != "object_replaced" {
		t.Errorf("another ETag: %d %s", wrong.status, wrong.body)
	}

	presigned := r.do(t, "POST", "/v1/destinations/demo/presign", object(map[string]any{"method": "GET", "grant": u.Grant, "expires": 60}))
	var link struct{ URL, Expires string }
	if json.Unmarshal(presigned.body, &link); presigned.status != http.StatusOK {
		t.Fatalf("presign: %d %s", presigned.status, presigned.body)
	}
	for _, url := range []string{done.URL, link.URL} {
		got, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(got.Body)
		got.Body.Close()
		const disposition = `attachment; filename="n_me ___.txt"; filename*=UTF-8''n%C3%A4me%20%22%E5%90%8D%E5%89%8D%22.txt`
		if got.StatusCode != http.StatusOK || string(body) != content || got.Header.Get("Content-Disposition") != strings.Replace(disposition, "___", "____", 1) {
			t.Errorf("the link gives %d %q as %q", got.StatusCode, body, got.Header.Get("Content-Disposition"))
		}
		if tampered, err := http.Get(strings.Replace(url, "demo/demo/", "demo/demo/x", 1)); err != nil || tampered.StatusCode != http.StatusForbidden {
			t.Errorf("the link for another key: %v, %v", tampered, err)
		}
	}
	for _, secret := range []string{u.Grant, u.Credentials.SecretAccessKey, u.Credentials.SessionToken, fresh.Credentials.SecretAccessKey, "X-Amz-Signature"} {
		if strings.Contains(r.log.String(), secret) {
			t.Errorf("the log holds %.30s…", secret)
		}
	}
}

func TestCompleteDeletesWhatBreaksTheGrant(t *testing.T) {
	r := start(t, t.TempDir())
	u := r.grant(t, "demo", "x", 4)
	if _, err := u.put("five!"); err != nil {
		t.Fatal(err)
	}
	answer := r.do(t, "POST", "/v1/uploads/complete", object(map[string]any{"grant": u.Grant}))
	if answer.problem() != "object_breaks_grant" || !strings.Contains(string(answer.body), "it was deleted") {
		t.Errorf("%d %s", answer.status, answer.body)
	}
	if _, err := os.Stat(filepath.Join(r.data, "demo", u.Upload.Key)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the object is still there: %v", err)
	}
	again := r.grant(t, "demo", "x", 4)
	if _, err := again.s3().PutObject(context.Background(), &s3.PutObjectInput{
		Bucket: aws.String("demo"), Key: aws.String(again.Upload.Key), Body: strings.NewReader("four"), ContentType: aws.String("text/html"),
	}); err != nil {
		t.Fatal(err)
	}
	if answer := r.do(t, "POST", "/v1/uploads/complete", object(map[string]any{"grant": again.Grant})); answer.problem() != "object_breaks_grant" {
		t.Errorf("another type: %d %s", answer.status, answer.body)
	}
}

// What AWS lets whoever may put add, the embedded store keeps from sessions: its
// owner puts the object.
func TestAnObjectThatRedirectsBreaksItsGrant(t *testing.T) {
	e := startEngine(t, "media")
	r := e.serve(t, nothingSet, "auth: { dev: true }\nstores: { s: $STORE }\ndestinations: { d: { store: s, bucket: media, key: \"{uuid}\", content_length: 0..1GiB } }\n")
	u := r.grant(t, "d", "x", 4)
	put := &s3.PutObjectInput{Bucket: aws.String("media"), Key: aws.String(u.Upload.Key), ContentType: aws.String("text/x-test"), WebsiteRedirectLocation: aws.String("https://evil.example/")}
	put.Body = strings.NewReader("four")
	if _, err := u.s3().PutObject(context.Background(), put); codeOf(err) != "AccessDenied" {
		t.Errorf("by the session: %v", err)
	}
	put.Body = strings.NewReader("four")
	if _, err := e.s3(e.own).PutObject(context.Background(), put); err != nil {
		t.Fatal(err)
	}
	if answer := r.do(t, "POST", "/v1/uploads/complete", object(map[string]any{"grant": u.Grant})); answer.problem() != "object_breaks_grant" || !strings.Contains(string(answer.body), "x-amz-website-redirect-location") {
		t.Errorf("%d %s", answer.status, answer.body)
	}
}

func TestMultipartWithAGrant(t *testing.T) {
	r := start(t, t.TempDir())
	ctx := context.Background()
	const size = 5<<20 + 3
	u := r.grant(t, "demo", "two parts", size)
	c, bucket, key := u.s3(), aws.String(u.Upload.Bucket), aws.String(u.Upload.Key)
	created, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key, ContentType: aws.String("text/x-test"), ChecksumAlgorithm: types.ChecksumAlgorithmSha256})
	if err != nil {
		t.Fatal(err)
	}
	var parts []types.CompletedPart
	for i, n := range []int{5 << 20, 3} {
		p, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: created.UploadId, PartNumber: aws.Int32(int32(i + 1)), Body: strings.NewReader(strings.Repeat("p", n)), ChecksumAlgorithm: types.ChecksumAlgorithmSha256})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, types.CompletedPart{PartNumber: aws.Int32(int32(i + 1)), ETag: p.ETag, ChecksumSHA256: p.ChecksumSHA256})
	}
	if listed, err := c.ListParts(ctx, &s3.ListPartsInput{Bucket: bucket, Key: key, UploadId: created.UploadId}); err != nil || len(listed.Parts) != 2 {
		t.Fatalf("ListParts: %v, %v", listed, err)
	}
	done, err := c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: key, UploadId: created.UploadId, IfNoneMatch: aws.String("*"), MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
	if err != nil {
		t.Fatal(err)
	}
	answer := r.do(t, "POST", "/v1/uploads/complete", object(map[string]any{"grant": u.Grant, "etag": *done.ETag}))
	var got struct {
		Size     int
		Checksum struct{ Algorithm, Value string }
	}
	if json.Unmarshal(answer.body, &got); answer.status != http.StatusOK || got.Size != size || got.Checksum.Algorithm != "SHA256" || !strings.HasSuffix(got.Checksum.Value, "-2") {
		t.Errorf("complete: %d %s", answer.status, answer.body)
	}
}

func TestGrantsOutliveARestart(t *testing.T) {
	data := t.TempDir()
	first := start(t, data)
	u := first.grant(t, "demo", "x", 1)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := start(t, data)
	if answer := second.do(t, "POST", "/v1/uploads/credentials", object(map[string]any{"grant": u.Grant})); answer.status != http.StatusOK {
		t.Errorf("%d %s", answer.status, answer.body)
	}
	if info, err := os.Stat(filepath.Join(data, ".chunksign-secret")); err != nil || info.Size() != 32 || info.Mode().Perm() != 0o600 {
		t.Errorf("the secret's file: %v, %v", info, err)
	}
}

// twoFreePorts is an address that is free, and so is the next port. Neither is one that
// the system gives to clients (32768 and up), or another test's might take it meanwhile.
func twoFreePorts(t *testing.T) string {
	t.Helper()
	for port := 20_000 + os.Getpid()%5_000*2; port < 32_000; port += 2 {
		one, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		two, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1))
		one.Close()
		if err == nil {
			two.Close()
			return fmt.Sprintf("127.0.0.1:%d", port)
		}
	}
	t.Fatal("no two ports are free")
	return ""
}

func TestTheEmbeddedStoreStaysWhereItWas(t *testing.T) {
	r := start(t, t.TempDir())
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r.Listen = twoFreePorts(t)
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	before := r.grant(t, "demo", "x", 1).Upload.Endpoint
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if after := r.grant(t, "demo", "x", 1).Upload.Endpoint; after != before {
		t.Errorf("the store was at %s and is at %s after a restart", before, after)
	}

	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("tcp", strings.TrimPrefix(before, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if after := r.grant(t, "demo", "x", 1).Upload.Endpoint; after == before || !strings.Contains(r.log.String(), "taken by another program") {
		t.Errorf("with its address taken the store is at %s; the log says\n%s", after, r.log)
	}
}
