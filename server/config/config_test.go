package config

import (
	"crypto"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/server/allow"
	"github.com/chunksign/chunksign/server/destination"
)

const good = `
server: { listen: 127.0.0.1:8080, origins: [https://app.example.com, "http://localhost:3000"] }
auth: { jwt: { issuer: https://id.example.com, audience: uploads, jwks_url: https://id.example.com/keys, cookie: session } }
stores:
  media: { region: eu-west-1, sts: { role_arn: "arn:aws:iam::123456789012:role/uploads", external_id: x, duration: 1h } }
  minio: { region: us-east-1, endpoint: http://10.0.0.1:9000, sts: { role_arn: "arn:minio:iam:::role/dummy-internal" } }
destinations:
  photos:
    store: media
    bucket: my-media
    key: "photos/{user}/{uuid}/{filename}"
    content_types: [image/*, application/pdf]
    content_length: 1B..50MiB
    scope: prefix
    read: owner
    acl: private
    cache_control: max-age=60
    metadata: { app: demo }
    tags: { team: blue }
    server_side_encryption: aws:kms
    kms_key_id: arn:aws:kms:eu-west-1:123456789012:key/11111111-2222
    storage_class: STANDARD_IA
  raw:
    store: minio
    bucket: raw
    key: "{uuid}"
    content_length: 0..5GiB
    duration: 12h
    grant_duration: 30d
    overwrite: true
`

func noFiles(string) ([]byte, error) { return nil, errors.New("no such file") }

func TestAGoodConfiguration(t *testing.T) {
	c, err := Parse("c.yaml", []byte(good), noFiles, nil, allow.Compile, nil)
	if err != nil {
		t.Fatal(err)
	}
	photos, raw := c.Destinations[0], c.Destinations[1]
	for what, ok := range map[string]bool{
		"listen":         c.Listen == "127.0.0.1:8080",
		"origins":        strings.Join(c.Origins, " ") == "https://app.example.com http://localhost:3000",
		"jwt":            c.Auth.JWT.Issuer == "https://id.example.com" && c.Auth.JWT.Cookie == "session" && !c.Auth.Dev,
		"AWS":            photos.Store.AWS() && photos.Store.DeletesIfMatch && photos.Store.BaseURL() == "https://s3.eu-west-1.amazonaws.com",
		"virtual":        photos.Store.AddressingOf("my-media") == "virtual" && photos.Store.AddressingOf("a.b") == "path" && photos.Store.Origin("my-media") == "https://my-media.s3.eu-west-1.amazonaws.com",
		"store duration": photos.Duration == time.Hour && photos.GrantDuration == 7*24*time.Hour,
		"MinIO":          !raw.Store.AWS() && !raw.Store.DeletesIfMatch && raw.Store.STS.Endpoint == "http://10.0.0.1:9000" && raw.Store.AddressingOf("raw") == "path",
		"limits":         photos.MinSize == 1 && photos.MaxSize == 50<<20 && raw.MinSize == 0 && raw.MaxSize == 5<<30,
		"scope":          photos.Scope == destination.ScopePrefix && raw.Scope == destination.ScopeObject,
		"safe":           !photos.Overwrite && photos.ReadOwner && !raw.ReadOwner && raw.Object.ACL == "",
		"durations":      raw.Duration == 12*time.Hour && raw.GrantDuration == 30*24*time.Hour,
		"settings":       photos.Object.Metadata["app"] == "demo" && photos.Object.Tags["team"] == "blue" && photos.Object.KMSKeyID != "" && photos.Object.StorageClass == "STANDARD_IA",
		"the warning":    len(c.Warnings) == 1 && strings.HasPrefix(c.Warnings[0].String(), "c.yaml:6:41: endpoint is not encrypted"),
	} {
		if !ok {
			t.Errorf("%s is not as the file says: %+v", what, c)
		}
	}
}

// signIn is the good file with another way to sign in, in lines 3 and 4.
func signIn(t *testing.T, auth string) (*Config, error) {
	t.Helper()
	begin, end := strings.Index(good, "auth:"), strings.Index(good, "stores:")
	return Parse("c.yaml", []byte(good[:begin]+"auth:\n  "+auth+"\n"+good[end:]), noFiles, nil, allow.Compile, nil)
}

func TestWaysToSignIn(t *testing.T) {
	c, err := signIn(t, `headers: { from: [10.0.0.0/8, "fd00::/8", 192.168.1.2], claims: { email: X-Forwarded-Email }, lists: { groups: X-Forwarded-Groups } }`)
	if err != nil {
		t.Fatal(err)
	}
	if h := c.Auth.Headers; len(h.From) != 3 || h.From[2].String() != "192.168.1.2/32" || h.User != "X-Forwarded-User" || h.Claims["email"] != "X-Forwarded-Email" || h.Lists["groups"] != "X-Forwarded-Groups" {
		t.Errorf("%+v", h)
	}
	if c, err = signIn(t, "forward: { url: http://app/whoami, cookie: sessionid, user: id }"); err != nil {
		t.Fatal(err)
	}
	if f := c.Auth.Forward; *f != (Forward{"http://app/whoami", "sessionid", "id"}) || len(c.Warnings) != 2 || !strings.HasPrefix(c.Warnings[0].String(), "c.yaml:4:19: url is not encrypted") {
		t.Errorf("%+v, %v", f, c.Warnings)
	}
	if c, err = signIn(t, "forward: { url: http://127.0.0.1:8000/whoami }"); err != nil || c.Auth.Forward.User != "sub" || len(c.Warnings) != 1 {
		t.Errorf("%v", err)
	}
	if c, err = signIn(t, "oidc: { issuer: https://id.example.com, audience: uploads }"); err != nil {
		t.Fatal(err)
	}
	if j := c.Auth.JWT; j.Leeway != 30*time.Second || j.JWKSURL != "" || len(j.Keys) > 0 || j.Issuer != "https://id.example.com" {
		t.Errorf("%+v", j)
	}
	if c, err = signIn(t, "oidc: { issuer: https://id.example.com, audience: uploads, leeway: 0s, cookie: token }"); err != nil || c.Auth.JWT.Leeway != 0 || c.Auth.JWT.Cookie != "token" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestNobodySignsIn(t *testing.T) {
	open := strings.NewReplacer("{user}/{uuid}", "{uuid}", "scope: prefix", "rate: 30/m", "overwrite: true", "rate: 1/s").Replace(good)
	begin, end := strings.Index(open, "auth:"), strings.Index(open, "stores:")
	c, err := Parse("c.yaml", []byte(open[:begin]+"auth: { anonymous: true }\n"+open[end:]), noFiles, nil, allow.Compile, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Auth.Anonymous || c.Destinations[0].Rate != (destination.Rate{Count: 30, Per: time.Minute}) || c.Destinations[1].Rate != (destination.Rate{Count: 1, Per: time.Second}) {
		t.Errorf("%+v", c)
	}
}

func TestDevIsForThisMachine(t *testing.T) {
	jwt := good[strings.Index(good, "auth:"):strings.Index(good, "stores:")]
	dev := strings.Replace(good, jwt, "auth: { dev: true }\n", 1)
	if c, err := Parse("c.yaml", []byte(dev), noFiles, nil, allow.Compile, nil); err != nil || !c.Auth.Dev {
		t.Errorf("on loopback: %v", err)
	}
}

func TestKeysFromAFile(t *testing.T) {
	text := strings.Replace(good, "jwks_url: https://id.example.com/keys", "key_file: id.pem", 1)
	open := func(name string) ([]byte, error) { return []byte(name), nil }
	c, err := Parse("c.yaml", []byte(text), open, func(data []byte) ([]crypto.PublicKey, error) {
		if string(data) != "id.pem" {
			t.Errorf("it asks for %q", data)
		}
		return []crypto.PublicKey{ed25519.PublicKey(make([]byte, 32))}, nil
	}, nil, nil)
	if err != nil || len(c.Auth.JWT.Keys) != 1 {
		t.Errorf("%v", err)
	}
}
