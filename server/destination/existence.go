package destination

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/chunksign/chunksign/wasm/plan"
)

// Digest is what a page says the checksum of its file is, so that a file whose
// bytes are at the key already need not be sent.
//
// Value has HeadObject's form: base64 of the SHA-256 of a file that goes as one
// part, or, of N parts, base64 of the SHA-256 of their SHA-256s with "-N" after
// it (AmazonS3/latest/userguide/checking-object-integrity-upload.html).
type Digest struct {
	Algorithm string // SHA256
	Value     string
	PartSize  int64 // bytes of each part but the last
}

// check holds a digest against the size of its file. Errors are *Error with
// FieldInvalid.
func (c *Digest) check(size int64) error {
	if c.Algorithm != "SHA256" {
		return refuse(FieldInvalid, "checksum.algorithm", "checksum.algorithm is not one that can be compared; send SHA256")
	}
	text, count, composite := strings.Cut(c.Value, "-")
	if sum, err := base64.StdEncoding.Strict().DecodeString(text); err != nil || len(sum) != 32 || strings.ContainsAny(text, "\r\n") {
		return refuse(FieldInvalid, "checksum.value", "checksum.value is not a SHA-256 in base64 (44 characters), with - and the number of parts after it where there is more than one; send it as HeadObject would")
	}
	if c.PartSize < 0 || c.PartSize > plan.MaxPartSize {
		return refuse(FieldInvalid, "checksum.partSize", fmt.Sprintf("checksum.partSize is outside 0 to %d; send the bytes of each part but the last", int64(plan.MaxPartSize)))
	}
	if !composite {
		if size > c.PartSize {
			return refuse(FieldInvalid, "checksum.partSize", "checksum.partSize is less than the file's size, so the checksum is of more than one part; send it with - and their number")
		}
		return nil
	}
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil || n < 1 || n > plan.MaxParts || strconv.FormatInt(n, 10) != count {
		return refuse(FieldInvalid, "checksum.value", fmt.Sprintf("checksum.value has no number of parts from 1 to %d after its -; send it as HeadObject would", plan.MaxParts))
	}
	if c.PartSize == 0 || n != max(1, (size+c.PartSize-1)/c.PartSize) {
		return refuse(FieldInvalid, "checksum.partSize", fmt.Sprintf("a file of %d bytes has not %d parts of checksum.partSize %d; send the part size that the checksum was made with", size, n, c.PartSize))
	}
	return nil
}

// holds answers an *Error where an object's checksum is not the one that the
// page reports. A page that reports none is not asked for one.
func (c *Digest) holds(o *Object) error {
	switch {
	case c == nil:
		return nil
	case c.check(o.Size) != nil:
		return c.check(o.Size)
	case o.Checksum == nil || o.Checksum.Algorithm != c.Algorithm:
		return refuse(FieldInvalid, "checksum", "the store keeps no "+c.Algorithm+" of this object to hold the checksum against; leave it out")
	case !o.has(c):
		return refuse(ObjectReplaced, "checksum", "the object is not the one that you report: it has another checksum; it was replaced since, or the report is wrong")
	}
	return nil
}

// may says whether the object at a key may be the very file that is asked for.
// Its type counts too, and what it is stored with: with others it would not pass
// Complete either.
func (o *Object) may(f File, d *Destination, now time.Time) bool {
	return o.Checksum != nil && o.Checksum.Algorithm == "SHA256" && Grant{Name: f.cleanName(), Size: f.Size, Type: f.Type}.flaw(d, o, now) == ""
}

// has says whether the object has the bytes that a digest is of. Two equal
// composite values are of the same parts, for each hashes to its own digest:
// there is no need to ask the store for the sizes of its parts. Where these
// differ so do the values, and the file is sent.
func (o *Object) has(c *Digest) bool {
	return subtle.ConstantTimeCompare([]byte(o.Checksum.Value), []byte(c.Value)) == 1
}
