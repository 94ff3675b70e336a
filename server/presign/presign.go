// Package presign makes requests that carry their own permission, and the calls
// of multipart uploads for callers that hold none.
//
//	presign.go    links to read, and any request signed in its query
//	form.go       forms: POST policies
//	multipart.go  Create, ListParts, Complete, Abort, sent by the server
//
// Signatures are wasm/sigv4's (AmazonS3/latest/API/sigv4-query-string-auth.html);
// only SigV4 is offered. Links to read are signed with the server's own
// credentials for the store, which need s3:GetObject; all else with the session
// that the domain gives. What is made here ends with what signed it. It is a
// secret while it lasts and belongs into no log.
package presign

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/wasm/sigv4"
)

// Presigner is a destination.ReadLinker and a destination.RequestSigner.
type Presigner struct {
	// Credentials are the server's own for each store, by its name.
	Credentials map[string]aws.CredentialsProvider
}

// timeout bounds the wait for the server's own credentials.
const timeout = 10 * time.Second

// Own implements destination.RequestSigner.
func (p Presigner) Own(ctx context.Context, s *destination.Store) (destination.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c, err := p.Credentials[s.Name].Retrieve(ctx)
	if err != nil {
		return destination.Session{}, &destination.Error{Code: destination.StoreUnavailable, Err: err,
			Detail: "the server has no credentials of its own for the store at the moment; try again"}
	}
	own := destination.Session{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken, Name: "own"}
	if c.CanExpire {
		own.Expires = c.Expires
	}
	return own, nil
}

// ReadLink implements destination.ReadLinker.
func (p Presigner) ReadLink(ctx context.Context, s *destination.Store, bucket, key string, as destination.ReadAs, now time.Time, expires time.Duration) (destination.Link, error) {
	own, err := p.Own(ctx, s)
	if err != nil {
		return destination.Link{}, err
	}
	now = now.UTC().Truncate(time.Second) // what a signature says the time is
	until := now.Add(expires)
	if end := own.Expires.UTC().Truncate(time.Second); !own.Expires.IsZero() && end.Before(until) {
		until = end
	}
	kind := "attachment"
	if as.Inline {
		kind = "inline"
	}
	query := map[string]string{"response-content-disposition": destination.Disposition(kind, as.Name)}
	if as.Type != "" {
		query["response-content-type"] = as.Type
	}
	url := p.URL(own, destination.StoreRequest{Store: s, Bucket: bucket, Key: key, Method: "GET", Query: query}, now, max(until.Sub(now), time.Second))
	return destination.Link{URL: url, Expires: until}, nil
}

// URL implements destination.RequestSigner.
func (Presigner) URL(by destination.Session, r destination.StoreRequest, now time.Time, lasts time.Duration) string {
	scheme, host, path := address(r.Store, r.Bucket, r.Key)
	// Without a hash: the body is not known yet, and must not be taken for an empty one.
	return scheme + "://" + host + signer(by, r.Store).Presign(&sigv4.Request{
		Method: r.Method, Host: host, Path: path, Query: params(r.Query), Header: params(r.Header),
	}, now, lasts)
}

// Headers implements destination.RequestSigner.
func (Presigner) Headers(by destination.Session, r destination.StoreRequest, sha256 string, now time.Time) (string, map[string]string) {
	_, host, path := address(r.Store, r.Bucket, r.Key)
	sum, _ := base64.StdEncoding.DecodeString(sha256)
	q := sigv4.Request{Method: r.Method, Host: host, Path: path, Query: params(r.Query), Header: params(r.Header), PayloadHash: hex.EncodeToString(sum)}
	header := maps.Clone(r.Header)
	for _, h := range signer(by, r.Store).Sign(&q, now) {
		header[h.Name] = h.Value
	}
	return target(destination.Write{Store: r.Store, Bucket: r.Bucket, Key: r.Key}).URL(&q), header
}

func signer(by destination.Session, s *destination.Store) *sigv4.Signer {
	return sigv4.New(sigv4.Credentials{AccessKeyID: by.AccessKeyID, SecretAccessKey: by.SecretAccessKey, SessionToken: by.SessionToken}, s.Region)
}

// params is in no order: sigv4 sorts.
func params(m map[string]string) []sigv4.Param {
	p := make([]sigv4.Param, 0, len(m))
	for name, value := range m {
		p = append(p, sigv4.Param{Name: name, Value: value})
	}
	return p
}

// address says where an object is met: the scheme, the Host header, and the
// path before it is encoded. Hosts are written without the port that the
// scheme implies, as browsers send them.
func address(s *destination.Store, bucket, key string) (scheme, host, path string) {
	scheme, host, _ = strings.Cut(s.Origin(bucket), "://")
	if port := map[string]string{"http": ":80", "https": ":443"}[scheme]; port != "" {
		host = strings.TrimSuffix(host, port)
	}
	path = "/" + key
	if s.AddressingOf(bucket) == "path" {
		path = "/" + bucket + path
	}
	return scheme, host, path
}
