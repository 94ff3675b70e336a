// Package web holds the built web files: the library, its worker, the wasm
// modules and the demo page, as scripts/build writes them.
package web

import "embed"

// Dist is the folder dist: flat, its files named by content hash but for
// index.html, chunksign.js (the library's stable entry) and manifest.json,
// with .br and .gz beside what compresses. Paths begin with "dist/". In a tree
// where nothing has been built yet it holds only .gitkeep.
//
//go:embed all:dist
var Dist embed.FS
