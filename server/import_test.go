package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// importOf writes settings and gives what comes of them: the YAML and the notes.
func importOf(t *testing.T, name, text string, args ...string) (status int, yaml string, notes []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	status, yaml, said := command(t, append(append([]string{"import-s3direct"}, args...), path)...)
	return status, yaml, strings.Split(strings.TrimSuffix(said, "\n"), "\n")
}

// checked is what check says of a configuration.
func checked(t *testing.T, yaml string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	_, out, _ := command(t, "check", "-config", path)
	return strings.ReplaceAll(out, path, "FILE")
}

// The settings that django-s3direct's README shows, value for value.
const readme = `# settings.py
import os

AWS_ACCESS_KEY_ID = 'AKIANOTFORYOU'
AWS_SECRET_ACCESS_KEY = 'not-for-you'
AWS_STORAGE_BUCKET_NAME = 'your-aws-s3-bucket-name'
AWS_S3_REGION_NAME = 'eu-west-1'
AWS_S3_ENDPOINT_URL = 'https://s3.eu-west-1.amazonaws.com'

S3DIRECT_DESTINATIONS = {
    'example_destination': {
        # String: folder path to upload to
        'key': 'uploads/images',
        'auth': lambda u: u.is_staff,
        'allowed': ['image/jpeg', 'image/png', 'video/mp4'],
        'bucket': 'custom-bucket',
        'endpoint': 'https://s3.eu-central-1.amazonaws.com',
        'region': 'eu-central-1',  # Default is 'AWS_S3_REGION_NAME'
        'acl': 'private',
        'cache_control': 'max-age=2592000',
        'content_disposition': lambda x: 'attachment; filename="{}"'.format(x),
        'content_length_range': (5000, 20000000),
        'server_side_encryption': 'AES256',
        'allow_existence_optimization': True,
    },
    'example_destination_two': {
        'key': lambda filename, args: args + '/' + filename,
        'key_args': 'uploads/images',
    }
}
`

func TestImportReadsTheReadmesSettings(t *testing.T) {
	status, yaml, notes := importOf(t, "settings.py", readme, "-whoami", "https://app.test/whoami", "-role", "arn:aws:iam::123456789012:role/r")
	if status != 0 {
		t.Fatalf("%d %q", status, notes)
	}
	if got := checked(t, yaml); got != "FILE: no mistakes; stores: 2, destinations: 2\n" {
		t.Errorf("%s\n%s", got, yaml)
	}
	for _, line := range []string{
		`auth: { forward: { url: "https://app.test/whoami", cookie: "sessionid" } }`,
		`  media: { region: "eu-central-1", sts: { role_arn: "arn:aws:iam::123456789012:role/r", duration: 1h } }`,
		`  media2: { region: "eu-west-1", sts: { role_arn: "arn:aws:iam::123456789012:role/r", duration: 1h } }`,
		`    store: media`, `    bucket: "custom-bucket"`, `    key: "uploads/images/{user}/{uuid}/{filename}"`, `    allow: "claims.is_staff == true"`,
		`    content_types: ["image/jpeg", "image/png", "video/mp4"]`, `    content_length: 5000B..20000000B`, `    compat: [s3direct]`, `    scope: prefix`,
		`    overwrite: true # EvaporateJS cannot say If-None-Match`, `    acl: "private"`, `    cache_control: "max-age=2592000"`, `    server_side_encryption: "AES256"`,
		`    store: media2`, `    bucket: "your-aws-s3-bucket-name"`, `    key: "example_destination_two/{user}/{uuid}/{filename}"`, `    content_length: 0B..50TB`,
	} {
		if !strings.Contains(yaml, "\n"+line+"\n") {
			t.Errorf("there is no %q in\n%s", line, yaml)
		}
	}
	for i, want := range []string{
		`settings.py:4: AWS_ACCESS_KEY_ID is not carried over`,
		`settings.py:5: AWS_SECRET_ACCESS_KEY is not carried over`,
		`settings.py:14: example_destination.auth asks for is_staff`,
		`settings.py:21: example_destination.content_disposition is lambda x: `,
		`settings.py:24: example_destination.allow_existence_optimization has no counterpart`,
		`settings.py:27: example_destination_two.key is lambda filename, args: args + '/' + filename, with key_args uploads/images: a function has no counterpart`,
		`settings.py:26: example_destination_two let anybody upload`,
		`settings.py:26: example_destination_two had no content_length_range`,
		`settings.py:26: example_destination_two had django-s3direct's acl, public-read`,
	} {
		if i >= len(notes) || !strings.HasPrefix(notes[i], "note: "+want) {
			t.Fatalf("note %d is not %q in\n%s", i, want, strings.Join(notes, "\n"))
		}
		if i > 1 && !strings.Contains(yaml, "    # "+want) {
			t.Errorf("the YAML does not say %q", want)
		}
	}
	if len(notes) != 9 {
		t.Errorf("there are more notes:\n%s", strings.Join(notes, "\n"))
	}
	if all := yaml + strings.Join(notes, "\n"); strings.Contains(all, "AKIANOTFORYOU") || strings.Contains(all, "not-for-you") {
		t.Error("a secret is said")
	}
}

// Whatever the settings are, who may not upload there may not here, and what check would say is in the notes.
func TestImportOpensNothing(t *testing.T) {
	for entry, want := range map[string]struct {
		yaml string
		note string
		bad  bool // check has something to say, and the notes have it
	}{
		`'auth': lambda u: u.groups.filter(name='x').exists()`: {`allow: "false"`, `auth is lambda u: u.groups.filter(name='x').exists(), which cannot be carried over: nobody may upload`, false},
		`'auth': may_upload`:                                            {`allow: "false"`, "auth is may_upload, which", false},
		`'auth': lambda u: v.is_staff`:                                  {`allow: "false"`, "nobody may upload", false},
		`'auth': lambda u: u.is_staff or True`:                          {`allow: "false"`, "nobody may upload", false},
		`'auth': lambda u: u.is_superuser`:                              {`allow: "claims.is_superuser == true"`, "asks for is_superuser", false},
		`'auth': lambda u: u.is_authenticated()`:                        {"scope: prefix", "", false},
		`'auth': lambda u: True`:                                        {"scope: prefix", "let anybody upload", false},
		`'allowed': '*'`:                                                {"scope: prefix", "", false},
		`'allowed': 'image/PNG'`:                                        {`content_types: ["image/png"]`, "", false},
		`'allowed': TYPES`:                                              {`content_types: ["application/x-not-written-yet"]`, "allowed is TYPES", false},
		`'allowed': [f()]`:                                              {`content_types: ["application/x-not-written-yet"]`, "allowed has f()", false},
		`'allowed': ['image/jpeg', g()]`:                                {`content_types: ["image/jpeg"]`, "allowed has g()", false},
		`'allowed': ['image']`:                                          {`content_types: ["image"]`, `"image" is not a content type`, true},
		`'content_length_range': (0, 5 * 1024 * 1024)`:                  {"content_length: 0B..5242880B", "", false},
		`'content_length_range': limits()`:                              {"content_length: 0B..5GB", "is not two numbers", false},
		`'content_length_range': (9, 1)`:                                {"content_length: 9B..1B", "smallest size above its largest", true},
		`'key': '/'`:                                                    {`key: "{user}/{uuid}/{filename}"`, "was /", false},
		`'key': '/a//b*/../c/'`:                                         {`key: "a/b_/__/c/{user}/{uuid}/{filename}"`, "which a key cannot be", false},
		`'key': S3KeyWithUUID('x/')`:                                    {`key: "d/{user}/{uuid}/{filename}"`, "key is S3KeyWithUUID('x/'): a function", false},
		`'bucket': os.environ['B']`:                                     {`bucket: "my-media"`, "bucket is os.environ['B'], which is known only", false},
		`'bucket': BASE + '-x'`:                                         {`bucket: "base-x"`, "", false},
		`'region': 'eu-west-3', 'endpoint': 'https://minio.test:9000/'`: {`endpoint: "https://minio.test:9000", sts`, "", false},
		`'region': 'eu-west-3', 'endpoint': 'minio'`:                    {`endpoint: "minio"`, "endpoint is not a base URL", true},
		`'acl': 'public'`:                                               {`acl: "public"`, "acl", true},
		`'cache_control': "a\nb: c"`:                                    {`cache_control: "a\nb: c"`, "what a header cannot", true},
		`'expires': 1`:                                                  {"scope: prefix", "d.expires is no setting of django-s3direct 2.0", false},
	} {
		_, yaml, notes := importOf(t, "s.py", "BASE = 'base'\nAWS_STORAGE_BUCKET_NAME = 'abc'\nAWS_S3_REGION_NAME = 'eu-west-1'\nS3DIRECT_DESTINATIONS = {'d': {'key': 'k', "+entry+"}}\n")
		if !strings.Contains(yaml, want.yaml) {
			t.Errorf("%s: there is no %s in\n%s", entry, want.yaml, yaml)
		}
		if all := strings.Join(notes, "\n"); want.note != "" && !strings.Contains(all, want.note) {
			t.Errorf("%s: no note says %q:\n%s", entry, want.note, all)
		}
		got := checked(t, yaml)
		if (got == "FILE: no mistakes; stores: 1, destinations: 1\n") == want.bad {
			t.Errorf("%s: check says %s", entry, got)
		}
		for _, m := range regexp.MustCompile(`(?m)^FILE(:\d.*)$`).FindAllStringSubmatch(got, -1) {
			if !slices.Contains(notes, "note: the YAML"+m[1]) {
				t.Errorf("%s: no note says %s", entry, m[1])
			}
		}
	}
}

func TestImportReadsJSONAndSaysWhatItCannotRead(t *testing.T) {
	_, yaml, _ := importOf(t, "s.json", `{"AWS_STORAGE_BUCKET_NAME": "abc", "S3DIRECT_DESTINATIONS": {"d": {"key": "k", "allowed": null, "content_length_range": [1, 2]}}}`)
	if got := checked(t, yaml); !strings.Contains(yaml, "content_length: 1B..2B") || !strings.Contains(got, "no mistakes") {
		t.Errorf("%s\n%s", got, yaml)
	}
	_, yaml, notes := importOf(t, "s.py", `
if DEBUG:
    AWS_STORAGE_BUCKET_NAME = 'in-a-block'
S3DIRECT_DESTINATIONS = {'twice': {'key': 'a'}, 'old': ('uploads',), 'twice': {'key': 'b'}, "na\nme": {}}
S3DIRECT_DESTINATIONS['more'] = {}
`)
	all := strings.Join(notes, "\n")
	for _, want := range []string{"s.py:3: this is not read", "s.py:5: this is not read; only what is assigned to a name at the top level is: S3DIRECT_DESTINATIONS['more'] = {}", "settings by position"} {
		if !strings.Contains(all, want) {
			t.Errorf("no note says %q:\n%s", want, all)
		}
	}
	if old := regexp.MustCompile(`(?s)"old":.*?\n\n`).FindString(yaml); !strings.Contains(old, `allow: "false"`) {
		t.Errorf("who may upload to old? %s", old)
	}
	if strings.Contains(yaml, "in-a-block") || strings.Count(yaml, "twice\":") != 1 || !strings.Contains(yaml, `"b/{user}`) || strings.Contains(checked(t, yaml), "not YAML") {
		t.Errorf("%s", yaml)
	}
	for text, want := range map[string]string{
		"A = 1":                            "there is no S3DIRECT_DESTINATIONS",
		"S3DIRECT_DESTINATIONS = load()":   "line 1: S3DIRECT_DESTINATIONS is load()",
		"S3DIRECT_DESTINATIONS = {'a': 'b": "line 1: a text is not closed",
	} {
		if status, yaml, notes := importOf(t, "s.py", text); status != 1 || yaml != "" || !strings.Contains(strings.Join(notes, "\n"), want) {
			t.Errorf("%s: %d %q %q", text, status, yaml, notes)
		}
	}
	if status, _, said := command(t, "import-s3direct"); status != 1 || !strings.Contains(said, "of which settings?") {
		t.Errorf("%d %s", status, said)
	}
}

// A note tells of a line without its secrets.
func TestImportNotesHoldNoSecret(t *testing.T) {
	const secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	for _, line := range []string{"AWS_SECRET_ACCESS_KEY, X = '" + secret + "', 1", "AWS_S3_ENDPOINT_URL = f('" + secret + "')", "if x:\n    AWS_SECRET_ACCESS_KEY = '" + secret + "'"} {
		_, yaml, notes := importOf(t, "s.py", line+"\nS3DIRECT_DESTINATIONS = {'d': {'key': 'k', 'auth': f('"+secret+"'), 'bucket': g('"+secret+"')}}\n")
		for i := 0; i+8 <= len(secret); i++ {
			if all := yaml + strings.Join(notes, "\n"); strings.Contains(all, secret[i:i+8]) {
				t.Fatalf("%s: %s", line, all)
			}
		}
	}
}
