package journal

import (
	"errors"

	"github.com/hack-pad/hackpadfs"
)

// Entry is one record that List found.
type Entry struct {
	// ID is the record's id. Where Err is set it is the file's name, which may
	// be no id.
	ID string
	// Record is the payload, nil where Err is set.
	Record []byte
	// Err is nil for a good record. ErrDamaged and ErrVersion say that it
	// was unreadable and has been set aside; anything else is the file
	// system's own error, and the record is where it was.
	Err error
}

// List returns every record, in no certain order, and tidies up on the way:
// temporary files are removed and unreadable records set aside. An unreadable record is
// an Entry with Err, and is reported once. Only where the records' folder
// cannot be read that is an error.
func (j *Journal) List() ([]Entry, error) {
	// What cannot be tidied up is in nobody's way, and the next List tries again.
	left, _ := j.names(temp)
	for _, name := range left {
		_ = j.remove(temp + "/" + name)
	}
	names, err := j.names(records)
	if err != nil {
		return nil, &Error{"list", records, err}
	}
	entries := make([]Entry, 0, len(names))
	for _, name := range names {
		record, err := j.load(name)
		if errors.Is(err, hackpadfs.ErrNotExist) {
			continue // removed by another journal since the folder was read
		}
		if err == nil && !validID(name) {
			record, err = nil, ErrDamaged
		}
		if err == ErrDamaged || err == ErrVersion {
			// Where this fails the record stays, and is reported again.
			_ = j.fs.Rename(records+"/"+name, aside+"/"+name)
		}
		entries = append(entries, Entry{name, record, err})
	}
	return entries, nil
}

// names returns the names of the files in dir. hackpadfs looks at each file as it
// reads a folder and gives up where one is gone by then, so it is asked again.
func (j *Journal) names(dir string) ([]string, error) {
	var list []hackpadfs.DirEntry
	var err error
	for range attempts {
		list, err = hackpadfs.ReadDir(j.fs, dir)
		if !errors.Is(err, hackpadfs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(list))
	for _, entry := range list {
		if !entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}
