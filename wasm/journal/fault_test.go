package journal

import (
	"errors"
	"strings"
	"testing"

	"github.com/hack-pad/hackpadfs"
)

type fault string

const (
	fails     fault = "fails"                      // an error, and nothing happened
	swallowed fault = "is swallowed"               // no error, and nothing happened
	late      fault = "fails after it was done"    // an error, and it happened
	cut       fault = "is cut short"               // no error, and half of the bytes were written
	cutFails  fault = "is cut short and fails"     // an error, and half of the bytes were written
	vanishes  fault = "finds its file or dir gone" // ErrNotExist, and nothing happened
)

var faults = []fault{fails, swallowed, late, cut, cutFails, vanishes}

var errFault = errors.New("QuotaExceededError")

// faultyFS is a file system whose operation number at (counted from 0) goes
// wrong; every operation from there on if it stays so. Reads count as well.
type faultyFS struct {
	FS
	fault fault
	at    int
	stays bool
	n     int
	hit   string // the operation that went wrong first
}

// next counts an operation and returns what goes wrong with it, if anything.
func (f *faultyFS) next(op string) fault {
	f.n++
	if f.n-1 == f.at || f.stays && f.n-1 > f.at {
		if f.hit == "" {
			f.hit = op
		}
		return f.fault
	}
	return ""
}

// do runs an operation that is done or not done.
func (f *faultyFS) do(op string, run func() error) error {
	switch f.next(op) {
	case "":
		return run()
	case swallowed, cut:
		return nil
	case late:
		if err := run(); err != nil {
			return err
		}
	case vanishes:
		return &hackpadfs.PathError{Op: op, Path: "?", Err: hackpadfs.ErrNotExist}
	}
	return errFault
}

func (f *faultyFS) Mkdir(name string, perm hackpadfs.FileMode) error {
	return f.do("mkdir", func() error { return f.FS.Mkdir(name, perm) })
}

func (f *faultyFS) Remove(name string) error {
	return f.do("remove", func() error { return f.FS.Remove(name) })
}

func (f *faultyFS) Rename(from, to string) error {
	return f.do("rename", func() error { return f.FS.Rename(from, to) })
}

func (f *faultyFS) Stat(name string) (info hackpadfs.FileInfo, err error) {
	// A stat has nothing to swallow: it answers or it fails.
	if wrong := f.next("stat"); wrong == vanishes {
		return nil, &hackpadfs.PathError{Op: "stat", Path: name, Err: hackpadfs.ErrNotExist}
	} else if wrong != "" {
		return nil, errFault
	}
	return f.FS.Stat(name)
}

func (f *faultyFS) Open(name string) (hackpadfs.File, error) {
	return f.OpenFile(name, hackpadfs.FlagReadOnly, 0)
}

func (f *faultyFS) OpenFile(name string, flag int, perm hackpadfs.FileMode) (hackpadfs.File, error) {
	op := "create"
	if flag == hackpadfs.FlagReadOnly {
		op = "open"
	}
	var file hackpadfs.File
	open := func() (err error) {
		file, err = f.FS.OpenFile(name, flag, perm)
		return err
	}
	err := f.do(op, open)
	if err == nil && file == nil {
		// Swallowed: a handle on a file that is then not there.
		err = open()
		if err == nil && flag != hackpadfs.FlagReadOnly {
			_ = f.FS.Remove(name)
		}
	}
	if err != nil {
		return nil, err
	}
	return &faultyFile{file, f}, nil
}

type faultyFile struct {
	hackpadfs.File
	fs *faultyFS
}

func (f *faultyFile) Read(p []byte) (int, error) {
	switch f.fs.next("read") {
	case "":
		return f.File.Read(p)
	case cut:
		// Half of the file, and the other half never comes.
		n, err := f.File.Read(p)
		f.File = &emptyFile{f.File}
		return n / 2, err
	case vanishes:
		return 0, hackpadfs.ErrNotExist
	}
	return 0, errFault
}

func (f *faultyFile) Write(p []byte) (n int, err error) {
	write := func(p []byte) { n, err = hackpadfs.WriteFile(f.File, p) }
	switch f.fs.next("write") {
	case "":
		write(p)
	case swallowed:
		n = len(p)
	case late:
		write(p)
		err = errFault
	case cut:
		write(p[:len(p)/2])
		n = len(p)
	case cutFails:
		write(p[:len(p)/2])
		err = errFault
	case fails:
		err = errFault
	case vanishes:
		err = hackpadfs.ErrNotExist
	}
	return n, err
}

func (f *faultyFile) Truncate(size int64) error {
	return f.fs.do("truncate", func() error { return hackpadfs.TruncateFile(f.File, size) })
}

func (f *faultyFile) ReadDir(n int) ([]hackpadfs.DirEntry, error) {
	var entries []hackpadfs.DirEntry
	err := f.fs.do("readdir", func() (err error) {
		entries, err = hackpadfs.ReadDirFile(f.File, n)
		return err
	})
	return entries, err
}

type emptyFile struct{ hackpadfs.File }

func (*emptyFile) Read([]byte) (int, error) { return 0, errFault }

// eachFault runs test with each fault at each operation in turn, once and for
// good, until test gets by without meeting it.
func eachFault(t *testing.T, fs FS, prepare func(), test func(t *testing.T, faulty *faultyFS)) {
	for _, fault := range faults {
		for _, stays := range []bool{false, true} {
			met := 0
			for at := 0; ; at++ {
				if prepare(); t.Failed() {
					return
				}
				faulty := &faultyFS{FS: fs, fault: fault, at: at, stays: stays}
				test(t, faulty)
				if faulty.hit == "" {
					break
				}
				met++
				if t.Failed() {
					t.Logf("where operation %d, a %s, %s (for good: %v)", at, faulty.hit, fault, stays)
					return
				}
			}
			if met < 3 {
				t.Fatalf("only %d operations met the fault %q", met, fault)
			}
		}
	}
}

func TestPutIsWholeWhateverFails(t *testing.T) {
	old, now := "the record as it was before", strings.Repeat("and as it shall be ", 5)
	onEveryStore(t, func(t *testing.T, fs FS) {
		clean := open(t, fs)
		refused := 0
		eachFault(t, fs,
			func() { put(t, clean, "a", old) },
			func(t *testing.T, faulty *faultyFS) {
				err := (&Journal{faulty}).Put("a", []byte(now))
				got, getErr := clean.Get("a")
				switch {
				case err == nil && string(got) != now:
					t.Errorf("Put said nothing and Get gives %q, %v", got, getErr)
				case getErr == nil && string(got) != old && string(got) != now:
					t.Errorf("Get gives a torn record: %q", got)
				case getErr != nil:
					// None of these faults touches the old record.
					t.Errorf("the old record is lost: %v (Put: %v)", getErr, err)
				}
				if err != nil {
					refused++
				}
				// Whatever is left over, the next Put is none the worse.
				put(t, clean, "a", now)
				holds(t, fs, "a", now)
				if got := listed(t, clean); got != "a="+now {
					t.Errorf("List: %q", got)
				}
			})
		if refused < len(faults) {
			t.Errorf("Put failed only %d times", refused)
		}
	})
}

func TestARecordRenamedTornIsAnError(t *testing.T) {
	onEveryStore(t, func(t *testing.T, fs FS) {
		put(t, open(t, fs), "a", "old")
		err := (&Journal{tearingFS{fs}}).Put("a", []byte("new"))
		if !errors.Is(err, ErrLost) {
			t.Errorf("Put: %v", err)
		}
		if got, err := open(t, fs).Get("a"); !errors.Is(err, ErrDamaged) {
			t.Errorf("Get: %q, %v", got, err)
		}
	})
}

// tearingFS renames as a store without transactions might: half of the file
// arrives.
type tearingFS struct{ FS }

func (f tearingFS) Rename(from, to string) error {
	data, err := hackpadfs.ReadFile(f.FS, from)
	if err != nil {
		return err
	}
	return hackpadfs.WriteFullFile(f.FS, to, data[:len(data)/2], 0o600)
}

func TestRemoveSaysWhenItDidNot(t *testing.T) {
	onEveryStore(t, func(t *testing.T, fs FS) {
		clean := open(t, fs)
		eachFault(t, fs,
			func() { put(t, clean, "a", "old") },
			func(t *testing.T, faulty *faultyFS) {
				err := (&Journal{faulty}).Remove("a")
				got, getErr := clean.Get("a")
				if getErr == nil && string(got) != "old" || getErr != nil && !errors.Is(getErr, ErrNotFound) {
					t.Errorf("Get: %q, %v", got, getErr)
				}
				// A file system that denies the file is there is believed.
				if err == nil && getErr == nil && faulty.fault != vanishes {
					t.Error("Remove said nothing and the record is still there")
				}
			})
	})
}

func TestListAndGetSurviveFaults(t *testing.T) {
	onEveryStore(t, func(t *testing.T, fs FS) {
		clean := open(t, fs)
		broken := encode([]byte("x"))[:headerSize]
		eachFault(t, fs,
			func() {
				put(t, clean, "a", "one")
				put(t, clean, "b", "two")
				writeFile(t, fs, "records/broken", broken)
				writeFile(t, fs, "temp/left", broken)
			},
			func(t *testing.T, faulty *faultyFS) {
				j := &Journal{faulty}
				entries, _ := j.List()
				for _, e := range entries {
					if e.Err == nil && !(e.ID == "a" && string(e.Record) == "one" || e.ID == "b" && string(e.Record) == "two") {
						t.Errorf("List gives %q: %q", e.ID, e.Record)
					}
				}
				if got, err := j.Get("a"); err == nil && string(got) != "one" {
					t.Errorf("Get: %q", got)
				}
				for _, id := range []string{"a", "b"} {
					_, err := clean.Get(id)
					// What cannot be read whole however often is set aside.
					if err != nil && !(faulty.stays && exists(t, fs, "aside/"+id)) {
						t.Errorf("List lost %q: %v", id, err)
					}
				}
			})
	})
}

// noTemp has a temp/ that cannot be read.
type noTemp struct{ FS }

func (fs noTemp) Open(name string) (hackpadfs.File, error) {
	if name == temp {
		return nil, &hackpadfs.PathError{Op: "open", Path: name, Err: hackpadfs.ErrNotExist}
	}
	return fs.FS.Open(name)
}

func TestListNeedsNoTemporaryFiles(t *testing.T) {
	onEveryStore(t, func(t *testing.T, fs FS) {
		put(t, open(t, fs), "a", "one")
		if got := listed(t, &Journal{noTemp{fs}}); got != "a=one" {
			t.Fatalf("List: %q", got)
		}
	})
}

func TestNewSaysWhenThereIsNoFolder(t *testing.T) {
	for name, newFS := range stores {
		t.Run(name, func(t *testing.T) {
			var fs FS
			for _, fault := range faults {
				for at := 0; ; at++ {
					fs = newFS(t)
					faulty := &faultyFS{FS: fs, fault: fault, at: at}
					j, err := New(faulty)
					if faulty.hit == "" {
						break
					}
					if err != nil {
						continue
					}
					if err := j.Put("a", []byte("one")); err != nil {
						t.Fatalf("New said nothing when operation %d, a %s, %s; then Put: %v", at, faulty.hit, fault, err)
					}
				}
			}
		})
	}
}

func TestPutBesideAnothersList(t *testing.T) {
	onEveryStore(t, func(t *testing.T, fs FS) {
		other := open(t, fs)
		put(t, other, "a", "old")
		meddled := &meddledFS{fs, func() { listed(t, other) }}
		if err := (&Journal{meddled}).Put("a", []byte("new")); err != nil {
			t.Fatal(err)
		}
		holds(t, fs, "a", "new")
	})
}

// meddledFS lets somebody else at the files before its first Rename.
type meddledFS struct {
	FS
	meddle func()
}

func (f *meddledFS) Rename(from, to string) error {
	if f.meddle != nil {
		f.meddle()
		f.meddle = nil
	}
	return f.FS.Rename(from, to)
}
