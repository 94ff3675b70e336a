package s3api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/wasm/sigv4"
)

func header(r sigv4.Request, name string) string {
	for _, h := range r.Header {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

func TestRequests(t *testing.T) {
	digest := Digest(sha256.Sum256([]byte("part")))
	path := Target{Endpoint: "http://127.0.0.1:9000/", Bucket: "media", Key: "a b/näme+1.bin", Header: []sigv4.Param{{Name: "content-type", Value: "video/mp4"}}}
	virtual := path
	virtual.Endpoint, virtual.Virtual, virtual.Overwrite = "https://s3.eu-west-1.amazonaws.com", true, true
	complete, _ := path.CompleteMultipartUpload("u", nil, 1)
	again, _ := virtual.CompleteMultipartUpload("u", nil, 1)

	for _, c := range []struct {
		name        string
		target      *Target
		request     sigv4.Request
		method, url string
		noneMatch   string
		checksum    string
	}{
		{"PutObject", &path, path.PutObject(digest), "PUT", "http://127.0.0.1:9000/media/a%20b/n%C3%A4me%2B1.bin", "*", digest.Base64()},
		{"PutObject, overwriting", &virtual, virtual.PutObject(digest), "PUT", "https://media.s3.eu-west-1.amazonaws.com/a%20b/n%C3%A4me%2B1.bin", "", digest.Base64()},
		{"CreateMultipartUpload", &path, path.CreateMultipartUpload(), "POST", "http://127.0.0.1:9000/media/a%20b/n%C3%A4me%2B1.bin?uploads=", "", ""},
		{"UploadPart", &path, path.UploadPart("a/b+c=", 12, digest), "PUT", "http://127.0.0.1:9000/media/a%20b/n%C3%A4me%2B1.bin?partNumber=12&uploadId=a%2Fb%2Bc%3D", "", digest.Base64()},
		{"ListParts, first page", &path, path.ListParts("u", 0), "GET", "http://127.0.0.1:9000/media/a%20b/n%C3%A4me%2B1.bin?uploadId=u", "", ""},
		{"ListParts, next page", &path, path.ListParts("u", 1000), "GET", "http://127.0.0.1:9000/media/a%20b/n%C3%A4me%2B1.bin?part-number-marker=1000&uploadId=u", "", ""},
		{"CompleteMultipartUpload", &path, complete, "POST", "http://127.0.0.1:9000/media/a%20b/n%C3%A4me%2B1.bin?uploadId=u", "*", ""},
		{"CompleteMultipartUpload, overwriting", &virtual, again, "POST", "https://media.s3.eu-west-1.amazonaws.com/a%20b/n%C3%A4me%2B1.bin?uploadId=u", "", ""},
		{"AbortMultipartUpload", &path, path.AbortMultipartUpload("u"), "DELETE", "http://127.0.0.1:9000/media/a%20b/n%C3%A4me%2B1.bin?uploadId=u", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.request.Method != c.method || c.target.URL(&c.request) != c.url {
				t.Errorf("%s %s\nwant %s %s", c.request.Method, c.target.URL(&c.request), c.method, c.url)
			}
			if got := header(c.request, "if-none-match"); got != c.noneMatch {
				t.Errorf("if-none-match: %q, want %q", got, c.noneMatch)
			}
			if got := header(c.request, "x-amz-checksum-sha256"); got != c.checksum {
				t.Errorf("x-amz-checksum-sha256: %q, want %q", got, c.checksum)
			}
		})
	}
	if got := header(path.CreateMultipartUpload(), "content-type"); got != "video/mp4" {
		t.Errorf("CreateMultipartUpload leaves the object's own headers out: %q", got)
	}
	if len(path.Header) != 1 {
		t.Errorf("a request changed the target's headers: %v", path.Header)
	}
}

// The standard library's encoders, which the module cannot afford, agree.
func TestDigestText(t *testing.T) {
	for i := range 1000 {
		d := Digest(sha256.Sum256([]byte{byte(i), byte(i >> 8)}))
		if d.Hex() != hex.EncodeToString(d[:]) || d.Base64() != base64.StdEncoding.EncodeToString(d[:]) {
			t.Fatalf("%x: %s, %s", d[:], d.Hex(), d.Base64())
		}
		if back, ok := ParseDigest(d.Base64()); !ok || back != d {
			t.Fatalf("%x reads back as %x, %v", d[:], back, ok)
		}
	}
	good := Digest{}.Base64()
	for _, bad := range []string{"", good[:43], good + "=", good[:42] + "B=", good[:10] + "-" + good[11:], "DUoRhQ=="} {
		if _, ok := ParseDigest(bad); ok {
			t.Errorf("%q was read as a SHA-256", bad)
		}
	}
}

// A browser leaves the default port out of Host, and the signature is over Host.
func TestSplitEndpoint(t *testing.T) {
	for in, want := range map[string][3]string{
		"https://s3.example.com":         {"https", "s3.example.com", ""},
		"https://s3.example.com:443":     {"https", "s3.example.com", ""},
		"https://s3.example.com:80":      {"https", "s3.example.com:80", ""},
		"http://s3.example.com:80/":      {"http", "s3.example.com", ""},
		"http://[::1]:9000/store/one//":  {"http", "[::1]:9000", "/store/one"},
		"http://localhost:4430":          {"http", "localhost:4430", ""},
		"https://s3.example.com:443/x/y": {"https", "s3.example.com", "/x/y"},
	} {
		scheme, host, path := splitEndpoint(in)
		if got := [3]string{scheme, host, path}; got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func TestCompleteBodyIsTheDocumentedOne(t *testing.T) {
	target := Target{Endpoint: "https://s3.example.com", Bucket: "b", Key: "k"}
	sums := []Digest{sha256.Sum256([]byte("1")), sha256.Sum256([]byte("2"))}
	r, body := target.CompleteMultipartUpload("u", []CompletedPart{{1, `"e<1>&"`, sums[0]}, {2, `"e2"`, sums[1]}}, 16<<20)
	var got struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CompleteMultipartUpload"`
		Part    []struct {
			PartNumber     int
			ETag           string
			ChecksumSHA256 string
		}
	}
	if err := xml.Unmarshal(body, &got); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if len(got.Part) != 2 || got.Part[0].PartNumber != 1 || got.Part[0].ETag != `"e<1>&"` || got.Part[1].ChecksumSHA256 != sums[1].Base64() {
		t.Errorf("read back: %+v", got.Part)
	}
	if r.PayloadHash != sha256Hex(body) || header(r, "x-amz-mp-object-size") != "16777216" {
		t.Errorf("request: %+v", r)
	}
}

func reply(status int, body string) *Reply {
	return &Reply{Status: status, Body: []byte(body), RequestID: "H"}
}

func TestCreated(t *testing.T) {
	id, err := reply(200, `<?xml version="1.0" encoding="UTF-8"?>
<InitiateMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>b</Bucket><Key>k&amp;k</Key><UploadId>VXBs&#x2B;b2Fk</UploadId></InitiateMultipartUploadResult>`).Created()
	if err != nil || id != "VXBs+b2Fk" {
		t.Errorf("%q, %v", id, err)
	}
	for _, body := range []string{"", "<html><body>captive portal</body></html>", `<InitiateMultipartUploadResult><UploadId>abc`} {
		if id, err := reply(200, body).Created(); err == nil {
			t.Errorf("%q was read as the upload %q", body, id)
		}
	}
}

func TestListed(t *testing.T) {
	sum := Digest(sha256.Sum256([]byte("x")))
	page := `<ListPartsResult><Bucket>b</Bucket><NextPartNumberMarker>7</NextPartNumberMarker><IsTruncated>TRUNC</IsTruncated>` +
		`<Part><PartNumber>2</PartNumber><Size>5242880</Size><ETag>"a"</ETag><ChecksumSHA256>` + sum.Base64() + `</ChecksumSHA256></Part>` +
		`<Part><PartNumber>7</PartNumber><Size>1</Size><ETag>&quot;b&quot;</ETag></Part></ListPartsResult>`
	parts, next, err := reply(200, strings.Replace(page, "TRUNC", "true", 1)).Listed()
	want := []ListedPart{{2, 5242880, `"a"`, sum, true}, {7, 1, `"b"`, Digest{}, false}}
	if err != nil || next != 7 || len(parts) != 2 || parts[0] != want[0] || parts[1] != want[1] {
		t.Errorf("%+v, next %d, %v", parts, next, err)
	}
	if _, next, _ := reply(200, strings.Replace(page, "TRUNC", "false", 1)).Listed(); next != 0 {
		t.Errorf("the last page goes on after %d", next)
	}
	if _, _, err := reply(200, page[:len(page)-20]).Listed(); err == nil {
		t.Error("a page that is cut short was taken for a whole one")
	}
}

func TestCompleted(t *testing.T) {
	etag, err := reply(200, "  \n<?xml version=\"1.0\"?><CompleteMultipartUploadResult><ETag>&quot;abc-2&quot;</ETag></CompleteMultipartUploadResult>").Completed()
	if err != nil || etag != `"abc-2"` {
		t.Errorf("%q, %v", etag, err)
	}
	// API_CompleteMultipartUpload.html: an error may stand in a 200 reply.
	_, err = reply(200, `<?xml version="1.0"?> <Error><Code>InternalError</Code><Message>We encountered an internal error.</Message><RequestId>R</RequestId></Error>`).Completed()
	if err == nil || err.Code != "InternalError" || err.Status != 200 || err.RequestID != "R" {
		t.Errorf("a 200 with an error: %+v", err)
	}
	if _, err := reply(200, "   ").Completed(); err == nil {
		t.Error("white space, with which S3 keeps the connection alive, was taken for success")
	}
}

func TestError(t *testing.T) {
	err := reply(403, `<Error><Code>RequestTimeTooSkewed</Code><Message><![CDATA[too <late>]]></Message><ServerTime>2026-01-02T03:04:05Z</ServerTime></Error>`).Check()
	if err.Code != "RequestTimeTooSkewed" || err.Message != "too <late>" || !err.ServerTime.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("%+v", err)
	}
	err = reply(502, "<html><h1>Bad Gateway</h1></html>").Check()
	if err.Code != "" || err.Status != 502 || err.RequestID != "H" || err.Error() != "s3: HTTP 502" {
		t.Errorf("%+v: %v", err, err)
	}
}

// Whatever the body, the scanner ends, and on well-formed documents it finds
// the texts that encoding/xml finds.
func FuzzScan(f *testing.F) {
	f.Add([]byte(`<a><b>1</b><c x="y">2&lt;</c><d/></a>`))
	f.Add([]byte(`<a><b`))
	f.Add([]byte(`</a></b><![CDATA[`))
	f.Add([]byte(`<!-- <a> --><a>&#99999999999;&#x;&;</a>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s := scanner{in: body}
		for n := 0; s.next(); n++ {
			if n > len(body) {
				t.Fatal("more elements than bytes")
			}
		}
	})
}

func TestParseTime(t *testing.T) {
	for at := time.Date(1599, 1, 1, 23, 59, 58, 0, time.UTC); at.Year() < 2500; at = at.AddDate(0, 0, 1) {
		if got, ok := ParseTime(at.Format(time.RFC3339)); !ok || !got.Equal(at) {
			t.Fatalf("%s is read as %s", at, got.UTC())
		}
	}
	for _, bad := range []string{"", "2026-01-02T03:04:05", "2026-01-02 03:04:05Z", "2026-01-02T03:04:xxZ"} {
		if got, ok := ParseTime(bad); ok {
			t.Errorf("%q is read as %s", bad, got)
		}
	}
}
