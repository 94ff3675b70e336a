package verify

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/chunksign/chunksign/server/destination"
)

// Unfinished is a multipart upload that was begun and neither completed nor
// aborted.
type Unfinished struct {
	Key, UploadID string
	Begun         time.Time
}

// Unfinished lists the uploads of a bucket whose keys begin with prefix and
// that were begun before a time, in pages as the store gives them. It needs
// s3:ListBucketMultipartUploads. MinIO lists those of one exact key only.
func (l *Looker) Unfinished(ctx context.Context, s *destination.Store, bucket, prefix string, before time.Time) ([]Unfinished, error) {
	var all []Unfinished
	in := &s3.ListMultipartUploadsInput{Bucket: aws.String(bucket), Prefix: aws.String(prefix)}
	for {
		page, err := l.page(ctx, s, in)
		if err != nil {
			return all, err
		}
		for _, u := range page.Uploads {
			if begun := aws.ToTime(u.Initiated); !begun.IsZero() && begun.Before(before) {
				all = append(all, Unfinished{aws.ToString(u.Key), aws.ToString(u.UploadId), begun})
			}
		}
		if !aws.ToBool(page.IsTruncated) {
			return all, nil
		}
		if aws.ToString(page.NextKeyMarker) == aws.ToString(in.KeyMarker) && aws.ToString(page.NextUploadIdMarker) == aws.ToString(in.UploadIdMarker) {
			return all, errors.New("the store lists its uploads without end: each page points at itself")
		}
		in.KeyMarker, in.UploadIdMarker = page.NextKeyMarker, page.NextUploadIdMarker
	}
}

func (l *Looker) page(ctx context.Context, s *destination.Store, in *s3.ListMultipartUploadsInput) (*s3.ListMultipartUploadsOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	page, err := l.client(s).ListMultipartUploads(ctx, in)
	if err != nil {
		return nil, refusal(err, "list unfinished uploads; the server's own credentials need s3:ListBucketMultipartUploads there")
	}
	return page, nil
}

// Abort ends an unfinished upload, whose parts are then gone. One that is over
// meanwhile is none to fail at. It needs s3:AbortMultipartUpload.
func (l *Looker) Abort(ctx context.Context, s *destination.Store, bucket string, u Unfinished) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := l.client(s).AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String(u.Key), UploadId: aws.String(u.UploadID)})
	var api smithy.APIError
	if err == nil || errors.As(err, &api) && api.ErrorCode() == "NoSuchUpload" {
		return nil
	}
	return refusal(err, "abort the upload; the server's own credentials need s3:AbortMultipartUpload there")
}

// StaleAfter answers how long after its begin the store's own lifecycle aborts
// an upload whose key begins with prefix, 0 for never. known is false where the
// store has no such rules at all. It needs s3:GetLifecycleConfiguration.
func (l *Looker) StaleAfter(ctx context.Context, s *destination.Store, bucket, prefix string) (after time.Duration, known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	out, err := l.client(s).GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: aws.String(bucket)})
	var api smithy.APIError
	switch {
	case errors.As(err, &api) && api.ErrorCode() == "NoSuchLifecycleConfiguration":
		return 0, true, nil
	case status(err) == http.StatusNotImplemented || status(err) == http.StatusMethodNotAllowed:
		return 0, false, nil
	case err != nil:
		return 0, true, refusal(err, "read the bucket's lifecycle; the server's own credentials need s3:GetLifecycleConfiguration there")
	}
	for _, r := range out.Rules {
		if r.Status != types.ExpirationStatusEnabled || r.AbortIncompleteMultipartUpload == nil || !covers(r, prefix) {
			continue
		}
		// Of several S3 takes the one that aborts sooner.
		if t := time.Duration(aws.ToInt32(r.AbortIncompleteMultipartUpload.DaysAfterInitiation)) * 24 * time.Hour; after == 0 || t < after {
			after = t
		}
	}
	return after, true, nil
}

// covers says whether a rule is for all keys that begin with prefix. One by tags
// or sizes never is for uploads, which have none yet.
func covers(r types.LifecycleRule, prefix string) bool {
	switch {
	case r.Filter == nil:
		//lint:ignore SA1019 rules of old have it
		return strings.HasPrefix(prefix, aws.ToString(r.Prefix))
	case r.Filter.And != nil:
		return len(r.Filter.And.Tags) == 0 && r.Filter.And.ObjectSizeGreaterThan == nil && r.Filter.And.ObjectSizeLessThan == nil && strings.HasPrefix(prefix, aws.ToString(r.Filter.And.Prefix))
	}
	return r.Filter.Tag == nil && r.Filter.ObjectSizeGreaterThan == nil && r.Filter.ObjectSizeLessThan == nil && strings.HasPrefix(prefix, aws.ToString(r.Filter.Prefix))
}
