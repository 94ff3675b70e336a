package main

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// bucket is for pages of any port of this machine.
const bucket = "browser"

func (e *engine) makeBucket(ctx context.Context) error {
	c := s3.New(s3.Options{
		Region: e.env["CHUNKSIGN_S3_REGION"], BaseEndpoint: aws.String(e.env["CHUNKSIGN_S3_ENDPOINT"]), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(e.env["CHUNKSIGN_S3_ACCESS_KEY"], e.env["CHUNKSIGN_S3_SECRET_KEY"], ""),
	})
	e.env["CHUNKSIGN_S3_BUCKET"] = bucket
	if _, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		return err
	}
	_, err := c.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: aws.String(bucket), CORSConfiguration: &types.CORSConfiguration{CORSRules: []types.CORSRule{{
		AllowedOrigins: []string{"http://127.0.0.1:*"}, AllowedMethods: []string{"GET", "PUT", "POST", "DELETE", "HEAD"}, AllowedHeaders: []string{"*"},
		ExposeHeaders: []string{"ETag", "x-amz-request-id", "x-amz-version-id", "x-amz-checksum-sha256"},
	}}}})
	var refused smithy.APIError
	if errors.As(err, &refused) && refused.ErrorCode() == "NotImplemented" {
		return nil // MinIO has one rule for the whole server, by its environment
	}
	return err
}
