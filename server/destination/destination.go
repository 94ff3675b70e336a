// Package destination is the server's domain: who may put which file where.
//
// A Destination is a named upload target and its rules. A Principal asks for a
// file to go there; Service answers with an Upload: the object's key, built
// from the destination's Template, a Grant (the server's signed statement of
// what may be put there) and a Session (what STS gave for exactly that). The
// same Service renews a session, looks at the finished object and holds it
// against the grant, and lets the owner read it where the destination says so.
//
//	destination.go  the types
//	service.go      Grant, Renew; complete.go: Complete, Download
//	template.go     keys: the template; name.go: what becomes of a file's name
//	grant.go        the grant as a token
//	ports.go        what adapters implement: STS, the object store, sign-in
//	errors.go       every code that a caller may see
//
// Nothing here reaches an adapter: time, randomness and I/O are passed in.
package destination

import (
	"strings"
	"time"

	"github.com/chunksign/chunksign/wasm/plan"
)

// Sizes of one object, in bytes. S3's largest is what its largest number of
// largest parts holds.
const MaxObjectSize int64 = plan.MaxObjectSize

// Scope is how far the session credentials of one upload reach.
type Scope string

const (
	// ScopeObject is that one object; each grant has a session of its own.
	ScopeObject Scope = "object"
	// ScopePrefix is all that the principal uploads to the destination; one
	// session serves many grants.
	ScopePrefix Scope = "prefix"
)

// Store is an S3 endpoint and how sessions for it are obtained.
type Store struct {
	Name       string
	Region     string
	Endpoint   string // base URL without the bucket and without a slash at its end; "" is AWS's own for Region
	Addressing string // "path", "virtual" or "": what fits the endpoint and the bucket
	STS        STS

	// DeletesIfMatch says that the store honours If-Match on DeleteObject, so
	// that the server can remove exactly the object that it has looked at.
	// AWS does (AmazonS3/latest/userguide/conditional-deletes.html).
	DeletesIfMatch bool
}

// STS says which role a session is of, and who hands it out.
type STS struct {
	RoleARN    string
	Endpoint   string // "" is AWS's own for the store's region
	ExternalID string // "" for none
}

// AWS says whether the store is Amazon's, which alone knows the condition key
// s3:if-none-match.
func (s *Store) AWS() bool { return s.Endpoint == "" }

// BaseURL is where requests go: scheme, host and port, without the bucket.
func (s *Store) BaseURL() string {
	if s.Endpoint != "" {
		return s.Endpoint
	}
	if strings.HasPrefix(s.Region, "cn-") {
		return "https://s3." + s.Region + ".amazonaws.com.cn"
	}
	return "https://s3." + s.Region + ".amazonaws.com"
}

// AddressingOf is "path" or "virtual" for a bucket. AWS prefers the bucket in
// the host name; its certificate does not cover a bucket with a dot there
// (AmazonS3/latest/userguide/VirtualHosting.html).
func (s *Store) AddressingOf(bucket string) string {
	switch {
	case s.Addressing != "":
		return s.Addressing
	case s.AWS() && !strings.Contains(bucket, "."):
		return "virtual"
	}
	return "path"
}

// Origin is the scheme, host and port at which a page meets the bucket.
func (s *Store) Origin(bucket string) string {
	base := s.BaseURL()
	if s.AddressingOf(bucket) == "path" {
		return base
	}
	scheme, host, _ := strings.Cut(base, "://")
	return scheme + "://" + bucket + "." + host
}

// Partition is the first part of the store's ARNs.
func (s *Store) Partition() string {
	switch {
	case s.AWS() && strings.HasPrefix(s.Region, "cn-"):
		return "aws-cn"
	case s.AWS() && strings.HasPrefix(s.Region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// Destination is a named upload target and its rules.
type Destination struct {
	Name   string
	Store  *Store
	Bucket string
	Key    Template

	ContentTypes []string // globs such as image/*; none: any type
	MinSize      int64    // bytes
	MaxSize      int64    // bytes

	Scope         Scope
	Duration      time.Duration // of a session, 15 minutes to 12 hours
	GrantDuration time.Duration // how long an upload may be renewed
	Overwrite     bool          // an existing object may be replaced
	ReadOwner     bool          // who uploaded it may read it

	Object ObjectSettings
}

// ObjectSettings is what every object of a destination is stored with.
type ObjectSettings struct {
	ACL                string // a canned ACL
	CacheControl       string
	ContentDisposition string
	ContentEncoding    string
	StorageClass       string
	Encryption         string // x-amz-server-side-encryption
	KMSKeyID           string // an ARN
	Metadata           map[string]string
	Tags               map[string]string
}

// Principal is who is asking.
type Principal struct {
	ID     string         // stable and unique among all principals; never empty
	Claims map[string]any // what else the sign-in says, numbers as json.Number
}

// File is what a page says about the file that it wants to upload.
type File struct {
	Name string
	Type string // media type; "" is application/octet-stream
	Size int64  // bytes
}

// Session is what STS returned.
type Session struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	Expires         time.Time
}

// Object is what the store says about an object.
type Object struct {
	Size      int64
	Type      string
	ETag      string // without quotes
	VersionID string // "" where the bucket keeps no versions
	Checksum  *Checksum
	Modified  time.Time
}

// Checksum is a store's own checksum of an object.
type Checksum struct {
	Algorithm string // SHA256, CRC64NVME, …
	Value     string // base64, with "-" and the number of parts where it is composite
}

// String keeps the secret and the token out of logs and errors.
func (s Session) String() string { return "session of " + s.AccessKeyID }

// GoString does the same for %#v.
func (s Session) GoString() string { return s.String() }
