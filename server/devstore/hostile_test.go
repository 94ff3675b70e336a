package devstore

import (
	"bufio"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/valyala/fasthttp"

	"github.com/chunksign/chunksign/wasm/sigv4"
)

// What TestHostileValues, in attack_test.go, plays in.

const (
	ownKey, aliceKey, aliceUp = "u/mallory/own.bin", "u/alice/theirs.bin", "u/alice/up.bin"
	within, outside           = "canary-within-the-store", "canary-outside-of-it" // what no reply may hold
)

// stage is a store with things of Mallory's, who attacks, of Alice's, and of the machine's around it.
type stage struct {
	testing.TB
	*Store
	top, dir         string // dir, the store's, is below top
	conn             net.Conn
	reader           *bufio.Reader
	upload, aliceID  string // upload is Mallory's, at ownKey
	aliceETag        string // of Alice's part
	session, allowed aws.Credentials
}

func newStage(t testing.TB, sideCar bool) *stage {
	t.Helper()
	g := &stage{TB: t, top: t.TempDir()}
	g.dir = filepath.Join(g.top, "parent", "data")
	for name, text := range map[string]string{
		"canary.txt": outside, "parent/canary.txt": outside, "parent/1": outside, "parent/sibling/deep/canary.txt": outside,
		"parent/sibling/1": outside, "parent/data/.chunksign-secret": outside, "parent/data/Folder_/1": outside,
		"parent/data/Folder_/note.txt": outside,
	} {
		name = filepath.Join(g.top, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if sideCar {
		if err := os.Mkdir(filepath.Join(g.dir, sideCarDir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Start(context.Background(), Config{
		Dir: g.dir, Secret: testSecret, Buckets: []string{"media", "other"}, Origins: []string{testOrigin},
	})
	if err != nil {
		t.Fatal(err)
	}
	g.Store = s
	g.session = assume(t, s, policyFor(uploadRights, "arn:aws:s3:::media/"+ownKey))
	g.allowed = assume(t, s, "")
	root := s3Client(s, s.Credentials())
	for _, at := range [][2]string{{"media", aliceKey}, {"media", "u/mallory/other.bin"}, {"other", "theirs.bin"}, {"media", "meta"}} {
		in := s3.PutObjectInput{Bucket: &at[0], Key: &at[1], Body: strings.NewReader(within)}
		if _, err := root.PutObject(context.Background(), &in); err != nil && at[1] != "meta" { // which the side-car has no room for
			t.Fatal(err)
		}
	}
	id, parts := uploadParts(t, root, "media", aliceUp, []byte(within))
	g.aliceID, g.aliceETag = *id, *parts[0].ETag
	g.renew()
	return g
}

func (g *stage) end() {
	if g.conn != nil {
		g.conn.Close()
	}
	if err := g.Close(); err != nil {
		g.Error(err)
	}
}

func uploadsOf(key string) string {
	return fmt.Sprintf(".sgwtmp/multipart/%x", sha256.Sum256([]byte(key)))
}

// renew sees to it that Mallory's upload is there, as a test ends it now and then.
func (g *stage) renew() {
	g.Helper()
	if g.upload != "" {
		if _, err := os.Stat(filepath.Join(g.dir, "media", uploadsOf(ownKey), g.upload, "1")); err == nil {
			return
		}
	}
	id, _ := uploadParts(g, s3Client(g.Store, g.Credentials()), "media", ownKey, []byte("mallory's own"))
	g.upload = *id
}

// tree is every file and folder below top but Mallory's own: its mode and bytes, by path.
func (g *stage) tree() map[string]string {
	g.Helper()
	seen := map[string]string{}
	err := filepath.WalkDir(g.top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		at, _ := filepath.Rel(g.dir, path)
		for _, below := range []string{"media", sideCarDir + "/media"} {
			if at == below+"/"+ownKey || at == below+"/"+uploadsOf(ownKey) || at == below+"/.sgwtmp/tmp" {
				return skip(d)
			}
		}
		if at == ".vgwlocks" {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		seen[at] = info.Mode().String()
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			seen[at] += " " + string(text)
		}
		return nil
	})
	if err != nil {
		g.Fatal(err)
	}
	if text, _ := os.ReadFile(filepath.Join(g.dir, "media", ownKey)); strings.Contains(string(text), "canary") {
		seen["media/"+ownKey] = "the bytes of another"
	}
	return seen
}

func skip(d fs.DirEntry) error {
	if d.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// around is what of a tree no rights in the store reach: all outside of it, and what in its folder belongs to no bucket.
func around(tree map[string]string) map[string]string {
	left := maps.Clone(tree)
	maps.DeleteFunc(left, func(at, _ string) bool {
		first, _, _ := strings.Cut(strings.TrimPrefix(at, sideCarDir+"/"), "/")
		return bucketName.MatchString(first)
	})
	return left
}

func changes(before, after map[string]string) (places []string) {
	for at := range before {
		if after[at] != before[at] {
			places = append(places, at)
		}
	}
	for at := range after {
		if _, was := before[at]; !was {
			places = append(places, at)
		}
	}
	slices.Sort(places)
	return places
}

// send sends a request as it is written, signed by what the gateway reads of it; as nobody, unsigned.
func (g *stage) send(as aws.Credentials, method, target string, header [][2]string, body string) (status int, text string) {
	g.Helper()
	host := strings.TrimPrefix(g.Endpoint(), "http://")
	digest := md5.Sum([]byte(body))
	header = append(slices.Clone(header), [2]string{"Content-Md5", base64.StdEncoding.EncodeToString(digest[:])},
		[2]string{"X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"})
	if as.AccessKeyID != "" {
		header = sign(as, method, target, host, header)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", method, target, host, len(body))
	for _, h := range header {
		out.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	out.WriteString("\r\n" + body)
	for again := true; ; again = false {
		if g.conn == nil {
			var err error
			if g.conn, err = net.Dial("tcp", host); err != nil {
				g.Fatal(err)
			}
			g.reader = bufio.NewReader(g.conn)
		}
		io.WriteString(g.conn, out.String()) // an error shows in the reply
		reply, err := http.ReadResponse(g.reader, &http.Request{Method: method})
		if err == nil {
			text, _ := io.ReadAll(reply.Body)
			var head strings.Builder
			reply.Header.Write(&head)
			if reply.Close {
				g.conn.Close()
				g.conn = nil
			}
			return reply.StatusCode, head.String() + string(text)
		}
		g.conn.Close()
		g.conn = nil
		if !again {
			return 0, err.Error()
		}
	}
}

// sign adds the signature of a request in its headers, over what the gateway makes of path and query.
func sign(as aws.Credentials, method, target, host string, header [][2]string) [][2]string {
	now := time.Now()
	signed := map[string]string{"host": host, "x-amz-date": sigv4.Timestamp(now)}
	header = append(header, [2]string{"X-Amz-Date", signed["x-amz-date"]})
	if as.SessionToken != "" {
		header = append(header, [2]string{"X-Amz-Security-Token", as.SessionToken})
	}
	for _, h := range header {
		if name := strings.ToLower(h[0]); strings.HasPrefix(name, "x-amz-") || name == "content-md5" {
			if before, twice := signed[name]; twice && name != "x-amz-date" {
				h[1] = before + "," + h[1]
			}
			signed[name] = strings.TrimSpace(h[1])
		}
	}
	var uri fasthttp.URI
	uri.Parse(nil, []byte(target)) //nolint:errcheck // what cannot be read is refused whatever its signature is
	path, err := url.PathUnescape(string(uri.PathOriginal()))
	if err != nil {
		path = string(uri.PathOriginal())
	}
	query := url.Values{}
	for name, value := range uri.QueryArgs().All() {
		query.Add(string(name), string(value))
	}
	for _, values := range query {
		slices.Sort(values)
	}
	names := slices.Sorted(maps.Keys(signed))
	canonical := method + "\n" + sigv4.EscapePath(path) + "\n" + strings.ReplaceAll(query.Encode(), "+", "%20") + "\n"
	for _, name := range names {
		canonical += name + ":" + signed[name] + "\n"
	}
	canonical += "\n" + strings.Join(names, ";") + "\nUNSIGNED-PAYLOAD"
	day := signed["x-amz-date"][:8]
	scope := day + "/" + region + "/s3/aws4_request"
	toSign := strings.Join([]string{algorithm, signed["x-amz-date"], scope, hexSHA256([]byte(canonical))}, "\n")
	signature := hex.EncodeToString(hmacSHA256(signingKey(as.SecretAccessKey, day, region, "s3"), toSign))
	return append(header, [2]string{"Authorization", algorithm + " Credential=" + as.AccessKeyID + "/" + scope +
		", SignedHeaders=" + strings.Join(names, ";") + ", Signature=" + signature})
}
