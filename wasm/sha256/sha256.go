// Package sha256 is the hash of FIPS 180-4, section 6.2, for the module that
// runs in the page.
//
// The standard library's crypto/sha256 gives the same digests, natively several
// times as fast. But since Go 1.24 it stands on the whole of
// crypto/internal/fips140, with AES, SHA-3 and a random generator that test
// themselves at start: 20 KB compressed in a TinyGo module, a quarter of it.
// Files are hashed by the browser's crypto.subtle where there is one; what is
// left for this package is the few hundred bytes of each signature.
package sha256

import "math/bits"

const (
	// Size is a digest's length in bytes.
	Size = 32
	// BlockSize is how many bytes are compressed at a time.
	BlockSize = 64
)

// Digest is a hash under way. Copying it copies its state, so that a common
// beginning is hashed once. Make it by New.
type Digest struct {
	h    [8]uint32
	rest [BlockSize]byte // what does not fill a block yet
	n    int             // bytes in rest
	size uint64          // bytes written
}

// New returns the hash of nothing.
func New() Digest {
	// Section 5.3.3: the fractional parts of the square roots of the first eight primes.
	return Digest{h: [8]uint32{
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	}}
}

// Sum256 returns the digest of b.
func Sum256(b []byte) [Size]byte {
	d := New()
	d.Write(b)
	return d.Sum()
}

// Write adds b to what is hashed.
func (d *Digest) Write(b []byte) {
	d.size += uint64(len(b))
	if d.n > 0 {
		n := copy(d.rest[d.n:], b)
		d.n += n
		b = b[n:]
		if d.n < BlockSize {
			return
		}
		d.compress(d.rest[:])
		d.n = 0
	}
	if whole := len(b) &^ (BlockSize - 1); whole > 0 {
		d.compress(b[:whole])
		b = b[whole:]
	}
	d.n = copy(d.rest[:], b)
}

// Sum returns the digest of what has been written; writing may go on.
func (d Digest) Sum() (sum [Size]byte) {
	// Section 5.1.1: a 1 bit, zeros, and the length in bits, to the end of a block.
	var padding [BlockSize + 8]byte
	padding[0] = 0x80
	n := BlockSize - 8 - d.n
	if n <= 0 {
		n += BlockSize
	}
	length := d.size << 3
	for i := range 8 {
		padding[n+i] = byte(length >> (56 - 8*i))
	}
	d.Write(padding[:n+8])
	for i, x := range d.h {
		sum[4*i], sum[4*i+1], sum[4*i+2], sum[4*i+3] = byte(x>>24), byte(x>>16), byte(x>>8), byte(x)
	}
	return sum
}

// Section 4.2.2: the fractional parts of the cube roots of the first 64 primes.
var k = [64]uint32{
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
}

// compress takes whole blocks into the state (section 6.2.2).
func (d *Digest) compress(blocks []byte) {
	var w [64]uint32
	for ; len(blocks) >= BlockSize; blocks = blocks[BlockSize:] {
		for i := range 16 {
			b := blocks[4*i : 4*i+4]
			w[i] = uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
		}
		for i := 16; i < 64; i++ {
			x, y := w[i-2], w[i-15]
			s1 := bits.RotateLeft32(x, -17) ^ bits.RotateLeft32(x, -19) ^ x>>10
			s0 := bits.RotateLeft32(y, -7) ^ bits.RotateLeft32(y, -18) ^ y>>3
			w[i] = s1 + w[i-7] + s0 + w[i-16]
		}
		a, b, c, e := d.h[0], d.h[1], d.h[2], d.h[4]
		dd, f, g, h := d.h[3], d.h[5], d.h[6], d.h[7]
		for i := range 64 {
			t1 := h + (bits.RotateLeft32(e, -6) ^ bits.RotateLeft32(e, -11) ^ bits.RotateLeft32(e, -25)) + (e&f ^ ^e&g) + k[i] + w[i]
			t2 := (bits.RotateLeft32(a, -2) ^ bits.RotateLeft32(a, -13) ^ bits.RotateLeft32(a, -22)) + (a&b ^ a&c ^ b&c)
			h, g, f, e, dd, c, b, a = g, f, e, dd+t1, c, b, a, t1+t2
		}
		d.h[0] += a
		d.h[1] += b
		d.h[2] += c
		d.h[3] += dd
		d.h[4] += e
		d.h[5] += f
		d.h[6] += g
		d.h[7] += h
	}
}
