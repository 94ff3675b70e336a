package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chunksign/chunksign/server/allow"
	"github.com/chunksign/chunksign/server/auth"
	"github.com/chunksign/chunksign/server/config"
	"github.com/chunksign/chunksign/server/policy"
)

// changedEvery is how often the configuration's files are looked at. They are
// read and not watched by the kernel, which says nothing of network file
// systems and of the links by which Kubernetes replaces a volume's files.
const changedEvery = 2 * time.Second

// generations answer by the configuration that was taken last. A request is
// answered by the one that was in force when it began.
type generations struct {
	mu  sync.RWMutex
	now *generation

	certificate atomic.Pointer[tls.Certificate] // nil without TLS
}

// generation is what one configuration is served by.
type generation struct {
	http.Handler
	requests sync.WaitGroup // under way
	close    func() error   // once none is
}

// ServeHTTP implements http.Handler.
func (g *generations) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.RLock()
	now := g.now
	now.requests.Add(1)
	g.mu.RUnlock()
	defer now.requests.Done()
	now.ServeHTTP(w, r)
}

// replace puts another generation in force. The one before is closed when its
// last request is over.
func (g *generations) replace(next *generation) {
	g.mu.Lock()
	before := g.now
	g.now = next
	g.mu.Unlock()
	if before != nil {
		go func() {
			before.requests.Wait()
			before.close() //nolint:errcheck // it holds connections only, which are of no use any more
		}()
	}
}

// Close ends the generation in force, when the server answers no more.
func (g *generations) Close() error { return g.now.close() }

// read reads the configuration, whole or not at all.
func (m *Main) read() (*config.Config, error) {
	return config.Load(m.Config, auth.ParseKeys, allow.Compile, policy.Session)
}

// take puts a configuration in force, or leaves all as it is.
func (m *Main) take(c *config.Config) error {
	if c.Auth.Dev { // by the address that is listened on, whatever a file that is read again says
		if err := auth.CheckLoopback(m.address); err != nil {
			return err
		}
	}
	var certificate *tls.Certificate
	if c.TLS != nil {
		pair, err := tls.LoadX509KeyPair(c.TLS.Cert, c.TLS.Key)
		if err != nil {
			return fmt.Errorf("server.tls: the certificate %q and key %q cannot be used: %w", c.TLS.Cert, c.TLS.Key, err)
		}
		certificate = &pair
	}
	next, err := m.wiring.generation(c)
	if err != nil {
		return err
	}
	for _, w := range c.Warnings {
		m.log.Warn(w.Text, "at", w.At())
	}
	if certificate != nil {
		m.serving.certificate.Store(certificate)
	}
	m.serving.replace(next)
	m.files = c.Files
	return nil
}

// reload reads the configuration again. One with a mistake is refused whole.
func (m *Main) reload() {
	c, err := m.read()
	if err == nil {
		err = m.take(c)
	}
	m.wiring.metrics.Reread(err == nil)
	var mistakes config.Mistakes
	switch {
	case errors.As(err, &mistakes):
		for _, mistake := range mistakes {
			m.log.Error(mistake.Text, "at", mistake.At())
		}
		m.log.Error("the new configuration has mistakes and is not used; the one before serves on", "mistakes", len(mistakes))
		return
	case err != nil:
		m.log.Error("the new configuration cannot be used; the one before serves on", "error", config.Mask(err.Error()))
		return
	}
	m.log.Info("the configuration was read again", "destinations", len(c.Destinations))
	const restart = "; that takes a restart"
	if m.Listen == "" && c.Listen != m.address {
		m.log.Warn("server.listen is another than the server listens on"+restart, "listen", c.Listen)
	}
	if (c.TLS != nil) != m.secure {
		m.log.Warn("server.tls was put in or taken out" + restart)
	}
}

// watching begins to watch, until Close.
func (m *Main) watching() {
	stop, looks := func() {}, m.looks
	if looks == nil {
		ticker := time.NewTicker(changedEvery)
		stop, looks = ticker.Stop, ticker.C
	}
	seen := m.fingerprint()
	ended, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		m.watch(ended, seen, m.told, looks)
	}()
	m.close = append(m.close, func() error {
		stop()
		close(ended)
		<-over
		return nil
	})
}

// watch reads the configuration again when it is told to, and when the files
// that it was read from have changed: others' than those taken or refused last,
// and the same at two looks, for a file may be half written at one.
func (m *Main) watch(ended <-chan struct{}, seen []byte, told <-chan os.Signal, looks <-chan time.Time) {
	var candidate []byte
	for {
		select {
		case <-ended:
			return
		case <-told:
			m.log.Info("told to read the configuration again")
			seen, candidate = m.reread(m.fingerprint()), nil
		case <-looks:
			switch now := m.fingerprint(); {
			case bytes.Equal(now, seen):
				candidate = nil
			case !bytes.Equal(now, candidate):
				candidate = now
			default:
				seen, candidate = m.reread(now), nil
			}
		}
	}
}

// reread reads the configuration again, and answers the fingerprint of what it
// has seen by that: none where it is of other files now.
func (m *Main) reread(seen []byte) []byte {
	before := m.files
	if m.reload(); !slices.Equal(before, m.files) {
		return nil
	}
	return seen
}

// fingerprint is one of the files that the configuration in force is read from.
func (m *Main) fingerprint() []byte {
	hash := sha256.New()
	for _, name := range m.files {
		data, err := config.ReadFile(name)
		fmt.Fprintf(hash, "%s %d %t\n", name, len(data), err == nil)
		hash.Write(data)
	}
	return hash.Sum(nil)
}
