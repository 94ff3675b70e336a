package devstore

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/wasm/sigv4"
)

// What EvaporateJS sends is taken with its own signature only.
func TestRequestsWhoseHashIsNotSigned(t *testing.T) {
	s := start(t, nil)
	c := assume(t, s, policyFor(uploadRights, "arn:aws:s3:::media/dir/a b"))
	endpoint, err := url.Parse(s.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	const body = "bytes"
	put := func(host, path, hash, signedHash string, at time.Time, change func(http.Header)) int {
		t.Helper()
		signer := sigv4.New(sigv4.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey}, s.Region())
		canonical := sigv4.CanonicalRequest(&sigv4.Request{Method: "PUT", Host: host, Path: path, PayloadHash: signedHash, Header: []sigv4.Param{
			{Name: "x-amz-date", Value: sigv4.Timestamp(at)}, {Name: "x-amz-security-token", Value: c.SessionToken},
		}})
		q, err := http.NewRequest("PUT", s.Endpoint()+sigv4.EscapePath("/media/dir/a b"), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+signer.Credential(at)+", SignedHeaders=host;x-amz-date;x-amz-security-token, Signature="+
			signer.Signature(sigv4.StringToSign(canonical, signer.Scope(at), at), at))
		q.Header.Set("X-Amz-Date", sigv4.Timestamp(at))
		q.Header.Set("X-Amz-Security-Token", c.SessionToken)
		q.Header.Set("X-Amz-Content-Sha256", hash)
		if change != nil {
			change(q.Header)
		}
		answer, err := http.DefaultTransport.RoundTrip(q)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	now, none, wrong := time.Now(), sigv4.UnsignedPayload, hexSHA256([]byte("other"))
	sum := hexSHA256([]byte(body))
	for what, got := range map[string][2]int{
		"unsigned body":               {put(endpoint.Host, "/media/dir/a b", none, none, now, nil), 200},
		"the host without its port":   {put(endpoint.Hostname(), "/media/dir/a b", none, none, now, nil), 200},
		"the body's hash":             {put(endpoint.Host, "/media/dir/a b", sum, sum, now, nil), 200},
		"another body's hash":         {put(endpoint.Host, "/media/dir/a b", wrong, wrong, now, nil), 400},
		"another hash than is signed": {put(endpoint.Host, "/media/dir/a b", none, sum, now, nil), 403},
		"another host":                {put("localhost", "/media/dir/a b", none, none, now, nil), 403},
		"another key":                 {put(endpoint.Host, "/media/dir/b", none, none, now, nil), 403},
		"an old request":              {put(endpoint.Host, "/media/dir/a b", none, none, now.Add(-time.Hour), nil), 403},
		"another header unsigned":     {put(endpoint.Host, "/media/dir/a b", none, none, now, func(h http.Header) { h.Set("X-Amz-Acl", "public-read") }), 403},
		"another date":                {put(endpoint.Host, "/media/dir/a b", none, none, now, func(h http.Header) { h.Set("X-Amz-Date", sigv4.Timestamp(now.Add(time.Second))) }), 403},
		"no token":                    {put(endpoint.Host, "/media/dir/a b", none, none, now, func(h http.Header) { h.Del("X-Amz-Security-Token") }), 403},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %d; want %d", what, got[0], got[1])
		}
	}
}
