package drive

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/wasm/upload"
)

func TestTheClockTellsAJumpOnce(t *testing.T) {
	start := time.Now()
	c := newClock(start)
	for i, s := range []struct {
		elapsed, ahead time.Duration // what the monotonic clock shows, and how far the wall clock is ahead of it
		jumped         bool
	}{
		{time.Second, 0, false},
		{2 * time.Second, time.Second, false},  // slewed
		{3 * time.Second, 3 * time.Hour, true}, // slept
		{4 * time.Second, 3 * time.Hour, false},
		{5 * time.Second, -24 * time.Hour, true}, // set back
		{6 * time.Second, -24*time.Hour + time.Second, false},
	} {
		now, lead := c.at(s.elapsed, start.Round(0).Add(s.elapsed+s.ahead))
		if want := start.Round(0).Add(s.elapsed); !now.Equal(want) || lead != s.ahead {
			t.Errorf("%d: the time is %v and %v ahead; want %v and %v", i, now, lead, want, s.ahead)
		}
		if got := c.jumped(lead); got != s.jumped {
			t.Errorf("%d: jumped is %v", i, got)
		}
	}
}

func someFile(t *testing.T, size int) File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.bin")
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i ^ i>>8 ^ i>>16)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Look(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The blocks as the page's library takes them: an upload begun there is not gone on
// with here, but both hold to one definition.
func TestSample(t *testing.T) {
	for _, size := range []int{0, 1, 65535, 65536, 65537, 1 << 20} {
		f := someFile(t, size)
		data, err := os.ReadFile(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		want := data
		if size > 65536 {
			want = nil
			for i := range 16 {
				at := i * (size - 4096) / 15
				want = append(want, data[at:at+4096]...)
			}
		}
		s := &source{file: f}
		if got := s.sample(upload.Sample{ID: 7}); got != (upload.Sampled{ID: 7, Digest: sha256.Sum256(want)}) {
			t.Errorf("%d bytes: %v", size, got)
		}
		s.close()
	}
}

func TestAFileThatChangesIsUnreadable(t *testing.T) {
	for name, c := range map[string]struct {
		change func(path string) error
		says   string
	}{
		"longer": {func(p string) error { return os.WriteFile(p, make([]byte, 101), 0o600) }, "its size changed from 100 to 101 bytes"},
		"touched": {func(p string) error {
			return os.Chtimes(p, time.Time{}, time.Unix(1e9, 0))
		}, "it was changed at"},
		"removed": {os.Remove, "it was removed or moved"},
		"replaced": {func(p string) error {
			if err := os.WriteFile(p+"2", make([]byte, 100), 0o600); err != nil {
				return err
			}
			return os.Rename(p+"2", p)
		}, "another file was put in its place"},
	} {
		f := someFile(t, 100)
		s := &source{file: f}
		defer s.close()
		if ev, ok := s.hash(context.Background(), upload.Hash{ID: 1, Size: 100}).(upload.Hashed); !ok {
			t.Fatalf("%s: the file as it was: %v", name, ev)
		}
		if err := c.change(f.Path); err != nil {
			t.Fatal(err)
		}
		for _, ev := range []upload.Event{s.hash(context.Background(), upload.Hash{ID: 1, Size: 100}), s.sample(upload.Sample{ID: 1})} {
			e, ok := ev.(upload.Unreadable)
			if !ok || e.ID != 1 || !strings.Contains(e.Message, c.says) || !strings.Contains(e.Message, f.Path) {
				t.Errorf("%s: %v", name, ev)
			}
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, "0": 0, "-5": 0, "x": 0, "86400": time.Hour,
		"Sun, 17 May 2026 12:00:09 GMT": 9 * time.Second, "Sun, 17 May 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %v; want %v", value, got, want)
		}
	}
}

var someServer = Server{URL: "https://uploads.example.com", Destination: "photos"}

func someRecord(f File) upload.Record {
	r := upload.Record{UploadID: "u", PartSize: 5 << 20, Begun: time.UnixMilli(1_700_000_000_000)}
	r.File = upload.File{Name: f.Name, Size: f.Size, Modified: f.Modified.UnixMilli()}
	r.Grant.Token, r.Grant.Expires = "t", time.UnixMilli(1_800_000_000_000)
	return r
}

func take(t *testing.T, j *Journal, f File, fresh bool) *Held {
	t.Helper()
	h, err := j.Take(someServer, f, fresh)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestARecordIsFoundByItsFile(t *testing.T) {
	dir := t.TempDir()
	j, err := OpenJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := someFile(t, 10)
	first := take(t, j, f, false)
	if first.Record != nil {
		t.Fatalf("a record of nothing: %v", first.Record)
	}
	if err := first.Put(someRecord(f)); err != nil {
		t.Fatal(err)
	}

	other, err := OpenJournal(dir) // as another process has it
	if err != nil {
		t.Fatal(err)
	}
	if h, err := other.Take(someServer, f, false); !errors.Is(err, ErrHeld) {
		t.Errorf("taken twice: %v, %v", h, err)
	}
	first.Release()

	again := take(t, other, f, false)
	if again.Record == nil || again.Record.UploadID != "u" || again.ID != first.ID {
		t.Errorf("taken up again: %+v", again)
	}
	again.Release()
	for name, change := range map[string]func(s *Server, f *File){
		"another server":      func(s *Server, _ *File) { s.URL += "x" },
		"another destination": func(s *Server, _ *File) { s.Destination += "x" },
		"another path":        func(_ *Server, f *File) { f.Path += "x" },
		"another size":        func(_ *Server, f *File) { f.Size++ },
		"another time":        func(_ *Server, f *File) { f.Modified = f.Modified.Add(1) },
	} {
		s, f := someServer, f
		change(&s, &f)
		h, err := j.Take(s, f, false)
		if err != nil || h.Record != nil {
			t.Errorf("%s: %v, %v", name, h, err)
		}
		h.Release()
	}

	fresh := take(t, j, f, true)
	if fresh.Record != nil || fresh.ID == first.ID {
		t.Errorf("begun anew: %+v", fresh)
	}
	later := someRecord(f)
	later.Begun, later.UploadID = later.Begun.Add(time.Hour), "later"
	if err := fresh.Put(later); err != nil {
		t.Fatal(err)
	}
	fresh.Release()
	list, err := j.List()
	if err != nil || len(list) != 2 || !list[0].Is(f) || list[0].Path != f.Path || list[0].Server != someServer.URL || list[1].Record.UploadID != "later" {
		t.Errorf("the list: %+v, %v", list, err)
	}
	latest := take(t, j, f, false)
	if latest.Record == nil || latest.Record.UploadID != "later" {
		t.Errorf("the latest: %+v", latest)
	}
	if err := latest.Forget(); err != nil {
		t.Fatal(err)
	}
	latest.Release()
	if locks, err := os.ReadDir(filepath.Join(dir, "locks")); err != nil || len(locks) != 1 {
		t.Errorf("the locks that are left: %v, %v", locks, err)
	}
}

func TestARecordThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	j, err := OpenJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := someFile(t, 10)
	h := take(t, j, f, false)
	if err := h.Put(someRecord(f)); err != nil {
		t.Fatal(err)
	}
	h.Release()
	// A later version's engine: the envelope's last bytes are its record.
	if err := j.records.Put("later", []byte{envelopeVersion, 0, 0, 0, 0, 9}); err != nil {
		t.Fatal(err)
	}
	record := filepath.Join(dir, "records", h.ID)
	text, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(record, text[:len(text)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := j.List()
	if err != nil || len(list) != 2 || list[0].Err == nil || list[1].Err == nil {
		t.Errorf("%+v, %v", list, err)
	}
	if h := take(t, j, f, false); h.Record != nil {
		t.Errorf("it is taken up: %+v", h.Record)
	}
}
