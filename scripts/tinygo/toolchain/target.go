package toolchain

import _ "embed"

// targetJSON replaces TinyGo's targets/wasm.json. It differs from the original
// in what the Go module does not carry: wasi-libc and compiler-rt are linked from
// Debian's packages (the linker flags), the Boehm collector, unused on wasm, is
// left out, and so are the two features that LLVM 19 does not know,
// bulk-memory-opt and call-indirect-overlong.
//
//go:embed wasm.json
var targetJSON string

// assertC goes with it, compiled to targets/wasm-assert.o and linked before libc.
// The runtime's random seed comes from Debian's arc4random, whose assertion
// would link all of printf: 5 KB in every module. Ours traps instead.
const assertC = `_Noreturn void __assert_fail(const char *expression, const char *file, int line, const char *function) {
	__builtin_trap();
}
`

// wrapper runs the compiler with its own root and tools, wherever the folder
// has been moved to.
const wrapper = `#!/bin/sh
here=$(cd "$(dirname "$0")/.." && pwd) || exit 1
TINYGOROOT=$here/root PATH=$here/tools:$PATH exec "$here/libexec/tinygo" "$@"
`
