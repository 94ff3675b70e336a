package sigv4

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// published is testdata/s3-published-examples.json: the examples that AWS
// prints in its documentation.
type published struct {
	Meta struct {
		AccessKeyID, SecretAccessKey, Region, Timestamp string
		SigningKey20130524                              string `json:"signingKeyHex_20130524"`
		SigningKey20151229                              string `json:"signingKeyHex_20151229"`
	}
	Examples []example
}

type example struct {
	Name, Method, CanonicalURI, RawPath, CanonicalQuery, Body string
	Headers                                                   map[string]string
	PayloadHash, CanonicalRequest, StringToSign, Signature    string
	URL, Scope, DecodedPolicy, Seed                           string
	Chunks                                                    []struct{ Chunk, DataSha256, StringToSign, Signature, CanonicalTrailer string }
}

func load(t *testing.T) (*published, *Signer) {
	t.Helper()
	text, err := os.ReadFile("testdata/s3-published-examples.json")
	if err != nil {
		t.Fatal(err)
	}
	p := new(published)
	if err := json.Unmarshal(text, p); err != nil {
		t.Fatal(err)
	}
	c := Credentials{AccessKeyID: p.Meta.AccessKeyID, SecretAccessKey: p.Meta.SecretAccessKey}
	return p, New(c, p.Meta.Region)
}

func (p *published) find(t *testing.T, name string) example {
	t.Helper()
	for _, e := range p.Examples {
		if e.Name == name {
			return e
		}
	}
	t.Fatalf("testdata has no example %q", name)
	return example{}
}

func instant(t *testing.T, stamp string) time.Time {
	t.Helper()
	at, err := time.Parse("20060102T150405Z", stamp)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s\n got %q\nwant %q", what, got, want)
	}
}

// request is the example's request without what the signer adds to it, and
// with it.
func (e example) request(t *testing.T) (bare, full Request) {
	t.Helper()
	path, err := url.PathUnescape(e.CanonicalURI)
	if err != nil {
		t.Fatal(err)
	}
	if e.RawPath != "" {
		path = e.RawPath
	}
	bare = Request{Method: e.Method, Host: e.Headers["host"], Path: path, PayloadHash: e.PayloadHash}
	values, err := url.ParseQuery(e.CanonicalQuery)
	if err != nil {
		t.Fatal(err)
	}
	full = bare
	for name, vs := range values {
		for _, v := range vs {
			full.Query = append(full.Query, Param{name, v})
			if !strings.HasPrefix(name, "X-Amz-") {
				bare.Query = append(bare.Query, Param{name, v})
			}
		}
	}
	for name, v := range e.Headers {
		switch name {
		case "host":
			continue
		case "x-amz-date", "x-amz-content-sha256":
		default:
			bare.Header = append(bare.Header, Param{strings.ToUpper(name), " " + v + "\t"})
		}
		full.Header = append(full.Header, Param{name, v})
	}
	return bare, full
}

func TestPublishedRequests(t *testing.T) {
	p, s := load(t)
	now := instant(t, p.Meta.Timestamp)
	for _, name := range []string{
		"GET object (range)", "PUT object", "GET bucket lifecycle", "GET bucket (list objects)",
		"Chunked upload seed", "Chunked upload + trailer seed", "Presigned GET",
	} {
		t.Run(name, func(t *testing.T) {
			e := p.find(t, name)
			bare, full := e.request(t)
			if e.Body != "" {
				hash := sha256.Sum256([]byte(e.Body))
				equal(t, "payload hash", hex.EncodeToString(hash[:]), e.PayloadHash)
			}
			equal(t, "path", EscapePath(bare.Path), e.CanonicalURI)
			equal(t, "query", EscapeQuery(full.Query), e.CanonicalQuery)
			equal(t, "canonical request", CanonicalRequest(&full), e.CanonicalRequest)
			text := StringToSign(e.CanonicalRequest, s.Scope(now), now)
			equal(t, "string to sign", text, e.StringToSign)
			equal(t, "signature", s.Signature(text, now), e.Signature)

			if e.URL != "" {
				bare.PayloadHash = ""
				target := s.Presign(&bare, now, 24*time.Hour)
				equal(t, "URL", "https://"+bare.Host+target, e.URL)
				return
			}
			added := s.Sign(&bare, now)
			if len(added) != 3 {
				t.Fatalf("Sign returned %d headers, want 3: %v", len(added), added)
			}
			equal(t, added[0].Name, added[0].Value, e.Headers["x-amz-date"])
			equal(t, added[1].Name, added[1].Value, e.Headers["x-amz-content-sha256"])
			lines := strings.Split(e.CanonicalRequest, "\n")
			equal(t, added[2].Name, added[2].Value, "AWS4-HMAC-SHA256 Credential="+s.Credential(now)+
				", SignedHeaders="+lines[len(lines)-2]+", Signature="+e.Signature)
		})
	}
}

func TestPublishedChunks(t *testing.T) {
	p, s := load(t)
	now := instant(t, p.Meta.Timestamp)
	for _, name := range []string{"Chunk signatures", "Chunk signatures + trailer"} {
		t.Run(name, func(t *testing.T) {
			e := p.find(t, name)
			c := s.Chunks(e.Seed, now)
			sizes := []int{64 << 10, 1 << 10, 0}
			framed := 0
			for i, want := range e.Chunks {
				if want.CanonicalTrailer != "" {
					hash := sha256.Sum256([]byte(want.CanonicalTrailer))
					equal(t, "trailer hash", hex.EncodeToString(hash[:]), want.DataSha256)
					equal(t, "trailer string to sign", string(c.appendTrailer(nil, want.DataSha256)), want.StringToSign)
					equal(t, "trailer signature", c.Trailer(want.DataSha256), want.Signature)
					continue
				}
				hash := sha256.Sum256([]byte(strings.Repeat("a", sizes[i])))
				equal(t, want.Chunk+" hash", hex.EncodeToString(hash[:]), want.DataSha256)
				equal(t, want.Chunk+" string to sign", string(c.appendChunk(nil, want.DataSha256)), want.StringToSign)
				equal(t, want.Chunk+" signature", c.Next(want.DataSha256), want.Signature)
				framed += len(AppendChunkHeader(nil, sizes[i], want.Signature)) + sizes[i] + len("\r\n")
			}
			// The frames' length is the seed request's Content-Length.
			if name == "Chunk signatures" && framed != 66824 {
				t.Errorf("the framed body has %d bytes, AWS says 66824", framed)
			}
		})
	}
}

func TestPublishedPostPolicy(t *testing.T) {
	p, s := load(t)
	e := p.find(t, "POST policy")
	now := instant(t, "20151229T000000Z")
	equal(t, "scope", s.Scope(now), e.Scope)
	equal(t, "base64", base64.StdEncoding.EncodeToString([]byte(e.DecodedPolicy)), e.StringToSign)
	equal(t, "signature", s.SignPolicy(e.StringToSign, now), e.Signature)
	for _, want := range []string{s.Credential(now), Timestamp(now)} {
		if !strings.Contains(e.DecodedPolicy, `"`+want+`"`) {
			t.Errorf("the published policy does not contain our %q", want)
		}
	}
}

func TestPublishedKeys(t *testing.T) {
	p, _ := load(t)
	for day, want := range map[string]string{
		"20130524": p.Meta.SigningKey20130524,
		"20151229": p.Meta.SigningKey20151229,
	} {
		equal(t, "key of "+day, hex.EncodeToString(deriveKey(p.Meta.SecretAccessKey, day, p.Meta.Region)), want)
	}
}
