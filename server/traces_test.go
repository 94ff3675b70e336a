package main

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collecting is an OpenTelemetry collector that keeps what it gets.
type collecting struct {
	*httptest.Server
	mu    sync.Mutex
	raw   string
	spans []*trace.Span
	names []string // of services
}

func collect(t *testing.T) *collecting {
	t.Helper()
	c := &collecting{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var m collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &m)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.raw += string(body)
		for _, resource := range m.ResourceSpans {
			for _, a := range resource.Resource.Attributes {
				if a.Key == "service.name" {
					c.names = append(c.names, a.Value.GetStringValue())
				}
			}
			for _, scope := range resource.ScopeSpans {
				c.spans = append(c.spans, scope.Spans...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func TestTraces(t *testing.T) {
	c := collect(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	r := startSet(t, os.Getenv, `server: { proxies: [127.0.0.0/8] }
auth: { dev: true }
stores: { s: $TRUSTED }
destinations:
  d: { store: s, bucket: media, key: "{user}/{filename}", content_length: 0..1GiB }
`)
	const theirs = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	u := r.grantAs(t, []string{"traceparent", theirs}, "d", "file-name-of-somebody", 4)
	if _, err := u.put("four"); err != nil {
		t.Fatal(err)
	}
	if done := r.do(t, "POST", "/v1/uploads/complete?secret=hunter2", object(map[string]any{"grant": u.Grant})); done.status != http.StatusOK {
		t.Errorf("%d %s", done.status, done.body)
	}
	if err := r.Close(); err != nil { // which sends what is left
		t.Fatal(err)
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	byName := map[string]*trace.Span{}
	for _, s := range c.spans {
		byName[s.Name+" "+hex.EncodeToString(s.TraceId)[:4]] = s
	}
	grant := byName["POST /v1/destinations/{destination}/uploads 0af7"]
	if grant == nil || hex.EncodeToString(grant.ParentSpanId) != "b7ad6b7169203331" || grant.Kind != trace.Span_SPAN_KIND_SERVER {
		t.Fatalf("the grant's span is %v of %v", grant, byName)
	}
	for _, name := range []string{"session 0af7", "look 0af7"} {
		if s := byName[name]; s == nil || string(s.ParentSpanId) != string(grant.SpanId) || s.Kind != trace.Span_SPAN_KIND_CLIENT {
			t.Errorf("%s: %v", name, s)
		}
	}
	if len(c.spans) != 5 || c.names[0] != "chunksign" {
		t.Errorf("%d spans of %v: %v", len(c.spans), c.names, byName)
	}
	for _, secret := range []string{u.Grant, u.Credentials.AccessKeyID, u.Credentials.SecretAccessKey, u.Credentials.SessionToken, "hunter2", "file-name-of-somebody", os.Getenv("AWS_SECRET_ACCESS_KEY")} {
		if strings.Contains(c.raw, secret) {
			t.Errorf("a span holds %.12s…", secret)
		}
	}
	if !strings.Contains(r.log.String(), `"traceId":"0af7651916cd43dd8448eb211c80319c"`) {
		t.Errorf("the audit log does not name the trace:\n%s", r.log)
	}
}

// Who is no proxy of ours is not believed which trace it belongs to.
func TestTracesOfStrangers(t *testing.T) {
	c := collect(t)
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", c.URL+"/v1/traces")
	t.Setenv("OTEL_SERVICE_NAME", "uploads")
	r := startSet(t, os.Getenv, "auth: { dev: true }\nstores: { s: $TRUSTED }\ndestinations: { d: { store: s, bucket: media, key: \"{uuid}\", content_length: 0..1GiB } }\n")
	// Not sampled, they say: it is recorded all the same.
	r.grantAs(t, []string{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}, "d", "x", 4)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.spans) != 2 || c.names[0] != "uploads" {
		t.Fatalf("%d spans of %v", len(c.spans), c.names)
	}
	for _, s := range c.spans {
		if hex.EncodeToString(s.TraceId) == "0af7651916cd43dd8448eb211c80319c" {
			t.Errorf("%s is in the stranger's trace", s.Name)
		}
		if s.Kind == trace.Span_SPAN_KIND_SERVER && (len(s.Links) != 1 || hex.EncodeToString(s.Links[0].SpanId) != "b7ad6b7169203331") {
			t.Errorf("it links to %v", s.Links)
		}
	}
}

func TestACollectorThatIsAway(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	r := startSet(t, os.Getenv, "auth: { dev: true }\nstores: { s: $TRUSTED }\ndestinations: { d: { store: s, bucket: media, key: \"{uuid}\", content_length: 0..1GiB } }\n")
	r.grant(t, "d", "x", 4)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if log := r.log.String(); !strings.Contains(log, `"msg":"traces"`) {
		t.Errorf("the log does not say so:\n%s", log)
	}

	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	m := &Main{Config: r.Config, Listen: "127.0.0.1:0", Getenv: os.Getenv, Stdout: io.Discard, Stderr: io.Discard, Web: testFiles}
	defer m.Close()
	if err := m.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "http/protobuf only") {
		t.Errorf("grpc: %v", err)
	}
}
