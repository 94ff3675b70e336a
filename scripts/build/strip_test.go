package main

import "testing"

func TestStripKeepsAllButCustomSections(t *testing.T) {
	const header = "\x00asm\x01\x00\x00\x00"
	types, names, code := "\x01\x04\x01\x60\x00\x00", "\x00\x05\x04name", "\x0a\x02\x01\x00"
	got, err := strip([]byte(header + types + names + code + names))
	if err != nil || string(got) != header+types+code {
		t.Errorf("%q, %v", got, err)
	}
	for _, broken := range []string{"", "<!doctype html>", header + "\x01", header + "\x01\x05\x00", header + "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"} {
		if got, err := strip([]byte(broken)); err == nil {
			t.Errorf("%q became %q", broken, got)
		}
	}
}
