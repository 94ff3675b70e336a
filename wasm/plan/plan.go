// Package plan cuts a file into the parts of a multipart upload, within S3's
// limits.
package plan

// S3's limits for multipart uploads, from "Amazon S3 multipart upload limits"
// (AmazonS3/latest/userguide/qfacts.html).
const (
	MiB = 1 << 20
	GiB = 1 << 30

	MinPartSize = 5 * MiB // bytes; the last part may be smaller
	MaxPartSize = 5 * GiB // bytes; also the most that one PutObject may carry
	MaxParts    = 10_000

	// MaxObjectSize is 10,000 parts of 5 GiB: 48.8 TiB, which S3's pages call 50 TB.
	MaxObjectSize = MaxParts * MaxPartSize

	// DefaultPartSize is what the parts of a file have unless it needs larger ones.
	DefaultPartSize = 8 * MiB
)

// Limits are a store's bounds on parts. A zero field stands for S3's own.
type Limits struct {
	MinPartSize int64 // bytes
	MaxPartSize int64 // bytes
	MaxParts    int64
}

func (l Limits) filled() Limits {
	if l.MinPartSize <= 0 {
		l.MinPartSize = MinPartSize
	}
	if l.MaxPartSize <= 0 {
		l.MaxPartSize = MaxPartSize
	}
	if l.MaxParts <= 0 {
		l.MaxParts = MaxParts
	}
	return l
}

// Plan says how a file of Size bytes is cut: every part has PartSize bytes but
// the last, which has what is left.
type Plan struct {
	Size     int64 // bytes
	PartSize int64 // bytes, above zero
	Parts    int   // 1 for an empty file
}

// Error says why a file cannot be cut.
type Error string

func (e Error) Error() string { return string(e) }

// The reasons why New refuses.
const (
	ErrNegative = Error("plan: the size is negative")
	ErrTooLarge = Error("plan: the file is larger than the largest number of the largest parts")
)

// New plans a file of size bytes with parts of preferred bytes (0 for
// DefaultPartSize). Parts grow, by whole MiB, where the store's number of parts
// would not hold the file.
func New(size, preferred int64, l Limits) (Plan, error) {
	l = l.filled()
	if size < 0 {
		return Plan{}, ErrNegative
	}
	part := preferred
	if part <= 0 {
		part = DefaultPartSize
	}
	part = min(max(part, l.MinPartSize), l.MaxPartSize)
	if need := ceil(size, l.MaxParts); need > part {
		part = min(ceil(need, MiB)*MiB, l.MaxPartSize)
		if need > part {
			return Plan{}, ErrTooLarge
		}
	}
	return Plan{Size: size, PartSize: part, Parts: int(max(1, ceil(size, part)))}, nil
}

// Single says whether the file goes as one PutObject.
func (p Plan) Single() bool { return p.Parts == 1 }

// Range gives part n's place in the file, n counting from 1 as in S3's PartNumber.
func (p Plan) Range(n int) (offset, size int64) {
	offset = int64(n-1) * p.PartSize
	return offset, min(p.PartSize, p.Size-offset)
}

func ceil(a, b int64) int64 { return (a + b - 1) / b }
