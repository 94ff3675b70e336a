package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chunksign/chunksign/server/devstore"
)

// asMain makes a test's binary the program itself, so that tests can end its process.
const asMain = "CHUNKSIGN_TEST_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
	}
	os.Exit(m.Run())
}

// uploadRig is a server by configuration and an embedded store beside it, each on an
// address that it keeps, so that each can be ended and started again.
type uploadRig struct {
	t       *testing.T
	dir     string // holds the files, the journal, the store's data and the configuration
	server  *Main
	store   *devstore.Store
	secret  []byte
	address [3]string // server, S3, STS
	ahead   atomic.Int64
	log     *watchedLog
	signIn  string // the configuration's auth

	grantKeys string
}

// watchedLog hands each line to a hook before the logger goes on.
type watchedLog struct {
	mu    sync.Mutex
	lines []string
	hook  func(line string)
}

func (w *watchedLog) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	line := string(p)
	w.lines = append(w.lines, line)
	if w.hook != nil {
		w.hook(line)
	}
	return len(p), nil
}

// watch sets the hook and gives the lines so far.
func (w *watchedLog) watch(hook func(line string)) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hook = hook
	return w.lines[:len(w.lines):len(w.lines)]
}

func (w *watchedLog) count(pattern string) (n int) {
	for _, line := range w.watch(nil) {
		if regexp.MustCompile(pattern).MatchString(line) {
			n++
		}
	}
	return n
}

// aPart is the store's line about a part of a file that it took; the parts of a trial (package trial) are of other names.
const aPart = `msg=s3 method=PUT path=[^=]*\.bin.*partNumber=(\d+) .*status=200`

// aGrant is the server's line about a process that begins, or goes on with, an upload.
const aGrant = `/v1/(?:destinations/\w+/uploads|uploads/credentials)\W+status\W+20[01]`

func newUploadRig(t *testing.T, signIn string) *uploadRig {
	t.Helper()
	r := &uploadRig{t: t, dir: t.TempDir(), secret: bytes.Repeat([]byte{7}, 32), log: &watchedLog{}, signIn: signIn, grantKeys: "k:" + strings.Repeat("A", 43)}
	for i := range r.address {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		r.address[i] = l.Addr().String()
		defer l.Close()
	}
	t.Cleanup(func() {
		r.log.watch(nil)
		if err := errors.Join(r.server.Close(), r.store.Close()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// start starts server and store; what runs already is left.
func (r *uploadRig) start() *uploadRig {
	r.t.Helper()
	if r.store == nil {
		r.startStore()
	}
	if r.server == nil {
		r.startServer()
	}
	return r
}

func (r *uploadRig) startStore() {
	r.t.Helper()
	var err error
	r.store, err = devstore.Start(context.Background(), devstore.Config{
		Dir: filepath.Join(r.dir, "data"), Listen: r.address[1], STSListen: r.address[2], Buckets: []string{"demo"}, Secret: r.secret,
		Logger: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:    func() time.Time { return time.Now().Add(time.Duration(r.ahead.Load())) },
	})
	if err != nil {
		panic(err) // this may be another goroutine than the test's
	}
	own := r.store.Credentials()
	r.t.Setenv("AWS_ACCESS_KEY_ID", own.AccessKeyID)
	r.t.Setenv("AWS_SECRET_ACCESS_KEY", own.SecretAccessKey)
}

func (r *uploadRig) startServer() {
	r.t.Helper()
	text := fmt.Sprintf(`server: { listen: %[1]q }
auth: { %[2]s }
stores:
  own: { region: us-east-1, endpoint: "http://%[3]s", sts: { endpoint: "http://%[4]s", role_arn: %[5]q, trusted: true } } # for the store counts what it refuses
  bare: { region: us-east-1, endpoint: "http://%[3]s" }
destinations:
  demo: { store: own, bucket: demo, key: "demo/{uuid}/{filename}", content_length: 0B..50TB }
  once: { store: own, bucket: demo, key: "once/{filename}", content_length: 0B..50TB, existence_optimization: true }
  presigned: { store: bare, bucket: demo, key: "presigned/{uuid}/{filename}", content_length: 0B..50TB, signing: presigned }
  small: { store: own, bucket: demo, key: "small/{uuid}", content_length: 0B..10B }
`, r.address[0], r.signIn, r.address[1], r.address[2], r.store.RoleARN())
	path := filepath.Join(r.dir, "chunksign.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	keys := func(name string) string {
		return map[string]string{grantKeysVariable: r.grantKeys}[name]
	}
	r.server = &Main{Config: path, Getenv: keys, Stdout: io.Discard, Stderr: r.log, Web: testFiles}
	if err := r.server.Run(context.Background()); err != nil {
		panic(err)
	}
}

// bothWays runs a test with the destination of uploads that sign themselves, and
// with that of those for which the server signs, at a store without STS.
func bothWays(t *testing.T, test func(t *testing.T, destination string)) {
	for _, destination := range []string{"demo", "presigned"} {
		t.Run(destination, func(t *testing.T) { test(t, destination) })
	}
}

// restart ends one of both as a machine would, and starts it again; between runs in between.
func (r *uploadRig) restart(what string, between func()) {
	end, start := r.store.Close, r.startStore
	if what == "server" {
		end, start = r.server.Close, r.startServer
	}
	if err := end(); err != nil {
		r.t.Error(err)
	}
	between()
	start()
}

// file makes a file of size bytes that no other seed gives.
func (r *uploadRig) file(name string, size int64, seed uint64) string {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	f, err := os.Create(path)
	if err == nil {
		_, err = io.CopyN(f, rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}), size)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return path
}

// holds reports where the store's object is not byte for byte the file.
func (r *uploadRig) holds(key, path string) {
	r.t.Helper()
	sum := func(path string) (s [sha256.Size]byte) {
		f, err := os.Open(path)
		if err != nil {
			r.t.Error(err)
			return s
		}
		defer f.Close()
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			r.t.Error(err)
		}
		h.Sum(s[:0])
		return s
	}
	if got, want := sum(filepath.Join(r.dir, "data", "demo", key)), sum(path); key == "" || got != want {
		r.t.Errorf("the object %q is not the file %s", key, path)
	}
}

// process is `chunksign upload` on its own.
type process struct {
	*exec.Cmd
	stdout, stderr bytes.Buffer
	started        chan struct{} // is closed once it has
}

// signal sends a signal, from whichever goroutine sees what the process does.
func (p *process) signal(s os.Signal) {
	<-p.started
	p.Process.Signal(s) //nolint:errcheck // it may have ended
}

// command prepares `chunksign upload` with the rig's server, destination and journal.
func (r *uploadRig) command(args ...string) *process {
	r.t.Helper()
	return uploadCommand(r.t, filepath.Join(r.dir, "journal"), "http://"+r.address[0], args...)
}

// uploadCommand prepares `chunksign upload` with a server and a journal.
func uploadCommand(t *testing.T, journal, server string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"upload", "-journal", journal, "-server", server}, args...)
	p := &process{Cmd: exec.Command(self, args...), started: make(chan struct{})}
	p.Env = []string{asMain + "=1"}
	p.Stdout, p.Stderr = &p.stdout, &p.stderr
	return p
}

// end waits for the process and gives its exit status, -1 for a signal's.
func (p *process) end(t *testing.T) int {
	t.Helper()
	err := p.Wait()
	if failed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return p.ProcessState.ExitCode()
}

// run runs the process to its end.
func (p *process) run(t *testing.T) int {
	t.Helper()
	p.begin(t)
	return p.end(t)
}

// begin starts the process where it has not been.
func (p *process) begin(t *testing.T) {
	t.Helper()
	if p.Process == nil {
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		close(p.started)
	}
}

// outcomes are the lines of -json.
func (p *process) outcomes(t *testing.T) (all []outcome) {
	t.Helper()
	for line := range strings.Lines(p.stdout.String()) {
		var o outcome
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, o)
	}
	return all
}

// at runs do in the middle of the n-th line of the log that has a pattern, from now on.
func (r *uploadRig) at(pattern string, n int, do func()) {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	r.then(pattern, func() {
		if n--; n == 0 {
			do()
		}
	})
}

// signal sends the process a signal once the store took n parts since it was granted its
// upload: what an earlier process left under way may be logged before this one knows signals.
func (r *uploadRig) signal(p *process, s os.Signal, parts int) {
	r.at(aGrant, 1, func() {
		r.then(aPart, func() {
			if parts--; parts == 0 {
				p.signal(s)
			}
		})
	})
}

// then is for use within what at runs: from now on do runs in the middle of each line that
// has a pattern.
func (r *uploadRig) then(pattern string, do func()) {
	match := regexp.MustCompile(pattern)
	r.log.hook = func(line string) {
		if match.MatchString(line) {
			do()
		}
	}
}

// parts is how often the store took each part.
func parts(lines []string) map[string]int {
	taken := map[string]int{}
	for _, line := range lines {
		if m := regexp.MustCompile(aPart).FindStringSubmatch(line); m != nil {
			taken[m[1]]++
		}
	}
	return taken
}

// sentAgain reports where more parts that the store had taken by some time were sent after it
// than the process before had under way when it ended: the store may take those when the next
// has looked already.
func (r *uploadRig) sentAgain(before map[string]int, underWay int) (now map[string]int) {
	r.t.Helper()
	now = parts(r.log.watch(nil))
	var again []string
	for part, times := range before {
		if now[part] != times {
			again = append(again, part)
		}
	}
	if len(again) > underWay {
		r.t.Errorf("%d parts were there and %d of them were sent again: %v", len(before), len(again), again)
	}
	return now
}
