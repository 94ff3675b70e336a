package sim

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/chunksign/chunksign/server/devstore"
	"github.com/chunksign/chunksign/wasm/s3api"
	"github.com/chunksign/chunksign/wasm/sigv4"
)

func TestTheEmbeddedStoreConforms(t *testing.T) {
	var ahead time.Duration // of the clock by which sessions end
	store, err := devstore.Start(context.Background(), devstore.Config{
		Dir: t.TempDir(), Buckets: []string{"media"}, Secret: bytes.Repeat([]byte("s"), 32), Now: func() time.Time { return time.Now().Add(ahead) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	root := store.Credentials()
	s := overHTTP(t, versitygw, store.Endpoint(), store.STSEndpoint(), store.Region(), store.RoleARN(), "media", root)
	s.expire = func() { ahead = 2 * time.Hour }
	conform(t, s)
}

// The store that scripts/engine runs, or another that its variables name, is held
// to the suite too.
func TestTheNamedEngineConforms(t *testing.T) {
	name, env := os.Getenv("CHUNKSIGN_ENGINE"), func(name string) string { return os.Getenv("CHUNKSIGN_S3_" + name) }
	if name == "" {
		return
	}
	engines := map[string]quirks{minio.Name: minio, ceph.Name: ceph, versitygw.Name: versitygw, amazon.Name: amazon}
	if engines[name].Name == "" {
		t.Fatalf("CHUNKSIGN_ENGINE is %q; write one of minio, ceph, versitygw, aws", name)
	}
	const bucket = "conform"
	root := aws.Credentials{AccessKeyID: env("ACCESS_KEY"), SecretAccessKey: env("SECRET_KEY")}
	s := overHTTP(t, engines[name], env("ENDPOINT"), os.Getenv("CHUNKSIGN_STS_ENDPOINT"), env("REGION"), env("ROLE_ARN"), bucket, root)
	own := credentials.NewStaticCredentialsProvider(root.AccessKeyID, root.SecretAccessKey, "")
	c := s3.New(s3.Options{Region: env("REGION"), BaseEndpoint: aws.String(env("ENDPOINT")), UsePathStyle: true, Credentials: own})
	if _, err := c.CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatal(err)
	}
	if name == ceph.Name { // MinIO gives no session of less than 15 min
		s.expire = func() { endSession(t, s, env("ROLE_ARN"), root) }
	}
	conform(t, s)
}

// endSession gives the shop a session of a few seconds and waits until it has ended.
func endSession(t *testing.T, s *shop, role string, root aws.Credentials) {
	t.Helper()
	session := assumed(t, os.Getenv("CHUNKSIGN_STS_ENDPOINT"), s.target.Region, role, root, 2*time.Second)
	s.credentials = sigv4.Credentials{AccessKeyID: session.AccessKeyID, SecretAccessKey: session.SecretAccessKey, SessionToken: session.SessionToken}
	<-time.After(time.Until(session.Expires) + time.Second)
}

// assumed is a session from a store's STS.
func assumed(t *testing.T, stsEndpoint, region, role string, root aws.Credentials, duration time.Duration) aws.Credentials {
	t.Helper()
	own := credentials.NewStaticCredentialsProvider(root.AccessKeyID, root.SecretAccessKey, "")
	session, err := stscreds.NewAssumeRoleProvider(sts.New(sts.Options{Region: region, BaseEndpoint: &stsEndpoint, Credentials: own}), role,
		func(o *stscreds.AssumeRoleOptions) { o.RoleSessionName, o.Duration = "conform", duration }).Retrieve(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// overHTTP is a real store, used with a session from its STS.
func overHTTP(t *testing.T, q quirks, endpoint, stsEndpoint, region, role, bucket string, root aws.Credentials) *shop {
	t.Helper()
	own := credentials.NewStaticCredentialsProvider(root.AccessKeyID, root.SecretAccessKey, "")
	looker := s3.New(s3.Options{Region: region, BaseEndpoint: &endpoint, UsePathStyle: true, Credentials: own})
	session := assumed(t, stsEndpoint, region, role, root, time.Hour)
	return &shop{
		quirks: q, now: time.Now,
		credentials: sigv4.Credentials{AccessKeyID: session.AccessKeyID, SecretAccessKey: session.SecretAccessKey, SessionToken: session.SessionToken},
		target:      s3api.Target{Endpoint: endpoint, Bucket: bucket, Region: region},
		do: func(method, url string, header []sigv4.Param, body []byte) s3api.Reply {
			return exchange(t, method, url, header, body)
		},
		head: func(key string) (int64, string, bool) {
			o, err := looker.HeadObject(context.Background(), &s3.HeadObjectInput{Bucket: &bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled})
			if err != nil {
				return 0, "", false
			}
			return aws.ToInt64(o.ContentLength), aws.ToString(o.ChecksumSHA256), true
		},
	}
}

func exchange(t *testing.T, method, url string, header []sigv4.Param, body []byte) s3api.Reply {
	t.Helper()
	r, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range header {
		r.Header.Set(h.Name, h.Value)
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Errorf("%s %s: %v", method, url, err)
		return s3api.Reply{}
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Errorf("%s %s: %v", method, url, err)
	}
	return s3api.Reply{Status: reply.StatusCode, ETag: reply.Header.Get("ETag"), RequestID: reply.Header.Get("X-Amz-Request-Id"), Body: text}
}
