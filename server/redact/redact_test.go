package redact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestURL(t *testing.T) {
	for text, want := range map[string]string{
		"https://hooks.example.com/services/T0/B0/t0ken?key=t0ken#t0ken": "https://hooks.example.com",
		"http://user:t0ken@127.0.0.1:8080/":                              "http://127.0.0.1:8080",
		"rediss://:t0ken@[::1]:6379/0":                                   "rediss://[::1]:6379",
		"unix:///run/t0ken.sock":                                         "(a URL)",
		"t0ken":                                                          "(a URL)",
		"https://a b/t0ken\x7f":                                          "(a URL)",
	} {
		if got := URL(text); got != want {
			t.Errorf("%s: %s; want %s", text, got, want)
		}
	}
}

// TestErrors calls addresses that cannot be reached, as real clients do, and wraps what comes of it.
func TestErrors(t *testing.T) {
	for _, address := range []string{
		"http://127.0.0.1:1/services/t0ken?key=t0ken", "http://t0ken:t0ken@127.0.0.1:1/t0ken", "http://127.0.0.1:1/t0ken%22%20%5c<é", "http://127.0.0.1:1/t0ken\"é",
		"http://127.0.0.1:x/t0ken", "ht tp://t0ken", "ftp://127.0.0.1/t0ken", "http://127.0.0.1:1/%zzt0ken",
	} {
		_, err := http.Get(address)
		if err == nil || !strings.Contains(err.Error(), "t0ken") {
			t.Fatalf("%s: %v", address, err)
		}
		for _, e := range []error{err, fmt.Errorf("the webhook: %w", err), errors.Join(io.EOF, fmt.Errorf("%w, %w", io.EOF, err))} {
			safe := Error(e)
			if strings.Contains(safe.Error(), "t0ken") {
				t.Errorf("%s: %v", address, safe)
			}
			if _, ok := errors.AsType[*url.Error](safe); !ok || !errors.Is(safe, err) {
				t.Errorf("%s: %v does not wrap what it was", address, safe)
			}
			var log bytes.Buffer
			for _, h := range []slog.Handler{
				slog.NewJSONHandler(&log, &slog.HandlerOptions{ReplaceAttr: Attr}), slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: Attr}),
			} {
				slog.New(h).With("first", e).WithGroup("g").ErrorContext(context.Background(), "failed", "error", e, slog.Group("in", "error", e))
			}
			if strings.Contains(log.String(), "t0ken") {
				t.Errorf("%s: logged as %s", address, log.String())
			}
		}
	}
	if Error(nil) != nil || Error(io.EOF) != io.EOF {
		t.Error("an error without a URL is another one")
	}
}
