package main

import (
	"net/http"
	"time"
)

// hostileHeader is a header that the documentation of AWS, MinIO, Ceph or of what often stands before them names,
// with values that would do Mallory good. {theirs} stands for Alice's object, {own} for Mallory's, escaped.
type hostileHeader struct {
	name   string
	values []string
	with   map[string]string // further headers, without which it does nothing
	// kept says that an object keeps it and that S3 takes it from whoever may put: complete compares what it has to.
	kept bool
}

const (
	toEverybody = `uri="http://acs.amazonaws.com/groups/global/AllUsers"`
	theirSource = "/media/{theirs}"
	ssecKey     = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	ssecMD5     = "KYvwGXoFFJ42a2u2GDWhwQ=="
)

var fromTheirs = map[string]string{"x-amz-copy-source": theirSource}

// with adds to what a copy of Alice's object has.
func copying(more ...string) map[string]string {
	h := map[string]string{"x-amz-copy-source": theirSource}
	for i := 0; i < len(more); i += 2 {
		h[more[i]] = more[i+1]
	}
	return h
}

// hostileHeaders are the catalogue. AWS's are of PutObject, CopyObject, UploadPart, UploadPartCopy,
// CreateMultipartUpload, CompleteMultipartUpload, GetObject, RenameObject and the common request headers; MinIO's of
// internal/http/headers.go, cmd/untar.go and its zip extension; radosgw's of rgw_rest_s3.cc, rgw_rest_swift.cc and rgw_common.cc.
func hostileHeaders() []hostileHeader {
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	lock := map[string]string{"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": until}
	kms := map[string]string{"x-amz-server-side-encryption": "aws:kms"}
	replica := map[string]string{"x-minio-source-replication-request": "true", "x-amz-replication-status": "REPLICA"}
	var sources []string
	for _, c := range copied {
		sources = append(sources, c.source)
	}
	all := []hostileHeader{
		{name: "x-amz-copy-source", values: sources},
		{name: "x-amz-copy-source-range", values: []string{"bytes=0-4", "bytes=0-0"}, with: fromTheirs},
		{name: "x-amz-copy-source-if-match", values: []string{"*"}, with: fromTheirs},
		{name: "x-amz-copy-source-if-none-match", values: []string{"x"}, with: fromTheirs},
		{name: "x-amz-copy-source-if-modified-since", values: []string{"Sat, 01 Jan 2000 00:00:00 GMT"}, with: fromTheirs},
		{name: "x-amz-copy-source-if-unmodified-since", values: []string{"Fri, 01 Jan 2100 00:00:00 GMT"}, with: fromTheirs},
		{name: "x-amz-copy-source-server-side-encryption-customer-algorithm", values: []string{"AES256"}, with: copying(
			"x-amz-copy-source-server-side-encryption-customer-key", ssecKey, "x-amz-copy-source-server-side-encryption-customer-key-md5", ssecMD5)},
		{name: "x-amz-metadata-directive", values: []string{"COPY", "REPLACE"}, with: fromTheirs},
		{name: "x-amz-tagging-directive", values: []string{"COPY", "REPLACE"}, with: copying("x-amz-tagging", "by=mallory")},
		{name: "x-amz-source-expected-bucket-owner", values: []string{"111122223333"}, with: fromTheirs},
		{name: "x-amz-rename-source", values: []string{theirSource}},
		{name: "x-amz-tagging", values: []string{"by=mallory", "by=mallory&role=admin"}},
		{name: "x-amz-acl", values: []string{"public-read", "public-read-write", "authenticated-read", "aws-exec-read", "bucket-owner-read", "bucket-owner-full-control", "log-delivery-write"}},
		{name: "x-amz-grant-read", values: []string{toEverybody, `id="mallory"`}},
		{name: "x-amz-grant-write", values: []string{toEverybody}},
		{name: "x-amz-grant-read-acp", values: []string{toEverybody}},
		{name: "x-amz-grant-write-acp", values: []string{toEverybody}},
		{name: "x-amz-grant-full-control", values: []string{toEverybody, `emailAddress="mallory@evil.example"`}},
		{name: "x-amz-website-redirect-location", values: []string{"https://evil.example/", "/media/{theirs}"}},
		{name: "x-amz-storage-class", values: []string{"REDUCED_REDUNDANCY", "GLACIER", "STANDARD_IA"}},
		{name: "x-amz-server-side-encryption", values: []string{"AES256", "aws:kms", "aws:kms:dsse"}},
		{name: "x-amz-server-side-encryption-aws-kms-key-id", values: []string{"own", "mallory"}, with: kms},
		{name: "x-amz-server-side-encryption-context", values: []string{"eyJhIjoiYiJ9"}, with: kms},
		{name: "x-amz-server-side-encryption-bucket-key-enabled", values: []string{"true"}, with: kms},
		{name: "x-amz-server-side-encryption-customer-algorithm", values: []string{"AES256"}, with: map[string]string{
			"x-amz-server-side-encryption-customer-key": ssecKey, "x-amz-server-side-encryption-customer-key-md5": ssecMD5}},
		{name: "x-amz-object-lock-mode", values: []string{"GOVERNANCE"}, with: lock},
		{name: "x-amz-object-lock-retain-until-date", values: []string{until}, with: lock},
		{name: "x-amz-object-lock-legal-hold", values: []string{"ON"}},
		{name: "x-amz-bypass-governance-retention", values: []string{"true"}},
		{name: "x-amz-mfa", values: []string{"0 0"}},
		{name: "x-amz-write-offset-bytes", values: []string{"0", "5"}},
		{name: "x-amz-mp-object-size", values: []string{"1"}},
		{name: "x-amz-if-match-size", values: []string{"0"}},
		{name: "x-amz-decoded-content-length", values: []string{"5"}},
		{name: "x-amz-trailer", values: []string{"x-amz-checksum-crc32"}},
		{name: "x-amz-content-sha256", values: []string{"UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}},
		{name: "x-amz-security-token", values: []string{"mallory"}},
		{name: "x-amz-date", values: []string{"20300101T000000Z"}},
		{name: "x-amz-meta-mallory", values: []string{"was here"}, kept: true},
		{name: "x-amz-meta-snowball-auto-extract", values: []string{"true"}, kept: true},
		{name: "x-amz-meta-minio-snowball-prefix", values: []string{"u/alice"}, kept: true, with: map[string]string{"x-amz-meta-snowball-auto-extract": "true"}},
		{name: "x-amz-meta-snowball-ignore-dirs", values: []string{"true"}, kept: true, with: map[string]string{"x-amz-meta-snowball-auto-extract": "true"}},
		{name: "x-amz-replication-status", values: []string{"REPLICA", "COMPLETED"}},
		{name: "x-amz-bucket-replication-status", values: []string{"REPLICA"}},
		{name: "x-minio-source-replication-request", values: []string{"true"}, with: replica},
		{name: "x-minio-source-mtime", values: []string{"2001-01-01T00:00:00.000000001Z"}, with: replica},
		{name: "x-minio-source-etag", values: []string{"00000000000000000000000000000000"}, with: replica},
		{name: "x-minio-source-version-id", values: []string{"00000000-0000-0000-0000-000000000000"}, with: replica},
		{name: "x-minio-source-deletemarker", values: []string{"true"}, with: replica},
		{name: "x-minio-source-deletemarker-delete", values: []string{"true"}, with: replica},
		{name: "x-minio-source-proxy-request", values: []string{"true"}},
		{name: "x-minio-source-replication-check", values: []string{"true"}},
		{name: "x-minio-source-replication-tagging-timestamp", values: []string{"2001-01-01T00:00:00Z"}, with: replica},
		{name: "x-minio-source-replication-retention-timestamp", values: []string{"2001-01-01T00:00:00Z"}, with: replica},
		{name: "x-minio-source-replication-legalhold-timestamp", values: []string{"2001-01-01T00:00:00Z"}, with: replica},
		{name: "x-minio-replication-actual-object-size", values: []string{"1"}, with: replica},
		{name: "x-minio-replication-ssec-crc", values: []string{"AAAA"}, with: replica},
		{name: "x-minio-replication-server-side-encryption-sealed-key", values: []string{"AAAA"}, with: replica},
		{name: "x-minio-replication-encrypted-multipart", values: []string{""}, with: replica},
		{name: "x-minio-internal-actual-size", values: []string{"1"}},
		{name: "x-minio-internal-compression", values: []string{"klauspost/compress/s2"}},
		{name: "x-minio-internal-server-side-encryption-sealed-key", values: []string{"AAAA"}},
		{name: "x-amz-meta-x-minio-internal-actual-size", values: []string{"1"}, kept: true},
		{name: "x-minio-meta-mallory", values: []string{"was here"}},
		{name: "x-minio-extract", values: []string{"true"}},
		{name: "x-minio-force-delete", values: []string{"true"}},
		{name: "x-minio-force-create", values: []string{"true"}},
		{name: "x-object-manifest", values: []string{"media/u/alice"}},
		{name: "x-object-meta-mallory", values: []string{"was here"}, kept: true},
		{name: "x-copy-from", values: []string{theirSource}},
		{name: "x-static-large-object", values: []string{"true"}},
		{name: "x-delete-at", values: []string{"4102444800"}},
		{name: "x-delete-after", values: []string{"86400"}},
		{name: "x-container-read", values: []string{".r:*"}},
		{name: "x-auth-token", values: []string{"mallory"}},
		{name: "x-rgw-object-count", values: []string{"1"}},
		{name: "x-http-method-override", values: []string{http.MethodDelete}},
		{name: "x-original-url", values: []string{theirSource}},
		{name: "x-rewrite-url", values: []string{theirSource}},
		{name: "x-forwarded-host", values: []string{"other"}},
		{name: "destination", values: []string{theirSource}},
		{name: "range", values: []string{"bytes=0-4"}},
		{name: "content-range", values: []string{"bytes 0-4/5"}},
		{name: "content-md5", values: []string{"AAAAAAAAAAAAAAAAAAAAAA=="}},
		{name: "if-match", values: []string{"*", `"x"`}},
		{name: "if-none-match", values: []string{"*"}},
		{name: "content-type", values: []string{"text/html"}, kept: true},
		{name: "content-encoding", values: []string{"gzip", "aws-chunked"}, kept: true},
		{name: "content-disposition", values: []string{"inline"}, kept: true},
		{name: "content-language", values: []string{"tlh"}, kept: true},
		{name: "cache-control", values: []string{"max-age=31536000"}, kept: true},
		{name: "expires", values: []string{"Fri, 01 Jan 2100 00:00:00 GMT"}, kept: true},
	}
	for _, sum := range []struct{ name, value string }{{"crc32", "AAAAAA=="}, {"crc32c", "AAAAAA=="}, {"crc64nvme", "AAAAAAAAAAA="}, {"sha1", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="}} {
		all = append(all, hostileHeader{name: "x-amz-checksum-" + sum.name, values: []string{sum.value}, kept: true})
	}
	for _, h := range []struct{ name, value string }{{"x-amz-checksum-algorithm", "CRC32"}, {"x-amz-sdk-checksum-algorithm", "CRC32"}, {"x-amz-checksum-type", "FULL_OBJECT"}, {"x-amz-checksum-mode", "ENABLED"}} {
		all = append(all, hostileHeader{name: h.name, values: []string{h.value}, kept: true})
	}
	for _, h := range []struct{ name, value string }{{"x-amz-request-payer", "requester"}, {"x-amz-expected-bucket-owner", "111122223333"}} {
		all = append(all, hostileHeader{name: h.name, values: []string{h.value}})
	}
	return all
}
