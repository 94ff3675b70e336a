package devstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
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
	"unicode/utf16"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// uploadRights are the rights that one upload's session has on its key.
var uploadRights = []string{"s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"}

var testSecret = bytes.Repeat([]byte("s"), 32)

const testOrigin = "http://127.0.0.1:8080"

// start runs a store with the buckets media and other until the test ends. change may alter its Config.
func start(t testing.TB, change func(*Config)) *Store {
	t.Helper()
	c := Config{Dir: t.TempDir(), Buckets: []string{"media", "other"}, Origins: []string{testOrigin}, Secret: testSecret}
	if change != nil {
		change(&c)
	}
	s, err := Start(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// s3Client is a plain SDK client, without retries, so that each refusal is seen.
func s3Client(s *Store, c aws.Credentials) *s3.Client {
	return s3.New(s3.Options{
		Region: s.Region(), BaseEndpoint: aws.String(s.Endpoint()), UsePathStyle: true,
		Credentials:      aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, nil }),
		RetryMaxAttempts: 1,
	})
}

func stsClient(s *Store, c aws.Credentials) *sts.Client {
	return sts.New(sts.Options{
		Region: s.Region(), BaseEndpoint: aws.String(s.STSEndpoint()),
		Credentials:      aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, nil }),
		RetryMaxAttempts: 1,
	})
}

// policyFor is a session policy as the server writes it: ASCII, other characters escaped.
func policyFor(actions []string, resource string) string {
	text, _ := json.Marshal(map[string]any{
		"Version":   "2012-10-17",
		"Statement": []any{map[string]any{"Effect": "Allow", "Action": actions, "Resource": []string{resource}}},
	})
	var ascii strings.Builder
	for _, r := range string(text) {
		if r < 0x80 {
			ascii.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&ascii, `\u%04x`, unit)
		}
	}
	return ascii.String()
}

// assume gets session credentials through stscreds, as the server does.
func assume(t testing.TB, s *Store, policy string) aws.Credentials {
	t.Helper()
	provider := stscreds.NewAssumeRoleProvider(stsClient(s, s.Credentials()), s.RoleARN(), func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName, o.Duration = "alice", 15*time.Minute
		if policy != "" {
			o.Policy = aws.String(policy)
		}
	})
	c, err := provider.Retrieve(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// refusal returns an error's S3 code and HTTP status.
func refusal(err error) (code string, status int) {
	if e := (smithy.APIError)(nil); errors.As(err, &e) {
		code = e.ErrorCode()
	}
	if e := (*smithyhttp.ResponseError)(nil); errors.As(err, &e) {
		status = e.HTTPStatusCode()
	}
	return code, status
}

func wantRefusal(t *testing.T, what string, err error, wantCode string, wantStatus int) {
	t.Helper()
	if code, status := refusal(err); code != wantCode || status != wantStatus {
		t.Errorf("%s: %d %s (%v), want %d %s", what, status, code, err, wantStatus, wantCode)
	}
}

func sha256Base64(b []byte) string {
	sum := sha256.Sum256(b)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// content is n bytes that differ from place to place.
func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*31 + i>>8)
	}
	return b
}

// uploadParts sends parts under the key and returns what Complete needs.
func uploadParts(t testing.TB, c *s3.Client, bucket, key string, parts ...[]byte) (*string, []types.CompletedPart) {
	t.Helper()
	ctx := context.Background()
	created, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &bucket, Key: &key, ChecksumAlgorithm: types.ChecksumAlgorithmSha256, ContentType: aws.String("video/mp4"),
	})
	if err != nil {
		t.Fatal(err)
	}
	var done []types.CompletedPart
	for i, part := range parts {
		n := aws.Int32(int32(i + 1))
		out, err := c.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &bucket, Key: &key, UploadId: created.UploadId, PartNumber: n,
			Body: bytes.NewReader(part), ChecksumSHA256: aws.String(sha256Base64(part)),
		})
		if err != nil {
			t.Fatal(err)
		}
		if aws.ToString(out.ChecksumSHA256) != sha256Base64(part) {
			t.Errorf("UploadPart %d answers checksum %q, want the part's SHA-256", i+1, aws.ToString(out.ChecksumSHA256))
		}
		done = append(done, types.CompletedPart{PartNumber: n, ETag: out.ETag, ChecksumSHA256: out.ChecksumSHA256})
	}
	return created.UploadId, done
}

func complete(c *s3.Client, bucket, key string, uploadID *string, parts []types.CompletedPart, change func(*s3.CompleteMultipartUploadInput)) (*s3.CompleteMultipartUploadOutput, error) {
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &bucket, Key: &key, UploadId: uploadID, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	}
	if change != nil {
		change(in)
	}
	return c.CompleteMultipartUpload(context.Background(), in)
}

func TestMultipartUploadWithSession(t *testing.T) {
	dir := t.TempDir()
	s := start(t, func(c *Config) { c.Dir = dir })
	ctx := context.Background()
	for _, key := range []string{"demo/1/movie.mp4", "demo/2/näme 名前 😀 (1).bin", "demo/3/a+b&c=d#e%2F'.txt"} {
		t.Run(key, func(t *testing.T) {
			c := s3Client(s, assume(t, s, policyFor(uploadRights, "arn:aws:s3:::media/"+key)))
			whole := content(5<<20 + 1000)
			first, second := whole[:5<<20], whole[5<<20:]
			id, parts := uploadParts(t, c, "media", key, first, second)

			listed, err := c.ListParts(ctx, &s3.ListPartsInput{Bucket: aws.String("media"), Key: &key, UploadId: id})
			if err != nil {
				t.Fatal(err)
			}
			if len(listed.Parts) != 2 || listed.ChecksumAlgorithm != types.ChecksumAlgorithmSha256 {
				t.Fatalf("ListParts: %d parts, algorithm %q; want 2, SHA256", len(listed.Parts), listed.ChecksumAlgorithm)
			}
			for i, part := range [][]byte{first, second} {
				p := listed.Parts[i]
				if aws.ToInt64(p.Size) != int64(len(part)) || aws.ToString(p.ChecksumSHA256) != sha256Base64(part) {
					t.Errorf("ListParts part %d: size %d, SHA-256 %q", i+1, aws.ToInt64(p.Size), aws.ToString(p.ChecksumSHA256))
				}
			}

			done, err := complete(c, "media", key, id, parts, func(in *s3.CompleteMultipartUploadInput) { in.IfNoneMatch = aws.String("*") })
			if err != nil {
				t.Fatal(err)
			}
			a, b := sha256.Sum256(first), sha256.Sum256(second)
			composite := sha256Base64(append(a[:], b[:]...)) + "-2"
			if got := aws.ToString(done.ChecksumSHA256); got != composite {
				t.Errorf("Complete answers checksum %q, want the composite %q", got, composite)
			}
			stored, err := os.ReadFile(filepath.Join(dir, "media", filepath.FromSlash(key)))
			if err != nil || !bytes.Equal(stored, whole) {
				t.Errorf("the file under Dir differs from what was sent (%d bytes, %v)", len(stored), err)
			}
		})
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	s := start(t, nil)
	c := s3Client(s, assume(t, s, policyFor(uploadRights, "arn:aws:s3:::media/a.bin")))
	id, _ := uploadParts(t, c, "media", "a.bin", content(100))
	if _, err := c.AbortMultipartUpload(context.Background(), &s3.AbortMultipartUploadInput{Bucket: aws.String("media"), Key: aws.String("a.bin"), UploadId: id}); err != nil {
		t.Fatal(err)
	}
	_, err := c.ListParts(context.Background(), &s3.ListPartsInput{Bucket: aws.String("media"), Key: aws.String("a.bin"), UploadId: id})
	wantRefusal(t, "ListParts after Abort", err, "NoSuchUpload", 404)
}

func TestIfNoneMatch(t *testing.T) {
	s := start(t, nil)
	ctx := context.Background()
	c := s3Client(s, assume(t, s, policyFor(uploadRights, "arn:aws:s3:::media/once.bin")))
	put := func() error {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("media"), Key: aws.String("once.bin"),
			Body: bytes.NewReader(content(10)), IfNoneMatch: aws.String("*")})
		return err
	}
	id, parts := uploadParts(t, c, "media", "once.bin", content(20))
	if err := put(); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, "PutObject on a key that exists", put(), "PreconditionFailed", 412)
	_, err := complete(c, "media", "once.bin", id, parts, func(in *s3.CompleteMultipartUploadInput) { in.IfNoneMatch = aws.String("*") })
	wantRefusal(t, "Complete on a key that exists", err, "PreconditionFailed", 412)

	got, err := s3Client(s, s.Credentials()).GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("media"), Key: aws.String("once.bin")})
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(got.Body); !bytes.Equal(b, content(10)) {
		t.Errorf("the first object was changed: %d bytes", len(b))
	}
}

func TestRestartKeepsObjectsAndSessions(t *testing.T) {
	for name, sideCar := range map[string]bool{"attributes": false, "side-car": true} {
		t.Run(name, func(t *testing.T) {
			dir, former := t.TempDir(), workingDir(t)
			if sideCar { // as if a first start had found no extended attributes
				if err := os.Mkdir(filepath.Join(dir, sideCarDir), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			ctx, key := context.Background(), "a/b.bin"
			first := start(t, func(c *Config) { c.Dir = dir })
			session := assume(t, first, policyFor(uploadRights, "arn:aws:s3:::media/"+key))
			id, parts := uploadParts(t, s3Client(first, session), "media", key, content(1000))
			if _, err := Start(ctx, Config{Dir: dir, Secret: testSecret}); !errors.Is(err, ErrRunning) {
				t.Errorf("a second store at once: %v, want ErrRunning", err)
			}
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := http.Get(first.Endpoint()); err == nil {
				t.Error("a closed store answers")
			}
			if now := workingDir(t); now != former {
				t.Errorf("after Close the working directory is %s, want %s", now, former)
			}

			second := start(t, func(c *Config) { c.Dir = dir })
			if _, err := complete(s3Client(second, session), "media", key, id, parts, nil); err != nil {
				t.Fatal(err)
			}
			head, err := s3Client(second, second.Credentials()).HeadObject(ctx, &s3.HeadObjectInput{
				Bucket: aws.String("media"), Key: &key, ChecksumMode: types.ChecksumModeEnabled})
			if err != nil {
				t.Fatal(err)
			}
			if aws.ToString(head.ContentType) != "video/mp4" || !strings.HasSuffix(aws.ToString(head.ChecksumSHA256), "-1") {
				t.Errorf("HEAD: type %q, checksum %q; want video/mp4 and a composite SHA-256", aws.ToString(head.ContentType), aws.ToString(head.ChecksumSHA256))
			}
			listed, err := s3Client(second, second.Credentials()).ListBuckets(ctx, &s3.ListBucketsInput{})
			if err != nil || len(listed.Buckets) != 2 {
				t.Errorf("ListBuckets: %d buckets, %v; want media and other", len(listed.Buckets), err)
			}
			attributes, _ := filepath.Glob(filepath.Join(dir, sideCarDir, "media", "a", "b.bin", "meta", "*"))
			if sideCar != (len(attributes) > 0) {
				t.Errorf("side-car files %v, side-car in use: %v", attributes, sideCar)
			}
		})
	}
}

func workingDir(t *testing.T) string {
	t.Helper()
	d, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestStartRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"every address":         {func(c *Config) { c.Listen = "0.0.0.0:0" }, `Listen "0.0.0.0:0" is not a loopback address`},
		"every IPv6 address":    {func(c *Config) { c.Listen = "[::]:0" }, "is not a loopback address"},
		"a LAN address":         {func(c *Config) { c.Listen = "192.168.1.5:9000" }, "write 127.0.0.1:9000"},
		"no host":               {func(c *Config) { c.Listen = ":9000" }, "is not a loopback address"},
		"a name":                {func(c *Config) { c.Listen = "example.com:9000" }, "is not a loopback address"},
		"no port":               {func(c *Config) { c.Listen = "127.0.0.1" }, "is not host:port"},
		"STS on every address":  {func(c *Config) { c.STSListen = "0.0.0.0:0" }, `STSListen "0.0.0.0:0"`},
		"a short secret":        {func(c *Config) { c.Secret = []byte("hunter2") }, "Secret has 7 bytes"},
		"no folder":             {func(c *Config) { c.Dir = "" }, "Dir is empty"},
		"every origin":          {func(c *Config) { c.Origins = []string{"*"} }, `"*" is not an exact origin`},
		"an origin with a path": {func(c *Config) { c.Origins = []string{"https://a.example/"} }, "is not an exact origin"},
		"a wildcard origin":     {func(c *Config) { c.Origins = []string{"https://*.example"} }, "is not an exact origin"},
		"a bad bucket name":     {func(c *Config) { c.Buckets = []string{"No_Such"} }, `make "No_Such"`},
	} {
		t.Run(name, func(t *testing.T) {
			c := Config{Dir: t.TempDir(), Secret: testSecret, Buckets: []string{"media"}}
			tt.change(&c)
			s, err := Start(context.Background(), c)
			if err == nil {
				s.Close()
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v, want %q and no secret", err, tt.want)
			}
		})
	}
}

func TestListensOnEveryLoopbackName(t *testing.T) {
	for _, listen := range []string{"localhost:0", "127.0.0.1:0", "[::1]:0"} {
		s := start(t, func(c *Config) { c.Listen, c.STSListen = listen, listen })
		if _, err := s3Client(s, s.Credentials()).ListBuckets(context.Background(), &s3.ListBucketsInput{}); err != nil {
			t.Errorf("%s: %v", listen, err)
		}
		assume(t, s, "")
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, field := range []string{"Listen", "STSListen"} {
		c := Config{Dir: t.TempDir(), Secret: testSecret}
		if field == "Listen" {
			c.Listen = l.Addr().String()
		} else {
			c.STSListen = l.Addr().String()
		}
		if _, err := Start(context.Background(), c); err == nil || !strings.Contains(err.Error(), field) || !strings.Contains(err.Error(), l.Addr().String()) {
			t.Errorf("%v, want the field %s and its value", err, field)
		}
	}
	start(t, nil) // and a failed start leaves the way free
}
