package main

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// importOf writes what the snippet printed and returns what comes of it: the YAML and the notes.
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

// Whatever the settings are, who may not upload there may not here, and what check would say is in the notes.
func TestImportOpensNothing(t *testing.T) {
	f := func(name string) string {
		return `{"$callable": {"name": "site.` + name + `", "line": 3, "source": "def x"}}`
	}
	for entry, want := range map[string]struct {
		yaml string
		note string
		bad  bool // check has something to say, and the notes have it
	}{
		`"auth": ` + f("rule"):                         {`allow: "'d' in claims.may"`, "nobody may upload until the reply to auth.forward has", false},
		`"auth": "is_staff"`:                           {`allow: "'d' in claims.may"`, `auth is "is_staff", which is not a function`, false},
		`"auth": {"$other": "<odd>"}`:                  {`allow: "'d' in claims.may"`, "auth is <odd>, which", false},
		`"auth": null`:                                 {"scope: prefix", "no auth: anybody could upload", false},
		`"auth": false`:                                {"scope: prefix", "no auth: anybody could upload", false},
		`"allowed": "*"`:                               {"scope: prefix", "", false},
		`"allowed": null`:                              {"scope: prefix", "", false},
		`"allowed": ["*"]`:                             {`content_types: ["application/x-not-written-yet"]`, "compares literally", false},
		`"allowed": ["image/*", "image/PNG"]`:          {`content_types: ["image/png"]`, "compares literally", false},
		`"allowed": "image/PNG"`:                       {`content_types: ["image/png"]`, "", false},
		`"allowed": ` + f("types"):                     {`content_types: ["application/x-not-written-yet"]`, "allowed is site.types", false},
		`"allowed": [1]`:                               {`content_types: ["application/x-not-written-yet"]`, "allowed has 1", false},
		`"allowed": {"image/png": ".png"}`:             {`content_types: ["image/png"]`, "", false},
		`"allowed": ["image"]`:                         {`content_types: ["image"]`, `"image" is not a content type`, true},
		`"content_length_range": [0, 5242880]`:         {"content_length: 0B..5242880B", "", false},
		`"content_length_range": [-1, 99000000000000]`: {"content_length: 0B..50000000000000B", "", false},
		`"content_length_range": [0, 1.5]`:             {"content_length: 0B..5GB", "is not two whole numbers", false},
		`"content_length_range": [1]`:                  {"content_length: 0B..5GB", "is not two whole numbers", false},
		`"content_length_range": ` + f("limits"):       {"content_length: 0B..5GB", "is not two whole numbers", false},
		`"content_length_range": [9, 1]`:               {"content_length: 9B..1B", "smallest size above its largest", true},
		`"key": "/"`:                                   {`key: "{user}/{uuid}/{filename}"`, "the key is /", false},
		`"key": "/a//b*/../c/"`:                        {`key: "a/b_/__/c/{user}/{uuid}/{filename}"`, "is not allowed here", false},
		`"key": "{claims.x}/{user}"`:                   {`key: "_claims.x_/_user_/{user}/{uuid}/{filename}"`, "is not allowed here", false},
		`"key": ` + f("key") + `, "key_args": "x/y"`:   {`key: "d/{user}/{uuid}/{filename}"`, `key is the function site.key, line 3: d/ stands for what it makes (its key_args are "x/y")`, false},
		`"key": null`:                                  {`allow: "false"`, "accepts no upload", false},
		`"key": ["a"]`:                                 {`allow: "false"`, "accepts no upload", false},
		`"key": null, "auth": ` + f("rule"):            {`allow: "false"`, "accepts no upload", false},
		`"bucket": ""`:                                 {`bucket: "abc"`, "", false},
		`"bucket": ` + f("bucket"):                     {`bucket: "my-media"`, "bucket is site.bucket, which is not a text", false},
		`"acl": "public"`:                              {`acl: "public"`, "acl", true},
		`"acl": ` + f("acl"):                           {"scope: prefix", "acl is the function site.acl", false},
		`"cache_control": "a\nb: c"`:                   {`cache_control: "a\nb: c"`, "what a header cannot", true},
		`"content_disposition": ` + f("said"):          {"scope: prefix", "content_disposition is the function site.said", false},
		`"expires": 1`:                                 {"scope: prefix", "expires is not a setting of django-s3direct 2.0", false},

		`"region": "eu-west-3", "endpoint": "https://minio.test:9000/"`:                {`endpoint: "https://minio.test:9000", sts: { role_arn: "arn:minio`, "assumed to be MinIO's", false},
		`"region": "ams3", "endpoint": "https://ams3.digitaloceanspaces.com"`:          {`media: { region: "ams3", endpoint: "https://ams3.digitaloceanspaces.com" }`, "its widget cannot upload here", false},
		`"region": "", "endpoint": "https://S3.eu-west-1.amazonaws.com"`:               {`media: { region: "eu-west-1", sts`, "", false},
		`"region": "", "endpoint": "https://amazonaws.com.evil.test"`:                  {`endpoint: "https://amazonaws.com.evil.test"`, "assumed to be MinIO's", false},
		`"region": "", "endpoint": "https://user:pass@s3.test"`:                        {`endpoint: "https://s3.test"`, "", false},
		`"endpoint": "https://user:pa ss@s3.test"`:                                     {`endpoint: "https://s3.example.com" }`, "the endpoint is not a URL", false},
		`"region": "x y", "endpoint": "https://s3.test"`:                               {`region: "x y"`, "region", true},
		`"region": "cn-north-1", "endpoint": "https://s3.cn-north-1.amazonaws.com.cn"`: {`role_arn: "arn:aws-cn:iam::123456789012:role/uploads"`, "role_arn is an example", false},
	} {
		_, yaml, notes := importOf(t, "s.json", `{"AWS_STORAGE_BUCKET_NAME": "abc", "AWS_S3_REGION_NAME": "eu-west-1",
			"AWS_S3_ENDPOINT_URL": "https://s3.eu-west-1.amazonaws.com", "S3DIRECT_DESTINATIONS": {"d": {`+withKey(entry)+`}}}`)
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

func withKey(entry string) string {
	if strings.HasPrefix(entry, `"key"`) {
		return entry
	}
	return `"key": "k", ` + entry
}

// What was printed around the JSON, and how a shell wrote it, does not matter; what is not the JSON is an error.
func TestImportFindsTheSettings(t *testing.T) {
	const settings = `{"chunksign_s3direct": 1, "S3DIRECT_DESTINATIONS": {"d": {"key": "k"}}}`
	_, want, _ := importOf(t, "s.json", settings)
	units := utf16.Encode([]rune("\ufeff>>> " + settings + "\r\n"))
	var little []byte
	for _, u := range units {
		little = binary.LittleEndian.AppendUint16(little, u)
	}
	for name, printed := range map[string]string{
		"alone": settings, "with text around": "23 objects imported automatically.\n" + settings + "\n>>> ", "by PowerShell": string(little),
		"after a beginning of it": `{"chunksign_s3direct": 0}` + settings, "with a byte order mark": "\ufeff" + settings + "\r\n",
	} {
		if status, got, notes := importOf(t, "s.json", printed); status != 0 || got != want || !strings.Contains(got, `"d":`) {
			t.Errorf("%s: %d %s %q", name, status, got, notes)
		}
	}
	deep, err := json.Marshal(strings.Repeat("[", 200))
	if err != nil {
		t.Fatal(err)
	}
	for printed, want := range map[string]string{
		"":   "there is nothing in it; what manage.py shell wrote to its stderr says why",
		"\n": "there is nothing in it",
		`{"chunksign_s3direct": 1, "S3DIRECT_DESTINATIONS": null}`:                              "there is no S3DIRECT_DESTINATIONS in the settings",
		`{"chunksign_s3direct": 1, "S3DIRECT_DESTINATIONS": {}}`:                                "S3DIRECT_DESTINATIONS is empty",
		`{"chunksign_s3direct": 1, "S3DIRECT_DESTINATIONS": {"$callable": {"name": "x.load"}}}`: "S3DIRECT_DESTINATIONS is x.load, and has to be a dict",
		`{"chunksign_s3direct": 1, "S3DIRECT_DESTINATIONS": {"d"`:                               "is not complete",
		`{"chunksign_s3direct": 1, "S3DIRECT_DESTINATIONS": ` + strings.Trim(string(deep), `"`): "nested too deeply",
		"S3DIRECT_DESTINATIONS = {name: {'key': name} for name in NAMES}":                       "not the settings as JSON",
		"{name: 1}": "not the settings as JSON",
	} {
		status, yaml, notes := importOf(t, "s.py", printed)
		if all := strings.Join(notes, "\n"); status != 1 || yaml != "" || !strings.Contains(all, want) {
			t.Errorf("%s: %d %q %s", printed, status, yaml, all)
		}
	}
	_, _, notes := importOf(t, "settings.py", "S3DIRECT_DESTINATIONS = {}")
	if len(notes) != 2 || !strings.Contains(notes[1], "chunksign import-s3direct -snippet | python manage.py shell >s3direct.json") {
		t.Errorf("settings in Python: %q", notes)
	}
	if status, _, said := command(t, "import-s3direct"); status != 1 || !strings.Contains(said, "of which settings?") {
		t.Errorf("%d %s", status, said)
	}
}

func TestImportTakesWhatOnlyTheAdminKnows(t *testing.T) {
	const settings = `{"S3DIRECT_DESTINATIONS": {
		"a": {"key": "a", "bucket": "abc", "region": "eu-west-1", "endpoint": "https://s3.eu-west-1.amazonaws.com"},
		"b": {"key": "b", "bucket": "abc", "region": "eu-central-1", "endpoint": "https://s3.eu-central-1.wasabisys.com"}}}`
	const role = "arn:aws:iam::123456789012:role/r"
	_, yaml, notes := importOf(t, "s.json", settings, "-whoami", "https://app.test/whoami", "-role", role)
	for _, line := range []string{
		`auth: { forward: { url: "https://app.test/whoami", cookie: "sessionid" } }`,
		`  media: { region: "eu-west-1", sts: { role_arn: "` + role + `", duration: 1h } }`,
		`  media2: { region: "eu-central-1", endpoint: "https://s3.eu-central-1.wasabisys.com", ` +
			`sts: { role_arn: "` + role + `", endpoint: "https://sts.wasabisys.com", duration: 1h } }`,
	} {
		if !strings.Contains(yaml, "\n"+line+"\n") {
			t.Errorf("there is no %q in\n%s", line, yaml)
		}
	}
	if all := strings.Join(notes, "\n"); strings.Contains(all, "is an example") {
		t.Error(all)
	}
	if got := checked(t, yaml); got != "FILE: no mistakes; stores: 2, destinations: 2\n" {
		t.Error(got)
	}
}
