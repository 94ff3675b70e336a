//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// terminalSize is a terminal's columns and rows; ok is false for what is no terminal.
func terminalSize(f *os.File) (columns, rows int, ok bool) {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0, false
	}
	// A terminal that does not know its size says 0.
	return max(40, int(size.Col)), max(4, int(size.Row)), true
}
