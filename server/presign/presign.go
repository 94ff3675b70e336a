// Package presign makes URLs that carry their own permission: a GET of one
// object, for who uploaded it (AmazonS3/latest/API/sigv4-query-string-auth.html).
//
// They are signed with the server's own credentials for the store, which need
// s3:GetObject, and end with these at the latest. Such a URL is a secret while
// it lasts and belongs into no log.
package presign

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/wasm/sigv4"
)

// Presigner is a destination.ReadLinker.
type Presigner struct {
	// Credentials are the server's own for each store, by its name.
	Credentials map[string]aws.CredentialsProvider
}

// timeout bounds the wait for the server's own credentials.
const timeout = 10 * time.Second

// ReadLink implements destination.ReadLinker.
func (p Presigner) ReadLink(ctx context.Context, s *destination.Store, bucket, key, name string, now time.Time, expires time.Duration) (destination.Link, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c, err := p.Credentials[s.Name].Retrieve(ctx)
	if err != nil {
		return destination.Link{}, &destination.Error{Code: destination.StoreUnavailable, Err: err,
			Detail: "the server has no credentials of its own for the store at the moment; try again"}
	}
	until := now.Add(expires)
	if c.CanExpire && c.Expires.Before(until) {
		until = c.Expires
	}
	scheme, host, path := address(s, bucket, key)
	signer := sigv4.New(sigv4.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, s.Region)
	target := signer.Presign(&sigv4.Request{
		Method: "GET", Host: host, Path: path,
		Query: []sigv4.Param{{Name: "response-content-disposition", Value: Attachment(name)}},
	}, now, max(until.Sub(now).Truncate(time.Second), time.Second))
	return destination.Link{URL: scheme + "://" + host + target, Expires: until.UTC()}, nil
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

// Attachment is a Content-Disposition (RFC 6266) that saves a file under its
// name, which non-ASCII names need written twice (its appendix D).
func Attachment(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\%`, r) {
			return '_'
		}
		return r
	}, name)
	value := `attachment; filename="` + plain + `"`
	if plain != name {
		// RFC 8187 spares a few more characters than a query does; encoding those too is allowed.
		value += "; filename*=UTF-8''" + strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
	}
	return value
}
