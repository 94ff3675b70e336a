package sim

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/chunksign/chunksign/wasm/s3api"
)

// file is a file on the user's disk. It has no bytes: a range's content is what
// the ranges that were written since say, and its digest follows from that, so
// that 48.8 TiB cost no more than one byte.
type file struct {
	id      uint64
	size    int64
	writes  []span // later changes
	gone    bool
	guarded bool // as a browser's File: once it is changed, no read succeeds
}

type span struct{ from, to int64 }

// digest stands for the SHA-256 of a range at a version, which counts the writes.
func (f *file) digest(version int, offset, size int64) s3api.Digest {
	b := make([]byte, 0, 64)
	b = binary.LittleEndian.AppendUint64(b, f.id)
	b = binary.LittleEndian.AppendUint64(b, uint64(offset))
	b = binary.LittleEndian.AppendUint64(b, uint64(size))
	for i, w := range f.writes[:version] {
		if w.from < offset+size && offset < w.to {
			b = append(b, byte(i))
		}
	}
	return sha256.Sum256(b)
}

func (f *file) version() int { return len(f.writes) }

// readable says whether a read now succeeds.
func (f *file) readable() bool { return !f.gone && !(f.guarded && len(f.writes) > 0) }

// Samples are 16 blocks of 4 KiB, spread from the first byte to the last.
const (
	samples    = 16
	sampleSize = 4096
)

// sample stands for the SHA-256 of the file's samples.
func (f *file) sample(version int) [32]byte {
	if f.size <= samples*sampleSize {
		return f.digest(version, 0, f.size)
	}
	var all []byte
	for i := range int64(samples) {
		d := f.digest(version, i*(f.size-sampleSize)/(samples-1), sampleSize)
		all = append(all, d[:]...)
	}
	return sha256.Sum256(all)
}
