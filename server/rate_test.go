package main

import (
	"bufio"
	"bytes"
	"context"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func TestRateLimits(t *testing.T) {
	r := startWith(t, `server: { proxies: [127.0.0.0/8] }
auth: { anonymous: true }
stores: { s: $STORE }
destinations:
  few: { store: s, bucket: media, key: "few/{uuid}/{filename}", content_length: 0..1GiB, rate: 3/h }
  many: { store: s, bucket: media, key: "many/{uuid}/{filename}", content_length: 0..1GiB, rate: 1000/s, read: owner }
`)
	ask := func(destination, from string) reply {
		t.Helper()
		return r.do(t, "POST", "/v1/destinations/"+destination+"/uploads", `{"name":"x","size":1}`, "X-Forwarded-For", from)
	}
	for n := range 3 {
		if got := ask("few", "6.6.6.6, 192.0.2.1"); got.status != http.StatusCreated {
			t.Fatalf("request %d: %d %s", n, got.status, got.body)
		}
	}
	got := ask("few", "7.7.7.7, 192.0.2.1")
	wait, err := strconv.Atoi(got.header.Get("Retry-After"))
	if got.status != http.StatusTooManyRequests || got.problem() != "too_many_requests" || err != nil || wait < 1100 || wait > 1200 {
		t.Errorf("the fourth: %d %s, again after %q", got.status, got.body, got.header.Get("Retry-After"))
	}
	if got := ask("few", "192.0.2.2"); got.status != http.StatusCreated {
		t.Errorf("from another address: %d %s", got.status, got.body)
	}
	if got := ask("many", "192.0.2.1"); got.status != http.StatusCreated {
		t.Errorf("another destination: %d %s", got.status, got.body)
	}
	// A whole upload, by nobody in particular.
	u := r.grant(t, "many", "x", 4)
	if _, err := u.put("four"); err != nil {
		t.Fatal(err)
	}
	if got := r.do(t, "POST", "/v1/uploads/complete", object(map[string]any{"grant": u.Grant})); got.status != http.StatusOK {
		t.Errorf("complete: %d %s", got.status, got.body)
	}
}

// startRedis runs a Redis at a socket, with the password hunter2; stop ends it.
func startRedis(t *testing.T) (socket string, stop func()) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "s")
	redis := exec.Command("redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--requirepass", "hunter2")
	out, err := redis.StdoutPipe()
	if err == nil {
		err = redis.Start()
	}
	if err != nil {
		t.Fatalf("%v; scripts/setup installs it", err)
	}
	stop = sync.OnceFunc(func() {
		redis.Process.Kill() //nolint:errcheck // it may be gone
		redis.Wait()         //nolint:errcheck // it was killed
	})
	t.Cleanup(stop)
	lines := bufio.NewScanner(out)
	for !strings.Contains(lines.Text(), "eady to accept connections") {
		if !lines.Scan() {
			t.Fatal("redis-server has ended")
		}
	}
	go func() {
		for lines.Scan() {
		}
	}()
	return socket, stop
}

// Two replicas with one Redis are one server to whom they count.
func TestReplicasCountTogether(t *testing.T) {
	socket, stop := startRedis(t)
	password := func(name string) string { return map[string]string{"CHUNKSIGN_REDIS_PASSWORD": "hunter2"}[name] }
	first := startSet(t, password, `server: { redis: "unix://`+socket+`" }
auth: { dev: true }
stores: { s: $STORE }
destinations:
  few: { store: s, bucket: media, key: "few/{uuid}/{filename}", content_length: 0..1GiB, rate: 3/h }
  any: { store: s, bucket: media, key: "any/{uuid}/{filename}", content_length: 0..1GiB }
`)
	var stdout bytes.Buffer
	second := &running{data: first.data, log: first.log}
	second.Main = &Main{Config: first.Config, Listen: "127.0.0.1:0", Getenv: password, Stdout: &stdout, Stderr: first.log, Web: testFiles}
	if err := second.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	replicas := []*running{first, second}
	ask := func(n int, destination string) reply {
		t.Helper()
		return replicas[n%2].do(t, "POST", "/v1/destinations/"+destination+"/uploads", `{"name":"x","size":1}`)
	}
	for n := range 3 {
		if got := ask(n, "few"); got.status != http.StatusCreated {
			t.Errorf("request %d: %d %s", n, got.status, got.body)
		}
	}
	for n := range 2 {
		got := ask(n, "few")
		if wait, err := strconv.Atoi(got.header.Get("Retry-After")); got.problem() != "too_many_requests" || err != nil || wait < 1100 || wait > 1200 {
			t.Errorf("replica %d: %d %s", n, got.status, got.body)
		}
	}
	stop()
	if got := ask(0, "few"); got.problem() != "limit_unavailable" || got.status != http.StatusServiceUnavailable {
		t.Errorf("without Redis: %d %s", got.status, got.body)
	}
	if got := ask(1, "any"); got.status != http.StatusCreated {
		t.Errorf("without Redis, without a rate: %d %s", got.status, got.body)
	}
}
