//go:build js && wasm && !tinygo

package main

import "unsafe"

// After post the page calls the Go object's _resume, which runs serve until it
// waits for IndexedDB. A Gosched here would do so most times only: every 61st
// tick the scheduler prefers the global queue, where post itself is waiting.

//go:wasmexport buffer
func buffer(n int32) unsafe.Pointer { return memory(n) }

//go:wasmexport post
func post(n int32) int32 { return accept(n) }
