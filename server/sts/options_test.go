package sts

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/chunksign/chunksign/server/destination"
)

// gives answers AssumeRole with credentials of a name.
func gives(name string) string {
	return fmt.Sprintf(`<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t-%s</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
		name, name, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
}

// asked is what an STS was asked, and by whose key.
type asked struct {
	form          url.Values
	authorization string
	host          string
}

// recording answers every AssumeRole and keeps what was asked.
func recording() (wire, func() []asked) {
	var mu sync.Mutex
	var all []asked
	return func(r *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			form, err := url.ParseQuery(string(body))
			if err != nil {
				return nil, err
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, asked{form, r.Header.Get("Authorization"), r.URL.Host})
			role := form.Get("RoleArn")
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(gives("ASIA" + role[strings.LastIndex(role, "/")+1:])))}, nil
		}, func() []asked {
			mu.Lock()
			defer mu.Unlock()
			return all
		}
}

func TestWhatSessionsCarry(t *testing.T) {
	w, seen := recording()
	i, s := faked(w, time.Now)
	s.STS.SourceIdentity = true
	session, err := i.Issue(context.Background(), destination.SessionRequest{Store: s, Principal: "auth0|é", Policy: policy, Duration: time.Hour, Tags: []destination.SetTag{{Name: "user", Value: "x=C3=A9"}, {Name: "app", Value: "a"}}})
	if err != nil || session.AccessKeyID != "ASIAuploads" {
		t.Fatal(session, err)
	}
	form := seen()[0].form
	for name, want := range map[string]string{
		"SourceIdentity": SessionName("auth0|é"), "RoleSessionName": SessionName("auth0|é"), "Tags.member.1.Key": "user", "Tags.member.1.Value": "x=C3=A9", "Tags.member.2.Key": "app", "Policy": policy, "DurationSeconds": "3600",
	} {
		if form.Get(name) != want {
			t.Errorf("%s is %q; want %q", name, form.Get(name), want)
		}
	}
}

// One session may serve two only if it carries the same.
func TestTagsTellSessionsApart(t *testing.T) {
	w, seen := recording()
	i, s := faked(w, time.Now)
	for _, team := range []string{"blue", "blue", "red"} {
		if _, err := i.Issue(context.Background(), destination.SessionRequest{Store: s, Principal: "alice", Policy: policy, Duration: time.Hour, Shared: true, Tags: []destination.SetTag{{Name: "team", Value: team}}}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(seen()); n != 2 {
		t.Errorf("%d sessions for two teams", n)
	}
}

// The server assumes the role in between once, and with that the store's role.
func TestVia(t *testing.T) {
	w, seen := recording()
	s := &destination.Store{Name: "s", Region: "us-east-1", STS: destination.STS{RoleARN: "arn:aws:iam::123456789012:role/uploads", Via: destination.VerifyRole{RoleARN: "arn:aws:iam::210987654321:role/gateway", ExternalID: "e"}, Region: "eu-central-1"}}
	i := New([]*destination.Store{s}, map[string]aws.CredentialsProvider{"s": credentials.NewStaticCredentialsProvider("AKIA", "secret", "")}, &http.Client{Transport: w}, time.Now)
	for range 2 {
		if _, err := i.Issue(context.Background(), destination.SessionRequest{Store: s, Principal: "alice", Policy: policy, Duration: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	all := seen()
	if len(all) != 3 {
		t.Fatalf("%d calls; want 3", len(all))
	}
	for n, want := range []struct{ role, key, policy, external string }{{"gateway", "AKIA/", "", "e"}, {"uploads", "ASIAgateway/", policy, ""}, {"uploads", "ASIAgateway/", policy, ""}} {
		a := all[n]
		if !strings.HasSuffix(a.form.Get("RoleArn"), "/"+want.role) || !strings.Contains(a.authorization, "Credential="+want.key) || a.form.Get("Policy") != want.policy || a.form.Get("ExternalId") != want.external ||
			a.host != "sts.eu-central-1.amazonaws.com" || !strings.Contains(a.authorization, "/eu-central-1/sts/") {
			t.Errorf("call %d is %+v", n, a)
		}
	}
}

// A store's own authority counts for its STS, and without it that is not asked.
func TestOwnAuthority(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, gives("ASIA")) }))
	defer server.Close()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})) {
		t.Fatal("no certificate")
	}
	for _, known := range []bool{true, false} {
		s := &destination.Store{Name: "s", Region: "us-east-1", Endpoint: server.URL, STS: destination.STS{RoleARN: "arn:aws:iam::123456789012:role/uploads", Endpoint: server.URL}}
		if known {
			s.Client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
		}
		i := New([]*destination.Store{s}, map[string]aws.CredentialsProvider{"s": credentials.NewStaticCredentialsProvider("AKIA", "secret", "")}, nil, time.Now)
		_, err := i.Issue(context.Background(), destination.SessionRequest{Store: s, Principal: "alice", Policy: policy, Duration: time.Hour})
		if (err == nil) != known {
			t.Errorf("known %v: %v", known, err)
		}
	}
}

// An STS that does not know an action is asked without it, from then on at once; other refusals stand.
func TestAnActionThatSTSDoesNotKnow(t *testing.T) {
	record, asked := recording()
	message := "unsupported action 's3:PutObjectAcl'"
	i, s := faked(func(r *http.Request) (*http.Response, error) {
		reply, err := record(r)
		if all := asked(); strings.Contains(all[len(all)-1].form.Get("Policy"), "PutObjectAcl") {
			body := `<ErrorResponse><Error><Code>InvalidParameterValue</Code><Message>` + message + `</Message></Error></ErrorResponse>`
			return &http.Response{StatusCode: http.StatusBadRequest, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
		}
		return reply, err
	}, time.Now)
	issue := func(narrower string) error {
		_, err := i.Issue(context.Background(), destination.SessionRequest{
			Store: s, Principal: "p", Policy: `{"a":"s3:PutObjectAcl"}`, Narrower: narrower, Duration: time.Hour,
		})
		return err
	}
	if err := issue(""); destination.OutcomeOf(err) != destination.StoreRefused {
		t.Errorf("without a narrower policy: %v", err)
	}
	for _, want := range []int{3, 4} {
		if err := issue(`{"a":"s3:PutObject"}`); err != nil || len(asked()) != want {
			t.Errorf("%v; STS was asked %d times, want %d", err, len(asked()), want)
		}
	}
	message = "MalformedPolicy"
	i.narrower.Clear()
	if err := issue(`{"a":"s3:PutObject"}`); destination.OutcomeOf(err) != destination.StoreRefused {
		t.Errorf("another refusal: %v", err)
	}
}
