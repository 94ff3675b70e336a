package upload

import "github.com/chunksign/chunksign/wasm/s3api"

const errUnconfirmed = "cancel_unconfirmed"

var errCancelled = &Error{Code: "cancelled", Message: "the upload was cancelled"}

// errUnread ends a cancel that finds an object at the key, which an earlier life
// may have completed, or somebody else written.
var errUnread = &Error{Code: errUnconfirmed, Message: "the upload was cancelled, and its key has an object that it may have made before"}

// cancel begins to take back what the store has. Once the object may exist
// there is nothing left to take back: the upload goes on to its end.
func (u *Upload) cancel() {
	if u.cancelled {
		return
	}
	u.cancelled, u.paused = true, false
	if u.phase == verifying {
		return
	}
	outcome := false // a call under way says whether there is an object
	for i := len(u.calls) - 1; i >= 0; i-- {
		switch c := u.calls[i]; c.kind {
		case callRenew:
			if u.grant.Presigned && u.generation > 0 { // nothing more is to be signed
				u.drop(i)
			}
		case callCreate: // its reply names what has to be aborted
		case callComplete:
			outcome = true
		case callPart:
			if _, size := u.plan.Range(c.part); c.bytes < size {
				u.drop(i)
				u.queue.sending--
			} else if u.plan.Single() {
				outcome = true
			}
			// The store stores a part whose bytes have all left whether we listen or
			// not, and some engines do so even after the abort: its reply is awaited.
		default:
			u.drop(i)
		}
	}
	if !outcome {
		u.takeBack()
	}
}

// takeBack goes on from a cancel once no call tells any more whether there is an
// object. Where a PutObject may have made one, the server looks.
func (u *Upload) takeBack() {
	if u.inDoubt {
		u.to(verifying)
	} else {
		u.to(aborting)
	}
}

// abort repeats AbortMultipartUpload until ListParts says NoSuchUpload, for
// parts that were in flight can outlive the first
// (AmazonS3/latest/API/API_AbortMultipartUpload.html).
func (u *Upload) abort() {
	if u.underWay(callCreate) || u.underWay(callPart) {
		return
	}
	if u.uploadID == "" {
		u.finish(Finish{Err: errCancelled, Forget: true})
		return
	}
	if u.abortSent {
		u.multipart(callListAborted)
	} else {
		u.multipart(callAbort)
	}
}

// aborted reads the store's answer to an abort, or to the look that follows it.
func (u *Upload) aborted(c call, err *s3api.Error) {
	switch {
	case c.kind == callAbort && (err == nil || err.Code == "NoSuchUpload"):
		u.abortSent = true
	case c.kind == callListAborted && err == nil:
		u.abortSent = false
		u.again(c, &Error{Code: "abort_unconfirmed", Message: "the store still lists the upload after it was aborted", Retryable: true}, 0)
	case c.kind == callListAborted && err.Code == "NoSuchUpload" && u.now.Before(u.late):
		u.abortSent, u.step.at = false, u.late
	case c.kind == callListAborted && err.Code == "NoSuchUpload" && !u.cancelled:
		u.restart(u.conflict)
	case c.kind == callListAborted && err.Code == "NoSuchUpload" && u.completed:
		// A Complete whose reply was lost may have done it: the server looks.
		u.abortSent = true
		u.to(verifying)
	case c.kind == callListAborted && err.Code == "NoSuchUpload":
		u.finish(Finish{Err: errCancelled, Forget: true})
	default:
		u.storeRefused(c, err)
	}
}

// giveUpAbort ends a cancel that the store did not confirm. The Record stays,
// so that a later sweep finds the upload.
func (u *Upload) giveUpAbort(cause *Error) {
	if !u.cancelled {
		u.fail(cause)
		return
	}
	u.finish(Finish{Err: &Error{
		Code: errUnconfirmed, Status: cause.Status, RequestID: cause.RequestID,
		Message: "the upload was cancelled, but the store did not confirm that its parts are gone (" + cause.Code + ": " + cause.Message + ")",
	}})
}
