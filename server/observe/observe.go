// Package observe makes what the server does visible: a line in the audit log
// for every decision (this file), numbers for Prometheus (metrics.go), and spans for
// OpenTelemetry (traces.go).
//
// None holds a secret, and numbers and spans hold nothing that a client can choose:
// their labels are the configuration's names and constants of the code.
package observe

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/trace"

	"github.com/chunksign/chunksign/server/destination"
)

// Audit writes a line for each decision: who, what, where, and what came of it.
// Refusals are of the level WARN.
func Audit(logger *slog.Logger) destination.Auditor {
	return func(ctx context.Context, d destination.Decision) {
		level := slog.LevelInfo
		if d.Outcome != destination.Yes && d.Outcome != destination.Exists {
			level = slog.LevelWarn
		}
		attributes := []slog.Attr{
			slog.String("what", d.What), slog.String("outcome", string(d.Outcome)), slog.String("principal", d.Principal.ID),
			slog.String("destination", d.Destination), slog.String("requestId", d.Principal.Via.ID), slog.String("remote", d.Principal.Via.Address),
		}
		if d.Key != "" {
			attributes = append(attributes, slog.String("key", d.Key), slog.Int64("size", d.Size))
		}
		if d.GrantID != "" {
			attributes = append(attributes, slog.String("grant", d.GrantID))
		}
		if c := trace.SpanContextFromContext(ctx); c.IsValid() {
			attributes = append(attributes, slog.String("traceId", c.TraceID().String()))
		}
		if d.Session != "" {
			attributes = append(attributes, slog.String("session", d.Session))
		}
		logger.LogAttrs(ctx, level, "audit", attributes...)
	}
}

// Both tells two Auditors.
func Both(first, second destination.Auditor) destination.Auditor {
	return func(ctx context.Context, d destination.Decision) {
		first(ctx, d)
		second(ctx, d)
	}
}
