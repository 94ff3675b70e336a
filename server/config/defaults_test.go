package config

import (
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/server/allow"
	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/policy"
)

const inheriting = `auth: { dev: true }
stores: { media: { region: eu-west-1, sts: { role_arn: "arn:aws:iam::123456789012:role/uploads", duration: 1h } } }
defaults:
  store: media
  bucket: my-media
  content_length: 1B..50MiB
  grant_duration: 3d
  rate: 30/m
  content_types: [image/*]
  acl: private
  webhook: { url: "https://app.example.com/hook" }
destinations:
  plain: { key: "plain/{uuid}" }
  own: { key: "own/{uuid}", content_length: 1KiB..1GiB, duration: 2h, rate: 1/s, acl: bucket-owner-full-control, content_types: any }
`

func parse(text string) (*Config, error) {
	return Parse("c.yaml", []byte(text), noFiles, nil, allow.Compile, policy.Session)
}

func TestDefaults(t *testing.T) {
	c, err := parse(inheriting)
	if err != nil {
		t.Fatal(err)
	}
	plain, own := c.Destinations[0], c.Destinations[1]
	if plain.Store != c.Stores[0] || plain.Bucket != "my-media" || plain.MinSize != 1 || plain.MaxSize != 50<<20 || plain.Duration != time.Hour || plain.GrantDuration != 72*time.Hour ||
		plain.Rate != (destination.Rate{Count: 30, Per: time.Minute}) || plain.Object.ACL != "private" || plain.Webhook == nil || len(plain.ContentTypes) != 1 {
		t.Errorf("%+v", plain)
	}
	if own.Bucket != "my-media" || own.MinSize != 1<<10 || own.MaxSize != 1<<30 || own.Duration != 2*time.Hour || own.Rate != (destination.Rate{Count: 1, Per: time.Second}) || own.Webhook == nil || own.Object.ACL != "bucket-owner-full-control" || own.ContentTypes != nil {
		t.Errorf("%+v", own)
	}
}

func TestTheBudgetOfPolicies(t *testing.T) {
	with := func(key, more string) string {
		return strings.NewReplacer(`"plain/{uuid}"`, `"`+key+`"`+more, "\n  own:", "\n  # own:").Replace(inheriting)
	}
	for key, want := range map[string]string{
		"plain/{uuid}":                                                     "",
		"photos/{user}/{uuid}/{filename}":                                  "",
		"{claims.a}/{claims.b}/{user}/{uuid}/{filename}":                   "",
		"{user}/{uuid}/{basename}/{basename}/{filename}":                   "13:17: with the longest names an upload to plain is refused: the session policy for this object's key would have ",
		"{user}-{claims.a}-{filename}":                                     "13:17: with the longest names an upload to plain is refused: a segment of the object's key would have more than 200 bytes",
		"{basename}/{basename}/{basename}/{basename}/{basename}/{ext}/big": "13:17: with the longest names an upload to plain is refused: the object's key would have more than 1,024 bytes",
		strings.Repeat("long/", 150) + "{basename}/{filename}":             "13:17: with the longest names",
	} {
		c, err := parse(with(key, ""))
		switch {
		case err != nil:
			t.Errorf("%s: %v", key, err)
		case want == "" && len(c.Warnings) > 0 || want != "" && (len(c.Warnings) != 1 || !strings.HasPrefix(c.Warnings[0].String(), "c.yaml:"+want)):
			t.Errorf("%s: %v; want %s", key, c.Warnings, want)
		}
	}
	// One session for the prefix does not name the file.
	if c, err := parse(with("{claims.a}/{user}/{basename}/{basename}/{filename}", ", scope: prefix")); err != nil || len(c.Warnings) > 0 {
		t.Errorf("%v, %v", c, err)
	}
}
