package main

import (
	"context"
	"fmt"
	"time"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/redact"
)

// lifecycle sees that parts of uploads that nobody goes on with are removed,
// and no sooner: by the bucket's lifecycle, or else by chunksign sweep.
func (e *examiner) lifecycle(ctx context.Context, d *destination.Destination) {
	const fix = "set the bucket's lifecycle: chunksign iam -only lifecycle"
	prefix, _ := d.Beginning()
	after, known, err := e.looker.StaleAfter(ctx, d.Store, d.Bucket, prefix)
	switch {
	case err != nil && status(err) == 403:
		e.notChecked(d.Name, "lifecycle", "the server may not read it (s3:GetLifecycleConfiguration)")
	case err != nil:
		e.fail(d.Name, "lifecycle", redact.Error(err).Error(), fix)
	case !known:
		if _, err := e.looker.Unfinished(ctx, d.Store, d.Bucket, prefix, time.Unix(0, 0)); err != nil {
			e.fail(d.Name, "lifecycle", "the store has no lifecycle rules, and the server cannot list unfinished uploads: "+redact.Error(err).Error(), "give the server what chunksign iam -only server prints, and run chunksign sweep once a day")
			return
		}
		e.ok(d.Name, "lifecycle", "the store has no such rules; stale uploads can be aborted by chunksign sweep, once a day")
	case after == 0 && !d.Store.AWS():
		e.notChecked(d.Name, "lifecycle", "the bucket has no rule for stale uploads; the store may abort them itself, as MinIO does, else run chunksign sweep once a day")
	case after == 0:
		e.fail(d.Name, "lifecycle", "no rule aborts uploads that nobody goes on with, and their parts are paid for", fix+", or run chunksign sweep once a day")
	case after < d.GrantDuration:
		e.fail(d.Name, "lifecycle", fmt.Sprintf("the bucket's rule aborts uploads after %d days, and they may go on for %s", int(after.Hours()/24), d.GrantDuration), fix)
	default:
		e.ok(d.Name, "lifecycle", "uploads are aborted %d days after their begin", int(after.Hours()/24))
	}
}
