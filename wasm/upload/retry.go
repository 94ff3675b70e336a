package upload

import (
	"time"

	"github.com/chunksign/chunksign/wasm/s3api"
)

const (
	maxTries    = 12  // of one task that is refused, or that never got a reply; about two minutes
	maxLost     = 100 // of one task that gets no reply, where others did; Config.GiveUp is the nearer bound
	fewTries    = 4   // that a task has however long each takes: a Complete may be silent for five minutes
	maxRestarts = 2   // of the whole multipart upload
	maxStale    = 2   // times that a part's bytes may differ from its digest

	frozen      = 10 * time.Second // a wake that comes so late comes to a page that stood still
	latest      = time.Minute      // after a request was dropped, the store may do it for so long
	longSilence = 2 * time.Second  // bytes that move are heard of more often; a page that was frozen hears late

	backoffBase = 500 * time.Millisecond
	backoffCap  = 30 * time.Second

	defaultStall  = 30 * time.Second
	defaultGiveUp = 15 * time.Minute

	renewBefore = 3 * time.Minute  // before a session ends, the next is asked for
	minLeft     = 15 * time.Second // a request signed later than this before the end may arrive after it
)

// Error is why an upload ended, or why a call was refused. Code is the store's
// ("AccessDenied"), the server's ("content_type_not_allowed") or one of ours:
//
//	network          no reply came, however often it was tried
//	stalled          bytes stopped moving, however often it was tried
//	file_unreadable  the browser could not read the file: it changed or vanished
//	file_changed     the file's bytes are no longer those that were read first
//	different_file   the file is not the one that the Record is of
//	part_missing     the store took a part and does not list it
//	file_too_large   more bytes than the store's parts can hold
//	key_taken        an object with this key is there already
//	cancelled        by Cancel; nothing is left at the store
//	cancel_unconfirmed  by Cancel, but the store did not say that nothing is left
//	stopped          by Stop
type Error struct {
	Code      string
	Status    int    // HTTP status, 0 where there was no reply
	RequestID string // the store's or the server's
	Message   string
	Retryable bool // the same upload may succeed later
	Part      int  // the part it happened to, 0 for none
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func fromStore(c call, e *s3api.Error) *Error {
	code := e.Code
	if code == "" {
		code = "http_error"
	}
	msg := e.Message
	if msg == "" {
		msg = e.Error()
	}
	return &Error{Code: code, Status: e.Status, RequestID: e.RequestID, Message: msg, Part: c.part, Retryable: classify(e) == transient}
}

// verdict is what a store's refusal calls for.
type verdict uint8

const (
	fatal     verdict = iota
	transient         // the same request again, later
	session           // the same request again, with other credentials
	clock             // the same request again, with the store's time
	bytes             // the part again, hashed anew
	missing           // the store does not know the upload
	conflict          // another write was under way
	taken             // the key has an object
)

// classify reads a store's refusal. Engines word the same thing differently:
// for a session that has ended, S3 and versitygw say ExpiredToken, MinIO
// InvalidAccessKeyId, Ceph AccessDenied.
func classify(e *s3api.Error) verdict {
	switch e.Code {
	case "ExpiredToken", "InvalidToken", "InvalidTokenId", "TokenRefreshRequired", "InvalidAccessKeyId", "AccessDenied":
		return session
	case "RequestTimeTooSkewed":
		return clock
	case "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "BadDigest":
		return bytes
	case "NoSuchUpload":
		return missing
	case "ConditionalRequestConflict", "OperationAborted":
		return conflict
	case "PreconditionFailed":
		return taken
	case "SlowDown", "SlowDownRead", "SlowDownWrite", "ServiceUnavailable", "InternalError", "RequestTimeout", "IncompleteBody", "MalformedReply", "Throttling":
		return transient
	}
	switch e.Status {
	case 408, 429, 500, 502, 503, 504:
		return transient
	case 401, 403:
		return session
	case 412:
		return taken
	}
	if e.Code == "" { // cut short, or the word of something on the way
		return transient
	}
	return fatal
}

// storeRefused decides what a store's refusal of c leads to.
func (u *Upload) storeRefused(c call, refusal *s3api.Error) {
	err := fromStore(c, refusal)
	v := classify(refusal)
	if u.cancelled && (c.kind == callPart || c.kind == callComplete && v != missing && v != taken) {
		u.takeBack() // the outcome that was awaited
		return
	}
	switch v {
	case transient:
		u.slow = u.slow || refusal.Status == 503 || refusal.Status == 429
		if c.kind == callComplete && refusal.Status == 500 && u.step.tries+1 >= fewTries && u.restarts < maxRestarts {
			// radosgw says so of an upload that is gone.
			u.looked = true
			u.to(verifying)
			return
		}
		u.again(c, err, 0)
	case session:
		u.sessionRefused(c, err)
	case clock:
		if u.grant.Presigned { // it is the server's, which signs
			u.sessionRefused(c, err)
			return
		}
		if !refusal.ServerTime.IsZero() {
			u.skew = refusal.ServerTime.Sub(u.now)
			u.storeTime, u.blind = true, false
		} else if c.generation == u.generation {
			u.renewNow() // MinIO does not tell its time; the server does
		}
		u.again(c, err, soon)
	case bytes:
		if c.kind != callPart {
			u.again(c, err, 0)
			return
		}
		p := u.queue.part(c.part)
		p.hashed = false // read once more: it fails there if the file was changed
		if p.stale++; p.stale > maxStale {
			u.fail(&Error{Code: "bytes_damaged", Part: c.part, Status: err.Status, RequestID: err.RequestID,
				Message: "the bytes that arrive at the store are not those that were sent; something on the way changes them"})
			return
		}
		u.requeue(c.part, u.now)
	case missing:
		if c.kind == callComplete || u.restored && !u.looked {
			// An earlier Complete whose reply, or Record, was lost may have done it.
			u.looked = true
			u.to(verifying)
			return
		}
		u.restart(err)
	case conflict:
		if c.kind == callComplete {
			// The parts are at the store until they are aborted.
			u.conflict, u.abortSent = err, false
			u.to(aborting)
			return
		}
		u.again(c, err, 0)
	case taken:
		if u.completes > 1 { // one before this may have made the object
			u.taken = keyTaken(err)
			u.to(verifying)
			return
		}
		u.fail(keyTaken(err))
	default:
		if c.kind == callComplete && err.Code == "InvalidPart" && u.restarts < maxRestarts {
			u.relist()
			return
		}
		u.failCall(c, err)
	}
}

// relist looks again at what the store has of the parts.
func (u *Upload) relist() {
	u.restarts++
	u.marker, u.completed = 0, false
	u.partsAnew()
	u.to(listing)
}

func keyTaken(by *Error) *Error {
	return &Error{Code: "key_taken", Status: by.Status, RequestID: by.RequestID, Message: "an object with this key is there already, and the destination does not allow overwriting"}
}

// sessionRefused leads to one renewal, and to the store's own word where
// fresh credentials, or what the server has signed anew, are refused too.
func (u *Upload) sessionRefused(c call, err *Error) {
	if c.generation == u.generation && (u.grant.Presigned || !u.session.Expires.IsZero()) {
		u.renewNow()
		if u.refused++; u.refused > 1 {
			u.failCall(c, err)
			return
		}
	}
	u.again(c, err, soon)
}

// lost is a call that got no answer.
func (u *Upload) lost(c call, err *Error) {
	if u.phase == aborting && c.kind == callPart {
		return
	}
	err.Part = c.part
	if c.kind == callPart {
		// A browser says nothing else of a body that it could not read.
		if p := u.queue.part(c.part); p.lost == 1 {
			p.hashed, p.lost = false, 0
		} else {
			p.lost++
		}
	}
	toStore := c.kind >= callPart
	if toStore && !u.grant.Presigned && u.left() < renewBefore {
		// Some stores' refusals carry no CORS headers, so that a page sees
		// nothing where the session has ended.
		u.renewNow()
	}
	u.again(c, err, 0)
}

// serverRefused decides what the server's refusal of c leads to.
func (u *Upload) serverRefused(c call, e Refused) {
	err := &e.Error
	if told := inStoresWords(c, err); told != nil {
		u.came(c, nil, told)
		return
	}
	switch s := err.Status; {
	case s == 0 || s == 408 || s == 429 || s >= 500:
		u.again(c, err, e.RetryAfter)
	case u.phase == aborting && c.kind == callCreate: // nothing was created
	case u.phase == aborting && u.underWay(callCreate):
		u.renewal.at = u.now.Add(30 * time.Second) // its reply names what would be left behind
	case u.phase == aborting:
		u.giveUpAbort(err)
	case c.kind != callAsk && err.Code == "already_complete" && u.completes == 0:
		u.fail(keyTaken(&Error{Status: s, RequestID: err.RequestID}))
	case c.kind != callAsk && err.Code == "already_complete":
		u.dropAll()
		u.to(verifying)
	case c.kind == callComplete && u.cancelled:
		u.takeBack() // the outcome that was awaited
	case s == 401 && (c.kind != callAsk || u.signedIn) || s == 403 && c.kind != callAsk || s == 410 && !u.asksAnew:
		u.needsAuth = true
		u.trouble, u.retryAt = *err, time.Time{}
	case c.kind == callVerify && s == 404 && u.cancelled && u.now.Before(u.late):
		u.step.at = u.late
	case c.kind == callVerify && s == 404 && u.cancelled:
		u.completed, u.inDoubt = false, false
		u.to(aborting)
	case c.kind == callVerify && s == 404 && u.taken != nil && (u.plan.Single() || u.restarts == maxRestarts):
		u.fail(u.taken) // by an object from before the grant
	case c.kind == callVerify && s == 404 && u.uploadID != "" && u.restarts < maxRestarts:
		// A Complete that never arrived: what the store has of the parts is looked at again.
		u.looked = true
		u.relist()
	default:
		u.fail(err)
	}
}

// soon is a wait that does not grow: the cause of the failure has been mended.
const soon = time.Millisecond

// again gives c's task another try after wait (0: after a wait that grows with
// the tries), or ends the upload with err.
func (u *Upload) again(c call, err *Error, wait time.Duration) {
	tries, most := 0, maxTries
	lost := err.Status == 0
	if lost && u.spoke {
		most = maxLost
	}
	waits := lost && (u.offline || u.paused) // nothing else can be expected
	switch {
	case u.cancelled && (c.kind == callComplete || c.kind == callPart):
		u.takeBack()
		return
	case c.kind == callPart || c.kind == callHash:
		p := u.queue.part(c.part)
		if !waits {
			p.tries++
		}
		tries = int(p.tries)
	case c.kind == callRenew:
		u.renewal.tries++
		tries = u.renewal.tries
	case c.kind == callCreate && u.phase == aborting:
		return // nothing was created that anybody knows of
	default:
		u.step.tries++
		tries = u.step.tries
	}
	if u.failing.IsZero() && !waits {
		u.failing = u.now
	}
	if !waits && (tries >= most || tries >= fewTries && u.now.Sub(u.failing) >= u.giveUp()) {
		u.failCall(c, err)
		return
	}
	if wait == 0 {
		wait = u.backoff(tries)
	}
	at := u.now.Add(wait)
	u.trouble, u.retryAt = *err, at
	switch c.kind {
	case callPart, callHash:
		u.requeue(c.part, at)
	case callRenew:
		u.renewal.at = at
	default:
		u.step.at = at
	}
}

func (u *Upload) failCall(c call, err *Error) {
	if u.phase == aborting {
		u.giveUpAbort(err)
		return
	}
	u.fail(err)
}

// backoff is exponential with full jitter: any wait from nothing to the bound,
// so that many clients do not come back together
// ("Exponential Backoff And Jitter", AWS Architecture Blog).
func (u *Upload) backoff(tries int) time.Duration {
	bound := backoffCap
	if tries = max(tries, 1); tries < 7 {
		bound = min(backoffCap, backoffBase<<(tries-1))
	}
	return time.Duration(u.random()%uint64(bound)) + soon
}

// random is splitmix64.
func (u *Upload) random() uint64 {
	u.rand += 0x9e3779b97f4a7c15
	z := u.rand
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// succeeded ends a row of failures.
func (u *Upload) succeeded() {
	u.failing = time.Time{}
	u.trouble, u.retryAt = Error{}, time.Time{}
}

func (u *Upload) giveUp() time.Duration {
	if u.cfg.GiveUp > 0 {
		return u.cfg.GiveUp
	}
	return defaultGiveUp
}

// hurry makes everything due that waits: the network is back.
func (u *Upload) hurry() {
	u.succeeded()
	u.step.at, u.renewal.at = u.now, u.now
	for i := range u.queue.again {
		u.queue.again[i].at = u.now
	}
}
