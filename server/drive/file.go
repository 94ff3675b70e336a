package drive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/chunksign/chunksign/wasm/s3api"
	"github.com/chunksign/chunksign/wasm/upload"
)

// File is a local file as it was when its upload was asked for.
type File struct {
	Path     string // absolute
	Name     string // what the server is told
	Type     string // media type, "" where unknown
	Size     int64  // bytes
	Modified time.Time
}

// Look describes the file at path. Its errors say what to write instead.
func Look(path string) (File, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return File{}, fmt.Errorf("FILE %q: %w", path, err)
	}
	info, err := os.Stat(absolute)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return File{}, fmt.Errorf("FILE %q: there is no such file; check the path", path)
	case err != nil:
		return File{}, fmt.Errorf("FILE %q: %w", path, err)
	case info.IsDir():
		return File{}, fmt.Errorf("FILE %q is a directory, and files go one by one; write %s for those in it, or pack it: tar -cf NAME.tar %s", path, filepath.Join(path, "*"), path)
	case !info.Mode().IsRegular():
		return File{}, fmt.Errorf("FILE %q is no regular file (%s), so that its size is not known; write it to a file first", path, info.Mode().Type())
	}
	return File{Path: absolute, Name: filepath.Base(absolute), Size: info.Size(), Modified: info.ModTime()}, nil
}

// source reads a job's file. It is opened when it is first read, and held open:
// a part is read twice, to be hashed and to be sent.
type source struct {
	file File

	mu     sync.Mutex
	f      *os.File
	closed bool
}

func (s *source) open() (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fs.ErrClosed
	}
	if s.f == nil {
		f, err := os.Open(s.file.Path)
		if err != nil {
			return nil, err
		}
		s.f = f
	}
	return s.f, nil
}

func (s *source) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.f != nil {
		s.f.Close()
	}
}

// same says how the file is another one than it was. What is open is held
// against what the path names: a file may be written to, and may be replaced.
func (s *source) same(f *os.File) error {
	open, err := f.Stat()
	if err != nil {
		return err
	}
	named, err := os.Stat(s.file.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("it was removed or moved while it was being uploaded")
	case err != nil:
		return err
	case !os.SameFile(open, named):
		return errors.New("another file was put in its place while it was being uploaded")
	case open.Size() != s.file.Size:
		return fmt.Errorf("its size changed from %d to %d bytes while it was being uploaded", s.file.Size, open.Size())
	case !open.ModTime().Equal(s.file.Modified):
		return fmt.Errorf("it was changed at %s, while it was being uploaded", open.ModTime().Format(time.TimeOnly))
	}
	return nil
}

// read runs a reading between two looks at the file.
func (s *source) read(what func(f *os.File) error) error {
	f, err := s.open()
	if err == nil {
		err = s.same(f)
	}
	if err == nil {
		err = what(f)
		// The look is the better reason: a file that was cut short also reads short.
		if changed := s.same(f); changed != nil {
			err = changed
		}
	}
	return err
}

func (s *source) unreadable(id uint32, err error) upload.Event {
	return upload.Unreadable{ID: id, Message: fmt.Sprintf("%q cannot be uploaded: %v; nothing was completed. Wait until nothing writes to it, then upload it again", s.file.Path, err)}
}

func (s *source) hash(ctx context.Context, c upload.Hash) upload.Event {
	var digest s3api.Digest
	err := s.read(func(f *os.File) error {
		h := sha256.New()
		n, err := io.CopyBuffer(h, untilDone{ctx, io.NewSectionReader(f, c.Offset, c.Size)}, make([]byte, 256<<10))
		if err == nil && n != c.Size {
			err = fmt.Errorf("it ended after %d bytes", c.Offset+n)
		}
		h.Sum(digest[:0])
		return err
	})
	if err != nil {
		return s.unreadable(c.ID, err)
	}
	return upload.Hashed{ID: c.ID, Digest: digest}
}

// sample hashes the blocks that upload.SampleBlocks is about.
func (s *source) sample(c upload.Sample) upload.Event {
	var digest s3api.Digest
	err := s.read(func(f *os.File) error {
		h := sha256.New()
		copied, want := int64(0), min(s.file.Size, upload.SampleBlocks*upload.SampleSize)
		add := func(offset, size int64) error {
			n, err := io.Copy(h, io.NewSectionReader(f, offset, size))
			copied += n
			return err
		}
		var err error
		if s.file.Size <= upload.SampleBlocks*upload.SampleSize {
			err = add(0, s.file.Size)
		} else {
			for i := int64(0); i < upload.SampleBlocks && err == nil; i++ {
				err = add(i*(s.file.Size-upload.SampleSize)/(upload.SampleBlocks-1), upload.SampleSize)
			}
		}
		if err == nil && copied != want {
			err = fmt.Errorf("%d of %d bytes could be read", copied, want)
		}
		h.Sum(digest[:0])
		return err
	})
	if err != nil {
		return s.unreadable(c.ID, err)
	}
	return upload.Sampled{ID: c.ID, Digest: digest}
}

// untilDone ends a reading with its context.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (r untilDone) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
