package drive

import (
	"os"
	"path"
	"path/filepath"

	"github.com/hack-pad/hackpadfs"
	hackos "github.com/hack-pad/hackpadfs/os"
)

// durableFS is a folder whose files outlive the power: one that was written is on
// the disk when it is closed, and a rename when it is done.
type durableFS struct {
	*hackos.FS
	dir string
}

func durable(dir string) (*durableFS, error) {
	var fs hackpadfs.FS = hackos.NewFS()
	rest := filepath.ToSlash(dir)
	if volume := filepath.VolumeName(dir); volume != "" { // Windows
		var err error
		if fs, err = hackos.NewFS().SubVolume(volume); err != nil {
			return nil, err
		}
		rest = filepath.ToSlash(dir[len(volume):])
	}
	sub, err := fs.(*hackos.FS).Sub(path.Clean(rest)[1:])
	if err != nil {
		return nil, err
	}
	return &durableFS{sub.(*hackos.FS), dir}, nil
}

// OpenFile implements hackpadfs.OpenFileFS.
func (fs *durableFS) OpenFile(name string, flag int, perm hackpadfs.FileMode) (hackpadfs.File, error) {
	f, err := fs.FS.OpenFile(name, flag, perm)
	if own, ok := f.(osFile); ok && err == nil && flag&(hackpadfs.FlagWriteOnly|hackpadfs.FlagReadWrite) != 0 {
		return written{own}, nil
	}
	return f, err
}

// Rename implements hackpadfs.RenameFS. A name is on the disk with its folder.
func (fs *durableFS) Rename(from, to string) error {
	if err := fs.FS.Rename(from, to); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Join(fs.dir, filepath.FromSlash(path.Dir(to))))
	if err != nil {
		return err
	}
	defer folder.Close()
	_ = folder.Sync() // Windows has no such thing, and needs none
	return nil
}

// osFile is what the files of hackpadfs/os are.
type osFile interface {
	hackpadfs.ReadWriterFile
	hackpadfs.TruncaterFile
	Sync() error
}

type written struct{ osFile }

func (f written) Close() error {
	err := f.Sync()
	if closeErr := f.osFile.Close(); err == nil {
		err = closeErr
	}
	return err
}
