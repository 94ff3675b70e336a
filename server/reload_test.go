package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// reloading is a server whose configuration changes.
type reloading struct {
	*running
	told  chan os.Signal
	looks chan time.Time
}

func startReloading(t *testing.T) *reloading {
	t.Helper()
	path, _ := configured(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "not-a-real-secret")
	r := &reloading{&running{log: &buffer{}}, make(chan os.Signal), make(chan time.Time)}
	r.Main = &Main{Config: path, Getenv: nothingSet, Stdout: io.Discard, Stderr: r.log, Web: testFiles, told: r.told, looks: r.looks}
	r.write(t, strings.NewReplacer("jwt: { issuer: https://id.example.com, audience: uploads, key_file: id.pem }", "dev: true").Replace(configuration))
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

func (r *reloading) text(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(r.Config)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (r *reloading) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(r.Config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r *reloading) destinations(t *testing.T) string {
	t.Helper()
	return string(r.do(t, "GET", "/v1/destinations", "").body)
}

func TestReload(t *testing.T) {
	r := startReloading(t)
	first := r.text(t)
	if got := r.destinations(t); !strings.Contains(got, `"photos"`) {
		t.Fatal(got)
	}

	// Half written is not taken: a change counts once it is there at two looks.
	r.write(t, strings.Replace(first, "photos:", "half:", 1))
	r.looks <- time.Time{}
	r.write(t, strings.Replace(first, "photos:", "films:", 1))
	r.looks <- time.Time{}
	r.looks <- time.Time{}
	r.log.said("read again", `"destinations":1`)
	if got := r.destinations(t); !strings.Contains(got, `"films"`) || strings.Contains(got, `"photos"`) {
		t.Errorf("after a change: %s", got)
	}

	// A bad one is refused whole, with all that is wrong, and once only.
	bad := strings.NewReplacer("photos:", "other:", "bucket: photos", "buket: photos", "region: us-east-1, ", "").Replace(first)
	r.write(t, bad)
	for range 4 {
		r.looks <- time.Time{}
	}
	r.log.said("is not used; the one before serves on", `"mistakes":3`)
	r.log.said(`"ERROR"`, "the store media has no region", `c.yaml:3:18"`)
	if strings.Count(r.log.String(), "the one before serves on") != 1 {
		t.Errorf("%s", r.log)
	}
	if got := r.destinations(t); !strings.Contains(got, `"films"`) {
		t.Errorf("after a bad file: %s", got)
	}

	// What takes a restart is said, and the rest holds.
	r.write(t, strings.NewReplacer("127.0.0.1:0", "127.0.0.1:9", "photos:", "moved:").Replace(first))
	r.told <- syscall.SIGHUP
	r.log.said("server.listen", "takes a restart")
	if got := r.destinations(t); !strings.Contains(got, `"moved"`) {
		t.Errorf("after a signal: %s", got)
	}

	// One that cannot be put in force is refused as well: this needs a secret that is not set.
	r.write(t, strings.NewReplacer("1B..1GiB", `1B..1GiB, webhook: { url: "https://app.example.com/" }`).Replace(first))
	r.told <- syscall.SIGHUP
	r.log.said("cannot be used", webhookVariable)
	if err := os.Remove(r.Config); err != nil {
		t.Fatal(err)
	}
	r.told <- syscall.SIGHUP
	r.log.said("cannot be used", "no such file")
	if got := r.destinations(t); !strings.Contains(got, `"moved"`) {
		t.Errorf("without the file: %s", got)
	}
}

// A server that others reach does not become one that lets everybody in.
func TestReloadHoldsDevToTheAddress(t *testing.T) {
	r := startReloading(t)
	r.address = "0.0.0.0:80"
	r.write(t, strings.Replace(r.text(t), "photos:", "films:", 1))
	r.told <- syscall.SIGHUP
	r.log.said("cannot be used", "may listen on this machine only")
	if got := r.destinations(t); !strings.Contains(got, `"photos"`) {
		t.Error(got)
	}
}

// A request is answered by the configuration that it began with, whose parts live as long as it.
func TestReloadWaitsForRequests(t *testing.T) {
	arrived, release, closed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var over atomic.Bool
	slow := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		w.WriteHeader(http.StatusTeapot)
	})
	var g generations
	g.replace(&generation{Handler: slow, close: func() error {
		if !over.Load() {
			t.Error("it is closed under a request")
		}
		close(closed)
		return nil
	}})
	answered := make(chan int)
	ask := func() int {
		w := httptest.NewRecorder()
		g.ServeHTTP(w, nil)
		return w.Code
	}
	go func() { answered <- ask() }()
	<-arrived
	g.replace(&generation{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }), close: func() error { return nil }})
	for range 1000 {
		if got := ask(); got != http.StatusNoContent {
			t.Fatalf("a new request: %d", got)
		}
		runtime.Gosched()
	}
	over.Store(true)
	close(release)
	if got := <-answered; got != http.StatusTeapot {
		t.Errorf("the request under way: %d", got)
	}
	<-closed
}

// What certbot renews is taken, and the connections from then on have it.
func TestReloadTakesANewCertificate(t *testing.T) {
	path, _ := configured(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "not-a-real-secret")
	if err := os.WriteFile(path, []byte(strings.Replace(configuration, "origins:", "tls: { cert: c.pem, key: k.pem }, origins:", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	issue := func(name string) {
		t.Helper()
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		private, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		for file, block := range map[string]*pem.Block{"c.pem": {Type: "CERTIFICATE", Bytes: der}, "k.pem": {Type: "PRIVATE KEY", Bytes: private}} {
			if err := os.WriteFile(filepath.Join(filepath.Dir(path), file), pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	issue("first.test")
	log, looks := &buffer{}, make(chan time.Time)
	m := &Main{Config: path, Getenv: nothingSet, Stdout: io.Discard, Stderr: log, Web: testFiles, looks: looks}
	if err := m.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	shows := func() string {
		t.Helper()
		c, err := tls.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(m.URL, "https://"), "/"), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].DNSNames[0]
	}
	if got := shows(); got != "first.test" {
		t.Errorf("at the start: %s", got)
	}
	issue("second.test")
	looks <- time.Time{}
	looks <- time.Time{}
	log.said("read again")
	if got := shows(); got != "second.test" {
		t.Errorf("after its renewal: %s", got)
	}
}

// The signal itself, at the command itself.
func TestServeReadsAgainOnSIGHUP(t *testing.T) {
	path, _ := configured(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "not-a-real-secret")
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	log, ended := &buffer{}, make(chan int)
	go func() { ended <- run(ctx, []string{"serve", "-config", path}, nothingSet, in, log) }()
	if _, err := out.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	log.said("read again")
	stop()
	if status := <-ended; status != 0 {
		t.Errorf("it ends with %d: %s", status, log)
	}
}
