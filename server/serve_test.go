package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func command(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, log bytes.Buffer
	status = run(context.Background(), args, nothingSet, &out, &log)
	return status, out.String(), log.String()
}

func TestCommands(t *testing.T) {
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"help"}, 0, "chunksign serve"},
		{[]string{"-h"}, 0, "chunksign check"},
		{[]string{"serve", "-h"}, 0, "-listen"},
		{[]string{"check", "-h"}, 0, "-config"},
		{[]string{"schema", "-h"}, 0, "JSON Schema"},
		{[]string{"schema"}, 0, `"grant_duration": {`},
		{[]string{"policy", "-h"}, 0, "-claim"},
		{[]string{"iam", "-h"}, 0, "-only"},
		{[]string{"sweep", "-h"}, 0, "-dry-run"},
		{[]string{"doctor", "-h"}, 0, "-origin"},
		{[]string{"version", "-h"}, 0, "which Go"},
		{[]string{"version"}, 0, "go1."},
		{[]string{"nope"}, 2, `no command "nope"`},
		{[]string{"serve", "-nope"}, 2, "-nope"},
		{[]string{"serve", "-log-format", "xml"}, 2, "write text or json"},
		{[]string{"serve", "extra"}, 2, `not "extra"`},
		{[]string{"check", "-config", "/nonexistent.yaml"}, 1, "cannot be read"},
		{[]string{"serve", "-listen", "0.0.0.0:0"}, 1, "may listen on this machine only"},
		{[]string{"serve", "-listen", "nonsense"}, 1, "127.0.0.1:8080"},
		{[]string{"serve", "-config", "/nonexistent.yaml"}, 1, "cannot be read"},
		{[]string{"serve", "-config", "/nonexistent.yaml", "-origin", "http://localhost:5173"}, 1, "write server.origins"},
		{[]string{"serve", "-listen", "127.0.0.1:0", "-data", t.TempDir(), "-origin", "*"}, 1, "not an exact origin"},
	} {
		status, stdout, stderr := command(t, c.args...)
		if status != c.status || !strings.Contains(stdout+stderr, c.says) {
			t.Errorf("%v: %d\n%s%s", c.args, status, stdout, stderr)
		}
	}
}

const configuration = `server: { listen: "127.0.0.1:0", origins: [https://app.example.com] }
auth: { jwt: { issuer: https://id.example.com, audience: uploads, key_file: id.pem } }
stores: { media: { region: us-east-1, endpoint: "http://127.0.0.1:1", sts: { role_arn: "arn:aws:iam::123456789012:role/uploads" } } }
destinations: { photos: { store: media, bucket: photos, key: "{user}/{uuid}", content_length: 1B..1GiB } }
`

// configured writes a configuration with the public key of an identity provider, and answers its path and the private key.
func configured(t *testing.T) (string, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{"c.yaml": []byte(configuration), "id.pem": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "c.yaml"), key
}

func TestCheck(t *testing.T) {
	path, _ := configured(t)
	if status, stdout, stderr := command(t, "check", "-config", path); status != 0 || !strings.Contains(stdout, "no mistakes; stores: 1, destinations: 1") || !strings.Contains(stderr, grantKeysVariable) {
		t.Errorf("%d\n%s%s", status, stdout, stderr)
	}
	broken := strings.NewReplacer("bucket: photos", "buket: photos", "region: us-east-1, ", "").Replace(configuration)
	if err := os.WriteFile(path, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	status, stdout, _ := command(t, "check", "-config", path)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if status != 1 || len(lines) != 9 || !strings.HasPrefix(lines[0], path+":3:18: the store media has no region") || !strings.Contains(stdout, path+`:4:41: the destination photos has no option "buket"; write bucket`+"\n    4 | destinations: { photos: { store: media, buket: photos,") || strings.Index(lines[8], "^") != strings.Index(lines[7], "buket") {
		t.Errorf("%d\n%s", status, stdout)
	}
	if status, _, stderr := command(t, "serve", "-config", path); status != 1 || !strings.Contains(stderr, ":3:18:") {
		t.Errorf("serve starts half valid: %d %s", status, stderr)
	}
	hushed := "stores: { s: { endpoint: \"https://u:hunter2@s3.example.com\", sts: { secret_key: hunter2 } } }\n"
	if err := os.WriteFile(path, []byte(hushed), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stdout, _ := command(t, "check", "-config", path); strings.Contains(stdout, "hunter2") || !strings.Contains(stdout, "secret_key: …") {
		t.Errorf("it prints a secret:\n%s", stdout)
	}
	secret := "k1:dG9vc2hvcnQ"
	var out bytes.Buffer
	if status := run(context.Background(), []string{"check", "-config", path}, func(string) string { return secret }, &out, &out); status != 1 || strings.Contains(out.String(), "dG9vc2hvcnQ") {
		t.Errorf("a short grant key: %d %s", status, out.String())
	}
}

func TestServeWithAConfiguration(t *testing.T) {
	path, key := configured(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "not-a-real-secret")
	var stdout bytes.Buffer
	r := &running{log: &buffer{}}
	r.Main = &Main{Config: path, Getenv: nothingSet, Stdout: &stdout, Stderr: r.log, Web: testFiles}
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if !strings.Contains(r.log.String(), grantKeysVariable+" is not set") {
		t.Error("random grant keys without a warning")
	}
	bearer := "Bearer " + sign(t, key)
	anonymous := r.do(t, "GET", "/v1/destinations", "")
	if anonymous.problem() != "unauthenticated" || anonymous.header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("without a token: %d %s", anonymous.status, anonymous.body)
	}
	if forged := r.do(t, "GET", "/v1/destinations", "", "Authorization", bearer[:len(bearer)-9]+"AAAAAAAAA"); forged.problem() != "unauthenticated" {
		t.Errorf("with a forged token: %d %s", forged.status, forged.body)
	}
	signedIn := r.do(t, "GET", "/v1/destinations", "", "Authorization", bearer, "Origin", "https://app.example.com", "Sec-Fetch-Site", "cross-site")
	if signedIn.status != http.StatusOK || signedIn.header.Get("Access-Control-Allow-Origin") != "https://app.example.com" || signedIn.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("signed in: %d %v", signedIn.status, signedIn.header)
	}
	ask := []string{"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type"}
	yes := r.do(t, "OPTIONS", "/v1/destinations/photos/uploads", "", append(ask, "Origin", "https://app.example.com")...)
	if yes.status != http.StatusNoContent || yes.header.Get("Access-Control-Allow-Headers") != "authorization,content-type" {
		t.Errorf("a preflight of the app: %d %v", yes.status, yes.header)
	}
	no := r.do(t, "OPTIONS", "/v1/destinations/photos/uploads", "", append(ask, "Origin", "https://evil.test")...)
	if no.problem() != "origin_not_allowed" || no.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a preflight of another page: %d %v", no.status, no.header)
	}
	if forgery := r.do(t, "POST", "/v1/destinations/photos/uploads", `{"name":"x","size":1}`, "Authorization", bearer, "Origin", "https://evil.test", "Sec-Fetch-Site", "cross-site"); forgery.problem() != "cross_origin" {
		t.Errorf("a request from another page: %d %s", forgery.status, forgery.body)
	}
	away := r.do(t, "POST", "/v1/destinations/photos/uploads", `{"name":"x","size":1}`, "Authorization", bearer)
	if away.problem() != "store_unavailable" || away.header.Get("Retry-After") == "" || strings.Contains(string(away.body), "127.0.0.1") {
		t.Errorf("with no STS there: %d %s", away.status, away.body)
	}
	if ready := r.do(t, "GET", "/readyz", ""); ready.problem() != "store_unavailable" || ready.header.Get("Retry-After") == "" {
		t.Errorf("ready without STS: %d %s", ready.status, ready.body)
	}
	if alive := r.do(t, "GET", "/healthz", ""); alive.status != http.StatusOK {
		t.Errorf("not alive without STS: %d %s", alive.status, alive.body)
	}
	for _, secret := range []string{bearer[30:60], "not-a-real-secret"} {
		if strings.Contains(r.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

func sign(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign(fmt.Appendf(nil, `{"iss":"https://id.example.com","aud":"uploads","sub":"alice","exp":%d}`, time.Now().Add(time.Hour).Unix()))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// An address is printed only by a server that will answer there.
func TestServeWithoutItsCertificate(t *testing.T) {
	file, _ := configured(t)
	text := strings.Replace(configuration, "origins:", "tls: {cert: none.pem, key: none.key}, origins:", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := command(t, "serve", "-config", file)
	if status != 1 || stdout != "" || !strings.Contains(stderr, "server.tls") {
		t.Errorf("%d\n%s%s", status, stdout, stderr)
	}
}

func TestServeEndsWhenItIsTold(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	m := &Main{Listen: "127.0.0.1:0", Data: t.TempDir(), Getenv: nothingSet, Stdout: in, Stderr: io.Discard, Web: testFiles}
	ended := make(chan error)
	go func() { ended <- m.until(ctx) }()
	first := make([]byte, 100)
	n, err := out.Read(first)
	if err != nil {
		t.Fatal(err)
	}
	url := strings.TrimSpace(string(first[:n]))
	answer, err := http.Get(url + "healthz")
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v, %v", url, answer, err)
	}
	answer.Body.Close()
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it ends with %v", err)
	}
	if _, err := http.Get(url + "healthz"); err == nil {
		t.Error("it still answers")
	}
}

func TestATakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := listen(l.Addr().String(), true); err == nil || !strings.Contains(err.Error(), "-listen 127.0.0.1:0") {
		t.Errorf("%v", err)
	}
}

func TestADamagedSecretIsReported(t *testing.T) {
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, ".chunksign-secret"), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keptSecret(data); err == nil || !strings.Contains(err.Error(), "delete it") {
		t.Errorf("%v", err)
	}
}
