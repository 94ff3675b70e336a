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
//	asking ─ Ask → Granted ─ sampling ─ creating ─┐
//	                                              ├─ sending ─ checking ─ completing ─ verifying ─ over
//	a Record ─────────────── sampling ─ listing ──┘                         aborting ─────────────┘
//
// A file of one part goes from asking to sending to verifying: its part is a
// PutObject. Where the server says that the bytes may be there already, all
// parts are hashed and the server is asked again (comparing). Where the page may
// not read ETags, ListParts gives them (collecting) before Complete.
//
// Requests to the store are signed here, with a session's credentials; where the
// page may hold none, the server signs those that carry the file's bytes and
// makes the others itself (multipart.go). All else is the same.
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
	PartSize int64         // bytes; 0 for plan.DefaultPartSize
	Seed     uint64        // of the jitter between retries
	Stall    time.Duration // a part whose bytes stand still for so long is cut; 0 for 30 s
	GiveUp   time.Duration // what fails for so long, and nothing succeeds meanwhile, ends the upload; 0 for 15 min
	Origin   string        // the page's, for what is said about CORS; "" where there is no page
}

// Grant is the server's permission and where the bytes go.
type Grant struct {
	Token   string // opaque; renews the credentials and asks for the verdict
	Expires time.Time
	Target  s3api.Target
	Limits  plan.Limits
	// Existence says that an object of this size is there; the same bytes need
	// not be sent again.
	Existence bool
	// Presigned says that there is no Session: the server signs, or makes the call.
	Presigned bool
}

// Session is what STS gave for the grant.
type Session struct {
	Credentials sigv4.Credentials
	Expires     time.Time
}

type phase uint8

const (
	asking phase = iota
	comparing
	sampling
	creating
	listing
	sending
	collecting
	checking
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
	gate *gate // bounds the bytes a second of all uploads; nil for no bound
	now  time.Time
	out  []Command
	rand uint64

	phase     phase
	step      task // the phase's own call: asking, creating, listing, completing, verifying, aborting
	lanes     int  // requests for parts that may be under way
	room      int  // of them, as many as the other uploads of the pool leave
	crowded   bool // there was less room than lanes
	paused    bool
	offline   bool
	needsAuth bool
	signedIn  bool // the server has taken this page's sign-in before
	asksAnew  bool // since the last SignedIn nothing was granted
	cancelled bool
	conflict  *Error    // why what the store has is aborted, and the upload begins anew
	late      time.Time // until then, a part that nobody listens to any more may be stored
	abortSent bool      // the next call of aborting is the look whether it worked

	begun      time.Time
	sample     s3api.Digest // of the file, as it was when the upload began
	sampled    bool
	restored   bool    // sample is a Record's
	compared   int     // parts hashed while comparing
	seen       *Object // what they are compared with, where it is not the server that compares
	checksum   string  // of the object, once all are
	grant      Grant
	session    Session
	generation int // counts sessions, or what the server signs by; a refusal of an older one is no news
	refused    int // sessions in a row that the store refused
	renewal    task
	signer     *sigv4.Signer
	skew       time.Duration // the server's clock minus ours
	storeTime  bool          // skew is the store's word, which goes before the server's
	old        bool          // serverTime was on its way for long
	blind      bool          // when the session ends is not known

	plan      plan.Plan
	uploadID  string
	marker    int // ListParts goes on after this part
	restarts  int
	completes int    // CompleteMultipartUploads, or PutObjects, that were sent, of earlier uploads of this object too
	taken     *Error // the store says that the key has an object, which may be ours
	looked    bool   // the server has looked for what an earlier life may have completed
	completed bool   // a CompleteMultipartUpload or PutObject of ours may have succeeded
	inDoubt   bool   // a PutObject whose bytes may all have left has ended, whether or not a reply said how
	etag      string // the finished object's, as the store gave it
	recorded  bool

	queue queue
	calls []call
	last  uint32 // the last call's ID

	failing time.Time // when the failures began that no success has followed
	trouble Error
	retryAt time.Time
	said    string // trouble's code in the last Report
	spoke   bool   // the store has answered
	noETags bool   // the page may not read them
	slow    bool   // the store asked for less, or stood still, since the pool last looked

	meter  meter
	wake   time.Time
	thawed bool // nothing was cut in the last step, for the page had stood still
	shown  State
}

// New starts an upload that has nothing yet.
func New(c Config) *Upload { return &Upload{cfg: c, rand: c.Seed, room: plan.MaxParts} }

// Restore takes an interrupted upload up again. It begins with fresh
// credentials and a look at what the store has.
func Restore(c Config, r Record) (*Upload, error) {
	u := New(c)
	u.grant, u.uploadID, u.completed, u.recorded = r.Grant, r.UploadID, r.Completed, true
	u.begun, u.sample, u.sampled, u.restored = r.Begun, r.Sample, true, true
	u.completes = 1 // an earlier life may have, and lost the Record of it
	u.cfg.PartSize = r.PartSize
	p, err := plan.New(c.File.Size, r.PartSize, r.Grant.Limits)
	if err != nil {
		return nil, err
	}
	u.setPlan(p)
	u.phase = sampling
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
	thawed := u.thaw()
	if u.phase != over {
		u.take(ev)
	}
	if u.phase != over {
		if !thawed {
			u.cutStalled()
		}
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
		if u.cancelled {
			return
		}
		u.paused = true
		if e.Force {
			u.dropParts()
		}
	case Resume:
		u.paused, u.needsAuth = false, false
		u.hurry()
	case SignedIn:
		u.asksAnew = u.asksAnew || u.needsAuth
		u.needsAuth = false
		u.hurry()
		if u.generation > 0 && u.phase > comparing && !u.held() {
			u.fresh()
		}
	case Offline:
		u.offline = true
	case Online:
		u.offline = false
		u.hurry()
	case Jumped:
		u.jumped()
	case Cancel:
		u.cancel()
	case Stop:
		u.finish(Finish{Err: &Error{Code: "stopped", Message: "the upload was stopped; what the store has is kept"}})
	case Tick:
		u.wake = time.Time{} // come or come too early, it is spent
	case Sent:
		u.sent(e)
	case Granted, Exists, Renewed, Verified, Refused, Hashed, Sampled, Unreadable, Replied, Told, Lost:
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
			u.emit(Ask{ID: u.start(&u.step, call{kind: callAsk}), Checksum: u.checksum, PartSize: u.plan.PartSize})
		}
	case comparing:
		u.pump()
	case sampling, checking:
		if u.due(&u.step) {
			u.emit(Sample{ID: u.start(&u.step, call{kind: callSample})})
		}
	case listing, collecting:
		u.multipart(callList)
	case creating:
		u.multipart(callCreate)
		u.pump()
	case sending:
		if u.pump(); u.phase != sending {
			u.advance()
		}
	case completing:
		u.multipart(callComplete)
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

// emit, as what else many call, is not inlined: a kilobyte less for a page to load.
//
//go:noinline
func (u *Upload) emit(c Command) { u.out = append(u.out, c) }

func (u *Upload) due(t *task) bool { return t.call == 0 && !u.now.Before(t.at) }

func (u *Upload) finish(f Finish) {
	u.dropAll() // a renewal may be under way
	u.phase = over
	if u.recorded && (f.Err == nil || f.Forget) {
		u.emit(Forget{})
	}
	u.emit(f)
}

//go:noinline
func (u *Upload) fail(err *Error) {
	u.finish(Finish{Err: err})
}
