// Command core is the wasm module that signs, plans and drives uploads in the
// page. It has no syscall/js and does no I/O: the page writes a message into
// its memory, calls post, and reads the answer.
//
// A message is an op and the op's fields, in the codec's form; the answer is 1
// and the op's result, or 0 and a text that says what was wrong with the
// message. web/src/core.ts is the other side.
package main

import (
	"time"

	"github.com/chunksign/chunksign/wasm/codec"
)

// The ops, as in web/src/core.ts.
const (
	opSignerNew uint8 = iota + 1
	opSignerFree
	opSign
	opPresign
	opSignChunk
	opPoolMax
	opUploadNew
	opUploadRestore
	opStep
	opRecordRead
	opHashNew
	opHashWrite
	opHashSum
	opPoolRate
)

type handler func(r *codec.Reader, w *codec.Writer) (problem string)

var handlers = [...]handler{
	opSignerNew:     signerNew,
	opSignerFree:    signerFree,
	opSign:          sign,
	opPresign:       presign,
	opSignChunk:     signChunk,
	opPoolMax:       poolMax,
	opUploadNew:     uploadNew,
	opUploadRestore: uploadRestore,
	opStep:          step,
	opRecordRead:    recordRead,
	opHashNew:       hashNew,
	opHashWrite:     hashWrite,
	opHashSum:       hashSum,
	opPoolRate:      poolRate,
}

var (
	in  []byte       // the message, written by the page
	out codec.Writer // the answer, read by the page
)

// handle answers the message in[:n] and gives the answer's length. It never blocks.
func handle(n int32) int32 {
	out.Buf = out.Buf[:0]
	if n < 1 || int(n) > len(in) {
		return answer("the message has no bytes")
	}
	r := codec.Reader{Buf: in[1:n]}
	op := in[0]
	if int(op) >= len(handlers) || handlers[op] == nil {
		return answer("no such op")
	}
	out.U8(1)
	problem := handlers[op](&r, &out)
	if problem == "" && (r.Bad || len(r.Buf) > 0) {
		problem = "the message does not have the op's fields"
	}
	return answer(problem)
}

func answer(problem string) int32 {
	if problem != "" {
		out.Buf = out.Buf[:0]
		out.U8(0)
		out.Str(problem)
	}
	return int32(len(out.Buf))
}

// room makes the message buffer hold n bytes.
func room(n int32) []byte {
	if int(n) > len(in) {
		in = make([]byte, n)
	}
	return in
}

// readTime takes milliseconds since 1970. The page's clock comes in with every
// message that needs one; this module has none.
func readTime(r *codec.Reader) time.Time { return time.UnixMilli(r.I64()) }

// table keeps what the page holds a number for.
type table[T any] struct {
	rows []*T
	free []uint32
}

func (t *table[T]) add(v *T) uint32 {
	if n := len(t.free); n > 0 {
		i := t.free[n-1]
		t.free = t.free[:n-1]
		t.rows[i] = v
		return i + 1
	}
	t.rows = append(t.rows, v)
	return uint32(len(t.rows))
}

func (t *table[T]) get(n uint32) *T {
	if n == 0 || int(n) > len(t.rows) {
		return nil
	}
	return t.rows[n-1]
}

func (t *table[T]) remove(n uint32) {
	if t.get(n) != nil {
		t.rows[n-1] = nil
		t.free = append(t.free, n-1)
	}
}

func main() { serve() }
