package devstore

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/s3response"
)

// The backend's calls about buckets, each judged first (backend.go).

func (g guarded) HeadBucket(ctx context.Context, in *s3.HeadBucketInput) (*s3.HeadBucketOutput, error) {
	if err := g.input(ctx, in); err != nil {
		return nil, err
	}
	return g.Backend.HeadBucket(ctx, in)
}

func (g guarded) GetBucketAcl(ctx context.Context, in *s3.GetBucketAclInput) ([]byte, error) {
	if err := g.input(ctx, in); err != nil {
		return nil, err
	}
	return g.Backend.GetBucketAcl(ctx, in)
}

func (g guarded) CreateBucket(ctx context.Context, in *s3.CreateBucketInput, defaultACL []byte) error {
	if err := g.input(ctx, in); err != nil {
		return err
	}
	return g.Backend.CreateBucket(ctx, in, defaultACL)
}

func (g guarded) PutBucketAcl(ctx context.Context, bucket string, data []byte) error {
	if err := g.bucket(ctx, bucket); err != nil {
		return err
	}
	return g.Backend.PutBucketAcl(ctx, bucket, data)
}

func (g guarded) DeleteBucket(ctx context.Context, bucket string) error {
	if err := g.bucket(ctx, bucket); err != nil {
		return err
	}
	return g.Backend.DeleteBucket(ctx, bucket)
}

func (g guarded) PutBucketVersioning(ctx context.Context, bucket string, status types.BucketVersioningStatus) error {
	if err := g.bucket(ctx, bucket); err != nil {
		return err
	}
	return g.Backend.PutBucketVersioning(ctx, bucket, status)
}

func (g guarded) GetBucketVersioning(
	ctx context.Context, bucket string,
) (s3response.GetBucketVersioningOutput, error) {
	if err := g.bucket(ctx, bucket); err != nil {
		return s3response.GetBucketVersioningOutput{}, err
	}
	return g.Backend.GetBucketVersioning(ctx, bucket)
}

func (g guarded) PutBucketPolicy(ctx context.Context, bucket string, policy []byte) error {
	if err := g.bucket(ctx, bucket); err != nil {
		return err
	}
	return g.Backend.PutBucketPolicy(ctx, bucket, policy)
}

func (g guarded) GetBucketPolicy(ctx context.Context, bucket string) ([]byte, error) {
	if err := g.bucket(ctx, bucket); err != nil {
		return nil, err
	}
	return g.Backend.GetBucketPolicy(ctx, bucket)
}

func (g guarded) DeleteBucketPolicy(ctx context.Context, bucket string) error {
	if err := g.bucket(ctx, bucket); err != nil {
		return err
	}
	return g.Backend.DeleteBucketPolicy(ctx, bucket)
}

func (g guarded) PutBucketOwnershipControls(
	ctx context.Context, bucket string, ownership types.ObjectOwnership,
) error {
	if err := g.bucket(ctx, bucket); err != nil {
		return err
	}
	return g.Backend.PutBucketOwnershipControls(ctx, bucket, ownership)
}

func (g guarded) GetBucketOwnershipControls(ctx context.Context, bucket string) (types.ObjectOwnership, error) {
	if err := g.bucket(ctx, bucket); err != nil {
		return "", err
	}
	return g.Backend.GetBucketOwnershipControls(ctx, bucket)
}

func (g guarded) DeleteBucketOwnershipControls(ctx context.Context, bucket string) error {
	if err := g.bucket(ctx, bucket); err != nil {
		return err
	}
	return g.Backend.DeleteBucketOwnershipControls(ctx, bucket)
}

func (g guarded) PutBucketCors(ctx context.Context, bucket string, cors []byte) error {
	if err := g.bucket(ctx, bucket); err != nil {
		return err
	}
	return g.Backend.PutBucketCors(ctx, bucket, cors)
}

func (g guarded) GetBucketCors(ctx context.Context, bucket string) ([]byte, error) {
	if err := g.bucket(ctx, bucket); err != nil {
		return nil, err
	}
	return g.Backend.GetBucketCors(ctx, bucket)
}

func (g guarded) DeleteBucketCors(ctx context.Context, bucket string) error {
	if err := g.bucket(ctx, bucket); err != nil {
		return err
	}
	return g.Backend.DeleteBucketCors(ctx, bucket)
}

func (g guarded) PutBucketWebsite(ctx context.Context, bucket string, website []byte) error {
	if err := g.bucket(ctx, bucket); err != nil {
		return err
	}
	return g.Backend.PutBucketWebsite(ctx, bucket, website)
}

func (g guarded) GetBucketWebsite(ctx context.Context, bucket string) ([]byte, error) {
	if err := g.bucket(ctx, bucket); err != nil {
		return nil, err
	}
	return g.Backend.GetBucketWebsite(ctx, bucket)
}

func (g guarded) DeleteBucketWebsite(ctx context.Context, bucket string) error {
	if err := g.bucket(ctx, bucket); err != nil {
		return err
	}
	return g.Backend.DeleteBucketWebsite(ctx, bucket)
}

func (g guarded) GetBucketTagging(ctx context.Context, bucket string) (map[string]string, error) {
	if err := g.bucket(ctx, bucket); err != nil {
		return nil, err
	}
	return g.Backend.GetBucketTagging(ctx, bucket)
}

func (g guarded) PutBucketTagging(ctx context.Context, bucket string, tags map[string]string) error {
	if err := g.bucket(ctx, bucket); err != nil {
		return err
	}
	return g.Backend.PutBucketTagging(ctx, bucket, tags)
}

func (g guarded) DeleteBucketTagging(ctx context.Context, bucket string) error {
	if err := g.bucket(ctx, bucket); err != nil {
		return err
	}
	return g.Backend.DeleteBucketTagging(ctx, bucket)
}

func (g guarded) PutObjectLockConfiguration(ctx context.Context, bucket string, config []byte) error {
	if err := g.bucket(ctx, bucket); err != nil {
		return err
	}
	return g.Backend.PutObjectLockConfiguration(ctx, bucket, config)
}

func (g guarded) GetObjectLockConfiguration(ctx context.Context, bucket string) ([]byte, error) {
	if err := g.bucket(ctx, bucket); err != nil {
		return nil, err
	}
	return g.Backend.GetObjectLockConfiguration(ctx, bucket)
}

func (g guarded) ChangeBucketOwner(ctx context.Context, bucket, owner string) error {
	if err := g.bucket(ctx, bucket); err != nil {
		return err
	}
	return g.Backend.ChangeBucketOwner(ctx, bucket, owner)
}
