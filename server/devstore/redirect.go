package devstore

import (
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/s3err"
)

var errRedirect = s3err.APIError{
	Code: "AccessDenied", HTTPStatusCode: http.StatusForbidden,
	Description: "x-amz-website-redirect-location needs the right s3:PutBucketWebsite here.",
}

// redirectRule returns what reports whether an account may give an object of a bucket a redirect. S3 lets whoever may put;
// here a session needs the right to make a website of the bucket, s3:PutBucketWebsite, too.
func redirectRule(root aws.Credentials, sessions *iam) func(account auth.Account, bucket string) bool {
	return func(account auth.Account, bucket string) bool {
		if account.Access == root.AccessKeyID {
			return true
		}
		decided, err := sessions.EvaluatePolicy(account.Access, account.SessionToken, []auth.Action{"s3:PutBucketWebsite"},
			[]string{"arn:aws:s3:::" + bucket}, nil)
		if err != nil {
			return false
		}
		const allow = 1 // see decide
		return !decided.HasSessionPolicy || decided.SessionDecisions[0][0] == allow
	}
}
