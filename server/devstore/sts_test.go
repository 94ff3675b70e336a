package devstore

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func TestAssumeRole(t *testing.T) {
	s := start(t, nil)
	ctx := context.Background()
	root := stsClient(s, s.Credentials())

	before := time.Now()
	out, err := root.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String(s.RoleARN()), RoleSessionName: aws.String("alice@example.com"),
		DurationSeconds: aws.Int32(43200), Policy: aws.String(policyFor(uploadRights, "arn:aws:s3:::media/名前.bin"))})
	if err != nil {
		t.Fatal(err)
	}
	if id := aws.ToString(out.Credentials.AccessKeyId); !strings.HasPrefix(id, "ASIA") || len(id) != 20 {
		t.Errorf("access key id %q", id)
	}
	if ends := out.Credentials.Expiration; ends.Before(before.Add(12*time.Hour-time.Second)) || ends.After(time.Now().Add(12*time.Hour)) {
		t.Errorf("it ends at %v, want 12 hours from now", ends)
	}
	//lint:ignore SA1019 clients made before SessionTokenUtilization read it
	if p := aws.ToInt32(out.PackedPolicySize); p < 1 || p > 100 {
		t.Errorf("PackedPolicySize %d", p)
	}

	who, err := root.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil || aws.ToString(who.Arn) != "arn:aws:iam::000000000000:root" {
		t.Errorf("root is %v, %v", who, err)
	}
	session := stsClient(s, aws.Credentials{AccessKeyID: *out.Credentials.AccessKeyId, SecretAccessKey: *out.Credentials.SecretAccessKey, SessionToken: *out.Credentials.SessionToken})
	who, err = session.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil || aws.ToString(who.Arn) != "arn:aws:sts::000000000000:assumed-role/chunksign-uploads/alice@example.com" ||
		aws.ToString(who.Arn) != aws.ToString(out.AssumedRoleUser.Arn) {
		t.Errorf("the session is %v, %v", who, err)
	}
	_, err = session.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String(s.RoleARN()), RoleSessionName: aws.String("again")})
	wantRefusal(t, "AssumeRole by a session", err, "AccessDenied", 403)
}

func TestAssumeRoleRefuses(t *testing.T) {
	s := start(t, nil)
	fits := policyFor(uploadRights, "arn:aws:s3:::media/x")
	padded := func(n int) *string { return aws.String(fits + strings.Repeat(" ", n-len(fits))) }
	var noise strings.Builder // 256 kinds of Latin-1 letters, two bytes each, that do not pack
	for i, x := 0, uint32(1); i < 1850; i++ {
		x = x*1664525 + 1013904223
		noise.WriteRune(rune(0xa1 + x>>24%0x5f))
	}
	for _, tt := range []struct {
		name   string
		change func(*sts.AssumeRoleInput)
		code   string
		status int
	}{
		{"nothing wrong", func(*sts.AssumeRoleInput) {}, "", 0},
		{"a policy of 2,048 characters", func(in *sts.AssumeRoleInput) { in.Policy = padded(2048) }, "", 0},
		{"a policy of 2,049 characters", func(in *sts.AssumeRoleInput) { in.Policy = padded(2049) }, "ValidationError", 400},
		{"a policy outside Latin-1", func(in *sts.AssumeRoleInput) { in.Policy = aws.String(strings.Replace(fits, "/x", "/名", 1)) }, "ValidationError", 400},
		{"a policy that does not pack", func(in *sts.AssumeRoleInput) {
			in.Policy = aws.String(strings.Replace(fits, "/x", "/"+noise.String(), 1))
		}, "PackedPolicyTooLarge", 400},
		{"a policy that is not JSON", func(in *sts.AssumeRoleInput) { in.Policy = aws.String("allow everything") }, "MalformedPolicyDocument", 400},
		{"a policy with a principal", func(in *sts.AssumeRoleInput) {
			in.Policy = aws.String(strings.Replace(fits, `"Effect"`, `"Principal":"*","Effect"`, 1))
		}, "MalformedPolicyDocument", 400},
		{"a policy that names a key twice", func(in *sts.AssumeRoleInput) {
			in.Policy = aws.String(strings.Replace(fits, `"Effect":"Allow"`, `"Effect":"Deny","Effect":"Allow"`, 1))
		}, "MalformedPolicyDocument", 400},
		{"899 seconds", func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(899) }, "ValidationError", 400},
		{"43,201 seconds", func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(43201) }, "ValidationError", 400},
		{"a session name with a slash", func(in *sts.AssumeRoleInput) { in.RoleSessionName = aws.String("a/b") }, "ValidationError", 400},
		{"a session name of one character", func(in *sts.AssumeRoleInput) { in.RoleSessionName = aws.String("a") }, "ValidationError", 400},
		{"another role", func(in *sts.AssumeRoleInput) { in.RoleArn = aws.String("arn:aws:iam::000000000000:role/admin") }, "AccessDenied", 403},
		{"a parameter we do not know", func(in *sts.AssumeRoleInput) { in.ExternalId = aws.String("id") }, "ValidationError", 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := &sts.AssumeRoleInput{RoleArn: aws.String(s.RoleARN()), RoleSessionName: aws.String("alice"), DurationSeconds: aws.Int32(900), Policy: &fits}
			tt.change(in)
			_, err := stsClient(s, s.Credentials()).AssumeRole(context.Background(), in)
			if tt.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantRefusal(t, "AssumeRole", err, tt.code, tt.status)
		})
	}
}

func TestSTSCallers(t *testing.T) {
	at := time.Now()
	s := start(t, func(c *Config) { c.Now = func() time.Time { return at } })
	session := assume(t, s, "")
	stale := session
	stale.SessionToken = strings.ToUpper(stale.SessionToken)
	for _, tt := range []struct {
		name   string
		creds  aws.Credentials
		later  time.Duration
		code   string
		status int
	}{
		{"root", s.Credentials(), 0, "", 0},
		{"wrong secret", aws.Credentials{AccessKeyID: s.Credentials().AccessKeyID, SecretAccessKey: "wrong"}, 0, "SignatureDoesNotMatch", 403},
		{"nobody", aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wrong"}, 0, "InvalidClientTokenId", 403},
		{"an altered token", stale, 0, "InvalidClientTokenId", 403},
		{"an expired session", session, 16 * time.Minute, "ExpiredToken", 403},
		{"a clock ten minutes off", s.Credentials(), 10 * time.Minute, "SignatureDoesNotMatch", 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := at
			at = at.Add(tt.later)
			defer func() { at = now }()
			_, err := stsClient(s, tt.creds).GetCallerIdentity(context.Background(), &sts.GetCallerIdentityInput{})
			if tt.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantRefusal(t, "GetCallerIdentity", err, tt.code, tt.status)
		})
	}
}

// TestSTSRequests sends requests that no SDK would, each altered after it was signed correctly.
func TestSTSRequests(t *testing.T) {
	var log bytes.Buffer
	s := start(t, func(c *Config) {
		c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	const identity = "Action=GetCallerIdentity&Version=2011-06-15"
	for _, tt := range []struct {
		name, body string
		alter      func(*http.Request)
		status     int
		code       string
	}{
		{"unaltered", identity, func(*http.Request) {}, 200, "GetCallerIdentityResult"},
		{"not signed", identity, func(r *http.Request) { r.Header.Del("Authorization") }, 403, "MissingAuthenticationToken"},
		{"signed for another service", identity, func(r *http.Request) { replace(r, "/sts/", "/s3/") }, 400, "IncompleteSignature"},
		{"host not signed", identity, func(r *http.Request) { replace(r, ";host;", ";") }, 400, "IncompleteSignature"},
		{"signature cut", identity, func(r *http.Request) {
			r.Header.Set("Authorization", r.Header.Get("Authorization")[:200])
		}, 400, "IncompleteSignature"},
		{"another body", identity, func(r *http.Request) { setBody(r, "Action=AssumeRole&Version=2011-06-15") }, 403, "SignatureDoesNotMatch"},
		{"a signed header changed", identity, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 403, "SignatureDoesNotMatch"},
		{"an x-amz header added", identity, func(r *http.Request) { r.Header.Set("X-Amz-Extra", "1") }, 403, "AccessDenied"},
		{"a query", identity, func(r *http.Request) { r.URL.RawQuery = identity }, 400, "InvalidAction"},
		{"GET", identity, func(r *http.Request) { r.Method = "GET" }, 400, "InvalidAction"},
		{"another action", "Action=GetSessionToken&Version=2011-06-15", func(*http.Request) {}, 400, "InvalidAction"},
		{"another version", "Action=GetCallerIdentity&Version=2020-01-01", func(*http.Request) {}, 400, "InvalidAction"},
		{"too large a body", identity + "&X=" + strings.Repeat("x", maxForm), func(*http.Request) {}, 413, "RequestEntityTooLarge"},
		{"not a form", "%zz", func(*http.Request) {}, 400, "MalformedQueryString"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.NewRequest("POST", s.STSEndpoint()+"/", nil)
			if err != nil {
				t.Fatal(err)
			}
			setBody(r, tt.body)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Origin", testOrigin)
			if err := v4.NewSigner().SignHTTP(context.Background(), s.Credentials(), r, hexSHA256([]byte(tt.body)), "sts", s.Region(), time.Now()); err != nil {
				t.Fatal(err)
			}
			tt.alter(r)
			reply, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer reply.Body.Close()
			var body bytes.Buffer
			body.ReadFrom(reply.Body)
			if reply.StatusCode != tt.status || !strings.Contains(body.String(), tt.code) || !strings.Contains(body.String(), "<RequestId>") {
				t.Errorf("%d %s, want %d %s", reply.StatusCode, body.String(), tt.status, tt.code)
			}
			for name := range reply.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("the STS sends %s", name)
				}
			}
		})
	}
	assume(t, s, "")
	if !strings.Contains(log.String(), "action=AssumeRole") || !strings.Contains(log.String(), "code=MissingAuthenticationToken") {
		t.Errorf("the log misses calls: %s", log.String())
	}
	if strings.Contains(log.String(), s.Credentials().SecretAccessKey) {
		t.Error("the log holds the root secret")
	}
}

// replace alters the Authorization header after signing.
func replace(r *http.Request, old, new string) {
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, new, 1))
}

func setBody(r *http.Request, body string) {
	fresh, err := http.NewRequest(r.Method, r.URL.String(), strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Body, r.ContentLength, r.GetBody = fresh.Body, fresh.ContentLength, fresh.GetBody
}

func TestKeysAreStableAndApart(t *testing.T) {
	a, err := deriveKeys(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	b, err := deriveKeys(testSecret)
	if err != nil || a.root != b.root {
		t.Errorf("the same secret gives %v and %v, %v", a.root.AccessKeyID, b.root.AccessKeyID, err)
	}
	if len(a.root.AccessKeyID) != 20 || len(a.root.SecretAccessKey) != 40 {
		t.Errorf("lengths %d and %d, want AWS's 20 and 40", len(a.root.AccessKeyID), len(a.root.SecretAccessKey))
	}
}
