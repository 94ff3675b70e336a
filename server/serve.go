package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/chunksign/chunksign/server/auth"
	"github.com/chunksign/chunksign/server/config"
	"github.com/chunksign/chunksign/server/redact"
)

func serve(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	m := &Main{Getenv: getenv, Stdout: stdout, Stderr: stderr}
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.StringVar(&m.Config, "config", "", "the configuration `file`; without it the server runs an embedded S3 and a demo page on this machine only")
	flags.StringVar(&m.Listen, "listen", "", "the `address` to listen on, 127.0.0.1:0 for any free port; it overrides the configuration's (default "+config.DefaultListen+")")
	flags.StringVar(&m.Data, "data", "data", "the `folder` of the embedded S3; files land in FOLDER/bucket/key")
	flags.Func("origin", "an `origin` whose pages may use the embedded S3 and this server beside the demo's own, such as http://localhost:5173; may be repeated", func(o string) error {
		m.Origins = append(m.Origins, o)
		return nil
	})
	flags.Func("log-format", "how the log is written: `FORMAT` text or json (default json with -config, else text)", func(f string) error {
		if f != "text" && f != "json" {
			return fmt.Errorf("write text or json")
		}
		m.LogFormat = f
		return nil
	})
	flags.TextVar(&m.LogLevel, "log", slog.LevelInfo, "the least `level` that is logged: debug, info, warn or error")
	if err := parse(flags, args, stderr, "chunksign serve runs the server. Its first line on stdout is its address; logs go to stderr."); err != nil {
		return err
	}
	if m.Config != "" {
		// Without a file there is nothing to read again, and the signal ends the process as ever.
		told := make(chan os.Signal, 1)
		signal.Notify(told, syscall.SIGHUP)
		defer signal.Stop(told)
		m.told = told
	}
	return m.until(ctx)
}

// Main is the running server. Tests start it on port 0.
type Main struct {
	Config  string   // the configuration's file, "" for the embedded store and the demo
	Listen  string   // the address, "" for the configuration's or the default
	Data    string   // the embedded store's folder
	Origins []string // whose pages may use the embedded store too; only without Config
	Getenv  func(string) string
	Stdout  io.Writer // gets the address, in one line
	Stderr  io.Writer // gets the log
	Web     fs.FS     // the built web files, nil for those of the binary or of the source tree

	LogLevel  slog.Level // what is below it is not logged
	LogFormat string     // text or json; "" is json with Config, else text

	URL string // where the server is, once Run has returned

	told  <-chan os.Signal // to read the configuration again
	looks <-chan time.Time // when to see whether it has changed; nil: every changedEvery

	log     *slog.Logger
	wiring  wiring
	serving generations
	address string   // to listen on
	secure  bool     // with TLS
	files   []string // that the configuration in force was read from
	server  *http.Server
	failed  chan error
	close   []func() error // in the order of starting
}

// Run starts the server and returns once it answers. ctx bounds the starting;
// Close stops it.
func (m *Main) Run(ctx context.Context) error {
	m.log = m.logger()
	// The embedded store changes the working directory, so paths are made absolute first.
	data, err := filepath.Abs(m.Data)
	if err != nil {
		return err
	}
	if m.Config != "" && len(m.Origins) > 0 {
		return errors.New("-origin is for the embedded S3; with -config write server.origins there")
	}
	c := &config.Config{Listen: config.DefaultListen, Auth: config.Auth{Dev: true}, Metrics: loopback, Origins: m.Origins}
	if m.Config != "" {
		if c, err = m.read(); err != nil {
			return err
		}
	}
	m.address, m.secure = cmp.Or(m.Listen, c.Listen), c.TLS != nil
	if c.Auth.Dev {
		if err := auth.CheckLoopback(m.address); err != nil {
			return err
		}
	}
	static := m.Web
	if static == nil {
		if static, err = webFiles(ctx, m.Stderr, m.log); err != nil {
			return err
		}
	}
	listener, err := listen(m.address, m.Listen == "" && m.Config == "")
	if err != nil {
		return err
	}
	m.close = append(m.close, ignoreClosed(listener.Close))

	w := &m.wiring
	*w = wiring{config: c, port: port(listener), static: static, getenv: m.Getenv, logger: m.log}
	if m.Config == "" {
		err = w.embedded(ctx, data)
	} else {
		err = w.configured(ctx)
	}
	if err == nil {
		err = w.lasting(ctx)
	}
	m.close = append(m.close, w.close...)
	if err == nil {
		err = m.take(c)
	}
	if err != nil {
		return err
	}
	m.close = append(m.close, m.serving.Close)
	m.server = &http.Server{
		Handler: &m.serving, ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
	}
	m.failed = make(chan error, 1)
	scheme := "http"
	run := func() error { return m.server.Serve(listener) }
	if m.secure {
		scheme = "https"
		m.server.TLSConfig = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return m.serving.certificate.Load(), nil
		}}
		run = func() error { return m.server.ServeTLS(listener, "", "") }
	}
	go func() {
		if err := run(); !errors.Is(err, http.ErrServerClosed) {
			m.failed <- err
		}
	}()
	if m.Config != "" {
		m.watching()
	}
	m.URL = scheme + "://" + shown(listener) + "/"
	fmt.Fprintln(m.Stdout, m.URL)
	return nil
}

// logger writes for machines where the server runs in earnest, and for people
// where they try it.
func (m *Main) logger() *slog.Logger {
	o := &slog.HandlerOptions{Level: m.LogLevel, ReplaceAttr: redact.Attr}
	if m.LogFormat == "json" || m.LogFormat == "" && m.Config != "" {
		return slog.New(slog.NewJSONHandler(m.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(m.Stderr, o))
}

// until runs the server until ctx ends or the server fails.
func (m *Main) until(ctx context.Context) error {
	err := m.Run(ctx)
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-m.failed:
		}
	}
	return errors.Join(err, m.Close())
}

// Close ends the server: requests under way may finish for ten seconds.
func (m *Main) Close() error {
	var errs []error
	if m.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := m.server.Shutdown(ctx); err != nil {
			errs = append(errs, m.server.Close())
		}
	}
	for i := len(m.close) - 1; i >= 0; i-- {
		errs = append(errs, m.close[i]())
	}
	m.close = nil
	return errors.Join(errs...)
}

func ignoreClosed(f func() error) func() error {
	return func() error {
		if err := f(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

func listen(address string, byDefault bool) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && byDefault:
		return nil, fmt.Errorf("%s is taken by another program; end that one, or take any free port with -listen 127.0.0.1:0", address)
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is taken by another program; end that one, or choose another port", address)
	case err != nil:
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	return l, nil
}

// loopback is this machine, which alone may read the demo's metrics.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func port(l net.Listener) string {
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// shown is the address as a browser on this machine can use it.
func shown(l net.Listener) string {
	host, port, _ := net.SplitHostPort(l.Addr().String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
