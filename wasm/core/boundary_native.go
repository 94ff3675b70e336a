//go:build !wasm

package main

// There is no page around a native build: it exists for the tests of handle.
func serve() {}
