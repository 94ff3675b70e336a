package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal opens a pseudo-terminal of so many columns: what a program writes to
// its end, the test reads (pts(4)).
func terminal(t *testing.T, columns uint16) (test, program *os.File) {
	t.Helper()
	test, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(test.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(test.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(test.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: 10})
	}
	if err == nil {
		program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return test, program
}

func TestUploadOnATerminal(t *testing.T) {
	r := newUploadRig(t, dev).start()
	large, small := r.file("large.bin", 64<<20, 1), r.file("small\x1b[31m.bin", 1, 2)
	test, program := terminal(t, 100)
	defer test.Close()
	p := r.command(large, small, "-destination", "demo", "-part-size", "5MiB", "-max-rate", "256MiB")
	p.Stderr = program
	shown := make(chan string)
	go func() {
		all, _ := io.ReadAll(test) // ends with an error (EIO) when the program's end is closed
		shown <- string(all)
	}()
	status := p.run(t)
	program.Close()
	text := <-shown
	if status != 0 || strings.Count(p.stdout.String(), "\n") != 2 {
		t.Errorf("%d\n%s", status, &p.stdout)
	}
	for _, part := range []string{"large.bin", "[#", "MiB of 64 MiB", "1 of 2 files", "\x1b[?7l", "A\x1b[J"} {
		if !strings.Contains(text, part) {
			t.Errorf("the terminal never showed %q:\n%q", part, text)
		}
	}
	if all := text + p.stdout.String(); strings.Contains(all, "\x1b[31m") {
		t.Errorf("a file's name wrote to the terminal as it liked:\n%q", all)
	}
	if i := strings.LastIndex(text, "\x1b[J"); strings.TrimSpace(text[i+3:]) != "" {
		t.Errorf("this stays on the terminal: %q", text[i+3:])
	}
}
