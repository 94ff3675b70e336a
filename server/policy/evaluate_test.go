package policy

import (
	"encoding/json"
	"testing"

	iam "github.com/versity/versitygw/iamapi/policy"
	"github.com/versity/versitygw/iamapi/types"

	"github.com/chunksign/chunksign/server/destination"
)

// asks is what AWS asks IAM about one request: it is let through where all of it
// is allowed (AmazonS3/latest/userguide/using-with-s3-policy-actions.html).
type asks struct {
	actions   []string
	resource  string
	condition map[string][]string
}

// kept is a destination at AWS with all that a session may set.
func kept(t testing.TB) *destination.Destination {
	d := target(t, "in/{user}/{uuid}")
	d.Store = &destination.Store{Region: "eu-west-1"}
	d.Object = destination.ObjectSettings{ACL: "bucket-owner-full-control", Tags: map[string]string{"team": "blue", "app": "x"},
		Encryption: "aws:kms", KMSKeyID: "arn:aws:kms:eu-west-1:123456789012:key/abc"}
	return d
}

const (
	object    = "arn:aws:s3:::media/in/alice/k"
	neighbour = "arn:aws:s3:::media/in/bob/k"
)

func with(more map[string][]string, base map[string][]string) map[string][]string {
	all := map[string][]string{}
	for _, m := range []map[string][]string{base, more} {
		for key, values := range m {
			if all[key] = values; values == nil {
				delete(all, key)
			}
		}
	}
	return all
}

// requests are what a page sends, and what it might send instead.
func requests() map[string]struct {
	asks
	allowed bool
} {
	tags := map[string][]string{"s3:RequestObjectTag/team": {"blue"}, "s3:RequestObjectTag/app": {"x"}, "s3:RequestObjectTagKeys": {"team", "app"}}
	acl := map[string][]string{"s3:x-amz-acl": {"bucket-owner-full-control"}}
	creates := with(tags, with(acl, map[string][]string{"s3:if-none-match": {"*"}, "s3:ObjectCreationOperation": {"true"}, "s3:x-amz-server-side-encryption": {"aws:kms"}}))
	begins := with(map[string][]string{"s3:if-none-match": nil, "s3:ObjectCreationOperation": {"false"}}, creates)
	encrypts := map[string][]string{"kms:ViaService": {"s3.eu-west-1.amazonaws.com"}, "kms:EncryptionContext:aws:s3:arn": {object}}
	put, putACL, putTags := "s3:PutObject", "s3:PutObjectAcl", "s3:PutObjectTagging"
	all := []string{put, putACL, putTags}
	set := func(key string, values ...string) map[string][]string { return map[string][]string{key: values} }
	kmsKey := "arn:aws:kms:eu-west-1:123456789012:key/abc"
	kms := []string{"kms:GenerateDataKey", "kms:Decrypt"}
	return map[string]struct {
		asks
		allowed bool
	}{
		"PutObject as it is asked for":             {asks{all, object, creates}, true},
		"CreateMultipartUpload as it is asked for": {asks{all, object, begins}, true},
		"UploadPart":              {asks{[]string{put}, object, set("s3:ObjectCreationOperation", "false")}, true},
		"CompleteMultipartUpload": {asks{[]string{put}, object, map[string][]string{"s3:ObjectCreationOperation": {"true"}, "s3:if-none-match": {"*"}}}, true},
		"ListParts":               {asks{[]string{"s3:ListMultipartUploadParts"}, object, nil}, true},
		"AbortMultipartUpload":    {asks{[]string{"s3:AbortMultipartUpload"}, object, nil}, true},

		"PutObject at another key":        {asks{all, neighbour, creates}, false},
		"PutObject with another ACL":      {asks{all, object, with(set("s3:x-amz-acl", "public-read"), creates)}, false},
		"only PutObject with another ACL": {asks{[]string{put}, object, with(set("s3:x-amz-acl", "public-read"), creates)}, false},
		"Create with another ACL":         {asks{all, object, with(set("s3:x-amz-acl", "public-read"), begins)}, false},
		"PutObjectAcl with the same ACL":  {asks{[]string{putACL}, object, acl}, true},
		"PutObjectAcl with another":       {asks{[]string{putACL}, object, set("s3:x-amz-acl", "public-read")}, false},
		"PutObjectAcl with XML":           {asks{[]string{putACL}, object, nil}, false},
		"PutObjectAcl with a grant":       {asks{[]string{putACL}, object, set("s3:x-amz-grant-read", "uri=all")}, false},
		"PutObjectAcl at another key":     {asks{[]string{putACL}, neighbour, acl}, false},

		"PutObject with another tag":          {asks{all, object, with(set("s3:RequestObjectTag/team", "red"), creates)}, false},
		"PutObject with a further tag":        {asks{all, object, with(map[string][]string{"s3:RequestObjectTag/x": {"y"}, "s3:RequestObjectTagKeys": {"team", "app", "x"}}, creates)}, false},
		"PutObject with a tag's name changed": {asks{all, object, with(map[string][]string{"s3:RequestObjectTagKeys": {"Team", "app"}}, creates)}, false},
		"PutObject with a tag less":           {asks{all, object, with(map[string][]string{"s3:RequestObjectTag/app": nil, "s3:RequestObjectTagKeys": {"team"}}, creates)}, false},
		"PutObjectTagging with the same":      {asks{[]string{putTags}, object, tags}, true},
		"PutObjectTagging with another":       {asks{[]string{putTags}, object, with(set("s3:RequestObjectTag/team", "red"), tags)}, false},
		"PutObjectTagging with none":          {asks{[]string{putTags}, object, nil}, false},
		"PutObjectTagging at another key":     {asks{[]string{putTags}, neighbour, tags}, false},
		"DeleteObjectTagging":                 {asks{[]string{"s3:DeleteObjectTagging"}, object, nil}, false},
		"GetObject":                           {asks{[]string{"s3:GetObject"}, object, nil}, false},

		"the KMS key by S3":                   {asks{kms, kmsKey, encrypts}, true},
		"the KMS key by S3, with Bucket Keys": {asks{kms, kmsKey, with(set("kms:EncryptionContext:aws:s3:arn", "arn:aws:s3:::media"), encrypts)}, true},
		"the KMS key by itself":               {asks{kms[1:], kmsKey, with(map[string][]string{"kms:ViaService": nil}, encrypts)}, false},
		"the KMS key by another service":      {asks{kms[1:], kmsKey, with(set("kms:ViaService", "lambda.eu-west-1.amazonaws.com"), encrypts)}, false},
		"the KMS key in another region":       {asks{kms[1:], kmsKey, with(set("kms:ViaService", "s3.us-east-1.amazonaws.com"), encrypts)}, false},
		"the KMS key for another object":      {asks{kms[1:], kmsKey, with(set("kms:EncryptionContext:aws:s3:arn", neighbour), encrypts)}, false},
		"the KMS key for another bucket":      {asks{kms[1:], kmsKey, with(set("kms:EncryptionContext:aws:s3:arn", "arn:aws:s3:::other"), encrypts)}, false},
		"the KMS key for no object":           {asks{kms[1:], kmsKey, with(map[string][]string{"kms:EncryptionContext:aws:s3:arn": nil}, encrypts)}, false},
		"another KMS key":                     {asks{kms[1:], kmsKey + "d", encrypts}, false},
	}
}

func (a asks) allowedBy(policies ...string) bool {
	for _, action := range a.actions {
		for _, text := range policies {
			entry := []types.PolicyEntry{{PolicyName: "p", PolicyDocument: text}}
			if iam.EvaluateIdentityPolicies(entry, iam.RequestContext{Action: action, Resource: a.resource, Condition: a.condition}) != iam.DecisionAllow {
				return false
			}
		}
	}
	return true
}

// AWS is not asked here. An evaluator that is not ours says what sessions there,
// and the role that is printed for them, let through.
func TestWhatAWSWouldAllow(t *testing.T) {
	d := kept(t)
	session, err := Session(destination.Rights{Destination: d, Key: "in/alice/k"})
	if err != nil {
		t.Fatal(err)
	}
	prefix, err := Session(destination.Rights{Destination: d, Key: "in/alice/", Prefix: true})
	if err != nil {
		t.Fatal(err)
	}
	role, err := json.Marshal(Role([]*destination.Destination{d}))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range requests() {
		for what, policies := range map[string][]string{"object": {session, string(role)}, "prefix": {prefix, string(role)}} {
			if got := c.allowedBy(policies...); got != c.allowed {
				t.Errorf("%s, in a session for an %s: allowed is %v\n%s", name, what, got, policies)
			}
		}
	}
	// What is of other objects of the destination the role may and the session not.
	wider := map[string]bool{"PutObject at another key": true, "PutObjectAcl at another key": true, "PutObjectTagging at another key": true, "the KMS key for another object": true}
	// These the session alone denies; the role has no condition on PutObject.
	wider["only PutObject with another ACL"] = true
	for name, c := range requests() {
		if got := c.allowedBy(string(role)); got != (c.allowed || wider[name]) {
			t.Errorf("%s, by the role alone: allowed is %v\n%s", name, got, role)
		}
	}
}

// A grant header is another way to an ACL, for which AWS asks for PutObjectAcl too.
func TestGrantHeadersAreDenied(t *testing.T) {
	d := kept(t)
	session, err := Session(destination.Rights{Destination: d, Key: "in/alice/k"})
	if err != nil {
		t.Fatal(err)
	}
	honest := requests()["PutObject as it is asked for"].asks
	for _, key := range grantHeaders {
		for _, actions := range [][]string{{"s3:PutObject"}, {"s3:PutObject", "s3:PutObjectAcl"}, {"s3:PutObjectAcl"}} {
			a := asks{actions, object, with(map[string][]string{key: {"uri=all"}, "s3:x-amz-acl": nil}, honest.condition)}
			if a.allowedBy(session) {
				t.Errorf("%v with %s is allowed", actions, key)
			}
		}
	}
}
