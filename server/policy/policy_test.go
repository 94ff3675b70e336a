package policy

import (
	"encoding/json"
	"errors"
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
	const key = "arn:aws:kms:eu-west-1:123456789012:key/abc"
	for name, c := range map[string]struct {
		change func(*destination.Destination)
		key    string
		prefix bool
		want   string
	}{
		"one object": {func(*destination.Destination) {}, "a/b.bin", false,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + rights + `,"Resource":"arn:aws:s3:::media/a/b.bin"}]}`},
		"a prefix": {func(*destination.Destination) {}, "a/alice/", true,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + rights + `,"Resource":"arn:aws:s3:::media/a/alice/*"}]}`},
		"what is not ASCII": {func(*destination.Destination) {}, `é "名" 😀`, false,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + rights + `,"Resource":"arn:aws:s3:::media/\u00e9 \"\u540d\" \ud83d\ude00"}]}`},
		"an ACL and tags": {func(d *destination.Destination) {
			d.Object.ACL, d.Object.Tags = "private", map[string]string{"a": "b"}
		}, "k", false,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject","s3:AbortMultipartUpload","s3:ListMultipartUploadParts","s3:PutObjectAcl","s3:PutObjectTagging"],"Resource":"arn:aws:s3:::media/k"}]}`},
		"a KMS key": {func(d *destination.Destination) { d.Object.KMSKeyID = key }, "k", false,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + rights + `,"Resource":"arn:aws:s3:::media/k"},{"Effect":"Allow","Action":["kms:GenerateDataKey","kms:Decrypt"],"Resource":"` + key + `"}]}`},
		"AWS": {func(d *destination.Destination) { d.Store.Endpoint = "" }, "k", false,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + rights + `,"Resource":"arn:aws:s3:::media/k"},{"Effect":"Deny","Action":"s3:PutObject","Resource":"arn:aws:s3:::media/k","Condition":{"Null":{"s3:if-none-match":"true"},"Bool":{"s3:ObjectCreationOperation":"true"}}}]}`},
		"AWS in China, overwriting": {func(d *destination.Destination) {
			d.Store.Endpoint, d.Store.Region, d.Overwrite = "", "cn-north-1", true
		}, "k", false,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + rights + `,"Resource":"arn:aws-cn:s3:::media/k"}]}`},
	} {
		d := target(t, "a/{user}/{uuid}")
		c.change(d)
		got, err := Session(destination.Rights{Destination: d, Key: c.key, Prefix: c.prefix})
		if err != nil || got != c.want {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, got, c.want)
		}
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
	_, err := Session(destination.Rights{Destination: d, Key: strings.Repeat("名", 340)})
	var e *destination.Error
	if !errors.As(err, &e) || e.Code != destination.PolicyTooLong {
		t.Errorf("340 characters that are six each: %v", err)
	}
	if text, err := Session(destination.Rights{Destination: d, Key: strings.Repeat("名", 310)}); err != nil || len(text) > MaxLength {
		t.Errorf("310: %v", err)
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
				Action           []string
			}
		}
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Fatal(err)
		}
		want := "arn:aws:s3:::media/" + key
		if prefix {
			want += "*"
		}
		if len(p.Statement) != 1 || len(p.Statement[0].Action) != 3 || p.Statement[0].Effect != "Allow" || p.Statement[0].Resource != want {
			t.Fatalf("the key %q gives %s", key, text)
		}
		if strings.ContainsAny(strings.TrimSuffix(p.Statement[0].Resource, "*"), "*?${}") {
			t.Fatalf("the resource %q has a wildcard or a variable", p.Statement[0].Resource)
		}
	})
}
