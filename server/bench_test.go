package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/chunksign/chunksign/server/devstore"
)

const benchedGrant = `{"name":"holiday.jpg","type":"image/jpeg","size":1000}`

// BenchmarkGrant measures requests for a grant whose session is cached, without the network.
func BenchmarkGrant(b *testing.B) {
	m := &Main{Listen: "127.0.0.1:0", Data: b.TempDir(), Getenv: nothingSet, Stdout: io.Discard, Stderr: io.Discard, Web: testFiles}
	if err := m.Run(context.Background()); err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	host := strings.TrimSuffix(strings.TrimPrefix(m.URL, "http://"), "/")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := httptest.NewRequest("POST", "/v1/destinations/demo-s3direct/uploads", strings.NewReader(benchedGrant))
			r.Host = host
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			m.server.Handler.ServeHTTP(w, r)
			if w.Code != http.StatusCreated {
				b.Fatal(w.Code, w.Body)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "grants/s")
}

// BenchmarkServe asks a process of its own over loopback, with an audit line a
// grant, and tells the processor time that it took of one and the most memory that
// it held. Who asks takes the same processors, so grants/s are less than it could give.
func BenchmarkServe(b *testing.B) {
	dir := b.TempDir()
	store, err := devstore.Start(context.Background(), devstore.Config{Dir: filepath.Join(dir, "data"), Secret: make([]byte, 32), Buckets: []string{"media"}})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	config := filepath.Join(dir, "c.yaml")
	text := fmt.Sprintf(`auth: { headers: { from: [127.0.0.1] } }
stores: { s: { region: %s, endpoint: %q, sts: { role_arn: %q, endpoint: %q } } }
destinations: { d: { store: s, bucket: media, key: "{user}/{uuid}/{filename}", content_length: 0..1GiB, scope: prefix, allow: "file.size < 5000", rate: 1000000/s } }
`, store.Region(), store.Endpoint(), store.RoleARN(), store.STSEndpoint())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	own := store.Credentials()
	// The program as it is built, where make has built it.
	server := exec.Command(cmp.Or(os.Getenv("CHUNKSIGN_BIN"), self), "serve", "-config", config, "-listen", "127.0.0.1:0")
	server.Dir = dir
	server.Env = []string{asMain + "=1", "AWS_ACCESS_KEY_ID=" + own.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + own.SecretAccessKey}
	out, err := server.StdoutPipe()
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		server.Process.Kill() //nolint:errcheck // it is of no use any more
		server.Wait()         //nolint:errcheck // it was killed
	}()
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	// ticks are the process's, of 10 ms (proc(5), utime and stime).
	ticks := func() (sum int) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", server.Process.Pid))
		if err != nil {
			return 0
		}
		for _, n := range strings.Fields(string(stat[bytes.LastIndexByte(stat, ')'):]))[12:14] {
			t, _ := strconv.Atoi(n)
			sum += t
		}
		return sum
	}
	before := ticks()
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			r, err := http.NewRequest("POST", strings.TrimSpace(url)+"v1/destinations/d/uploads", strings.NewReader(benchedGrant))
			if err != nil {
				b.Error(err)
				return
			}
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("X-Forwarded-User", "user-"+strconv.Itoa(n%100))
			answer, err := client.Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			io.Copy(io.Discard, answer.Body) //nolint:errcheck // the status says it
			answer.Body.Close()
			if answer.StatusCode != http.StatusCreated {
				b.Errorf("%d", answer.StatusCode)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "grants/s")
	b.ReportMetric(float64(ticks()-before)*10_000/float64(b.N), "cpu-µs/op")
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", server.Process.Pid))
	if m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(bytes.ReplaceAll(status, []byte("\t"), []byte(" "))); err == nil && m != nil {
		most, _ := strconv.ParseFloat(string(m[1]), 64)
		b.ReportMetric(most/1024, "MiB-RSS")
	}
}
