package upload

import (
	"time"

	"github.com/chunksign/chunksign/wasm/s3api"
	"github.com/chunksign/chunksign/wasm/sigv4"
)

// There are two ways to a request that the store lets in. With a Session it is
// signed here. Where the grant is Presigned the page holds nothing to sign with:
// the server signs the requests for parts, some at once and only for parts that
// are hashed, since the checksum is signed in; the other calls it makes itself.

// link is a presigned request for a part. It serves one try, as a signature does.
type link struct {
	Link
	until      time.Time // by our own clock
	generation int
}

// mostLinks is how many parts one call signs for.
const mostLinks = 100

// multipart makes one of the calls that carry none of the file's bytes, once it is due.
func (u *Upload) multipart(k callKind) {
	if !u.fresh() || !u.due(&u.step) {
		return
	}
	if k == callComplete {
		if !u.completed {
			u.completed = true
			u.persist()
		}
		u.completes++
	}
	if u.grant.Presigned {
		m := u.ask(&u.step, k, u.uploadID)
		switch k {
		case callCreate:
			m.Op = "create"
		case callList:
			m.Op, m.After = "list", u.marker
		case callComplete:
			m.Op = "complete"
			for n := range u.queue.parts {
				m.Parts = append(m.Parts, u.piece(n+1))
			}
		default: // the server looks whether it worked
			m.Op = "abort"
		}
		u.emit(m)
		return
	}
	t := &u.grant.Target
	var r sigv4.Request
	var body []byte
	switch k {
	case callCreate:
		r = t.CreateMultipartUpload()
	case callList:
		r = t.ListParts(u.uploadID, u.marker)
	case callListAborted:
		r = t.ListParts(u.uploadID, 0)
	case callAbort:
		r = t.AbortMultipartUpload(u.uploadID)
	case callComplete:
		parts := make([]s3api.CompletedPart, len(u.queue.parts))
		for i := range parts {
			p := &u.queue.parts[i]
			parts[i] = s3api.CompletedPart{PartNumber: i + 1, ETag: p.etag, Checksum: p.digest}
		}
		r, body = t.CompleteMultipartUpload(u.uploadID, parts, u.plan.Size)
	}
	s := u.signed(r)
	s.Body = body
	s.ID = u.start(&u.step, call{kind: k})
	u.emit(s)
}

// ask is a question to the server, which has no Op yet.
func (u *Upload) ask(t *task, k callKind, uploadID string) Multipart {
	return Multipart{ID: u.start(t, call{kind: k}), Grant: u.grant.Token, UploadID: uploadID}
}

func (u *Upload) piece(n int) Piece {
	_, size := u.plan.Range(n)
	return Piece{Number: n, Size: size, Digest: u.queue.part(n).digest}
}

// requestFor is the request that carries part n, which is signable.
func (u *Upload) requestFor(n int) Send {
	p, t := u.queue.part(n), &u.grant.Target
	switch {
	case u.grant.Presigned:
		l := p.link
		p.link = nil
		return Send{Method: "PUT", URL: l.URL, Header: l.Header}
	case u.plan.Single():
		return u.signed(t.PutObject(p.digest))
	}
	return u.signed(t.UploadPart(u.uploadID, n, p.digest))
}

// signable is the place in ready of the first part that may be sent now, -1 for none.
func (u *Upload) signable() int {
	for i, n := range u.queue.ready {
		if !u.grant.Presigned || u.serves(u.queue.part(n).link) {
			return i
		}
	}
	return -1
}

// serves says whether a link is there, will be let in by the store when it
// arrives, and is not of the kind that the store has refused.
func (u *Upload) serves(l *link) bool {
	return l != nil && l.generation == u.generation && l.until.Sub(u.now) > minLeft
}

// askForLinks has the server sign for the parts that wait for a lane, also for
// those whose link is about to end: in one call, and one at a time, so that what is
// hashed meanwhile goes with the next.
func (u *Upload) askForLinks() {
	if !u.due(&u.renewal) {
		return
	}
	var parts []Piece
	for _, n := range u.queue.ready {
		if !u.serves(u.queue.part(n).link) && len(parts) < mostLinks {
			parts = append(parts, u.piece(n))
		}
	}
	if len(parts) == 0 {
		return
	}
	m := u.ask(&u.renewal, callRenew, u.uploadID)
	m.Op, m.Parts, m.Renew = "parts", parts, u.refused > 0
	u.emit(m)
}

// told takes the server's answer.
func (u *Upload) told(c call, t *Told) {
	u.asksAnew = false
	switch c.kind {
	case callRenew:
		// What the server signs for less is tried: it has nothing better.
		until := c.begun.Add(max(t.Lasts, minLeft+5*time.Second))
		if until.Sub(u.now) <= minLeft {
			u.again(c, &Error{Code: "stalled", Message: "the server's signatures were on their way until they ended", Retryable: true}, soon)
			return
		}
		if u.renewal.tries > 0 {
			u.succeeded()
		}
		u.renewal = task{}
		for _, l := range t.Links {
			if l.Part > 0 && l.Part <= len(u.queue.parts) {
				u.queue.part(l.Part).link = &link{l, until, c.generation}
			}
		}
	case callAbort:
		c.kind = callListAborted
		var err *s3api.Error
		if t.Gone {
			err = &s3api.Error{Code: "NoSuchUpload"}
		}
		u.came(c, t, err)
	default:
		u.came(c, t, nil)
	}
}

// inStoresWords is what the store said to the server, in the store's own words;
// nil for what the server says itself.
func inStoresWords(c call, e *Error) *s3api.Error {
	if c.kind < callPart {
		return nil
	}
	code := ""
	switch e.Code {
	case "upload_missing":
		code = "NoSuchUpload"
	case "parts_refused":
		code = "InvalidPart"
	case "key_taken":
		code = "PreconditionFailed"
	case "write_conflict":
		code = "ConditionalRequestConflict"
	default:
		return nil
	}
	return &s3api.Error{Status: e.Status, Code: code, Message: e.Message, RequestID: e.RequestID}
}
