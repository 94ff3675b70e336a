//go:build js && wasm && tinygo

package main

import "unsafe"

// These are //export and not //go:wasmexport, which would allocate the stack of a
// goroutine for every call. After post the page calls go_scheduler, which runs serve.

//export buffer
func buffer(n int32) unsafe.Pointer { return memory(n) }

//export post
func post(n int32) int32 { return accept(n) }
