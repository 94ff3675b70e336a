package limit

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

// server runs Debian's redis-server on a socket of its own, and answers its URL.
func server(t *testing.T, more ...string) string {
	t.Helper()
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	c := exec.Command("redis-server", append([]string{"--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--appendonly", "no"}, more...)...)
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatalf("%v; scripts/setup installs it", err)
	}
	t.Cleanup(func() {
		c.Process.Kill() //nolint:errcheck // it may be gone
		c.Wait()         //nolint:errcheck // it was killed
	})
	var said strings.Builder
	for buffer := make([]byte, 4096); !strings.Contains(said.String(), "eady to accept connections"); {
		n, err := out.Read(buffer)
		said.Write(buffer[:n])
		if err != nil {
			t.Fatalf("redis-server: %v\n%s", err, &said)
		}
	}
	go func() {
		for buffer := make([]byte, 4096); ; {
			if _, err := out.Read(buffer); err != nil {
				return
			}
		}
	}()
	return "unix://" + socket
}

func connect(t *testing.T, url, password string) *Redis {
	t.Helper()
	r, err := NewRedis(url, "", password)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestRedis(t *testing.T) {
	url := server(t)
	replicas := []*Redis{connect(t, url, ""), connect(t, url, "")}
	perHour := destination.Rate{Count: 3, Per: time.Hour}
	take := func(what string, n int, k destination.LimitKey, want time.Duration) {
		t.Helper()
		// Redis's clock goes on meanwhile.
		if wait, err := replicas[n%2].Take(context.Background(), k, perHour); err != nil || wait > want || wait < want-10*time.Second {
			t.Errorf("%s: wait %v, %v; want %v", what, wait, err, want)
		}
	}
	for n := range 3 {
		take("at once", n, key, 0)
	}
	for n := range 4 {
		take("one too many, and not counted", n, key, 20*time.Minute)
	}
	bob, other, renew := key, key, key
	bob.Who, other.Destination, renew.What = "bob", "videos", "renew"
	for name, k := range map[string]destination.LimitKey{"somebody else": bob, "another destination": other, "another matter": renew} {
		take(name, 0, k, 0)
	}
	keys, err := replicas[0].client.Keys(context.Background(), "*").Result()
	if err != nil || len(keys) != 4 || strings.Contains(strings.Join(keys, " "), "alice") {
		t.Errorf("%v, %v", keys, err)
	}
	for _, k := range keys {
		if left, err := replicas[0].client.PTTL(context.Background(), k).Result(); err != nil || left <= 0 || left > time.Hour {
			t.Errorf("%s is there for %v, %v", k, left, err)
		}
	}
}

// What was taken comes back with time, and no more than that.
func TestRedisFillsUp(t *testing.T) {
	r := connect(t, server(t), "")
	quick := destination.Rate{Count: 5, Per: 500 * time.Millisecond}
	began := time.Now()
	taken := 0
	for time.Since(began) < 2*quick.Per {
		wait, err := r.Take(context.Background(), key, quick)
		if err != nil || wait > quick.Per/5 {
			t.Fatalf("wait %v, %v", wait, err)
		}
		if wait == 0 {
			taken++
		}
	}
	// Five at once, and one for each tenth of a second since.
	if most := 5 + int(time.Since(began)/(quick.Per/5)) + 1; taken < 6 || taken > most {
		t.Errorf("%d were let through; at most %d are right", taken, most)
	}
}

func TestManyAtOnceInRedis(t *testing.T) {
	r := connect(t, server(t), "")
	var wait sync.WaitGroup
	var taken atomic.Int32
	for range 100 {
		wait.Go(func() {
			w, err := r.Take(context.Background(), key, destination.Rate{Count: 30, Per: 24 * time.Hour})
			if err != nil {
				t.Error(err)
			} else if w == 0 {
				taken.Add(1)
			}
		})
	}
	wait.Wait()
	if taken.Load() != 30 {
		t.Errorf("%d are let through; want 30", taken.Load())
	}
}

func TestRedisThatDoesNotCount(t *testing.T) {
	const password = "hunter2-hunter2"
	url := server(t, "--requirepass", password)
	rate := destination.Rate{Count: 1, Per: time.Hour}
	if wait, err := connect(t, url, password).Take(context.Background(), key, rate); wait != 0 || err != nil {
		t.Errorf("with the password: %v, %v", wait, err)
	}
	for name, r := range map[string]*Redis{"without the password": connect(t, url, ""), "with a wrong one": connect(t, url, "wrong"+password), "away": connect(t, "unix:///nonexistent/s", "")} {
		if _, err := r.Take(context.Background(), key, rate); err == nil || strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, url := range []string{"http://x", "redis://x/none", "://"} {
		if _, err := NewRedis(url, "", password); err == nil || strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v", url, err)
		}
	}
}
