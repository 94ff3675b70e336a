package devstore

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/s3err"

	"github.com/chunksign/chunksign/server/strictjson"
)

// maxFormFile is S3's limit for the file of a form (AmazonS3/latest/API/RESTObjectPOST.html).
const maxFormFile = 5 << 30

// formKeys are the keys by which a form's policy can be signed.
type formKeys struct {
	root     aws.Credentials
	sessions auth.SigningKeyProvider
}

// mostBytes is how much of a form's file is kept for versitygw: what the policy allows, or nothing where its
// signature is not good. versitygw then refuses the form by its fields alone. Names of fields are in lower case.
func (k formKeys) mostBytes(fields map[string]string) (most int64, signed bool) {
	scope := strings.Split(fields["x-amz-credential"], "/")
	if len(scope) != 5 {
		return 0, false
	}
	access, date, region, service := scope[0], scope[1], scope[2], scope[3]
	var key []byte
	if access == k.root.AccessKeyID {
		key = signingKey(k.root.SecretAccessKey, date, region, service)
	} else {
		var err error
		key, _, err = k.sessions.DeriveSigningKey(access, fields["x-amz-security-token"], date, region, service)
		if err != nil {
			return 0, false
		}
	}
	sum := hex.EncodeToString(hmacSHA256(key, fields["policy"]))
	if !hmac.Equal([]byte(sum), []byte(fields["x-amz-signature"])) {
		return 0, false
	}
	return policyBytes(fields["policy"]), true
}

// policyBytes is the least upper bound of a policy's content-length-range, or S3's limit.
func policyBytes(policy string) int64 {
	most := int64(maxFormFile)
	text, err := base64.StdEncoding.DecodeString(policy)
	if err != nil {
		return most // versitygw says what is wrong with it
	}
	var p struct {
		Conditions []json.RawMessage `json:"conditions"`
	}
	if strictjson.Unmarshal(text, &p) != nil {
		return most
	}
	for _, condition := range p.Conditions {
		var three []any
		if strictjson.Unmarshal(condition, &three) != nil || len(three) != 3 {
			continue
		}
		name, _ := three[0].(string)
		if !strings.EqualFold(name, "content-length-range") {
			continue
		}
		if upper, err := strconv.ParseInt(fmt.Sprint(three[2]), 10, 64); err == nil && upper < most {
			most = upper
		}
	}
	return max(most, 0)
}

// unread stands for a file that is not kept: nothing may be made of it.
type unread struct{}

func (unread) Read([]byte) (int, error) { return 0, s3err.GetAPIError(s3err.ErrAccessDenied) }

// notKept is the file of a form without a good signature.
func notKept() *formFile { return &formFile{Reader: unread{}, unkept: true} }
