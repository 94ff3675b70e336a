package sim

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/chunksign/chunksign/wasm/s3api"
	"github.com/chunksign/chunksign/wasm/sigv4"
)

// store is a model of S3: buckets, objects and multipart uploads as values. It
// refuses what the real engines refuse, in their words; where those differ, a
// quirk says whose word it takes. The conformance suite holds it against them.
type store struct {
	quirks   quirks
	region   string
	buckets  map[string]bool
	objects  map[string]*object    // by bucket/key
	uploads  map[string]*multipart // by upload ID
	sessions map[string]*session   // by token
	finished map[string]string     // the ETag that a completed upload gave
	lastID   int
	requests int
	verify   bool // compute signatures again; costs as much as signing
	bug      bug
}

// quirks are what engines do differently.
type quirks struct {
	Name           string
	ExpiredStatus  int // of a request with a session that has ended
	ExpiredCode    string
	MismatchCode   string // a checksum header that is not the body's
	PartSumCode    string // a Complete that names another checksum than the part has
	CompleteAgain  bool   // a Complete of a completed upload succeeds again
	NoFirstETag    bool   // the first Complete's reply has an empty ETag
	IgnoresNoMatch bool   // If-None-Match on Complete does nothing
	BareRefusals   bool   // 403s carry no CORS headers, so that a page sees nothing
	HidesETag      bool   // CORS does not expose ETag
	HidesRequestID bool
	NoChecksums    bool   // checksums are neither looked at nor kept
	LateParts      bool   // a part that was under way at the abort brings the upload back
	ConflictGoes   bool   // an upload whose Complete met a conflict is gone
	TakenFirst     bool   // If-None-Match on Complete is looked at before the upload is
	IgnoresSize    bool   // x-amz-mp-object-size does nothing
	AbortsAgain    bool   // an abort of what is not there is a success
	NoServerTime   bool   // RequestTimeTooSkewed does not tell the store's time
	ZeroCode       string // of part number 0: "InvalidArgument" where empty
	NoPartsCode    string // of a Complete without parts: "MalformedXML" where empty
	ListGoneCode   string // of ListParts for an upload that is gone: "NoSuchUpload" where empty
	Stumbles       bool   // a Complete of an upload that is gone is 500 InternalError
	AnyOrder       bool   // a Complete may name parts in any order
	AnyNumber      bool   // part numbers are not bounded
	PageSize       int    // parts a page of ListParts
}

func or(code, usual string) string {
	if code == "" {
		return usual
	}
	return code
}

// The engines, as measured.
var (
	versitygw = quirks{Name: "versitygw", ExpiredStatus: 400, ExpiredCode: "ExpiredToken", MismatchCode: "BadDigest", PartSumCode: "InvalidPart", CompleteAgain: true, PageSize: 1000}
	minio     = quirks{Name: "minio", ExpiredStatus: 403, ExpiredCode: "InvalidAccessKeyId", MismatchCode: "XAmzContentChecksumMismatch", PartSumCode: "InvalidPart", PageSize: 1000,
		TakenFirst: true, IgnoresSize: true, AbortsAgain: true, NoServerTime: true, ZeroCode: "InvalidPart", NoPartsCode: "InvalidRequest"}
	ceph = quirks{Name: "ceph", ExpiredStatus: 403, ExpiredCode: "AccessDenied", CompleteAgain: true, NoFirstETag: true, IgnoresNoMatch: true, BareRefusals: true, NoChecksums: true, PageSize: 1000,
		IgnoresSize: true, NoServerTime: true, ListGoneCode: "NoSuchKey", Stumbles: true, AnyOrder: true, AnyNumber: true}
	amazon = quirks{Name: "aws", ExpiredStatus: 400, ExpiredCode: "ExpiredToken", MismatchCode: "BadDigest", PartSumCode: "InvalidPart", CompleteAgain: true, LateParts: true, PageSize: 1000}
)

type object struct {
	parts []piece
	etag  string
	by    string // the upload ID, or the ID of the PutObject
	many  bool   // made of parts, so that its checksum is composite
}

// piece is content: a digest and how many bytes it is of.
type piece struct {
	digest s3api.Digest
	size   int64
}

func (o *object) size() (n int64) {
	for _, p := range o.parts {
		n += p.size
	}
	return n
}

type multipart struct {
	id, at string // at is bucket/key
	parts  map[int]storedPart
	last   int  // the highest number in parts
	swept  bool // the store cleared it away, and will again
}

type storedPart struct {
	piece
	etag string
}

type session struct {
	sigv4.Credentials
	at      string // the bucket/key that it is good for, "" for any
	expires time.Time
}

// request is what arrives.
type request struct {
	method string
	url    string
	header []sigv4.Param
	body   []byte
	file   *piece // in place of body: the bytes that arrived
	torn   bool   // something changed them on the way
	length int64  // of a body that is to come
}

// op is a request that was understood and let in.
type op struct {
	request
	bucket, key string
	query       url.Values
	upload      *multipart // as it was when the request came
	begun       time.Time
}

func (r *request) get(name string) string {
	for _, h := range r.header {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

func newStore(q quirks) *store {
	return &store{
		quirks: q, region: "eu-west-1", buckets: map[string]bool{"b": true}, objects: map[string]*object{}, uploads: map[string]*multipart{},
		sessions: map[string]*session{}, finished: map[string]string{},
	}
}

// serve is admit and handle at one time.
func (s *store) serve(now time.Time, r request) s3api.Reply {
	o, refusal := s.admit(now, r)
	if refusal != nil {
		return *refusal
	}
	return s.handle(now, o)
}

// admit looks at a request's head: who sends it, and whether the clock agrees.
// Engines do so before they read the body.
func (s *store) admit(now time.Time, r request) (op, *s3api.Reply) {
	s.requests++
	u, err := url.Parse(r.url)
	if err != nil {
		return op{}, s.refuse(400, "InvalidURI", "the URL cannot be parsed")
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	o := op{request: r, bucket: bucket, key: key, query: u.Query(), begun: now}
	if refusal := s.authenticate(now, &o, u); refusal != nil {
		return o, refusal
	}
	if !s.buckets[bucket] {
		return o, s.refuse(404, "NoSuchBucket", "there is no such bucket")
	}
	o.upload = s.uploads[o.query.Get("uploadId")]
	return o, nil
}

func (s *store) authenticate(now time.Time, o *op, u *url.URL) *s3api.Reply {
	if o.query.Has("X-Amz-Signature") {
		return s.authenticateQuery(now, o, u)
	}
	at, err := time.Parse("20060102T150405Z", o.get("x-amz-date"))
	authorization := o.get("authorization")
	if err != nil || !strings.HasPrefix(authorization, "AWS4-HMAC-SHA256 Credential=") {
		return s.refuse(403, "AccessDenied", "the request is not signed")
	}
	session := s.sessions[o.get("x-amz-security-token")]
	if session == nil {
		return s.refuse(400, "InvalidToken", "the token is not one of ours")
	}
	if !now.Before(session.expires) {
		return s.refuse(s.quirks.ExpiredStatus, s.quirks.ExpiredCode, "the session has ended")
	}
	if d := now.Sub(at); d > 15*time.Minute || d < -15*time.Minute {
		if s.quirks.NoServerTime {
			return s.refuse(403, "RequestTimeTooSkewed", "the clocks are too far apart")
		}
		return s.tooSkewed(now, at)
	}
	scope := session.AccessKeyID + "/" + o.get("x-amz-date")[:8] + "/" + s.region + "/s3/aws4_request,"
	if !strings.HasPrefix(authorization[len("AWS4-HMAC-SHA256 Credential="):], scope) {
		return s.refuse(403, "InvalidAccessKeyId", "the key is not the token's, or the scope is not this store's")
	}
	if session.at != "" && session.at != o.bucket+"/"+o.key {
		return s.refuse(403, "AccessDenied", "the session is for another object")
	}
	if s.verify && !s.signatureHolds(session, o, u, at) {
		return s.refuse(403, "SignatureDoesNotMatch", "the signature is another")
	}
	return nil
}

func (s *store) signatureHolds(session *session, o *op, u *url.URL, at time.Time) bool {
	r := sigv4.Request{Method: o.method, Host: u.Host, Path: u.Path, PayloadHash: o.get("x-amz-content-sha256")}
	for name, values := range o.query {
		for _, v := range values {
			r.Query = append(r.Query, sigv4.Param{Name: name, Value: v})
		}
	}
	for _, h := range o.header {
		switch h.Name {
		case "x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "authorization":
		default:
			r.Header = append(r.Header, h)
		}
	}
	for _, p := range sigv4.New(session.Credentials, s.region).Sign(&r, at) {
		if p.Name == "authorization" {
			return p.Value == o.get("authorization")
		}
	}
	return false
}

// handle does a request whose body has come whole.
func (s *store) handle(now time.Time, o op) s3api.Reply {
	if refusal := s.checkPayload(&o); refusal != nil {
		return *refusal
	}
	_, create := o.query["uploads"]
	id := o.query.Get("uploadId")
	switch {
	case o.method == "PUT" && id != "":
		return s.uploadPart(o, id)
	case o.method == "PUT":
		return s.putObject(o)
	case o.method == "POST" && create:
		return s.createUpload(o)
	case o.method == "POST" && id != "":
		return s.completeUpload(o, id)
	case o.method == "GET" && id != "":
		return s.listParts(o, id)
	case o.method == "DELETE" && id != "":
		return s.abortUpload(o, id)
	}
	return *s.refuse(405, "MethodNotAllowed", "no upload needs this")
}

// checkPayload holds the body against the hash that was signed and against its checksum.
func (s *store) checkPayload(o *op) *s3api.Reply {
	if o.file == nil || s.bug == bugBlind {
		return nil // a small body, which the signature is over
	}
	if !o.query.Has("X-Amz-Signature") && (o.torn || o.get("x-amz-content-sha256") != o.file.digest.Hex()) {
		return s.refuse(400, "XAmzContentSHA256Mismatch", "the body is not what was signed")
	}
	if sum := o.get("x-amz-checksum-sha256"); sum != "" && sum != o.file.digest.Base64() {
		return s.refuse(400, s.quirks.MismatchCode, "the body is not what the checksum says")
	}
	return nil
}

func (s *store) newID(prefix string) string {
	s.lastID++
	return prefix + strconv.Itoa(s.lastID)
}
