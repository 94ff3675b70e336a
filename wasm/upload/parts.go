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
	hashed bool // digest is the local bytes', and may be sent
	known  bool // digest is what the local bytes were when first read
	listed bool // the store has a part of this number and size, with the checksum stored
	tries  uint8
	stale  uint8 // times that the store found other bytes than digest's
	lost   uint8 // times in a row that no reply came
	digest s3api.Digest
	stored s3api.Digest
	etag   string
	link   *link // to be sent by, where the server signs
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
		if p.known && u.phase == comparing {
			continue
		}
		if p.hashed && p.listed && p.stored == p.digest {
			u.partDone(n, p.etag)
			continue
		}
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
	u.crowded = false
	if u.phase != sending || len(q.ready) == 0 || u.lanes == 0 {
		return
	}
	if u.grant.Presigned {
		u.askForLinks()
	}
	if q.sending >= u.lanes || q.sending < u.room && (!u.gate.open(u.now) || !u.fresh()) {
		return
	}
	for q.sending < min(u.lanes, u.room) && u.gate.open(u.now) {
		i := u.signable()
		if i < 0 {
			break
		}
		n := q.ready[i]
		q.ready = append(q.ready[:i], q.ready[i+1:]...)
		u.sendPart(n)
	}
	u.crowded = len(q.ready) > 0 && q.sending < u.lanes && q.sending >= u.room
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
	_, size := u.plan.Range(n)
	u.gate.take(size)
	if u.plan.Single() {
		u.completed = true
		u.completes++
	}
	s := u.requestFor(n)
	s.Part = n
	s.Offset, s.Size = u.plan.Range(n)
	s.ID = u.begin(call{kind: callPart, part: n})
	u.emit(s)
}

// hashed notes a part's digest. A part that the store already has with just
// this digest is done.
func (u *Upload) hashed(n int, d s3api.Digest) {
	q, p := &u.queue, u.queue.part(n)
	q.hashing--
	if p.known && p.digest != d {
		u.fail(fileChanged(n))
		return
	}
	p.digest, p.hashed, p.known = d, true, true
	if u.phase == comparing {
		u.succeeded() // nothing else does meanwhile
		p.state = partFresh
		if u.compared++; u.compared == len(q.parts) {
			u.compareEnds()
		}
		return
	}
	if p.listed && p.stored == d {
		u.partDone(n, p.etag)
		return
	}
	p.state = partReady
	q.ready = append(q.ready, n)
}

func (u *Upload) partDone(n int, etag string) {
	p := u.queue.part(n)
	p.state, p.etag, p.tries, p.stale, p.lost = partDone, etag, 0, 0, 0
	_, size := u.plan.Range(n)
	u.queue.done++
	u.meter.confirmed += size
	u.meter.parts++
	if u.queue.done < len(u.queue.parts) {
		return
	}
	u.allSent(etag)
}

// allSent goes on from the last part.
func (u *Upload) allSent(etag string) {
	switch {
	case u.plan.Single():
		u.etag = etag
		u.to(verifying)
	case u.noETags:
		u.marker = 0
		for i := range u.queue.parts {
			u.queue.parts[i].listed = false
		}
		u.to(collecting)
	default:
		u.to(checking)
	}
}

// listed notes the parts that ListParts names. Each still has to be hashed
// before it counts.
func (u *Upload) listed(parts []s3api.ListedPart) {
	for _, l := range parts {
		if l.PartNumber < 1 || l.PartNumber > len(u.queue.parts) {
			continue
		}
		if _, size := u.plan.Range(l.PartNumber); size != l.Size {
			continue
		}
		p := u.queue.part(l.PartNumber)
		if !l.HasSum {
			// The ETag that it gave for these bytes before says the same.
			if !p.hashed || p.etag == "" || p.etag != l.ETag {
				continue
			}
			l.Checksum = p.digest
		}
		p.listed, p.stored, p.etag = true, l.Checksum, l.ETag
	}
}

// requeue gives a part back to be sent again at at.
//
//go:noinline
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

// restart begins the multipart upload anew: the store has lost it, or says
// that it cannot be completed. What was hashed stays hashed.
func (u *Upload) restart(err *Error) {
	u.dropParts()
	if u.restarts++; u.restarts > maxRestarts {
		u.fail(err)
		return
	}
	for i := len(u.calls) - 1; i >= 0; i-- {
		u.drop(i)
	}
	u.partsAnew()
	u.uploadID, u.marker, u.completed, u.etag = "", 0, false, ""
	u.to(creating)
}

// partsAnew begins the parts anew. What was hashed stays hashed; what is under
// way for them is dropped.
func (u *Upload) partsAnew() {
	for i := len(u.calls) - 1; i >= 0; i-- {
		if k := u.calls[i].kind; k == callPart || k == callHash {
			u.drop(i)
		}
	}
	before := u.queue.parts
	u.setPlan(u.plan)
	u.keepDigests(before)
}

// keepDigests takes over what was hashed before the parts began anew.
func (u *Upload) keepDigests(before []part) {
	for i := range before {
		p := &before[i]
		u.queue.parts[i] = part{hashed: p.hashed, known: p.known, digest: p.digest, etag: p.etag}
	}
}
