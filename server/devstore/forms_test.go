package devstore

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// signedFields are those of a form that puts exactly size bytes at a key of the bucket media.
func signedFields(t *testing.T, s *Store, key string, size int) [][2]string {
	t.Helper()
	c, now := s.Credentials(), time.Now().UTC()
	day := now.Format("20060102")
	fields := [][2]string{
		{"key", key}, {"x-amz-algorithm", algorithm}, {"x-amz-date", now.Format("20060102T150405Z")},
		{"x-amz-credential", c.AccessKeyID + "/" + day + "/" + region + "/s3/aws4_request"}, {"success_action_status", "201"},
	}
	conditions := []any{map[string]string{"bucket": "media"}, []any{"content-length-range", size, size}}
	for _, f := range fields {
		conditions = append(conditions, map[string]string{f[0]: f[1]})
	}
	policy, err := json.Marshal(map[string]any{"expiration": now.Add(time.Hour).Format("2006-01-02T15:04:05.000Z"), "conditions": conditions})
	if err != nil {
		t.Fatal(err)
	}
	text := base64.StdEncoding.EncodeToString(policy)
	signature := hex.EncodeToString(hmacSHA256(signingKey(c.SecretAccessKey, day, region, "s3"), text))
	return append(fields, [2]string{"policy", text}, [2]string{"x-amz-signature", signature})
}

// A form as clients write it: part headers of a field and of the file, and what surrounds them.
type formStyle struct {
	field, file string // with %s for the name
	before      string // between the fields and the file
	after       string // between the file and the end
	end         string // after the last boundary; "\r\n" where empty
	fileFirst   bool
	header      map[string]string
}

const formBoundary = "d2f1c0a4-boundary"

func (f formStyle) body(fields [][2]string, content string) string {
	var b strings.Builder
	file := func() {
		fmt.Fprintf(&b, "--%s\r\n%s\r\n\r\n%s\r\n", formBoundary, f.file, content)
	}
	if f.fileFirst {
		file()
	}
	for _, field := range fields {
		header := strings.NewReplacer("%s", field[0], "%d", fmt.Sprint(len(field[1]))).Replace(f.field)
		fmt.Fprintf(&b, "--%s\r\n%s\r\n\r\n%s\r\n", formBoundary, header, field[1])
	}
	b.WriteString(f.before)
	if !f.fileFirst {
		file()
	}
	b.WriteString(f.after + "--" + formBoundary + "--" + map[bool]string{true: "\r\n", false: strings.TrimSuffix(f.end, "none")}[f.end == ""])
	return b.String()
}

func postForm(t *testing.T, s *Store, f formStyle, fields [][2]string, content string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, s.Endpoint()+"/media", strings.NewReader(f.body(fields, content)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "multipart/form-data; boundary="+formBoundary)
	for name, value := range f.header {
		r.Header.Set(name, value)
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(text)
}

// Forms are taken as S3 and MinIO take them, whatever their client's way of writing them, and refused as S3 refuses them.
func TestForms(t *testing.T) {
	s := start(t, nil)
	const field, file = `Content-Disposition: form-data; name="%s"`, `Content-Disposition: form-data; name="file"; filename="a.bin"`
	const content = "bytes\r\nof a file, with --" + formBoundary + " in a line"
	extra := "--" + formBoundary + "\r\nContent-Disposition: form-data; name=\"submit\"\r\n\r\nUpload\r\n"
	for name, c := range map[string]struct {
		formStyle
		code string // of the refusal, "" for none
	}{
		"a browser": {formStyle{field: field, file: file + "\r\nContent-Type: application/octet-stream"}, ""},
		"OkHttp": {formStyle{field: field + "\r\nContent-Length: %d",
			file: file + fmt.Sprintf("\r\nContent-Type: application/octet-stream\r\nContent-Length: %d", len(content))}, ""},
		"fields with a type": {formStyle{field: field + "\r\nContent-Type: text/plain; charset=utf-8", file: file}, ""},
		"Dart's http": {formStyle{field: strings.ToLower("Content-Disposition") + `: form-data; name="%s"`,
			file: "content-type: application/octet-stream\r\n" + strings.ToLower("Content-Disposition") + `: form-data; name="file"; filename="a.bin"`}, ""},
		"names without quotes":               {formStyle{field: `Content-Disposition: form-data; name=%s`, file: `Content-Disposition: form-data; name=file; filename=a.bin`}, ""},
		"a file without a name":              {formStyle{field: field, file: `Content-Disposition: form-data; name="file"`}, ""},
		"a name that is not ASCII":           {formStyle{field: field, file: `Content-Disposition: form-data; name="file"; filename="bück.bin"; filename*=UTF-8''b%C3%BCck.bin`}, ""},
		"a transfer encoding":                {formStyle{field: field + "\r\nContent-Transfer-Encoding: binary", file: file + "\r\nContent-Transfer-Encoding: binary"}, ""},
		"a button after the file":            {formStyle{field: field, file: file, after: extra}, ""},
		"the file first":                     {formStyle{field: field, file: file, fileFirst: true}, "InvalidArgument"},
		"another field's name":               {formStyle{field: field, file: `Content-Disposition: form-data; name="upload"; filename="a.bin"`}, "InvalidArgument"},
		"no file":                            {formStyle{field: field, file: `Content-Disposition: form-data; name="other"`}, "InvalidArgument"},
		"a Bearer header":                    {formStyle{field: field, file: file, header: map[string]string{"Authorization": "Bearer abc"}}, "InvalidArgument"},
		"a field without a name":             {formStyle{field: field, file: file, before: "--" + formBoundary + "\r\nContent-Disposition: form-data\r\n\r\nx\r\n"}, "MalformedPOSTRequest"},
		"a field twice":                      {formStyle{field: field, file: file, before: "--" + formBoundary + "\r\nContent-Disposition: form-data; name=\"Key\"\r\n\r\nother\r\n"}, "InvalidArgument"},
		"no line break after the last":       {formStyle{field: field, file: file, end: "none"}, "MalformedPOSTRequest"},
		"more fields than S3 reads":          {formStyle{field: field, file: file, before: "--" + formBoundary + "\r\nContent-Disposition: form-data; name=\"x-amz-meta-a\"\r\n\r\n" + strings.Repeat("x", maxFormFields) + "\r\n"}, "MaxPostPreDataLengthExceededError"},
		"a field that is not in the policy":  {formStyle{field: field, file: file, before: extra}, "AccessDenied"},
		"an upload of fields without a body": {formStyle{field: field, file: file, header: map[string]string{"Content-Type": "multipart/form-data"}}, "MalformedPOSTRequest"},
	} {
		t.Run(name, func(t *testing.T) {
			key := strings.ReplaceAll(name, " ", "-")
			status, text := postForm(t, s, c.formStyle, signedFields(t, s, key, len(content)), content)
			if c.code != "" {
				if status < 400 || !strings.Contains(text, "<Code>"+c.code+"</Code>") {
					t.Fatalf("%d %s; want %s", status, text, c.code)
				}
				return
			}
			if status != http.StatusCreated {
				t.Fatalf("%d %s", status, text)
			}
			if got := object(t, s, key); got != content {
				t.Errorf("stored is %q", got)
			}
		})
	}
}

// A file larger than what is held in memory arrives whole, and one byte more or less than the policy's is refused.
func TestLargeForms(t *testing.T) {
	s := start(t, nil)
	large := string(content(3*maxFormInMemory + 1))
	style := formStyle{field: `Content-Disposition: form-data; name="%s"`, file: `Content-Disposition: form-data; name="file"; filename="a"`}
	for _, size := range []int{0, 1, maxFormInMemory - 1, maxFormInMemory, maxFormInMemory + 1, len(large)} {
		if status, text := postForm(t, s, style, signedFields(t, s, "large", size), large[:size]); status != http.StatusCreated {
			t.Fatalf("%d bytes: %d %s", size, status, text)
		}
		if got := object(t, s, "large"); got != large[:size] {
			t.Errorf("%d bytes: %d are stored", size, len(got))
		}
		for _, wrong := range []int{size - 1, size + 1} {
			if wrong < 0 || wrong > len(large) {
				continue
			}
			if status, text := postForm(t, s, style, signedFields(t, s, "large", size), large[:wrong]); status != http.StatusBadRequest {
				t.Errorf("%d bytes in place of %d: %d %s", wrong, size, status, text)
			}
		}
	}
}

// A form that ends in its middle, or that has no boundary at all, is refused and leaves nothing.
func TestFormsThatEndTooEarly(t *testing.T) {
	s := start(t, nil)
	style := formStyle{field: `Content-Disposition: form-data; name="%s"`, file: `Content-Disposition: form-data; name="file"; filename="a"`}
	whole := style.body(signedFields(t, s, "cut", 5), "bytes")
	for _, at := range []int{0, 1, 10, len(whole) / 2, len(whole) - len("bytes\r\n--"+formBoundary+"--\r\n"), len(whole) - 4, len(whole) - 1} {
		reply, err := http.Post(s.Endpoint()+"/media", "multipart/form-data; boundary="+formBoundary, strings.NewReader(whole[:at]))
		if err != nil {
			t.Fatal(err)
		}
		reply.Body.Close()
		if reply.StatusCode != http.StatusBadRequest {
			t.Errorf("cut at %d of %d: %d", at, len(whole), reply.StatusCode)
		}
	}
	_, err := s3Client(s, s.Credentials()).HeadObject(context.Background(), &s3.HeadObjectInput{Bucket: media, Key: aws.String("cut")})
	if err == nil {
		t.Error("an object is there")
	}
}

func object(t *testing.T, s *Store, key string) string {
	t.Helper()
	out, err := s3Client(s, s.Credentials()).GetObject(context.Background(), &s3.GetObjectInput{Bucket: media, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(out.Body); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
