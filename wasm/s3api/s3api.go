// Package s3api knows S3's calls for uploading one object: what each request
// looks like, and what a reply says.
//
// Everything is a value. A Target makes requests, which sigv4 signs and
// somebody else sends; the Parse functions take a reply's status, headers and
// body and give what it means or an *Error. Shapes are those of the Amazon S3
// API Reference (AmazonS3/latest/API).
package s3api

import (
	"github.com/chunksign/chunksign/wasm/sigv4"
)

// Target is one object at one store.
type Target struct {
	Endpoint string // base URL without the bucket: "https://s3.eu-west-1.amazonaws.com"
	Bucket   string
	Key      string
	Region   string
	Virtual  bool // virtual-hosted addressing: the bucket is a label of the host name

	// Header goes with the request that creates the object: PutObject or
	// CreateMultipartUpload. Content-Type and x-amz-acl are such.
	Header []sigv4.Param

	// Overwrite is whether an object that has the key may be replaced. Where
	// it may not, the request that makes the object visible says
	// If-None-Match: *.
	Overwrite bool
}

// Digest is a part's SHA-256.
type Digest [32]byte

// Hex is the form in x-amz-content-sha256.
func (d Digest) Hex() string { return hexOf(d[:]) }

// Base64 is the form in x-amz-checksum-sha256.
func (d Digest) Base64() string { return base64Of(d) }

// ParseDigest reads the base64 form.
func ParseDigest(s string) (d Digest, ok bool) { return digestOf(s) }

// PutObject sends the whole file at once.
func (t *Target) PutObject(d Digest) sigv4.Request {
	r := t.request("PUT", nil, d.Hex())
	r.Header = append(r.Header, t.Header...)
	r.Header = append(r.Header, sigv4.Param{Name: "x-amz-checksum-sha256", Value: d.Base64()})
	return t.guarded(r)
}

// CreateMultipartUpload starts an upload whose parts carry SHA-256 checksums.
func (t *Target) CreateMultipartUpload() sigv4.Request {
	r := t.request("POST", []sigv4.Param{{Name: "uploads"}}, sigv4.EmptyPayload)
	r.Header = append(r.Header, t.Header...)
	r.Header = append(r.Header, sigv4.Param{Name: "x-amz-checksum-algorithm", Value: "SHA256"})
	return r
}

// UploadPart sends part n, counting from 1.
func (t *Target) UploadPart(uploadID string, n int, d Digest) sigv4.Request {
	r := t.request("PUT", []sigv4.Param{{Name: "partNumber", Value: itoa(int64(n))}, {Name: "uploadId", Value: uploadID}}, d.Hex())
	r.Header = append(r.Header, sigv4.Param{Name: "x-amz-checksum-sha256", Value: d.Base64()})
	return r
}

// ListParts asks for the parts after the part numbered after, 1,000 at most.
func (t *Target) ListParts(uploadID string, after int) sigv4.Request {
	q := []sigv4.Param{{Name: "uploadId", Value: uploadID}}
	if after > 0 {
		q = append(q, sigv4.Param{Name: "part-number-marker", Value: itoa(int64(after))})
	}
	return t.request("GET", q, sigv4.EmptyPayload)
}

// CompletedPart is what CompleteMultipartUpload repeats of a part.
type CompletedPart struct {
	PartNumber int
	ETag       string // with its quotes, as the store gave it
	Checksum   Digest // the zero Digest where it is not known: then nothing is said of it
}

// CompleteMultipartUpload gives the request and its body. The body names every
// part in order; size is the whole object's, which stores that know
// x-amz-mp-object-size hold it to.
func (t *Target) CompleteMultipartUpload(uploadID string, parts []CompletedPart, size int64) (sigv4.Request, []byte) {
	body := make([]byte, 0, 64+len(parts)*160)
	body = append(body, `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`...)
	for _, p := range parts {
		body = append(body, "<Part>"...)
		if p.Checksum != (Digest{}) {
			body = append(body, "<ChecksumSHA256>"...)
			body = append(body, p.Checksum.Base64()...)
			body = append(body, "</ChecksumSHA256>"...)
		}
		body = append(body, "<ETag>"...)
		body = appendEscaped(body, p.ETag)
		body = append(body, "</ETag><PartNumber>"...)
		body = append(body, itoa(int64(p.PartNumber))...)
		body = append(body, "</PartNumber></Part>"...)
	}
	body = append(body, "</CompleteMultipartUpload>"...)

	r := t.request("POST", []sigv4.Param{{Name: "uploadId", Value: uploadID}}, sha256Hex(body))
	r.Header = append(r.Header,
		sigv4.Param{Name: "content-type", Value: "application/xml"},
		sigv4.Param{Name: "x-amz-mp-object-size", Value: itoa(size)})
	return t.guarded(r), body
}

// AbortMultipartUpload drops the upload and its parts. Parts in flight can
// outlive it, so S3's documentation says to repeat it until ListParts answers
// NoSuchUpload.
func (t *Target) AbortMultipartUpload(uploadID string) sigv4.Request {
	return t.request("DELETE", []sigv4.Param{{Name: "uploadId", Value: uploadID}}, sigv4.EmptyPayload)
}

// guarded adds the condition that keeps an object that is there
// ("Conditional writes", AmazonS3/latest/userguide/conditional-writes.html).
func (t *Target) guarded(r sigv4.Request) sigv4.Request {
	if !t.Overwrite {
		r.Header = append(r.Header, sigv4.Param{Name: "if-none-match", Value: "*"})
	}
	return r
}

func (t *Target) request(method string, query []sigv4.Param, payload string) sigv4.Request {
	_, host, base := splitEndpoint(t.Endpoint)
	path := base + "/" + t.Bucket + "/" + t.Key
	if t.Virtual {
		host, path = t.Bucket+"."+host, base+"/"+t.Key
	}
	return sigv4.Request{Method: method, Host: host, Path: path, Query: query, PayloadHash: payload}
}

// URL is where r goes: what was signed, encoded exactly once.
func (t *Target) URL(r *sigv4.Request) string {
	scheme, _, _ := splitEndpoint(t.Endpoint)
	u := scheme + "://" + r.Host + sigv4.EscapePath(r.Path)
	if len(r.Query) > 0 {
		u += "?" + sigv4.EscapeQuery(r.Query)
	}
	return u
}

// splitEndpoint takes a base URL apart. A browser leaves the scheme's default
// port out of the Host header, so the signature must too.
func splitEndpoint(endpoint string) (scheme, host, path string) {
	scheme, rest := "https", endpoint
	if i := index(endpoint, "://"); i >= 0 {
		scheme, rest = endpoint[:i], endpoint[i+3:]
	}
	host = rest
	if i := index(rest, "/"); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	for len(path) > 0 && path[len(path)-1] == '/' {
		path = path[:len(path)-1]
	}
	port := ":443"
	if scheme == "http" {
		port = ":80"
	}
	if n := len(host) - len(port); n > 0 && host[n:] == port {
		host = host[:n]
	}
	return scheme, host, path
}
