package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const djangoSite = "testdata/s3direct"

// django runs Python with the distribution's Django, in the folder of the settings, and nothing in its environment but
// the name of one and what is given.
func django(t *testing.T, module, stdin string, environment []string, args ...string) (stdout, stderr string) {
	t.Helper()
	cmd := exec.Command("/usr/bin/python3", args...)
	cmd.Dir = djangoSite
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append([]string{"PATH=/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE=1", "DJANGO_SETTINGS_MODULE=" + module}, environment...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v; `make setup` installs python3-django and python3-django-environ\n%s", module, err, &errs)
	}
	return out.String(), errs.String()
}

// snippet is what import-s3direct -snippet prints.
func snippet(t *testing.T) string {
	t.Helper()
	status, python, said := command(t, "import-s3direct", "--snippet")
	if status != 0 || said != "" {
		t.Fatalf("%d %s", status, said)
	}
	return python
}

// exported is what manage.py shell prints for the settings of a module.
func exported(t *testing.T, module string) string {
	t.Helper()
	var environment []string
	if file, err := os.ReadFile(filepath.Join(djangoSite, module+".env")); err == nil {
		environment = strings.Fields(string(file))
	}
	out, _ := django(t, module, snippet(t), environment, "manage.py", "shell")
	return out
}

// djangoSettings are in the style of public projects: NAME.py in testdata/s3direct, with NAME.env as the environment and
// NAME.golden as what comes of it. What check says of it is one of the texts, by default that there are no mistakes.
var djangoSettings = map[string]string{
	"readme": "", "example": "", "environ_settings": "", "spread": "", "split.settings.production": "", "classes": "", "loop": "",
	"comprehension": "", "partial": "", "imported": "", "digitalocean": "", "minio": "", "providers": "", "govcloud": "", "noauth": "",
	"keys": "", "environment": "", "region_only": "", "positional": "", "noisy": "", "values": "", "endpoints": "",
	"china": `the destination's name "照片" is not 1 to 64 letters`,
	"names": "is not 1 to 64 letters, digits, - or _; rename it",
}

func TestImportReadsWhatDjangoEvaluates(t *testing.T) {
	for module, mistake := range djangoSettings {
		t.Run(module, func(t *testing.T) {
			t.Parallel()
			status, yaml, notes := importOf(t, module+".json", exported(t, module))
			if status != 0 {
				t.Fatalf("%d %q", status, notes)
			}
			said := checked(t, yaml)
			if ok := strings.HasPrefix(said, "FILE: no mistakes"); ok != (mistake == "") || !strings.Contains(said, mistake) {
				t.Errorf("check says %s", said)
			}
			// What check would say is in the notes, with the line.
			for _, m := range regexp.MustCompile(`(?m)^FILE(:\d.*)$`).FindAllStringSubmatch(said, -1) {
				if !slices.Contains(notes, "note: the YAML"+m[1]) {
					t.Errorf("no note says %s", m[1])
				}
			}
			golden := filepath.Join(djangoSite, module+".golden")
			got := yaml + "\n# Notes, on stderr:\n# " + strings.Join(notes, "\n# ") + "\n"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := page(t, golden); got != want {
				t.Errorf("%s is\n%s\nand import-s3direct printed\n%s", golden, want, got)
			}
		})
	}
}

// Every file of settings is one of the cases, and every case has its golden file.
func TestImportHasEveryDjangoSettings(t *testing.T) {
	for _, pattern := range []string{"*.golden", "*.env"} {
		files, err := filepath.Glob(filepath.Join(djangoSite, pattern))
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, file := range files {
			if _, ok := djangoSettings[strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))]; !ok {
				t.Errorf("%s is of no case", file)
			}
		}
	}
}

// No secret of the settings or the environment is in what the snippet prints, wherever it is repeated.
func TestTheSnippetPrintsNoSecret(t *testing.T) {
	for _, module := range []string{"noisy", "digitalocean", "readme"} {
		out := exported(t, module)
		for _, secret := range []string{
			"AKIANOTFORYOU", "not-for-you", "hunter2", "django-insecure", "s3direct-api-key", "sk_live", "DO00SPACESKEYXYZ", "short",
			"circular-token", "a-secret-of-its-own",
		} {
			if strings.Contains(out, secret) {
				t.Errorf("%s: %s is in\n%s", module, secret, out)
			}
		}
		if !strings.Contains(out, `"set": ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]`) {
			t.Errorf("%s: what is set is not in\n%s", module, out)
		}
	}
}

// Django 1.11 to 2.2 run the snippet in a scope of its own, and where there is no select for stdin (Windows) an
// interactive interpreter reads it line by line. Python 3.6 has to take it.
func TestTheSnippetRunsElsewhere(t *testing.T) {
	const setup = "import django, sys; django.setup(); "
	_, want, _ := importOf(t, "s.json", exported(t, "comprehension"))
	for name, args := range map[string][]string{
		"a scope of its own":         {"-c", setup + "(lambda source: exec(source, {}, {}))(sys.stdin.read())"},
		"an interactive interpreter": {"-c", setup + "import code; code.interact(local={}, banner='')"},
		"shell -c":                   {"manage.py", "shell", "-c", snippet(t)},
	} {
		out, _ := django(t, "comprehension", snippet(t), nil, args...)
		if _, got, _ := importOf(t, "s.json", out); got != want || got == "" {
			t.Errorf("%s: %s", name, out)
		}
	}
	django(t, "comprehension", snippet(t), nil, "-c", "import ast, sys; ast.parse(sys.stdin.read(), feature_version=(3, 6))")
}

// The settings of docs/migrate.md become its configuration, and its view answers what the auth functions say.
func TestTheMigrationOfTheDocs(t *testing.T) {
	_, text, _ := strings.Cut(page(t, "../docs/migrate.md"), "\n## django-s3direct\n")
	text, _, _ = strings.Cut(text, "\n## What changes\n")
	python, yaml := examples(text, "python"), examples(text, "yaml")
	if len(python) != 2 || len(yaml) != 1 {
		t.Fatalf("%d of Python, %d of YAML", len(python), len(yaml))
	}
	folder := t.TempDir()
	for name, source := range map[string]string{"settings.py": python[0], "views.py": python[1]} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := []string{"PYTHONPATH=" + folder}
	printed, _ := django(t, "settings", snippet(t), path, "manage.py", "shell")
	shown := regexp.MustCompile(`chunksign (import-s3direct -whoami .*) s3direct.json >`).FindStringSubmatch(text)
	if shown == nil {
		t.Fatal("the command is not shown")
	}
	status, got, notes := importOf(t, "s3direct.json", printed, strings.Fields(shown[1])[1:]...)
	if status != 0 || got != yaml[0] {
		t.Errorf("%d\n%s\n%s", status, got, strings.Join(notes, "\n"))
	}
	const asked = `
import django, types
from django.test import RequestFactory
django.setup()
from views import whoami
for who in dict(is_authenticated=False), dict(is_authenticated=True, is_staff=False, pk=7), dict(is_authenticated=True, is_staff=True, pk=8):
    request = RequestFactory().get("/whoami")
    request.user = types.SimpleNamespace(**who)
    reply = whoami(request)
    print(reply.status_code, reply.content.decode())
`
	const want = "401 \n" + `200 {"sub": "7", "may": ["letters"]}` + "\n" + `200 {"sub": "8", "may": ["photos", "letters"]}` + "\n"
	if got, _ := django(t, "settings", asked, path, "-"); got != want {
		t.Errorf("whoami answered\n%s", got)
	}
}

// A visitor who is not signed in is somebody by the application's session, as docs/migrate.md has it.
func TestTheVisitorsOfTheDocs(t *testing.T) {
	text := section(t, "../docs/migrate.md", "## Visitors")
	python := examples(text, "python")
	if len(python) != 1 {
		t.Fatalf("%d of Python", len(python))
	}
	folder := t.TempDir()
	for name, source := range map[string]string{
		"settings.py": "S3DIRECT_DESTINATIONS = {'photos': {'auth': lambda u: u.is_authenticated}, 'letters': {}}\nSECRET_KEY = 'x'\n" +
			"TEMPLATES = [{'BACKEND': 'django.template.backends.django.DjangoTemplates', 'DIRS': ['" + folder + "']}]\n",
		"views.py": python[0] + "\nUploadForm = dict\n", "page.html": "a page",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const asked = `
import django, types
from django.test import RequestFactory
django.setup()
from django.contrib.sessions.backends.signed_cookies import SessionStore
from views import page, whoami
nobody = types.SimpleNamespace(is_authenticated=False, pk=None)
for user, seen in (nobody, False), (nobody, True), (types.SimpleNamespace(is_authenticated=True, pk=7), True):
    request = RequestFactory().get("/")
    request.user, request.session = user, SessionStore()
    for i in range(2 if seen else 0):
        assert page(request).content == b"a page" and request.session.modified
    reply = whoami(request)
    print(reply.status_code, reply.content.decode().replace(request.session.get("visitor", "?"), "V"))
`
	const want = "401 \n" + `200 {"sub": "visitor-V", "may": ["letters"]}` + "\n" + `200 {"sub": "7", "may": ["photos", "letters"]}` + "\n"
	if got, _ := django(t, "settings", asked, []string{"PYTHONPATH=" + folder}, "-"); got != want {
		t.Errorf("whoami answered\n%s", got)
	}
}
