package devstore

import (
	"bytes"
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

var (
	media = aws.String("media")
	mine  = aws.String("mine.bin")
)

func TestPolicyEvaluation(t *testing.T) {
	const both = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::media/u/alice/*"},
		{"Effect":"Deny","Action":"s3:PutObject","Resource":"arn:aws:s3:::media/u/alice/locked/*"}]}`
	for _, tt := range []struct {
		name, policy, key string
		allowed           bool
	}{
		{"a prefix covers its keys", both, "u/alice/x.bin", true},
		{"and no one else's", both, "u/alicia/x.bin", false},
		{"an explicit Deny wins", both, "u/alice/locked/x.bin", false},
		{"an escaped star is still a wildcard", policyFor(uploadRights, "arn:aws:s3:::media/a*b"), "a-anything-b", true},
		{"a question mark is one character", policyFor(uploadRights, "arn:aws:s3:::media/a?b"), "axb", true},
		{"escaped unicode and spaces are the key itself", policyFor(uploadRights, "arn:aws:s3:::media/näme 名前 😀.bin"), "näme 名前 😀.bin", true},
		{"and not a neighbour", policyFor(uploadRights, "arn:aws:s3:::media/näme 名前 😀.bin"), "näme 名前 😁.bin", false},
		{"no policy leaves the role's own rights", "", "x.bin", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, nil)
			err := put(context.Background(), s3Client(s, assume(t, s, tt.policy)), "media", tt.key)
			if tt.allowed && err != nil {
				t.Error(err)
			}
			if !tt.allowed {
				wantRefusal(t, "PutObject "+tt.key, err, "AccessDenied", 403)
			}
		})
	}
}

func put(ctx context.Context, c *s3.Client, bucket, key string) error {
	_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader([]byte(key))})
	return err
}
