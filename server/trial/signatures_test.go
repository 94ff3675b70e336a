package trial_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/devstore"
	"github.com/chunksign/chunksign/server/presign"
	"github.com/chunksign/chunksign/server/trial"
)

// place is a destination of a store, reached by a transport, and who signs for it.
func place(
	t *testing.T, store *devstore.Store, reached http.RoundTripper,
) (*destination.Destination, presign.Presigner) {
	t.Helper()
	key, err := destination.ParseTemplate("u/{uuid}/{filename}")
	if err != nil {
		t.Fatal(err)
	}
	own := store.Credentials()
	d := &destination.Destination{Name: "d", Bucket: "media", Key: key, Presigned: true,
		Store: &destination.Store{Name: "s", Region: store.Region(), Endpoint: store.Endpoint(),
			Client: &http.Client{Transport: reached}}}
	return d, presign.Presigner{Credentials: map[string]aws.CredentialsProvider{
		"s": credentials.NewStaticCredentialsProvider(own.AccessKeyID, own.SecretAccessKey, "")}}
}

func isPart(r *http.Request) bool { return r.URL.Query().Has("partNumber") }

// honouring is a store that honours the headers that honours says, and ignores all others.
func honouring(store *devstore.Store, honours func(r *http.Request, name string) bool) trip {
	return func(r *http.Request, next onward) (*http.Response, error) {
		if r.Method != http.MethodPut {
			return next(r)
		}
		q, err := resigned(store, r, func(name string) bool { return honours(r, name) })
		if err != nil {
			return nil, err
		}
		return next(q)
	}
}

// TestSignaturesAreTried holds a trial against stores each of which honours something
// that a presigned request does not sign, and against those of which it cannot be told.
func TestSignaturesAreTried(t *testing.T) {
	store := startStore(t)
	only := func(names ...string) trip {
		return honouring(store, func(_ *http.Request, name string) bool {
			return strings.Contains(" "+strings.Join(names, " ")+" ", " "+name+" ")
		})
	}
	straight := func(r *http.Request, next onward) (*http.Response, error) {
		return next(r)
	}
	// with is a store that ignores unsigned headers, but for what other does.
	with := func(other trip) trip {
		ignores := only()
		return func(r *http.Request, next onward) (*http.Response, error) {
			return other(r, func(r *http.Request) (*http.Response, error) { return ignores(r, next) })
		}
	}
	const refused = destination.SigningNotEnforced
	inParts := func(r *http.Request, name string) bool { return isPart(r) && name == "x-amz-copy-source" }
	all := func(*http.Request, string) bool { return true }
	for name, c := range map[string]struct {
		store trip
		code  destination.Code
		says  string
	}{
		"it refuses them":                          {straight, "", ""},
		"it refuses them, parts signed in headers": {straight, "", ""},
		"it ignores them":                          {only(), "", ""},
		"it honours them":                          {honouring(store, all), refused, "x-amz-copy-source, x-amz-copy-source-range"},
		"copies":                                   {only("x-amz-copy-source"), refused, "(x-amz-copy-source"},
		"copies into a part":                       {honouring(store, inParts), refused, "(x-amz-copy-source"},
		"tags":                                     {only("x-amz-tagging"), refused, "(x-amz-tagging)"},
		"a redirect":                               {only("x-amz-website-redirect-location"), refused, "(x-amz-website-redirect-location)"},
		"locks": {with(func(r *http.Request, next onward) (*http.Response, error) {
			switch {
			case r.URL.Query().Has("object-lock"):
				return answer(r, http.StatusOK, "<ObjectLockConfiguration/>"), nil
			case r.Header.Get("X-Amz-Object-Lock-Legal-Hold") != "":
				return answer(r, http.StatusBadRequest, "<Error><Code>InvalidArgument</Code></Error>"), nil
			}
			return next(r)
		}), refused, "(x-amz-object-lock-legal-hold)"},
		"a redirect beside a form": {with(besideForms()), refused, "(x-amz-website-redirect-location)"},
		"it has no forms": {with(func(r *http.Request, next onward) (*http.Response, error) {
			if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
				return answer(r, http.StatusNotImplemented, ""), nil
			}
			return next(r)
		}), "", ""},
		"a tar is unpacked": {with(func(r *http.Request, next onward) (*http.Response, error) {
			if r.Header.Get("X-Amz-Meta-Snowball-Auto-Extract") != "" {
				if err := unpack(store, r); err != nil {
					return nil, err
				}
				return answer(r, http.StatusOK, ""), nil
			}
			return next(r)
		}), refused, "(x-amz-meta-snowball-auto-extract)"},
		"it takes nothing signed": {func(r *http.Request, _ onward) (*http.Response, error) {
			return answer(r, http.StatusForbidden, "<Error><Code>AccessDenied</Code></Error>"), nil
		}, destination.StoreUnavailable, "403 AccessDenied to a presigned request, sent as it was signed"},
		"tags may not be read": {with(func(r *http.Request, next onward) (*http.Response, error) {
			if r.URL.Query().Has("tagging") {
				return answer(r, http.StatusForbidden, ""), nil
			}
			return next(r)
		}), destination.StoreUnavailable, "s3:GetObjectTagging"},
		"it does not answer": {func(*http.Request, onward) (*http.Response, error) {
			return nil, errors.New("no route to host")
		}, destination.StoreUnavailable, "no route to host"},
		"it fails": {func(r *http.Request, next onward) (*http.Response, error) {
			if r.Header.Get("X-Amz-Tagging") != "" {
				return answer(r, http.StatusServiceUnavailable, ""), nil
			}
			return next(r)
		}, destination.StoreUnavailable, "with x-amz-tagging: the store replied 503"},
	} {
		t.Run(name, func(t *testing.T) {
			d, signer := place(t, store, c.store)
			d.Store.SignsInHeaders = strings.Contains(name, "in headers")
			err := trial.NewSignatures(signer, nil, time.Now).Enforces(t.Context(), d)
			var got *destination.Error
			switch {
			case c.code == "":
				if err != nil {
					t.Error(err)
				}
			case !errors.As(err, &got) || got.Code != c.code || !strings.Contains(got.Error(), c.says):
				t.Errorf("%v; want %s with %q", err, c.code, c.says)
			case strings.Contains(err.Error(), "Signature="):
				t.Errorf("a signature is in %v", err)
			}
			if keys := left(t, store); len(keys) > 0 {
				t.Errorf("it left %v", keys)
			}
		})
	}
}

// besideForms is a store that takes a redirect from a header beside a form.
func besideForms() trip {
	const header = "X-Amz-Website-Redirect-Location"
	redirects := atomic.Bool{}
	return func(r *http.Request, next onward) (*http.Response, error) {
		if r.Method == http.MethodPost && !r.URL.Query().Has("uploads") {
			redirects.Store(r.Header.Get(header) != "")
			r = r.Clone(r.Context())
			for name := range r.Header {
				if name != "Content-Type" {
					r.Header.Del(name)
				}
			}
		}
		reply, err := next(r)
		if err == nil && r.Method == http.MethodGet && redirects.Load() {
			reply.Header.Set(header, "https://chunksign.invalid/")
		}
		return reply, err
	}
}

// unpack does as MinIO does: it puts what is in a tar.
func unpack(store *devstore.Store, r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	files := tar.NewReader(bytes.NewReader(body))
	file, err := files.Next()
	if err != nil {
		return err
	}
	content, err := io.ReadAll(files)
	if err != nil {
		return err
	}
	at := store.Endpoint() + "/media/" + file.Name
	put, err := http.NewRequestWithContext(r.Context(), http.MethodPut, at, bytes.NewReader(content))
	if err != nil {
		return err
	}
	if put, err = resigned(store, put, func(string) bool { return false }); err != nil {
		return err
	}
	reply, err := http.DefaultTransport.RoundTrip(put)
	if err == nil {
		reply.Body.Close()
	}
	return err
}

// TestOneTrialServesAll has many callers wait for one trial, the first of whom leaves.
func TestOneTrialServesAll(t *testing.T) {
	store := startStore(t)
	var begun atomic.Int32
	refuses := atomic.Bool{}
	d, signer := place(t, store, trip(func(r *http.Request, next onward) (*http.Response, error) {
		if r.URL.Query().Has("uploads") {
			begun.Add(1)
		}
		if refuses.Load() {
			return answer(r, http.StatusForbidden, ""), nil
		}
		return next(r)
	}))
	now := time.Now()
	tries := trial.NewSignatures(signer, nil, func() time.Time { return now })
	gone, leave := context.WithCancel(t.Context())
	leave()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := tries.Enforces(gone, d); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	other := *d
	if other.Bucket = "other"; tries.Enforces(t.Context(), &other) == nil {
		t.Error("a bucket that there is not stands its trial")
	}
	if begun.Load() != 1 {
		t.Errorf("%d trials", begun.Load())
	}
	// What was found stands; what could not be told is tried again after a while.
	refuses.Store(true)
	now = now.Add(time.Minute)
	if err := tries.Enforces(t.Context(), d); err != nil {
		t.Error(err)
	}
	unknown := trial.NewSignatures(signer, nil, func() time.Time { return now })
	for range 2 {
		if unknown.Enforces(t.Context(), d) == nil {
			t.Error("a store that takes nothing stands its trial")
		}
	}
	if refuses.Store(false); unknown.Enforces(t.Context(), d) == nil {
		t.Error("it was tried again at once")
	}
	now = now.Add(time.Minute)
	d.Store.Client = nil
	if err := unknown.Enforces(t.Context(), d); err != nil {
		t.Error(err)
	}
	// AWS's own is not tried.
	aws := *d
	aws.Store = &destination.Store{Name: "aws", Region: "eu-west-1"}
	if err := tries.Enforces(t.Context(), &aws); err != nil {
		t.Error(err)
	}
}
