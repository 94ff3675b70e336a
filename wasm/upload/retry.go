package upload

import (
	"time"

	"github.com/chunksign/chunksign/wasm/s3api"
)

const (
	maxTries    = 12 // of one task; with the waits between them, about two minutes
	maxRestarts = 2  // of the whole multipart upload
	maxStale    = 2  // times that a part's bytes may differ from its digest

	backoffBase = 500 * time.Millisecond
	backoffCap  = 30 * time.Second

	renewBefore = 3 * time.Minute  // before a session ends, the next is asked for
	minLeft     = 15 * time.Second // a request signed later than this before the end may arrive after it
)

// Error is why an upload ended, or why a call was refused. Code is the store's
// ("AccessDenied"), the server's ("content_type_not_allowed") or one of ours:
//
//	network          no reply came, however often it was tried
//	stalled          bytes stopped moving, however often it was tried
//	file_unreadable  the browser could not read the file: it changed or vanished
//	file_changed     the bytes of a part are not those that were hashed
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
	return fatal
}

// storeRefused decides what a store's refusal of c leads to.
func (u *Upload) storeRefused(c call, refusal *s3api.Error) {
	err := fromStore(c, refusal)
	v := classify(refusal)
	if u.cancelled && (c.kind == callPart || c.kind == callComplete && v != missing && v != taken) {
		u.to(aborting) // the outcome that was awaited: there is no object
		return
	}
	switch v {
	case transient:
		u.again(c, err, 0)
	case session:
		u.sessionRefused(c, err)
	case clock:
		if !refusal.ServerTime.IsZero() {
			u.skew = refusal.ServerTime.Sub(u.now)
		}
		u.again(c, err, soon)
	case bytes:
		if c.kind != callPart {
			u.again(c, err, 0)
			return
		}
		p := u.queue.part(c.part)
		p.hashed = false
		if p.stale++; p.stale > maxStale {
			u.fail(&Error{Code: "file_changed", Part: c.part, Status: err.Status, RequestID: err.RequestID,
				Message: "the bytes that arrived are not those that were hashed; the file is being changed, or something on the way changes it"})
			return
		}
		u.requeue(c.part, u.now)
	case missing:
		if c.kind == callComplete {
			// An earlier Complete whose reply was lost may have done it.
			u.to(verifying)
			return
		}
		u.restart(err)
	case conflict:
		if c.kind == callComplete {
			u.restart(err)
			return
		}
		u.again(c, err, 0)
	case taken:
		if u.triedBefore(c) {
			u.to(verifying)
			return
		}
		u.fail(&Error{Code: "key_taken", Status: err.Status, RequestID: err.RequestID, Message: "an object with this key is there already, and the destination does not allow overwriting"})
	default:
		u.failCall(c, err)
	}
}

// sessionRefused leads to one renewal, and to the store's own word where
// fresh credentials are refused too.
func (u *Upload) sessionRefused(c call, err *Error) {
	if c.generation == u.generation && !u.session.Expires.IsZero() {
		u.session.Expires = time.Time{}
		u.renewal.at = u.now
		if u.refused++; u.refused > 1 {
			u.failCall(c, err)
			return
		}
	}
	u.again(c, err, soon)
}

// triedBefore says whether a request like c may have done its work before c.
func (u *Upload) triedBefore(c call) bool {
	if c.kind == callPart {
		return u.queue.part(c.part).tries > 0
	}
	return u.step.tries > 0
}

// lost is a call that got no answer.
func (u *Upload) lost(c call, err *Error) {
	if u.phase == aborting && c.kind == callPart {
		return
	}
	err.Part = c.part
	toStore := c.kind == callPart || c.kind >= callCreate
	if toStore && u.left() < renewBefore {
		// Some stores' refusals carry no CORS headers, so that a page sees
		// nothing where the session has ended.
		u.session.Expires = time.Time{}
		u.renewal.at = u.now
	}
	u.again(c, err, 0)
}

// serverRefused decides what the server's refusal of c leads to.
func (u *Upload) serverRefused(c call, e Refused) {
	err := &e.Error
	switch s := err.Status; {
	case s == 0 || s == 408 || s == 429 || s >= 500:
		u.again(c, err, e.RetryAfter)
	case u.phase == aborting:
		u.giveUpAbort(err)
	case c.kind == callRenew && err.Code == "already_complete":
		u.dropAll()
		u.to(verifying)
	case c.kind != callAsk && (s == 401 || s == 403):
		u.needsAuth = true
	case c.kind == callVerify && s == 404 && u.uploadID != "" && u.restarts < maxRestarts:
		// A Complete that never arrived: what the store has of the parts is looked at again.
		u.restarts++
		u.marker, u.completed = 0, false
		u.to(listing)
	default:
		u.fail(err)
	}
}

// soon is a wait that does not grow: the cause of the failure has been mended.
const soon = time.Millisecond

// again gives c's task another try after wait (0: after a wait that grows with
// the tries), or ends the upload with err.
func (u *Upload) again(c call, err *Error, wait time.Duration) {
	var tries int
	switch {
	case u.cancelled && (c.kind == callComplete || c.kind == callPart):
		u.to(aborting)
		return
	case c.kind == callPart:
		p := u.queue.part(c.part)
		p.tries++
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
	if tries >= maxTries {
		u.failCall(c, err)
		return
	}
	if wait == 0 {
		wait = u.backoff(tries)
	}
	at := u.now.Add(wait)
	switch c.kind {
	case callPart:
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
	if tries < 7 {
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

// hurry makes everything due that waits: the network is back.
func (u *Upload) hurry() {
	u.step.at, u.renewal.at = u.now, u.now
	for i := range u.queue.again {
		u.queue.again[i].at = u.now
	}
}
