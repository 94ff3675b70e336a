package sha256

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"testing"
)

// Every length around the edges of blocks, written in pieces of every kind,
// gives the standard library's digest.
func TestAgainstTheStandardLibrary(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 4*BlockSize+9)
	for i := range data {
		data[i] = byte(rnd.Uint32())
	}
	for n := range len(data) {
		want := sha256.Sum256(data[:n])
		if Sum256(data[:n]) != want {
			t.Fatalf("%d bytes at once", n)
		}
		d := New()
		for rest := data[:n]; len(rest) > 0; {
			piece := min(len(rest), rnd.IntN(2*BlockSize))
			d.Write(rest[:piece])
			rest = rest[piece:]
			d.Sum() // does not disturb what goes on
		}
		if d.Sum() != want {
			t.Fatalf("%d bytes in pieces", n)
		}
	}
}

func TestCopyForks(t *testing.T) {
	d := New()
	d.Write([]byte("common "))
	fork := d
	d.Write([]byte("one"))
	fork.Write([]byte("other"))
	if d.Sum() != sha256.Sum256([]byte("common one")) || fork.Sum() != sha256.Sum256([]byte("common other")) {
		t.Error("copies share their state")
	}
}

func TestLong(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	if Sum256(data) != sha256.Sum256(data) {
		t.Error("a MiB")
	}
}

func FuzzSum256(f *testing.F) {
	f.Add([]byte("abc"), 1)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		d := New()
		at := 0
		if len(data) > 0 {
			at = int(uint(cut) % uint(len(data)))
		}
		d.Write(data[:at])
		d.Write(data[at:])
		if d.Sum() != sha256.Sum256(data) {
			t.Errorf("%x cut at %d", data, at)
		}
	})
}

func BenchmarkMiB(b *testing.B) {
	data := make([]byte, 1<<20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		Sum256(data)
	}
}
