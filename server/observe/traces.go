package observe

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"

	"github.com/chunksign/chunksign/server/destination"
)

// Traces sends spans to an OpenTelemetry collector: one for each request, and
// below it one for each session, look, delete and webhook. They carry names of
// the configuration, status and outcome; no URL, key, principal or header. A
// nil Traces makes none.
type Traces struct {
	provider *trace.TracerProvider
	tracer   api.Tracer
}

// The variables of OpenTelemetry's that say whether there are traces. The SDK
// reads these and the others from the process's environment
// (opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables).
const (
	endpoint       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	tracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	protocol       = "OTEL_EXPORTER_OTLP_PROTOCOL"
	tracesProtocol = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
)

// NewTraces answers nil where the environment names no collector.
func NewTraces(ctx context.Context, getenv func(string) string, logger *slog.Logger) (*Traces, error) {
	if getenv(endpoint) == "" && getenv(tracesEndpoint) == "" || getenv("OTEL_TRACES_EXPORTER") == "none" || strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") {
		return nil, nil
	}
	for _, name := range []string{protocol, tracesProtocol} {
		if p := getenv(name); p != "" && p != "http/protobuf" {
			return nil, errors.New(name + " is " + p + ", and traces are sent as http/protobuf only; leave it out, and name the collector's port for that (4318)")
		}
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, err
	}
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "chunksign")), resource.WithFromEnv())
	if err != nil {
		return nil, err
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("traces", "error", err) }))
	t := &Traces{provider: trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(about))}
	t.tracer = t.provider.Tracer("github.com/chunksign/chunksign")
	return t, nil
}

// closeTimeout bounds the sending of the last spans.
const closeTimeout = 5 * time.Second

// Close sends what has not been sent.
func (t *Traces) Close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	// A collector that is away keeps the server from nothing.
	if err := t.provider.Shutdown(ctx); err != nil {
		otel.Handle(err)
	}
	return nil
}

// Request begins the span of a request; what it returns ends it. A request of
// a proxy of ours goes on with the trace that its traceparent names
// (www.w3.org/TR/trace-context). Anybody else's word only links to one: who
// calls may neither choose what is recorded nor join others' traces.
func (t *Traces) Request(r *http.Request, ours bool) (ctx context.Context, end func(route string, status int)) {
	ctx = r.Context()
	if t == nil {
		return ctx, func(string, int) {}
	}
	said := propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
	options := []api.SpanStartOption{api.WithSpanKind(api.SpanKindServer)}
	if ours {
		ctx = said
	} else if c := api.SpanContextFromContext(said); c.IsValid() {
		options = append(options, api.WithLinks(api.Link{SpanContext: c}))
	}
	ctx, span := t.tracer.Start(ctx, method(r.Method), options...)
	return ctx, func(route string, status int) {
		span.SetName(method(r.Method) + " " + route)
		span.SetAttributes(attribute.String("http.request.method", method(r.Method)), attribute.String("http.route", route), attribute.Int("http.response.status_code", status))
		if status >= 500 {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// call begins the span of what the server asks somebody else.
func (t *Traces) call(ctx context.Context, name string, a attribute.KeyValue) (context.Context, func(error)) {
	ctx, span := t.tracer.Start(ctx, name, api.WithSpanKind(api.SpanKindClient), api.WithAttributes(a))
	return ctx, func(err error) {
		span.SetAttributes(attribute.String("chunksign.outcome", outcome(err)))
		if err != nil {
			span.SetStatus(codes.Error, outcome(err))
		}
		span.End()
	}
}

// Sessions traces an issuer.
func (t *Traces) Sessions(i destination.SessionIssuer) destination.SessionIssuer {
	if t == nil {
		return i
	}
	return tracedIssuer{t, i}
}

type tracedIssuer struct {
	t *Traces
	destination.SessionIssuer
}

func (i tracedIssuer) Issue(ctx context.Context, r destination.SessionRequest) (destination.Session, error) {
	ctx, end := i.t.call(ctx, "session", attribute.String("chunksign.store", r.Store.Name))
	session, err := i.SessionIssuer.Issue(ctx, r)
	end(err)
	return session, err
}

// Objects traces a looker.
func (t *Traces) Objects(l destination.ObjectLooker) destination.ObjectLooker {
	if t == nil {
		return l
	}
	return tracedLooker{t, l}
}

type tracedLooker struct {
	t *Traces
	destination.ObjectLooker
}

func (l tracedLooker) Look(ctx context.Context, s *destination.Store, bucket, key string) (*destination.Object, error) {
	ctx, end := l.t.call(ctx, "look", attribute.String("chunksign.store", s.Name))
	o, err := l.ObjectLooker.Look(ctx, s, bucket, key)
	end(err)
	return o, err
}

func (l tracedLooker) Remove(ctx context.Context, s *destination.Store, bucket, key string, o *destination.Object) (bool, error) {
	ctx, end := l.t.call(ctx, "remove", attribute.String("chunksign.store", s.Name))
	removed, err := l.ObjectLooker.Remove(ctx, s, bucket, key, o)
	end(err)
	return removed, err
}

// Hooks traces a notifier.
func (t *Traces) Hooks(n destination.Notifier) destination.Notifier {
	if t == nil {
		return n
	}
	return tracedNotifier{t, n}
}

type tracedNotifier struct {
	t *Traces
	destination.Notifier
}

func (n tracedNotifier) Notify(ctx context.Context, w *destination.Webhook, f destination.Finished) error {
	ctx, end := n.t.call(ctx, "webhook", attribute.String("chunksign.destination", f.Destination))
	err := n.Notifier.Notify(ctx, w, f)
	end(err)
	return err
}
