// Package codec is the byte format in which the page and the two wasm modules
// talk, and in which the journal keeps its records.
//
// A message is a row of fields with no names and no padding, so both sides
// read the fields in the order in which the other wrote them:
//
//	u8     one byte
//	u32    four bytes, little endian
//	u64    eight bytes, little endian; the page reads it as a number, so it stays below 2^53
//	str    u32 length, then that many bytes of UTF-8
//	bytes  u32 length, then that many bytes
//
// web/src/codec.ts is the other half. Reflection-based codecs cost 3 to 80 KB
// in a TinyGo module; this one costs under 1 KB. Its methods are not inlined:
// a message has dozens of fields, and TinyGo would make each a loop of its own,
// a tenth of the module in all.
package codec

// Writer appends fields to a buffer. The zero Writer is ready for use.
type Writer struct{ Buf []byte }

// U8 appends one byte.
//
//go:noinline
func (w *Writer) U8(v uint8) { w.Buf = append(w.Buf, v) }

// Bool appends one byte, 1 for true.
func (w *Writer) Bool(v bool) {
	if v {
		w.U8(1)
	} else {
		w.U8(0)
	}
}

// U32 appends four bytes.
//
//go:noinline
func (w *Writer) U32(v uint32) {
	w.Buf = append(w.Buf, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
}

// U64 appends eight bytes.
//
//go:noinline
func (w *Writer) U64(v uint64) {
	w.U32(uint32(v))
	w.U32(uint32(v >> 32))
}

// I64 appends a signed number in two's complement.
func (w *Writer) I64(v int64) { w.U64(uint64(v)) }

// Str appends a length and the bytes of s.
//
//go:noinline
func (w *Writer) Str(s string) {
	w.U32(uint32(len(s)))
	w.Buf = append(w.Buf, s...)
}

// Bytes appends a length and b.
//
//go:noinline
func (w *Writer) Bytes(b []byte) {
	w.U32(uint32(len(b)))
	w.Buf = append(w.Buf, b...)
}

// Reader takes fields off a buffer. After the first field that does not fit,
// Bad is true and every further field reads as zero, so a caller reads a whole
// message and asks once.
type Reader struct {
	Buf []byte
	Bad bool
}

//go:noinline
func (r *Reader) take(n int) []byte {
	if n < 0 || n > len(r.Buf) {
		r.Bad = true
		r.Buf = nil
		return nil
	}
	b := r.Buf[:n]
	r.Buf = r.Buf[n:]
	return b
}

// U8 takes one byte.
//
//go:noinline
func (r *Reader) U8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// Bool takes one byte; anything but 0 is true.
func (r *Reader) Bool() bool { return r.U8() != 0 }

// U32 takes four bytes.
//
//go:noinline
func (r *Reader) U32() uint32 {
	b := r.take(4)
	if b == nil {
		return 0
	}
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

// U64 takes eight bytes.
//
//go:noinline
func (r *Reader) U64() uint64 {
	lo, hi := r.U32(), r.U32()
	if r.Bad {
		return 0
	}
	return uint64(lo) | uint64(hi)<<32
}

// I64 takes a signed number.
func (r *Reader) I64() int64 { return int64(r.U64()) }

// Str takes a length and that many bytes.
//
//go:noinline
func (r *Reader) Str() string { return string(r.take(int(r.U32()))) }

// Bytes takes a length and that many bytes, as a copy.
//
//go:noinline
func (r *Reader) Bytes() []byte { return append([]byte(nil), r.take(int(r.U32()))...) }
