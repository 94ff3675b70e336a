package plan

import "testing"

func TestNew(t *testing.T) {
	for _, c := range []struct {
		name            string
		size, preferred int64
		partSize        int64
		parts           int
	}{
		{"empty", 0, 0, 8 * MiB, 1},
		{"one byte", 1, 0, 8 * MiB, 1},
		{"exactly the smallest part", 5 * MiB, 5 * MiB, 5 * MiB, 1},
		{"a byte less than a part", 8*MiB - 1, 0, 8 * MiB, 1},
		{"exactly a part", 8 * MiB, 0, 8 * MiB, 1},
		{"a byte more than a part", 8*MiB + 1, 0, 8 * MiB, 2},
		{"preferred too small", 20 * MiB, 1, 5 * MiB, 4},
		{"preferred too large", 6 * GiB, 6 * GiB, 5 * GiB, 2},
		{"10,000 parts to the byte", 10_000 * 8 * MiB, 0, 8 * MiB, 10_000},
		{"a byte more than 10,000 parts", 10_000*8*MiB + 1, 0, 9 * MiB, 8889},
		{"100 GB", 100e9, 0, 10 * MiB, 9537},
		{"the largest object", MaxObjectSize, 0, 5 * GiB, 10_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := New(c.size, c.preferred, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if p.PartSize != c.partSize || p.Parts != c.parts {
				t.Fatalf("%d parts of %d bytes, want %d of %d", p.Parts, p.PartSize, c.parts, c.partSize)
			}
			if p.Single() != (c.parts == 1) {
				t.Fatalf("Single() = %v with %d parts", p.Single(), c.parts)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(MaxObjectSize+1, 0, Limits{}); err != ErrTooLarge {
		t.Errorf("a byte too many: %v", err)
	}
	if _, err := New(-1, 0, Limits{}); err != ErrNegative {
		t.Errorf("a negative size: %v", err)
	}
	if _, err := New(101*MiB, 0, Limits{MinPartSize: MiB, MaxPartSize: MiB, MaxParts: 100}); err != ErrTooLarge {
		t.Errorf("over a store's own limits: %v", err)
	}
}

// Whatever the size, the parts follow each other without gap or overlap, cover
// the file, and keep S3's limits.
func TestPartsCoverTheFile(t *testing.T) {
	for size := int64(0); size <= MaxObjectSize; size = size*3 + 7919 {
		for _, preferred := range []int64{0, 5 * MiB, 16*MiB + 1, GiB} {
			p, err := New(size, preferred, Limits{})
			if err != nil {
				t.Fatalf("size %d: %v", size, err)
			}
			if p.Parts > MaxParts || p.PartSize < MinPartSize || p.PartSize > MaxPartSize {
				t.Fatalf("size %d: %d parts of %d bytes", size, p.Parts, p.PartSize)
			}
			var at int64
			for n := 1; n <= p.Parts; n++ {
				offset, length := p.Range(n)
				if offset != at || length < 0 || (n < p.Parts && length != p.PartSize) || (size > 0 && length == 0) {
					t.Fatalf("size %d: part %d of %d is [%d, +%d), after %d", size, n, p.Parts, offset, length, at)
				}
				at += length
			}
			if at != size {
				t.Fatalf("size %d: the parts hold %d bytes", size, at)
			}
		}
	}
}
