package devstore

import (
	"bytes"
	"context"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// attack is something that a session for media/mine.bin must not do. do returns what the store answered.
type attack struct {
	name string
	do   func(ctx context.Context, c *s3.Client, v victim) error
}

// notImplemented are attacks on what the gateway does not do at all. Root is told so, past the permission check.
var notImplemented = map[string]bool{"PutObjectAcl of our key": true}

// victim is what is there to be attacked: media/theirs.bin and other/theirs.bin exist, and somebody's upload of
// media/theirs.mp4 has one part; so does our own upload of mine.bin.
type victim struct {
	theirUpload, ownUpload *string
	theirParts             []types.CompletedPart
}

var attacks = []attack{
	{"PutObject to another key", func(ctx context.Context, c *s3.Client, _ victim) error { return put(ctx, c, "media", "fresh.bin") }},
	{"PutObject over another key", func(ctx context.Context, c *s3.Client, _ victim) error { return put(ctx, c, "media", "theirs.bin") }},
	{"PutObject to a key that extends ours", func(ctx context.Context, c *s3.Client, _ victim) error {
		return put(ctx, c, "media", "mine.bin.exe")
	}},
	{"PutObject to another bucket", func(ctx context.Context, c *s3.Client, _ victim) error { return put(ctx, c, "other", "mine.bin") }},
	{"PutObject with tags on our key", func(ctx context.Context, c *s3.Client, _ victim) error {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: media, Key: mine, Body: strings.NewReader("x"), Tagging: aws.String("a=b")})
		return err
	}},
	{"GetObject of our key", func(ctx context.Context, c *s3.Client, _ victim) error { return get(ctx, c, "media", "mine.bin") }},
	{"GetObject", func(ctx context.Context, c *s3.Client, _ victim) error { return get(ctx, c, "media", "theirs.bin") }},
	{"GetObject in another bucket", func(ctx context.Context, c *s3.Client, _ victim) error { return get(ctx, c, "other", "theirs.bin") }},
	{"HeadObject", func(ctx context.Context, c *s3.Client, _ victim) error {
		_, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: media, Key: theirs})
		return err
	}},
	{"GetObjectAttributes", func(ctx context.Context, c *s3.Client, _ victim) error {
		_, err := c.GetObjectAttributes(ctx, &s3.GetObjectAttributesInput{Bucket: media, Key: theirs,
			ObjectAttributes: []types.ObjectAttributes{types.ObjectAttributesEtag}})
		return err
	}},
	{"ListObjectsV2", func(ctx context.Context, c *s3.Client, _ victim) error {
		_, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: media})
		return err
	}},
	{"ListObjects", func(ctx context.Context, c *s3.Client, _ victim) error {
		_, err := c.ListObjects(ctx, &s3.ListObjectsInput{Bucket: media, Prefix: mine})
		return err
	}},
	{"ListBuckets", func(ctx context.Context, c *s3.Client, _ victim) error {
		_, err := c.ListBuckets(ctx, &s3.ListBucketsInput{})
		return err
	}},
	{"HeadBucket", func(ctx context.Context, c *s3.Client, _ victim) error {
		_, err := c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: media})
		return err
	}},
	{"ListMultipartUploads", func(ctx context.Context, c *s3.Client, _ victim) error {
		_, err := c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: media})
		return err
	}},
	{"DeleteObject", func(ctx context.Context, c *s3.Client, _ victim) error {
		_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: media, Key: theirs})
		return err
	}},
	{"CopyObject from another key to ours", func(ctx context.Context, c *s3.Client, _ victim) error {
		_, err := c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: media, Key: mine, CopySource: aws.String("media/theirs.bin")})
		return err
	}},
	{"CopyObject from another bucket to ours", func(ctx context.Context, c *s3.Client, _ victim) error {
		_, err := c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: media, Key: mine, CopySource: aws.String("other/theirs.bin")})
		return err
	}},
	{"CopyObject to another key", func(ctx context.Context, c *s3.Client, _ victim) error {
		_, err := c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: media, Key: aws.String("copy.bin"), CopySource: aws.String("media/theirs.bin")})
		return err
	}},
	{"UploadPartCopy from another key into our upload", func(ctx context.Context, c *s3.Client, v victim) error {
		_, err := c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: media, Key: mine, UploadId: v.ownUpload,
			PartNumber: aws.Int32(2), CopySource: aws.String("media/theirs.bin")})
		return err
	}},
	{"PutObjectAcl of our key", func(ctx context.Context, c *s3.Client, _ victim) error {
		_, err := c.PutObjectAcl(ctx, &s3.PutObjectAclInput{Bucket: media, Key: mine, ACL: types.ObjectCannedACLPublicRead})
		return err
	}},
	{"PutObjectTagging of our key", func(ctx context.Context, c *s3.Client, _ victim) error {
		_, err := c.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: media, Key: mine,
			Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}})
		return err
	}},
	{"GetObjectTagging", func(ctx context.Context, c *s3.Client, _ victim) error {
		_, err := c.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: media, Key: theirs})
		return err
	}},
	{"CreateBucket", func(ctx context.Context, c *s3.Client, _ victim) error {
		_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("new-bucket")})
		return err
	}},
	{"PutBucketPolicy", func(ctx context.Context, c *s3.Client, _ victim) error {
		_, err := c.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: media, Policy: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::media/nothing"}]}`)})
		return err
	}},
	{"PutBucketCors", func(ctx context.Context, c *s3.Client, _ victim) error {
		_, err := c.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: aws.String("other"), CORSConfiguration: &types.CORSConfiguration{
			CORSRules: []types.CORSRule{{AllowedOrigins: []string{"*"}, AllowedMethods: []string{"GET"}}}}})
		return err
	}},
	{"CreateMultipartUpload for another key", func(ctx context.Context, c *s3.Client, _ victim) error {
		_, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: media, Key: aws.String("fresh.mp4")})
		return err
	}},
	{"UploadPart into another's upload", func(ctx context.Context, c *s3.Client, v victim) error {
		_, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: media, Key: video, UploadId: v.theirUpload,
			PartNumber: aws.Int32(2), Body: strings.NewReader("x"), ChecksumSHA256: aws.String(sha256Base64([]byte("x")))})
		return err
	}},
	{"ListParts of another's upload", func(ctx context.Context, c *s3.Client, v victim) error {
		_, err := c.ListParts(ctx, &s3.ListPartsInput{Bucket: media, Key: video, UploadId: v.theirUpload})
		return err
	}},
	{"a presigned PUT of another key", func(ctx context.Context, c *s3.Client, _ victim) error {
		signed, err := s3.NewPresignClient(c).PresignPutObject(ctx, &s3.PutObjectInput{Bucket: media, Key: aws.String("signed.bin")})
		if err != nil {
			return err
		}
		return send(ctx, signed.Method, signed.URL, strings.NewReader("x"))
	}},
	{"a presigned GET", func(ctx context.Context, c *s3.Client, _ victim) error {
		signed, err := s3.NewPresignClient(c).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: media, Key: theirs})
		if err != nil {
			return err
		}
		return send(ctx, signed.Method, signed.URL, nil)
	}},
	{"CompleteMultipartUpload of another's upload", func(ctx context.Context, c *s3.Client, v victim) error {
		_, err := complete(c, "media", "theirs.mp4", v.theirUpload, v.theirParts, nil)
		return err
	}},
	{"AbortMultipartUpload of another's upload", func(ctx context.Context, c *s3.Client, v victim) error {
		_, err := c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: media, Key: video, UploadId: v.theirUpload})
		return err
	}},
	{"DeleteBucket", func(ctx context.Context, c *s3.Client, _ victim) error {
		_, err := c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("empty")})
		return err
	}},
}

var (
	media  = aws.String("media")
	mine   = aws.String("mine.bin")
	theirs = aws.String("theirs.bin")
	video  = aws.String("theirs.mp4")
)

// TestScope lets one upload's session try each attack: every one is refused with 403 and changes nothing. Then root does
// the same, and each succeeds, so that no attack is refused for being malformed.
func TestScope(t *testing.T) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			dir := t.TempDir()
			s := start(t, func(c *Config) { c.Dir, c.Buckets = dir, []string{"media", "other", "empty"} })
			ctx, root := context.Background(), s3Client(s, s.Credentials())
			for _, o := range [][2]string{{"media", "theirs.bin"}, {"media", "mine.bin"}, {"other", "theirs.bin"}} {
				if err := put(ctx, root, o[0], o[1]); err != nil {
					t.Fatal(err)
				}
			}
			session := s3Client(s, assume(t, s, policyFor(uploadRights, "arn:aws:s3:::media/mine.bin")))
			v := victim{}
			v.theirUpload, v.theirParts = multipart(t, root, "media", "theirs.mp4", content(10))
			v.ownUpload, _ = multipart(t, session, "media", "mine.bin", content(10))

			before := files(t, dir)
			err := a.do(ctx, session, v)
			if code, status := refusal(err); status != http.StatusForbidden || (code != "AccessDenied" && code != "Forbidden") {
				t.Errorf("the session's call: %d %s (%v), want 403 AccessDenied", status, code, err)
			}
			if after := files(t, dir); after != before {
				t.Errorf("the refused call changed the store:\n%s\nwas\n%s", after, before)
			}
			err = a.do(ctx, root, v)
			if code, _ := refusal(err); err != nil && !(notImplemented[a.name] && code == "NotImplemented") {
				t.Errorf("root cannot do it either, so the attack proves nothing: %v", err)
			}
		})
	}
}

// TestDeleteObjectsDeletesNothingForASession is apart because S3 answers 200 and an error an object.
func TestDeleteObjectsDeletesNothingForASession(t *testing.T) {
	s := start(t, nil)
	ctx, root := context.Background(), s3Client(s, s.Credentials())
	if err := put(ctx, root, "media", "theirs.bin"); err != nil {
		t.Fatal(err)
	}
	in := &s3.DeleteObjectsInput{Bucket: media, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: theirs}}}}
	out, err := s3Client(s, assume(t, s, policyFor(uploadRights, "arn:aws:s3:::media/mine.bin"))).DeleteObjects(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Deleted) != 0 || len(out.Errors) != 1 || aws.ToString(out.Errors[0].Code) != "AccessDenied" {
		t.Errorf("deleted %d, errors %v; want one AccessDenied", len(out.Deleted), out.Errors)
	}
	if err := get(ctx, root, "media", "theirs.bin"); err != nil {
		t.Errorf("the object is gone: %v", err)
	}
	if out, err := root.DeleteObjects(ctx, in); err != nil || len(out.Deleted) != 1 {
		t.Errorf("root cannot do it either: %v", err)
	}
}

func TestPolicyEvaluation(t *testing.T) {
	const both = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::media/u/alice/*"},
		{"Effect":"Deny","Action":"s3:PutObject","Resource":"arn:aws:s3:::media/u/alice/locked/*"}]}`
	for _, tt := range []struct {
		name, policy, key string
		allowed           bool
	}{
		{"a prefix covers its keys", both, "u/alice/x.bin", true},
		{"and no one else's", both, "u/alicia/x.bin", false},
		{"an explicit Deny wins", both, "u/alice/locked/x.bin", false},
		{"dot segments do not climb out of it", both, "u/alice/../bob/x.bin", false},
		{"an escaped star is still a wildcard", policyFor(uploadRights, "arn:aws:s3:::media/a*b"), "a-anything-b", true},
		{"a question mark is one character", policyFor(uploadRights, "arn:aws:s3:::media/a?b"), "axb", true},
		{"escaped unicode and spaces are the key itself", policyFor(uploadRights, "arn:aws:s3:::media/näme 名前 😀.bin"), "näme 名前 😀.bin", true},
		{"and not a neighbour", policyFor(uploadRights, "arn:aws:s3:::media/näme 名前 😀.bin"), "näme 名前 😁.bin", false},
		{"no policy leaves the role's own rights", "", "x.bin", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, nil)
			err := put(context.Background(), s3Client(s, assume(t, s, tt.policy)), "media", tt.key)
			if tt.allowed && err != nil {
				t.Error(err)
			}
			if !tt.allowed {
				wantRefusal(t, "PutObject "+tt.key, err, "AccessDenied", 403)
			}
		})
	}
}

func put(ctx context.Context, c *s3.Client, bucket, key string) error {
	_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader([]byte(key))})
	return err
}

func get(ctx context.Context, c *s3.Client, bucket, key string) error {
	out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err == nil {
		err = out.Body.Close()
	}
	return err
}

// files lists every file under dir with its size and time of change, so that two lists are equal when nothing happened.
func files(t *testing.T, dir string) string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || strings.Contains(path, ".vgwlocks") { // the gateway's own lock files
			return err
		}
		info, err := os.Stat(path)
		if err == nil && !d.IsDir() {
			list = append(list, strings.TrimPrefix(path, dir)+" "+info.ModTime().String())
		} else if err == nil {
			list = append(list, strings.TrimPrefix(path, dir)+"/")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(list)
	return strings.Join(list, "\n")
}
