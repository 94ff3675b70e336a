package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	pathpkg "path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// An attack is what somebody tries who holds the session of one upload: Mallory,
// with that of a file of hers. It is granted where its effect is seen by the
// store's owner, or where the reply holds what only others may read; statuses
// say nothing, for some engines answer 200 to what they do not do.
//
// In path, query, header and body these stand for what an attack is about:
//
//	{own}      the key that Mallory may put      {ownupload}    an upload of it, with one part
//	{theirs}   Alice's object of this attack     {theirupload}  an upload of hers at {theirs}.mp4, with one part
//	{dir}      {own} up to its last slash        {n}            the attack's number
type attack struct {
	name                string
	method, path, query string
	header              map[string]string
	body                string

	leak   string // what a reply would hold that gives something away, "" for nothing
	looks  look   // where the effect would be seen, beside all keys and their bytes
	sub    string // of a bucket's subresource: its name
	within bool   // a prefix session may do that: it is among Mallory's own keys
	breaks string // an engine whose owner cannot list the bucket once it has succeeded
	owner  bool   // no session may, whatever its policy: the control is a call of the store's owner
	plain  bool   // not signed at all

	do func(w *world, as aws.Credentials) // in place of the one request
}

// look is what of a world an effect would be seen in.
type look uint8

const (
	objects     look = 1 << iota // what {own} and {theirs} are stored with: headers, ACL, tags
	uploads                      // multipart uploads and their parts
	buckets                      // which there are
	subresource                  // the subresource sub of the bucket media
)

// world is what one attack is about.
type world struct {
	*testing.T
	*s3Engine
	n        int
	own      string // Mallory's key
	uploadID map[string]string
	hits     []hit
	bears    *borne // what credentials of the source presigned stand for
}

// hit is the reply to one request of an attack.
type hit struct {
	status int
	text   string // headers and body
}

func (h hit) String() string {
	_, code, _ := strings.Cut(h.text, "<Code>")
	code, _, _ = strings.Cut(code, "<")
	return strings.TrimSpace(fmt.Sprint(h.status, " ", code))
}

const (
	secretOf = "alice's secret " // what Alice's objects hold, before the attack's number
	ownBytes = "mallory's own"
)

func (w *world) theirs() string { return fmt.Sprintf("u/alice/%d/theirs.bin", w.n) }

// fill puts values in place of names.
func (w *world) fill(text string, escape func(string) string) string {
	dir := w.own[:strings.LastIndexByte(w.own, '/')]
	text = strings.NewReplacer("{own}", escape(w.own), "{dir}", escape(dir), "{theirs}", escape(w.theirs()), "{n}", fmt.Sprint(w.n)).Replace(text)
	if strings.Contains(text, "{ownupload}") {
		text = strings.ReplaceAll(text, "{ownupload}", w.upload(w.own))
	}
	if strings.Contains(text, "{theirupload}") {
		text = strings.ReplaceAll(text, "{theirupload}", w.upload(w.theirs()+".mp4"))
	}
	return text
}

func unescaped(s string) string { return s }

// escapePath escapes a key for a URL, but for its slashes.
func escapePath(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(key), "+", "%20"), "%2F", "/")
}

// upload begins one at a key, with one part, as the store's owner.
func (w *world) upload(key string) string {
	w.Helper()
	if id := w.uploadID[key]; id != "" {
		return id
	}
	ctx, c := context.Background(), w.s3(w.s3Engine.own)
	made, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String("media"), Key: &key})
	if err != nil {
		w.Fatal(err)
	}
	if _, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: aws.String("media"), Key: &key, UploadId: made.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("a part")}); err != nil {
		w.Fatal(err)
	}
	w.uploadID[key] = *made.UploadId
	return *made.UploadId
}

// prepare makes what the attack is about.
func (w *world) prepare(a *attack) {
	w.Helper()
	text := a.path + a.query + a.body + a.leak + fmt.Sprint(a.header)
	if strings.Contains(text, "{theirs}") || strings.Contains(text, "/alice/") || a.do != nil || a.sub == "" {
		w.put("media", w.theirs(), secretOf+fmt.Sprint(w.n))
	}
	w.fill(text, unescaped) // begins the uploads
	if a.looks&uploads != 0 {
		w.upload(w.own)
		w.upload(w.theirs() + ".mp4")
	}
}

func (w *world) put(bucket, key, content string) {
	w.Helper()
	header := map[string]string{}
	if w.bears != nil { // or a PutObject by that would be seen by its type
		header["Content-Type"] = w.bears.header["content-type"]
	}
	if h := w.send(w.s3Engine.own, "PUT", "/"+bucket+"/"+escapePath(key), "", header, content); h.status != http.StatusOK {
		w.Fatalf("put %s: %v", key, h)
	}
}

// try makes the attack with some credentials and says what its replies give away.
func (w *world) try(a *attack, as aws.Credentials) (leaked string) {
	w.Helper()
	w.hits = nil
	if a.do != nil {
		a.do(w, as)
	} else {
		header := map[string]string{}
		for name, value := range a.header {
			header[name] = w.fill(value, escapePath)
		}
		w.send(as, a.method, w.fill(a.path, escapePath), w.fill(a.query, url.QueryEscape), header, w.fill(a.body, unescaped))
	}
	if a.leak == "" {
		return ""
	}
	want := w.fill(a.leak, unescaped)
	for _, h := range w.hits {
		if h.status < 300 && strings.Contains(h.text, want) {
			leaked = want
		}
	}
	return leaked
}

// send makes one request, with the path as it is. What an engine takes for the
// path that was signed differs, so those that it may are signed in turn. Without
// credentials it is not signed.
func (w *world) send(as aws.Credentials, method, path, query string, header map[string]string, body string) hit {
	w.Helper()
	signed := []string{path}
	if decoded, err := url.PathUnescape(path); err == nil {
		signed = append(signed, escapePath(decoded), escapePath(pathpkg.Clean(decoded)))
	}
	var h hit
	for i, as3 := range signed {
		if i > 0 && (slices.Contains(signed[:i], as3) || !strings.Contains(h.text, "SignatureDoesNotMatch") && (method != "HEAD" || h.status != http.StatusForbidden)) {
			continue
		}
		h = w.sendSigned(as, method, path, as3, query, header, body)
	}
	w.hits = append(w.hits, h)
	return h
}

func (w *world) sendSigned(as aws.Credentials, method, path, signed, query string, header map[string]string, body string) hit {
	w.Helper()
	if as.Source == presignedSource && method == "PUT" {
		body = ownBytes // another length fails by the signature, and would show nothing
	}
	q, err := http.NewRequest(method, w.endpoint, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	q.URL.Opaque, q.URL.RawQuery = signed, query
	for name, value := range header {
		q.Header.Set(name, value)
	}
	switch {
	case as.Source == presignedSource:
		w.bears.put(q)
	case as.AccessKeyID != "":
		sum := sha256.Sum256([]byte(body))
		hash := hex.EncodeToString(sum[:])
		q.Header.Set("X-Amz-Content-Sha256", hash)
		if body != "" { // which some calls want
			md := md5.Sum([]byte(body))
			q.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(md[:]))
		}
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		if err := signer.SignHTTP(context.Background(), as, q, hash, "s3", w.region, time.Now()); err != nil {
			w.Fatal(err)
		}
	}
	q.URL.Opaque = path
	answer, err := http.DefaultTransport.RoundTrip(q)
	if err != nil { // a path that the engine does not even read
		revived(w.T)
		return hit{0, err.Error()}
	}
	defer answer.Body.Close()
	var text bytes.Buffer
	answer.Header.Write(&text)
	text.WriteString("\r\n")
	if _, err := io.Copy(&text, answer.Body); err != nil {
		fmt.Fprintf(&text, "\ncut short: %v", err)
	}
	return hit{answer.StatusCode, text.String()}
}

// sees is what the store's owner sees of the world, by place.
func (w *world) sees(at look, sub string) map[string]string {
	w.Helper()
	seen := map[string]string{}
	for _, bucket := range []string{"media", "media2", "other"} {
		for _, o := range w.list(w.T, bucket, "") {
			seen[bucket+"/"+*o.Key] = fmt.Sprint(*o.ETag, *o.Size)
		}
	}
	if at&objects != 0 {
		for _, key := range []string{w.own, w.theirs()} {
			w.seesObject(seen, key)
		}
	}
	if at&uploads != 0 {
		w.seesUploads(seen)
	}
	if at&buckets != 0 {
		all, err := w.s3(w.s3Engine.own).ListBuckets(context.Background(), &s3.ListBucketsInput{})
		if err != nil {
			w.Fatal(err)
		}
		for _, b := range all.Buckets {
			seen["bucket "+*b.Name] = "there"
		}
	}
	if at&subresource != 0 {
		seen["?"+sub] = w.seesConfig("media", sub)
	}
	return seen
}

// seesObject notes what an object is stored with.
func (w *world) seesObject(seen map[string]string, key string) {
	ctx, c, bucket := context.Background(), w.s3(w.s3Engine.own), aws.String("media")
	head, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: &key})
	if err != nil {
		seen["head "+key] = codeOf(err) // one of SSE-C is read by its own key only
	} else {
		seen["head "+key] = fmt.Sprint(aws.ToString(head.ContentType), aws.ToString(head.WebsiteRedirectLocation), head.ServerSideEncryption, aws.ToString(head.SSEKMSKeyId),
			aws.ToString(head.SSECustomerAlgorithm), head.StorageClass, head.ObjectLockMode, head.ObjectLockLegalHoldStatus, aws.ToString(head.CacheControl), head.Metadata)
	}
	if tags, err := c.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: bucket, Key: &key}); err == nil {
		for _, tag := range tags.TagSet {
			seen["tag "+*tag.Key+" of "+key] = *tag.Value
		}
	}
	if acl, err := c.GetObjectAcl(ctx, &s3.GetObjectAclInput{Bucket: bucket, Key: &key}); err == nil {
		for _, g := range acl.Grants {
			seen[fmt.Sprintf("acl of %s: %s%s %s", key, aws.ToString(g.Grantee.ID), aws.ToString(g.Grantee.URI), g.Permission)] = "given"
		}
	}
}

// seesUploads notes the uploads of the keys that the attack is about. MinIO lists
// those of one exact key only.
func (w *world) seesUploads(seen map[string]string) {
	ctx, c, bucket := context.Background(), w.s3(w.s3Engine.own), aws.String("media")
	for _, key := range []string{w.own, w.theirs(), w.theirs() + ".mp4", fmt.Sprintf("fresh/%d.bin", w.n)} {
		list, err := c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bucket, Prefix: &key})
		if err != nil {
			w.Fatal(err)
		}
		for _, u := range list.Uploads {
			at := "upload " + *u.Key + " " + *u.UploadId
			seen[at] = "there"
			if parts, err := c.ListParts(ctx, &s3.ListPartsInput{Bucket: bucket, Key: u.Key, UploadId: u.UploadId}); err == nil {
				for _, p := range parts.Parts {
					seen[at] += fmt.Sprint(" ", *p.PartNumber, *p.ETag)
				}
			}
		}
	}
}

// seesConfig is a bucket's subresource as the store tells it, without what
// differs from reply to reply.
func (w *world) seesConfig(bucket, sub string) string {
	h := w.send(w.s3Engine.own, "GET", "/"+bucket, sub+"=", nil, "")
	w.hits = w.hits[:len(w.hits)-1]
	_, body, _ := strings.Cut(h.text, "\r\n\r\n")
	if h.status >= 300 || strings.Contains(body, "<ListBucketResult") { // not known there
		return "none"
	}
	return body
}

// clean takes away what an attack was about and what has come of it.
func (w *world) clean(before map[string]string) {
	w.Helper()
	ctx, c := context.Background(), w.s3(w.s3Engine.own)
	for _, bucket := range []string{"media", "media2", "other"} {
		for _, o := range w.list(w.T, bucket, "") {
			if before[bucket+"/"+*o.Key] != fmt.Sprint(*o.ETag, *o.Size) {
				if _, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: o.Key, BypassGovernanceRetention: aws.Bool(true)}); err != nil {
					w.Logf("%s: %v", *o.Key, err)
				}
			}
		}
	}
	for key, id := range w.uploadID {
		c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: aws.String("media"), Key: &key, UploadId: &id})
	}
}

// differ names the places at which two sights differ.
func differ(a, b map[string]string) (places []string) {
	for at := range a {
		if a[at] != b[at] {
			places = append(places, fmt.Sprintf("%s: %q, was %q", at, b[at], a[at]))
		}
	}
	for at := range maps.Keys(b) {
		if _, was := a[at]; !was {
			places = append(places, fmt.Sprintf("%s: %q is new", at, b[at]))
		}
	}
	slices.Sort(places)
	return places
}
