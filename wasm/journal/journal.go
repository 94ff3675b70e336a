// Package journal keeps small named records, one for each unfinished upload,
// in a hackpadfs file system: IndexedDB in the page, memory in tests.
//
// A record is written whole or not at all. Put writes a new file under temp/,
// reads it back, renames it over the old one and reads that back too, because
// hackpadfs may swallow a store's failure. So a reader finds the old record, the new
// one, or an error:
//
//	records/ID   what Put kept
//	temp/ID      a Put under way, or what a crash left of one; List removes it
//	aside/ID     what List found unreadable and moved out of the way
//
// A file is a header (record.go) and the payload. What the payload means is the
// caller's business.
//
// A Journal is for one goroutine. Several (two tabs have one each) may share a
// file system as long as each id has one writer at a time: where they come
// between each other, what failed is tried again.
package journal

import (
	"bytes"
	"errors"

	"github.com/hack-pad/hackpadfs"
)

// FS is what a Journal needs of a file system. The file systems of
// hackpadfs/mem and hackpadfs/indexeddb have it.
type FS interface {
	hackpadfs.OpenFileFS
	hackpadfs.MkdirFS
	hackpadfs.RenameFS
	hackpadfs.RemoveFS
	hackpadfs.StatFS
}

var (
	// ErrNotFound means that there is no record of this id.
	ErrNotFound = errors.New("no such record")
	// ErrID means that an id is not 1 to 64 of a-z, 0-9 and "-".
	ErrID = errors.New("not an id; use 1 to 64 of a-z, 0-9 and -")
	// ErrDamaged means that a record's bytes are not what was written.
	ErrDamaged = errors.New("the record is damaged; remove it and start its upload again")
	// ErrVersion means that a record's format is newer than this package.
	ErrVersion = errors.New("the record was written by a newer version; update, or remove it")
	// ErrLost means that the file system reported success and kept
	// something else, or nothing.
	ErrLost = errors.New("the file system did not keep what was written; free some space and try again")
)

// Error says which operation on which record failed, and why. Err is one of the
// errors above or the file system's own.
type Error struct {
	Op  string // "new", "put", "get", "list" or "remove"
	ID  string // the record's id, or the folder for "new" and "list"
	Err error
}

func (e *Error) Error() string {
	id := e.ID
	if len(id) > 80 {
		id = id[:80] + "…"
	}
	return "journal: " + e.Op + " \"" + id + "\": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Journal is a store of records.
type Journal struct{ fs FS }

const (
	records = "records"
	temp    = "temp"
	aside   = "aside"
)

// attempts bounds how often something is tried that another journal on the same
// file system may have come between.
const attempts = 3

// New opens the journal in fs, making its folders where they are missing.
func New(fs FS) (*Journal, error) {
	for _, dir := range []string{records, temp, aside} {
		// Asked first and asked again: Mkdir's own answer does not show
		// that the folder is there.
		if isDir(fs, dir) == nil {
			continue
		}
		err := fs.Mkdir(dir, 0o700)
		if err == nil || errors.Is(err, hackpadfs.ErrExist) {
			err = isDir(fs, dir)
		}
		if err != nil {
			return nil, &Error{"new", dir, err}
		}
	}
	return &Journal{fs}, nil
}

func isDir(fs FS, name string) error {
	info, err := fs.Stat(name)
	if errors.Is(err, hackpadfs.ErrNotExist) {
		return ErrLost
	}
	if err == nil && !info.IsDir() {
		err = hackpadfs.ErrNotDir
	}
	return err
}

// Put keeps record under id in place of any earlier one. After an error the
// earlier record, this one or neither may be there, never part of one.
func (j *Journal) Put(id string, record []byte) error {
	if !validID(id) {
		return &Error{"put", id, ErrID}
	}
	file, from, to := encode(record), temp+"/"+id, records+"/"+id
	var err error
	for range attempts {
		if err = j.write(from, file); err == nil {
			err = j.fs.Rename(from, to)
		}
		if err == nil {
			err = j.holds(to, file)
		}
		// Another journal's List may have tidied the file away meanwhile.
		if !errors.Is(err, hackpadfs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return &Error{"put", id, err}
	}
	return nil
}

// Get returns the record kept under id: ErrNotFound where there is none,
// ErrDamaged or ErrVersion where it cannot be read.
func (j *Journal) Get(id string) ([]byte, error) {
	if !validID(id) {
		return nil, &Error{"get", id, ErrID}
	}
	record, err := j.load(id)
	if errors.Is(err, hackpadfs.ErrNotExist) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, &Error{"get", id, err}
	}
	return record, nil
}

// Remove forgets the record kept under id, and what was set aside under it.
// Where there is none, nothing happens.
func (j *Journal) Remove(id string) error {
	if !validID(id) {
		return &Error{"remove", id, ErrID}
	}
	for _, dir := range []string{records, aside, temp} {
		if err := j.remove(dir + "/" + id); err != nil {
			return &Error{"remove", id, err}
		}
	}
	return nil
}

// write makes the file name hold data and nothing else.
func (j *Journal) write(name string, data []byte) error {
	// FlagTruncate would store the file once more than is needed when it is new.
	f, err := j.fs.OpenFile(name, hackpadfs.FlagWriteOnly|hackpadfs.FlagCreate, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() > 0 {
		err = hackpadfs.TruncateFile(f, 0)
	}
	if err == nil {
		// One Write: each stores the whole file again.
		_, err = hackpadfs.WriteFile(f, data)
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return j.holds(name, data)
}

// holds is ErrLost where the file name does not hold exactly data.
func (j *Journal) holds(name string, data []byte) error {
	got, err := j.read(name)
	if err == nil && !bytes.Equal(got, data) {
		err = ErrLost
	}
	return err
}

// load reads the record of the file name in records/. One that is damaged is read
// again: hackpadfs takes a file's size and its bytes one after the other, and
// another journal's Put may come between them.
func (j *Journal) load(name string) (record []byte, err error) {
	for range attempts {
		if record, err = j.read(records + "/" + name); err != nil {
			return nil, err
		}
		if record, err = decode(record); err != ErrDamaged {
			break
		}
	}
	return record, err
}

func (j *Journal) read(name string) ([]byte, error) {
	return hackpadfs.ReadFile(j.fs, name)
}

// remove removes the file name, where there is one.
func (j *Journal) remove(name string) error {
	if _, err := j.fs.Stat(name); errors.Is(err, hackpadfs.ErrNotExist) {
		return nil
	}
	err := j.fs.Remove(name)
	if err != nil && !errors.Is(err, hackpadfs.ErrNotExist) {
		return err
	}
	if _, err = j.fs.Stat(name); errors.Is(err, hackpadfs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = ErrLost
	}
	return err
}

func validID(id string) bool {
	if len(id) < 1 || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
