package trial_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/chunksign/chunksign/server/devstore"
)

const allowAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::*"]}]}`

// startStore starts an embedded store with the bucket media.
func startStore(t *testing.T) *devstore.Store {
	t.Helper()
	c := devstore.Config{Dir: t.TempDir(), Secret: make([]byte, 32), Buckets: []string{"media"}}
	store, err := devstore.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		store.Close()
	})
	return store
}

// sessionOf is one of the store's role, with a policy or without.
func sessionOf(store *devstore.Store, policy string) (aws.Credentials, error) {
	own := store.Credentials()
	endpoint := store.STSEndpoint()
	client := sts.New(sts.Options{Region: store.Region(), BaseEndpoint: &endpoint, HTTPClient: http.DefaultClient,
		Credentials: credentials.NewStaticCredentialsProvider(own.AccessKeyID, own.SecretAccessKey, "")})
	return stscreds.NewAssumeRoleProvider(client, store.RoleARN(), func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName, o.Duration = "test", time.Hour
		if policy != "" {
			o.Policy = &policy
		}
	}).Retrieve(context.Background())
}

// left is what the store has: objects and unfinished uploads.
func left(t *testing.T, store *devstore.Store) (keys []string) {
	t.Helper()
	own, endpoint := store.Credentials(), store.Endpoint()
	c := s3.New(s3.Options{Region: store.Region(), BaseEndpoint: &endpoint, UsePathStyle: true,
		HTTPClient:  http.DefaultClient,
		Credentials: credentials.NewStaticCredentialsProvider(own.AccessKeyID, own.SecretAccessKey, "")})
	objects, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("media")})
	if err != nil {
		t.Fatal(err)
	}
	uploads, err := c.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String("media")})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects.Contents {
		keys = append(keys, *o.Key)
	}
	for _, u := range uploads.Uploads {
		keys = append(keys, *u.Key+" "+*u.UploadId)
	}
	return keys
}

// onward sends a request to the store.
type onward func(*http.Request) (*http.Response, error)

// trip is how a store that is bent replies to a request.
type trip func(r *http.Request, next onward) (*http.Response, error)

func (b trip) RoundTrip(r *http.Request) (*http.Response, error) {
	return b(r, http.DefaultTransport.RoundTrip)
}

func answer(r *http.Request, status int, body string) *http.Response {
	if r.Body != nil {
		io.Copy(io.Discard, r.Body) //nolint:errcheck // a test's own
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}
}

// resigned is a presigned request as a store takes it that asks for no signature of
// headers: signed anew, with those that keep says.
func resigned(store *devstore.Store, r *http.Request, keep func(name string) bool) (*http.Request, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	query := r.URL.Query()
	signed := strings.Split(query.Get("X-Amz-SignedHeaders"), ";")
	for name := range query {
		if strings.HasPrefix(name, "X-Amz-") {
			query.Del(name)
		}
	}
	at := *r.URL
	at.RawQuery = query.Encode()
	q, err := http.NewRequestWithContext(r.Context(), r.Method, at.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range r.Header {
		lower := strings.ToLower(name)
		if keep(lower) || strings.Contains(";"+strings.Join(signed, ";")+";", ";"+lower+";") {
			q.Header[name] = values
		}
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	if q.Header.Get("X-Amz-Copy-Source") != "" { // which versitygw takes without a body alone
		q.Body, q.ContentLength, hash = http.NoBody, 0, hex.EncodeToString(sha256.New().Sum(nil))
		q.Header.Del("X-Amz-Checksum-Sha256")
		q.Header.Del("If-None-Match")
	}
	q.Header.Set("X-Amz-Content-Sha256", hash)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	return q, signer.SignHTTP(r.Context(), store.Credentials(), q, hash, "s3", store.Region(), time.Now())
}
