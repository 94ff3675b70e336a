package main

import (
	"cmp"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

// The process is killed, and in between the store and the server are started anew,
// each at a moment that the seed chooses: after so many more requests at the store.
// CHUNKSIGN_KILLS, CHUNKSIGN_KILLS_SIZE and CHUNKSIGN_KILLS_SEED ask for more of it.
func TestUploadIsKilledAndGoesOn(t *testing.T) { bothWays(t, uploadIsKilledAndGoesOn) }

func uploadIsKilledAndGoesOn(t *testing.T, to string) {
	setting := func(name, otherwise string) int {
		n, err := destination.ParseSize(cmp.Or(os.Getenv(name), otherwise))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return int(n)
	}
	kills, size, seed := setting("CHUNKSIGN_KILLS", "5"), setting("CHUNKSIGN_KILLS_SIZE", "125829127"), setting("CHUNKSIGN_KILLS_SEED", "1")
	const partSize, concurrency = 5 << 20, 4
	all := (size + partSize - 1) / partSize
	most := max(2, all/kills-1) // requests before a kill, so that there is something left for the last
	random := rand.New(rand.NewPCG(uint64(seed), 0))

	r := newUploadRig(t, dev).start()
	file := r.file("large.bin", int64(size), uint64(seed))
	command := func() *process {
		return r.command(file, "-destination", to, "-part-size", "5MiB", "-json", "-concurrency", strconv.Itoa(concurrency))
	}
	var restarting sync.WaitGroup
	resumed := 0
	before := parts(r.log.watch(nil))
	for round := range kills {
		p := command()
		p.begin(t) // first: what the last one left at the store may still be logged
		kill := func() { p.signal(os.Kill) }
		if what := map[int]string{2: "store", 4: "server"}[round%5]; what != "" {
			// The request that is being logged has to end first, hence not in the hook.
			r.at(aPart, 1, func() {
				restarting.Go(func() { r.restart(what, func() { r.at(`msg=s3`, 1, kill) }) })
			})
		} else {
			r.at(`msg=s3 method=(?:PUT|POST|GET) `, 1+random.IntN(most), kill)
		}
		if status := p.end(t); status != -1 {
			t.Fatalf("round %d: it ended by itself, with %d: %s%s", round, status, &p.stdout, &p.stderr)
		}
		restarting.Wait()
		if strings.Contains(p.stderr.String(), "goes on with the upload") {
			resumed++
		}
		before = r.sentAgain(before, concurrency)
	}
	confirmed := len(before)
	p := command()
	if status := p.run(t); status != 0 {
		t.Fatalf("%d: %s%s", status, &p.stdout, &p.stderr)
	}
	before = r.sentAgain(before, concurrency)
	r.holds(p.outcomes(t)[0].Key, file)
	sent := 0
	for _, times := range before {
		sent += times
	}
	// A part whose reply a kill or a restart cut off may be sent again.
	if resumed == 0 || len(before) != all || sent > all+kills*concurrency {
		t.Errorf("gone on with %d times; %d parts were sent %d times", resumed, len(before), sent)
	}
	t.Logf("%d kills, gone on with %d times; of %d parts %d were there before the last run, and %d were sent again", kills, resumed, all, confirmed, sent-all)
}

func TestUploadIsInterrupted(t *testing.T) { bothWays(t, uploadIsInterrupted) }

func uploadIsInterrupted(t *testing.T, destination string) {
	r := newUploadRig(t, dev).start()
	file := r.file("large.bin", 100<<20, 1)
	args := []string{file, "-destination", destination, "-part-size", "5MiB", "-concurrency", "2"}
	taken := map[string]int{}
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p := r.command(args...)
		r.signal(p, signal, 3)
		status := p.run(t)
		if status != 128+int(signal) || !strings.Contains(p.stderr.String(), "interrupted: 0 of 1 uploaded") || !strings.Contains(p.stderr.String(), "the same command goes on") {
			t.Errorf("%v: %d\n%s", signal, status, &p.stderr)
		}
		if again := strings.Contains(p.stderr.String(), file+": goes on with the upload that was begun at"); again != (len(taken) > 0) {
			t.Errorf("%v: goes on is %v\n%s", signal, again, &p.stderr)
		}
		taken = r.sentAgain(taken, 2)
	}
	list := r.command("-list")
	if status := list.run(t); status != 0 || strings.Count(list.stdout.String(), "\n") != 2 || !strings.Contains(list.stdout.String(), file+"  100 MiB  "+destination) {
		t.Errorf("-list: %d\n%s%s", status, &list.stdout, &list.stderr)
	}
	p := r.command(args...)
	if status := p.run(t); status != 0 || !strings.Contains(p.stdout.String(), file+": 100 MiB as "+destination+"/") {
		t.Fatalf("%d\n%s%s", status, &p.stdout, &p.stderr)
	}
	_, key, _ := strings.Cut(strings.TrimSpace(p.stdout.String()), " as ")
	r.holds(key, file)
	r.sentAgain(taken, 2)
}

// interrupted begins an upload and ends it after some parts.
func (r *uploadRig) interrupted(args ...string) {
	r.t.Helper()
	p := r.command(args...)
	r.signal(p, os.Interrupt, 2)
	if status := p.run(r.t); status != 130 {
		r.t.Fatalf("%d\n%s", status, &p.stderr)
	}
}

// The server's key was replaced: it takes none of the grants that were given.
func TestUploadWhoseGrantIsVoid(t *testing.T) {
	r := newUploadRig(t, dev).start()
	file := r.file("large.bin", 64<<20, 1)
	args := []string{file, "-destination", "demo", "-part-size", "5MiB"}
	r.interrupted(args...)
	r.interrupted(append(args, "-no-resume")...)
	r.grantKeys = "k:" + strings.Repeat("B", 43)
	r.restart("server", func() {})
	discard := r.command("-discard", file)
	if status := discard.run(t); status != 1 || strings.Count(discard.stderr.String(), "can be neither used nor removed") != 2 {
		t.Errorf("-discard: %d\n%s%s", status, &discard.stdout, &discard.stderr)
	}
	r.interrupted(args...)
	r.grantKeys = "k:" + strings.Repeat("C", 43)
	r.restart("server", func() {})
	p := r.command(append(args, "-json")...)
	if status := p.run(t); status != 0 || !strings.Contains(p.stderr.String(), "warning: expired") || !strings.Contains(p.stderr.String(), "The file is uploaded anew") {
		t.Fatalf("%d\n%s%s", status, &p.stdout, &p.stderr)
	}
	r.holds(p.outcomes(t)[0].Key, file)
	if list := r.command("-list"); list.run(t) != 0 || list.stdout.Len() > 0 {
		t.Errorf("-list:\n%s", &list.stdout)
	}
}

func TestUploadNoticesAnotherFile(t *testing.T) {
	r := newUploadRig(t, dev).start()
	file := r.file("large.bin", 64<<20, 1)
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{file, "-destination", "demo", "-part-size", "5MiB", "-json"}
	r.interrupted(args...)
	r.file("large.bin", 64<<20, 2)
	if err := os.Chtimes(file, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	asked := r.log.count(`msg=s3 method=GET`)
	p := r.command(args...)
	if status := p.run(t); status != 1 {
		t.Errorf("%d", status)
	}
	if o := p.outcomes(t)[0]; o.Error == nil || o.Error.Code != "different_file" || !o.Unfinished || o.Key != "" {
		t.Errorf("%+v", o)
	}
	if n := r.log.count(`msg=s3 method=GET`); n != asked { // before anything is sent, the parts are listed
		t.Errorf("the store was asked %d times for the other file", n-asked)
	}

	// It is uploaded as an upload of its own, and the other is given up.
	fresh := r.command(append(args, "-no-resume")...)
	if status := fresh.run(t); status != 0 {
		t.Fatalf("-no-resume: %d\n%s", status, &fresh.stderr)
	}
	r.holds(fresh.outcomes(t)[0].Key, file)
	discard := r.command("-discard", file)
	if status := discard.run(t); status != 0 || !strings.Contains(discard.stdout.String(), "discarded") {
		t.Errorf("-discard: %d\n%s%s", status, &discard.stdout, &discard.stderr)
	}
	if n := r.log.count(`msg=s3 method=DELETE .*status=204`); n == 0 {
		t.Error("nothing was aborted at the store")
	}
	list := r.command("-list")
	if status := list.run(t); status != 0 || list.stdout.Len() > 0 || !strings.Contains(list.stderr.String(), "no upload is unfinished") {
		t.Errorf("-list: %d\n%s%s", status, &list.stdout, &list.stderr)
	}

	// With another time it is known for another file at once.
	r.interrupted(args...)
	if err := os.Chtimes(file, time.Time{}, info.ModTime().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	p = r.command(args...)
	if status := p.run(t); status != 0 || !strings.Contains(p.stderr.String(), "was changed since an upload of it was begun") {
		t.Errorf("%d\n%s", status, &p.stderr)
	}
}

func TestUploadOfAFileThatChanges(t *testing.T) {
	r := newUploadRig(t, dev).start()
	for _, change := range []struct {
		name, says string
		do         func(path string) error
	}{
		{"grows", "its size changed from 67108864 to 67108865 bytes", func(path string) error { return os.Truncate(path, 64<<20+1) }},
		{"shrinks", "its size changed from 67108864 to 1 bytes", func(path string) error { return os.Truncate(path, 1) }},
		{"goes", "it was removed or moved", os.Remove},
	} {
		file := r.file(change.name+".bin", 64<<20, 1)
		p := r.command(file, "-destination", "demo", "-part-size", "5MiB", "-json")
		r.at(aPart, 2, func() {
			if err := change.do(file); err != nil {
				t.Error(err)
			}
		})
		if status := p.run(t); status != 1 {
			t.Errorf("%s: %d", change.name, status)
		}
		if o := p.outcomes(t)[0]; o.Error == nil || o.Error.Code != "file_unreadable" || !strings.Contains(o.Error.Message, change.says) || !strings.Contains(o.Error.Message, file) {
			t.Errorf("%s: %+v", change.name, o.Error)
		}
	}
	if n := r.log.count(`msg=s3 method=POST .*uploadId=[0-9a-f]\S+ status=200`); n != 0 {
		t.Errorf("%d were completed", n)
	}
}

// endSession sets the store's clock to when the session has ended, until the store has
// said so: STS, which is to give another, holds the date of its requests against it too.
func (r *uploadRig) endSession() {
	r.ahead.Store(int64(20 * time.Minute))
	r.then(`msg=s3 .*status=400`, func() { r.ahead.Store(0) })
}

func TestUploadWhoseSessionEnds(t *testing.T) {
	r := newUploadRig(t, dev).start()
	file := r.file("large.bin", 64<<20, 1)
	p := r.command(file, "-destination", "demo", "-part-size", "5MiB", "-json", "-concurrency", "2")
	r.at(aPart, 3, r.endSession)
	if status := p.run(t); status != 0 {
		t.Fatalf("%d\n%s%s", status, &p.stdout, &p.stderr)
	}
	r.holds(p.outcomes(t)[0].Key, file)
	if n := r.log.count(`/v1/uploads/credentials\W+status\W+200`); n != 1 {
		t.Errorf("the credentials were renewed %d times", n)
	}
	if n := r.log.count(`msg=s3 .*status=400`); n < 1 || n > 3 {
		t.Errorf("%d requests were refused; want those that were under way", n)
	}
}

func TestUploadWantsASignIn(t *testing.T) { bothWays(t, uploadWantsASignIn) }

func uploadWantsASignIn(t *testing.T, destination string) {
	path, key := configured(t)
	r := newUploadRig(t, "jwt: { issuer: https://id.example.com, audience: uploads, key_file: "+filepath.Join(filepath.Dir(path), "id.pem")+" }").start()
	file, token := r.file("large.bin", 64<<20, 1), filepath.Join(r.dir, "token")
	write := func(text string) {
		if err := os.WriteFile(token, []byte(text+"\n"), 0o600); err != nil {
			t.Error(err)
		}
	}
	args := []string{file, "-destination", destination, "-part-size", "5MiB", "-token-file", token}
	if status := r.command(args...).run(t); status != 1 {
		t.Errorf("without the file: %d", status)
	}
	none := r.command(args[:len(args)-2]...)
	if status := none.run(t); status != 3 || !strings.Contains(none.stderr.String(), "unauthenticated") || !strings.Contains(none.stderr.String(), tokenVariable) {
		t.Errorf("without a token: %d\n%s", status, &none.stderr)
	}
	write(sign(t, key))
	p := r.command(args...)
	r.at(aPart, 3, func() {
		write("signed.out.meanwhile")
		r.endSession()
	})
	if status := p.run(t); status != 3 || !strings.Contains(p.stderr.String(), "put a token that it takes into") || strings.Contains(p.stderr.String(), "signed.out") {
		t.Errorf("signed out: %d\n%s", status, &p.stderr)
	}
	taken := parts(r.log.watch(nil))
	if len(taken) < 3 || len(taken) == 13 {
		t.Errorf("%d parts were taken", len(taken))
	}
	write(sign(t, key))
	p = r.command(append(args, "-json")...)
	if status := p.run(t); status != 0 || !strings.Contains(p.stderr.String(), "goes on with the upload") {
		t.Fatalf("signed in again: %d\n%s%s", status, &p.stdout, &p.stderr)
	}
	r.holds(p.outcomes(t)[0].Key, file)
	r.sentAgain(taken, 4)
}
