// Package sigv4 signs requests to S3 with AWS Signature Version 4.
//
// A signature is made in three steps, and each can be looked at by itself:
//
//	CanonicalRequest   the request, written the one way in which both sides write it
//	StringToSign       the time, the scope and the hash of the above
//	Signer.Signature   its HMAC with a key that is good for one day, region and service
//
// Signer puts them together for each way of sending a signature to S3:
//
//	Sign        in the Authorization header
//	Presign     in the query of a URL that anybody may use until it expires
//	SignPolicy  in a field of an HTML form (POST)
//	Chunks      in the frames of an aws-chunked body, one signature a chunk
//
// S3 differs from other services: a path is percent-encoded once, not twice,
// and never cleaned, for "a//b" and "a/../b" are object keys.
//
// Nothing here reads a clock or sends anything. The package runs in the page,
// so it stays clear of fmt, net/url and everything else that costs a WebAssembly
// module tens of kilobytes.
//
// Sources, under https://docs.aws.amazon.com/AmazonS3/latest/API/:
// sig-v4-header-based-auth.html, sigv4-query-string-auth.html,
// sigv4-streaming.html, sigv4-streaming-trailers.html,
// sigv4-UsingHTTPPOST.html.
package sigv4

import (
	"time"

	"github.com/chunksign/chunksign/wasm/sha256"
)

// Credentials are an access key and, for a session from STS, its token
// (otherwise empty). Printing them shows the access key's ID only.
type Credentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }

// String keeps the secret and the token out of logs.
func (c Credentials) String() string { return "credentials of " + c.AccessKeyID }

// GoString does the same for %#v.
func (c Credentials) GoString() string { return c.String() }

// Param is a header or a field of the query. The value is not encoded.
type Param struct{ Name, Value string }

// Request is what gets signed. Signing never changes it.
type Request struct {
	Method string  // upper case
	Host   string  // as the Host header will say it, with the port where it is not the scheme's default
	Path   string  // decoded, begins with "/": "/bucket/näme 1.txt"; never cleaned, encoded exactly once
	Query  []Param // decoded, in any order
	Header []Param // sent and signed; names in any case, without host and without what Sign returns

	// PayloadHash is the body's SHA-256 in lower-case hex, or EmptyPayload,
	// UnsignedPayload or one of the Streaming constants.
	PayloadHash string
}

// What PayloadHash says when it is not the hash of a body.
const (
	// UnsignedPayload leaves the body out of the signature.
	UnsignedPayload = "UNSIGNED-PAYLOAD"
	// EmptyPayload is the SHA-256 of no bytes.
	EmptyPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	// StreamingPayload announces an aws-chunked body whose chunks are signed.
	StreamingPayload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	// StreamingPayloadTrailer announces the same with a signed trailer after the last chunk.
	StreamingPayloadTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	// StreamingUnsignedTrailer announces unsigned chunks and an unsigned trailer.
	StreamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

const algorithm = "AWS4-HMAC-SHA256"

// Signer signs with one set of credentials for S3 in one region. It keeps the
// day's signing key and its buffers between calls, so it serves one goroutine
// at a time; to make another costs a few microseconds.
type Signer struct {
	credentials Credentials
	region      string
	key         *signingKey // of the day last signed for; nil before that

	header, query []Param // scratch: sorted, ready to be written
	text          []byte  // scratch: canonical request, string to sign, result
}

// New returns a Signer for the service "s3" in region, such as "eu-west-1".
func New(c Credentials, region string) *Signer {
	return &Signer{credentials: c, region: region}
}

// String keeps the secret, the token and the day's key out of logs.
func (s *Signer) String() string { return "signer with " + s.credentials.String() }

// GoString does the same for %#v.
func (s *Signer) GoString() string { return s.String() }

// Sign returns the headers to add to r.Header before r is sent: x-amz-date,
// x-amz-content-sha256, x-amz-security-token where there is a token, and
// authorization. S3 accepts them for 15 minutes around now.
//
// Every header of r is signed, and so are host and the x-amz-* ones returned. A
// header that something on the way may change (User-Agent, Expect,
// Transfer-Encoding, Connection) does not belong in r.Header.
func (s *Signer) Sign(r *Request, now time.Time) []Param {
	stamp := Timestamp(now)
	key := s.keyOf(stamp[:8])

	added := make([]Param, 0, 4)
	added = append(added,
		Param{"x-amz-date", stamp},
		Param{"x-amz-content-sha256", r.PayloadHash})
	if s.credentials.SessionToken != "" {
		added = append(added, Param{"x-amz-security-token", s.credentials.SessionToken})
	}

	s.header = appendHeader(s.header[:0], r, added)
	s.query = appendQuery(s.query[:0], r.Query)
	sortByNameAndValue(s.query)

	text := s.appendSignature(s.text[:0], r, r.PayloadHash, stamp, key)
	signature := len(text) - signatureLength
	authorization := len(text)
	text = append(text, algorithm+" Credential="...)
	text = append(text, s.credentials.AccessKeyID...)
	text = append(text, '/')
	text = append(text, key.scope...)
	text = append(text, ", SignedHeaders="...)
	text = appendSignedHeaders(text, s.header)
	text = append(text, ", Signature="...)
	text = append(text, text[signature:authorization]...)
	s.text = text

	return append(added, Param{"authorization", string(text[authorization:])})
}

// Presign returns the request target, "path?query", that carries r's signature
// in its query and is good from now until expires later. Expires counts in
// whole seconds; S3 refuses anything but 1 second to 7 days, and lets no URL
// outlive the session that signed it.
//
// Whoever uses the URL must send r.Header as it is. A session token is part of
// the signed query. (Some services take it unsigned; S3 does not.)
//
// An empty r.PayloadHash means UnsignedPayload. S3 assumes so too, unless the
// request has the header x-amz-content-sha256: who gives a hash puts that
// header, with the same value, into r.Header.
func (s *Signer) Presign(r *Request, now time.Time, expires time.Duration) string {
	stamp := Timestamp(now)
	key := s.keyOf(stamp[:8])
	payloadHash := r.PayloadHash
	if payloadHash == "" {
		payloadHash = UnsignedPayload
	}

	s.header = appendHeader(s.header[:0], r, nil)
	s.query = appendQuery(s.query[:0], r.Query)
	fields := []Param{
		{"X-Amz-Algorithm", algorithm},
		{"X-Amz-Credential", s.credentials.AccessKeyID + "/" + key.scope},
		{"X-Amz-Date", stamp},
		{"X-Amz-Expires", decimal(int64(expires / time.Second))},
		{"X-Amz-SignedHeaders", string(appendSignedHeaders(nil, s.header))},
	}
	s.query = appendQuery(s.query, fields)
	if s.credentials.SessionToken != "" {
		s.query = appendQuery(s.query, []Param{{"X-Amz-Security-Token", s.credentials.SessionToken}})
	}
	sortByNameAndValue(s.query)

	text := s.appendSignature(s.text[:0], r, payloadHash, stamp, key)
	signature := len(text) - signatureLength
	target := len(text)
	text = appendPath(text, r.Path)
	text = append(text, '?')
	text = appendJoined(text, s.query)
	text = append(text, "&X-Amz-Signature="...)
	text = append(text, text[signature:target]...)
	s.text = text

	return string(text[target:])
}

// SignPolicy returns the x-amz-signature of a POST policy, given the policy's
// base64 text. The form's x-amz-date is Timestamp(now) and its
// x-amz-credential is Credential(now).
func (s *Signer) SignPolicy(base64Policy string, now time.Time) string {
	return s.Signature(base64Policy, now)
}

// Signature returns the HMAC-SHA256 of stringToSign, in lower-case hex, with
// the key of now's day.
func (s *Signer) Signature(stringToSign string, now time.Time) string {
	key := s.keyOf(Timestamp(now)[:8])
	s.text = append(s.text[:0], stringToSign...)
	s.text = key.appendSignature(s.text, s.text)
	return string(s.text[len(stringToSign):])
}

// Scope returns the credential scope, "20130524/us-east-1/s3/aws4_request".
func (s *Signer) Scope(now time.Time) string {
	return s.keyOf(Timestamp(now)[:8]).scope
}

// Credential returns the access key's ID and the scope, as X-Amz-Credential
// wants them: "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request".
func (s *Signer) Credential(now time.Time) string {
	return s.credentials.AccessKeyID + "/" + s.Scope(now)
}

// signatureLength is that of an HMAC-SHA256 in hex.
const signatureLength = 2 * sha256.Size

// appendSignature appends the canonical request of r with s.header and
// s.query, the string to sign and, last, the signature.
func (s *Signer) appendSignature(text []byte, r *Request, payloadHash, stamp string, key *signingKey) []byte {
	text = appendCanonical(text, r, s.query, s.header, payloadHash)
	canonical := len(text)
	text = appendStringToSign(text, stamp, key.scope, text)
	return key.appendSignature(text, text[canonical:])
}

// keyOf returns the key for a day, "20130524". It is derived once a day: four
// HMACs, more than the rest of a signature costs.
func (s *Signer) keyOf(day string) *signingKey {
	if s.key == nil || s.key.scope[:len(day)] != day {
		s.key = newSigningKey(s.credentials.SecretAccessKey, day, s.region)
	}
	return s.key
}
