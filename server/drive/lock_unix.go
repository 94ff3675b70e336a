//go:build unix

package drive

import (
	"os"

	"golang.org/x/sys/unix"
)

// tryLock takes the lock of an open file, and says whether it was free. It ends
// with the file, however the process ends (flock(2)).
func tryLock(f *os.File) (free bool, err error) {
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err {
	case nil:
		return true, nil
	case unix.EWOULDBLOCK:
		return false, nil
	default:
		return false, err
	}
}
