package verify

import (
	"context"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/chunksign/chunksign/server/destination"
)

// What a store says of an object is read whole: each header, and each line of it.
func TestLookReadsAllThatIsStored(t *testing.T) {
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, line := range [][2]string{
			{"Content-Type", "text/plain"}, {"ETag", `"e"`}, {"Cache-Control", "no-store"}, {"Cache-Control", "public"}, {"Content-Disposition", "inline"},
			{"Content-Encoding", "br"}, {"Content-Language", "de"}, {"Expires", "0"}, {"X-Amz-Meta-App", "x"}, {"x-amz-meta-app", "y"}, {"x-amz-meta-two", ""},
			{"x-amz-missing-meta", "3"}, {"x-amz-storage-class", "GLACIER"}, {"x-amz-server-side-encryption", "aws:kms"},
			{"x-amz-server-side-encryption-aws-kms-key-id", "arn:k"}, {"x-amz-tagging-count", "2"}, {"x-amz-object-lock-legal-hold", "ON"},
			{"x-amz-website-redirect-location", "/x"},
		} {
			w.Header().Add(line[0], line[1])
		}
	}))
	defer store.Close()
	s := &destination.Store{Name: "s", Region: "us-east-1", Endpoint: store.URL}
	l := New([]*destination.Store{s}, func(*destination.Store) aws.CredentialsProvider {
		return credentials.NewStaticCredentialsProvider("a", "b", "")
	}, nil)
	o, err := l.Look(context.Background(), s, "media", "k")
	if err != nil {
		t.Fatal(err)
	}
	two := 2
	want := destination.Stored{
		CacheControl: "no-store, public", ContentDisposition: "inline", ContentEncoding: "br", ContentLanguage: "de", Expires: "0",
		Metadata: map[string]string{"app": "x, y", "two": ""}, HiddenMetadata: 3, StorageClass: "GLACIER", KMSKeyID: "arn:k", Tags: &two, LegalHold: true,
	}
	if !reflect.DeepEqual(o.Stored, want) || o.Encryption != "aws:kms" || o.Redirect != "/x" {
		t.Errorf("%+v; want %+v", o.Stored, want)
	}
}
