// Package upload is the engine: one file's way from a grant to an object that
// the server has looked at.
//
// It does no I/O and has no clock. Whoever drives it calls Step with the time
// and an Event (a reply came, a digest is ready, the user pressed pause) and
// carries out the Commands that it returns (send this request, hash this
// range, wake me then), in their order. Each Command that has an answer carries
// an ID, and the Event that answers it carries the same one; an answer to a
// call that the engine has dropped is ignored.
//
//	asking ─ Ask → Granted ─┬─ creating ─┐
//	                        │            ├─ sending ─ completing ─ verifying ─ over
//	a Record ─ listing ─────┴────────────┘                  aborting ─────────┘
//
// A file of one part skips creating and completing: its part is a PutObject.
//
// The store is the truth: after an interruption ListParts says which parts are
// there, and one counts only if its size and SHA-256 are those of the local
// bytes. The Record that Persist carries is a hint where to look.
package upload

import (
	"time"

	"github.com/chunksign/chunksign/wasm/plan"
	"github.com/chunksign/chunksign/wasm/s3api"
	"github.com/chunksign/chunksign/wasm/sigv4"
)

// File describes the local file. Name and Type are what the server is told.
type File struct {
	Name     string
	Type     string // media type, "" where unknown
	Size     int64  // bytes
	Modified int64  // milliseconds since 1970, as the browser's lastModified
}

// Config is what an upload starts from.
type Config struct {
	File     File
	PartSize int64  // bytes; 0 for plan.DefaultPartSize
	Seed     uint64 // of the jitter between retries
}

// Grant is the server's permission and where the bytes go.
type Grant struct {
	Token   string // opaque; renews the credentials and asks for the verdict
	Expires time.Time
	Target  s3api.Target
	Limits  plan.Limits
}

// Session is what STS gave for the grant.
type Session struct {
	Credentials sigv4.Credentials
	Expires     time.Time
}

type phase uint8

const (
	asking phase = iota
	creating
	listing
	sending
	completing
	verifying
	aborting
	over
)

// task is something that is tried until it succeeds or has been tried enough.
type task struct {
	tries int       // failures so far
	at    time.Time // not before
	call  uint32    // the call under way, 0 for none
}

// Upload is one file's upload. New and Restore make it.
type Upload struct {
	cfg  Config
	now  time.Time
	out  []Command
	rand uint64

	phase     phase
	step      task // the phase's own call: asking, creating, listing, completing, verifying, aborting
	lanes     int  // requests for parts that may be under way
	paused    bool
	offline   bool
	needsAuth bool
	cancelled bool
	abortSent bool // the next call of aborting is the look whether it worked

	grant      Grant
	session    Session
	generation int // counts sessions; a refusal of an older one is no news
	refused    int // sessions in a row that the store refused
	renewal    task
	signer     *sigv4.Signer
	skew       time.Duration // the server's clock minus ours

	plan      plan.Plan
	uploadID  string
	marker    int // ListParts goes on after this part
	restarts  int
	completed bool   // a CompleteMultipartUpload or PutObject of ours may have succeeded
	etag      string // the finished object's, as the store gave it
	recorded  bool

	queue queue
	calls []call
	last  uint32 // the last call's ID

	meter meter
	wake  time.Time
	shown State
}

// New starts an upload that has nothing yet.
func New(c Config) *Upload { return &Upload{cfg: c, rand: c.Seed} }

// Restore takes an interrupted upload up again. It begins with fresh
// credentials and a look at what the store has.
func Restore(c Config, r Record) (*Upload, error) {
	u := New(c)
	u.grant, u.uploadID, u.completed, u.recorded = r.Grant, r.UploadID, r.Completed, true
	u.cfg.PartSize = r.PartSize
	p, err := plan.New(c.File.Size, r.PartSize, r.Grant.Limits)
	if err != nil {
		return nil, err
	}
	u.setPlan(p)
	u.phase = listing
	if r.Completed {
		u.phase = verifying
	}
	return u, nil
}

func (u *Upload) setPlan(p plan.Plan) {
	u.plan = p
	u.queue = newQueue(p.Parts)
	u.meter.confirmed, u.meter.parts = 0, 0
}

// Step takes what happened at now and gives what to do about it. The slice is
// valid until the next Step.
func (u *Upload) Step(now time.Time, ev Event) []Command {
	u.out = u.out[:0]
	u.now = now
	if u.phase != over {
		u.take(ev)
	}
	if u.phase != over {
		u.cutStalled()
		u.advance()
	}
	u.report()
	u.setWake()
	return u.out
}

// take notes what happened; advance decides what follows.
func (u *Upload) take(ev Event) {
	switch e := ev.(type) {
	case Lanes:
		u.lanes = e.N
	case Pause:
		u.paused = true
		if e.Force {
			u.dropParts()
		}
	case Resume:
		u.paused, u.needsAuth = false, false
	case Offline:
		u.offline = true
	case Online:
		u.offline = false
		u.hurry()
	case Cancel:
		u.cancel()
	case Stop:
		u.dropAll()
		u.finish(Finish{Err: &Error{Code: "stopped", Message: "the upload was stopped; what the store has is kept"}})
	case Tick:
		u.wake = time.Time{} // come or come too early, it is spent
	case Sent:
		u.sent(e)
	case Granted, Renewed, Verified, Refused, Hashed, Unreadable, Replied, Lost:
		u.answered(ev)
	}
}

// advance starts whatever can be started now.
func (u *Upload) advance() {
	if u.phase == aborting {
		u.abort()
		return
	}
	if u.paused || u.offline || u.needsAuth {
		return
	}
	switch u.phase {
	case asking:
		if u.lanes > 0 && u.due(&u.step) {
			u.emit(Ask{ID: u.start(&u.step, call{kind: callAsk})})
		}
	case listing:
		if u.fresh() && u.due(&u.step) {
			r := u.grant.Target.ListParts(u.uploadID, u.marker)
			u.send(&u.step, call{kind: callList}, r, nil)
		}
	case creating:
		if u.fresh() && u.due(&u.step) {
			u.send(&u.step, call{kind: callCreate}, u.grant.Target.CreateMultipartUpload(), nil)
		}
		u.pump()
	case sending:
		u.pump()
	case completing:
		if u.fresh() && u.due(&u.step) {
			u.complete()
		}
	case verifying:
		if u.due(&u.step) {
			u.emit(Verify{ID: u.start(&u.step, call{kind: callVerify}), Grant: u.grant.Token, ETag: u.etag})
		}
	}
}

// to enters a phase with its call not tried yet.
func (u *Upload) to(p phase) {
	u.phase = p
	u.step = task{}
}

func (u *Upload) emit(c Command) { u.out = append(u.out, c) }

func (u *Upload) due(t *task) bool { return t.call == 0 && !u.now.Before(t.at) }

func (u *Upload) finish(f Finish) {
	u.phase = over
	if u.recorded && (f.Err == nil || f.Forget) {
		u.emit(Forget{})
	}
	u.emit(f)
}

func (u *Upload) fail(err *Error) {
	u.dropAll()
	u.finish(Finish{Err: err})
}
