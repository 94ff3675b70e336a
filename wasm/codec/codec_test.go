package codec

import (
	"bytes"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	var w Writer
	w.U8(7)
	w.Bool(true)
	w.Bool(false)
	w.U32(1<<32 - 1)
	w.U64(1<<53 - 1)
	w.I64(-62135596800000) // the zero time, in milliseconds
	w.Str("näme 名前\x00")
	w.Bytes(nil)
	w.Bytes([]byte{1, 2})

	r := Reader{Buf: w.Buf}
	if r.U8() != 7 || !r.Bool() || r.Bool() || r.U32() != 1<<32-1 || r.U64() != 1<<53-1 || r.I64() != -62135596800000 ||
		r.Str() != "näme 名前\x00" || len(r.Bytes()) != 0 || !bytes.Equal(r.Bytes(), []byte{1, 2}) {
		t.Error("a field reads back differently")
	}
	if r.Bad || len(r.Buf) != 0 {
		t.Errorf("bad: %v, left: %d bytes", r.Bad, len(r.Buf))
	}
}

func TestBytesAreCopies(t *testing.T) {
	w := Writer{}
	w.Bytes([]byte{1})
	r := Reader{Buf: w.Buf}
	b := r.Bytes()
	w.Buf[4] = 9
	if b[0] != 1 {
		t.Error("Bytes shares the message's memory")
	}
}

// A message that is cut short anywhere, or that claims a length it does not
// have, is bad and gives zeros.
func TestCutShort(t *testing.T) {
	var w Writer
	w.U32(5)
	w.Str("hello")
	w.U64(1)
	for n := range w.Buf {
		r := Reader{Buf: w.Buf[:n]}
		r.U32()
		r.Str()
		if last := r.U64(); !r.Bad || last != 0 {
			t.Errorf("%d of %d bytes: bad %v, last field %d", n, len(w.Buf), r.Bad, last)
		}
	}
	r := Reader{Buf: []byte{255, 255, 255, 255, 'x'}}
	if r.Str() != "" || !r.Bad {
		t.Error("a length beyond the end was believed")
	}
}
