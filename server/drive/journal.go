package drive

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/chunksign/chunksign/wasm/codec"
	"github.com/chunksign/chunksign/wasm/journal"
	"github.com/chunksign/chunksign/wasm/upload"
)

// envelopeVersion is of what stands around the engine's record, which has its own.
const envelopeVersion = 1

// ErrHeld means that another process works on the upload.
var ErrHeld = errors.New("another process is working on this upload; wait for it, or end it")

// Journal keeps the records of unfinished uploads in a folder, which several
// processes may share:
//
//	records, temp, aside   see package journal
//	locks/ID               locked by the process that works on the record ID
//
// A record's ID is a hash of server, destination, path, size and modification
// time, so that the same file finds it again, and two processes that are given
// the same file find each other.
type Journal struct {
	dir     string
	records *journal.Journal
}

// OpenJournal opens the journal in the folder dir, which is made when missing.
func OpenJournal(dir string) (*Journal, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(filepath.Join(dir, "locks"), 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("the journal's folder: %w; choose another with -journal", err)
	}
	fs, err := durable(dir)
	if err != nil {
		return nil, fmt.Errorf("the journal's folder %q: %w", dir, err)
	}
	records, err := journal.New(fs)
	if err != nil {
		return nil, fmt.Errorf("the journal's folder %q: %w; choose another with -journal", dir, err)
	}
	return &Journal{dir, records}, nil
}

// Kept is an unfinished upload.
type Kept struct {
	ID          string
	Server      string // the URL
	Destination string
	Path        string
	Modified    time.Time // the file's, when the upload began
	Record      upload.Record
	// Err says why the rest but ID is not known. The record was set aside, or is
	// of another version of this program; discarding it removes it here only.
	Err error
}

// Is says whether f is the file that the upload is of.
func (k *Kept) Is(f File) bool {
	return k.Path == f.Path && k.Record.File.Size == f.Size && k.Modified.Equal(f.Modified)
}

// List gives the unfinished uploads, the oldest first.
func (j *Journal) List() ([]Kept, error) {
	entries, err := j.records.List()
	if err != nil {
		return nil, err
	}
	list := make([]Kept, 0, len(entries))
	for _, e := range entries {
		k := Kept{ID: e.ID, Err: e.Err}
		if e.Err == nil {
			k = open(e.ID, e.Record)
		}
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b Kept) int { return a.Record.Begun.Compare(b.Record.Begun) })
	return list, nil
}

// Held is the right to work on one upload. It ends with Release, or with the process.
type Held struct {
	ID     string
	Record *upload.Record // nil where there is none (yet)

	journal  *Journal
	lock     *os.File
	envelope Kept
}

// Take takes the upload of f to s up. Its Record is nil where none was begun; with
// fresh a further one begins beside what there is. ErrHeld where another process
// has it.
func (j *Journal) Take(s Server, f File, fresh bool) (*Held, error) {
	id := identity(s, f)
	envelope := Kept{Server: s.URL, Destination: s.Destination, Path: f.Path, Modified: f.Modified}
	if fresh {
		envelope.ID = id + "-" + strings.ToLower(rand.Text())[:8]
		return j.hold(envelope)
	}
	list, err := j.List()
	if err != nil {
		return nil, err
	}
	busy := false
	// The latest first: one that was begun anew is the one that was meant.
	for _, k := range slices.Backward(list) {
		if k.Err != nil || !(k.ID == id || strings.HasPrefix(k.ID, id+"-")) {
			continue
		}
		h, err := j.hold(k)
		if err == nil && h.Record != nil {
			return h, nil
		}
		if err == nil {
			h.Release() // finished since it was listed
		} else if busy = errors.Is(err, ErrHeld); !busy {
			return nil, err
		}
	}
	if busy {
		return nil, ErrHeld
	}
	envelope.ID = id
	return j.hold(envelope)
}

// TakeID takes the upload of a listed record up. Its Record is nil where it is
// gone meanwhile.
func (j *Journal) TakeID(id string) (*Held, error) { return j.hold(Kept{ID: id}) }

func (j *Journal) hold(k Kept) (*Held, error) {
	lock, err := j.lock(k.ID)
	if err != nil {
		return nil, err
	}
	h := &Held{ID: k.ID, journal: j, lock: lock, envelope: k}
	// Read under the lock: what was listed may have ended since.
	switch text, err := j.records.Get(k.ID); {
	case err == nil:
		if now := open(k.ID, text); now.Err == nil {
			h.Record, h.envelope = &now.Record, now
		}
	case !errors.Is(err, journal.ErrNotFound) && !errors.Is(err, journal.ErrDamaged) && !errors.Is(err, journal.ErrVersion):
		h.Release()
		return nil, err
	}
	return h, nil
}

// Put keeps r in place of the record before.
func (h *Held) Put(r upload.Record) error {
	h.Record = &r
	var engine, w codec.Writer
	r.Encode(&engine)
	w.U8(envelopeVersion)
	w.Str(h.envelope.Server)
	w.Str(h.envelope.Destination)
	w.Str(h.envelope.Path)
	w.I64(h.envelope.Modified.UnixNano())
	w.Bytes(engine.Buf)
	return h.journal.records.Put(h.ID, w.Buf)
}

// Forget removes the record.
func (h *Held) Forget() error {
	h.Record = nil
	return h.journal.records.Remove(h.ID)
}

// Release lets others take the upload up.
func (h *Held) Release() {
	if h.Record == nil {
		os.Remove(h.lock.Name()) // while it is locked: see lock
	}
	h.lock.Close()
}

// lock takes the lock of a record. A lock's file is removed with its record, by
// who holds it, so that one which was opened before that is a lock of nothing.
func (j *Journal) lock(id string) (*os.File, error) {
	name := filepath.Join(j.dir, "locks", id)
	for {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		free, err := tryLock(f)
		if err == nil && !free {
			err = ErrHeld
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		ours, err := f.Stat()
		if err == nil {
			if named, err := os.Stat(name); err == nil && os.SameFile(ours, named) {
				return f, nil
			}
		}
		f.Close()
	}
}

// identity is the ID of the record of f's upload to s.
func identity(s Server, f File) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %d %d", s.URL, s.Destination, f.Path, f.Size, f.Modified.UnixNano()))
	return hex.EncodeToString(sum[:10])
}

// open reads what Put wrote.
func open(id string, text []byte) Kept {
	c := codec.Reader{Buf: text}
	k := Kept{ID: id}
	if c.U8() == envelopeVersion {
		k.Server = c.Str()
		k.Destination = c.Str()
		k.Path = c.Str()
		k.Modified = time.Unix(0, c.I64())
		if r, ok := upload.DecodeRecord(c.Bytes()); ok && !c.Bad {
			k.Record = r
			return k
		}
	}
	return Kept{ID: id, Err: errors.New("the record was written by another version of chunksign")}
}
