package devstore

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// s3Call is a call of S3's as it is meant: its path, and where else it takes values. Of each the attack puts hostile ones
// in the place, one at a time. {x} stands for what fill says.
type s3Call struct {
	method, path string
	query        string // fields are split at &
	header       string // Name: value, split at |
	body         string // values to replace stand in <...>, <{x}>, or are form fields
	form         bool   // body lists a form's fields, name=value, split at |
}

// s3Calls are those that versitygw 1.8.0 routes (s3api/router.go), but for the subresources that it does not have.
func s3Calls() []s3Call {
	object, bucket := "/media/{own}", "/media"
	tags := "<Tagging><TagSet><Tag><Key>{tag}</Key><Value>v</Value></Tag></TagSet></Tagging>"
	done := "<CompleteMultipartUpload><Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
	calls := []s3Call{
		{method: "GET", path: "/", query: "prefix=&continuation-token=&max-buckets=10"},
		{method: "PUT", path: bucket, header: "X-Amz-Acl: private|X-Amz-Bucket-Object-Lock-Enabled: false|X-Amz-Object-Ownership: BucketOwnerEnforced"},
		{method: "HEAD", path: bucket}, {method: "DELETE", path: "/media2"}, {method: "OPTIONS", path: object, header: "Origin: " + testOrigin + "|Access-Control-Request-Method: PUT"},
		{method: "GET", path: bucket, query: "prefix=u/&marker=a&delimiter=/&max-keys=9"},
		{method: "GET", path: bucket, query: "list-type=2&prefix=u/&start-after=a&continuation-token=a&delimiter=/&max-keys=9"},
		{method: "GET", path: bucket, query: "versions=&prefix=u/&key-marker=a&version-id-marker=null&delimiter=/"},
		{method: "GET", path: bucket, query: "uploads=&prefix=u/&key-marker=a&upload-id-marker={upload}&delimiter=/"},
		{method: "POST", path: bucket, query: "delete=", body: "<Delete><Object><Key>{own}</Key><VersionId>null</VersionId></Object></Delete>"},
		{method: "POST", path: bucket, form: true, body: "key={own}|x-amz-meta-a=b|x-amz-website-redirect-location=/|tagging=" + tags},
		{method: "PUT", path: object, header: "X-Amz-Meta-A: b|X-Amz-Tagging: a=b|X-Amz-Storage-Class: STANDARD", body: "x"},
		{method: "PUT", path: object, header: "X-Amz-Copy-Source: /media/{own}|X-Amz-Metadata-Directive: REPLACE|X-Amz-Website-Redirect-Location: /"},
		{method: "GET", path: object, query: "versionId=null&partNumber=1", header: "Range: bytes=0-9"},
		{method: "HEAD", path: object, query: "versionId=null&partNumber=1"}, {method: "DELETE", path: object, query: "versionId=null"},
		{method: "DELETE", path: object}, {method: "GET", path: object}, {method: "GET", path: object, query: "attributes=&versionId=null", header: "X-Amz-Object-Attributes: ETag|X-Amz-Max-Parts: 9|X-Amz-Part-Number-Marker: 0"},
		{method: "POST", path: object, query: "uploads=", header: "X-Amz-Meta-A: b|X-Amz-Tagging: a=b"},
		{method: "PUT", path: object, query: "uploadId={upload}&partNumber=1", body: "x"},
		{method: "PUT", path: object, query: "uploadId={upload}&partNumber=1", header: "X-Amz-Copy-Source: media/{own}|X-Amz-Copy-Source-Range: bytes=0-1"},
		{method: "GET", path: object, query: "uploadId={upload}&part-number-marker=0&max-parts=9"},
		{method: "GET", path: object, query: "uploadId={upload}"}, {method: "DELETE", path: object, query: "uploadId={upload}"},
		{method: "POST", path: object, query: "uploadId={upload}", header: "X-Amz-Mp-Object-Size: 23", body: done},
		{method: "PUT", path: object, query: "acl=", header: "X-Amz-Acl: private"}, {method: "GET", path: object, query: "acl="},
		{method: "POST", path: object, query: "restore=&versionId=null", body: "<RestoreRequest><Days>1</Days></RestoreRequest>"},
		{method: "POST", path: object, query: "select=&select-type=2", body: "<SelectObjectContentRequest><Expression>select * from s3object</Expression></SelectObjectContentRequest>"},
	}
	for sub, body := range map[string]string{
		"tagging": tags, "retention": "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate></Retention>",
		"legal-hold": "<LegalHold><Status>ON</Status></LegalHold>",
	} {
		calls = append(calls, s3Call{method: "PUT", path: object, query: sub + "=&versionId=null", body: body}, s3Call{method: "GET", path: object, query: sub + "=&versionId=null"})
	}
	calls = append(calls, s3Call{method: "DELETE", path: object, query: "tagging=&versionId=null"})
	for _, sub := range []string{"tagging", "ownershipControls", "versioning", "object-lock", "cors", "policy", "acl", "website", "location", "policyStatus"} {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			calls = append(calls, s3Call{method: method, path: bucket, query: sub + "=", body: map[string]string{"PUT": tags}[method]})
		}
	}
	return calls
}

func (g *stage) fill(text string) string {
	return strings.NewReplacer("{own}", ownKey, "{upload}", g.upload, "{etag}", g.aliceETag, "{n}", "1", "{tag}", "t").Replace(text)
}

// request is a call with what is to be hostile in one place.
type hostileRequest struct {
	method, target string
	header         [][2]string
	body           string
}

// places gives the places of a call, each with what makes of a value the requests that have it there.
func (g *stage) places(c s3Call) map[string]func(value string, as aws.Credentials) []hostileRequest {
	header := [][2]string{}
	if c.header != "" {
		for h := range strings.SplitSeq(g.fill(c.header), "|") {
			name, value, _ := strings.Cut(h, ": ")
			header = append(header, [2]string{name, value})
		}
	}
	path, query := g.fill(c.path), g.fill(c.query)
	target := func(path, query string) string {
		if query == "" {
			return path
		}
		return path + "?" + query
	}
	body := func(as aws.Credentials, fields string) ([][2]string, string) {
		if !c.form {
			return header, fields
		}
		return append(header, [2]string{"Content-Type", "multipart/form-data; boundary=b"}), form(as, fields)
	}
	in := func(as aws.Credentials, target string) []hostileRequest {
		h, b := body(as, g.fill(c.body))
		return []hostileRequest{{c.method, target, h, b}}
	}
	all := map[string]func(string, aws.Credentials) []hostileRequest{
		"bucket": func(v string, as aws.Credentials) []hostileRequest {
			_, key, _ := strings.Cut(path[1:], "/")
			if key != "" {
				key = "/" + key
			}
			return append(in(as, target("/"+v+key, query)), in(as, target("%2f"+v+key, query))...)
		},
	}
	if bucket, _, found := strings.Cut(path[1:], "/"); found {
		all["key"] = func(v string, as aws.Credentials) []hostileRequest {
			return in(as, target("/"+bucket+"/"+v, query))
		}
	}
	fields := strings.Split(query+"&versionId=null&uploadId=x", "&")
	for i, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		if name == "" || i > strings.Count(query, "&") && strings.Contains(query, name) {
			continue
		}
		all["query "+name] = func(v string, as aws.Credentials) []hostileRequest {
			with := func(text string) []hostileRequest {
				if i > strings.Count(query, "&") {
					return in(as, target(path, strings.TrimPrefix(query+"&"+text, "&")))
				}
				return in(as, target(path, strings.Replace(query, field, text, 1)))
			}
			good, bad := name+"="+value, name+"="+v
			if value == "" || !slices.Contains(g.few(), v) {
				return with(bad)
			}
			reqs := append(with(bad), with(good+"&"+bad)...)
			reqs = append(reqs, with(bad+"&"+good)...)
			reqs = append(reqs, with(good+";"+bad)...)
			return append(append(reqs, with(strings.ToUpper(name)+"="+v+"&"+good)...), with(url.QueryEscape(name)+"%00="+v)...)
		}
	}
	for i, h := range append(header, [2]string{"X-Amz-Copy-Source", ""}) {
		if h[0] == "X-Amz-Copy-Source" && i == len(header) && c.method != "PUT" {
			continue
		}
		all["header "+h[0]] = func(v string, as aws.Credentials) (reqs []hostileRequest) {
			plain, _ := url.PathUnescape(v)
			for _, v := range []string{v, "/media/" + v, plain, "media/" + plain} {
				r := in(as, target(path, query))[0]
				if strings.ContainsAny(v, "\r\n\x00") {
					continue
				}
				r.header = append(append([][2]string{}, r.header[:min(i, len(r.header))]...), [2]string{h[0], v})
				r.header = append(r.header, header[min(i+1, len(header)):]...)
				reqs = append(reqs, r)
			}
			return reqs
		}
	}
	for _, mark := range []string{"{own}", "null", "{n}", "{etag}", "{tag}", "a=b"} {
		if !strings.Contains(c.body, mark) {
			continue
		}
		all["body "+mark] = func(v string, as aws.Credentials) (reqs []hostileRequest) {
			plain, _ := url.PathUnescape(v)
			for _, v := range []string{v, plain, "u/mallory/" + plain} {
				h, b := body(as, g.fill(strings.ReplaceAll(c.body, mark, strings.NewReplacer("a=b", v+"=b").Replace(v))))
				reqs = append(reqs, hostileRequest{c.method, target(path, query), h, b})
			}
			return reqs
		}
	}
	return all
}

// form is a form with a POST policy that allows whatever it holds.
func form(as aws.Credentials, fields string) string {
	day := time.Now().UTC()
	values := [][2]string{}
	for field := range strings.SplitSeq(fields, "|") {
		name, value, _ := strings.Cut(field, "=")
		values = append(values, [2]string{name, value})
	}
	scope := day.Format("20060102") + "/" + region + "/s3/aws4_request"
	if as.AccessKeyID != "" {
		values = append(values, [2]string{"x-amz-algorithm", algorithm}, [2]string{"x-amz-credential", as.AccessKeyID + "/" + scope}, [2]string{"x-amz-date", day.Format(amzDate)})
		if as.SessionToken != "" {
			values = append(values, [2]string{"x-amz-security-token", as.SessionToken})
		}
		conditions := []any{map[string]string{"bucket": "media"}}
		for _, v := range values {
			conditions = append(conditions, []string{"eq", "$" + v[0], v[1]})
		}
		policy, _ := json.Marshal(map[string]any{"expiration": day.Add(time.Hour).Format("2006-01-02T15:04:05Z"), "conditions": conditions})
		text := base64.StdEncoding.EncodeToString(policy)
		values = append(values, [2]string{"policy", text},
			[2]string{"x-amz-signature", hex.EncodeToString(hmacSHA256(signingKey(as.SecretAccessKey, day.Format("20060102"), region, "s3"), text))})
	}
	var b strings.Builder
	for _, v := range values {
		fmt.Fprintf(&b, "--b\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", v[0], v[1])
	}
	// Without a filename, fasthttp moves the file among the fields.
	return b.String() + "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nby mallory\r\n--b--\r\n"
}

// TestHostileValues sends every call of S3's with hostile values in every place: with the session of one key, with none,
// and with one that may do anything in the store. Nothing outside of what the sender may reach changes, and no reply
// holds what is there.
func TestHostileValues(t *testing.T) {
	for _, how := range []struct {
		name    string
		sideCar bool
		as      func(g *stage) aws.Credentials
	}{
		{"one key", false, func(g *stage) aws.Credentials { return g.session }},
		{"one key, attributes in a side-car", true, func(g *stage) aws.Credentials { return g.session }},
		{"nobody", false, func(*stage) aws.Credentials { return aws.Credentials{} }},
		{"everything in the store", true, func(g *stage) aws.Credentials { return g.allowed }},
	} {
		t.Run(how.name, func(t *testing.T) {
			g := newStage(t, how.sideCar)
			defer func() { g.end() }()
			sees := func() map[string]string {
				if how.name == "everything in the store" {
					return around(g.tree())
				}
				return g.tree()
			}
			sent, granted := 0, 0
			// harm sends one request and returns what it gave away.
			leak := func(r hostileRequest, as aws.Credentials) string {
				sent++
				_, text := g.send(as, r.method, r.target, r.header, r.body)
				for _, canary := range []string{within, outside, strings.Trim(g.aliceETag, `"`)} {
					if strings.Contains(text, canary) && !strings.Contains(r.body, canary) && (canary == outside || how.name != "everything in the store") {
						return text
					}
				}
				return ""
			}
			for _, c := range s3Calls() {
				for place := range g.places(c) {
					g.renew()
					before, leaks := sees(), 0
					for _, v := range g.values(c, place) {
						for _, r := range g.places(c)[place](g.fill(v), how.as(g)) {
							if leak(r, how.as(g)) != "" {
								leaks++
							}
						}
					}
					places := changes(before, sees())
					if len(places) == 0 && leaks == 0 {
						continue
					}
					granted++
					t.Errorf("%s %s?%s %s: %d replies give others' bytes away; changed: %.200q", c.method, c.path, c.query, place, leaks, places)
					g.end()
					g = newStage(t, how.sideCar)
				}
			}
			t.Logf("%d requests; %d of the places granted one", sent, granted)
		})
	}
}
