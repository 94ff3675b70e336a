package main

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/chunksign/chunksign/server/drive"
)

const dev = "dev: true"

func TestUploadFilesOfAllSizes(t *testing.T) { bothWays(t, uploadFilesOfAllSizes) }

func uploadFilesOfAllSizes(t *testing.T, destination string) {
	r := newUploadRig(t, dev).start()
	const mib = 1 << 20
	var files []string
	sizes := []int64{0, 1, 5*mib - 1, 5 * mib, 5*mib + 1, 64*mib + 3}
	for i, size := range sizes {
		files = append(files, r.file(strconv.FormatInt(size, 10)+".bin", size, uint64(i)))
	}
	p := r.command(append(files, "-destination", destination, "-json", "-part-size", "5MiB")...)
	if status := p.run(t); status != 0 || p.stderr.Len() > 0 {
		t.Fatalf("%d\n%s", status, &p.stderr)
	}
	outcomes := p.outcomes(t)
	if len(outcomes) != len(files) {
		t.Fatalf("%d outcomes of %d files", len(outcomes), len(files))
	}
	for _, o := range outcomes {
		i := slices.Index(files, o.File)
		if i < 0 || o.Error != nil || o.Bucket != "demo" || o.Size != sizes[i] || o.ETag == "" || !strings.HasPrefix(o.Checksum, "SHA256:") {
			t.Errorf("%+v", o)
			continue
		}
		r.holds(o.Key, o.File)
	}
	if n := r.log.count(aPart); n != 2+13 {
		t.Errorf("%d parts were taken; want 2 and 13", n)
	}
	if list, err := os.ReadDir(filepath.Join(r.dir, "journal", "records")); err != nil || len(list) > 0 {
		t.Errorf("the journal keeps %v, %v", list, err)
	}
}

func TestUploadOfWhatIsThere(t *testing.T) {
	r := newUploadRig(t, dev).start()
	large, small := r.file("large.bin", 11<<20, 1), r.file("small.bin", 100, 2)
	args := []string{large, small, "-destination", "once", "-part-size", "5MiB", "-json"}
	if p := r.command(args...); p.run(t) != 0 {
		t.Fatalf("%s%s", &p.stdout, &p.stderr)
	}
	sent := r.log.count(`msg=s3 method=PUT path=/demo/once`)
	p := r.command(args...)
	if status := p.run(t); status != 0 || sent != 4 {
		t.Errorf("%d, %d sent\n%s%s", status, sent, &p.stdout, &p.stderr)
	}
	for _, o := range p.outcomes(t) {
		if o.Key != "once/"+filepath.Base(o.File) || o.Bucket != "demo" || o.Error != nil {
			t.Errorf("%+v", o)
		}
	}
	if again := r.log.count(`msg=s3 method=PUT path=/demo/once`); again != sent {
		t.Errorf("%d requests carried what was there", again-sent)
	}
	r.file("large.bin", 11<<20, 3)
	p = r.command(args...)
	if status := p.run(t); status != 1 || !strings.Contains(p.stdout.String(), `"code":"key_taken"`) {
		t.Errorf("other bytes: %d\n%s%s", status, &p.stdout, &p.stderr)
	}
}

func TestUploadInAnotherProcess(t *testing.T) {
	r := newUploadRig(t, dev).start()
	file := r.file("file.bin", 100, 1)
	j, err := drive.OpenJournal(filepath.Join(r.dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := drive.Look(file)
	if err != nil {
		t.Fatal(err)
	}
	held, err := j.Take(drive.Server{URL: "http://" + r.address[0], Destination: "demo"}, f, false)
	if err != nil {
		t.Fatal(err)
	}
	p := r.command(file, "-destination", "demo")
	if status := p.run(t); status != 1 || !strings.Contains(p.stderr.String(), drive.CodeHeld) {
		t.Errorf("%d\n%s", status, &p.stderr)
	}
	held.Release()
	if status := r.command(file, "-destination", "demo").run(t); status != 0 {
		t.Errorf("once the other has ended: %d", status)
	}
}

func TestUploadCommandLine(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "-file.txt")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"-h", 0, "-destination name"},
		{"", 2, "there is no FILE"},
		{"FILE", 2, "-destination is missing"},
		{"FILE -destination", 2, "flag needs an argument"},
		{"FILE -destination d FILE", 2, "is given twice"},
		{"DIR -destination d", 2, "is a directory"},
		{"/dev/null -destination d", 2, "is no regular file"},
		{"DIR/none -destination d", 2, "there is no such file"},
		{"FILE -destination d -server example.com", 2, "write scheme, host and port"},
		{"FILE -destination d -server ftp://example.com", 2, "write scheme, host and port"},
		{"FILE -destination d -server http://u:p@example.com", 2, "write scheme, host and port"},
		{"FILE -destination d -part-size 1MiB", 2, "write 5 MiB to 5 GiB"},
		{"FILE -destination d -part-size x", 2, "is not a size"},
		{"FILE -destination d -concurrency 0", 2, "write 1 to 64"},
		{"FILE -destination d -concurrency 65", 2, "write 1 to 64"},
		{"FILE -destination d -max-rate 0", 2, "write 1 B to"},
		{"FILE -destination d -type x", 2, "is no media type"},
		{"-destination d -- FILE -nope", 2, `"-nope"`},
		{"-list FILE", 2, "takes no FILE"},
		{"-list -discard", 2, "do not go together"},
		{"-discard", 2, "needs a FILE, or an ID"},
		{"-discard FILE", 2, "no unfinished upload is of the file"},
		{"-list", 0, "no upload is unfinished"},
		{"-list -journal FILE", 1, "choose another with -journal"},
	} {
		var args []string
		for word := range strings.FieldsSeq(c.args) {
			args = append(args, strings.NewReplacer("FILE", file, "DIR", dir).Replace(word))
		}
		var out strings.Builder
		env := func(name string) string { return map[string]string{"HOME": dir}[name] }
		if status := run(context.Background(), append([]string{"upload"}, args...), env, &out, &out); status != c.status || !strings.Contains(out.String(), c.says) {
			t.Errorf("%s: %d; want %d and %q\n%s", c.args, status, c.status, c.says, &out)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, ".local", "state", "chunksign", "journal", "records")); err != nil {
		t.Error(err)
	}
}

func TestUploadSaysWhatItCannot(t *testing.T) {
	r := newUploadRig(t, dev).start()
	small, large := r.file("small", 1, 1), r.file("large", 11, 1)
	p := r.command(small, large, "-destination", "small")
	if status := p.run(t); status != 1 || !strings.Contains(p.stdout.String(), small+": 1 B as small/") || !strings.Contains(p.stderr.String(), large+": file_too_large: ") {
		t.Errorf("one of two: %d\n%s%s", status, &p.stdout, &p.stderr)
	}
	p = r.command(small, "-destination", "none", "-quiet")
	if status := p.run(t); status != 1 || p.stdout.Len() > 0 || !strings.Contains(p.stderr.String(), "destination_unknown") {
		t.Errorf("no such destination: %d\n%s%s", status, &p.stdout, &p.stderr)
	}
	p = r.command(small, "-destination", "small", "-journal", filepath.Join(small, "x"), "-quiet")
	if status := p.run(t); status != 0 || p.stdout.Len() > 0 || !strings.Contains(p.stderr.String(), "cannot be resumed") {
		t.Errorf("without a journal: %d\n%s%s", status, &p.stdout, &p.stderr)
	}
	p = r.command(small, "-destination", "small", "-server", "http://"+r.address[1])
	if status := p.run(t); status != 1 || !strings.Contains(p.stderr.String(), "is -server a chunksign server's address?") {
		t.Errorf("another server: %d\n%s", status, &p.stderr)
	}
	// What never answers is tried again until somebody gives up.
	ctx, end := context.WithCancelCause(context.Background())
	var out watched
	out.hook = func(text string) {
		if strings.Contains(text, "connection refused") {
			end(interruption{syscall.SIGINT})
		}
	}
	r.server.Close()
	args := []string{"upload", "-journal", filepath.Join(r.dir, "journal"), "-server", "http://" + r.address[0], "-destination", "small", small}
	if status := run(ctx, args, nothingSet, &out, &out); status != 130 || !strings.Contains(out.text.String(), "network: no reply from http://"+r.address[0]) {
		t.Errorf("no server: %d\n%s", status, out.text.String())
	}
}

type watched struct {
	text strings.Builder
	hook func(string)
}

func (w *watched) Write(p []byte) (int, error) {
	w.text.Write(p)
	w.hook(string(p))
	return len(p), nil
}

const uploadPage = "../docs/upload.md"

func TestUploadPageHasEverything(t *testing.T) {
	_, _, help := command(t, "upload", "-h")
	var flags []string
	for _, m := range regexp.MustCompile(`(?m)^  (-[\w-]+)`).FindAllStringSubmatch(help, -1) {
		flags = append(flags, m[1])
	}
	var shown []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(-[\\w-]+)[ A-Z]*` \\|").FindAllStringSubmatch(section(t, uploadPage, "## Options"), -1) {
		shown = append(shown, m[1])
	}
	same(t, "options", flags, shown)

	statuses := []string{"0", "1", "2", strconv.Itoa(int(needsSignIn))}
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		statuses = append(statuses, strconv.Itoa(int(interruption{s}.status())))
	}
	var told []string
	for _, m := range regexp.MustCompile(`(?m)^\| (\d+) \|`).FindAllStringSubmatch(section(t, uploadPage, "## Exit status"), -1) {
		told = append(told, m[1])
		if !strings.Contains(strings.Join(strings.Fields(uploadIntro), " "), m[1]) {
			t.Errorf("-h does not tell of the status %s", m[1])
		}
	}
	same(t, "statuses", statuses, told)

	found := map[string]bool{}
	files, err := filepath.Glob("drive/*.go")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := section(t, httpPage, "## Problems") + section(t, httpPage, "## Errors of the library")
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, m := range regexp.MustCompile(`(?:Code:|Code\w* +=) "([a-z_]+)"`).FindAllStringSubmatch(page(t, name), -1) {
			if !strings.Contains(elsewhere, "`"+m[1]+"`") {
				found[m[1]] = true
			}
		}
	}
	same(t, "codes", slices.Collect(maps.Keys(found)), column(section(t, uploadPage, "## When it fails"), 0))
}
