package drive

import (
	"errors"

	"github.com/chunksign/chunksign/wasm/upload"
)

// take gets a job its record and the right to work on it, or says why there is
// nothing to do. A journal that fails keeps no upload from beginning.
func (l *loop) take(job int, r *run) *upload.Error {
	j := &l.jobs[job]
	var err error
	if j.Discard != "" {
		r.held, err = l.config.Journal.TakeID(j.Discard)
	} else {
		r.held, err = l.config.Journal.Take(j.Server, j.File, j.Fresh)
	}
	switch {
	case errors.Is(err, ErrHeld):
		return &upload.Error{Code: CodeHeld, Message: err.Error(), Retryable: true}
	case err != nil && j.Discard != "":
		return &upload.Error{Code: CodeJournal, Message: err.Error()}
	case err != nil:
		r.held = nil
		l.noted(r, err)
		return nil
	}
	if r.held.Record == nil && j.Discard != "" {
		l.noted(r, r.held.Forget()) // what no version can read any more
		r.held.Release()
		return &upload.Error{Code: CodeNoRecord, Message: "the upload has ended, or its record could not be read and was removed; nothing was changed at the store"}
	}
	return nil
}

const grantEnded = "the server no longer takes the grant of the unfinished upload, so that its parts can be neither used nor removed with it; a rule for incomplete multipart uploads on the bucket removes them"

// expired ends the run of a record whose grant has ended, or was signed with a key out
// of service, and begins its upload anew. That is the server's word: a clock that is
// wrong here would prove nothing.
func (l *loop) expired(r *run) {
	l.noted(r, r.held.Forget())
	r.held.Release()
	if l.jobs[r.job].Discard != "" {
		l.ended(r.job, Result{Err: &upload.Error{Code: CodeExpired, Status: 410, Message: grantEnded}})
		return
	}
	l.watch.Warned(r.job, CodeExpired, grantEnded+". The file is uploaded anew")
	if err := l.start(r.job); err != nil {
		l.ended(r.job, Result{Err: err})
	}
}
