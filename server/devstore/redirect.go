package devstore

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/auth"
)

const redirectHeader = "x-amz-website-redirect-location"

// mayRedirect answers whether who sends a request may give an object a redirect
// with it. S3 lets whoever may put; here a session needs the right to make a
// website of the bucket, s3:PutBucketWebsite, too. Whether who says so is
// the sender the gateway judges afterwards, by the signature.
func mayRedirect(c fiber.Ctx, root aws.Credentials, sessions *iam) bool {
	if c.Get(redirectHeader) == "" {
		return true
	}
	_, credential, _ := strings.Cut(c.Get(fiber.HeaderAuthorization), "Credential=")
	token := c.Get("X-Amz-Security-Token")
	if credential == "" {
		credential, token = c.Query("X-Amz-Credential"), c.Query("X-Amz-Security-Token")
	}
	access, _, _ := strings.Cut(credential, "/")
	if access == root.AccessKeyID {
		return true
	}
	bucket, _, _ := strings.Cut(strings.TrimLeft(c.Path(), "/"), "/")
	decided, err := sessions.EvaluatePolicy(access, token, []auth.Action{"s3:PutBucketWebsite"}, []string{"arn:aws:s3:::" + bucket}, nil)
	if err != nil {
		return false
	}
	const allow = 1 // see decide
	return !decided.HasSessionPolicy || decided.SessionDecisions[0][0] == allow
}
