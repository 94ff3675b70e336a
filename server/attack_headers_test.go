package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	tagging   = `<Tagging><TagSet><Tag><Key>by</Key><Value>mallory</Value></Tag></TagSet></Tagging>`
	selectAll = `<SelectObjectContentRequest><Expression>SELECT * FROM S3Object</Expression><ExpressionType>SQL</ExpressionType><InputSerialization><CSV/></InputSerialization><OutputSerialization><CSV/></OutputSerialization></SelectObjectContentRequest>`
	publicACL = `<AccessControlPolicy><Owner><ID>chunksign</ID></Owner><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group"><URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>`
)

// copied are sources that Mallory may not read.
var copied = []struct{ name, source string }{
	{"Alice's object", "/media/{theirs}"}, {"without its slash", "media/{theirs}"}, {"escaped", "%2Fmedia%2Fu%2Falice%2F{n}%2Ftheirs.bin"},
	{"a version", "/media/{theirs}?versionId=null"}, {"by dot segments", "/media/{dir}/../../alice/{n}/theirs.bin"}, {"by escaped dots", "/media/{dir}/%2e%2e/%2e%2e/alice/{n}/theirs.bin"},
	{"from another bucket's path", "/other/../media/{theirs}"}, {"an access point's ARN", "arn:aws:s3:::media/{theirs}"},
}

// put are headers of a PutObject or a CreateMultipartUpload of her own key, which
// would store it with more than the destination gives.
var extras = []struct {
	name   string
	header map[string]string
}{
	{"ACL public-read", map[string]string{"X-Amz-Acl": "public-read"}},
	{"ACL public-read-write", map[string]string{"X-Amz-Acl": "public-read-write"}},
	{"ACL authenticated-read", map[string]string{"X-Amz-Acl": "authenticated-read"}},
	{"a grant of reading to all", map[string]string{"X-Amz-Grant-Read": `uri="http://acs.amazonaws.com/groups/global/AllUsers"`}},
	{"a grant of reading the ACL to all", map[string]string{"X-Amz-Grant-Read-Acp": `uri="http://acs.amazonaws.com/groups/global/AllUsers"`}},
	{"a grant of writing the ACL to all", map[string]string{"X-Amz-Grant-Write-Acp": `uri="http://acs.amazonaws.com/groups/global/AllUsers"`}},
	{"a grant of everything to all", map[string]string{"X-Amz-Grant-Full-Control": `uri="http://acs.amazonaws.com/groups/global/AllUsers"`}},
	{"a tag", map[string]string{"X-Amz-Tagging": "by=mallory"}},
	{"two tags", map[string]string{"X-Amz-Tagging": "by=mallory&role=admin"}},
	{"a redirect", map[string]string{"X-Amz-Website-Redirect-Location": "https://evil.example/"}},
	{"SSE-S3", map[string]string{"X-Amz-Server-Side-Encryption": "AES256"}},
	{"SSE-KMS by the store's key", map[string]string{"X-Amz-Server-Side-Encryption": "aws:kms"}},
	{"SSE-KMS by another key", map[string]string{"X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "own"}},
	{"SSE-C", ssecHeader},
	{"a storage class", map[string]string{"X-Amz-Storage-Class": "REDUCED_REDUNDANCY"}},
	{"a retention", map[string]string{"X-Amz-Object-Lock-Mode": "GOVERNANCE", "X-Amz-Object-Lock-Retain-Until-Date": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}},
	{"a legal hold", map[string]string{"X-Amz-Object-Lock-Legal-Hold": "ON"}},
}

var ssecHeader = map[string]string{"X-Amz-Server-Side-Encryption-Customer-Algorithm": "AES256",
	"X-Amz-Server-Side-Encryption-Customer-Key":     "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
	"X-Amz-Server-Side-Encryption-Customer-Key-Md5": "KYvwGXoFFJ42a2u2GDWhwQ=="}

// byHeaders are attacks that a header makes out of a request of her own key.
func byHeaders() (all []attack) {
	for _, c := range copied {
		source := map[string]string{"X-Amz-Copy-Source": c.source}
		all = append(all,
			attack{name: "CopyObject to her own key: " + c.name, method: "PUT", path: "/media/{own}", header: source},
			attack{name: "UploadPartCopy into her own upload: " + c.name, method: "PUT", path: "/media/{own}", query: "partNumber=2&uploadId={ownupload}", header: source, looks: uploads})
	}
	for _, h := range []map[string]string{
		{"X-Amz-Copy-Source": "/media/{theirs}", "X-Amz-Metadata-Directive": "REPLACE", "X-Amz-Meta-A": "b"},
		{"X-Amz-Copy-Source": "/media/{theirs}", "X-Amz-Tagging-Directive": "COPY"},
		{"X-Amz-Copy-Source": "/media/{theirs}", "X-Amz-Copy-Source-If-None-Match": "x"},
	} {
		all = append(all, attack{name: fmt.Sprintf("CopyObject with %d further headers", len(h)-1) + " " + strings.Join(sortedKeys(h)[1:], ", "), method: "PUT", path: "/media/{own}", header: h})
	}
	for _, x := range extras {
		all = append(all,
			attack{name: "PutObject of her own with " + x.name, method: "PUT", path: "/media/{own}", header: x.header, body: ownBytes, looks: objects},
			attack{name: "CreateMultipartUpload of her own with " + x.name, looks: objects, do: func(w *world, as aws.Credentials) {
				path := "/media/" + escapePath(w.own)
				made := w.send(as, "POST", path, "uploads=", x.header, "")
				_, id, _ := strings.Cut(made.text, "<UploadId>")
				id, _, _ = strings.Cut(id, "<")
				if id == "" {
					return
				}
				header := map[string]string{}
				if x.name == "SSE-C" {
					header = x.header
				}
				part := w.send(as, "PUT", path, "partNumber=1&uploadId="+id, header, ownBytes)
				w.send(as, "POST", path, "uploadId="+id, nil, completion(part))
				w.send(w.s3Engine.own, "DELETE", path, "uploadId="+id, nil, "") // where it was not completed
			}})
	}
	return all
}

// byQuery are attacks that a query makes out of a request of her own key.
var byQuery = []attack{
	{name: "UploadPart at her own key into Alice's upload", method: "PUT", path: "/media/{own}", query: "partNumber=2&uploadId={theirupload}", body: "by mallory", looks: uploads},
	{name: "ListParts at her own key of Alice's upload", method: "GET", path: "/media/{own}", query: "uploadId={theirupload}", leak: "<Part>"},
	{name: "AbortMultipartUpload at her own key of Alice's", method: "DELETE", path: "/media/{own}", query: "uploadId={theirupload}", looks: uploads},
	{name: "PutObject of her own, Alice's key in the query", method: "PUT", path: "/media/{own}", query: "key={theirs}", body: ownBytes, owner: true},
	{name: "the bucket with the key in the query", method: "PUT", path: "/media", query: "key={theirs}", body: "by mallory", looks: buckets, owner: true},
	{name: "PutObject of her own, a list in the query", method: "GET", path: "/media/{own}", query: "list-type=2&prefix=u/alice", leak: "alice"},
	{name: "AppendObject to Alice's", method: "PUT", path: "/media/{theirs}", query: "append=&position=0", body: "by mallory"},
	{name: "PutObject over Alice's by write offset", method: "PUT", path: "/media/{theirs}", header: map[string]string{"X-Amz-Write-Offset-Bytes": "0"}, body: "by mallory"},
	{name: "RestoreObject", method: "POST", path: "/media/{theirs}", query: "restore=", body: "<RestoreRequest><Days>1</Days></RestoreRequest>", looks: objects},
	{name: "PutObjectRetention", method: "PUT", path: "/media/{theirs}", query: "retention=", body: "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate></Retention>", looks: objects},
	{name: "PutObjectLegalHold", method: "PUT", path: "/media/{theirs}", query: "legal-hold=", body: "<LegalHold><Status>ON</Status></LegalHold>", looks: objects},
	{name: "DeleteObjectTagging", do: func(w *world, as aws.Credentials) {
		w.send(w.s3Engine.own, "PUT", "/media/"+w.theirs(), "tagging=", nil, tagging)
		w.send(as, "DELETE", "/media/"+w.theirs(), "tagging=", nil, "")
		h := w.send(w.s3Engine.own, "GET", "/media/"+w.theirs(), "tagging=", nil, "")
		w.hits = []hit{{200, fmt.Sprint("tags are there: ", strings.Contains(h.text, "mallory"))}}
	}, leak: "tags are there: false"},
}

func sortedKeys(m map[string]string) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	for i := range keys {
		for j := range i {
			if keys[i] < keys[j] {
				keys[i], keys[j] = keys[j], keys[i]
			}
		}
	}
	return keys
}

// completeTheirs completes Alice's upload, whose only part it can name.
func completeTheirs(w *world, as aws.Credentials) {
	key := w.theirs() + ".mp4"
	id := w.upload(key)
	sum, err := w.s3(w.s3Engine.own).ListParts(context.Background(), &s3.ListPartsInput{Bucket: aws.String("media"), Key: &key, UploadId: &id})
	if err != nil || len(sum.Parts) == 0 {
		return
	}
	w.send(as, "POST", "/media/"+key, "uploadId="+id, nil, completion(hit{text: "Etag: " + *sum.Parts[0].ETag + "\r"}))
}

// at sends a request that carries its signature in its URL.
func (w *world) at(method, url, body string) {
	w.Helper()
	q, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	answer, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		if !revived(w.T) {
			w.Fatal(err)
		}
		return
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	w.hits = append(w.hits, hit{answer.StatusCode, string(text)})
}

// postForm puts an object by a form whose policy allows it, signed with what
// somebody has.
func postForm(w *world, as aws.Credentials, key string) {
	now := time.Now().UTC()
	day := now.Format("20060102")
	fields := [][2]string{
		{"key", key}, {"x-amz-algorithm", "AWS4-HMAC-SHA256"}, {"x-amz-credential", as.AccessKeyID + "/" + day + "/" + w.region + "/s3/aws4_request"},
		{"x-amz-date", now.Format("20060102T150405Z")},
	}
	if as.SessionToken != "" {
		fields = append(fields, [2]string{"x-amz-security-token", as.SessionToken})
	}
	conditions := []any{map[string]string{"bucket": "media"}}
	for _, f := range fields[1:] {
		conditions = append(conditions, map[string]string{f[0]: f[1]})
	}
	conditions = append(conditions, []string{"starts-with", "$key", ""})
	policy := base64.StdEncoding.EncodeToString([]byte(object(map[string]any{"expiration": now.Add(time.Hour).Format("2006-01-02T15:04:05.000Z"), "conditions": conditions})))
	secret := []byte("AWS4" + as.SecretAccessKey)
	for _, step := range []string{day, w.region, "s3", "aws4_request", policy} {
		h := hmac.New(sha256.New, secret)
		h.Write([]byte(step))
		secret = h.Sum(nil)
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, f := range append(fields, [2]string{"policy", policy}, [2]string{"x-amz-signature", hex.EncodeToString(secret)}) {
		form.WriteField(f[0], f[1])
	}
	file, _ := form.CreateFormFile("file", fmt.Sprintf("%d.bin", w.n))
	io.WriteString(file, "by mallory")
	form.Close()
	w.send(aws.Credentials{}, "POST", "/media", "", map[string]string{"Content-Type": form.FormDataContentType()}, body.String())
}
