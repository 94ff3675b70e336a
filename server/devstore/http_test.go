package devstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// send sends a signed URL and turns an S3 error body into what the SDK would return.
func send(ctx context.Context, method, url string, body io.Reader) error {
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if reply.StatusCode < 400 {
		return nil
	}
	return &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: reply}, Err: s3Error(reply.Body)}
}

func s3Error(body io.Reader) error {
	var e struct{ Code, Message string }
	if err := xml.NewDecoder(body).Decode(&e); err != nil {
		return fmt.Errorf("not an S3 error: %w", err)
	}
	return &smithy.GenericAPIError{Code: e.Code, Message: e.Message}
}

func TestCredentialsRefused(t *testing.T) {
	at := time.Now()
	s := start(t, func(c *Config) { c.Now = func() time.Time { return at } })
	policy := policyFor(uploadRights, "arn:aws:s3:::media/mine.bin")
	session, neighbour := assume(t, s, policy), assume(t, s, policy)
	with := func(change func(*aws.Credentials)) aws.Credentials {
		c := session
		change(&c)
		return c
	}
	flip := func(text string, i int) string {
		other := byte('A')
		if text[i] == 'A' {
			other = 'B'
		}
		return text[:i] + string(other) + text[i+1:]
	}
	for _, tt := range []struct {
		name   string
		creds  aws.Credentials
		later  time.Duration
		code   string
		status int
	}{
		{"as issued", session, 0, "", 0},
		{"a second before the end", session, 15*time.Minute - time.Second, "", 0},
		{"expired", session, 15 * time.Minute, "ExpiredToken", 400},
		{"wrong secret", with(func(c *aws.Credentials) { c.SecretAccessKey = neighbour.SecretAccessKey }), 0, "SignatureDoesNotMatch", 403},
		{"no token", with(func(c *aws.Credentials) { c.SessionToken = "" }), 0, "InvalidAccessKeyId", 403},
		{"a session's token under another's key", with(func(c *aws.Credentials) { c.SessionToken = neighbour.SessionToken }), 0, "InvalidToken", 400},
		{"token altered at its start", with(func(c *aws.Credentials) { c.SessionToken = flip(c.SessionToken, 0) }), 0, "InvalidToken", 400},
		{"token altered in its middle", with(func(c *aws.Credentials) { c.SessionToken = flip(c.SessionToken, len(c.SessionToken)/2) }), 0, "InvalidToken", 400},
		{"token cut short", with(func(c *aws.Credentials) { c.SessionToken = c.SessionToken[:40] }), 0, "InvalidToken", 400},
		{"root's key with a token", with(func(c *aws.Credentials) {
			*c = s.Credentials()
			c.SessionToken = session.SessionToken
		}), 0, "InvalidToken", 400},
		{"root's key with another secret", aws.Credentials{AccessKeyID: s.Credentials().AccessKeyID, SecretAccessKey: session.SecretAccessKey}, 0, "SignatureDoesNotMatch", 403},
		{"nobody's key", aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "x"}, 0, "InvalidAccessKeyId", 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			issued := at
			at = at.Add(tt.later)
			defer func() { at = issued }()
			err := put(context.Background(), s3Client(s, tt.creds), "media", "mine.bin")
			if tt.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantRefusal(t, "PutObject", err, tt.code, tt.status)
			// The presigned form takes another way through the gateway.
			signed, err := s3.NewPresignClient(s3Client(s, tt.creds)).PresignPutObject(context.Background(), &s3.PutObjectInput{Bucket: media, Key: mine})
			if err != nil {
				t.Fatal(err)
			}
			wantRefusal(t, "presigned PUT", send(context.Background(), signed.Method, signed.URL, strings.NewReader("x")), tt.code, tt.status)
		})
	}
}

func TestTokenOfAnotherSecret(t *testing.T) {
	dir := t.TempDir()
	first := start(t, func(c *Config) { c.Dir = dir })
	session := assume(t, first, "")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := start(t, func(c *Config) { c.Dir, c.Secret, c.Buckets = dir, bytes.Repeat([]byte("z"), 32), nil })
	wantRefusal(t, "PutObject", put(context.Background(), s3Client(second, session), "media", "x"), "InvalidToken", 400)
	if second.Credentials().AccessKeyID == first.Credentials().AccessKeyID {
		t.Error("another secret gave the same root key")
	}
	second.Close()
	_, err := Start(context.Background(), Config{Dir: dir, Secret: bytes.Repeat([]byte("z"), 32), Buckets: []string{"media"}})
	if err == nil || !strings.Contains(err.Error(), "another Secret") {
		t.Errorf("Start on another store's bucket: %v, want it to say so", err)
	}
}

// request sends one request with a body of zeros and returns its reply, read to the end.
func request(t *testing.T, method, url, host, origin string, headers map[string]string, bodyLen int) *http.Response {
	t.Helper()
	r, err := http.NewRequest(method, url, bytes.NewReader(make([]byte, bodyLen)))
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		r.Host = host
	}
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer reply.Body.Close()
	if _, err := io.Copy(io.Discard, reply.Body); err != nil {
		t.Fatal(err)
	}
	return reply
}

func TestPreflight(t *testing.T) {
	s := start(t, nil)
	preflight := func(origin string) *http.Response {
		return request(t, "OPTIONS", s.Endpoint()+"/media/a%20b.bin?partNumber=1&uploadId=x", "", origin, map[string]string{
			"Access-Control-Request-Method":  "PUT",
			"Access-Control-Request-Headers": "authorization,content-type,x-amz-checksum-sha256,x-amz-content-sha256,x-amz-date,x-amz-security-token",
		}, 0)
	}
	allowed := preflight(testOrigin)
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":   testOrigin,
		"Access-Control-Allow-Methods":  "PUT",
		"Access-Control-Allow-Headers":  "x-amz-security-token",
		"Access-Control-Max-Age":        "3600",
		"Access-Control-Expose-Headers": "x-amz-checksum-crc64nvme",
		"Vary":                          "Origin",
	} {
		if got := allowed.Header.Get(name); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q in it", name, got, want)
		}
	}
	if allowed.StatusCode != 200 && allowed.StatusCode != 204 {
		t.Errorf("status %d", allowed.StatusCode)
	}
	for _, origin := range []string{"http://evil.example", "http://127.0.0.1:8081", "https://127.0.0.1:8080", "null"} {
		if reply := preflight(origin); reply.StatusCode != 403 || reply.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("preflight from %s: %d, Allow-Origin %q", origin, reply.StatusCode, reply.Header.Get("Access-Control-Allow-Origin"))
		}
	}

	later := "https://later.example"
	if err := s.SetOrigins(context.Background(), []string{later}); err != nil {
		t.Fatal(err)
	}
	if got := preflight(later).Header.Get("Access-Control-Allow-Origin"); got != later {
		t.Errorf("after SetOrigins, Allow-Origin %q", got)
	}
	if got := preflight(testOrigin).Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("an origin taken away is still allowed: %q", got)
	}
	if err := s.SetOrigins(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if reply := preflight(later); reply.StatusCode != 403 {
		t.Errorf("with no origins, a preflight answers %d", reply.StatusCode)
	}
}

// TestRefusalsAreReadable sends whole parts that are refused: an allowed page gets the reply with its CORS headers, though
// the store stopped reading early; another page does not.
func TestRefusalsAreReadable(t *testing.T) {
	s := start(t, nil)
	missing, err := s3.NewPresignClient(s3Client(s, s.Credentials())).PresignPutObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String("nowhere"), Key: mine})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, method, path string
		status             int
	}{
		{"a part with a bad signature", "PUT", "/media/a.bin?partNumber=1&uploadId=x", 403},
		{"an object with a bad signature", "PUT", "/media/a.bin", 403},
		{"Create with a bad signature", "POST", "/media/a.bin?uploads", 403},
		{"a bucket that is not there", "PUT", strings.TrimPrefix(missing.URL, s.Endpoint()), 404},
		{"a bad bucket name", "PUT", "/No_Such/a.bin", 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			headers := map[string]string{"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD", "X-Amz-Date": time.Now().UTC().Format(amzDate),
				"Authorization": "AWS4-HMAC-SHA256 Credential=" + s.Credentials().AccessKeyID + "/" + time.Now().UTC().Format("20060102") +
					"/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=" + strings.Repeat("0", 64)}
			if strings.Contains(tt.path, "X-Amz-Signature") {
				headers = nil
			}
			ours := request(t, tt.method, s.Endpoint()+tt.path, "", testOrigin, headers, 16<<20)
			if ours.StatusCode != tt.status || ours.Header.Get("Access-Control-Allow-Origin") != testOrigin {
				t.Errorf("%d, Allow-Origin %q; want %d for %s", ours.StatusCode, ours.Header.Get("Access-Control-Allow-Origin"), tt.status, testOrigin)
			}
			if !strings.Contains(strings.ToLower(ours.Header.Get("Access-Control-Expose-Headers")), "x-amz-request-id") || len(ours.Header.Values("X-Amz-Request-Id")) != 1 {
				t.Errorf("the request id cannot be read: %q, exposed %q", ours.Header.Values("X-Amz-Request-Id"), ours.Header.Get("Access-Control-Expose-Headers"))
			}
			other := request(t, tt.method, s.Endpoint()+tt.path, "", "http://evil.example", headers, 16<<20)
			if got := other.Header.Get("Access-Control-Allow-Origin"); got != "" {
				t.Errorf("another page is allowed: %q", got)
			}
		})
	}
}

func TestPageReadsWhatWasStored(t *testing.T) {
	s := start(t, nil)
	signed, err := s3.NewPresignClient(s3Client(s, s.Credentials())).PresignPutObject(context.Background(), &s3.PutObjectInput{Bucket: media, Key: mine})
	if err != nil {
		t.Fatal(err)
	}
	reply := request(t, signed.Method, signed.URL, "", testOrigin, nil, 100)
	exposed := strings.ToLower(reply.Header.Get("Access-Control-Expose-Headers"))
	for _, name := range []string{"etag", "x-amz-request-id"} {
		if values := reply.Header.Values(name); len(values) != 1 || values[0] == "" || !strings.Contains(exposed, name) {
			t.Errorf("%s: %q, exposed %q; want one value that a page may read", name, values, exposed)
		}
	}
	if reply.StatusCode != 200 || len(reply.Header.Values("Access-Control-Allow-Origin")) != 1 || reply.Header.Get("Access-Control-Allow-Origin") != testOrigin {
		t.Errorf("%d, Allow-Origin %q", reply.StatusCode, reply.Header.Values("Access-Control-Allow-Origin"))
	}
}

// TestCorruptBytesAreRefused sends a part that is not what its signed hash and its checksum say.
func TestCorruptBytesAreRefused(t *testing.T) {
	s := start(t, nil)
	session := assume(t, s, policyFor(uploadRights, "arn:aws:s3:::media/mine.bin"))
	c := s3Client(s, session)
	id, _ := uploadParts(t, c, "media", "mine.bin")
	_, err := c.UploadPart(context.Background(), &s3.UploadPartInput{Bucket: media, Key: mine, UploadId: id, PartNumber: aws.Int32(1),
		Body: bytes.NewReader(content(10)), ChecksumSHA256: aws.String(sha256Base64(content(11)))})
	wantRefusal(t, "another checksum", err, "BadDigest", 400)
	reply, err := sendPart(s, session, "/media/mine.bin?partNumber=1&uploadId="+aws.ToString(id), content(11), sha256.Sum256(content(10)))
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	if err := s3Error(reply.Body); reply.StatusCode != 400 || !strings.Contains(err.Error(), "XAmzContentSHA256Mismatch") {
		t.Errorf("another payload than the signed one: %d %v", reply.StatusCode, err)
	}
	listed, err := c.ListParts(context.Background(), &s3.ListPartsInput{Bucket: media, Key: mine, UploadId: id})
	if err != nil || len(listed.Parts) != 0 {
		t.Errorf("a refused part is listed: %v, %v", listed, err)
	}
}

// sendPart sends a part as a page does: the payload's SHA-256, sum, is signed and is the checksum too.
func sendPart(s *Store, c aws.Credentials, path string, part []byte, sum [sha256.Size]byte) (*http.Response, error) {
	r, err := http.NewRequest("PUT", s.Endpoint()+path, bytes.NewReader(part))
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	r.Header.Set("X-Amz-Checksum-Sha256", base64.StdEncoding.EncodeToString(sum[:]))
	if err := v4.NewSigner().SignHTTP(context.Background(), c, r, hex.EncodeToString(sum[:]), "s3", s.Region(), time.Now()); err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(r)
}

func TestForeignHost(t *testing.T) {
	s := start(t, nil)
	for _, endpoint := range []string{s.Endpoint(), s.STSEndpoint()} {
		port := endpoint[strings.LastIndex(endpoint, ":"):]
		for host, own := range map[string]bool{
			"127.0.0.1" + port: true, "localhost" + port: true, "LOCALHOST" + port: true, "[::1]" + port: true,
			"evil.example" + port: false, "evil.example": false, "127.0.0.1": false, "127.0.0.1:1": false,
			"localhost.evil.example" + port: false, "192.168.1.5" + port: false, "0.0.0.0" + port: false,
		} {
			for _, method := range []string{"GET", "POST", "OPTIONS"} {
				reply := request(t, method, endpoint+"/media/mine.bin", host, testOrigin, nil, 10)
				if refused := reply.StatusCode == 421; refused == own {
					t.Errorf("%s %s with Host %s: %d", method, endpoint, host, reply.StatusCode)
				}
				if got := reply.Header.Get("Access-Control-Allow-Origin"); !own && got != "" {
					t.Errorf("%s %s with Host %s: Allow-Origin %q", method, endpoint, host, got)
				}
			}
		}
	}
}
