package trial

import "time"

// header is what is added to a presigned request, that does not sign it. AWS refuses every unsigned x-amz- header
// (AmazonS3/latest/API/sigv4-query-string-auth.html, "X-Amz-SignedHeaders"). x-amz-meta- is not among them but for
// what MinIO takes for more than metadata: metadata is compared as the upload completes.
type header struct {
	name string
	add  map[string]string // names in lower case; source stands for an object that is there, none for one that is not

	parts   bool // parts are tried with it too
	missing bool // 404 says that the store has looked for what the header names
	lock    bool // an error other than a 403 says that the store has read it; the value is none that locks
	beside  bool // an object beside the one that was written is its effect
}

const (
	source = "{source}"
	none   = "{none}"
	// long ago is no time at which anything was written just now.
	longAgo     = "2001-01-01T00:00:00.000000001Z"
	everybody   = `uri="http://acs.amazonaws.com/groups/global/AllUsers"`
	customerKey = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=" // 32 bytes, and their MD5
	customerMD5 = "KYvwGXoFFJ42a2u2GDWhwQ=="
)

// headers are those by which AWS, MinIO or Ceph's radosgw would make something else of a request for one object.
var headers = []header{
	{name: "x-amz-copy-source", add: one("x-amz-copy-source", none), parts: true, missing: true},
	{name: "x-amz-copy-source", add: one("x-amz-copy-source", source), parts: true},
	{name: "x-amz-copy-source-range", parts: true, add: map[string]string{
		"x-amz-copy-source": source, "x-amz-copy-source-range": "bytes=0-0"}},
	{name: "x-amz-metadata-directive", add: map[string]string{
		"x-amz-copy-source": source, "x-amz-metadata-directive": "REPLACE"}},
	{name: "x-amz-rename-source", add: one("x-amz-rename-source", none), missing: true},
	// What serves S3 by way of CGI's variables, as radosgw does, may take this for the same.
	{name: "x_amz_copy_source", add: one("x_amz_copy_source", source), parts: true},
	{name: "x_amz_tagging", add: one("x_amz_tagging", "chunksign=trial")},
	{name: "x_amz_acl", add: one("x_amz_acl", "public-read")},
	{name: "x-copy-from", add: one("x-copy-from", source), parts: true},
	{name: "x-object-manifest", add: one("x-object-manifest", source)},
	{name: "x-amz-write-offset-bytes", add: one("x-amz-write-offset-bytes", "0")},
	{name: "x-amz-tagging", add: one("x-amz-tagging", "chunksign=trial")},
	{name: "x-amz-acl", add: one("x-amz-acl", "public-read")},
	{name: "x-amz-grant-read", add: one("x-amz-grant-read", everybody)},
	{name: "x-amz-grant-read-acp", add: one("x-amz-grant-read-acp", everybody)},
	{name: "x-amz-grant-write-acp", add: one("x-amz-grant-write-acp", everybody)},
	{name: "x-amz-grant-full-control", add: one("x-amz-grant-full-control", everybody)},
	{name: "x-amz-website-redirect-location", add: one("x-amz-website-redirect-location", "https://chunksign.invalid/")},
	{name: "x-amz-storage-class", add: one("x-amz-storage-class", "REDUCED_REDUNDANCY")},
	{name: "x-amz-server-side-encryption", add: one("x-amz-server-side-encryption", "AES256")},
	{name: "x-amz-server-side-encryption-aws-kms-key-id", add: map[string]string{
		"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": "chunksign-trial"}},
	{name: "x-amz-server-side-encryption", add: one("x-amz-server-side-encryption", "aws:kms")},
	{name: "x-amz-server-side-encryption-customer-algorithm", add: map[string]string{
		"x-amz-server-side-encryption-customer-algorithm": "AES256",
		"x-amz-server-side-encryption-customer-key":       customerKey,
		"x-amz-server-side-encryption-customer-key-md5":   customerMD5}},
	{name: "x-amz-object-lock-legal-hold", add: one("x-amz-object-lock-legal-hold", "CHUNKSIGN-TRIAL"), lock: true},
	{name: "x-amz-object-lock-mode", lock: true, add: map[string]string{
		"x-amz-object-lock-mode": "CHUNKSIGN-TRIAL", "x-amz-object-lock-retain-until-date": longAgo}},
	{name: "x-amz-meta-snowball-auto-extract", add: one("x-amz-meta-snowball-auto-extract", "true"), beside: true},
	{name: "x-amz-replication-status", add: one("x-amz-replication-status", "REPLICA")},
	{name: "x-minio-source-replication-request", add: map[string]string{
		"x-minio-source-replication-request": "true", "x-amz-replication-status": "REPLICA",
		"x-minio-source-mtime": longAgo, "x-minio-source-etag": "00000000000000000000000000000000"}},
	{name: "x-minio-source-mtime", add: one("x-minio-source-mtime", longAgo)},
	{name: "x-minio-internal-actual-size", add: one("x-minio-internal-actual-size", "1")},
}

func one(name, value string) map[string]string { return map[string]string{name: value} }

// Headers names those that are tried, each once.
func Headers() (names []string) {
	seen := map[string]bool{}
	for _, h := range headers {
		if !seen[h.name] {
			names = append(names, h.name)
		}
		seen[h.name] = true
	}
	return names
}

// recent is how far from the present what was just written can seem to be.
const recent = 24 * time.Hour
