package journal

import (
	"bytes"
	"encoding/hex"
	"errors"
	stdcrc32 "hash/crc32"
	"slices"
	"strings"
	"testing"

	"github.com/hack-pad/hackpadfs"
	"github.com/hack-pad/hackpadfs/mem"
)

// stores are the file systems that every test runs on. The browser build
// adds IndexedDB (indexeddb_js_test.go).
var stores = map[string]func(testing.TB) FS{
	"mem": func(t testing.TB) FS {
		fs, err := mem.NewFS()
		if err != nil {
			t.Fatal(err)
		}
		return fs
	},
}

func onEveryStore(t *testing.T, test func(t *testing.T, fs FS)) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func open(t testing.TB, fs FS) *Journal {
	t.Helper()
	j, err := New(fs)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func put(t testing.TB, j *Journal, id, record string) {
	t.Helper()
	if err := j.Put(id, []byte(record)); err != nil {
		t.Fatal(err)
	}
}

// holds fails the test unless fresh, another journal on the same file system,
// gives record for id.
func holds(t testing.TB, fs FS, id, record string) {
	t.Helper()
	got, err := open(t, fs).Get(id)
	if err != nil || string(got) != record {
		t.Fatalf("Get(%q) = %q, %v; want %q", id, got, err, record)
	}
}

// listed is List's answer in order, one "id=record" or "id!error" each.
func listed(t testing.TB, j *Journal) string {
	t.Helper()
	entries, err := j.List()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if e.Err != nil {
			out = append(out, e.ID+"!"+e.Err.Error())
		} else {
			out = append(out, e.ID+"="+string(e.Record))
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func writeFile(t testing.TB, fs FS, name string, data []byte) {
	t.Helper()
	if err := hackpadfs.WriteFullFile(fs, name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func exists(t testing.TB, fs FS, name string) bool {
	t.Helper()
	_, err := fs.Stat(name)
	if err != nil && !errors.Is(err, hackpadfs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

func TestRecordsAreKeptReplacedAndRemoved(t *testing.T) {
	onEveryStore(t, func(t *testing.T, fs FS) {
		j := open(t, fs)
		if got := listed(t, j); got != "" {
			t.Fatalf("a new journal lists %q", got)
		}
		big := strings.Repeat("0123456789abcdef", 1<<14)
		put(t, j, "a", "one")
		put(t, j, "b", "")
		put(t, j, "c", big)
		holds(t, fs, "a", "one")
		holds(t, fs, "b", "")
		holds(t, fs, "c", big)
		put(t, j, "a", "a longer one")
		holds(t, fs, "a", "a longer one")
		put(t, j, "a", "1")
		holds(t, fs, "a", "1")
		if got := listed(t, open(t, fs)); got != "a=1 b= c="+big {
			t.Fatalf("List: %.60q", got)
		}

		if err := j.Remove("a"); err != nil {
			t.Fatal(err)
		}
		if err := j.Remove("a"); err != nil {
			t.Fatalf("Remove of a missing record: %v", err)
		}
		if _, err := j.Get("a"); !errors.Is(err, ErrNotFound) {
			t.Fatalf("Get of a removed record: %v", err)
		}
		if err := j.Remove("c"); err != nil {
			t.Fatal(err)
		}
		if got := listed(t, j); got != "b=" {
			t.Fatalf("List: %q", got)
		}
	})
}

func TestIDs(t *testing.T) {
	tests := []struct {
		id string
		ok bool
	}{
		{"a", true}, {"0-9-z", true}, {"-", true}, {strings.Repeat("x", 64), true},
		{"", false}, {strings.Repeat("x", 65), false}, {"A", false}, {"a.b", false}, {".", false}, {"..", false},
		{"a/b", false}, {"../records/a", false}, {"a\x00", false}, {"ä", false}, {"a b", false},
	}
	j := open(t, stores["mem"](t))
	for _, test := range tests {
		_, getErr := j.Get(test.id)
		for op, err := range map[string]error{"put": j.Put(test.id, nil), "get": getErr, "remove": j.Remove(test.id)} {
			if errors.Is(err, ErrID) == test.ok {
				t.Errorf("%s %q: %v", op, test.id, err)
			}
		}
	}
}

func TestFileFormat(t *testing.T) {
	// The bytes on disk outlive the code that wrote them.
	if got, want := hex.EncodeToString(encode([]byte("chunk"))), "43534a0105000000"+"32da4086"+"6368756e6b"; got != want {
		t.Errorf("encode: %s, want %s", got, want)
	}
	for _, payload := range []string{"", "a", strings.Repeat("\xff\x00", 999)} {
		file := encode([]byte(payload))
		if want := stdcrc32.ChecksumIEEE(append(file[:8:8], payload...)); get32(file[8:]) != want {
			t.Errorf("checksum of %d bytes: %08x, want %08x", len(payload), get32(file[8:]), want)
		}
	}
}

func TestDamageIsSeenAtEveryByte(t *testing.T) {
	onEveryStore(t, func(t *testing.T, fs FS) {
		j := open(t, fs)
		good := encode([]byte("the upload so far"))
		check := func(what string, at int, bad []byte) {
			t.Helper()
			writeFile(t, fs, "records/a", bad)
			if got, err := j.Get("a"); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrVersion) {
				t.Errorf("%s %d: Get = %q, %v", what, at, got, err)
			}
		}
		for at := range good {
			for _, flip := range []byte{0x01, 0x80, 0xff} {
				bad := bytes.Clone(good)
				bad[at] ^= flip
				check("byte", at, bad)
			}
			check("cut at", at, good[:at])
		}
		lying := append(bytes.Clone(good), 0)
		put32(lying[8:], checksum(lying))
		check("a length that lies by", 1, lying)
		check("length", len(good)+1, append(bytes.Clone(good), 0))
		check("length", 2*len(good), append(bytes.Clone(good), good...))
	})
}

func TestUnreadableRecordsAreSetAside(t *testing.T) {
	onEveryStore(t, func(t *testing.T, fs FS) {
		j := open(t, fs)
		put(t, j, "good", "kept")
		file := encode([]byte("x"))
		writeFile(t, fs, "records/cut", file[:len(file)-1])
		writeFile(t, fs, "records/empty", nil)
		writeFile(t, fs, "records/Not An Id", file)
		newer := bytes.Clone(file)
		newer[3]++
		writeFile(t, fs, "records/newer", newer)

		want := "Not An Id!" + ErrDamaged.Error() + " cut!" + ErrDamaged.Error() + " empty!" + ErrDamaged.Error() +
			" good=kept newer!" + ErrVersion.Error()
		if got := listed(t, j); got != want {
			t.Fatalf("List: %s\nwant: %s", got, want)
		}
		if got := listed(t, j); got != "good=kept" {
			t.Fatalf("the second List: %s", got)
		}
		for _, name := range []string{"cut", "empty", "newer", "Not An Id"} {
			if !exists(t, fs, "aside/"+name) || exists(t, fs, "records/"+name) {
				t.Errorf("%s was not set aside", name)
			}
		}
		if got, err := hackpadfs.ReadFile(fs, "aside/newer"); err != nil || !bytes.Equal(got, newer) {
			t.Errorf("aside/newer holds %q, %v", got, err)
		}

		put(t, j, "cut", "again")
		holds(t, fs, "cut", "again")
		if err := j.Remove("cut"); err != nil || exists(t, fs, "aside/cut") || exists(t, fs, "records/cut") {
			t.Errorf("Remove left something of it: %v", err)
		}
	})
}

func TestLeftoversOfACrashAreIgnoredAndCleaned(t *testing.T) {
	onEveryStore(t, func(t *testing.T, fs FS) {
		j := open(t, fs)
		put(t, j, "a", "old")
		writeFile(t, fs, "temp/a", encode([]byte(strings.Repeat("a write that never ended", 9))))
		writeFile(t, fs, "temp/b", []byte("CS"))
		holds(t, fs, "a", "old")
		put(t, j, "a", "new") // over the longer left-over
		holds(t, fs, "a", "new")
		writeFile(t, fs, "temp/a", []byte("CSJ"))
		if got := listed(t, j); got != "a=new" {
			t.Fatalf("List: %q", got)
		}
		if exists(t, fs, "temp/a") || exists(t, fs, "temp/b") {
			t.Error("List left temporary files behind")
		}
	})
}
