package upload

import (
	"time"

	"github.com/chunksign/chunksign/wasm/plan"
	"github.com/chunksign/chunksign/wasm/s3api"
	"github.com/chunksign/chunksign/wasm/sigv4"
)

type callKind uint8

const (
	callAsk callKind = iota
	callRenew
	callVerify
	callHash
	callSample
	callPart
	callCreate
	callList
	callComplete
	callAbort
	callListAborted
)

// call is a Command whose answer has not come.
type call struct {
	id         uint32
	kind       callKind
	part       int
	generation int // the session that signed it
	bytes      int64
	begun      time.Time
	heard      time.Time // when it was begun, or its bytes last moved; later where the page stood still
}

// begin gives a call its ID.
func (u *Upload) begin(c call) uint32 {
	u.last++
	c.id, c.generation, c.begun, c.heard = u.last, u.generation, u.now, u.now
	u.calls = append(u.calls, c)
	return c.id
}

func (u *Upload) start(t *task, c call) uint32 {
	t.call = u.begin(c)
	return t.call
}

// signed is r with its signature.
func (u *Upload) signed(r sigv4.Request) Send {
	return Send{Method: r.Method, URL: u.grant.Target.URL(&r), Header: append(r.Header, u.signer.Sign(&r, u.now.Add(u.skew))...)}
}

// drop ends the call at place i of calls.
//
//go:noinline
func (u *Upload) drop(i int) call {
	c := u.calls[i]
	u.emit(Drop{ID: c.id})
	u.forgetCall(i)
	return c
}

func (u *Upload) forgetCall(i int) {
	c := u.calls[i]
	u.calls = append(u.calls[:i], u.calls[i+1:]...)
	if c.kind == callPart {
		u.unsettled(&c)
	}
	if u.step.call == c.id {
		u.step.call = 0
	}
	if u.renewal.call == c.id {
		u.renewal.call = 0
	}
}

// unsettled notes that a request ends of which all bytes may have left: the store
// may do it yet.
func (u *Upload) unsettled(c *call) {
	if _, size := u.plan.Range(c.part); c.bytes < size && u.now.Sub(c.heard) <= longSilence {
		return
	}
	if u.late = u.now.Add(latest); u.plan.Single() {
		u.inDoubt = true
	}
}

func (u *Upload) dropAll() {
	for i := len(u.calls) - 1; i >= 0; i-- {
		u.drop(i)
	}
}

func (u *Upload) find(id uint32) int {
	for i := range u.calls {
		if u.calls[i].id == id {
			return i
		}
	}
	return -1
}

func (u *Upload) underWay(k callKind) bool {
	for i := range u.calls {
		if u.calls[i].kind == k {
			return true
		}
	}
	return false
}

// sent notes that bytes of a body have gone out.
func (u *Upload) sent(e Sent) {
	if i := u.find(e.ID); i >= 0 && e.Bytes > u.calls[i].bytes {
		u.meter.moved += e.Bytes - u.calls[i].bytes
		u.calls[i].bytes, u.calls[i].heard = e.Bytes, u.now
	}
}

// answered gives an answer to the call that it answers.
func (u *Upload) answered(ev Event) {
	i := u.find(idOf(ev))
	if i < 0 {
		return
	}
	c, doubt, late := u.calls[i], u.inDoubt, u.late
	u.forgetCall(i)
	if r, ok := ev.(Replied); ok && r.Reply.Status != 500 && r.Reply.Status != 502 && r.Reply.Status != 504 {
		u.inDoubt, u.late = doubt, late // the store, or what is before it, knows what came of it
	}
	if c.kind == callPart {
		u.queue.sending--
		if u.phase == aborting {
			return // it is only awaited
		}
	}
	switch e := ev.(type) {
	case Granted:
		u.granted(e, u.now.Sub(c.begun))
	case Exists:
		u.done(e.Object)
	case Sampled:
		u.sampledAs(e.Digest)
	case Renewed:
		u.renewed(e.Session, e.ServerTime, u.now.Sub(c.begun))
	case Verified:
		if u.etag == "" && u.isAnother(e.Object.Checksum) {
			u.fail(errReplaced)
			return
		}
		if u.etag == "" && isSHA256(e.Object.Checksum) && u.unread() {
			if u.cancelled { // the file is not read for that
				u.finish(Finish{Err: errUnread, Forget: u.abortSent || u.uploadID == ""})
			} else {
				u.compareWith(e.Object)
			}
			return
		}
		u.done(e.Object)
	case Refused:
		u.serverRefused(c, e)
	case Hashed:
		u.hashed(c.part, e.Digest)
	case Unreadable:
		u.fail(&Error{Code: "file_unreadable", Message: e.Message, Part: c.part})
	case Replied:
		u.replied(c, &e.Reply)
	case Told:
		u.told(c, &e)
	case Lost:
		u.lost(c, &Error{Code: "network", Message: "no reply came: the connection failed, or the reply may not be read by this page", Retryable: true})
	}
}

// done ends the upload with the object that the server has seen. Where the
// store's replies were lost, that settles the parts too.
func (u *Upload) done(o Object) {
	o.Bucket = u.grant.Target.Bucket
	u.meter.confirmed, u.meter.parts = u.plan.Size, u.plan.Parts
	u.finish(Finish{Object: o})
}

func idOf(ev Event) uint32 {
	switch e := ev.(type) {
	case Granted:
		return e.ID
	case Exists:
		return e.ID
	case Sampled:
		return e.ID
	case Renewed:
		return e.ID
	case Verified:
		return e.ID
	case Refused:
		return e.ID
	case Hashed:
		return e.ID
	case Unreadable:
		return e.ID
	case Replied:
		return e.ID
	case Told:
		return e.ID
	case Lost:
		return e.ID
	}
	return 0
}

func (u *Upload) granted(e Granted, took time.Duration) {
	u.grant = e.Grant
	u.begun = e.ServerTime
	u.renewed(e.Session, e.ServerTime, took)
	p, err := plan.New(u.cfg.File.Size, u.cfg.PartSize, u.grant.Limits)
	if err != nil {
		u.fail(&Error{Code: "file_too_large", Message: err.Error()})
		return
	}
	hashed := u.queue.parts // where the server was asked before
	u.setPlan(p)
	if len(hashed) == p.Parts && u.checksum != "" {
		u.keepDigests(hashed)
	}
	switch {
	case u.grant.Existence && u.checksum == "":
		u.to(comparing)
	case p.Single():
		u.to(sending)
	default:
		u.to(sampling)
	}
}

// replied reads what the store said to a request.
func (u *Upload) replied(c call, r *s3api.Reply) {
	var t Told
	var err *s3api.Error
	switch c.kind {
	case callCreate:
		t.UploadID, err = r.Created()
	case callList, callListAborted:
		t.Parts, t.Next, err = r.Listed()
	case callComplete:
		t.ETag, err = r.Completed()
	default:
		t.ETag, err = r.ETag, r.Check()
	}
	u.came(c, &t, err)
}

// came takes what came of a call at the store, whether it was asked by us or by
// the server.
func (u *Upload) came(c call, t *Told, err *s3api.Error) {
	u.spoke = true
	if err == nil {
		switch c.kind {
		case callPart:
			_, size := u.plan.Range(c.part)
			u.meter.moved += size - c.bytes
			if t.ETag == "" && !u.plan.Single() && !u.grant.Presigned {
				u.hiddenETag()
			}
			u.partDone(c.part, t.ETag)
		case callCreate:
			u.uploadID = t.UploadID
			u.persist()
			if u.phase == creating {
				u.to(sending)
			}
		case callList:
			u.marker = t.Next
			if u.phase == collecting {
				u.collect(t.Parts)
			} else {
				u.listed(t.Parts)
			}
			if u.step = (task{}); u.marker == 0 {
				u.listedAll()
			}
		case callComplete:
			u.etag = t.ETag
			u.to(verifying)
		}
	}
	if err == nil || err.Code == "NoSuchUpload" {
		u.refused = 0
		u.succeeded()
	}
	switch {
	case c.kind == callAbort || c.kind == callListAborted:
		u.aborted(c, err)
	case err != nil:
		u.storeRefused(c, err)
	}
}
