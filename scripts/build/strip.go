package main

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// strip removes a wasm module's custom sections: names, producers, features.
// Engines ignore them, and function names, which TinyGo's -no-debug leaves in,
// are 3 % of what is sent. The format is WebAssembly Core 2.0, section 5.5: an
// eight-byte header, then sections of an id (0 is custom), a LEB128 size and
// that many bytes.
func strip(module []byte) ([]byte, error) {
	const header = "\x00asm\x01\x00\x00\x00"
	if !bytes.HasPrefix(module, []byte(header)) {
		return nil, errors.New("not a wasm module of version 1")
	}
	kept := []byte(header)
	for rest := module[len(header):]; len(rest) > 0; {
		size, n := binary.Uvarint(rest[1:])
		if n <= 0 || size > uint64(len(rest)-1-n) {
			return nil, errors.New("the wasm module ends within a section")
		}
		end := 1 + n + int(size)
		if rest[0] != 0 {
			kept = append(kept, rest[:end]...)
		}
		rest = rest[end:]
	}
	return kept, nil
}
