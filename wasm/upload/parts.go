package upload

import (
	"time"

	"github.com/chunksign/chunksign/wasm/s3api"
)

type partState uint8

const (
	partFresh   partState = iota
	partHashing           // its Hash is under way
	partReady             // hashed, waits for a lane
	partSending           // its request is under way
	partWaiting           // failed, waits for its time in queue.again
	partDone              // the store has it
)

// part is what is known of one part. etag and listed are the store's word.
type part struct {
	state  partState
	hashed bool // digest is the local bytes'
	listed bool // the store has a part of this number and size, with the checksum stored
	tries  uint8
	stale  uint8 // times its bytes were not those of its digest
	digest s3api.Digest
	stored s3api.Digest
	etag   string
}

type retry struct {
	part int
	at   time.Time
}

// queue holds the parts by what is to be done next. Every operation costs the
// same with ten parts and ten thousand.
type queue struct {
	parts   []part // parts[n-1] is part n
	next    int    // the first part that was never begun
	again   []retry
	ready   []int
	hashing int
	sending int
	done    int
}

func newQueue(parts int) queue { return queue{parts: make([]part, parts), next: 1} }

func (q *queue) part(n int) *part { return &q.parts[n-1] }

// readAhead is how many parts are hashed beyond those that are being sent, so
// that a lane that becomes free has something to send. A part costs memory
// only while it is being hashed.
const readAhead = 2

// pump keeps the lanes full: hashes parts a little ahead, sends those that are
// hashed.
func (u *Upload) pump() {
	q := &u.queue
	for q.hashing < u.lanes && q.hashing+len(q.ready)+q.sending < u.lanes+readAhead {
		n := u.nextPart()
		if n == 0 {
			break
		}
		p := q.part(n)
		if p.hashed {
			p.state = partReady
			q.ready = append(q.ready, n)
			continue
		}
		p.state = partHashing
		q.hashing++
		offset, size := u.plan.Range(n)
		u.emit(Hash{ID: u.begin(call{kind: callHash, part: n}), Offset: offset, Size: size})
	}
	if u.phase != sending || len(q.ready) == 0 || q.sending >= u.lanes || !u.fresh() {
		return
	}
	for q.sending < u.lanes && len(q.ready) > 0 {
		n := q.ready[0]
		q.ready = q.ready[1:]
		u.sendPart(n)
	}
}

// nextPart takes the next part to work on: one whose retry is due, or a new one.
func (u *Upload) nextPart() int {
	q := &u.queue
	for i, r := range q.again {
		if !u.now.Before(r.at) {
			q.again = append(q.again[:i], q.again[i+1:]...)
			return r.part
		}
	}
	if q.next > len(q.parts) {
		return 0
	}
	q.next++
	return q.next - 1
}

func (u *Upload) sendPart(n int) {
	p := u.queue.part(n)
	p.state = partSending
	u.queue.sending++
	t := &u.grant.Target
	c := call{kind: callPart, part: n}
	if u.plan.Single() {
		u.completed = true
		u.send(nil, c, t.PutObject(p.digest), nil)
	} else {
		u.send(nil, c, t.UploadPart(u.uploadID, n, p.digest), nil)
	}
}

// hashed notes a part's digest. A part that the store already has with just
// this digest is done.
func (u *Upload) hashed(n int, d s3api.Digest) {
	q, p := &u.queue, u.queue.part(n)
	q.hashing--
	p.digest, p.hashed = d, true
	if p.listed && p.stored == d {
		u.partDone(n, p.etag)
		return
	}
	p.state = partReady
	q.ready = append(q.ready, n)
}

func (u *Upload) partDone(n int, etag string) {
	p := u.queue.part(n)
	p.state, p.etag, p.tries, p.stale = partDone, etag, 0, 0
	_, size := u.plan.Range(n)
	u.queue.done++
	u.meter.confirmed += size
	u.meter.parts++
	if u.queue.done < len(u.queue.parts) {
		return
	}
	if u.plan.Single() {
		u.etag = etag
		u.to(verifying)
	} else {
		u.to(completing)
	}
}

// listed notes the parts that ListParts names. Each still has to be hashed
// before it counts.
func (u *Upload) listed(parts []s3api.ListedPart) {
	for _, l := range parts {
		if l.PartNumber < 1 || l.PartNumber > len(u.queue.parts) || !l.HasSum {
			continue
		}
		if _, size := u.plan.Range(l.PartNumber); size != l.Size {
			continue
		}
		p := u.queue.part(l.PartNumber)
		p.listed, p.stored, p.etag = true, l.Checksum, l.ETag
	}
}

// requeue gives a part back to be sent again at at.
func (u *Upload) requeue(n int, at time.Time) {
	u.queue.part(n).state = partWaiting
	u.queue.again = append(u.queue.again, retry{part: n, at: at})
}

// dropParts ends every request for a part; the parts go again without having
// spent a try.
func (u *Upload) dropParts() {
	for i := len(u.calls) - 1; i >= 0; i-- {
		if c := u.calls[i]; c.kind == callPart {
			u.drop(i)
			u.queue.sending--
			u.requeue(c.part, u.now)
		}
	}
}

// complete asks the store to put the parts together.
func (u *Upload) complete() {
	parts := make([]s3api.CompletedPart, len(u.queue.parts))
	for i := range parts {
		p := &u.queue.parts[i]
		parts[i] = s3api.CompletedPart{PartNumber: i + 1, ETag: p.etag, Checksum: p.digest}
	}
	if !u.completed {
		u.completed = true
		u.persist()
	}
	r, body := u.grant.Target.CompleteMultipartUpload(u.uploadID, parts, u.plan.Size)
	u.send(&u.step, call{kind: callComplete}, r, body)
}

// restart begins the multipart upload anew: the store has lost it, or says
// that it cannot be completed. What was hashed stays hashed.
func (u *Upload) restart(err *Error) {
	u.dropParts()
	if u.restarts++; u.restarts > maxRestarts {
		u.fail(err)
		return
	}
	hashed := u.queue.parts
	for i := len(u.calls) - 1; i >= 0; i-- {
		u.drop(i)
	}
	u.setPlan(u.plan)
	for i := range hashed {
		p := &hashed[i]
		u.queue.parts[i] = part{hashed: p.hashed, digest: p.digest}
	}
	u.uploadID, u.marker, u.completed, u.etag = "", 0, false, ""
	u.to(creating)
}
