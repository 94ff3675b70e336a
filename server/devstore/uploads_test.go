package devstore

import (
	"bytes"
	"context"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Parts that are under way when their upload is aborted leave no file behind,
// whenever in their course the abort comes.
func TestAbortAmidPartsLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	s := start(t, func(c *Config) { c.Dir = dir })
	client := s3Client(s, s.Credentials())
	ctx := context.Background()
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for round := range 60 {
		object := s3.CreateMultipartUploadInput{Bucket: aws.String("media"), Key: aws.String("aborted")}
		created, err := client.CreateMultipartUpload(ctx, &object)
		if err != nil {
			t.Fatal(err)
		}
		var parts sync.WaitGroup
		sent := make(chan struct{}, 6)
		for n := range int32(6) {
			parts.Go(func() {
				// It succeeds or finds no upload: both are right.
				_, _ = client.UploadPart(ctx, &s3.UploadPartInput{
					Bucket: object.Bucket, Key: object.Key, UploadId: created.UploadId, PartNumber: aws.Int32(n + 1), Body: bytes.NewReader(body),
				})
				sent <- struct{}{}
			})
		}
		for range round % 6 { // abort after this many parts
			<-sent
		}
		if _, err := client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: object.Bucket, Key: object.Key, UploadId: created.UploadId}); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		parts.Wait()
	}
	err := filepath.WalkDir(filepath.Join(dir, "media"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(path, "multipart") {
			t.Errorf("left behind: %s", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// An entry lives as long as somebody uses it.
func TestUploadLocksAreForgotten(t *testing.T) {
	l := &uploadLocks{}
	first := l.lock("u", false)
	second := l.lock("u", false)
	aborting := make(chan func())
	go func() { aborting <- l.lock("u", true) }()
	first()
	select {
	case <-aborting:
		t.Fatal("an abort went ahead of a part")
	default:
	}
	second()
	(<-aborting)()
	if len(l.locks) != 0 {
		t.Errorf("%d locks are left", len(l.locks))
	}
}
