package sigv4

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/encoding/httpbinding"
)

// differential is one request to be signed by this package and by
// aws-sdk-go-v2's signer, as the SDK's S3 client uses it.
type differential struct {
	request     Request
	credentials Credentials
	region      string
	now         time.Time
	expires     time.Duration // of a presigned URL; 0: sign the header
}

// check fails t where the two differ. S is a signer with d's credentials, which
// may have signed before.
func (d *differential) check(t *testing.T, s *Signer) {
	t.Helper()
	r := &d.request
	if d.expires > 0 {
		d.agree(t, "presigned URL", "https://"+r.Host+s.Presign(r, d.now, d.expires), d.sdkPresign(t))
	} else {
		added := s.Sign(r, d.now)
		authorization, query := d.sdkSign(t)
		d.agree(t, "query", EscapeQuery(r.Query), query)
		d.agree(t, "authorization", added[len(added)-1].Value, authorization)
	}
	// What net/http sends, given the decoded path and the encoded one.
	u := url.URL{Path: r.Path, RawPath: EscapePath(r.Path)}
	d.agree(t, "path in a net/url.URL", EscapePath(r.Path), u.EscapedPath())
}

// agree stops t at a difference, with what it takes to see it.
func (d *differential) agree(t *testing.T, what, ours, theirs string) {
	t.Helper()
	if ours != theirs {
		t.Fatalf("%s\n  ours %q\ntheirs %q\nrequest %+q\nregion %q, at %v for %v\nour canonical request (without what signing adds) %q",
			what, ours, theirs, d.request, d.region, d.now, d.expires, CanonicalRequest(&d.request))
	}
}

// httpRequest is d.request as the SDK's S3 client builds it: the path encoded
// once, in URL.Opaque, where net/http leaves it alone.
func (d *differential) httpRequest(query url.Values) *http.Request {
	r := &d.request
	h := &http.Request{
		Method: r.Method,
		Host:   r.Host,
		Header: http.Header{},
		URL: &url.URL{
			Scheme: "https", Host: r.Host, RawQuery: query.Encode(),
			Opaque: "//" + r.Host + httpbinding.EscapePath(r.Path, false),
		},
	}
	for _, p := range r.Header {
		if strings.EqualFold(p.Name, "content-length") {
			// The SDK signs the request's own length and no header of that name.
			h.ContentLength, _ = strconv.ParseInt(p.Value, 10, 64)
			continue
		}
		h.Header.Add(p.Name, p.Value)
	}
	return h
}

func (d *differential) query() url.Values {
	q := url.Values{}
	for _, p := range d.request.Query {
		q.Add(p.Name, p.Value)
	}
	return q
}

func (d *differential) sdkCredentials() aws.Credentials {
	return aws.Credentials{
		AccessKeyID:     d.credentials.AccessKeyID,
		SecretAccessKey: d.credentials.SecretAccessKey,
		SessionToken:    d.credentials.SessionToken,
	}
}

func (d *differential) sdkSign(t *testing.T) (authorization, query string) {
	t.Helper()
	h := d.httpRequest(d.query())
	// The SDK's signer leaves this header to the S3 client's middleware.
	h.Header.Set("X-Amz-Content-Sha256", d.request.PayloadHash)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	err := signer.SignHTTP(t.Context(), d.sdkCredentials(), h, d.request.PayloadHash, "s3", d.region, d.now)
	if err != nil {
		t.Fatal(err)
	}
	return h.Header.Get("Authorization"), h.URL.RawQuery
}

func (d *differential) sdkPresign(t *testing.T) string {
	t.Helper()
	q := d.query()
	// The SDK's signer leaves this field to the S3 client's middleware.
	q.Set("X-Amz-Expires", strconv.FormatInt(int64(d.expires/time.Second), 10))
	hash := d.request.PayloadHash
	if hash == "" {
		hash = UnsignedPayload
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) {
		o.DisableURIPathEscaping = true
		o.DisableHeaderHoisting = true // headers stay headers here: the store's CORS and the browser see them
	})
	target, _, err := signer.PresignHTTP(t.Context(), d.sdkCredentials(), d.httpRequest(q), hash, "s3", d.region, d.now)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// What requests are made of. Every piece has been somebody's bug.
var (
	methods = []string{"GET", "PUT", "POST", "HEAD", "DELETE"}
	hosts   = []string{"bucket.s3.eu-west-1.amazonaws.com", "127.0.0.1:9000", "[::1]:9000", "localhost", "s3.example:8443"}
	hashes  = []string{EmptyPayload, UnsignedPayload, StreamingPayload, StreamingPayloadTrailer, StreamingUnsignedTrailer}
	regions = []string{"us-east-1", "eu-west-1", "auto", ""}
	pieces  = []string{
		"", "a", "Z9", "-._~", "ä", "名前", "😀", "e\u0301", "%", "%2F", "%zz", "+", " ", "  ", "/", "//", "/./", "/../", "*", "?", "#", "&", "=",
		";", ":", "@", "!", "$", "'", "(", ")", ",", "[", "]", "\\", "\"", "<", ">", "^", "`", "{", "|", "}", "${aws:username}",
		"\x00", "\n", "\x7f", "\x80", "\xff", "\u00a0", "\u202e", strings.Repeat("n", 1024),
	}
	queryNames = []string{
		"uploads", "uploadId", "partNumber", "prefix", "list-type", "continuation-token", "versionId", "x-id",
		"response-content-disposition", "X-Amz-Checksum-Mode", "x-amz-acl", "lifecycle",
	}
	headerNames = []string{
		"content-type", "Content-MD5", "content-length", "Range", "If-None-Match", "cache-control", "Content-Disposition",
		"x-amz-checksum-sha256", "X-Amz-Meta-Title", "x-amz-meta-a", "x-amz-meta-a-b", "X-AMZ-TAGGING", "x-amz-acl", "x-amz-trailer", "Date", "Origin",
	}
	headerPieces = []string{
		"", "a", "b", " ", "  ", "   ", "\t", " \t ", ",", ";", "\"", "\"a  b\"", "=", "/", "ä", "\xe4", "bytes=0-9", "*",
		"attachment; filename*=UTF-8''n%C3%A4me", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
	}
	tokens = []string{"", "", "token", "FwoGZXIvYXdzEBY//+==", strings.Repeat("tok3n+/", 140)}
)

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

// text joins up to n pieces; the long one comes seldom.
func text(r *rand.Rand, from []string, n int) string {
	var b strings.Builder
	for range r.IntN(n + 1) {
		piece := pick(r, from)
		if len(piece) > 500 && r.IntN(20) > 0 {
			continue
		}
		b.WriteString(piece)
	}
	return b.String()
}

// generate makes one case for c and region out of r.
func generate(r *rand.Rand, c Credentials, region string) *differential {
	d := &differential{credentials: c, region: region}
	d.request = Request{
		Method: pick(r, methods), Host: pick(r, hosts), Path: "/" + text(r, pieces, 6), PayloadHash: pick(r, hashes),
	}
	for range r.IntN(5) {
		name := pick(r, queryNames)
		if r.IntN(3) == 0 {
			name = text(r, pieces, 2)
		}
		d.request.Query = append(d.request.Query, Param{name, text(r, pieces, 3)})
	}
	for range r.IntN(6) {
		p := Param{pick(r, headerNames), text(r, headerPieces, 5)}
		if p.Name == "content-length" {
			p.Value = strconv.FormatInt(1+r.Int64N(5<<40), 10)
			if has(d.request.Header, p.Name) {
				continue
			}
		}
		d.request.Header = append(d.request.Header, p)
	}
	// Around a few midnights, so that cached keys are met and left.
	d.now = time.Date(1970+r.IntN(8030), time.Month(1+r.IntN(12)), 1+r.IntN(28), 0, 0, r.IntN(20)-10, r.IntN(1e9), time.UTC)
	if r.IntN(2) == 0 {
		d.now = time.Unix(1799999999+r.Int64N(200000), 0).In(time.FixedZone("", 3600*(r.IntN(25)-12)))
	}
	if d.now.Year() < 1970 {
		d.now = time.Unix(0, 0)
	}
	if r.IntN(2) == 0 {
		d.expires = time.Duration(1+r.IntN(604800)) * time.Second
		if r.IntN(3) > 0 {
			d.request.PayloadHash = ""
		}
	}
	return d
}

func has(header []Param, name string) bool {
	for _, p := range header {
		if strings.EqualFold(p.Name, name) {
			return true
		}
	}
	return false
}

// TestAgainstSDK signs 100,000 requests with both signers. The seed is fixed;
// FuzzAgainstSDK looks further.
func TestAgainstSDK(t *testing.T) {
	const cases = 100_000
	r := rand.New(rand.NewPCG(4, 2))
	signed, presigned := 0, 0
	for signed+presigned < cases {
		c := Credentials{"ASIA" + strconv.Itoa(signed), text(r, pieces, 8), pick(r, tokens)}
		region := pick(r, regions)
		s := New(c, region)
		for range 50 {
			d := generate(r, c, region)
			d.check(t, s)
			if d.expires > 0 {
				presigned++
			} else {
				signed++
			}
		}
	}
	t.Logf("%d signed and %d presigned requests agree", signed, presigned)
}

// FuzzAgainstSDK lets the fuzzer write the request. Query and header have one
// "name=value" or "name:value" a line.
func FuzzAgainstSDK(f *testing.F) {
	f.Add("GET", "/test.txt", "", "Range: bytes=0-9", EmptyPayload, "us-east-1", "", int64(1369353600), uint32(0))
	f.Add("PUT", "/test$file.text", "x-id=PutObject", "Date:Fri, 24 May 2013 00:00:00 GMT\nx-amz-storage-class:REDUCED_REDUNDANCY", "", "us-east-1", "", int64(1369353600), uint32(86400))
	f.Add("POST", "/b/näme 名前.bin", "uploads=", "If-None-Match:*\nx-amz-checksum-algorithm:SHA256", EmptyPayload, "eu-west-1", "token+/=", int64(1799999999), uint32(0))
	f.Add("PUT", "/b/a//b/./c/../%2F+*'()\x00\xff", "partNumber=10000\nuploadId=a/b-c~d+e f", "X-Amz-Meta-A:  two   spaces \nx-amz-meta-a:\t", UnsignedPayload, "auto", "token", int64(0), uint32(604800))
	f.Add("GET", "//", "k=a-b\nk=a/b\nk=\n=v\né=1\na", "", StreamingPayload, "", "", int64(253402300799), uint32(1))
	f.Fuzz(func(t *testing.T, method, path, query, header, hash, region, token string, unix int64, expires uint32) {
		d := &differential{
			credentials: Credentials{"ASIAEXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", token},
			region:      region,
			now:         time.Unix(int64(uint64(unix)%253402300800), 0), // the years 1970 to 9999, that x-amz-date can say
			expires:     time.Duration(expires) * time.Second,
			request: Request{
				Method: method, Host: hosts[len(path)%len(hosts)], Path: "/" + strings.TrimPrefix(path, "/"), PayloadHash: hash,
			},
		}
		for line := range strings.Lines(query) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			if !presignSets(name) {
				d.request.Query = append(d.request.Query, Param{name, value})
			}
		}
		for line := range strings.Lines(header) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
			if canHeader(name, value) {
				d.request.Header = append(d.request.Header, Param{name, value})
			}
		}
		if !canHeader("x-a", token) || !canHeader("x-a", hash) {
			return // these two are sent as headers
		}
		d.check(t, New(d.credentials, d.region))
	})
}

// presignSets reports whether both signers set this field of the query, the
// SDK in place of the caller's.
func presignSets(name string) bool {
	switch name {
	case "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-Security-Token", "X-Amz-SignedHeaders":
		return true
	}
	return false
}

// canHeader leaves out what the two treat differently on purpose: names that
// the SDK sets or never signs, names that HTTP does not know, and values with
// Unicode's white space at an end (see appendFolded).
func canHeader(name, value string) bool {
	switch strings.ToLower(name) {
	case "", "host", "content-length", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token",
		"authorization", "user-agent", "x-amzn-trace-id", "expect", "transfer-encoding":
		return false
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"(),/:;<=>?@[\\]{}", c) >= 0 {
			return false
		}
	}
	return strings.TrimSpace(value) == strings.Trim(value, " \t\n\v\f\r")
}
