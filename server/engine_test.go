package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/chunksign/chunksign/server/devstore"
)

// s3Engine is the store that a test works at: the embedded one, or else the one
// that scripts/engine has started and names in the environment.
type s3Engine struct {
	name          string // "embedded", "minio", "ceph"
	endpoint, sts string
	region, role  string
	own           aws.Credentials // may do everything, and assume the role
	dir           string          // where the embedded store keeps its files
	nodes         int             // how many serve S3; 0 for the embedded store

	ahead atomic.Int64 // of the clock by which the embedded store's sessions end
}

const embedded = "embedded"

// engineName is which engine the tests run on.
func engineName() string {
	if name := os.Getenv("CHUNKSIGN_ENGINE"); name != "" {
		return name
	}
	return embedded
}

// startEngine gives a store that has these buckets, empty.
func startEngine(t testing.TB, buckets ...string) *s3Engine {
	t.Helper()
	e := &s3Engine{name: engineName()}
	if e.name != embedded {
		env := func(name string) string {
			value := os.Getenv(name)
			if value == "" {
				t.Fatalf("%s is not set; run the test by go run ./scripts/engine %s", name, e.name)
			}
			return value
		}
		e.endpoint, e.region, e.role = env("CHUNKSIGN_S3_ENDPOINT"), env("CHUNKSIGN_S3_REGION"), env("CHUNKSIGN_S3_ROLE_ARN")
		e.sts = env("CHUNKSIGN_STS_ENDPOINT")
		e.own = aws.Credentials{AccessKeyID: env("CHUNKSIGN_S3_ACCESS_KEY"), SecretAccessKey: env("CHUNKSIGN_S3_SECRET_KEY")}
		e.nodes, _ = strconv.Atoi(env("CHUNKSIGN_ENGINE_NODES"))
		for _, bucket := range buckets {
			e.emptyBucket(t, bucket)
		}
		if e.name == "ceph" { // or whoever may put may make public what he puts
			for _, bucket := range buckets {
				e.ignorePublicACLs(t, bucket)
			}
		}
	} else {
		e.dir = t.TempDir()
		store, err := devstore.Start(context.Background(), devstore.Config{Dir: e.dir, Secret: make([]byte, 32), Buckets: buckets,
			Now: func() time.Time { return time.Now().Add(time.Duration(e.ahead.Load())) }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { store.Close() })
		e.endpoint, e.sts, e.region, e.role, e.own = store.Endpoint(), store.STSEndpoint(), store.Region(), store.RoleARN(), store.Credentials()
	}
	t.Setenv("AWS_ACCESS_KEY_ID", e.own.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", e.own.SecretAccessKey)
	return e
}

// keepsChecksums is what Ceph's radosgw 16.2 does not, nor does it look at any.
func (e *s3Engine) keepsChecksums() bool { return e.name != "ceph" }

func (e *s3Engine) ignorePublicACLs(t testing.TB, bucket string) {
	t.Helper()
	if _, err := e.s3(e.own).PutPublicAccessBlock(context.Background(), &s3.PutPublicAccessBlockInput{Bucket: &bucket,
		PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{IgnorePublicAcls: aws.Bool(true)}}); err != nil {
		t.Fatal(err)
	}
}

// emptyBucket makes the bucket where there is none, and removes what is in it.
func (e *s3Engine) emptyBucket(t testing.TB, bucket string) {
	t.Helper()
	ctx, c := context.Background(), e.s3(e.own)
	_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket})
	if code := codeOf(err); err != nil && code != "BucketAlreadyOwnedByYou" && code != "BucketAlreadyExists" {
		t.Fatal(err)
	}
	for _, o := range e.list(t, bucket, "") {
		if _, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: o.Key}); err != nil {
			t.Fatal(err)
		}
	}
}

// list gives every object below a prefix, as the store's owner sees them.
func (e *s3Engine) list(t testing.TB, bucket, prefix string) (all []types.Object) {
	t.Helper()
	pages := s3.NewListObjectsV2Paginator(e.s3(e.own), &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Contents...)
	}
	return all
}

// s3 is a client without retries, so that each refusal is seen.
func (e *s3Engine) s3(c aws.Credentials) *s3.Client {
	return s3.New(s3.Options{Region: e.region, BaseEndpoint: &e.endpoint, UsePathStyle: true, RetryMaxAttempts: 1,
		HTTPClient:  http.DefaultClient, // or each has connections of its own
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)})
}

// session is one of the role with a session policy, "" for none, as somebody may
// have it.
func (e *s3Engine) session(as aws.Credentials, policy string, duration time.Duration) (aws.Credentials, error) {
	own := credentials.NewStaticCredentialsProvider(as.AccessKeyID, as.SecretAccessKey, as.SessionToken)
	client := sts.New(sts.Options{Region: e.region, BaseEndpoint: &e.sts, Credentials: own, RetryMaxAttempts: 1, HTTPClient: http.DefaultClient})
	return stscreds.NewAssumeRoleProvider(client, e.role, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName, o.Duration = "test", duration
		if policy != "" {
			o.Policy = &policy
		}
	}).Retrieve(context.Background())
}

// node asks scripts/engine to "kill" or "start" one of the engine's nodes, and
// comes back once that is so.
func (e *s3Engine) node(t testing.TB, act string, node int) {
	reply, err := http.Post(fmt.Sprintf("%s/%s?node=%d", os.Getenv("CHUNKSIGN_ENGINE_CONTROL"), act, node), "", nil)
	if err != nil {
		t.Error(err)
		return
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusNoContent {
		t.Errorf("%s node %d: %s", act, node, reply.Status)
	}
}

// revived starts the engine's node again where a request has ended it: radosgw
// 16.2.15 may crash as it reads a form's policy.
func revived(t testing.TB) bool {
	t.Helper()
	if engineName() != "ceph" {
		return false
	}
	(&s3Engine{}).node(t, "start", 0)
	return true
}

// configure writes a configuration: $STORE stands for the engine, $TRUSTED for it where its sessions are not tried, $SESSIONS
// for it where pages get some, $SCOPED(query) and $OWN(query) for it with and without its STS and with parts signed there or in headers, $HEADERS for that with parts signed in headers, $BARE for it without its STS, $ROLE for its role, $SIGNING for what its destinations are to have.
func (e *s3Engine) configure(t testing.TB, configuration string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "c.yaml")
	bare := fmt.Sprintf("region: %s, endpoint: %q, conditional_delete: %v, unsigned_headers: %v, sign_parts_in: %s", e.region, e.endpoint, e.name == embedded, e.name == "ceph", map[bool]string{true: "headers", false: "query"}[e.name == "ceph"])
	sts := fmt.Sprintf("role_arn: %q, endpoint: %q", e.role, e.sts)
	tried, trusted := "{ "+bare+", sts: { "+sts+" } }", "{ "+bare+", sts: { "+sts+", trusted: true } }"
	signs := func(store, in string) string {
		return strings.NewReplacer("sign_parts_in: query", "sign_parts_in: "+in, "sign_parts_in: headers", "sign_parts_in: "+in).Replace(store)
	}
	sessions, signing := tried, "session"
	if e.name == "ceph" { // which fails its trial
		sessions, signing = trusted, "presigned"
	}
	text := strings.NewReplacer(
		"$STORE", tried,
		"$SCOPED(query)", signs(tried, "query"), "$SCOPED(headers)", signs(tried, "headers"),
		"$OWN(query)", signs("{ "+bare+" }", "query"), "$OWN(headers)", signs("{ "+bare+" }", "headers"),
		"$TRUSTED", trusted,
		"$SESSIONS", sessions,
		"$SIGNING", signing,
		"$BARE", "{ "+bare+" }",
		"$HEADERS", strings.Replace(sessions, "sign_parts_in: query", "sign_parts_in: headers", 1),
		"$ROLE", e.role,
	).Replace(configuration)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serve runs the server with a configuration.
func (e *s3Engine) serve(t testing.TB, getenv func(string) string, configuration string) *running {
	t.Helper()
	r := &running{engine: e, data: e.dir, log: &buffer{}}
	path := e.configure(t, configuration)
	r.Main = &Main{Config: path, Listen: "127.0.0.1:0", Getenv: getenv, Stdout: &bytes.Buffer{}, Stderr: r.log, Web: testFiles}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return r
}

// codeOf is the store's own code of a refusal.
func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
