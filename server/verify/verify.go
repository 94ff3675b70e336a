// Package verify asks the store what an object really is, removes one that may
// not stay (this file), and tells the application of one that is good
// (webhook.go). What to make of an object is the domain's decision.
//
// It works with the server's own credentials, or as the role of its own that
// the store's Verify names. They need s3:GetObject (a HEAD
// is one), s3:ListBucket (or a missing object answers 403 instead of 404), and
// s3:DeleteObject, s3:DeleteObjectVersion.
package verify

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/chunksign/chunksign/server/destination"
)

// Looker is a destination.ObjectLooker over S3.
type Looker struct {
	clients map[account]*s3.Client
}

// account is at which store, and as whom, the server works.
type account struct {
	store string // its name
	as    destination.VerifyRole
}

// timeout bounds one call with its retries.
const timeout = 20 * time.Second

// New makes a Looker for some stores; of two with the same name and Verify one
// does. credentials answers the server's own for each.
func New(stores []*destination.Store, credentials func(*destination.Store) aws.CredentialsProvider, client *http.Client) *Looker {
	l := &Looker{clients: map[account]*s3.Client{}}
	for _, s := range stores {
		a := account{s.Name, s.Verify}
		if l.clients[a] != nil {
			continue
		}
		o := s3.Options{Region: s.Region, Credentials: credentials(s), UsePathStyle: s.Addressing == "path" || s.Addressing == "" && !s.AWS()}
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxBackoff = 500 * time.Millisecond // a page is waiting
		})
		if !s.AWS() {
			o.BaseEndpoint = aws.String(s.Endpoint)
		}
		if c := cmp.Or(client, s.Client); c != nil {
			o.HTTPClient = c
		}
		l.clients[a] = s3.New(o)
	}
	return l
}

func (l *Looker) client(s *destination.Store) *s3.Client { return l.clients[account{s.Name, s.Verify}] }

// Look implements destination.ObjectLooker.
func (l *Looker) Look(ctx context.Context, s *destination.Store, bucket, key string) (*destination.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	head, err := l.client(s).HeadObject(ctx, &s3.HeadObjectInput{
		Bucket: aws.String(bucket), Key: aws.String(key), ChecksumMode: types.ChecksumModeEnabled,
	})
	if status(err) == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, refusal(err, "look at the object; the server's own credentials need s3:GetObject and s3:ListBucket there")
	}
	o := &destination.Object{
		Size: aws.ToInt64(head.ContentLength), Type: aws.ToString(head.ContentType),
		ETag: strings.Trim(aws.ToString(head.ETag), `"`), Checksum: checksum(head), Modified: aws.ToTime(head.LastModified),
		Encryption: string(head.ServerSideEncryption), Redirect: aws.ToString(head.WebsiteRedirectLocation),
		Stored: stored(head),
	}
	repeated(head, o)
	// A bucket whose versioning is suspended says "null", which the next write replaces.
	if v := aws.ToString(head.VersionId); v != "null" {
		o.VersionID = v
	}
	return o, nil
}

func stored(h *s3.HeadObjectOutput) destination.Stored {
	s := destination.Stored{
		CacheControl: aws.ToString(h.CacheControl), ContentDisposition: aws.ToString(h.ContentDisposition),
		ContentEncoding: aws.ToString(h.ContentEncoding), ContentLanguage: aws.ToString(h.ContentLanguage), Expires: aws.ToString(h.ExpiresString),
		Metadata: h.Metadata, HiddenMetadata: int(aws.ToInt32(h.MissingMeta)),
		StorageClass: string(h.StorageClass), KMSKeyID: aws.ToString(h.SSEKMSKeyId),
		LegalHold: h.ObjectLockLegalHoldStatus == types.ObjectLockLegalHoldStatusOn,
	}
	if h.TagCount != nil {
		n := int(*h.TagCount)
		s.Tags = &n
	}
	return s
}

// repeated puts the values of headers together that a reply has more than once,
// for browsers read all of them and the SDK reads the first.
func repeated(h *s3.HeadObjectOutput, o *destination.Object) {
	raw, ok := awsmiddleware.GetRawResponse(h.ResultMetadata).(*smithyhttp.Response)
	if !ok {
		return
	}
	s := &o.Stored
	for name, value := range map[string]*string{
		"Content-Type":  &o.Type,
		"Cache-Control": &s.CacheControl, "Content-Disposition": &s.ContentDisposition, "Content-Encoding": &s.ContentEncoding,
		"Content-Language": &s.ContentLanguage, "Expires": &s.Expires,
	} {
		*value = strings.Join(raw.Header.Values(name), ", ")
	}
	for name, values := range raw.Header {
		if of, ok := strings.CutPrefix(strings.ToLower(name), "x-amz-meta-"); ok {
			s.Metadata[of] = strings.Join(values, ", ")
		}
	}
}

func checksum(h *s3.HeadObjectOutput) *destination.Checksum {
	for _, c := range []struct {
		algorithm string
		value     *string
	}{
		{"SHA256", h.ChecksumSHA256}, {"CRC64NVME", h.ChecksumCRC64NVME}, {"CRC32C", h.ChecksumCRC32C},
		{"CRC32", h.ChecksumCRC32}, {"SHA1", h.ChecksumSHA1},
	} {
		if v := aws.ToString(c.value); v != "" {
			return &destination.Checksum{Algorithm: c.algorithm, Value: v}
		}
	}
	return nil
}

// Remove implements destination.ObjectLooker.
func (l *Looker) Remove(ctx context.Context, s *destination.Store, bucket, key string, o *destination.Object) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	in := &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)}
	switch {
	case o.VersionID != "":
		in.VersionId = aws.String(o.VersionID)
	case s.DeletesIfMatch && o.ETag != "":
		in.IfMatch = aws.String(`"` + o.ETag + `"`)
	default:
		return false, nil
	}
	_, err := l.client(s).DeleteObject(ctx, in)
	switch status(err) {
	case 0:
		return true, nil
	case http.StatusPreconditionFailed, http.StatusConflict:
		return false, nil // it was replaced meanwhile
	}
	return false, refusal(err, "delete the object; the server's own credentials need s3:DeleteObject there")
}

// Discard deletes whatever is at a key that is the caller's own, and with a
// versioned bucket the version that is there now.
func (l *Looker) Discard(ctx context.Context, s *destination.Store, bucket, key string) error {
	o, err := l.Look(ctx, s, bucket, key)
	if o == nil || err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	in := &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)}
	if o.VersionID != "" {
		in.VersionId = aws.String(o.VersionID)
	}
	if _, err := l.client(s).DeleteObject(ctx, in); err != nil {
		return refusal(err, "delete the object; the server's own credentials need s3:DeleteObject there")
	}
	return nil
}

// status is the store's HTTP status for a failure, 0 for none, -1 where no reply came.
func status(err error) int {
	if err == nil {
		return 0
	}
	var reply *awshttp.ResponseError
	// The SDK makes up a response without a status where none came.
	if errors.As(err, &reply) && reply.HTTPStatusCode() != 0 {
		return reply.HTTPStatusCode()
	}
	return -1
}

func refusal(err error, what string) error {
	e := &destination.Error{Code: destination.StoreUnavailable, Err: err,
		Detail: "the store could not be reached, or answered with an error of its own; try again"}
	if code := status(err); code >= 400 && code < 500 && code != http.StatusTooManyRequests {
		name := http.StatusText(code) // a HEAD's reply has no body to name its error
		var api smithy.APIError
		if errors.As(err, &api) && api.ErrorCode() != "" {
			name = api.ErrorCode()
		}
		e.Code, e.Detail = destination.StoreRefused, "the store refused ("+name+") to let the server "+what
	}
	return e
}
