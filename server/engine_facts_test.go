package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// fact is what an engine does, in a few words, for its cell of the table in
// docs/engines.md.
type fact struct {
	what string
	is   func(w *world, session aws.Credentials) string
}

// facts are asked with a session for one key, fact/own, but where only the
// store's owner may.
var facts = []fact{
	{"A session asks STS for another", func(w *world, session aws.Credentials) string {
		wider, err := w.session(session, "", 15*time.Minute)
		if err != nil {
			return "refused"
		}
		if h := w.send(wider, "PUT", "/media/fact/other", "", nil, "x"); h.status == 200 {
			return "gets one without a policy: keep STS from pages"
		}
		return "gets one as narrow"
	}},
	{"A policy for `K` covers `K/` too", func(w *world, _ aws.Credentials) string {
		narrow, err := w.session(w.s3Engine.own, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject"],"Resource":["arn:aws:s3:::media/folder"]}]}`, 15*time.Minute)
		if err != nil {
			return codeOf(err)
		}
		return word(w.send(narrow, "PUT", "/media/folder/", "", nil, "").status == 200, "yes; the server's policies deny it", "no")
	}},
	{"`${*}` in a policy's resource", func(w *world, _ aws.Credentials) string {
		escaped, err := w.session(w.s3Engine.own, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject"],"Resource":["arn:aws:s3:::media/star${*}"]}]}`, 15*time.Minute)
		if err != nil {
			return "refused"
		}
		return word(w.send(escaped, "PUT", "/media/star$%7Bx%7D", "", nil, "x").status == 200 || w.send(escaped, "PUT", "/media/starx", "", nil, "x").status == 200, "a wildcard", "no wildcard")
	}},
	{"Dot segments in a key", func(w *world, _ aws.Credentials) string {
		w.send(w.s3Engine.own, "PUT", "/media/dots/a/../b", "", nil, "x")
		for _, o := range w.list(w.T, "media", "dots/") {
			return map[string]string{"dots/b": "followed", "dots/a/../b": "kept as they are"}[*o.Key]
		}
		return "refused"
	}},
	{"A key with a colon", func(w *world, _ aws.Credentials) string {
		colon, err := w.session(w.s3Engine.own, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject"],"Resource":["arn:aws:s3:::media/a:b"]}]}`, 15*time.Minute)
		return word(err == nil && w.send(colon, "PUT", "/media/a%3Ab", "", nil, "x").status == 200, "works", "STS refuses its policy: use `{uuid}.{ext}`")
	}},
	{"PutObject, If-None-Match", func(w *world, session aws.Credentials) string {
		return conditional(w.send(session, "PUT", "/media/fact/own", "", map[string]string{"If-None-Match": "*"}, "x"))
	}},
	{"CompleteMultipartUpload, If-None-Match", func(w *world, session aws.Credentials) string {
		id, part := w.began(session)
		return conditional(w.send(session, "POST", "/media/fact/own", "uploadId="+id, map[string]string{"If-None-Match": "*"}, completion(part)))
	}},
	{"DeleteObject, If-Match", func(w *world, _ aws.Credentials) string {
		w.put("media", "fact/gone", "x")
		return conditional(w.send(w.s3Engine.own, "DELETE", "/media/fact/gone", "", map[string]string{"If-Match": `"00000000000000000000000000000000"`}, ""))
	}},
	{"A part's `x-amz-checksum-sha256` that is not its bytes'", func(w *world, session aws.Credentials) string {
		id, _ := w.began(session)
		sum := sha256.Sum256([]byte("another"))
		h := w.send(session, "PUT", "/media/fact/own", "partNumber=2&uploadId="+id, map[string]string{"X-Amz-Checksum-Sha256": base64.StdEncoding.EncodeToString(sum[:])}, "x")
		return word(h.status >= 400, "refused", "ignored")
	}},
	{"An object's SHA-256", func(w *world, session aws.Credentials) string {
		sum := sha256.Sum256([]byte("x"))
		w.send(session, "PUT", "/media/fact/own", "", map[string]string{"X-Amz-Checksum-Sha256": base64.StdEncoding.EncodeToString(sum[:])}, "x")
		head, err := w.s3(w.s3Engine.own).HeadObject(context.Background(), &s3.HeadObjectInput{Bucket: aws.String("media"), Key: aws.String("fact/own"), ChecksumMode: types.ChecksumModeEnabled})
		return word(err == nil && head.ChecksumSHA256 != nil, "kept", "not kept: `verify` has none to hold against the page's")
	}},
	{"CompleteMultipartUpload's ETag", func(w *world, session aws.Credentials) string {
		id, part := w.began(session)
		return word(regexp.MustCompile(`<ETag>[^<]+-1`).MatchString(w.send(session, "POST", "/media/fact/own", "uploadId="+id, nil, completion(part)).text), "in the reply", "missing in the first reply")
	}},
	{"CompleteMultipartUpload again", func(w *world, session aws.Credentials) string {
		id, part := w.began(session)
		w.send(session, "POST", "/media/fact/own", "uploadId="+id, nil, completion(part))
		return w.send(session, "POST", "/media/fact/own", "uploadId="+id, nil, completion(part)).String()
	}},
	{"ListParts after an abort", func(w *world, session aws.Credentials) string {
		id, _ := w.began(session)
		w.send(session, "DELETE", "/media/fact/own", "uploadId="+id, nil, "")
		return w.send(session, "GET", "/media/fact/own", "uploadId="+id, nil, "").String()
	}},
	{"ListMultipartUploads of a prefix (`sweep`)", func(w *world, session aws.Credentials) string {
		w.began(session)
		h := w.send(w.s3Engine.own, "GET", "/media", "uploads=&prefix=fact", nil, "")
		return word(strings.Contains(h.text, "<UploadId>"), "works", "finds nothing: one exact key only")
	}},
	{"A bucket's CORS", func(w *world, _ aws.Credentials) string {
		h := w.send(w.s3Engine.own, "PUT", "/media", "cors=", nil, `<CORSConfiguration><CORSRule><AllowedOrigin>https://app.example.com</AllowedOrigin><AllowedMethod>PUT</AllowedMethod><ExposeHeader>ETag</ExposeHeader></CORSRule></CORSConfiguration>`)
		return word(h.status < 300, "works", "none ("+h.String()+"): the server's own")
	}},
	{"A refusal (403) tells its page", func(w *world, session aws.Credentials) string {
		h := w.send(session, "PUT", "/media/fact/other", "", map[string]string{"Origin": "https://app.example.com"}, "x")
		return word(strings.Contains(h.text, "Access-Control-Allow-Origin"), "yes", "no: it has no CORS headers")
	}},
	{"Who reads what a page puts with `x-amz-acl: public-read`", func(w *world, session aws.Credentials) string {
		w.send(session, "PUT", "/media/fact/own", "", map[string]string{"X-Amz-Acl": "public-read"}, "x")
		if w.send(aws.Credentials{}, "GET", "/media/fact/own", "", nil, "").status == 200 {
			return "everybody"
		}
		w.put("media", "fact/own", "own")
		if w.name != "ceph" {
			return "nobody"
		}
		c, bucket := w.s3(w.s3Engine.own), aws.String("media")
		_, err := c.DeletePublicAccessBlock(context.Background(), &s3.DeletePublicAccessBlockInput{Bucket: bucket})
		w.send(session, "PUT", "/media/fact/own", "", map[string]string{"X-Amz-Acl": "public-read"}, "x")
		public := w.send(aws.Credentials{}, "GET", "/media/fact/own", "", nil, "").status == 200
		w.ignorePublicACLs(w.T, "media")
		return word(err == nil && public, "everybody, unless the bucket has IgnorePublicAcls", "nobody")
	}},
	{"Comes with the right to put, and nothing keeps it from a session that is `trusted`", func(w *world, _ aws.Credentials) string {
		var with []string
		for _, name := range carried[w.name] {
			if _, what, _ := strings.Cut(name, " of her own with "); !slices.Contains(with, what) {
				with = append(with, what)
			}
		}
		return word(len(with) > 0, strings.Join(with, ", "), "–")
	}},
}

func word(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

// conditional is what became of a condition that does not hold.
func conditional(h hit) string { return word(h.status == 412, "works", "ignored") }

// began gives an upload of fact/own with one part, and the reply to that.
func (w *world) began(as aws.Credentials) (id string, part hit) {
	w.Helper()
	made := w.send(as, "POST", "/media/fact/own", "uploads=", nil, "")
	_, id, _ = strings.Cut(made.text, "<UploadId>")
	id, _, _ = strings.Cut(id, "<")
	return id, w.send(as, "PUT", "/media/fact/own", "partNumber=1&uploadId="+id, nil, "x")
}

// TestEngineFacts holds an engine's column of the table in docs/engines.md to the
// engine; with CHUNKSIGN_UPDATE set it writes the column.
func TestEngineFacts(t *testing.T) {
	e := startEngine(t, "media", "media2", "other")
	session, err := e.session(e.own, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject","s3:AbortMultipartUpload","s3:ListMultipartUploadParts"],"Resource":["arn:aws:s3:::media/fact/own"]}]}`, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, s3Engine: e, uploadID: map[string]string{}}
	w.put("media", "fact/own", "own")
	for _, f := range facts {
		hold(t, f.what, f.is(w, session))
	}
}

// TestEngineDoctor holds the table to what doctor finds wrong with the engine.
func TestEngineDoctor(t *testing.T) {
	e := startEngine(t, "media")
	path := e.configure(t, "auth: { dev: true }\nstores: { s: $STORE }\ndestinations: { d: { store: s, bucket: media, key: \"d/{uuid}\", content_length: 0..1GiB } }\n")
	_, stdout, _ := command(t, "doctor", "-config", path)
	var failed []string
	for line := range strings.SplitSeq(stdout, "\n") {
		if _, check, found := strings.Cut(line, "✗ d: "); found {
			name, _, _ := strings.Cut(check, ":")
			if !slices.Contains(failed, name) {
				failed = append(failed, name)
			}
		}
	}
	if !strings.Contains(stdout, " d: scope: ") {
		t.Errorf("doctor says\n%s", stdout)
	}
	hold(t, "Checks of `chunksign doctor` that fail", word(len(failed) > 0, strings.Join(failed, ", "), "–"))
}

// Absolute, for the embedded store works in its own folder.
var enginesPage, _ = filepath.Abs("../docs/engines.md")

// hold holds one cell of the table against what was found.
func hold(t *testing.T, what, found string) {
	t.Helper()
	column := slices.Index([]string{embedded, "minio", "ceph"}, engineName()) + 1
	lines := strings.Split(page(t, enginesPage), "\n")
	update := os.Getenv("CHUNKSIGN_UPDATE") != ""
	last := 0
	for i, line := range lines {
		cells := strings.Split(line, "|")
		if len(cells) != 6 {
			continue
		}
		cells = cells[1:5]
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		last = i
		if cells[0] != what {
			continue
		}
		if cells[column] == found {
			return
		}
		if !update {
			t.Errorf("%s: %s says %q and it is %q; CHUNKSIGN_UPDATE=1 writes it", what, enginesPage, cells[column], found)
			return
		}
		cells[column] = found
		lines[i] = "| " + strings.Join(cells, " | ") + " |"
		write(t, lines)
		return
	}
	if !update {
		t.Errorf("%s: %s has no such row; CHUNKSIGN_UPDATE=1 writes it", what, enginesPage)
		return
	}
	cells := []string{what, "?", "?", "?"}
	cells[column] = found
	write(t, slices.Insert(lines, last+1, "| "+strings.Join(cells, " | ")+" |"))
}

func write(t *testing.T, lines []string) {
	t.Helper()
	if err := os.WriteFile(enginesPage, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}
