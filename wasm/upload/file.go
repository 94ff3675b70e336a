package upload

import (
	"encoding/base64"
	"strconv"

	"github.com/chunksign/chunksign/wasm/s3api"
	"github.com/chunksign/chunksign/wasm/sha256"
)

// sampledAs goes on where the file is still the one that it was.
func (u *Upload) sampledAs(d s3api.Digest) {
	switch {
	case !u.sampled:
		u.sample, u.sampled = d, true
	case u.sample != d && u.restored && u.phase == sampling:
		u.fail(&Error{Code: "different_file", Message: "this is not the file that was being uploaded: it has other bytes; choose that one, or give the unfinished upload up"})
		return
	case u.sample != d:
		u.fail(fileChanged(0))
		return
	}
	switch {
	case u.phase == checking:
		u.to(completing)
	case u.completed:
		u.to(verifying)
	case u.uploadID != "":
		u.to(listing)
	default:
		u.to(creating)
	}
}

func fileChanged(part int) *Error {
	return &Error{Code: "file_changed", Part: part, Message: "the file was changed while it was being uploaded; nothing was completed"}
}

// compareEnds goes on once every part has been read for comparing.
func (u *Upload) compareEnds() {
	switch {
	case u.seen == nil:
		u.askAgain()
	case u.isAnother(u.seen.Checksum):
		u.fail(errReplaced)
	default:
		u.done(*u.seen)
	}
}

// askAgain asks for a grant once more, with what the object would be.
func (u *Upload) askAgain() {
	u.checksum = checksumOf(u.queue.parts)
	u.queue.next = 1
	u.to(asking)
}

// checksumOf is the SHA-256 that HeadObject tells of an object: its bytes' where
// it has one part, else that of the parts' digests, with their number
// ("Checking object integrity", AmazonS3/latest/userguide/checking-object-integrity.html).
func checksumOf(parts []part) string {
	if len(parts) == 1 {
		return parts[0].digest.Base64()
	}
	h := sha256.New()
	for i := range parts {
		h.Write(parts[i].digest[:])
	}
	sum := h.Sum()
	return base64.StdEncoding.EncodeToString(sum[:]) + "-" + strconv.Itoa(len(parts))
}

var errReplaced = &Error{Code: "object_replaced", Message: "the object at this key has other bytes than the file: somebody else has written it"}

// unread says whether there are parts whose digest is not known: an earlier life
// sent them.
func (u *Upload) unread() bool {
	for i := range u.queue.parts {
		if !u.queue.parts[i].known {
			return true
		}
	}
	return false
}

// compareWith reads the file before the object that the server has seen is
// taken for its own: nothing else tells.
func (u *Upload) compareWith(o Object) {
	u.seen, u.compared, u.queue.next = &o, 0, 1
	for i := range u.queue.parts {
		if u.queue.parts[i].known {
			u.compared++
		}
	}
	u.to(comparing)
}

// sha256Name begins an Object's Checksum that can be compared.
const sha256Name = "SHA256:"

func isSHA256(checksum string) bool {
	return len(checksum) > len(sha256Name) && checksum[:len(sha256Name)] == sha256Name
}

// isAnother says whether a checksum, as Object has it, is that of other bytes.
// Without an ETag of our own nothing else tells the object from one that somebody
// else wrote meanwhile.
func (u *Upload) isAnother(checksum string) bool {
	if !isSHA256(checksum) || u.unread() || len(u.queue.parts) == 0 {
		return false
	}
	return checksum[len(sha256Name):] != checksumOf(u.queue.parts)
}

// hiddenETag notes that the bucket's CORS keeps ETags from the page: ListParts
// tells them all, before Complete.
func (u *Upload) hiddenETag() {
	if u.noETags {
		return
	}
	u.noETags = true
	origin := u.cfg.Origin
	if origin == "" {
		origin = "https://app.example.com"
	}
	u.emit(Warn{Code: "etag_not_exposed", Message: "the bucket's CORS does not let the page read ETag, so that each upload asks the store once more; set on the bucket: " +
		`[{"AllowedOrigins":["` + origin + `"],"AllowedMethods":["GET","PUT","POST","DELETE"],"AllowedHeaders":["*"],` +
		`"ExposeHeaders":["ETag","x-amz-request-id","x-amz-version-id","x-amz-checksum-sha256"],"MaxAgeSeconds":3600}]`})
}

// collect takes the parts' ETags from a page of ListParts.
func (u *Upload) collect(parts []s3api.ListedPart) {
	for _, l := range parts {
		if l.PartNumber < 1 || l.PartNumber > len(u.queue.parts) {
			continue
		}
		p := u.queue.part(l.PartNumber)
		_, size := u.plan.Range(l.PartNumber)
		if size == l.Size && (!l.HasSum || l.Checksum == p.digest) {
			p.etag, p.listed = l.ETag, true
		}
	}
}

// listedAll goes on from the last page of ListParts. A part that the store
// took and does not list is sent again.
func (u *Upload) listedAll() {
	if u.phase == listing {
		u.to(sending)
		return
	}
	u.to(checking)
	for i := range u.queue.parts {
		p := &u.queue.parts[i]
		if p.listed {
			continue
		}
		if p.tries++; p.tries > maxTries {
			u.fail(&Error{Code: "part_missing", Part: i + 1, Message: "the store took this part and does not list it"})
			return
		}
		_, size := u.plan.Range(i + 1)
		u.queue.done--
		u.meter.confirmed -= size
		u.meter.parts--
		u.requeue(i+1, u.now)
		u.to(sending)
	}
}
