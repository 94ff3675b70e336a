//go:build wasm && !tinygo

package main

import (
	"runtime"
	"unsafe"
)

// Go's compiler: exports are ordinary calls.

//go:wasmexport buffer
func buffer(n int32) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(room(n))) }

//go:wasmexport post
func post(n int32) int32 {
	r := handle(n)
	runtime.Gosched()
	return r
}

//go:wasmexport output
func output() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(out.Buf)) }

func serve() { select {} }
