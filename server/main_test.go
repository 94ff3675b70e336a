package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/chunksign/chunksign/server/compat"
)

// running is the real server, on a free port.
type running struct {
	*Main
	engine *s3Engine // nil where the server has started its own store
	data   string    // the embedded store's folder
	log    *buffer
}

// buffer is a log that tests read while the server writes.
type buffer struct {
	mu    sync.Mutex
	wrote sync.Cond
	b     bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.wrote.Broadcast()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// said waits until there is a line with all of some words.
func (b *buffer) said(words ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.wrote.L = &b.mu; !b.has(words...); {
		b.wrote.Wait()
	}
}

func (b *buffer) has(words ...string) bool {
	for line := range strings.SplitSeq(b.b.String(), "\n") {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			return true
		}
	}
	return false
}

var testFiles = fstest.MapFS{"index.html": {Data: []byte("<!doctype html>demo")}}

func nothingSet(string) string { return "" }

func start(t *testing.T, data string) *running {
	t.Helper()
	var stdout bytes.Buffer
	r := &running{data: data, log: &buffer{}}
	r.Main = &Main{Listen: "127.0.0.1:0", Data: data, Getenv: nothingSet, Stdout: &stdout, Stderr: r.log, Web: testFiles}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if stdout.String() != r.URL+"\n" || !strings.HasPrefix(r.URL, "http://127.0.0.1:") {
		t.Fatalf("stdout is %q; want the address alone", stdout.String())
	}
	return r
}

// reply is what the server answered.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// problem is an error's code, "" for no error.
func (r reply) problem() string {
	var p struct{ Type, Title, Detail, Code, RequestID string }
	if r.status < 400 || r.header.Get("Content-Type") != "application/problem+json" {
		return ""
	}
	if json.Unmarshal(r.body, &p) != nil || p.Title == "" || p.Detail == "" || p.RequestID == "" || p.RequestID != r.header.Get("X-Request-Id") || !strings.HasSuffix(p.Type, p.Code) {
		return "malformed: " + string(r.body)
	}
	return p.Code
}

// do sends a request; header holds names and values in turn.
func (r *running) do(t *testing.T, method, path, body string, header ...string) reply {
	t.Helper()
	q, err := http.NewRequest(method, strings.TrimSuffix(r.URL, "/")+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		q.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			q.Host = header[i+1]
		}
		q.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{answer.StatusCode, answer.Header, data}
}

// upload is the reply to a request for a grant.
type upload struct {
	Grant, Expires, ServerTime string
	Upload                     struct {
		Bucket, Key, Region, Endpoint, Addressing string
		Headers                                   map[string]string
		Overwrite                                 *bool
	}
	Parts       struct{ MinSize, MaxSize, MaxCount int64 }
	Credentials struct{ AccessKeyID, SecretAccessKey, SessionToken, Expiration string }
	Evaporate   *compat.ForEvaporate
}

func object(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func (r *running) grant(t *testing.T, destination, name string, size int) upload {
	t.Helper()
	return r.grantAs(t, nil, destination, name, size)
}

// grantAs asks with further headers.
func (r *running) grantAs(t *testing.T, header []string, destination, name string, size int) upload {
	t.Helper()
	answer := r.do(t, "POST", "/v1/destinations/"+destination+"/uploads", object(map[string]any{"name": name, "type": "text/x-test", "size": size}), header...)
	var u upload
	if err := json.Unmarshal(answer.body, &u); answer.status != http.StatusCreated || err != nil {
		t.Fatalf("a grant for %q: %d %s, %v", name, answer.status, answer.body, err)
	}
	return u
}

// s3 is a client with the upload's own credentials.
func (u upload) s3() *s3.Client {
	return s3.New(s3.Options{
		Region: u.Upload.Region, BaseEndpoint: aws.String(u.Upload.Endpoint), UsePathStyle: u.Upload.Addressing == "path",
		Credentials: credentials.NewStaticCredentialsProvider(u.Credentials.AccessKeyID, u.Credentials.SecretAccessKey, u.Credentials.SessionToken),
	})
}

func (u upload) put(content string) (*s3.PutObjectOutput, error) {
	return u.s3().PutObject(context.Background(), &s3.PutObjectInput{
		Bucket: aws.String(u.Upload.Bucket), Key: aws.String(u.Upload.Key), Body: strings.NewReader(content), ContentType: aws.String(u.Upload.Headers["content-type"]),
	})
}
