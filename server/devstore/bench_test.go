package devstore

import (
	"context"
	"crypto/sha256"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// BenchmarkUploadPart sends 8 MiB parts over one connection, each hash signed. The hash is made once, so that the store's
// work is what is measured.
func BenchmarkUploadPart(b *testing.B) {
	s := start(b, nil)
	c := assume(b, s, policyFor(uploadRights, "arn:aws:s3:::media/bench.bin"))
	part := content(8 << 20)
	sum := sha256.Sum256(part)
	id, _ := uploadParts(b, s3Client(s, c), "media", "bench.bin")
	b.SetBytes(int64(len(part)))
	for b.Loop() {
		reply, err := sendPart(s, c, "/media/bench.bin?partNumber=1&uploadId="+aws.ToString(id), part, sum)
		if err != nil {
			b.Fatal(err)
		}
		if reply.StatusCode != 200 {
			b.Fatalf("%s: %v", reply.Status, s3Error(reply.Body))
		}
		reply.Body.Close()
	}
}

// BenchmarkStart measures a start with two buckets, and the stop.
func BenchmarkStart(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		s, err := Start(context.Background(), Config{Dir: dir, Secret: testSecret, Buckets: []string{"media", "other"}, Origins: []string{testOrigin}})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
