// Package redact takes out of errors and texts what may be a secret in a URL.
//
// The URL of a webhook or of the application that forward asks often holds a
// token in its path or query, and an error of net/http quotes the whole URL. A
// log shows where a call went by scheme and host. The server's loggers and the
// commands' last words apply Error to every error; a package that writes a URL
// into an error of its own uses URL.
package redact

import (
	"log/slog"
	"net/url"
	"strconv"
	"strings"
)

// URL returns the scheme and the host of a URL, without user, path and query.
func URL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return "(a URL)"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}

// Error returns an error that reads as err does, but with every URL that
// net/http and net/url quote cut down to scheme and host. What err wraps stays
// within reach of errors.Is and errors.As; print what this returns, not that.
func Error(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	var cut func(error)
	cut = func(e error) {
		// *url.Error quotes its URL, and others may have it as it is.
		if e, ok := e.(*url.Error); ok && e.URL != "" {
			quoted := strconv.Quote(e.URL)
			text = strings.ReplaceAll(text, quoted[1:len(quoted)-1], URL(e.URL))
			text = strings.ReplaceAll(text, e.URL, URL(e.URL))
		}
		switch e := e.(type) {
		case interface{ Unwrap() error }:
			if inner := e.Unwrap(); inner != nil {
				cut(inner)
			}
		case interface{ Unwrap() []error }:
			for _, inner := range e.Unwrap() {
				cut(inner)
			}
		}
	}
	cut(err)
	if text == err.Error() {
		return err
	}
	return &redacted{text, err}
}

type redacted struct {
	text string
	err  error
}

func (r *redacted) Error() string { return r.text }
func (r *redacted) Unwrap() error { return r.err }

// Attr is a slog.HandlerOptions.ReplaceAttr that applies Error.
func Attr(_ []string, a slog.Attr) slog.Attr {
	if err, ok := a.Value.Any().(error); ok {
		a.Value = slog.StringValue(Error(err).Error())
	}
	return a
}
