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
	heard      time.Time // when it was sent, or its bytes last moved
}

// begin gives a call its ID.
func (u *Upload) begin(c call) uint32 {
	u.last++
	c.id, c.generation, c.heard = u.last, u.generation, u.now
	u.calls = append(u.calls, c)
	return c.id
}

func (u *Upload) start(t *task, c call) uint32 {
	t.call = u.begin(c)
	return t.call
}

// send signs r and sends it, as t's call where there is one.
func (u *Upload) send(t *task, c call, r sigv4.Request, body []byte) {
	s := Send{Method: r.Method, Body: body, Part: c.part}
	if c.part > 0 {
		s.Offset, s.Size = u.plan.Range(c.part)
	}
	s.URL = u.grant.Target.URL(&r)
	s.Header = append(r.Header, u.signer.Sign(&r, u.now.Add(u.skew))...)
	s.ID = u.begin(c)
	if t != nil {
		t.call = s.ID
	}
	u.emit(s)
}

// drop ends the call at place i of calls.
func (u *Upload) drop(i int) call {
	c := u.calls[i]
	u.emit(Drop{ID: c.id})
	u.forgetCall(i)
	return c
}

func (u *Upload) forgetCall(i int) {
	c := u.calls[i]
	u.calls = append(u.calls[:i], u.calls[i+1:]...)
	if u.step.call == c.id {
		u.step.call = 0
	}
	if u.renewal.call == c.id {
		u.renewal.call = 0
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
	c := u.calls[i]
	u.forgetCall(i)
	if c.kind == callPart {
		u.queue.sending--
		if u.phase == aborting {
			return // it is only awaited
		}
	}
	switch e := ev.(type) {
	case Granted:
		u.granted(e)
	case Renewed:
		u.renewed(e.Session, e.ServerTime)
	case Verified:
		e.Object.Bucket = u.grant.Target.Bucket
		u.finish(Finish{Object: e.Object})
	case Refused:
		u.serverRefused(c, e)
	case Hashed:
		u.hashed(c.part, e.Digest)
	case Unreadable:
		u.fail(&Error{Code: "file_unreadable", Message: e.Message, Part: c.part})
	case Replied:
		u.replied(c, &e.Reply)
	case Lost:
		u.lost(c, &Error{Code: "network", Message: "no reply came: the connection failed, or the reply may not be read by this page", Retryable: true})
	}
}

func idOf(ev Event) uint32 {
	switch e := ev.(type) {
	case Granted:
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
	case Lost:
		return e.ID
	}
	return 0
}

func (u *Upload) granted(e Granted) {
	u.grant = e.Grant
	u.renewed(e.Session, e.ServerTime)
	p, err := plan.New(u.cfg.File.Size, u.cfg.PartSize, u.grant.Limits)
	if err != nil {
		u.fail(&Error{Code: "file_too_large", Message: err.Error()})
		return
	}
	u.setPlan(p)
	if p.Single() {
		u.to(sending)
	} else {
		u.to(creating)
	}
}

// replied reads what the store said to a request.
func (u *Upload) replied(c call, r *s3api.Reply) {
	var err *s3api.Error
	switch c.kind {
	case callPart:
		if err = r.Check(); err == nil {
			_, size := u.plan.Range(c.part)
			u.meter.moved += size - c.bytes
			u.partDone(c.part, r.ETag)
		}
	case callCreate:
		var id string
		if id, err = r.Created(); err == nil {
			u.uploadID = id
			u.persist()
			if u.phase == creating {
				u.to(sending)
			}
		}
	case callList:
		var parts []s3api.ListedPart
		if parts, u.marker, err = r.Listed(); err == nil {
			u.listed(parts)
			if u.step = (task{}); u.marker == 0 {
				u.to(sending)
			}
		}
	case callComplete:
		var etag string
		if etag, err = r.Completed(); err == nil {
			u.etag = etag
			u.to(verifying)
		}
	case callAbort:
		err = r.Check()
	case callListAborted:
		_, _, err = r.Listed()
	}
	if err == nil || err.Code == "NoSuchUpload" {
		u.refused = 0
	}
	switch {
	case c.kind == callAbort || c.kind == callListAborted:
		u.aborted(c, err)
	case err != nil:
		u.storeRefused(c, err)
	}
}
