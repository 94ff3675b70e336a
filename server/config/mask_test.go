package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/chunksign/chunksign/server/allow"
	"github.com/chunksign/chunksign/server/policy"
)

// sample makes a secret's bytes, the same for the same seed.
func sample(seed string, n int) []byte {
	b, x := make([]byte, n), uint32(2166136261)
	for i := range b {
		x = (x ^ uint32(seed[i%len(seed)]) ^ uint32(i)) * 16777619
		b[i] = byte(x >> 13)
	}
	return b
}

// misplaced are secrets of the kinds that people have, made up.
func misplaced() map[string]string {
	b64 := func(seed string, n int) string { return base64.StdEncoding.EncodeToString(sample(seed, n)) }
	url := func(seed string, n int) string { return base64.RawURLEncoding.EncodeToString(sample(seed, n)) }
	return map[string]string{
		"grant key":         "2026a:" + b64("grant", 32),
		"grant keys":        "2026a:" + b64("one", 32) + ",2026b:" + b64("two", 32),
		"webhook secret":    "whsec_" + b64("hook", 24),
		"AWS secret":        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		"AWS secret 2":      b64("aws", 30),
		"session token":     "IQoJb3JpZ2luX2VjE" + b64("session", 150),
		"JWT":               "eyJhbGciOiJIUzI1NiJ9." + url(`{"sub"`, 30) + "." + url("sig", 32),
		"bearer":            "Bearer " + url("bearer", 24),
		"basic":             "Basic " + b64("basic", 15),
		"hex":               fmt.Sprintf("%x", sample("hex", 16)),
		"hex upper":         fmt.Sprintf("%X", sample("HEX", 32)),
		"base64url":         url("url", 32),
		"short random":      url("short", 15),
		"redis URL":         "redis://:hunter2hunter2@cache.example.com:6379",
		"https userinfo":    "https://user:correct-horse-battery@id.example.com",
		"query token":       "https://app.example.com/hook?token=correct-horse-battery",
		"presigned":         "https://s3.example.com/b/k?X-Amz-Signature=" + fmt.Sprintf("%x", sample("signature", 32)),
		"GitHub token":      "ghp_" + strings.ReplaceAll(url("hub", 27), "-", "a"),
		"Stripe key":        "sk_live_abcdefghijklmnopqrst",
		"UUID":              "3f2a9c1e-7b64-4d0a-9e5f-81c2d3a4b5f6",
		"PEM":               "-----BEGIN PRIVATE KEY-----\\n" + b64("pem", 48) + "\\n" + b64("pem2", 9) + "\\n-----END PRIVATE KEY-----",
		"AWS secret padded": " wJalrXUtnFEMI+K7MDENG+bPxRfiCYEXAMPLEKEY ",
	}
}

// places are where a secret, SECRET, may be written; each of these files has a mistake there.
var places = map[string]string{
	"unknown option":         "auth: { dev: true }\nserver: { grant_keys: \"SECRET\" }\n",
	"option below":           "auth: { dev: true }\nserver:\n  webhook: \"SECRET\"\n",
	"unknown key":            "auth: { dev: true }\nserver: { \"SECRET\": x }\n",
	"key twice":              "auth: { dev: true }\nstores: { \"SECRET\": { region: x }, \"SECRET\": { region: x } }\n",
	"listen":                 "server: { listen: \"SECRET\" }\n",
	"origin":                 "server: { origins: [\"SECRET\"] }\n",
	"origins":                "server: { origins: \"SECRET\" }\n",
	"proxies":                "server: { proxies: [\"SECRET\"] }\n",
	"redis":                  "server: { redis: \"SECRET\" }\n",
	"dev":                    "auth: { dev: \"SECRET\" }\n",
	"jwks_url":               "auth: { jwt: { issuer: a, audience: b, jwks_url: \"SECRET\" } }\n",
	"jwks_url over http":     "auth: { jwt: { issuer: a, audience: b, jwks_url: \"http://a.example.com/SECRET\" } }\n",
	"key_file":               "auth: { jwt: { issuer: a, audience: b, key_file: \"SECRET\" } }\n",
	"cookie":                 "auth: { jwt: { issuer: a, audience: b, jwks_url: 'https://a', cookie: \"SECRET\\n\" } }\n",
	"header":                 "auth: { headers: { from: [10.0.0.1], user: \"SECRET!\" } }\n",
	"leeway":                 "auth: { oidc: { issuer: 'https://a', audience: b, leeway: \"SECRET\" } }\n",
	"region":                 "stores: { s: { region: \"SECRET\" } }\n",
	"endpoint":               "stores: { s: { region: r, endpoint: \"SECRET\" } }\n",
	"role":                   "stores: { s: { region: r, sts: { role_arn: \"SECRET\" } } }\n",
	"role, folded":           "stores: { s: { region: r, sts: { role_arn: \"SECRET\n     x\" } } }\n",
	"secret_access_key":      "stores: { s: { region: r, secret_access_key: \"SECRET\" } }\n",
	"a store's name":         "stores: { \"SECRET\": { region: r, x: y } }\n",
	"a destination's name":   "destinations: { \"SECRET\": { store: s } }\n",
	"store":                  "destinations: { d: { store: \"SECRET\" } }\n",
	"bucket":                 "destinations: { d: { bucket: \"SECRET\" } }\n",
	"key":                    "destinations: { d: { key: \"{SECRET}\" } }\n",
	"rule":                   "destinations: { d: { allow: \"SECRET\" } }\n",
	"rule, a text":           "destinations: { d: { allow: \"claims.key == SECRET && usr\" } }\n",
	"rule in a block":        "destinations:\n  d:\n    allow: |\n      user == SECRET\n      || user = 1\n",
	"content type":           "destinations: { d: { content_types: [\"SECRET\"] } }\n",
	"content length":         "destinations: { d: { content_length: \"SECRET\" } }\n",
	"rate":                   "destinations: { d: { rate: \"SECRET\" } }\n",
	"duration":               "destinations: { d: { duration: \"SECRET\" } }\n",
	"kms":                    "destinations: { d: { kms_key_id: \"SECRET\" } }\n",
	"metadata":               "destinations: { d: { metadata: { \"SECRET\": x } } }\n",
	"tags":                   "destinations: { d: { tags: { \"a!\": \"SECRET\" } } }\n",
	"webhook":                "destinations: { d: { webhook: { url: \"SECRET\" } } }\n",
	"webhook's secret":       "destinations: { d: { webhook: { url: 'https://a', secret: \"SECRET\" } } }\n",
	"flag":                   "destinations: { d: { overwrite: \"SECRET\" } }\n",
	"enumeration":            "destinations: { d: { acl: \"SECRET\" } }\n",
	"bounds":                 "bounds: { duration: \"SECRET\" }\n",
	"not YAML after":         "server: { x: \"SECRET\", ]\n",
	"not YAML before":        "server: [ \"SECRET\" \n  x: }\n",
	"an alias":               "server: { x: \"SECRET\", y: *SECRET }\n",
	"a tag":                  "server: { x: !<SECRET x }\n",
	"an open quote":          "server: { x: \"SECRET\n",
	"no space after colon":   "server:\n  grant_keys:\"SECRET\"\n  x: y\n",
	"a tab":                  "server:\n\tx: \"SECRET\"\n",
	"a list under a name":    "server:\n  password:\n    - \"SECRET\"\n    - [\n",
	"a second document":      "server: { }\n--- \"SECRET\"\n",
	"a plain list of tokens": "auth: [\"SECRET\"]\n",
	"text for a mapping":     "auth: \"SECRET\"\n",
	"single quotes":          "server: { y: 'SECRET', z: w }\n",
}

// Whatever the secret and wherever it stands, nothing that is printed holds eight characters of it in a row.
func TestNoSecretIsPrinted(t *testing.T) {
	leaks, tried := 0, 0
	for what, secret := range misplaced() {
		for where, file := range places {
			tried++
			text := strings.ReplaceAll(file, "SECRET", secret)
			c, err := Parse("f", []byte(text), noFiles, nil, allow.Compile, policy.Session)
			var mistakes Mistakes
			if !errors.As(err, &mistakes) {
				t.Errorf("%s at %s: no mistake: %v, %v", what, where, c, err)
				continue
			}
			var printed strings.Builder
			for _, m := range mistakes {
				printed.WriteString(m.String() + "\n" + m.Pointed())
			}
			if run := leaked(printed.String(), secret); run != "" {
				if leaks++; leaks < 20 {
					t.Errorf("%s at %s: %q in\n%s", what, where, run, printed.String())
				}
			}
		}
	}
	if t.Logf("%d of %d leaked", leaks, tried); leaks > 0 {
		t.Errorf("%d of %d leaked", leaks, tried)
	}
}

// leaked gives eight characters in a row of a secret that a text holds, but for what is none: a URL's host, a PEM's frame.
func leaked(text, secret string) string {
	for _, known := range []string{"redis://:", "@cache.example.com:6379", "https://user:", "@id.example.com", "https://app.example.com/hook?token=", "https://s3.example.com/b/k?X-Amz-Signature=",
		"-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "\\n", "2026a:", "2026b:", "Bearer ", "Basic "} {
		secret = strings.ReplaceAll(secret, known, "\x00")
	}
	text = strings.ToLower(text)
	for part := range strings.SplitSeq(strings.ToLower(secret), "\x00") {
		for i := 0; i+8 <= len(part); i++ {
			if strings.Contains(text, part[i:i+8]) {
				return part[i : i+8]
			}
		}
	}
	return ""
}

// A password of a URL is no secret of a known form once it has a character that belongs into a URL's other parts.
func TestPasswordsThatBreakTheirURL(t *testing.T) {
	for _, url := range []string{
		"redis://u:hunter2/hunter2@h:6379", "redis://u:hunter2?hunter2@h", "redis://u:hunter2#hunter2@h", "redis://u:hunter2 hunter2@h",
		"redis://u:hunter2@hunter2@h", "redis://u:hunter2,hunter2@h", "redis://u:it's hunter2@h", "u:hunter2@h:6379", "u:hunter2/hunter2@h", "//u:hunter2@h",
	} {
		for _, file := range []string{"server: { redis: \"SECRET\" }\n", "auth: { jwt: { issuer: \"SECRET\", audience: b, jwks_url: \"SECRET\" } }\n",
			"stores: { s: { region: r, endpoint: \"SECRET\" } }\n", "server: { \"SECRET\": x }\n"} {
			neverPrinted(t, strings.ReplaceAll(file, "SECRET", url), "hunter2")
		}
	}
}

// A short password looks like nothing; it is known by the name that it stands under.
func TestNamesOfSecrets(t *testing.T) {
	for _, name := range []string{"pass", "redis_pass", "passphrase", "pass phrase", "pass-word", "hmac", "hmac_key", "encryption_key", "sse_customer_key",
		"account_key", "sharedKey", "master_key", "sk", "salt", "pin", "PASS"} {
		for _, file := range []string{"server: { \"NAME\": 'hunter2' }\n", "server:\n  'NAME': hunter2\n  x: [\n", "stores: { hunter2: 3, s: { 'NAME': hunter2 } }\n",
			"destinations: { d: { allow: \"claims['NAME'] == 'hunter2' &&\" } }\n", "server: 3 # NAME = hunter2\n"} {
			neverPrinted(t, strings.ReplaceAll(file, "NAME", name), "hunter2")
		}
	}
}

func neverPrinted(t *testing.T, file, secret string) {
	t.Helper()
	_, err := Parse("f", []byte(file), noFiles, nil, allow.Compile, policy.Session)
	var mistakes Mistakes
	if !errors.As(err, &mistakes) {
		t.Errorf("%s: no mistake: %v", file, err)
	}
	for _, m := range mistakes {
		if printed := m.String() + "\n" + m.Pointed(); strings.Contains(printed, secret) {
			t.Errorf("%s is printed of\n%s\n%s", secret, file, printed)
		}
	}
}

// What people write in earnest stays readable.
func TestWhatIsNoSecretIsShown(t *testing.T) {
	for _, text := range []string{
		"arn:aws:iam::123456789012:role/uploads", "arn:aws:iam::123456789012:role/service-role/uploads-prod-eu-west-1", "photos/{user}/{uuid}/{filename}",
		"https://id.example.com/realms/main/protocol/openid-connect", "'staff' in claims.groups && file.size < 100 * 1024 * 1024", "key_file: keys.pem", "cookie: session", "external_id: chunksign-prod",
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "server_side_encryption: aws:kms", "there are store, bucket, allow, rate and others", "https://bucket.s3.eu-west-1.amazonaws.com",
		"S3_STORAGE_BUCKET_NAME", "max-age=31536000, immutable", "2001:db8:1111:2222:3333:4444:5555:6666", "arn:minio:iam:::role/dummy-internal", "image/svg+xml", "this-is-a-rather-long-bucket-name-of-the-media-team-2026",
		"email.endsWith('@example.com') ? file.size < 10 : false", "key: photos/{uuid}", "kms_key_id: alias/x", "skin: red", "a: https://a.example.com, b: user@b.example.com",
	} {
		if got := Mask(text); got != text {
			t.Errorf("%s: %s", text, got)
		}
	}
}
