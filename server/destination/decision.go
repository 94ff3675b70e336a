package destination

import (
	"context"
	"errors"
)

// Decision is what came of one call of a Service, for the audit log and for
// counting. It holds no secret: no grant, no credentials, no link.
type Decision struct {
	What        string // grant, renew, complete, read, put, form, parts, create, list, put_together, abort, sign; sign_in where it was refused
	Principal   Principal
	Destination string // its name, "" where there is no such or none was named
	Key         string // the object's, "" where it did not come to one
	Size        int64  // the file's, in bytes
	GrantID     string
	Session     string // its name in the store's own audit log, "" for none
	Outcome     Code   // Yes, Exists or why not
}

// Outcomes of a Decision that are no refusal, and so no problem's code.
const (
	Yes    = "yes"
	Exists = "exists"
)

// Auditor is told of every decision, once it is made and before it is answered.
// It must not block, and is safe for concurrent use.
type Auditor func(ctx context.Context, d Decision)

// decided tells the Auditor what came of a call.
func (s *Service) decided(ctx context.Context, d *Decision, err error) {
	if s.Audit == nil {
		return
	}
	if d.Outcome == "" {
		d.Outcome = Yes
	}
	if err != nil {
		d.Outcome = OutcomeOf(err)
	}
	s.Audit(ctx, *d)
}

// OutcomeOf is the code of a refusal.
func OutcomeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}
