package policy

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/strictjson"
)

// Conditions are a statement's: the values of its condition keys, by operator and
// key. A statement counts where all its keys hold.
type Conditions map[string]map[string]Values

// Values are those that a condition key may have, any of them.
type Values []string

// MarshalJSON writes one value as it is.
func (v Values) MarshalJSON() ([]byte, error) {
	if len(v) == 1 {
		return json.Marshal(v[0])
	}
	return json.Marshal([]string(v))
}

// UnmarshalJSON reads what MarshalJSON writes.
func (v *Values) UnmarshalJSON(text []byte) error {
	var one string
	if strictjson.Unmarshal(text, &one) == nil {
		*v = Values{one}
		return nil
	}
	return strictjson.Unmarshal(text, (*[]string)(v))
}

// grantHeaders are PutObject's other ways to an ACL than x-amz-acl
// (service-authorization/latest/reference/list_amazons3.html).
var grantHeaders = []string{
	"s3:x-amz-grant-full-control",
	"s3:x-amz-grant-read", "s3:x-amz-grant-read-acp",
	"s3:x-amz-grant-write", "s3:x-amz-grant-write-acp",
}

// cannedACL are the conditions by which nothing is put with another ACL than the
// destination's. What has no ACL, as UploadPart and CompleteMultipartUpload, is
// put with none. Other stores than AWS do not know these keys.
func cannedACL(d *destination.Destination) []string {
	if d.Object.ACL == "" || !d.Store.AWS() {
		return nil
	}
	none := make([]string, len(grantHeaders))
	for i, key := range grantHeaders {
		none[i] = quote(key) + `:"true"`
	}
	return []string{
		condition("StringEqualsIfExists", "s3:x-amz-acl", d.Object.ACL),
		`"Null":{` + strings.Join(none, ",") + `}`,
	}
}

// onlyTags are the conditions by which an object is tagged with the destination's
// tags and no others (AmazonS3/latest/userguide/tagging-and-policies.html). Each
// tag is asked for, for ForAllValues is true of a request without any; and the
// names once more, for those of condition keys have no case.
func onlyTags(d *destination.Destination) Conditions {
	equal := map[string]Values{}
	for name, value := range d.Object.Tags {
		equal["s3:RequestObjectTag/"+name] = Values{value}
	}
	return Conditions{
		"StringEquals":              equal,
		"ForAllValues:StringEquals": {"s3:RequestObjectTagKeys": slices.Sorted(maps.Keys(d.Object.Tags))},
	}
}

// byS3 are the conditions by which a KMS key is used by S3 alone, for some
// objects (an ARN that may end in *): kms:ViaService
// (kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service) and
// S3's encryption context, the object's ARN, or with an S3 Bucket Key the bucket's
// (AmazonS3/latest/userguide/bucket-key.html).
func byS3(d *destination.Destination, resource string) Conditions {
	return Conditions{
		"StringEquals": {"kms:ViaService": {viaS3(d.Store)}},
		"StringLike":   {"kms:EncryptionContext:aws:s3:arn": {context(resource), bucket(d)}},
	}
}

// viaS3 is S3's name to KMS.
func viaS3(s *destination.Store) string { return strings.TrimPrefix(s.BaseURL(), "https://") }

// context is a resource as an encryption context is compared with it: up to the
// first character of which AWS's documentation does not say how it is written
// there.
func context(resource string) string {
	strange := strings.IndexFunc(resource, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/:._-", r))
	})
	if strange < 0 {
		return resource
	}
	return resource[:strange] + "*"
}

// text are the conditions as a session policy has them.
func (c Conditions) text() (all []string) {
	for _, operator := range slices.Sorted(maps.Keys(c)) {
		var keys []string
		for _, key := range slices.Sorted(maps.Keys(c[operator])) {
			values := make([]string, len(c[operator][key]))
			for i, v := range c[operator][key] {
				values[i] = quote(v)
			}
			text := strings.Join(values, ",")
			if len(values) > 1 {
				text = "[" + text + "]"
			}
			keys = append(keys, quote(key)+":"+text)
		}
		all = append(all, quote(operator)+":{"+strings.Join(keys, ",")+"}")
	}
	return all
}

func condition(operator, key, value string) string {
	return quote(operator) + ":{" + quote(key) + ":" + quote(value) + "}"
}

// block is a statement's Condition, or nothing.
func block(conditions ...string) string {
	if len(conditions) == 0 {
		return ""
	}
	return `,"Condition":{` + strings.Join(conditions, ",") + `}`
}
