package devstore

import (
	"bytes"
	"context"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3err"
)

// recorder is a backend that is never to be called.
type recorder struct{ backend.Backend }

// Every method of the backend's interface that takes a name refuses a hostile one. The interface's methods panic where
// they get through: recorder has none.
func TestEveryBackendCallIsJudged(t *testing.T) {
	guard := reflect.ValueOf(guarded{Backend: recorder{}})
	ctx := context.WithValue(context.Background(), passed{}, true)
	methods := reflect.TypeFor[backend.Backend]()
	unnamed := []string{"String", "Shutdown", "NormalizeObjectKey", "ListBuckets", "ListBucketsAndOwners", "SelectObjectContent"}
	for i := range methods.NumMethod() {
		m := methods.Method(i)
		if slices.Contains(unnamed, m.Name) {
			continue
		}
		refuses := func(what string, ctx context.Context, bucket, key, upload string) {
			t.Helper()
			args := []reflect.Value{}
			for j := range m.Type.NumIn() {
				in := m.Type.In(j)
				switch {
				case in == reflect.TypeFor[context.Context]():
					args = append(args, reflect.ValueOf(ctx))
				case in.Kind() == reflect.String && in.Name() == "string":
					text := []string{"", bucket, key, ""}[min(j, 3)]
					args = append(args, reflect.ValueOf(text))
				case in.Kind() == reflect.Pointer && in.Elem().Kind() == reflect.Struct, in.Kind() == reflect.Struct:
					v := reflect.New(in)
					s := v.Elem()
					if in.Kind() == reflect.Pointer {
						s.Set(reflect.New(in.Elem()))
						s = s.Elem()
					}
					for name, value := range map[string]string{"Bucket": bucket, "Key": key, "UploadId": upload} {
						if f := s.FieldByName(name); f.IsValid() {
							f.Set(reflect.ValueOf(&value))
						}
					}
					if f := s.FieldByName("Delete"); f.IsValid() {
						f.Set(reflect.ValueOf(&types.Delete{Objects: []types.ObjectIdentifier{{Key: &key}}}))
					}
					args = append(args, v.Elem())
				default:
					args = append(args, reflect.Zero(in))
				}
			}
			defer func() {
				if reached := recover(); reached != nil {
					t.Errorf("%s passes %s", m.Name, what)
				}
			}()
			out := guard.MethodByName(m.Name).Call(args)
			err, _ := out[len(out)-1].Interface().(error)
			if _, ok := err.(s3err.S3Error); !ok {
				t.Errorf("%s, %s: %v, want an S3 error", m.Name, what, err)
			}
		}
		const good = "3f1d2f30-5d35-4c5b-8d3c-0f6f2a5e6b11"
		refuses("what has not passed the front", context.Background(), "media", "a", good)
		refuses("a bucket ..", ctx, "..", "a", good)
		if strings.Contains(m.Name, "Bucket") || strings.HasPrefix(m.Name, "List") && m.Name != "ListParts" ||
			strings.HasSuffix(m.Name, "LockConfiguration") {
			continue
		}
		refuses("a key ../x", ctx, "media", "../x", good)
		if strings.Contains(m.Name, "Upload") && m.Name != "CreateMultipartUpload" || strings.Contains(m.Name, "Part") && m.Name != "CreateMultipartUpload" {
			for _, id := range []string{"", ".", "../x", good + "/1", strings.ToUpper(good), "{" + good + "}"} {
				refuses("the upload ID "+id, ctx, "media", "a", id)
			}
		}
	}
}

func TestNames(t *testing.T) {
	for key, want := range map[string]bool{
		"a": true, "a/b": true, "a/": true, "näme 名前 😀 (1).bin": true, "a+b&c=d#e%2F'.txt": true, "...": true, ".hidden/..x": true, "meta": true,
		"a;b,c:d@e$f": true, "\n": true, strings.Repeat("k", 1024): true, "sgwtmp": true, "a\u202eb": true,
		"": false, "/": false, "a//b": false, "/a": false, "a//": false, ".": false, "..": false, "a/../b": false, "a/./b": false, "a/..": false,
		".sgwtmp": false, ".sgwtmp/x": false, "a/.SgwTmp/x": false, "a\x00": false, "\xff": false, "\xc0\xae\xc0\xae/x": false,
		strings.Repeat("k", 1025): false,
	} {
		if got := (names{}).checkKey("key", key) == nil; got != want {
			t.Errorf("key %.40q: taken %v, want %v", key, got, want)
		}
	}
	for _, key := range []string{"meta", "meta/policy", "a/META/b", "a/meta"} {
		if (names{sideCar: true}).checkKey("key", key) == nil {
			t.Errorf("with a side-car, the key %q is taken", key)
		}
	}
	for source, want := range map[string]bool{
		"media/a": true, "/media/a": true, "media%2Fa%20b": true, "/media/a?versionId=null": true, "media/a%3FversionId=01ARZ3NDEKTSV4RRFFQ69G5FAV": true,
		"": false, "media": false, "//media/a": false, "media/../other/a": false, "media/%2e%2e/a": false, "media/a?versionId=../b": false,
		"media/a?versionId=": false, "media/%zz": false, "../a": false, "MEDIA/a": false,
	} {
		if got := (names{}).checkCopySource(source) == nil; got != want {
			t.Errorf("copy source %q: taken %v, want %v", source, got, want)
		}
	}
}

// What two readers could understand differently gets to no route, signed or not, and the refusal is readable to a page.
func TestAmbiguousRequests(t *testing.T) {
	g := newStage(t, false)
	defer g.end()
	root := g.Credentials()
	for _, tt := range []struct {
		name, method, target string
		header               [][2]string
		status               int
		code                 string
	}{
		{"as it is meant", "GET", "/media/u/alice/theirs.bin", nil, 200, ""},
		{"no slash before the path", "GET", "media/u/alice/theirs.bin", nil, 400, "BadRequest"},
		{"the first slash escaped", "GET", "%2fmedia/u/alice/theirs.bin", nil, 400, "BadRequest"},
		{"a host in the target", "GET", "http://evil.example/media/u/alice/theirs.bin", nil, 421, "MisdirectedRequest"},
		{"a fragment", "GET", "/media/u/alice/theirs.bin#x", nil, 400, "InvalidArgument"},
		{"a field twice", "GET", "/media?prefix=u&prefix=v", nil, 400, "InvalidArgument"},
		{"a field twice, escaped", "GET", "/media?prefix=u&%70refix=v", nil, 400, "InvalidArgument"},
		{"semicolons", "GET", "/media?prefix=u;marker=v", nil, 400, "InvalidArgument"},
		{"half an escape", "GET", "/media?prefix=%2", nil, 400, "InvalidArgument"},
		{"a prefix in the store's own folder", "GET", "/media?prefix=.sgwtmp/multipart/", nil, 400, "InvalidArgument"},
		{"a dot segment", "GET", "/media/u/%2e%2e/x", nil, 400, "InvalidArgument"},
		{"no bucket's name", "GET", "/../x", nil, 400, "InvalidBucketName"},
		{"a key too long", "GET", "/media/" + strings.Repeat("k", 1025), nil, 400, "KeyTooLongError"},
		{"a header twice", "PUT", "/media/u/x", [][2]string{{"X-Amz-Acl", "private"}, {"x-amz-acl", "public-read"}}, 400, "InvalidArgument"},
		{"another upload", "GET", "/media/u/x?uploadId=other", nil, 404, "NoSuchUpload"},
		{"a path for an upload", "GET", "/media/u/x?uploadId=../x", nil, 400, "InvalidArgument"},
		{"a part's number that overflows", "PUT", "/media/u/x?uploadId=x&partNumber=4294967297", nil, 400, "InvalidArgument"},
	} {
		status, text := g.send(root, tt.method, tt.target, append(tt.header, [2]string{"Origin", testOrigin}), "")
		if status != tt.status || !strings.Contains(text, "<Code>"+tt.code+"</Code>") && tt.code != "" {
			t.Errorf("%s: %d %.400s; want %d %s", tt.name, status, text, tt.status, tt.code)
		}
		if status == 400 && tt.code != "BadRequest" && !strings.Contains(text, "Access-Control-Allow-Origin: "+testOrigin) {
			t.Errorf("%s: the page cannot read the refusal: %.400s", tt.name, text)
		}
	}
}

// A redirect is judged by the credentials that sign, wherever they and the redirect stand.
func TestRedirectGuard(t *testing.T) {
	g := newStage(t, false)
	defer g.end()
	put := func(as aws.Credentials, extra ...string) (int, string) {
		t.Helper()
		in := s3.PutObjectInput{Bucket: media, Key: aws.String(ownKey), WebsiteRedirectLocation: aws.String("https://evil.example/")}
		signed, err := s3.NewPresignClient(s3Client(g.Store, as)).PresignPutObject(context.Background(), &in)
		if err != nil {
			t.Fatal(err)
		}
		q, _ := http.NewRequest("PUT", signed.URL, bytes.NewReader([]byte("x")))
		q.Header = signed.SignedHeader.Clone()
		q.Header.Set("X-Amz-Website-Redirect-Location", "https://evil.example/")
		for i := 0; i < len(extra); i += 2 {
			q.Header.Set(extra[i], extra[i+1])
		}
		reply, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer reply.Body.Close()
		code, _ := refusal(s3Error(reply.Body))
		return reply.StatusCode, code
	}
	worthless := "AWS4-HMAC-SHA256 Credential=" + g.Credentials().AccessKeyID + "/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
	if status, _ := put(g.Credentials()); status != 200 {
		t.Errorf("root: %d", status)
	}
	if status, code := put(g.session); status != 403 || code != "AccessDenied" {
		t.Errorf("a session: %d %s", status, code)
	}
	if status, code := put(g.session, "Authorization", worthless); status != 400 || code != "InvalidArgument" {
		t.Errorf("a session's URL with root's name in a header: %d %s", status, code)
	}
	wide := assume(t, g.Store, policyFor([]string{"s3:PutObject"}, "arn:aws:s3:::media*")) // versitygw asks for the bucket's ARN
	fields := "key=" + ownKey + "|x-amz-website-redirect-location=https://evil.example/"
	boundary := [][2]string{{"Content-Type", "multipart/form-data; boundary=b"}}
	if status, text := g.send(aws.Credentials{}, "POST", "/media", boundary, form(wide, fields)); status != 403 {
		t.Errorf("a session's form: %d %s", status, text)
	}
	if status, text := g.send(aws.Credentials{}, "POST", "/media", boundary, form(wide, "key="+ownKey)); status != 204 {
		t.Errorf("the same without a redirect: %d %s", status, text)
	}
	for _, query := range []string{"", "uploads="} {
		method := map[string]string{"": "PUT", "uploads=": "POST"}[query]
		header := [][2]string{{"X-Amz-Website-Redirect-Location", "https://evil.example/"}}
		if status, text := g.send(g.session, method, "/media/"+ownKey+"?"+query, header, ""); status != 403 {
			t.Errorf("%s ?%s: %d %s", method, query, status, text)
		}
	}
}
