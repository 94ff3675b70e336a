package compat

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/wasm/sigv4"
)

const (
	hash  = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	stamp = "20260517T120000Z"
	token = "the session's token"
)

// canonicalText is a canonical request with these headers, sorted.
func canonicalText(method, host, path, query, payload string, headers ...string) string {
	r := sigv4.Request{Method: method, Host: host, Path: path, PayloadHash: payload}
	text := sigv4.CanonicalRequest(&r)
	lines := []string{"host:" + host}
	names := []string{"host"}
	for _, h := range headers {
		name, _, _ := strings.Cut(h, ":")
		lines, names = append(lines, h), append(names, name)
	}
	slices.Sort(lines)
	slices.Sort(names)
	first := strings.Split(text, "\n")
	return strings.Join([]string{first[0], first[1], query, strings.Join(lines, "\n") + "\n", strings.Join(names, ";"), payload}, "\n")
}

func TestCanonicalRequests(t *testing.T) {
	text := func(method, query string, headers ...string) string {
		return canonicalText(method, "s3.test", "/b/k (1).txt", query, hash, append([]string{"x-amz-date:" + stamp}, headers...)...)
	}
	for query, want := range map[string]string{
		"POST uploads=": "create", "PUT partNumber=7&uploadId=x": "part", "GET uploadId=x": "list",
		"GET part-number-marker=0&uploadId=x": "list", "POST uploadId=x~1.2_-": "complete", "DELETE uploadId=2~x": "abort",
	} {
		method, query, _ := strings.Cut(query, " ")
		c, err := parseCanonical(text(method, query))
		if err != nil || c.op != want || c.Path != "/b/k (1).txt" || c.Host != "s3.test" || c.header["x-amz-date"] != stamp {
			t.Errorf("%s %s: %q %+v, %v", method, query, c.op, c, err)
		}
		if c.part != map[bool]int64{true: 7}[want == "part"] {
			t.Errorf("%s: the part is %d", query, c.part)
		}
	}
	good := text("POST", "uploads=")
	for what, bad := range map[string]string{
		"nothing":                       "",
		"fewer lines":                   strings.Join(strings.Split(good, "\n")[:6], "\n"),
		"a line more":                   good + "\n",
		"no hash":                       strings.Replace(good, hash, "x", 1),
		"a hash in upper case":          strings.Replace(good, hash, strings.ToUpper(hash), 1),
		"a streaming payload":           strings.Replace(good, hash, sigv4.StreamingPayload, 1),
		"no empty line":                 strings.Replace(good, "\n\n", "\nx:y\n", 1),
		"a header that is not named":    strings.Replace(good, "host;x-amz-date", "host", 1),
		"a named header that is absent": strings.Replace(good, "host;x-amz-date", "host;x-amz-acl;x-amz-date", 1),
		"a header in upper case":        strings.ReplaceAll(good, "x-amz-date", "X-Amz-Date"),
		"headers that are not sorted":   strings.Replace(good, "host:s3.test\nx-amz-date:"+stamp, "x-amz-date:"+stamp+"\nhost:s3.test", 1),
		"white space around a value":    strings.Replace(good, "x-amz-date:", "x-amz-date: ", 1),
		"a space before a colon":        strings.Replace(good, "x-amz-date:", "x-amz-date :", 1),
		"no host":                       strings.Replace(strings.Replace(good, "host:s3.test\n", "", 1), "host;", "", 1),
		"a path that is not escaped":    strings.Replace(good, "%20", " ", 1),
		"a path that is escaped twice":  strings.Replace(good, "%20", "%2520", 1) + "x",
		"a path's lower-case escape":    strings.Replace(good, "%28", "%7e", 1),
		"a query without its sign":      strings.Replace(good, "uploads=", "uploads", 1),
		"a method of its own":           text("PATCH", "uploadId=x"),
		"a line break in the method":    "POST\n" + good,
		"uploads with a value":          text("POST", "uploads=x"),
		"two of a name":                 text("PUT", "partNumber=1&partNumber=2&uploadId=x"),
		"two upload IDs":                text("DELETE", "uploadId=x&uploadId=y"),
		"a version":                     text("DELETE", "uploadId=x&versionId=y"),
		"a header twice":                text("POST", "uploads=", "x-amz-meta-a:b", "x-amz-meta-a:c"),
		"HEAD":                          text("HEAD", ""),
	} {
		var e *destination.Error
		if _, err := parseCanonical(bad); !errors.As(err, &e) || e.Code != destination.SignatureRefused {
			t.Errorf("%s is taken: %v\n%s", what, err, bad)
		}
	}
}

// at is a destination of a store whose objects are stored with some headers.
func at(s destination.Store, bucket string) (destination.Grant, *destination.Destination) {
	d := &destination.Destination{Name: "d", Store: &s, Bucket: bucket, Object: destination.ObjectSettings{CacheControl: "no-store", ACL: "private"}}
	return destination.Grant{ID: "1", Principal: "p", Destination: "d", Bucket: bucket, Key: "k/1.txt", Type: "text/plain", Size: 5<<20 + 1}, d
}

// Where the bucket stands in the path and where in the host, by store.
func TestHostsAndAddressing(t *testing.T) {
	for _, c := range []struct {
		store              destination.Store
		bucket, host, path string
		signed             bool
		sent               string // the Host header that the signature is made for
	}{
		{destination.Store{Region: "us-east-1", Endpoint: "http://s3.test:9000"}, "b", "s3.test", "/b/k/1.txt", true, "s3.test:9000"},
		{destination.Store{Region: "us-east-1", Endpoint: "http://s3.test:9000"}, "b", "s3.test:9000", "/b/k/1.txt", true, "s3.test:9000"},
		{destination.Store{Region: "us-east-1", Endpoint: "http://s3.test:9000"}, "b", "b.s3.test", "/k/1.txt", false, ""},
		{destination.Store{Region: "us-east-1", Endpoint: "http://s3.test:9000"}, "b", "b.s3.test:9000", "/k/1.txt", false, ""},
		{destination.Store{Region: "us-east-1", Endpoint: "http://s3.test:9000"}, "b", "s3.test", "/k/1.txt", false, ""},
		{destination.Store{Region: "us-east-1", Endpoint: "http://s3.test:9000"}, "b", "b.s3.test", "/b/k/1.txt", false, ""},
		{destination.Store{Region: "us-east-1", Endpoint: "http://s3.test:9000"}, "b", "s3.test:9001", "/b/k/1.txt", false, ""},
		{destination.Store{Region: "us-east-1", Endpoint: "http://s3.test:9000"}, "b", "S3.TEST", "/b/k/1.txt", false, ""},
		{destination.Store{Region: "us-east-1", Endpoint: "http://s3.test:9000"}, "b", "s3.test.", "/b/k/1.txt", false, ""},
		{destination.Store{Region: "us-east-1", Endpoint: "http://s3.test:9000"}, "b", "", "/b/k/1.txt", false, ""},
		{destination.Store{Region: "us-east-1", Endpoint: "http://s3.test:9000"}, "b", "s3.test", "/b//k/1.txt", false, ""},
		{destination.Store{Region: "us-east-1", Endpoint: "http://s3.test:9000"}, "b", "s3.test", "/b/x/../k/1.txt", false, ""},
		{destination.Store{Region: "us-east-1", Endpoint: "http://s3.test:9000"}, "b", "s3.test", "/other/k/1.txt", false, ""},
		{destination.Store{Region: "us-east-1", Endpoint: "http://[::1]:9000"}, "b", "[::1]", "/b/k/1.txt", true, "[::1]:9000"},
		{destination.Store{Region: "us-east-1", Endpoint: "http://s3.test:80"}, "b", "s3.test", "/b/k/1.txt", true, "s3.test"},
		{destination.Store{Region: "us-east-1", Endpoint: "https://s3.test", Addressing: "virtual"}, "b", "b.s3.test", "/k/1.txt", true, "b.s3.test"},
		{destination.Store{Region: "us-east-1", Endpoint: "https://s3.test", Addressing: "virtual"}, "b", "s3.test", "/b/k/1.txt", false, ""},
		{destination.Store{Region: "us-east-1", Endpoint: "https://s3.test", Addressing: "virtual"}, "b", "c.s3.test", "/k/1.txt", false, ""},
		// AWS alone tells the two apart by the host.
		{destination.Store{Region: "eu-west-1"}, "bkt", "s3.eu-west-1.amazonaws.com", "/bkt/k/1.txt", true, "s3.eu-west-1.amazonaws.com"},
		{destination.Store{Region: "eu-west-1"}, "bkt", "bkt.s3.eu-west-1.amazonaws.com", "/k/1.txt", true, "bkt.s3.eu-west-1.amazonaws.com"},
		{destination.Store{Region: "eu-west-1"}, "bkt", "s3-eu-west-1.amazonaws.com", "/bkt/k/1.txt", true, "s3-eu-west-1.amazonaws.com"},
		{destination.Store{Region: "us-east-1"}, "bkt", "s3.amazonaws.com", "/bkt/k/1.txt", true, "s3.amazonaws.com"},
		{destination.Store{Region: "us-east-1"}, "bkt", "bkt.s3.amazonaws.com", "/k/1.txt", true, "bkt.s3.amazonaws.com"},
		{destination.Store{Region: "eu-west-1"}, "bkt", "s3.amazonaws.com", "/bkt/k/1.txt", false, ""},
		{destination.Store{Region: "eu-west-1"}, "bkt", "s3.eu-west-2.amazonaws.com", "/bkt/k/1.txt", false, ""},
		{destination.Store{Region: "eu-west-1"}, "bkt", "bkt.s3.eu-west-1.amazonaws.com", "/bkt/k/1.txt", false, ""},
		{destination.Store{Region: "cn-north-1"}, "bkt", "s3.cn-north-1.amazonaws.com.cn", "/bkt/k/1.txt", true, "s3.cn-north-1.amazonaws.com.cn"},
		{destination.Store{Region: "cn-north-1"}, "bkt", "s3-cn-north-1.amazonaws.com", "/bkt/k/1.txt", false, ""},
	} {
		g, d := at(c.store, c.bucket)
		q := canonical{Request: sigv4.Request{Host: c.host, Path: c.path}}
		signed := slices.Contains(q.hosts(g, d), c.host)
		if signed != c.signed || signed && q.realHost(d) != c.sent {
			t.Errorf("%s%s at %s: %v for %q; want %v for %q", c.host, c.path, d.Store.BaseURL(), signed, q.realHost(d), c.signed, c.sent)
		}
	}
}

func TestWhatARequestMayHold(t *testing.T) {
	g, d := at(destination.Store{Region: "us-east-1", Endpoint: "http://s3.test"}, "b")
	v := views(t)
	session := v.sealedSession(t, g, d)
	const create, part, list, complete, abort = "POST uploads=", "PUT partNumber=1&uploadId=x", "GET uploadId=x", "POST uploadId=x", "DELETE uploadId=x"
	stored := []string{"content-type:text/plain", "x-amz-acl:private"}
	for _, c := range []struct {
		request   string
		overwrite bool
		more      []string
		refused   string // "" for signed
	}{
		{create, false, stored, ""},
		{create, false, append(stored, "cache-control:no-store"), ""},
		{create, false, append(stored, "cache-control:max-age=1"), "cache-control"},
		{create, false, stored[:1], "x-amz-acl is missing"},
		{create, false, stored[1:], "content-type is missing"},
		{create, false, []string{"content-type:text/html", "x-amz-acl:private"}, "the grant is for"},
		{create, false, append(stored, "x-amz-tagging:a=b"), "x-amz-tagging"},
		{create, false, append(stored, "x-amz-copy-source:/b/other"), "x-amz-copy-source"},
		{create, false, append(stored, "if-none-match:*"), "if-none-match"},
		{part, false, nil, ""},
		{part, false, []string{"content-md5:x", "content-type:text/plain"}, ""},
		{"PUT partNumber=2&uploadId=x", false, nil, ""},
		{"PUT partNumber=3&uploadId=x", false, nil, "2 parts at most"},
		{part, false, []string{"x-amz-copy-source:/b/other"}, "x-amz-copy-source"},
		{part, false, []string{"x-amz-copy-source-range:bytes=0-1"}, "x-amz-copy-source-range"},
		{part, false, []string{"x-amz-acl:private"}, "x-amz-acl"},
		{part, false, []string{"x-amz-server-side-encryption-customer-algorithm:AES256"}, "customer-algorithm"},
		{part, false, []string{"if-none-match:*"}, "if-none-match"},
		{list, false, nil, ""},
		{complete, false, []string{"if-none-match:*"}, ""},
		{complete, false, []string{"content-md5:x", "if-none-match:*"}, "content-md5"},
		{complete, false, []string{"if-none-match:x"}, "if-none-match"},
		{complete, false, nil, "xAmzHeadersAtComplete"},
		{complete, true, nil, ""},
		{complete, false, []string{"if-match:x", "if-none-match:*"}, "if-match"},
		{abort, false, nil, ""},
		{abort, false, []string{"if-none-match:*"}, ""},
		{abort, false, []string{"x-amz-bypass-governance-retention:true"}, "bypass"},
	} {
		d.Overwrite = c.overwrite
		method, query, _ := strings.Cut(c.request, " ")
		text := canonicalText(method, "s3.test", "/b/k/1.txt", query, hash, append([]string{"x-amz-date:" + stamp, "x-amz-security-token:" + token}, c.more...)...)
		q, err := parseCanonical(text)
		if err == nil {
			err = q.isFor(g, d, session)
		}
		if (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%s, %v: %v; want %q", c.request, c.more, err, c.refused)
		}
	}
	for _, other := range []string{"", "x-amz-security-token:another", "x-amz-security-token:"} {
		headers := []string{"x-amz-date:" + stamp}
		if other != "" {
			headers = append(headers, other)
		}
		q, err := parseCanonical(canonicalText("DELETE", "s3.test", "/b/k/1.txt", "uploadId=x", hash, headers...))
		if err == nil {
			err = q.isFor(g, d, session)
		}
		if err == nil || !strings.Contains(err.Error(), "x-amz-security-token") {
			t.Errorf("%q: %v", other, err)
		}
	}
}

func TestPartsOfASize(t *testing.T) {
	for size, want := range map[int64]int64{0: 1, 1: 1, 5 << 20: 1, 5<<20 + 1: 2, 10 << 20: 2, 50_000 << 20: 10_000, destination.MaxObjectSize: 10_000} {
		if got := maxParts(size); got != want {
			t.Errorf("%d bytes: %d parts; want %d", size, got, want)
		}
	}
}

func TestTheBodyOfComplete(t *testing.T) {
	parts := []destination.Part{{Number: 1, ETag: `"a"`}, {Number: 3, ETag: `"b-2"`}}
	of := func(body string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(body))) }
	const begin, end = "<CompleteMultipartUpload>", "</CompleteMultipartUpload>"
	part := func(n, etag string) string {
		return "<Part><PartNumber>" + n + "</PartNumber><ETag>" + etag + "</ETag></Part>"
	}
	for body, want := range map[string]bool{
		begin + part("1", `"a"`) + part("3", `"b-2"`) + end:  true,
		begin + part("1", "a") + part("3", "b-2") + end:      true,
		begin + part("1", `"a"`) + part("3", "b-2") + end:    false,
		begin + part("1", `"a"`) + end:                       false,
		begin + part("3", `"b-2"`) + part("1", `"a"`) + end:  false,
		begin + part("1", `"c"`) + part("3", `"b-2"`) + end:  false,
		begin + part("1", `"a"`) + part("2", `"b-2"`) + end:  false,
		begin + part("1", `"a"`) + part("3", `"b-2"`) + "\n": false,
		"": false,
	} {
		if completes(of(body), parts) != want {
			t.Errorf("%s: %v", body, !want)
		}
	}
	if completes(sigv4.UnsignedPayload, parts) || !completes(of(begin+end), nil) {
		t.Error("no payload, or an empty list")
	}
}

func TestStringsToSign(t *testing.T) {
	now := time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC)
	good := "AWS4-HMAC-SHA256\n" + stamp + "\n20260517/eu-west-1/s3/aws4_request\n" + hash
	if s, err := parseToSign(good, stamp, "eu-west-1", now); err != nil || s.hash != hash || !s.at.Equal(now) {
		t.Errorf("%+v, %v", s, err)
	}
	for what, c := range map[string]struct {
		text, datetime string
		now            time.Time
	}{
		"another region": {strings.Replace(good, "eu-west-1", "us-east-1", 1), stamp, now}, "another service": {strings.Replace(good, "/s3/", "/sts/", 1), stamp, now},
		"another day": {strings.Replace(good, "\n20260517/", "\n20260518/", 1), stamp, now}, "another time": {strings.Replace(good, stamp, "20260517T120001Z", 1), stamp, now},
		"no hash": {good[:len(good)-1], stamp, now}, "more": {good + "\n", stamp, now}, "upper case": {strings.ToUpper(good), stamp, now}, "no time": {good, "now", now},
		"16 minutes ago": {good, stamp, now.Add(16 * time.Minute)}, "in 16 minutes": {good, stamp, now.Add(-16 * time.Minute)}, "nothing": {"", stamp, now},
	} {
		if _, err := parseToSign(c.text, c.datetime, "eu-west-1", c.now); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
}

// FuzzCanonical holds whatever is taken for a canonical request to what it was read as:
// rebuilt it is the same text, and no upload ID in it reads as a path.
func FuzzCanonical(f *testing.F) {
	for _, query := range []string{"POST uploads=", "PUT partNumber=1&uploadId=x", "GET part-number-marker=0&uploadId=x", "DELETE uploadId=.."} {
		method, query, _ := strings.Cut(query, " ")
		f.Add(canonicalText(method, "s3.test", "/b/k/1.txt", query, hash, "x-amz-date:"+stamp, "x-amz-security-token:"+token))
	}
	f.Add(canonicalText("PUT", "b.s3.test", "/k/../1.txt", "partNumber=1&uploadId=x", sigv4.UnsignedPayload, "x-amz-copy-source:/b/other"))
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCanonical(text)
		if err != nil {
			return
		}
		if sigv4.CanonicalRequest(&c.Request) != text || c.op == "" || len(c.Header) != len(c.header) {
			t.Errorf("%q is read as %+v", text, c)
		}
		if c.op != "create" && (c.uploadID == "" || strings.Contains(c.uploadID, "..") || strings.ContainsAny(c.uploadID, `/\%`)) {
			t.Errorf("%q: the upload ID %q", text, c.uploadID)
		}
		for name := range c.header {
			if name != strings.ToLower(name) || name == "host" {
				t.Errorf("%q: the header %q", text, name)
			}
		}
	})
}
