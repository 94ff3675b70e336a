package policy

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/chunksign/chunksign/server/destination"
)

func target(t testing.TB, template string) *destination.Destination {
	t.Helper()
	key, err := destination.ParseTemplate(template)
	if err != nil {
		t.Fatal(err)
	}
	return &destination.Destination{
		Name: "d", Bucket: "media", Key: key,
		Store: &destination.Store{Region: "us-east-1", Endpoint: "http://127.0.0.1:9000"},
	}
}

func TestPolicies(t *testing.T) {
	const rights = `"Action":["s3:PutObject","s3:AbortMultipartUpload","s3:ListMultipartUploadParts"]`
	const noFolders = `,{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::media/*/"}`
	without := func(keys ...string) (all string) {
		all = noFolders
		for _, k := range keys {
			all += `,{"Effect":"Deny","Action":"s3:PutObject","Resource":"*","Condition":{"StringLike":{"s3:` + k + `":"?*"}}}`
		}
		return all
	}
	strays := without("RequestObjectTagKeys", "x-amz-server-side-encryption", "x-amz-storage-class")
	const key = "arn:aws:kms:eu-west-1:123456789012:key/abc"
	for name, c := range map[string]struct {
		change func(*destination.Destination)
		key    string
		prefix bool
		want   string
	}{
		"one object": {func(*destination.Destination) {}, "a/b.bin", false,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + rights + `,"Resource":"arn:aws:s3:::media/a/b.bin"}` + strays + `]}`},
		"a prefix": {func(*destination.Destination) {}, "a/alice/", true,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + rights + `,"Resource":"arn:aws:s3:::media/a/alice/*"}` + strays + `]}`},
		"what is not ASCII": {func(*destination.Destination) {}, `é "名" 😀`, false,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + rights + `,"Resource":"arn:aws:s3:::media/\u00e9\u0020\"\u540d\"\u0020\ud83d\ude00"}` + strays + `]}`},
		"an ACL and tags": {func(d *destination.Destination) {
			d.Object.ACL, d.Object.Tags = "private", map[string]string{"a": "b"}
		}, "k", false,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject","s3:AbortMultipartUpload","s3:ListMultipartUploadParts","s3:PutObjectAcl","s3:PutObjectTagging"],"Resource":"arn:aws:s3:::media/k"}` + without("x-amz-server-side-encryption", "x-amz-storage-class") + `]}`},
		"a KMS key": {func(d *destination.Destination) { d.Object.KMSKeyID = key }, "k", false,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + rights + `,"Resource":"arn:aws:s3:::media/k"}` + without("RequestObjectTagKeys", "x-amz-storage-class") + `,{"Effect":"Allow","Action":["kms:GenerateDataKey","kms:Decrypt"],"Resource":"` + key + `"}]}`},
		"AWS": {func(d *destination.Destination) { d.Store.Endpoint = "" }, "k", false,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + rights + `,"Resource":"arn:aws:s3:::media/k"},{"Effect":"Deny","Action":"s3:PutObject","Resource":"*","Condition":{"Null":{"s3:if-none-match":"true"},"Bool":{"s3:ObjectCreationOperation":"true"}}}]}`},
		"AWS, from some addresses, by TLS, encrypted": {func(d *destination.Destination) {
			d.Store.Endpoint, d.Overwrite, d.Object.Encryption, d.Object.KMSKeyID = "", true, "aws:kms", key
			d.Conditions = destination.Conditions{SourceIP: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8::/32")}, Client: true, SecureTransport: true, Encryption: true}
		}, "k", false,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + rights + `,"Resource":"arn:aws:s3:::media/k","Condition":{"IpAddress":{"aws:SourceIp":["198.51.100.0/24","2001:db8::/32","192.0.2.1"]},"Bool":{"aws:SecureTransport":"true"}}},{"Effect":"Allow","Action":["kms:GenerateDataKey","kms:Decrypt"],"Resource":"` + key + `","Condition":{"StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"},"StringLike":{"kms:EncryptionContext:aws:s3:arn":["arn:aws:s3:::media/k","arn:aws:s3:::media"]}}},{"Effect":"Deny","Action":"s3:PutObject","Resource":"*","Condition":{"StringNotEqualsIfExists":{"s3:x-amz-server-side-encryption":"aws:kms"}}}]}`},
		"AWS, an ACL and tags": {func(d *destination.Destination) {
			d.Store.Endpoint, d.Overwrite, d.Conditions.SecureTransport = "", true, true
			d.Object.ACL, d.Object.Tags = "bucket-owner-full-control", map[string]string{"team": "blue", "a b": "c"}
		}, "k", false,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject","s3:AbortMultipartUpload","s3:ListMultipartUploadParts","s3:PutObjectAcl"],"Resource":"arn:aws:s3:::media/k","Condition":{"Bool":{"aws:SecureTransport":"true"},"StringEqualsIfExists":{"s3:x-amz-acl":"bucket-owner-full-control"},"Null":{"s3:x-amz-grant-full-control":"true","s3:x-amz-grant-read":"true","s3:x-amz-grant-read-acp":"true","s3:x-amz-grant-write":"true","s3:x-amz-grant-write-acp":"true"}}},` +
				`{"Effect":"Deny","Action":"s3:PutObjectAcl","Resource":"*","Condition":{"StringNotEquals":{"s3:x-amz-acl":"bucket-owner-full-control"}}},` +
				`{"Effect":"Allow","Action":"s3:PutObjectTagging","Resource":"arn:aws:s3:::media/k","Condition":{"Bool":{"aws:SecureTransport":"true"},"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["a\u0020b","team"]},"StringEquals":{"s3:RequestObjectTag/a\u0020b":"c","s3:RequestObjectTag/team":"blue"}}}]}`},
		"AWS in China, with a KMS key": {func(d *destination.Destination) {
			d.Store.Endpoint, d.Store.Region, d.Overwrite, d.Object.KMSKeyID = "", "cn-north-1", true, "arn:aws-cn:kms:cn-north-1:123456789012:key/abc"
		}, "a/b c.bin", false,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + rights + `,"Resource":"arn:aws-cn:s3:::media/a/b\u0020c.bin"},{"Effect":"Allow","Action":["kms:GenerateDataKey","kms:Decrypt"],"Resource":"arn:aws-cn:kms:cn-north-1:123456789012:key/abc","Condition":{"StringEquals":{"kms:ViaService":"s3.cn-north-1.amazonaws.com.cn"},"StringLike":{"kms:EncryptionContext:aws:s3:arn":["arn:aws-cn:s3:::media/a/b*","arn:aws-cn:s3:::media"]}}}]}`},
		"AWS in China, overwriting": {func(d *destination.Destination) {
			d.Store.Endpoint, d.Store.Region, d.Overwrite = "", "cn-north-1", true
		}, "k", false,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + rights + `,"Resource":"arn:aws-cn:s3:::media/k"}]}`},
	} {
		d := target(t, "a/{user}/{uuid}")
		c.change(d)
		none, err := Session(destination.Rights{Destination: d, Key: c.key, Prefix: c.prefix, None: true})
		if err != nil || none != `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}` {
			t.Errorf("%s, with no rights: %s, %v", name, none, err)
		}
		got, err := Session(destination.Rights{Destination: d, Key: c.key, Prefix: c.prefix, Address: "192.0.2.1"})
		if err != nil || got != c.want {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, got, c.want)
		}
	}
}

// What is for the page's address alone is for nobody where that is not known.
func TestNoAddressNoSession(t *testing.T) {
	d := target(t, "{uuid}")
	d.Conditions.Client = true
	for _, address := range []string{"", "unknown", `192.0.2.1"],"x":["`} {
		if text, err := Session(destination.Rights{Destination: d, Key: "k", Address: address}); err == nil {
			t.Errorf("the address %q gives %s", address, text)
		}
	}
}

// A form asks at the bucket, and cannot say If-None-Match.
func TestFormsMayPutAtTheBucket(t *testing.T) {
	d := target(t, "{uuid}")
	d.Store.Endpoint = ""
	const want = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject","s3:AbortMultipartUpload","s3:ListMultipartUploadParts"],"Resource":"arn:aws:s3:::media/k"},{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::media"}]}`
	if got, err := Session(destination.Rights{Destination: d, Key: "k", Form: true}); err != nil || got != want {
		t.Errorf("%v\n got %s\nwant %s", err, got, want)
	}
}

func TestKeysThatNoPolicyMayName(t *testing.T) {
	d := target(t, "{user}/{uuid}")
	for _, key := range []string{
		"", "*", "a/*", "a?", "${aws:username}", "${*}", "a$", "a{b", "a}b", `a\b`, "a\x00b", "a\nb", "a\u202Eb", "a/../b", "./a", "a//b", "/a", "a/", "..", "a\xff",
		strings.Repeat("k", 1025),
	} {
		if text, err := Session(destination.Rights{Destination: d, Key: key}); err == nil {
			t.Errorf("the key %q gives %s", key, text)
		}
		if key == "a/" { // which is a prefix
			continue
		}
		if text, err := Session(destination.Rights{Destination: d, Key: key, Prefix: true}); err == nil {
			t.Errorf("the prefix %q gives %s", key, text)
		}
	}
	shared := target(t, "photos/{uuid}")
	if text, err := Session(destination.Rights{Destination: shared, Key: "photos/", Prefix: true}); err == nil {
		t.Errorf("a prefix that is everybody's gives %s", text)
	}
}

func TestLengthIsCountedEscaped(t *testing.T) {
	d := target(t, "{uuid}")
	_, err := Session(destination.Rights{Destination: d, Key: strings.Repeat("名", 250)})
	var e *destination.Error
	if !errors.As(err, &e) || e.Code != destination.PolicyTooLong {
		t.Errorf("250 characters that are six each: %v", err)
	}
	if text, err := Session(destination.Rights{Destination: d, Key: strings.Repeat("名", 240)}); err != nil || len(text) > MaxLength {
		t.Errorf("240: %v", err)
	}
}

func FuzzSession(f *testing.F) {
	for _, key := range []string{"a", "é", "${*}", `"},{"Effect":"Allow","Action":"*","Resource":"*"`, "a/*", "\u202e", "a'b", "\U0010FFFF"} {
		f.Add(key, false)
		f.Add(key, true)
	}
	f.Fuzz(func(t *testing.T, key string, prefix bool) {
		text, err := Session(destination.Rights{Destination: target(t, "{user}/{uuid}"), Key: key, Prefix: prefix})
		if err != nil {
			return
		}
		for i := range len(text) {
			if text[i] < ' ' || text[i] > '~' {
				t.Fatalf("%q is not printable ASCII", text)
			}
		}
		var p struct {
			Statement []struct {
				Effect, Resource string
				Action           any // a string or several
			}
		}
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Fatal(err)
		}
		want := "arn:aws:s3:::media/" + key
		if prefix {
			want += "*"
		}
		for _, denies := range p.Statement[1:] {
			if denies.Effect != "Deny" {
				t.Fatalf("the key %q gives %s", key, text)
			}
		}
		if actions, _ := p.Statement[0].Action.([]any); len(actions) != 3 || p.Statement[0].Effect != "Allow" || p.Statement[0].Resource != want {
			t.Fatalf("the key %q gives %s", key, text)
		}
		if strings.ContainsAny(strings.TrimSuffix(p.Statement[0].Resource, "*"), "*?${}") {
			t.Fatalf("the resource %q has a wildcard or a variable", p.Statement[0].Resource)
		}
	})
}
