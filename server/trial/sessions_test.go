package trial_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/trial"
)

// TestSessionsAreTried holds a trial against stores that keep no session to its
// policy, each in a way of its own, and against those that cannot be told.
func TestSessionsAreTried(t *testing.T) {
	store := startStore(t)
	const inside, outside = "t/in", "t/out"
	narrow := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject","s3:ListMultipartUploadParts"],"Resource":["arn:aws:s3:::media/` + inside + `"]}]}`
	asks := 0
	straight := func(r *http.Request, next onward) (*http.Response, error) {
		asks++
		return next(r)
	}
	for name, c := range map[string]struct {
		store  trip
		policy string
		code   destination.Code
		says   string
	}{
		"it keeps to them":      {straight, narrow, "", ""},
		"policies are ignored":  {straight, allowAll, destination.SessionsNotKept, string(trial.AsItIs)},
		"the role lacks rights": {straight, strings.ReplaceAll(narrow, inside, "t/none"), destination.StoreUnavailable, "cannot be told"},
		"a changed token passes": {func(r *http.Request, next onward) (*http.Response, error) {
			reply, err := next(r)
			if err == nil && r.Method == http.MethodGet && reply.StatusCode == http.StatusBadRequest { // InvalidToken
				return answer(r, http.StatusNotFound, ""), nil
			}
			return reply, err
		}, narrow, destination.SessionsNotKept, string(trial.Changed)},
		"a session gets another": {func(r *http.Request, next onward) (*http.Response, error) {
			if r.Method != http.MethodPost {
				return next(r)
			}
			wide, err := sessionOf(store, "")
			if err != nil {
				return nil, err
			}
			reply := answer(r, http.StatusOK, "")
			reply.Header.Set("Content-Type", "text/xml")
			reply.Body = io.NopCloser(bytes.NewBufferString(`<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>` +
				wide.AccessKeyID + `</AccessKeyId><SecretAccessKey>` + wide.SecretAccessKey + `</SecretAccessKey><SessionToken>` + wide.SessionToken + `</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`))
			return reply, nil
		}, narrow, destination.SessionsNotKept, string(trial.Another)},
		"it does not answer": {func(r *http.Request, _ onward) (*http.Response, error) {
			return nil, errors.New("no route to host")
		}, narrow, destination.StoreUnavailable, "no route to host"},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Now()
			tries := trial.NewSessions(func() time.Time { return now })
			d := &destination.Destination{Name: "d", Bucket: "media", Store: &destination.Store{Name: "s", Region: store.Region(), Endpoint: store.Endpoint(), Client: &http.Client{Transport: c.store},
				STS: destination.STS{RoleARN: store.RoleARN(), Endpoint: store.STSEndpoint()}}}
			issued := 0
			keeps := func() error {
				return tries.Keeps(context.Background(), d, destination.Trial{Inside: inside, Outside: outside, Issue: func(context.Context) (destination.Session, error) {
					issued++
					c, err := sessionOf(store, c.policy)
					return destination.Session{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, err
				}})
			}
			for range 2 {
				var got *destination.Error
				switch err := keeps(); {
				case c.code == "":
					if err != nil {
						t.Error(err)
					}
				case !errors.As(err, &got) || got.Code != c.code || !strings.Contains(got.Error(), c.says):
					t.Errorf("%v; want %s with %q", err, c.code, c.says)
				}
			}
			if now = now.Add(time.Minute); keeps() == nil != (c.code == "") || issued != map[bool]int{true: 1, false: 2}[c.code == ""] {
				t.Errorf("%d sessions were tried", issued)
			}
			d.Store.STS.Trusted = true
			if err := keeps(); err != nil {
				t.Errorf("trusted: %v", err)
			}
		})
	}
	if seen := left(t, store); len(seen) > 0 || asks < 20 {
		t.Errorf("after %d requests there is %v", asks, seen)
	}
}
