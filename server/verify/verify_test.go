package verify

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/devstore"
)

func TestLookAndRemove(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	embedded, err := devstore.Start(ctx, devstore.Config{Dir: dir, Secret: make([]byte, 32), Buckets: []string{"media"}})
	if err != nil {
		t.Fatal(err)
	}
	defer embedded.Close()
	own := embedded.Credentials()
	provider := credentials.NewStaticCredentialsProvider(own.AccessKeyID, own.SecretAccessKey, "")
	s := &destination.Store{Name: "s", Region: embedded.Region(), Endpoint: embedded.Endpoint(), DeletesIfMatch: true}
	l := New([]*destination.Store{s}, func(*destination.Store) aws.CredentialsProvider { return provider }, nil)
	client := s3.New(s3.Options{Region: s.Region, BaseEndpoint: aws.String(s.Endpoint), UsePathStyle: true, Credentials: provider})
	put := func(content string) {
		t.Helper()
		if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("media"), Key: aws.String("näme 1"), Body: strings.NewReader(content), ContentType: aws.String("text/plain"), ChecksumAlgorithm: types.ChecksumAlgorithmSha256}); err != nil {
			t.Fatal(err)
		}
	}

	if o, err := l.Look(ctx, s, "media", "näme 1"); o != nil || err != nil {
		t.Errorf("nothing there: %+v, %v", o, err)
	}
	put("first")
	first, err := l.Look(ctx, s, "media", "näme 1")
	if err != nil || first.Size != 5 || first.Type != "text/plain" || first.ETag == "" || strings.Contains(first.ETag, `"`) || first.Checksum == nil || first.Checksum.Algorithm != "SHA256" {
		t.Fatalf("%+v, %v", first, err)
	}
	put("second")
	if removed, err := l.Remove(ctx, s, "media", "näme 1", first); removed || err != nil {
		t.Errorf("what was replaced since is removed: %v, %v", removed, err)
	}
	second, err := l.Look(ctx, s, "media", "näme 1")
	if err != nil || second == nil {
		t.Fatalf("the second object is gone: %v", err)
	}
	unable := *s
	unable.DeletesIfMatch = false
	if removed, err := l.Remove(ctx, &unable, "media", "näme 1", second); removed || err != nil {
		t.Errorf("removed without a way to remove just that: %v, %v", removed, err)
	}
	if removed, err := l.Remove(ctx, s, "media", "näme 1", second); !removed || err != nil {
		t.Errorf("not removed: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "media", "näme 1")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}

	stranger := New([]*destination.Store{s}, func(*destination.Store) aws.CredentialsProvider {
		return credentials.NewStaticCredentialsProvider(own.AccessKeyID, "wrong", "")
	}, nil)
	_, err = stranger.Look(ctx, s, "media", "näme 1")
	var e *destination.Error
	away := *s
	away.Name, away.Endpoint = "away", "http://127.0.0.1:1"
	gone := New([]*destination.Store{&away}, func(*destination.Store) aws.CredentialsProvider { return provider }, nil)
	if o, lost := gone.Look(ctx, &away, "media", "näme 1"); o != nil || !errors.As(lost, &e) || e.Code != destination.StoreUnavailable {
		t.Errorf("with the store away: %+v, %v", o, lost)
	}
	if removed, lost := gone.Remove(ctx, &away, "media", "näme 1", second); removed || !errors.As(lost, &e) || e.Code != destination.StoreUnavailable {
		t.Errorf("with the store away: removed is %v, %v", removed, lost)
	}
	if !errors.As(err, &e) || e.Code != destination.StoreRefused {
		t.Errorf("with a wrong secret: %v; want %s", err, destination.StoreRefused)
	}
}
