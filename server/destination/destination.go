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
//	service.go      Grant, Renew; complete.go: Complete
//	presign.go      for callers without credentials: PUT, form, link; multipart.go: parts
//	template.go     keys: the template; name.go: what becomes of a file's name
//	grant.go        the grant as a token
//	existence.go    whether the same bytes are there already
//	stored.go       what objects are stored with, compared with what was asked
//	webhook.go      telling the application of a finished upload
//	ports.go        what adapters implement: STS, the object store, sign-in
//	errors.go       every code that a caller may see
//
// Nothing here reaches an adapter: time, randomness and I/O are passed in.
package destination

import (
	"net/http"
	"net/netip"
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
	// ScopeShared is a folder of several principals: each may write all that any
	// of them uploads there, and abort it. One session serves many grants.
	ScopeShared Scope = "shared"
)

// Prefix reports whether a session is for all keys with a prefix.
func (s Scope) Prefix() bool { return s == ScopePrefix || s == ScopeShared }

// Store is an S3 endpoint and how sessions for it are obtained.
type Store struct {
	Name       string
	Region     string
	Endpoint   string // base URL without the bucket and without a slash at its end; "" is AWS's own for Region
	Addressing string // "path", "virtual" or "": what fits the endpoint and the bucket
	STS        STS

	// Client calls the store and its STS, where their certificates are of an
	// authority that this machine does not know; nil is the usual one.
	Client *http.Client

	// Verify is the role as which the server looks at objects and deletes them;
	// without a RoleARN it does so as itself. The role is of STS's Endpoint.
	Verify VerifyRole

	// DeletesIfMatch says that the store honours If-Match on DeleteObject, so
	// that the server can remove exactly the object that it has looked at.
	// AWS does (AmazonS3/latest/userguide/conditional-deletes.html).
	DeletesIfMatch bool

	// TakesUnsigned says that the store heeds x-amz- headers that the signature
	// of a presigned request does not cover. AWS refuses them
	// (AmazonS3/latest/API/sig-v4-header-based-auth.html, CanonicalHeaders);
	// Ceph's radosgw 16.2 stores an object with them.
	TakesUnsigned bool

	// SignsInHeaders says that the signatures of presigned parts stand in headers
	// and not in the URL: of Ceph's radosgw 16.2 no page may read the answer to a
	// part whose URL carries one.
	SignsInHeaders bool
}

// STS says which role a session is of, and who hands it out. Without a RoleARN
// there are no sessions: the server signs with its own credentials, and all
// destinations of the store are Presigned.
type STS struct {
	RoleARN    string
	Endpoint   string // "" is AWS's own for Region
	Region     string // "" is the store's
	ExternalID string // "" for none

	// Trusted says that sessions are handed out without a trial. AWS is.
	Trusted bool

	Via            VerifyRole   // the role as which the server assumes RoleARN; without one it does so as itself
	SourceIdentity bool         // sessions carry the principal as their source identity
	Tags           []SessionTag // of the sessions
}

// VerifyRole is a role of the server's own, which no page gets a session of.
type VerifyRole struct{ RoleARN, ExternalID string }

// MaxChained is how long a session may be whose role is assumed by a role:
// "role chaining" (STS/latest/APIReference/API_AssumeRole.html, DurationSeconds).
const MaxChained = time.Hour

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

	Allow        Rule     // nil: any signed-in principal
	Rate         Rate     // of grants for one principal
	ContentTypes []string // globs such as image/*; none: any type
	MinSize      int64    // bytes
	MaxSize      int64    // bytes

	Scope         Scope
	Presigned     bool          // pages get no session: the server signs for them
	Duration      time.Duration // of a session, 15 minutes to 12 hours
	GrantDuration time.Duration // how long an upload may be renewed
	Overwrite     bool          // an existing object may be replaced
	ReadOwner     bool          // who uploaded it may read it
	Existence     bool          // the same bytes at the key already are not sent again
	KeepsRefused  bool          // an object that breaks its grant is left where it is
	Webhook       *Webhook      // who is told of finished uploads, nil for nobody

	Object ObjectSettings
	Compat Compat // none unless named

	Checksum   string // the algorithm of the checksum that a finished object must have, "" for none in particular
	Conditions Conditions
}

// Compat is the libraries of others whose pages may use the destination as they
// are. Both are signed for with sessions, so a store without STS has neither, nor
// has a Presigned destination, whose limits a session does not keep.
type Compat struct {
	Evaporate bool // EvaporateJS
	S3Direct  bool // django-s3direct's widget
}

// Conditions narrow what a session may do beyond its key. They are AWS's.
type Conditions struct {
	SourceIP        []netip.Prefix // where the page may send from; empty: from anywhere
	Client          bool           // only from where the page asked this server
	SecureTransport bool           // by TLS only
	Encryption      bool           // with Object.Encryption and no other; a finished object must have it
}

// ObjectSettings is what every object of a destination is stored with. Grants
// carry it, under the names of its tags.
type ObjectSettings struct {
	ACL                string            `json:"acl,omitempty"` // a canned ACL
	CacheControl       string            `json:"cc,omitempty"`
	ContentDisposition string            `json:"cd,omitempty"`
	ContentEncoding    string            `json:"ce,omitempty"`
	StorageClass       string            `json:"cls,omitempty"`
	Encryption         string            `json:"sse,omitempty"` // x-amz-server-side-encryption
	KMSKeyID           string            `json:"kms,omitempty"` // an ARN
	Metadata           map[string]string `json:"met,omitempty"`
	Tags               map[string]string `json:"tag,omitempty"`

	Unverified bool `json:"-"` // what HeadObject says of these is not compared with them
}

// Principal is who is asking.
type Principal struct {
	ID     string         // stable and unique among all principals; never empty
	Claims map[string]any // what else the sign-in says, numbers as json.Number
	Via    Request        // how it is asking now

	Anonymous bool // it is nobody in particular: all such have the same ID
}

// Request is what rules and the audit log may know of a request.
type Request struct {
	ID      string // the request's, as logs have it
	Address string // the client's IP address
	Origin  string // the page's origin, "" without one
}

// File is what a page says about the file that it wants to upload.
type File struct {
	Name string
	Type string // media type; "" is application/octet-stream
	Size int64  // bytes

	Digest *Digest // nil where the page has not hashed it, which is the usual
	Key    string  // what the page was told that it would be; "" for any. It may become another
}

// Session is what STS returned.
type Session struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	Expires         time.Time
	Name            string // what the store's own audit log calls it
}

// Object is what the store says about an object.
type Object struct {
	Size      int64
	Type      string
	ETag      string // without quotes
	VersionID string // "" where the bucket keeps no versions
	Checksum  *Checksum
	Modified  time.Time

	Encryption string // x-amz-server-side-encryption
	Redirect   string // x-amz-website-redirect-location: where its bucket, as a website, sends who reads it
	Stored     Stored // the rest of what it is stored with
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
