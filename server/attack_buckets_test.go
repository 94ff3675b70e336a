package main

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// onBuckets are attacks on the bucket, on others, and on what lies beside S3.
var onBuckets = []attack{
	{name: "ListObjectsV2", method: "GET", path: "/media", query: "list-type=2", leak: "alice"},
	{name: "ListObjectsV2 of her own prefix", method: "GET", path: "/media", query: "list-type=2&prefix=u%2Fmallory%2F", leak: "<Key>u/mallory"},
	{name: "ListObjectsV2 of her own key", method: "GET", path: "/media", query: "list-type=2&prefix={own}", leak: "<Key>"},
	{name: "ListObjectsV2 by folders", method: "GET", path: "/media", query: "list-type=2&delimiter=%2F&prefix=u%2F", leak: "u/alice/"},
	{name: "ListObjects", method: "GET", path: "/media", leak: "alice"},
	{name: "ListObjects after a key", method: "GET", path: "/media", query: "marker=a", leak: "alice"},
	{name: "ListObjects with a slash", method: "GET", path: "/media/", leak: "alice"},
	{name: "ListObjectVersions", method: "GET", path: "/media", query: "versions=", leak: "alice"},
	{name: "ListMultipartUploads", method: "GET", path: "/media", query: "uploads=", leak: "UploadId"},
	{name: "ListObjectsV2 of another bucket", method: "GET", path: "/other", query: "list-type=2", leak: "ListBucketResult"},
	{name: "ListBuckets", owner: true, method: "GET", path: "/", leak: "<Name>other"},
	{name: "HeadBucket", method: "HEAD", path: "/media", leak: "\r\n"},
	{name: "GetBucketLocation", method: "GET", path: "/media", query: "location=", leak: "LocationConstraint"},
	{name: "GetBucketAcl", method: "GET", path: "/media", query: "acl=", leak: "AccessControlList"},
	{name: "GetBucketVersioning", method: "GET", path: "/media", query: "versioning=", leak: "VersioningConfiguration"},
	{name: "CreateBucket", method: "PUT", path: "/new-bucket-{n}", looks: buckets},
	{name: "CreateBucket of the form user's", method: "PUT", path: "/mallory", looks: buckets},
	{name: "DeleteBucket", looks: buckets, do: func(w *world, as aws.Credentials) {
		w.send(w.s3Engine.own, "PUT", "/doomed", "", nil, "")
		w.send(as, "DELETE", "/doomed", "", nil, "")
		h := w.send(w.s3Engine.own, "HEAD", "/doomed", "", nil, "")
		w.hits = []hit{{200, "it is gone: " + map[bool]string{true: "yes", false: "no"}[h.status == 404]}}
		w.send(w.s3Engine.own, "DELETE", "/doomed", "", nil, "")
		w.hits = w.hits[:1]
	}, leak: "it is gone: yes"},
	{name: "PutBucketAcl", method: "PUT", path: "/media", query: "acl=", header: map[string]string{"X-Amz-Acl": "public-read"}, looks: subresource, sub: "acl"},
	{name: "PutBucketPolicy", method: "PUT", path: "/media", query: "policy=", looks: subresource, sub: "policy",
		body: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::media/*"]}]}`},
	{name: "PutBucketCors", method: "PUT", path: "/media", query: "cors=", looks: subresource, sub: "cors",
		body: `<CORSConfiguration><CORSRule><AllowedOrigin>https://evil.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>`},
	{name: "PutBucketLifecycle", method: "PUT", path: "/media", query: "lifecycle=", looks: subresource, sub: "lifecycle",
		body: `<LifecycleConfiguration><Rule><ID>x</ID><Filter><Prefix>u/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>`},
	{name: "PutBucketTagging", method: "PUT", path: "/media", query: "tagging=", looks: subresource, sub: "tagging", body: tagging},
	{name: "PutBucketVersioning", method: "PUT", path: "/other", query: "versioning=", do: func(w *world, as aws.Credentials) {
		w.send(as, "PUT", "/other", "versioning=", nil, `<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>`)
		h := w.send(w.s3Engine.own, "GET", "/other", "versioning=", nil, "")
		w.hits = []hit{h}
		w.send(w.s3Engine.own, "PUT", "/other", "versioning=", nil, `<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>`)
		w.hits = w.hits[:1]
	}, leak: "<Status>Enabled"},
	{name: "PutBucketWebsite", method: "PUT", path: "/media", query: "website=", looks: subresource, sub: "website", body: `<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument></WebsiteConfiguration>`},
	{name: "PutBucketEncryption", method: "PUT", path: "/media", query: "encryption=", looks: subresource, sub: "encryption",
		body: `<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>`},
	{name: "PutBucketOwnershipControls", method: "PUT", path: "/media", query: "ownershipControls=", looks: subresource, sub: "ownershipControls",
		body: `<OwnershipControls><Rule><ObjectOwnership>BucketOwnerPreferred</ObjectOwnership></Rule></OwnershipControls>`},
	{name: "PutPublicAccessBlock", method: "PUT", path: "/media", query: "publicAccessBlock=", looks: subresource, sub: "publicAccessBlock",
		body: `<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>`},
	{name: "PutBucketRequestPayment", method: "PUT", path: "/media", query: "requestPayment=", looks: subresource, sub: "requestPayment", body: `<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>`},
	{name: "PutObjectLockConfiguration", method: "PUT", path: "/media", query: "object-lock=", looks: subresource, sub: "object-lock",
		body: `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>`},
	{name: "DeleteBucketPolicy", do: deleteConfig("policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":["s3:DeleteBucketPolicy"],"Resource":["arn:aws:s3:::other/*"]}]}`), leak: "it is gone: yes"},
	{name: "DeleteBucketTagging", do: deleteConfig("tagging", tagging), leak: "it is gone: yes"},
	{name: "DeleteBucketCors", do: deleteConfig("cors", `<CORSConfiguration><CORSRule><AllowedOrigin>https://a.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>`), leak: "it is gone: yes"},
	{name: "DeleteBucketLifecycle", do: deleteConfig("lifecycle", `<LifecycleConfiguration><Rule><ID>x</ID><Filter><Prefix>z/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>100</Days></Expiration></Rule></LifecycleConfiguration>`), leak: "it is gone: yes"},
	{name: "a session for everything, by her session", owner: true, do: func(w *world, as aws.Credentials) {
		if wider, err := w.outer().session(as, allowAll, 15*time.Minute); err == nil {
			w.send(wider, "PUT", "/media/"+w.theirs(), "", nil, "by mallory")
		}
	}},
	{name: "a session without a policy, by her session", owner: true, do: func(w *world, as aws.Credentials) {
		if wider, err := w.outer().session(as, "", 15*time.Minute); err == nil {
			w.send(wider, "PUT", "/media/"+w.theirs(), "", nil, "by mallory")
		}
	}},
	{name: "MinIO's list of users", method: "GET", path: "/minio/admin/v3/info", leak: "deploymentID", owner: true},
	{name: "Ceph's admin of users", method: "GET", path: "/admin/user", query: "uid=chunksign", leak: "secret_key"},
	{name: "Ceph's admin of buckets", method: "GET", path: "/admin/bucket", query: "bucket=media", leak: "usage"},
	{name: "IAM's list of roles", method: "POST", path: "/", header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, body: "Action=ListRoles&Version=2010-05-08", leak: "<RoleName>"},
}

// outer is the engine as pages reach it: Ceph's STS is the server's alone.
func (w *world) outer() *s3Engine {
	e := &s3Engine{name: w.name, endpoint: w.endpoint, sts: w.sts, region: w.region, role: w.role}
	if e.name == "ceph" {
		e.sts = e.endpoint
	}
	return e
}

const allowAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::*"]}]}`

// deleteConfig removes what the bucket other's owner has set.
func deleteConfig(sub, body string) func(*world, aws.Credentials) {
	return func(w *world, as aws.Credentials) {
		set := w.send(w.s3Engine.own, "PUT", "/other", sub+"=", nil, body)
		w.send(as, "DELETE", "/other", sub+"=", nil, "")
		h := w.send(w.s3Engine.own, "GET", "/other", sub+"=", nil, "")
		w.send(w.s3Engine.own, "DELETE", "/other", sub+"=", nil, "")
		w.hits = []hit{{200, "it is gone: " + map[bool]string{true: "yes", false: "no"}[set.status < 300 && h.status == 404]}}
	}
}
