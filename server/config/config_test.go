package config

import (
	"crypto"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

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

func noKeys(string) ([]crypto.PublicKey, error) { return nil, errors.New("no such file") }

func TestAGoodConfiguration(t *testing.T) {
	c, err := Parse("c.yaml", []byte(good), noKeys)
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

// Each case changes the good file in one place and names the mistake's place and words.
func TestMistakes(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"listen: 127.0.0.1:8080", "listen: 8080", `2:19: listen is "8080"; write host:port`},
		{"listen:", "lisen:", `2:11: server has no option "lisen"; write listen`},
		{"https://app.example.com", "https://app.example.com/", "2:45: \"https://app.example.com/\" is more than an origin"},
		{"https://app.example.com", `"*"`, "2:45: the origin * would let every page"},
		{"origins: [https://app.example.com, \"http://localhost:3000\"]", "origins: https://app.example.com", "2:44: origins is not a list; write origins: [https://app.example.com]"},
		{"\nauth:", "\nauthh:", `3:1: the file has no option "authh"; write auth`},
		{"auth: { jwt: { issuer: https://id.example.com, audience: uploads, jwks_url: https://id.example.com/keys, cookie: session } }", "auth: { }", "3:7: auth names no way to sign in"},
		{"auth: { jwt:", "auth: { oidc:", "3:9: this version does not have oidc yet"},
		{"auth: { jwt:", "auth: { dev: true, jwt:", "3:14: auth has both dev and jwt"},
		{"issuer: https://id.example.com, ", "", "3:14: auth.jwt has no issuer; write for example issuer: https://id.example.com"},
		{"jwks_url: https://", "jwks_url: http://", "3:77: jwks_url is not encrypted"},
		{"jwks_url: https://id.example.com/keys", "key_file: keys.pem", `3:77: key_file "keys.pem" cannot be used: no such file`},
		{"jwks_url: https://id.example.com/keys, ", "", "3:14: auth.jwt has no keys to check tokens with"},
		{"region: eu-west-1, ", "", "5:10: the store media has no region"},
		{"region: eu-west-1", "region: EU West", `5:20: region is "EU West"`},
		{"sts: { role_arn: \"arn:aws:iam::123456789012:role/uploads\", external_id: x, duration: 1h }", "addressing: path", "5:10: the store media has no sts, and this version hands out session credentials only"},
		{"\"arn:aws:iam::123456789012:role/uploads\"", "uploads", `5:48: role_arn is "uploads"; write a role's ARN`},
		{"external_id: x", "secret_key: x", `5:90: sts has no option "secret_key"`},
		{"duration: 1h", "duration: 5m", "5:116: duration is 5m; write 15m to 12h"},
		{"duration: 1h", "duration: soon", `5:116: duration is "soon"; write a number with s, m, h or d`},
		{"http://10.0.0.1:9000", "http://10.0.0.1:9000/bucket", "6:41: endpoint is not a base URL"},
		{"http://10.0.0.1:9000", "https://s3.us-east-1.amazonaws.com", "6:41: endpoint is AWS's own; leave it out"},
		{"store: media", "store: medai", `9:12: there is no store "medai"`},
		{"    store: media\n", "", "9:5: the destination photos has no store"},
		{"bucket: my-media", "bucket: My_Media", `10:13: bucket is "My_Media"`},
		{"photos/{user}/{uuid}/{filename}", "photos/{name}", "11:10: {name} is not a placeholder"},
		{"photos/{user}/{uuid}/{filename}", "photos/*", `11:10: the key holds '*'`},
		{"photos/{user}/{uuid}/{filename}", "photos/{user}-{uuid}", "14:12: scope: prefix needs {user}"},
		{"photos/{user}/{uuid}/{filename}", "photos/{claims.team}/{filename}", "15:11: read: owner needs a key that others cannot have"},
		{"image/*", "image", `12:21: "image" is not a content type`},
		{"1B..50MiB", "50MiB", `13:21: "50MiB" is not a range of sizes`},
		{"1B..50MiB", "2B..1B", `13:21: "2B..1B" has its smallest size above its largest; write 1B..2B`},
		{"    content_length: 1B..50MiB\n", "", "9:5: the destination photos has no content_length; write for example content_length: 1B..50MiB"},
		{"scope: prefix", "scope: bucket", `14:12: scope is "bucket"; write object or prefix`},
		{"scope: prefix", "scope:", "14:11: scope has no text"},
		{"read: owner", "read: all", `15:11: read is "all"; write none or owner`},
		{"acl: private", "acl: public", `16:10: acl is "public"; write private, public-read,`},
		{"max-age=60", "\"a\\nb\"", "17:20: cache_control holds what a header cannot"},
		{"metadata: { app: demo }", "metadata: { App: demo }", `18:15: the metadata "App" cannot be sent`},
		{"tags: { team: blue }", "tags: { team: \"a;b\" }", `19:11: the tag "team" is not one that S3 takes`},
		{"server_side_encryption: aws:kms\n", "server_side_encryption: AES256\n", "21:17: kms_key_id is there without server_side_encryption: aws:kms"},
		{"arn:aws:kms:eu-west-1:123456789012:key/11111111-2222", "alias/x", `21:17: kms_key_id is "alias/x"; write the key's ARN`},
		{"storage_class: STANDARD_IA", "storage_class: cold", `22:20: storage_class is "cold"`},
		{"    overwrite: true", "    overwrite: maybe", `30:16: overwrite is "maybe"; write true or false`},
		{"    overwrite: true", "    allow: \"true\"", "30:5: this version does not have allow yet"},
		{"    overwrite: true", "    webhook: { url: x }", "30:5: this version does not have webhook yet"},
		{"    overwrite: true", "    rate: 1/s", "30:5: this version does not have rate yet"},
		{"    overwrite: true", "    verify: { role_arn: x }", "30:5: this version does not have verify yet"},
		{"    overwrite: true", "    signing: presigned", "30:5: this version does not have signing yet"},
		{"    overwrite: true", "    existence_optimization: true", "30:5: this version does not have existence_optimization yet"},
		{"    overwrite: true", "    checksum: CRC64NVME", "30:5: this version does not have checksum yet"},
		{"    overwrite: true", "    duration: 13h", "30:5: duration is there twice in the destination raw; keep one"},
		{"    overwrite: true", "    <<: {}", "30:5: merging with << is not taken"},
		{"grant_duration: 30d", "grant_duration: 1h", "29:21: grant_duration is 1h; write 12h to 30d"},
		{"  raw:\n", "  raw file:\n", `23:3: the destination's name "raw file"`},
		{"destinations:\n", "destinations:\n\t", "8:1: this is not YAML"},
	} {
		if strings.Count(good, c.old) < 1 {
			t.Fatalf("the good file has no %q", c.old)
		}
		_, err := Parse("c.yaml", []byte(strings.Replace(good, c.old, c.new, 1)), noKeys)
		if err == nil {
			t.Errorf("%s: taken", c.new)
		} else if !hasLine(err.Error(), "c.yaml:"+c.want) {
			t.Errorf("%s:\n got %s\nwant c.yaml:%s", c.new, err, c.want)
		}
	}
}

func hasLine(text, prefix string) bool {
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}

func TestAllMistakesAreReportedInOrder(t *testing.T) {
	_, err := Parse("c.yaml", []byte("server: { port: 1 }\nauth: []\nstores: { s: 1 }\ndestinations: { d: { bucket: X } }\nx: 1\n"), noKeys)
	var m Mistakes
	if !errors.As(err, &m) {
		t.Fatal(err)
	}
	var lines []int
	for _, mistake := range m {
		lines = append(lines, mistake.Line)
		if what, instead, ok := strings.Cut(mistake.Text, ";"); !ok || what == "" || instead == "" {
			t.Errorf("%s does not say what to write instead", mistake)
		}
	}
	if len(lines) != 8 || lines[0] != 1 || lines[1] != 2 || lines[2] != 3 || lines[3] != 4 || lines[7] != 5 {
		t.Errorf("%v", err)
	}
}

func TestFilesThatAreNoConfiguration(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "c.yaml:1:1: the file is empty",
		"# nothing\n":         "c.yaml:1:1: the file is empty",
		"just text":           "c.yaml:1:1: the file is not a mapping",
		"[a]":                 "c.yaml:1:1: the file is not a mapping",
		"a: b: c":             "c.yaml:1:1: this is not YAML",
		good + "---\na: b\n":  "c.yaml:31:1: a second document begins",
		"auth: { dev: true }": "c.yaml:1:1: the file has no stores",
	} {
		if _, err := Parse("c.yaml", []byte(text), noKeys); err == nil || !hasLine(err.Error(), want) {
			t.Errorf("%.20q: %v; want %s", text, err, want)
		}
	}
}

func TestDevIsForThisMachine(t *testing.T) {
	jwt := good[strings.Index(good, "auth:"):strings.Index(good, "stores:")]
	dev := strings.Replace(good, jwt, "auth: { dev: true }\n", 1)
	if c, err := Parse("c.yaml", []byte(dev), noKeys); err != nil || !c.Auth.Dev {
		t.Errorf("on loopback: %v", err)
	}
	for _, listen := range []string{"0.0.0.0:80", ":8080", "192.168.1.2:80", "[::]:80"} {
		_, err := Parse("c.yaml", []byte(strings.Replace(dev, "127.0.0.1:8080", `"`+listen+`"`, 1)), noKeys)
		if err == nil || !strings.Contains(err.Error(), "may listen on this machine only") {
			t.Errorf("on %s: %v", listen, err)
		}
	}
	if _, err := Parse("c.yaml", []byte(strings.Replace(dev, "dev: true", "dev: false", 1)), noKeys); err == nil {
		t.Error("dev: false is taken for a way to sign in")
	}
}

func TestKeysFromAFile(t *testing.T) {
	text := strings.Replace(good, "jwks_url: https://id.example.com/keys", "key_file: id.pem", 1)
	c, err := Parse("c.yaml", []byte(text), func(name string) ([]crypto.PublicKey, error) {
		if name != "id.pem" {
			t.Errorf("it asks for %q", name)
		}
		return []crypto.PublicKey{ed25519.PublicKey(make([]byte, 32))}, nil
	})
	if err != nil || len(c.Auth.JWT.Keys) != 1 {
		t.Errorf("%v", err)
	}
}
