package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// startWith runs the server with a configuration at the engine: $STORE stands
// for it, $BARE for it without its STS and $ROLE for its role; its bucket is media.
func startWith(t testing.TB, configuration string) *running {
	t.Helper()
	return startSet(t, nothingSet, configuration)
}

// startSet is startWith with an environment.
func startSet(t testing.TB, getenv func(string) string, configuration string) *running {
	t.Helper()
	return startEngine(t, "media").serve(t, getenv, configuration)
}

// composite is HeadObject's checksum of a file in parts, and of one part's file without a number.
func composite(content string, partSize int) string {
	whole := sha256.Sum256([]byte(content))
	if len(content) <= partSize {
		return base64.StdEncoding.EncodeToString(whole[:])
	}
	var sums []byte
	n := 0
	for from := 0; from < len(content); from += partSize {
		part := sha256.Sum256([]byte(content[from:min(from+partSize, len(content))]))
		sums, n = append(sums, part[:]...), n+1
	}
	all := sha256.Sum256(sums)
	return fmt.Sprintf("%s-%d", base64.StdEncoding.EncodeToString(all[:]), n)
}

// send uploads a file as the page does, in one part or several.
func (u upload) send(t *testing.T, content string, partSize int) {
	t.Helper()
	ctx, c, bucket, key := context.Background(), u.s3(), aws.String(u.Upload.Bucket), aws.String(u.Upload.Key)
	mediaType := aws.String(u.Upload.Headers["content-type"])
	if len(content) <= partSize {
		if _, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader(content), ContentType: mediaType, ChecksumAlgorithm: types.ChecksumAlgorithmSha256}); err != nil {
			t.Fatal(err)
		}
		return
	}
	created, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key, ContentType: mediaType, ChecksumAlgorithm: types.ChecksumAlgorithmSha256})
	if err != nil {
		t.Fatal(err)
	}
	var parts []types.CompletedPart
	for from := 0; from < len(content); from += partSize {
		n := aws.Int32(int32(len(parts) + 1))
		p, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: created.UploadId, PartNumber: n, Body: strings.NewReader(content[from:min(from+partSize, len(content))]), ChecksumAlgorithm: types.ChecksumAlgorithmSha256})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, types.CompletedPart{PartNumber: n, ETag: p.ETag, ChecksumSHA256: p.ChecksumSHA256})
	}
	if _, err := c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: key, UploadId: created.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}}); err != nil {
		t.Fatal(err)
	}
}

func TestExistence(t *testing.T) {
	r := startWith(t, `auth: { dev: true }
stores: { s: $STORE }
destinations:
  mine: { store: s, bucket: media, key: "mine/{user}/{filename}", content_length: 0..1GiB, read: owner, overwrite: true, existence_optimization: true }
  kept: { store: s, bucket: media, key: "kept/{filename}", content_length: 0..1GiB, existence_optimization: true }
  plain: { store: s, bucket: media, key: "mine/{user}/{filename}", content_length: 0..1GiB, overwrite: true }
`)
	const partSize = 5 << 20
	type answer struct {
		upload
		Exists                    bool
		Key, ETag, URL, VersionID string
		Size                      int
		Checksum                  *struct{ Algorithm, Value string }
		Upload                    struct{ Existence *bool }
	}
	ask := func(destination, name, content, value string) (reply, answer) {
		t.Helper()
		body := map[string]any{"name": name, "type": "text/x-test", "size": len(content)}
		if value != "" {
			body["checksum"] = map[string]any{"algorithm": "SHA256", "value": value, "partSize": partSize}
		}
		got := r.do(t, "POST", "/v1/destinations/"+destination+"/uploads", object(body))
		var a answer
		if err := json.Unmarshal(got.body, &a); err != nil {
			t.Fatal(err)
		}
		return got, a
	}
	for name, content := range map[string]string{
		"nothing":   "",
		"one part":  "bytes that matter",
		"two parts": strings.Repeat("p", partSize) + "end",
	} {
		value, wrong := composite(content, partSize), composite(strings.Repeat("q", len(content))+"", partSize)
		if content == "" {
			wrong = composite("q", partSize)
		}
		for _, destination := range []string{"mine", "kept"} {
			if first, a := ask(destination, name, content, ""); first.status != http.StatusCreated || a.Upload.Existence != nil {
				t.Errorf("%s, %s, nothing there: %d %s", destination, name, first.status, first.body)
			}
			r.grant(t, destination, name, len(content)).send(t, content, partSize)

			maybe, a := ask(destination, name, content, "")
			if maybe.status != http.StatusCreated || a.Upload.Existence == nil || !*a.Upload.Existence || a.Exists {
				t.Fatalf("%s, %s, asked again: %d %s", destination, name, maybe.status, maybe.body)
			}
			var question upload
			json.Unmarshal(maybe.body, &question)
			if _, err := question.put("x"); destination == "kept" && statusOf(err) != http.StatusForbidden {
				t.Errorf("%s: the session of a question writes: %v", name, err)
			} else if destination == "mine" {
				if err != nil {
					t.Error(err)
				}
				question.send(t, content, partSize)
			}

			there, a := ask(destination, name, content, value)
			if there.status != http.StatusOK || !a.Exists || a.Size != len(content) || a.ETag == "" || a.Checksum == nil || a.Checksum.Value != value || (a.URL != "") != (destination == "mine") || strings.Contains(string(there.body), "redentials") || strings.Contains(string(there.body), "grant") {
				t.Errorf("%s, %s, with its checksum %s: %d %s", destination, name, value, there.status, there.body)
			}
			if there.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%v", there.header)
			}

			others, a := ask(destination, name, content, wrong)
			if destination == "kept" {
				if others.problem() != "key_taken" {
					t.Errorf("%s, %s, other bytes: %d %s", destination, name, others.status, others.body)
				}
			} else if others.status != http.StatusCreated || a.Upload.Existence != nil {
				t.Errorf("%s, %s, other bytes: %d %s", destination, name, others.status, others.body)
			}
			if strings.Contains(string(others.body), value) {
				t.Errorf("%s: who is wrong is told what would be right: %s", name, others.body)
			}
		}
		if without, a := ask("plain", name, content, value); without.status != http.StatusCreated || a.Exists || a.Upload.Existence != nil {
			t.Errorf("%s, without the option: %d %s", name, without.status, without.body)
		}
		if got, err := os.ReadFile(filepath.Join(r.data, "media", "kept", name)); err != nil || string(got) != content {
			t.Errorf("%s: the object that may not be replaced has %d bytes, %v", name, len(got), err)
		}
	}
	for field, checksum := range map[string]string{
		"checksum.algorithm": `{"algorithm":"MD5","value":"x","partSize":1}`,
		"checksum.value":     `{"algorithm":"SHA256","value":"x","partSize":1}`,
		"checksum.partSize":  `{"algorithm":"SHA256","value":"` + composite("x", 1) + `","partSize":"1"}`,
	} {
		got := r.do(t, "POST", "/v1/destinations/mine/uploads", `{"name":"x","size":1,"checksum":`+checksum+`}`)
		if got.problem() != "field_invalid" || !strings.Contains(string(got.body), `"field":"`+field+`"`) {
			t.Errorf("%s: %d %s", checksum, got.status, got.body)
		}
	}
	if got := r.do(t, "POST", "/v1/destinations/mine/uploads", `{"name":"x","size":1,"checksum":{"sha256":"x"}}`); got.problem() != "field_unknown" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if strings.Contains(r.log.String(), "X-Amz-Signature") {
		t.Error("the log holds a link")
	}
}
