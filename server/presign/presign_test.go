package presign

import (
	"context"
	"mime"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/chunksign/chunksign/server/destination"
)

var now = time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC)

func presigner(c aws.Credentials) Presigner {
	return Presigner{Credentials: map[string]aws.CredentialsProvider{"s": aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, nil })}}
}

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		store        destination.Store
		bucket, want string
	}{
		{destination.Store{Region: "eu-west-1"}, "media", "https://media.s3.eu-west-1.amazonaws.com/a/n%C3%A4me%201.txt?"},
		{destination.Store{Region: "eu-west-1"}, "my.media", "https://s3.eu-west-1.amazonaws.com/my.media/a/n%C3%A4me%201.txt?"},
		{destination.Store{Region: "x", Endpoint: "http://127.0.0.1:9000"}, "media", "http://127.0.0.1:9000/media/a/n%C3%A4me%201.txt?"},
		{destination.Store{Region: "x", Endpoint: "https://s3.example.com:443", Addressing: "virtual"}, "media", "https://media.s3.example.com/a/n%C3%A4me%201.txt?"},
	} {
		c.store.Name = "s"
		link, err := presigner(aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "s"}).ReadLink(context.Background(), &c.store, c.bucket, "a/näme 1.txt", "näme 1.txt", now, time.Minute)
		if err != nil || !strings.HasPrefix(link.URL, c.want) || link.Expires != now.Add(time.Minute) {
			t.Errorf("%+v: %s, %v", c.store, link.URL, err)
		}
	}
}

func TestALinkEndsWithTheCredentials(t *testing.T) {
	p := presigner(aws.Credentials{AccessKeyID: "ASIA", SecretAccessKey: "s", SessionToken: "t/+", CanExpire: true, Expires: now.Add(30 * time.Second)})
	link, err := p.ReadLink(context.Background(), &destination.Store{Name: "s", Region: "eu-west-1"}, "media", "k", "k", now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(link.URL)
	if err != nil {
		t.Fatal(err)
	}
	if q := u.Query(); link.Expires != now.Add(30*time.Second) || q.Get("X-Amz-Expires") != "30" || q.Get("X-Amz-Security-Token") != "t/+" {
		t.Errorf("%s until %s", link.URL, link.Expires)
	}
}

func TestAttachments(t *testing.T) {
	for _, name := range []string{"plain.txt", "näme 名前.bin", `a"b\c;d%20.txt`, "a+b&c=d.txt", "😀", "x'y"} {
		value := Attachment(name)
		kind, params, err := mime.ParseMediaType(value)
		if err != nil || kind != "attachment" || params["filename"] != name {
			t.Errorf("%q: %s reads as %q, %v", name, value, params["filename"], err)
		}
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%q is not ASCII", value)
		}
	}
}
