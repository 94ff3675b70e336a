package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

// Document is an IAM policy
// (IAM/latest/UserGuide/reference_policies_elements.html).
type Document struct {
	Version   string
	Statement []Statement
}

// Statement is one of its statements.
type Statement struct {
	Effect    string
	Principal map[string]string `json:",omitempty"`
	Action    []string
	Resource  []string   `json:",omitempty"`
	Condition Conditions `json:",omitempty"`
}

func document(statements ...Statement) Document {
	return Document{"2012-10-17", slices.DeleteFunc(statements, func(s Statement) bool { return s.Principal == nil && len(s.Resource) == 0 })}
}

func allow(resources []string, actions ...string) Statement {
	return Statement{Effect: "Allow", Action: actions, Resource: resources}
}

// Trust is the trust policy of a role that the server assumes: it lets one
// identity (an ARN) do so, by some actions, and nobody else.
func Trust(who, externalID string, actions ...string) Document {
	s := Statement{Effect: "Allow", Principal: map[string]string{"AWS": who}, Action: actions}
	if externalID != "" {
		s.Condition = Conditions{"StringEquals": {"sts:ExternalId": {externalID}}}
	}
	return document(s)
}

// Assume are the actions by which a store's sessions are obtained
// (IAM/latest/UserGuide/id_session-tags.html#id_session-tags_permissions-required).
func Assume(s destination.STS) []string {
	actions := []string{"sts:AssumeRole"}
	if len(s.Tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if s.SourceIdentity {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	return actions
}

// Via is the permission policy of a role in between: to assume the store's.
func Via(s destination.STS) Document { return document(allow([]string{s.RoleARN}, Assume(s)...)) }

// Role is the permission policy of a store's role: the widest rights that any
// of the destinations needs, which sessions are then cut down from.
func Role(destinations []*destination.Destination) Document {
	var all []string
	var acls, tags alike
	for _, d := range destinations {
		all = add(all, objects(d))
		var acl, tag Conditions
		if d.Store.AWS() {
			acl, tag = Conditions{"StringEquals": {"s3:x-amz-acl": {d.Object.ACL}}}, onlyTags(d)
		}
		if d.Object.ACL != "" {
			acls.allow(objects(d), acl, "s3:PutObjectAcl")
		}
		if len(d.Object.Tags) > 0 {
			tags.allow(objects(d), tag, "s3:PutObjectTagging")
		}
	}
	statements := []Statement{allow(all, "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")}
	statements = append(statements, acls.list...)
	statements = append(statements, tags.list...)
	return document(append(statements, kms(destinations, "kms:GenerateDataKey", "kms:Decrypt")...)...)
}

// alike are statements by their conditions: those with the same become one.
type alike struct {
	list []Statement
	of   map[string]int // conditions to their statement's place
}

func (a *alike) allow(resource string, c Conditions, actions ...string) {
	text := strings.Join(c.text(), ",")
	i, ok := a.of[text]
	if !ok {
		if a.of == nil {
			a.of = map[string]int{}
		}
		i = len(a.list)
		a.of[text] = i
		s := allow(nil, actions...)
		if len(c) > 0 {
			s.Condition = c
		}
		a.list = append(a.list, s)
	}
	a.list[i].Resource = add(a.list[i].Resource, resource)
}

// kms lets the destinations' KMS keys be used by some actions: at AWS by S3 for
// their objects alone.
func kms(destinations []*destination.Destination, actions ...string) (statements []Statement) {
	for _, d := range destinations {
		if d.Object.KMSKeyID == "" {
			continue
		}
		var c Conditions
		if d.Store.AWS() {
			c = byS3(d, objects(d))
		}
		i := slices.IndexFunc(statements, func(s Statement) bool {
			return s.Resource[0] == d.Object.KMSKeyID && (s.Condition == nil) == (c == nil)
		})
		if i < 0 {
			s := allow([]string{d.Object.KMSKeyID}, actions...)
			s.Condition = c
			statements = append(statements, s)
			continue
		}
		for operator, keys := range c {
			for key, values := range keys {
				for _, v := range values {
					had := statements[i].Condition[operator]
					had[key] = add(had[key], v)
				}
			}
		}
	}
	return statements
}

// Verify is what looking at the destinations' objects, deleting them and
// sweeping their unfinished uploads needs.
func Verify(destinations []*destination.Destination) Document {
	var buckets, all, tagged []string
	for _, d := range destinations {
		buckets, all = add(buckets, bucket(d)), add(all, objects(d))
		if len(d.Object.Tags) > 0 {
			tagged = add(tagged, objects(d))
		}
	}
	statements := []Statement{
		allow(buckets, "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetLifecycleConfiguration"),
		allow(all, "s3:GetObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload"),
		// HeadObject says how many tags there are to who may read them.
		allow(tagged, "s3:GetObjectTagging"),
	}
	return document(append(statements, kms(destinations, "kms:Decrypt")...)...)
}

// Server is what the server's own identity needs: to assume the roles, what Role
// says for the destinations of stores without one, for which it signs itself, and
// what Verify says for those for which it has no role.
func Server(destinations []*destination.Destination) Document {
	var roles, tagging, identifying, links []string
	var itself, linked, signed []*destination.Destination
	for _, d := range destinations {
		switch sts := d.Store.STS; {
		case sts.RoleARN == "":
			signed = append(signed, d)
		case sts.Via.RoleARN != "":
			roles = add(roles, sts.Via.RoleARN)
		default:
			roles = add(roles, sts.RoleARN)
			if len(sts.Tags) > 0 {
				tagging = add(tagging, sts.RoleARN)
			}
			if sts.SourceIdentity {
				identifying = add(identifying, sts.RoleARN)
			}
		}
		if d.Store.Verify.RoleARN == "" {
			itself = append(itself, d)
			continue
		}
		roles = add(roles, d.Store.Verify.RoleARN)
		if d.ReadOwner {
			links, linked = add(links, objects(d)), append(linked, d)
		}
	}
	statements := append([]Statement{allow(roles, "sts:AssumeRole"), allow(tagging, "sts:TagSession"), allow(identifying, "sts:SetSourceIdentity")}, Role(signed).Statement...)
	statements = append(statements, Verify(itself).Statement...)
	statements = append(statements, allow(links, "s3:GetObject"))
	return document(append(statements, kms(linked, "kms:Decrypt")...)...)
}

func bucket(d *destination.Destination) string {
	return "arn:" + d.Store.Partition() + ":s3:::" + d.Bucket
}

// objects are those that the destination's keys can name.
func objects(d *destination.Destination) string {
	beginning, whole := d.Beginning()
	if !whole {
		beginning += "*"
	}
	return bucket(d) + "/" + beginning
}

func add[L ~[]string](list L, s string) L {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// CORS are a bucket's rules (AmazonS3/latest/userguide/ManageCorsUsing.html).
type CORS struct{ CORSRules []CORSRule }

// CORSRule is one of them.
type CORSRule struct {
	AllowedOrigins, AllowedMethods, AllowedHeaders, ExposeHeaders []string
	MaxAgeSeconds                                                 int
}

// Exposed are the headers that a page has to be able to read.
var Exposed = []string{"ETag", "x-amz-request-id", "x-amz-version-id", "x-amz-checksum-sha256"}

// Methods are those with which a page calls the store: GET lists parts, DELETE
// aborts.
var Methods = []string{"GET", "PUT", "POST", "DELETE"}

// BucketCORS lets pages of some origins upload. It grants no right.
func BucketCORS(origins []string) CORS {
	return CORS{[]CORSRule{{origins, Methods, []string{"*"}, Exposed, 3600}}}
}

// Lifecycle is a bucket's lifecycle configuration
// (AmazonS3/latest/userguide/mpu-abort-incomplete-mpu-lifecycle-config.html).
type Lifecycle struct{ Rules []LifecycleRule }

// LifecycleRule aborts the unfinished uploads of one beginning of keys.
type LifecycleRule struct {
	ID, Status                     string
	Filter                         struct{ Prefix string }
	AbortIncompleteMultipartUpload struct{ DaysAfterInitiation int }
}

// AbortStale is the lifecycle of the destinations' bucket: an upload is aborted
// once nobody can go on with it, a day after its grant's end.
func AbortStale(destinations []*destination.Destination) Lifecycle {
	var l Lifecycle
	for _, d := range destinations {
		prefix, _ := d.Beginning()
		days := int((d.GrantDuration+24*time.Hour-1)/(24*time.Hour)) + 1
		if i := slices.IndexFunc(l.Rules, func(r LifecycleRule) bool { return r.Filter.Prefix == prefix }); i >= 0 {
			// Of two rules for the same keys S3 would take the shorter time.
			most := &l.Rules[i].AbortIncompleteMultipartUpload.DaysAfterInitiation
			*most = max(*most, days)
			continue
		}
		r := LifecycleRule{ID: "abort-stale-" + d.Name, Status: "Enabled"}
		r.Filter.Prefix, r.AbortIncompleteMultipartUpload.DaysAfterInitiation = prefix, days
		l.Rules = append(l.Rules, r)
	}
	return l.widened()
}

// widened gives a rule whose keys lie under another's the longer time of the
// two on the other: of rules that overlap S3 takes the one that aborts sooner.
func (l Lifecycle) widened() Lifecycle {
	for i := range l.Rules {
		for _, inner := range l.Rules {
			if strings.HasPrefix(inner.Filter.Prefix, l.Rules[i].Filter.Prefix) {
				most := &l.Rules[i].AbortIncompleteMultipartUpload.DaysAfterInitiation
				*most = max(*most, inner.AbortIncompleteMultipartUpload.DaysAfterInitiation)
			}
		}
	}
	return l
}
