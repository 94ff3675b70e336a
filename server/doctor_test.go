package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const examined = `server: { origins: ["https://app.example.com"] }
auth: { dev: true }
stores: { s: $STORE }
destinations:
  d: { store: s, bucket: media, key: "d/{claims.team}/{uuid}/{filename}", content_length: 0..1GiB, cache_control: max-age=60, metadata: { app: x } }
  p: { store: s, bucket: media, key: "p/{user}/{filename}", content_length: 0..1GiB, scope: prefix, overwrite: true }
  one: { store: s, bucket: media, key: "latest.bin", content_length: 0..1GiB, overwrite: true }
`

// withCORS runs a server whose store's bucket has the CORS rules that iam prints.
func withCORS(t *testing.T, configuration string, change func(*types.CORSRule)) (*running, *s3.Client) {
	t.Helper()
	r := startWith(t, configuration)
	root := s3.New(s3.Options{Region: "us-east-1", BaseEndpoint: aws.String(r.grant(t, "one", "x", 1).Upload.Endpoint), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), "")})
	rule := types.CORSRule{AllowedOrigins: []string{"https://app.example.com"}, AllowedMethods: []string{"GET", "PUT", "POST", "DELETE"}, AllowedHeaders: []string{"*"}, ExposeHeaders: []string{"ETag"}}
	if change != nil {
		change(&rule)
	}
	if _, err := root.PutBucketCors(context.Background(), &s3.PutBucketCorsInput{Bucket: aws.String("media"), CORSConfiguration: &types.CORSConfiguration{CORSRules: []types.CORSRule{rule}}}); err != nil {
		t.Fatal(err)
	}
	return r, root
}

// nothingLeft reports objects and uploads that the doctor left.
func nothingLeft(t *testing.T, r *running, root *s3.Client) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(r.data, "media"), func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			t.Errorf("it left %s", path)
		}
		return err
	})
	uploads, e := root.ListMultipartUploads(context.Background(), &s3.ListMultipartUploadsInput{Bucket: aws.String("media")})
	if err != nil || e != nil || len(uploads.Uploads) > 0 {
		t.Errorf("it left uploads %v, %v, %v", uploads.Uploads, err, e)
	}
}

func TestDoctor(t *testing.T) {
	r, root := withCORS(t, examined, nil)
	keys := func(name string) string {
		return map[string]string{grantKeysVariable: "k:" + strings.Repeat("A", 43)}[name]
	}
	var stdout, stderr bytes.Buffer
	status := run(context.Background(), []string{"doctor", "-config", r.Config}, keys, &stdout, &stderr)
	if status != 0 || strings.Contains(stdout.String(), "✗") || strings.Count(stdout.String(), "not checked") != 1 {
		t.Errorf("%d\n%s%s", status, &stdout, &stderr)
	}
	for _, line := range []string{
		"✓ server: grant keys: ", "✓ d: store: ", "✓ d: clock: ", "✓ d: session: 15m0s of ", "✓ d: multipart: ",
		"✓ d: put: media/d/chunksign-doctor/", "✓ d: if-none-match: ", "✓ d: scope: 7 things", "✓ d: token: ", "✓ d: look: size, type and SHA256", "✓ d: delete: ",
		"✓ d: cors: pages of https://app.example.com may send GET, PUT, POST, DELETE", "✓ d: cors: ETag can be read", "✓ d: lifecycle: ",
		"✓ p: scope: 7 things", "✓ one: multipart: ", "- one: put: not checked: ",
	} {
		if !strings.Contains(stdout.String(), line) {
			t.Errorf("there is no line %q in\n%s", line, &stdout)
		}
	}
	nothingLeft(t, r, root)

	// A file that is there stays as it is.
	u := r.grant(t, "one", "x", 4)
	if _, err := u.put("real"); err != nil {
		t.Fatal(err)
	}
	if status, stdout, _ := command(t, "doctor", "one", "-config", r.Config, "-origin", "https://other.example.com"); status != 1 || !strings.Contains(stdout, "✗ server: grant keys: ") || !strings.Contains(stdout, "✗ one: cors: ") || !strings.Contains(stdout, "other.example.com") {
		t.Errorf("%d\n%s", status, stdout)
	}
	if data, err := os.ReadFile(filepath.Join(r.data, "media", "latest.bin")); err != nil || string(data) != "real" {
		t.Errorf("the real object is %q, %v", data, err)
	}
}

// broken is the way to the store, with something wrong on it.
type broken func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error)

func (b broken) RoundTrip(r *http.Request) (*http.Response, error) {
	return b(r, http.DefaultTransport.RoundTrip)
}

func answer(r *http.Request, status int, body string) *http.Response {
	if r.Body != nil {
		io.Copy(io.Discard, r.Body) //nolint:errcheck // a test's own
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}
}

func isSTS(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.RawQuery == "" }

func refusedBySTS(r *http.Request, status int, code, message string) *http.Response {
	return answer(r, status, fmt.Sprintf(`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>1</RequestId></ErrorResponse>`, code, message))
}

func TestDoctorNamesWhatIsWrong(t *testing.T) {
	const one = "server: { origins: [\"https://app.example.com\"] }\nauth: { dev: true }\nstores: { s: $STORE }\ndestinations:\n" +
		"  d: { store: s, bucket: media, key: \"d/{uuid}/{filename}\", content_length: 0..1GiB }\n  one: { store: s, bucket: media, key: \"latest.bin\", content_length: 0..1GiB, overwrite: true }\n"
	r, root := withCORS(t, one, nil)
	s, err := load(r.Config, "d")
	if err != nil {
		t.Fatal(err)
	}
	sts := ownSTS(s)
	for name, c := range map[string]struct {
		broken broken
		want   []string // of the lines that say failed
	}{
		"nothing": {func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
			return next(r)
		}, nil},
		"STS is away": {func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
			if isSTS(r) {
				return nil, errors.New("connection refused")
			}
			return next(r)
		}, []string{"d: session: ", "see that STS is reached"}},
		"the role may not be assumed": {func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
			if isSTS(r) {
				return refusedBySTS(r, 403, "AccessDenied", "not authorized to perform: sts:AssumeRole"), nil
			}
			return next(r)
		}, []string{"d: session: 403 AccessDenied", "chunksign iam -only trust"}},
		"the server's role is chained": {func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
			if isSTS(r) {
				return refusedBySTS(r, 400, "ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."), nil
			}
			return next(r)
		}, []string{"d: session: 400 ValidationError", "write duration: 1h or less for d"}},
		"the role's sessions are shorter": {func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
			if isSTS(r) {
				return refusedBySTS(r, 400, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."), nil
			}
			return next(r)
		}, []string{"d: session: 400 ValidationError", "raise the role's MaxSessionDuration"}},
		"session policies are ignored": {func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
			if isSTS(r) {
				return sts.unlimited(r)
			}
			return next(r)
		}, []string{"d: scope: a page's session may write another key beside it", "may write at the bucket's top", "may begin a multipart upload of another key", "may read its own object", "may list the bucket;", "may list the bucket's unfinished uploads", "may delete its object"}},
		"a changed token has no policy": {func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
			reply, err := next(r)
			if err == nil && r.Method == http.MethodGet && reply.StatusCode == http.StatusBadRequest { // InvalidToken
				return answer(r, http.StatusNotFound, ""), nil
			}
			return reply, err
		}, []string{"d: token: a page's session whose token is changed in a letter may write another key; write signing: presigned for d"}},
		"a session gets another": {func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
			if isSTS(r) && r.Header.Get("X-Amz-Security-Token") != "" {
				return sts.unlimited(r)
			}
			return next(r)
		}, []string{"d: token: a page's session gets another from STS, without its policy; keep STS from pages"}},
		"the store is away": {func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
			if !isSTS(r) {
				return nil, errors.New("no route to host")
			}
			return next(r)
		}, []string{"d: store: ", "no route to host"}},
		"the clock is wrong": {func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
			reply, err := next(r)
			if err == nil && r.Method == http.MethodHead {
				reply.Header.Set("Date", time.Now().Add(-5*time.Minute).UTC().Format(http.TimeFormat))
			}
			return reply, err
		}, []string{"d: clock: this machine's clock is -5m", "with NTP"}},
		"If-None-Match is ignored": {func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
			reply, err := next(r)
			if err == nil && reply.StatusCode == http.StatusPreconditionFailed && r.Method == http.MethodPut {
				return answer(r, http.StatusOK, ""), nil
			}
			return reply, err
		}, []string{"d: if-none-match: the store ignores If-None-Match"}},
		"If-Match is ignored on deleting": {func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
			if r.Method == http.MethodDelete && strings.Contains(r.Header.Get("If-Match"), "0000") {
				return answer(r, http.StatusNoContent, ""), nil
			}
			return next(r)
		}, []string{"d: delete: the store ignores If-Match on DeleteObject", "conditional_delete: false for the store s"}},
		"the server may not list": {func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
			reply, err := next(r)
			if err == nil && r.Method == http.MethodHead && reply.StatusCode == http.StatusNotFound {
				return answer(r, http.StatusForbidden, ""), nil
			}
			return reply, err
		}, []string{"d: look: of an object that is not there the store does not say so", "s3:ListBucket"}},
		"the server may not delete": {func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
			if r.Method == http.MethodDelete && r.Header.Get("If-Match") != "" {
				return answer(r, http.StatusForbidden, ""), nil
			}
			return next(r)
		}, []string{"d: delete: ", "s3:DeleteObject"}},
		"parts are not listed": {func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
			if r.Method == http.MethodGet && r.URL.Query().Has("uploadId") {
				return answer(r, http.StatusForbidden, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"), nil
			}
			return next(r)
		}, []string{"d: multipart: ListParts answers 403 AccessDenied", "cannot be resumed"}},
		"ETag is hidden": {func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
			reply, err := next(r)
			if err == nil {
				reply.Header.Del("Access-Control-Expose-Headers")
			}
			return reply, err
		}, []string{"d: cors: pages of https://app.example.com cannot read the header ETag"}},
		"preflights are refused": {func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
			if r.Method == http.MethodOptions {
				return answer(r, http.StatusForbidden, ""), nil
			}
			return next(r)
		}, []string{"d: cors: the preflight of GET from https://app.example.com answers 403", "chunksign iam -only cors"}},
		"stale uploads are aborted too soon": {lifecycleOf("<Rule><ID>a</ID><Status>Enabled</Status><Filter><Prefix>d/</Prefix></Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>" +
			"<Rule><ID>b</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>30</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>"),
			[]string{"d: lifecycle: the bucket's rule aborts uploads after 1 days, and they may go on for 168h"}},
		"a lifecycle that is right": {lifecycleOf("<Rule><ID>a</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>8</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>" +
			"<Rule><ID>b</ID><Status>Enabled</Status><Filter><Prefix>e/</Prefix></Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>"), nil},
		"unfinished uploads cannot be listed": {func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
			if r.Method == http.MethodGet && r.URL.Query().Has("uploads") {
				return answer(r, http.StatusForbidden, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"), nil
			}
			return next(r)
		}, []string{"d: lifecycle: the store has no lifecycle rules, and the server cannot list"}},
		"unsigned headers are honoured": {redirecting(), []string{"d: unsigned headers: the store honours those that a presigned request does not sign (x-amz-website-redirect-location)", "write unsigned_headers: true for the store s"}},
		"presigned: a preflight's URL may not be signed": {func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
			if r.Method == http.MethodOptions && r.URL.Query().Has("X-Amz-Signature") {
				return answer(r, http.StatusForbidden, ""), nil
			}
			return next(r)
		}, []string{"d: cors: with a signature in the URL the preflight of PUT from https://app.example.com answers 403; write sign_parts_in: headers for the store s"}},
		"the bucket is elsewhere": {func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
			if r.Method == http.MethodPut || r.Method == http.MethodPost && r.URL.RawQuery != "" {
				return answer(r, http.StatusNotFound, "<Error><Code>NoSuchBucket</Code><Message>no</Message></Error>"), nil
			}
			return next(r)
		}, []string{"d: multipart: CreateMultipartUpload answers 404 NoSuchBucket", "d: put: PutObject answers 404 NoSuchBucket", "make the bucket media", "d: cors: pages"}},
	} {
		w := wiring{config: s.Config}
		if err := w.own(context.Background()); err != nil {
			t.Fatal(err)
		}
		var stdout bytes.Buffer
		e := newExaminer(s, w, &http.Client{Transport: c.broken}, &stdout)
		d := *s.destinations[0]
		d.Presigned = strings.HasPrefix(name, "presigned: ")
		e.examine(context.Background(), &d)
		var failed []string
		for line := range strings.SplitSeq(stdout.String(), "\n") {
			if strings.HasPrefix(line, "✗ ") {
				failed = append(failed, line)
			}
		}
		if len(failed) != e.failed || (len(failed) > 0) != (len(c.want) > 0) || len(failed) > max(len(c.want), 1) {
			t.Errorf("%s: %d failed\n%s", name, e.failed, &stdout)
		}
		for _, want := range c.want {
			if !strings.Contains(strings.Join(failed, "\n"), want) {
				t.Errorf("%s: no failure says %q:\n%s", name, want, &stdout)
			}
		}
		if strings.Contains(stdout.String(), os.Getenv("AWS_SECRET_ACCESS_KEY")) {
			t.Errorf("%s: it prints a secret", name)
		}
		nothingLeft(t, r, root)
	}
}

// lifecycleOf is a store whose bucket has some rules.
func lifecycleOf(rules string) broken {
	return func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		if r.Method == http.MethodGet && r.URL.Query().Has("lifecycle") {
			return answer(r, http.StatusOK, "<LifecycleConfiguration>"+rules+"</LifecycleConfiguration>"), nil
		}
		return next(r)
	}
}

// redirecting is a store that stores an object with a redirect that nobody has signed.
func redirecting() broken {
	const header = "X-Amz-Website-Redirect-Location"
	redirects := false
	return func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		if r.Method == http.MethodPut {
			redirects = r.Header.Get(header) != ""
			r = r.Clone(r.Context())
			r.Header.Del(header)
		}
		reply, err := next(r)
		if err == nil && r.Method == http.MethodGet && redirects {
			reply.Header.Set(header, "https://chunksign.invalid/")
		}
		return reply, err
	}
}

// ignorant is an STS that does not know session policies: it asks the real one without.
type ignorant struct {
	*sts.Client
	role string
}

func ownSTS(s selected) ignorant {
	store := s.Stores[0]
	return ignorant{sts.New(sts.Options{Region: store.Region, BaseEndpoint: aws.String(store.STS.Endpoint),
		Credentials: credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), "")}), store.STS.RoleARN}
}

func (i ignorant) unlimited(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	out, err := i.AssumeRole(r.Context(), &sts.AssumeRoleInput{RoleArn: aws.String(i.role), RoleSessionName: aws.String(form.Get("RoleSessionName"))})
	if err != nil {
		return nil, err
	}
	c := out.Credentials
	return answer(r, http.StatusOK, fmt.Sprintf(`<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
		*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken, c.Expiration.UTC().Format(time.RFC3339))), nil
}
