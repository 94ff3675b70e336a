package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/chunksign/chunksign/server/allow"
	"github.com/chunksign/chunksign/server/auth"
	"github.com/chunksign/chunksign/server/config"
	"github.com/chunksign/chunksign/server/policy"
)

// file writes a configuration and answers its path.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const several = `server: { origins: [https://app.example.com] }
auth: { jwt: { issuer: https://id.example.com, audience: uploads, jwks_url: https://id.example.com/keys } }
stores: { media: { region: eu-west-1, sts: { role_arn: "arn:aws:iam::123456789012:role/uploads", external_id: e } } }
destinations:
  photos: { store: media, bucket: my-media, key: "photos/{user}/{uuid}/{filename}", content_length: 1B..1GiB, read: owner, verify: { role_arn: "arn:aws:iam::123456789012:role/looking" } }
  all: { store: media, bucket: my-media, key: "{destination}/{claims.team}/{uuid}", content_length: 1B..1GiB, grant_duration: 14d, acl: private, tags: { a: b }, server_side_encryption: aws:kms, kms_key_id: "arn:aws:kms:eu-west-1:123456789012:key/k" }
  one: { store: media, bucket: other, key: "latest.bin", content_length: 1B..1GiB, overwrite: true, grant_duration: 25h }
`

func TestShowPolicy(t *testing.T) {
	path := file(t, several)
	status, stdout, stderr := command(t, "policy", "all", "-config", path, "-user", "alice", "-claim", "team=blue/*", "-file", "x.bin")
	if status != 0 || !strings.HasPrefix(stdout, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject",`) || !strings.Contains(stdout, `"arn:aws:s3:::my-media/all/blue=2F=2A/`) || strings.Count(stdout, "\n") != 1 ||
		!strings.Contains(stderr, "key: my-media/all/blue=2F=2A/") || !strings.Contains(stderr, " of 2048 characters") {
		t.Errorf("%d\n%s%s", status, stdout, stderr)
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"-file", "x", "nope"}, `has no destination "nope"; there are photos, all, one`},
		{[]string{"-file", "x"}, "write such as chunksign policy photos -file x"},
		{[]string{"-file", "x", "photos"}, "write -user alice"},
		{[]string{"-user", "u", "photos"}, "write -file cat.png"},
		{[]string{"-file", "x", "photos", "all"}, `takes no "all"`},
		{[]string{"-user", "u", "-file", "x", "all"}, `claim "team"`},
		{[]string{"-claim", "team", "all"}, "write name=value"},
	} {
		if status, stdout, stderr := command(t, append([]string{"policy", "-config", path}, c.args...)...); status == 0 || stdout != "" || !strings.Contains(stderr, c.says) {
			t.Errorf("%v: %d\n%s%s", c.args, status, stdout, stderr)
		}
	}
}

// only is one part of what iam prints.
func only(t *testing.T, path, destination, part string) string {
	t.Helper()
	status, stdout, stderr := command(t, "iam", destination, "-config", path, "-only", part)
	if status != 0 || stdout != "" && !json.Valid([]byte(stdout)) {
		t.Fatalf("iam -only %s: %d\n%s%s", part, status, stdout, stderr)
	}
	return strings.Join(strings.Fields(stdout), "")
}

func TestIAM(t *testing.T) {
	path := file(t, several)
	const byS3 = `"StringEquals":{"kms:ViaService":"s3.eu-west-1.amazonaws.com"},"StringLike":{"kms:EncryptionContext:aws:s3:arn":["arn:aws:s3:::my-media/all/*","arn:aws:s3:::my-media"]}`
	for _, c := range []struct{ destination, part, want string }{
		{"photos", "trust", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/chunksign-server"},"Action":["sts:AssumeRole"],"Condition":{"StringEquals":{"sts:ExternalId":"e"}}}]}`},
		{"photos", "role", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject","s3:AbortMultipartUpload","s3:ListMultipartUploadParts"],"Resource":["arn:aws:s3:::my-media/photos/*"]}]}`},
		{"all", "role", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject","s3:AbortMultipartUpload","s3:ListMultipartUploadParts"],"Resource":["arn:aws:s3:::my-media/all/*"]},` +
			`{"Effect":"Allow","Action":["s3:PutObjectAcl"],"Resource":["arn:aws:s3:::my-media/all/*"],"Condition":{"StringEquals":{"s3:x-amz-acl":"private"}}},` +
			`{"Effect":"Allow","Action":["s3:PutObjectTagging"],"Resource":["arn:aws:s3:::my-media/all/*"],"Condition":{"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":"a"},"StringEquals":{"s3:RequestObjectTag/a":"b"}}},` +
			`{"Effect":"Allow","Action":["kms:GenerateDataKey","kms:Decrypt"],"Resource":["arn:aws:kms:eu-west-1:123456789012:key/k"],"Condition":{` + byS3 + `}}]}`},
		{"all", "server", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole"],"Resource":["arn:aws:iam::123456789012:role/uploads"]},{"Effect":"Allow","Action":["s3:ListBucket","s3:ListBucketMultipartUploads","s3:GetLifecycleConfiguration"],"Resource":["arn:aws:s3:::my-media"]},` +
			`{"Effect":"Allow","Action":["s3:GetObject","s3:DeleteObject","s3:DeleteObjectVersion","s3:AbortMultipartUpload"],"Resource":["arn:aws:s3:::my-media/all/*"]},{"Effect":"Allow","Action":["s3:GetObjectTagging"],"Resource":["arn:aws:s3:::my-media/all/*"]},` +
			`{"Effect":"Allow","Action":["kms:Decrypt"],"Resource":["arn:aws:kms:eu-west-1:123456789012:key/k"],"Condition":{` + byS3 + `}}]}`},
		{"one", "server", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole"],"Resource":["arn:aws:iam::123456789012:role/uploads"]},{"Effect":"Allow","Action":["s3:ListBucket","s3:ListBucketMultipartUploads","s3:GetLifecycleConfiguration"],"Resource":["arn:aws:s3:::other"]},` +
			`{"Effect":"Allow","Action":["s3:GetObject","s3:DeleteObject","s3:DeleteObjectVersion","s3:AbortMultipartUpload"],"Resource":["arn:aws:s3:::other/latest.bin"]}]}`},
		{"photos", "server", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole"],"Resource":["arn:aws:iam::123456789012:role/uploads","arn:aws:iam::123456789012:role/looking"]},{"Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::my-media/photos/*"]}]}`},
		{"photos", "verify-trust", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/chunksign-server"},"Action":["sts:AssumeRole"]}]}`},
		{"photos", "verify", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:ListBucket","s3:ListBucketMultipartUploads","s3:GetLifecycleConfiguration"],"Resource":["arn:aws:s3:::my-media"]},` +
			`{"Effect":"Allow","Action":["s3:GetObject","s3:DeleteObject","s3:DeleteObjectVersion","s3:AbortMultipartUpload"],"Resource":["arn:aws:s3:::my-media/photos/*"]}]}`},
		{"one", "verify", ""},
		{"one", "cors", `{"CORSRules":[{"AllowedOrigins":["https://app.example.com"],"AllowedMethods":["GET","PUT","POST","DELETE"],"AllowedHeaders":["*"],"ExposeHeaders":["ETag","x-amz-request-id","x-amz-version-id","x-amz-checksum-sha256"],"MaxAgeSeconds":3600}]}`},
		{"one", "lifecycle", `{"Rules":[{"ID":"abort-stale-one","Status":"Enabled","Filter":{"Prefix":"latest.bin"},"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":3}}]}`},
	} {
		if got := only(t, path, c.destination, c.part); got != c.want {
			t.Errorf("%s, %s:\n got %s\nwant %s", c.destination, c.part, got, c.want)
		}
	}
	status, stdout, _ := command(t, "iam", "-config", path, "-server", "arn:aws:iam::123456789012:user/me", "-origin", "https://uploads.example.com")
	for _, part := range []string{"# trust: ", "# role: ", "# server: ", "# verify-trust: ", "# verify: ", "# cors: ", "# lifecycle: ", "user/me", `"https://uploads.example.com"`, "https://docs.aws.amazon.com/"} {
		if status != 0 || !strings.Contains(stdout, part) {
			t.Errorf("%d: there is no %q in\n%s", status, part, stdout)
		}
	}
	if status, _, stderr := command(t, "iam", "-config", path, "-only", "nope"); status != 2 || !strings.Contains(stderr, "write one of trust, role") {
		t.Errorf("%d %s", status, stderr)
	}
}

// Of overlapping rules S3 takes the one that aborts sooner: none may do so before a grant has ended.
func TestLifecyclesThatOverlap(t *testing.T) {
	path := file(t, strings.NewReplacer(`key: "photos/{user}`, `key: "{user}`, "bucket: other", "bucket: my-media").Replace(several))
	var l policy.Lifecycle
	_, stdout, _ := command(t, "iam", "-config", path, "-only", "lifecycle")
	if err := json.Unmarshal([]byte(stdout), &l); err != nil {
		t.Fatal(err)
	}
	days := map[string]int{}
	for _, r := range l.Rules {
		days[r.Filter.Prefix] = r.AbortIncompleteMultipartUpload.DaysAfterInitiation
	}
	if want := map[string]int{"": 15, "all/": 15, "latest.bin": 3}; !reflect.DeepEqual(days, want) {
		t.Errorf("%v; want %v", days, want)
	}
}

// What iam prints for a role is enough for it, and no more than it needs: the
// embedded store evaluates it as a session's policy.
func TestThePrintedPoliciesAreEnough(t *testing.T) {
	r := startWith(t, `auth: { dev: true }
stores: { s: $STORE }
destinations:
  d: { store: s, bucket: media, key: "in/{uuid}/{filename}", content_length: 0..1GiB }
`)
	c, err := config.Load(r.Config, auth.ParseKeys, allow.Compile, policy.Session)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	own := credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), "")
	s := c.Stores[0]
	as := func(part string) *s3.Client {
		t.Helper()
		text, err := json.Marshal(map[string]policy.Document{"role": policy.Role(c.Destinations), "verify": policy.Verify(c.Destinations)}[part])
		if err != nil {
			t.Fatal(err)
		}
		out, err := sts.New(sts.Options{Region: s.Region, BaseEndpoint: aws.String(s.STS.Endpoint), Credentials: own}).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String(s.STS.RoleARN), RoleSessionName: aws.String("test"), Policy: aws.String(string(text))})
		if err != nil {
			t.Fatal(err)
		}
		return s3.New(s3.Options{Region: s.Region, BaseEndpoint: aws.String(s.Endpoint), UsePathStyle: true,
			Credentials: credentials.NewStaticCredentialsProvider(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)})
	}
	bucket := aws.String("media")
	put := func(c *s3.Client, key string) int {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String(key), Body: strings.NewReader("x")})
		return statusOf(err)
	}
	begin := func(c *s3.Client, key string) (string, int) {
		out, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: aws.String(key)})
		if err != nil {
			return "", statusOf(err)
		}
		return *out.UploadId, 200
	}
	head := func(c *s3.Client, key string) int {
		_, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: aws.String(key)})
		return statusOf(err)
	}
	list := func(c *s3.Client) int {
		_, err := c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bucket})
		return statusOf(err)
	}
	abort := func(c *s3.Client, key, id string) int {
		_, err := c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: aws.String(key), UploadId: aws.String(id)})
		return statusOf(err)
	}
	remove := func(c *s3.Client, key string) int {
		_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String(key)})
		return statusOf(err)
	}
	role, verify := as("role"), as("verify")
	id, begun := begin(role, "in/y")
	_, outside := begin(role, "out/y")
	for what, c := range map[string][2]int{
		"the role puts":               {put(role, "in/x"), http.StatusOK},
		"elsewhere":                   {put(role, "out/x"), http.StatusForbidden},
		"the role begins an upload":   {begun, http.StatusOK},
		"begins one elsewhere":        {outside, http.StatusForbidden},
		"the role looks":              {head(role, "in/x"), http.StatusForbidden},
		"the role lists":              {list(role), http.StatusForbidden},
		"the role deletes":            {remove(role, "in/x"), http.StatusForbidden},
		"the verifier puts":           {put(verify, "in/z"), http.StatusForbidden},
		"the verifier looks":          {head(verify, "in/x"), http.StatusOK},
		"the verifier finds nothing":  {head(verify, "in/none"), http.StatusNotFound},
		"the verifier lists uploads":  {list(verify), http.StatusOK},
		"the verifier aborts":         {abort(verify, "in/y", id), http.StatusNoContent},
		"the verifier deletes":        {remove(verify, "in/x"), http.StatusOK},
		"the verifier looks around":   {head(verify, "out/x"), http.StatusForbidden},
		"the verifier deletes around": {remove(verify, "out/x"), http.StatusForbidden},
	} {
		if c[1] == http.StatusNoContent {
			c[1] = http.StatusOK // statusOf knows no other success
		}
		if c[0] != c[1] {
			t.Errorf("%s: %d; want %d", what, c[0], c[1])
		}
	}
}

func TestSweep(t *testing.T) {
	r := startWith(t, `auth: { dev: true }
stores: { s: $STORE }
destinations:
  d: { store: s, bucket: media, key: "in/{uuid}/{filename}", content_length: 0..1GiB }
  whole: { store: s, bucket: media, key: "in/latest", content_length: 0..1GiB, overwrite: true }
`)
	ctx, bucket := context.Background(), aws.String("media")
	root := s3.New(s3.Options{Region: "us-east-1", BaseEndpoint: aws.String(r.grant(t, "d", "x", 1).Upload.Endpoint), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), "")})
	for _, key := range []string{"in/a", "in/b", "in/latest", "other/c"} {
		if _, err := root.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: aws.String(key)}); err != nil {
			t.Fatal(err)
		}
	}
	left := func() (keys []string) {
		out, err := root.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bucket})
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range out.Uploads {
			keys = append(keys, *u.Key)
		}
		return keys
	}
	if status, stdout, stderr := command(t, "sweep", "-config", r.Config); status != 0 || !strings.HasSuffix(stdout, "aborted 0, failed 0\n") || len(left()) != 4 {
		t.Errorf("none is old: %d\n%s%s", status, stdout, stderr)
	}
	status, stdout, stderr := command(t, "sweep", "-config", r.Config, "-older-than", "1ms", "-dry-run")
	if status != 0 || strings.Count(stdout, "would abort media \"in/") != 3 || !strings.HasSuffix(stdout, "would abort 3, failed 0\n") || !strings.Contains(stderr, "may go on for") || len(left()) != 4 {
		t.Errorf("dry run: %d\n%s%s", status, stdout, stderr)
	}
	if status, stdout, _ = command(t, "sweep", "whole", "-config", r.Config, "-older-than", "1ms"); status != 0 || !strings.HasSuffix(stdout, "aborted 1, failed 0\n") || strings.Contains(strings.Join(left(), " "), "latest") {
		t.Errorf("one destination: %d\n%s", status, stdout)
	}
	if status, stdout, _ = command(t, "sweep", "-config", r.Config, "-older-than", "1ms"); status != 0 || !strings.HasSuffix(stdout, "aborted 2, failed 0\n") || !reflect.DeepEqual(left(), []string{"other/c"}) {
		t.Errorf("%d\n%s; left are %v", status, stdout, left())
	}
	for _, bad := range []string{"week", "-1d", "0s"} {
		if status, _, stderr := command(t, "sweep", "-config", r.Config, "-older-than", bad); status != 2 || !strings.Contains(stderr, "write") {
			t.Errorf("%s: %d %s", bad, status, stderr)
		}
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	if status, stdout, stderr := command(t, "sweep", "-config", r.Config); status != 1 || !strings.HasSuffix(stdout, "failed 2\n") || !strings.Contains(stderr, "the server's own credentials need s3:ListBucketMultipartUploads") {
		t.Errorf("with a wrong secret: %d\n%s%s", status, stdout, stderr)
	}
}

// The other formats have the documents that the JSON is of, where their resources have them.
func TestIAMAsTerraformAndCloudFormation(t *testing.T) {
	path := file(t, strings.Replace(several, "external_id: e }", `external_id: "${e}", via: { role_arn: "arn:aws:iam::210987654321:role/path/gateway" }, tags: { a: b }, source_identity: true, duration: 1h }`, 1))
	part := func(name string) (v any) {
		t.Helper()
		status, stdout, stderr := command(t, "iam", "-config", path, "-only", name)
		if status != 0 {
			t.Fatal(status, stderr)
		}
		// Of several only the first.
		if err := json.NewDecoder(strings.NewReader(stdout)).Decode(&v); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, stdout)
		}
		return v
	}
	if trust := fmt.Sprint(part("trust")); !strings.Contains(trust, "[sts:AssumeRole sts:TagSession sts:SetSourceIdentity]") || !strings.Contains(trust, "210987654321:role/path/gateway") || !strings.Contains(trust, "${e}") {
		t.Errorf("trust: %s", trust)
	}
	if via := fmt.Sprint(part("via"), part("via-trust"), part("server")); !strings.Contains(via, "[sts:AssumeRole sts:TagSession sts:SetSourceIdentity]") || strings.Count(via, "210987654321:role/chunksign-server") != 1 || !strings.Contains(via, "[arn:aws:iam::210987654321:role/path/gateway") {
		t.Errorf("via: %s", via)
	}

	status, hcl, stderr := command(t, "iam", "-config", path, "-format", "terraform", "-server", "arn:aws:iam::210987654321:user/me")
	if status != 0 || strings.Count(hcl, "{") != strings.Count(hcl, "}") {
		t.Fatal(status, stderr, hcl)
	}
	var documents []any
	for _, after := range strings.Split(hcl, "jsonencode(")[1:] {
		var v any
		if err := json.NewDecoder(strings.NewReader(strings.ReplaceAll(after, "$${", "${"))).Decode(&v); err != nil {
			t.Fatalf("%v\n%s", err, after)
		}
		documents = append(documents, v)
	}
	for n, name := range []string{"trust", "role", "", "via"} {
		if name != "" && !reflect.DeepEqual(documents[n], part(name)) {
			t.Errorf("Terraform's document %d is not %s:\n%v", n, name, documents[n])
		}
	}
	for _, text := range []string{
		"resource \"aws_iam_role\" \"uploads\" {\n  name                 = \"uploads\"\n  path                 = \"/\"\n  max_session_duration = 3600\n",
		"resource \"aws_iam_role\" \"gateway\" {\n  name                 = \"gateway\"\n  path                 = \"/path/\"\n", "  role   = aws_iam_role.uploads.id\n", `"$${e}"`,
		"resource \"aws_iam_user_policy\" \"me\" {\n  name   = \"chunksign\"\n  user   = \"me\"\n",
		"resource \"aws_s3_bucket_cors_configuration\" \"my_media\" {\n  bucket = \"my-media\"\n\n  cors_rule {\n    allowed_origins = [\n      \"https://app.example.com\"\n    ]\n", "max_age_seconds = 3600",
		"resource \"aws_s3_bucket_lifecycle_configuration\" \"other\" {", "      prefix = \"photos/\"\n    }\n\n    abort_incomplete_multipart_upload {\n      days_after_initiation = 8\n",
	} {
		if !strings.Contains(hcl, text) {
			t.Errorf("there is no %q in\n%s", text, hcl)
		}
	}

	status, template, stderr := command(t, "iam", "photos", "-config", path, "-format", "cloudformation")
	var stack struct {
		Resources map[string]struct {
			Type, DeletionPolicy string
			Properties           map[string]any
		}
	}
	if err := json.Unmarshal([]byte(template), &stack); status != 0 || err != nil {
		t.Fatal(status, err, stderr, template)
	}
	r := stack.Resources
	if p := r["Roleuploads"]; p.Type != "AWS::IAM::Role" || !reflect.DeepEqual(p.Properties["AssumeRolePolicyDocument"], part("trust")) || p.Properties["MaxSessionDuration"] != 3600.0 {
		t.Errorf("the role: %+v", p)
	}
	if b := r["Bucketmymedia"]; b.Type != "AWS::S3::Bucket" || b.DeletionPolicy != "Retain" || !strings.Contains(fmt.Sprint(b.Properties), "AllowedMethods:[GET PUT POST DELETE]") || !strings.Contains(fmt.Sprint(b.Properties), "DaysAfterInitiation:8") {
		t.Errorf("the bucket: %+v", b)
	}
	if p := r["Policychunksignserver"]; p.Type != "AWS::IAM::Policy" || fmt.Sprint(p.Properties["Roles"]) != "[chunksign-server]" || len(r) != 5 {
		t.Errorf("the server's policy: %+v of %d", p, len(r))
	}
	for _, args := range [][]string{{"-format", "yaml"}, {"-format", "terraform", "-only", "role"}} {
		if status, stdout, stderr := command(t, append([]string{"iam", "-config", path}, args...)...); status != 2 || stdout != "" || !strings.Contains(stderr, "write ") {
			t.Errorf("%v: %d %s%s", args, status, stdout, stderr)
		}
	}
}
