package devstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// corsMaxAge is how long a browser may keep a preflight's answer, in seconds. It is kept per URL, and each part has one.
const corsMaxAge = 3600

// exposed are the response headers that a page may read.
var exposed = []string{
	"ETag", "x-amz-request-id", "x-amz-version-id", "x-amz-checksum-sha256",
	"x-amz-checksum-crc64nvme", "x-amz-checksum-crc32", "x-amz-checksum-crc32c",
}

// newClient returns a client of the store itself, as root. It goes to the listener directly, whatever proxy the environment
// names.
func (s *Store) newClient() *s3.Client {
	return s3.New(s3.Options{
		Region:       region,
		BaseEndpoint: aws.String(s.endpoint),
		UsePathStyle: true,
		Credentials:  aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return s.keys.root, nil }),
		HTTPClient:   httpDoer{s.transport},
	})
}

// makeBuckets makes the configured buckets that are not there yet.
func (s *Store) makeBuckets(ctx context.Context, dir string) error {
	for _, name := range s.buckets {
		_, err := s.client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(name)})
		if owned := (*types.BucketAlreadyOwnedByYou)(nil); err == nil || errors.As(err, &owned) {
			continue
		}
		if taken := (*types.BucketAlreadyExists)(nil); errors.As(err, &taken) {
			return fmt.Errorf("devstore: Buckets: %q in %s belongs to a store with another Secret; give that Secret, or move the folder away", name, dir)
		}
		return fmt.Errorf("devstore: Buckets: make %q: %w (if %s is a folder from elsewhere, move it away)", name, err, filepath.Join(dir, name))
	}
	return nil
}

// SetOrigins makes these the origins whose pages may call the buckets, in each configured bucket's CORS rules. None takes
// the rules away. An error names the origin that is not exact, or the bucket that could not be changed.
func (s *Store) SetOrigins(ctx context.Context, origins []string) error {
	if err := checkOrigins(origins); err != nil {
		return err
	}
	origins = slices.Clone(origins)
	for _, name := range s.buckets {
		var err error
		if len(origins) == 0 {
			_, err = s.client.DeleteBucketCors(ctx, &s3.DeleteBucketCorsInput{Bucket: aws.String(name)})
		} else {
			_, err = s.client.PutBucketCors(ctx, &s3.PutBucketCorsInput{
				Bucket: aws.String(name),
				CORSConfiguration: &types.CORSConfiguration{CORSRules: []types.CORSRule{{
					AllowedOrigins: origins,
					AllowedMethods: []string{"GET", "PUT", "POST", "HEAD", "DELETE"},
					AllowedHeaders: []string{"*"},
					ExposeHeaders:  exposed,
					MaxAgeSeconds:  aws.Int32(corsMaxAge),
				}}},
			})
		}
		if err != nil {
			return fmt.Errorf("devstore: CORS of bucket %q: %w", name, err)
		}
	}
	s.origins.Store(&origins)
	return nil
}

// httpDoer sends requests by one transport, and follows no redirect: the store sends none.
type httpDoer struct{ *http.Transport }

func (d httpDoer) Do(r *http.Request) (*http.Response, error) { return d.RoundTrip(r) }
