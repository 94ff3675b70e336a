package main

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chunksign/chunksign/wasm/sigv4"
)

var nginxOfTheDocs = regexp.MustCompile("(?s)```nginx\n(location /s3direct/ .*?)```")

// nginx runs Debian's with a server that has these locations, and its defaults otherwise.
func nginx(t *testing.T, locations string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	l.Close()
	dir := t.TempDir()
	config := fmt.Sprintf("pid %[1]s/pid;\nerror_log stderr notice;\nevents {}\nhttp {\n  access_log off;\n  client_body_temp_path %[1]s/body;\n"+
		"  proxy_temp_path %[1]s/proxy;\n  fastcgi_temp_path %[1]s/f;\n  uwsgi_temp_path %[1]s/u;\n  scgi_temp_path %[1]s/s;\n"+
		"  server {\n    listen %[2]s;\n%[3]s  }\n}\n", dir, address, locations)
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx" // which is on the path of root alone
	}
	run := exec.Command(program, "-p", dir, "-c", path, "-e", "stderr", "-g", "daemon off;")
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its worker ends with it
	log, err := run.StderrPipe()
	if err == nil {
		err = run.Start()
	}
	if err != nil {
		t.Fatalf("%v; scripts/setup installs nginx", err)
	}
	t.Cleanup(func() {
		syscall.Kill(-run.Process.Pid, syscall.SIGKILL) //nolint:errcheck // it may be gone
		run.Wait()                                      //nolint:errcheck // it was killed
	})
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if t.Log(lines.Text()); strings.Contains(lines.Text(), "start worker process") { // it listens by then
			go io.Copy(io.Discard, log) //nolint:errcheck // ends with nginx
			return address
		}
	}
	t.Fatal("nginx ended")
	return ""
}

// longTokens is an STS whose tokens have at least some length, as those of other stores have.
func (e *s3Engine) longTokens(t *testing.T, length int) string {
	t.Helper()
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := e.session(e.own, r.FormValue("Policy"), 15*time.Minute)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		type credentials struct{ AccessKeyId, SecretAccessKey, SessionToken, Expiration string }
		var out struct {
			XMLName xml.Name    `xml:"https://sts.amazonaws.com/doc/2011-06-15/ AssumeRoleResponse"`
			C       credentials `xml:"AssumeRoleResult>Credentials"`
		}
		token := c.SessionToken + strings.Repeat("x", max(0, length-len(c.SessionToken)))
		out.C = credentials{c.AccessKeyID, c.SecretAccessKey, token, c.Expires.UTC().Format(time.RFC3339)}
		text, _ := xml.Marshal(out)
		text = []byte(strings.NewReplacer("<C>", "<Credentials>", "</C>", "</Credentials>").Replace(string(text)))
		w.Header().Set("Content-Type", "text/xml")
		w.Write(text) //nolint:errcheck // the client is gone
	}))
	t.Cleanup(sts.Close)
	return sts.URL
}

// Behind nginx as docs/migrate.md has it, below another path too, a page uploads
// to twelve destinations in one session, however long the store's tokens are.
func TestS3DirectBehindNginx(t *testing.T) {
	match := nginxOfTheDocs.FindStringSubmatch(page(t, "../docs/migrate.md"))
	e := startEngine(t, "media")
	if match == nil {
		t.Fatal("docs/migrate.md shows no nginx")
	}
	for _, length := range []int{0, 1400, 4000} {
		t.Run(fmt.Sprint(length, " characters"), func(t *testing.T) {
			sts := e.sts
			if length > 0 {
				sts = e.longTokens(t, length)
			}
			text := fmt.Sprintf("auth: { headers: { from: [127.0.0.0/8], lists: { groups: X-Forwarded-Groups } } }\n"+
				"stores: { s: { region: %s, endpoint: %q, sts: { role_arn: %q, endpoint: %q, trusted: true } } }\ndestinations:\n",
				e.region, e.endpoint, e.role, sts)
			const all = 12
			for i := range all {
				text += fmt.Sprintf("  d%d: { store: s, bucket: media, key: \"d%d/{user}/{uuid}/{filename}\", content_length: 1..1GiB, "+
					"scope: prefix, compat: [s3direct] }\n", i, i)
			}
			r := e.serve(t, nothingSet, text)
			for _, prefix := range []string{"", "/app"} {
				location := strings.ReplaceAll(match[1], "http://127.0.0.1:8080", strings.TrimSuffix(r.URL, "/"))
				if prefix != "" { // the views below another path, as include('s3direct.urls') may have them
					location = strings.Replace(location, "location /s3direct/", "location "+prefix+"/s3direct/", 1)
					location = strings.Replace(location, ";", "/s3direct/;", 1)
				}
				w := newWidget(t, r, staff("alice")...)
				address := nginx(t, location)
				w.server = "http://" + address + prefix
				w.header.Set("Origin", "http://"+address) // at a port of its own
				w.header.Set("Sec-Fetch-Site", "same-origin")
				w.header.Set("Cookie", "sessionid=0123456789abcdef0123456789abcdef; csrftoken=0123456789abcdef0123456789abcdef")
				given := map[string]map[string]any{}
				for i := range all {
					name := fmt.Sprint("d", i)
					given[name] = w.params(t, name, "a.bin", 4)
					if got := len(given[name]["session_token"].(string)); got < length {
						t.Errorf("the token has %d characters", got)
					}
				}
				for name, params := range given {
					at := time.Now()
					_, text := evaporated{method: "POST", query: "uploads"}.toSign(params, at)
					status, out, _ := w.post(t, "get_aws_v4_signature", "to_sign", text, "datetime", sigv4.Timestamp(at), "dest", name)
					if status != http.StatusOK {
						t.Errorf("%s: %d %v", name, status, out)
					}
					if length == 0 {
						w.upload(t, name, params, "film")
					}
				}
			}
		})
	}
}

// What stands before the views refuses in their words too: the widget shows error.
func TestS3DirectIsRefusedInItsOwnWords(t *testing.T) {
	r := startWith(t, s3directs)
	w := newWidget(t, r, staff("alice")...)
	form := []string{"dest", "files", "name", "x.txt", "type", "text/plain", "size", "1"}
	try := func(what string, want int, view string, header ...string) {
		t.Helper()
		before := w.header.Clone()
		for i := 0; i < len(header); i += 2 {
			w.header.Set(header[i], header[i+1])
		}
		status, out, reply := w.post(t, view, form...)
		w.header = before
		if text, _ := out["error"].(string); status != want || text == "" || !strings.HasPrefix(reply.Get("Content-Type"), "application/json") {
			t.Errorf("%s: %d %v; want %d with an error", what, status, out, want)
		}
	}
	try("another site's page", http.StatusForbidden, "get_upload_params", "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.test")
	try("another site's page", http.StatusForbidden, "get_aws_v4_signature", "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.test")
	try("nobody", http.StatusForbidden, "get_upload_params", "X-Forwarded-User", "")
	try("no such view", http.StatusNotFound, "get_upload_parms")
	if got := r.do(t, "GET", "/s3direct/get_upload_params/", ""); got.status != http.StatusMethodNotAllowed || !strings.Contains(string(got.body), `{"error": "`) {
		t.Errorf("GET: %d %s", got.status, got.body)
	}
}

// What STS says no with is in the log, as everywhere else.
func TestS3DirectLogsWhatSTSRefuses(t *testing.T) {
	e := startEngine(t, "media")
	r := e.serve(t, nothingSet, strings.ReplaceAll(strings.ReplaceAll(s3directs, "$STORE", "$TRUSTED"), "$TRUSTED",
		fmt.Sprintf("{ region: %s, endpoint: %q, sts: { role_arn: %q, endpoint: %q, trusted: true } }",
			e.region, e.endpoint, "arn:aws:iam::000000000000:role/none-such", e.sts)))
	status, out, _ := newWidget(t, r, staff("alice")...).post(t, "get_upload_params", "dest", "files", "name", "x.txt", "type", "text/plain", "size", "1")
	if status != http.StatusInternalServerError || out["error"] != "AWS credentials config missing." || !strings.Contains(r.log.String(), "AccessDenied") {
		t.Errorf("%d %v; the log is %s", status, out, r.log)
	}
}
