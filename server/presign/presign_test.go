package presign

import (
	"bytes"
	"context"
	"encoding/base64"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/devstore"
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
		link, err := presigner(aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "s"}).ReadLink(context.Background(), &c.store, c.bucket, "a/näme 1.txt", destination.ReadAs{Name: "näme 1.txt"}, now, time.Minute)
		if err != nil || !strings.HasPrefix(link.URL, c.want) || link.Expires != now.Add(time.Minute) {
			t.Errorf("%+v: %s, %v", c.store, link.URL, err)
		}
	}
}

func TestALinkEndsWithTheCredentials(t *testing.T) {
	p := presigner(aws.Credentials{AccessKeyID: "ASIA", SecretAccessKey: "s", SessionToken: "t/+", CanExpire: true, Expires: now.Add(30 * time.Second)})
	link, err := p.ReadLink(context.Background(), &destination.Store{Name: "s", Region: "eu-west-1"}, "media", "k", destination.ReadAs{Name: "k"}, now, time.Hour)
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

// The store counts too: what has expired, or is not good yet, it refuses.
func TestTheStoreRefusesWhatHasExpired(t *testing.T) {
	store, err := devstore.Start(context.Background(), devstore.Config{Dir: t.TempDir(), Secret: make([]byte, 32), Buckets: []string{"media"}})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	s := &destination.Store{Name: "s", Region: store.Region(), Endpoint: store.Endpoint()}
	own := store.Credentials()
	by, err := presigner(aws.Credentials{AccessKeyID: own.AccessKeyID, SecretAccessKey: own.SecretAccessKey}).Own(context.Background(), s)
	if err != nil || !by.Expires.IsZero() {
		t.Fatalf("%v until %v, %v", by, by.Expires, err)
	}
	put := func(at time.Time, lasts time.Duration) int {
		t.Helper()
		q, err := http.NewRequest("PUT", Presigner{}.URL(by, destination.StoreRequest{Store: s, Bucket: "media", Key: "x", Method: "PUT", Header: map[string]string{"content-length": "1"}}, at, lasts), strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultTransport.RoundTrip(q)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	post := func(at, until time.Time) int {
		t.Helper()
		url, fields, err := Presigner{}.Form(by, destination.StoreForm{Store: s, Bucket: "media", Key: "y", Size: 1}, at, until)
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		for name, value := range fields {
			w.WriteField(name, value)
		}
		f, _ := w.CreateFormFile("file", "x")
		f.Write([]byte("x"))
		w.Close()
		answer, err := http.Post(url, w.FormDataContentType(), &body)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	at := time.Now().Truncate(time.Second)
	for _, got := range []struct {
		what      string
		got, want int
	}{
		{"a PUT in its time", put(at, time.Minute), 200},
		{"a PUT for 7 days", put(at, 7*24*time.Hour), 200},
		{"a PUT for 8 days", put(at, 8*24*time.Hour), 400},
		{"an expired PUT", put(at.Add(-2*time.Minute), time.Minute), 403},
		{"a form in its time", post(at, at.Add(time.Minute)), 201},
		{"an expired form", post(at.Add(-2*time.Minute), at.Add(-time.Minute)), 403},
	} {
		if got.got != got.want {
			t.Errorf("%s: %d; want %d", got.what, got.got, got.want)
		}
	}
}

// The values are those of AWS's own example of a POST policy's form
// (AmazonS3/latest/API/sigv4-post-example.html), whose policy text is another's:
// what is held against it is how credential and date are written.
func TestFormFields(t *testing.T) {
	by := destination.Session{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
	at := time.Date(2015, 12, 29, 0, 0, 0, 0, time.UTC)
	url, fields, err := Presigner{}.Form(by, destination.StoreForm{
		Store: &destination.Store{Region: "us-east-1"}, Bucket: "sigv4examplebucket", Key: "user/user1/x", Size: 5,
		Header: map[string]string{"content-type": "image/png", "x-amz-acl": "public-read", "x-amz-meta-uuid": "14365123651274", "x-amz-server-side-encryption": "AES256", "cache-control": "c", "content-disposition": "d", "content-encoding": "e"},
		Tags:   map[string]string{"b": "<2>", "a": "1"},
	}, at, at.Add(36*time.Hour))
	if err != nil || url != "https://sigv4examplebucket.s3.us-east-1.amazonaws.com/" {
		t.Fatalf("%s, %v", url, err)
	}
	policy, _ := base64.StdEncoding.DecodeString(fields["policy"])
	const want = `{"conditions":[{"bucket":"sigv4examplebucket"},["content-length-range",5,5],{"Cache-Control":"c"},{"Content-Disposition":"d"},{"Content-Encoding":"e"},{"Content-Type":"image/png"},` +
		`{"acl":"public-read"},{"key":"user/user1/x"},{"success_action_status":"201"},{"tagging":"\u003cTagging\u003e\u003cTagSet\u003e\u003cTag\u003e\u003cKey\u003ea\u003c/Key\u003e\u003cValue\u003e1\u003c/Value\u003e\u003c/Tag\u003e\u003cTag\u003e\u003cKey\u003eb\u003c/Key\u003e\u003cValue\u003e\u0026lt;2\u0026gt;\u003c/Value\u003e\u003c/Tag\u003e\u003c/TagSet\u003e\u003c/Tagging\u003e"},` +
		`{"x-amz-algorithm":"AWS4-HMAC-SHA256"},{"x-amz-credential":"AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},{"x-amz-date":"20151229T000000Z"},{"x-amz-meta-uuid":"14365123651274"},{"x-amz-server-side-encryption":"AES256"}],"expiration":"2015-12-30T12:00:00.000Z"}`
	if string(policy) != want {
		t.Errorf("the policy is\n%s\nwant\n%s", policy, want)
	}
	by.SessionToken = "t"
	_, fields, _ = Presigner{}.Form(by, destination.StoreForm{Store: &destination.Store{Region: "us-east-1"}, Bucket: "a.b", Key: "x"}, at, at)
	policy, _ = base64.StdEncoding.DecodeString(fields["policy"])
	if fields["x-amz-security-token"] != "t" || !strings.Contains(string(policy), `{"x-amz-security-token":"t"}`) {
		t.Errorf("a session's token is not in %v, %s", fields, policy)
	}
}

func TestAttachments(t *testing.T) {
	for _, name := range []string{"plain.txt", "näme 名前.bin", `a"b\c;d%20.txt`, "a+b&c=d.txt", "😀", "x'y"} {
		value := destination.Disposition("attachment", name)
		kind, params, err := mime.ParseMediaType(value)
		if err != nil || kind != "attachment" || params["filename"] != name {
			t.Errorf("%q: %s reads as %q, %v", name, value, params["filename"], err)
		}
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%q is not ASCII", value)
		}
	}
}
