package presign

import (
	_ "embed"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

// What boto3's generate_presigned_url and generate_presigned_post gave
// (testdata/presigned.py).
//
//go:embed testdata/boto3.json
var boto3 []byte

// asked is what boto3 was asked to sign.
type asked struct {
	Call, Bucket, Key, SessionToken string
	Store                           struct{ Region, Endpoint, Addressing string }
	Expires                         int
}

// by is the session, and s the store at the host that boto3 took: it names no region there.
func (a asked) at(t *testing.T, id, secret, link string) (by destination.Session, s *destination.Store, u *url.URL) {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	s = &destination.Store{Name: "s", Region: a.Store.Region, Addressing: a.Store.Addressing, Endpoint: u.Scheme + "://" + strings.TrimPrefix(u.Host, a.Bucket+".")}
	return destination.Session{AccessKeyID: id, SecretAccessKey: secret, SessionToken: a.SessionToken}, s, u
}

func TestAgainstBoto3(t *testing.T) {
	var golden struct {
		AccessKeyID, SecretAccessKey string
		Time                         time.Time
		URLs                         []struct {
			asked
			Headers map[string]string
			URL     string
		}
		Forms []struct {
			asked
			URL    string
			Fields map[string]string
		}
	}
	if err := json.Unmarshal(boto3, &golden); err != nil || len(golden.URLs) != 44 || len(golden.Forms) != 4 {
		t.Fatalf("%d URLs, %d forms, %v", len(golden.URLs), len(golden.Forms), err)
	}
	methods := map[string]string{"get_object": "GET", "head_object": "HEAD", "list_parts": "GET", "create_multipart_upload": "POST", "complete_multipart_upload": "POST", "abort_multipart_upload": "DELETE"}
	for _, c := range golden.URLs {
		by, s, theirs := c.at(t, golden.AccessKeyID, golden.SecretAccessKey, c.URL)
		query := map[string]string{}
		for name, values := range theirs.Query() {
			if !strings.HasPrefix(name, "X-Amz-") {
				query[name] = values[0]
			}
		}
		method := methods[c.Call]
		if method == "" {
			method = "PUT"
		}
		link := Presigner{}.URL(by, destination.StoreRequest{Store: s, Bucket: c.Bucket, Key: c.Key, Method: method, Query: query, Header: c.Headers}, golden.Time, time.Duration(c.Expires)*time.Second)
		ours, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		if base(ours) != base(theirs) || !maps.EqualFunc(ours.Query(), theirs.Query(), slices.Equal[[]string]) {
			t.Errorf("%s of %q:\n%s\nboto3:\n%s", c.Call, c.Key, ours, theirs)
		}
	}
	for _, c := range golden.Forms {
		by, s, _ := c.at(t, golden.AccessKeyID, golden.SecretAccessKey, c.URL)
		link, ours, err := Presigner{}.Form(by, destination.StoreForm{
			Store: s, Bucket: c.Bucket, Key: c.Key, Size: 5, Form: destination.Form{StartsWith: map[string]string{"x-amz-meta-tag": "a"}},
			Header: map[string]string{"content-type": "image/png", "x-amz-acl": "public-read", "x-amz-meta-uuid": "14365123651274"},
		}, golden.Time, golden.Time.Add(time.Duration(c.Expires)*time.Second))
		if err != nil || link != c.URL {
			t.Errorf("the form goes to %s, boto3's to %s, %v", link, c.URL, err)
		}
		// The policy says the same in another order; what signs it is the same.
		if signature := signer(by, s).SignPolicy(c.Fields["policy"], golden.Time); signature != c.Fields["x-amz-signature"] {
			t.Errorf("the signature of boto3's policy is %s, boto3's %s", signature, c.Fields["x-amz-signature"])
		}
		for _, name := range []string{"policy", "x-amz-signature"} {
			delete(ours, name)
			delete(c.Fields, name)
		}
		if !maps.Equal(ours, c.Fields) {
			t.Errorf("the form's fields are %v, boto3's %v", ours, c.Fields)
		}
	}
}

func base(u *url.URL) string { return u.Scheme + "://" + u.Host + u.EscapedPath() }
