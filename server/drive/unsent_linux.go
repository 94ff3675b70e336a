package drive

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// unsentAtMost is how many bytes of a request may lie in the kernel unsent.
const unsentAtMost = 256 << 10

// littleUnsent keeps the kernel from taking megabytes that the line has not: bytes
// that count as sent would then stand still for longer than a stall, on a slow line.
// It bounds what is not sent yet, not what is under way (tcp(7), TCP_NOTSENT_LOWAT).
func littleUnsent(_, _ string, c syscall.RawConn) error {
	// Where it cannot be set, uploads work, and progress runs ahead.
	return c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentAtMost)
	})
}
