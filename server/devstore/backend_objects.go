package devstore

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/s3response"
)

// The backend's calls about objects and uploads, each judged first (backend.go).

func (g guarded) CreateMultipartUpload(
	ctx context.Context, in s3response.CreateMultipartUploadInput,
) (s3response.InitiateMultipartUploadResult, error) {
	if err := g.input(ctx, in); err != nil {
		return s3response.InitiateMultipartUploadResult{}, err
	}
	return g.Backend.CreateMultipartUpload(ctx, in)
}

func (g guarded) CompleteMultipartUpload(
	ctx context.Context, in *s3.CompleteMultipartUploadInput,
) (s3response.CompleteMultipartUploadResult, string, error) {
	if err := g.input(ctx, in); err != nil {
		return s3response.CompleteMultipartUploadResult{}, "", err
	}
	return g.Backend.CompleteMultipartUpload(ctx, in)
}

func (g guarded) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput) error {
	if err := g.input(ctx, in); err != nil {
		return err
	}
	return g.Backend.AbortMultipartUpload(ctx, in)
}

func (g guarded) ListMultipartUploads(
	ctx context.Context, in *s3.ListMultipartUploadsInput,
) (s3response.ListMultipartUploadsResult, error) {
	if err := g.input(ctx, in); err != nil {
		return s3response.ListMultipartUploadsResult{}, err
	}
	return g.Backend.ListMultipartUploads(ctx, in)
}

func (g guarded) ListParts(ctx context.Context, in *s3.ListPartsInput) (s3response.ListPartsResult, error) {
	if err := g.input(ctx, in); err != nil {
		return s3response.ListPartsResult{}, err
	}
	return g.Backend.ListParts(ctx, in)
}

func (g guarded) UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	if err := g.input(ctx, in); err != nil {
		return nil, err
	}
	return g.Backend.UploadPart(ctx, in)
}

func (g guarded) UploadPartCopy(ctx context.Context, in *s3.UploadPartCopyInput) (s3response.CopyPartResult, error) {
	if err := g.input(ctx, in); err != nil {
		return s3response.CopyPartResult{}, err
	}
	return g.Backend.UploadPartCopy(ctx, in)
}

func (g guarded) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	if err := g.input(ctx, in); err != nil {
		return s3response.PutObjectOutput{}, err
	}
	return g.Backend.PutObject(ctx, in)
}

func (g guarded) HeadObject(ctx context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	if err := g.input(ctx, in); err != nil {
		return nil, err
	}
	return g.Backend.HeadObject(ctx, in)
}

func (g guarded) GetObject(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	if err := g.input(ctx, in); err != nil {
		return nil, err
	}
	return g.Backend.GetObject(ctx, in)
}

func (g guarded) GetObjectAcl(ctx context.Context, in *s3.GetObjectAclInput) (*s3.GetObjectAclOutput, error) {
	if err := g.input(ctx, in); err != nil {
		return nil, err
	}
	return g.Backend.GetObjectAcl(ctx, in)
}

func (g guarded) GetObjectAttributes(
	ctx context.Context, in *s3.GetObjectAttributesInput,
) (s3response.GetObjectAttributesResponse, error) {
	if err := g.input(ctx, in); err != nil {
		return s3response.GetObjectAttributesResponse{}, err
	}
	return g.Backend.GetObjectAttributes(ctx, in)
}

func (g guarded) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	if err := g.input(ctx, in); err != nil {
		return s3response.CopyObjectOutput{}, err
	}
	return g.Backend.CopyObject(ctx, in)
}

func (g guarded) ListObjects(ctx context.Context, in *s3.ListObjectsInput) (s3response.ListObjectsResult, error) {
	if err := g.input(ctx, in); err != nil {
		return s3response.ListObjectsResult{}, err
	}
	return g.Backend.ListObjects(ctx, in)
}

func (g guarded) ListObjectsV2(
	ctx context.Context, in *s3.ListObjectsV2Input,
) (s3response.ListObjectsV2Result, error) {
	if err := g.input(ctx, in); err != nil {
		return s3response.ListObjectsV2Result{}, err
	}
	return g.Backend.ListObjectsV2(ctx, in)
}

func (g guarded) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	if err := g.input(ctx, in); err != nil {
		return nil, err
	}
	return g.Backend.DeleteObject(ctx, in)
}

func (g guarded) PutObjectAcl(ctx context.Context, in *s3.PutObjectAclInput) error {
	if err := g.input(ctx, in); err != nil {
		return err
	}
	return g.Backend.PutObjectAcl(ctx, in)
}

func (g guarded) ListObjectVersions(
	ctx context.Context, in *s3.ListObjectVersionsInput,
) (s3response.ListVersionsResult, error) {
	if err := g.input(ctx, in); err != nil {
		return s3response.ListVersionsResult{}, err
	}
	return g.Backend.ListObjectVersions(ctx, in)
}

func (g guarded) RestoreObject(ctx context.Context, in *s3.RestoreObjectInput) error {
	if err := g.input(ctx, in); err != nil {
		return err
	}
	return g.Backend.RestoreObject(ctx, in)
}

func (g guarded) GetObjectTagging(ctx context.Context, bucket, object, version string) (map[string]string, error) {
	if err := g.object(ctx, bucket, object, version); err != nil {
		return nil, err
	}
	return g.Backend.GetObjectTagging(ctx, bucket, object, version)
}

func (g guarded) PutObjectTagging(ctx context.Context, bucket, object, version string, tags map[string]string) error {
	if err := g.object(ctx, bucket, object, version); err != nil {
		return err
	}
	return g.Backend.PutObjectTagging(ctx, bucket, object, version, tags)
}

func (g guarded) DeleteObjectTagging(ctx context.Context, bucket, object, version string) error {
	if err := g.object(ctx, bucket, object, version); err != nil {
		return err
	}
	return g.Backend.DeleteObjectTagging(ctx, bucket, object, version)
}

func (g guarded) PutObjectRetention(ctx context.Context, bucket, object, version string, retention []byte) error {
	if err := g.object(ctx, bucket, object, version); err != nil {
		return err
	}
	return g.Backend.PutObjectRetention(ctx, bucket, object, version, retention)
}

func (g guarded) GetObjectRetention(ctx context.Context, bucket, object, version string) ([]byte, error) {
	if err := g.object(ctx, bucket, object, version); err != nil {
		return nil, err
	}
	return g.Backend.GetObjectRetention(ctx, bucket, object, version)
}

func (g guarded) PutObjectLegalHold(ctx context.Context, bucket, object, version string, status bool) error {
	if err := g.object(ctx, bucket, object, version); err != nil {
		return err
	}
	return g.Backend.PutObjectLegalHold(ctx, bucket, object, version, status)
}

func (g guarded) GetObjectLegalHold(ctx context.Context, bucket, object, version string) (*bool, error) {
	if err := g.object(ctx, bucket, object, version); err != nil {
		return nil, err
	}
	return g.Backend.GetObjectLegalHold(ctx, bucket, object, version)
}
