// Package policy writes the session policies with which STS narrows a role
// down to one upload. It is pure: rights in, JSON out.
//
// A session may do what both the role and this policy allow
// (IAM/latest/UserGuide/access_policies.html#policies_session), so this text is
// what keeps a page from other keys. It names the object, or the principal's
// prefix, and never more than putting, aborting and listing parts.
package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/chunksign/chunksign/server/destination"
)

// MaxLength is what STS takes, counted in characters as sent
// (STS/latest/APIReference/API_AssumeRole.html, parameter Policy).
const MaxLength = 2048

// Session writes the policy for some rights. Errors are *destination.Error: a
// key that CheckKey refuses, or PolicyTooLong.
//
// What is denied is denied everywhere, which says no less and does not repeat
// the key. The text is ASCII: STS takes U+0020 to U+00FF, so everything above is
// written \uXXXX.
func Session(r destination.Rights) (string, error) {
	if r.None {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`, nil
	}
	d := r.Destination
	if err := check(r); err != nil {
		return "", err
	}
	partition := d.Store.Partition()
	resource := "arn:" + partition + ":s3:::" + d.Bucket + "/" + r.Key
	if r.Prefix {
		resource += "*"
	}
	put := []string{"s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"}
	if d.Object.ACL != "" && !r.WithoutACL {
		put = append(put, "s3:PutObjectAcl")
	}
	if len(d.Object.Tags) > 0 && !d.Store.AWS() {
		put = append(put, "s3:PutObjectTagging")
	}
	from := origin(r)
	statements := []string{statement("Allow", put, resource, block(slices.Concat(from, cannedACL(d))...))}
	if d.Store.AWS() && d.Object.ACL != "" {
		// Where the key is absent, as for an ACL in XML, the values do not match either
		// (IAM/latest/UserGuide/reference_policies_elements_condition_operators.html).
		another := block(condition("StringNotEquals", "s3:x-amz-acl", d.Object.ACL))
		statements = append(statements, statement("Deny", []string{"s3:PutObjectAcl"}, "*", another))
	}
	if d.Store.AWS() && len(d.Object.Tags) > 0 {
		exactly := block(slices.Concat(from, onlyTags(d).text())...)
		statements = append(statements, statement("Allow", []string{"s3:PutObjectTagging"}, resource, exactly))
	}
	if r.Form {
		// versitygw looks at a form's key only after it has asked whether the
		// bucket itself may be put to. To other stores that names no object.
		statements = append(statements, statement("Allow", []string{"s3:PutObject"}, "arn:"+partition+":s3:::"+d.Bucket, ""))
	}
	if !d.Store.AWS() {
		// MinIO cleans a key's path before it compares: a policy for a/b covers a/b/
		// as well. No key of ours ends with a slash.
		statements = append(statements, statement("Deny", []string{"s3:*"}, "arn:"+partition+":s3:::"+d.Bucket+"/*/", ""))
		for _, key := range strays(d) {
			statements = append(statements, statement("Deny", []string{"s3:PutObject"}, "*", `,"Condition":{"StringLike":{"`+key+`":"?*"}}`))
		}
	}
	if key := d.Object.KMSKeyID; key != "" {
		// Decrypt too: S3 reads the parts' data key to put them together
		// (AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions).
		var only []string
		if d.Store.AWS() {
			only = byS3(d, resource).text()
		}
		statements = append(statements, statement("Allow", []string{"kms:GenerateDataKey", "kms:Decrypt"}, key, block(only...)))
	}
	if d.Conditions.Encryption {
		// Only where the header is there: UploadPart and Complete have none
		// (github.com/boto/botocore/issues/471). What lacks it gets the bucket's
		// own, which is looked at in the end.
		statements = append(statements, statement("Deny", []string{"s3:PutObject"}, "*", block(condition("StringNotEqualsIfExists", "s3:x-amz-server-side-encryption", d.Object.Encryption))))
	}
	if !d.Overwrite && d.Store.AWS() && !r.Form {
		statements = append(statements, statement("Deny", []string{"s3:PutObject"}, "*", ifNoneMatch))
	}
	text := `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
	if len(text) > MaxLength {
		return "", &destination.Error{Code: destination.PolicyTooLong, Field: "name",
			Detail: fmt.Sprintf("the session policy for this object's key would have %d characters, and STS takes %d; give the file a shorter name", len(text), MaxLength)}
	}
	return text, nil
}

// ifNoneMatch denies what would create an object without the header
// If-None-Match. Create and UploadPart are PutObject to IAM as well, cannot
// carry the header and create nothing yet: ObjectCreationOperation leaves them
// out (AmazonS3/latest/userguide/conditional-writes-enforce.html).
const ifNoneMatch = `,"Condition":{"Null":{"s3:if-none-match":"true"},"Bool":{"s3:ObjectCreationOperation":"true"}}`

// origin are the conditions of what is allowed: from where, and how
// (IAM/latest/UserGuide/reference_policies_condition-keys.html). They stand in
// the statement about the object and not in that about its KMS key, which S3
// uses from addresses of its own.
func origin(r destination.Rights) []string {
	c := r.Destination.Conditions
	var all []string
	if len(c.SourceIP) > 0 || c.Client {
		from := make([]string, 0, len(c.SourceIP)+1)
		for _, p := range c.SourceIP {
			from = append(from, quote(p.String()))
		}
		if c.Client {
			from = append(from, quote(r.Address))
		}
		all = append(all, `"IpAddress":{"aws:SourceIp":[`+strings.Join(from, ",")+`]}`)
	}
	if c.SecureTransport {
		all = append(all, `"Bool":{"aws:SecureTransport":"true"}`)
	}
	return all
}

// strays are the condition keys of headers that the destination does not send and
// that other stores than AWS take along with s3:PutObject: MinIO tags without
// s3:PutObjectTagging. They are those that MinIO knows, for it refuses a policy
// with any other; and Null would do but for Ceph, which does not look at its value.
// (AWS asks for rights of their own where there is something to gain, and packs
// policies tightly.)
func strays(d *destination.Destination) (keys []string) {
	if len(d.Object.Tags) == 0 {
		keys = append(keys, "s3:RequestObjectTagKeys")
	}
	if d.Object.Encryption == "" && d.Object.KMSKeyID == "" {
		keys = append(keys, "s3:x-amz-server-side-encryption")
	}
	if d.Object.StorageClass == "" {
		keys = append(keys, "s3:x-amz-storage-class")
	}
	return keys
}

func check(r destination.Rights) error {
	if _, err := netip.ParseAddr(r.Address); err != nil && r.Destination.Conditions.Client {
		return &destination.Error{Code: destination.Internal, Detail: "the address that the request comes from is not known, and the destination's sessions are for that alone", Err: err}
	}
	if !r.Prefix {
		return destination.CheckKey(r.Key)
	}
	if err := r.Destination.CheckPrefix(); err != nil {
		return &destination.Error{Code: destination.Internal, Detail: "the destination's key cannot be used with a prefix", Err: err}
	}
	return destination.CheckKey(strings.TrimSuffix(r.Key, "/"))
}

func statement(effect string, actions []string, resource, condition string) string {
	quoted := make([]string, len(actions))
	for i, a := range actions {
		quoted[i] = quote(a)
	}
	action := quoted[0]
	if len(quoted) > 1 {
		action = "[" + strings.Join(quoted, ",") + "]"
	}
	return `{"Effect":"` + effect + `","Action":` + action + `,"Resource":` + quote(resource) + condition + `}`
}

// quote writes a JSON string in printable ASCII (RFC 8259, section 7), without
// spaces: radosgw takes the + that stands for one in a form's body for a plus.
func quote(s string) string {
	b := make([]byte, 0, len(s)+2)
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r > ' ' && r <= '~':
			b = append(b, byte(r))
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			b = appendEscape(appendEscape(b, high), low)
		default:
			b = appendEscape(b, r)
		}
	}
	return string(append(b, '"'))
}

func appendEscape(b []byte, r rune) []byte {
	b = append(b, '\\', 'u')
	for shift := 12; shift >= 0; shift -= 4 {
		b = strconv.AppendInt(b, int64(r>>shift&15), 16)
	}
	return b
}
