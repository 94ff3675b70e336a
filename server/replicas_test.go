package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// balanced is haproxy before two replicas: it signs everybody in as alice, asks
// the next one for each request, and the other where it is not there.
const balanced = `defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  retries 3
  option redispatch 1
frontend f
  bind fd@3
  http-request set-header X-Forwarded-User alice
  http-response set-header X-Replica %%s
  default_backend b
backend b
  balance roundrobin
  server first %s
  server second %s
`

// serving is a process that serves, at an address of its own.
func (r *uploadRig) serving(config string) (address string, replica *exec.Cmd) {
	r.t.Helper()
	self, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	replica = exec.Command(self, "serve", "-config", config, "-listen", "127.0.0.1:0")
	replica.Dir = r.dir // where there is no source tree to build the web files from
	replica.Env = []string{asMain + "=1", grantKeysVariable + "=" + r.grantKeys, "CHUNKSIGN_REDIS_PASSWORD=hunter2",
		"AWS_ACCESS_KEY_ID=" + os.Getenv("AWS_ACCESS_KEY_ID"), "AWS_SECRET_ACCESS_KEY=" + os.Getenv("AWS_SECRET_ACCESS_KEY")}
	replica.Stderr = r.log
	out, err := replica.StdoutPipe()
	if err == nil {
		err = replica.Start()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		replica.Process.Kill() //nolint:errcheck // it may be gone
		replica.Wait()         //nolint:errcheck // it was killed
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "http://"), "/"), replica
}

// balance runs haproxy before two replicas, and puts it in the place of the rig's server.
func (r *uploadRig) balance(first, second string) {
	r.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	defer l.Close()
	r.address[0] = l.Addr().String()
	socket, err := l.(*net.TCPListener).File()
	if err != nil {
		r.t.Fatal(err)
	}
	defer socket.Close()
	config := filepath.Join(r.dir, "haproxy.cfg")
	if err := os.WriteFile(config, fmt.Appendf(nil, balanced, first, second), 0o600); err != nil {
		r.t.Fatal(err)
	}
	program, err := exec.LookPath("haproxy")
	if err != nil {
		program = "/usr/sbin/haproxy" // which is on the path of root alone
	}
	haproxy := exec.Command(program, "-db", "-f", config)
	haproxy.ExtraFiles = []*os.File{socket} // as 3
	if err := haproxy.Start(); err != nil {
		r.t.Fatalf("%v; scripts/setup installs it", err)
	}
	r.t.Cleanup(func() {
		haproxy.Process.Kill() //nolint:errcheck // it may be gone
		haproxy.Wait()         //nolint:errcheck // it was killed
	})
}

// Behind a load balancer two replicas are one server: they count together, and
// either goes on with an upload that the other began and is killed in the middle of.
func TestReplicasBehindALoadBalancer(t *testing.T) {
	redis, _ := startRedis(t)
	for n, killed := range []string{"first", "second"} {
		t.Run("the "+killed+" is killed", func(t *testing.T) {
			r := newUploadRig(t, "")
			r.server = &Main{}
			r.startStore()
			config := filepath.Join(r.dir, "chunksign.yaml")
			if err := os.WriteFile(config, fmt.Appendf(nil, `server: { redis: "unix://%s" }
auth: { headers: { from: [127.0.0.1] } }
stores: { own: { region: us-east-1, endpoint: "http://%s", sts: { endpoint: "http://%s", role_arn: %q } } }
destinations:
  demo: { store: own, bucket: demo, key: "demo/{user}/{uuid}/{filename}", content_length: 0B..50TB }
  few%d: { store: own, bucket: demo, key: "few/{uuid}", content_length: 0B..50TB, rate: 3/h }
`, redis, r.address[1], r.address[2], r.store.RoleARN(), n), 0o600); err != nil {
				t.Fatal(err)
			}
			var addresses [2]string
			var replicas [2]*exec.Cmd
			for i := range replicas {
				addresses[i], replicas[i] = r.serving(config)
			}
			r.balance(addresses[0], addresses[1])

			statuses, by := map[int]int{}, map[string]int{}
			for range 6 {
				answer, err := http.Post(fmt.Sprintf("http://%s/v1/destinations/few%d/uploads", r.address[0], n), "application/json", strings.NewReader(`{"name":"x","size":1}`))
				if err != nil {
					t.Fatal(err)
				}
				answer.Body.Close()
				statuses[answer.StatusCode]++
				by[answer.Header.Get("X-Replica")]++
			}
			if statuses[http.StatusCreated] != 3 || statuses[http.StatusTooManyRequests] != 3 || by["first"] == 0 || by["second"] == 0 {
				t.Errorf("3 an hour: answers %v, by %v", statuses, by)
			}

			file := r.file("large.bin", 64<<20, uint64(n))
			p := r.command(file, "-destination", "demo", "-part-size", "5MiB", "-json", "-concurrency", "2")
			r.at(aPart, 3, func() {
				replicas[n].Process.Kill() //nolint:errcheck // what comes of it is looked at
				r.endSession()             // so that a replica is needed at once, and not only in the end
			})
			if status := p.run(t); status != 0 {
				t.Fatalf("%d\n%s%s", status, &p.stdout, &p.stderr)
			}
			r.holds(p.outcomes(t)[0].Key, file)
			if renewed, done := r.log.count(`/v1/uploads/credentials\W+status\W+200`), r.log.count(`/v1/uploads/complete\W+status\W+200`); renewed != 1 || done != 1 {
				t.Errorf("renewed %d times, completed %d times", renewed, done)
			}
		})
	}
}
