package trial

import (
	"context"
	"fmt"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

const (
	// timeout bounds one trial.
	timeout = 20 * time.Second
	// again is for how long a store that has failed is not tried anew.
	again = 10 * time.Second
)

// Sessions is a destination.SessionTrial. A store that has stood its trial once
// is not tried again; one is held for each destination, whose rights differ.
type Sessions struct{ verdicts verdicts }

// NewSessions gives one that has tried nothing.
func NewSessions(now func() time.Time) *Sessions { return &Sessions{newVerdicts(now)} }

// Keeps implements destination.SessionTrial.
func (s *Sessions) Keeps(ctx context.Context, d *destination.Destination, t destination.Trial) error {
	if d.Store.STS.Trusted {
		return nil
	}
	return s.verdicts.of(ctx, d.Name, timeout, func(ctx context.Context) (time.Duration, error) {
		return again, try(ctx, d, t)
	})
}

func try(ctx context.Context, d *destination.Destination, t destination.Trial) error {
	session, err := t.Issue(ctx)
	if err != nil {
		return err
	}
	ways, err := Ways(ctx, Subject{Session: session, Store: d.Store, Bucket: d.Bucket, Inside: t.Inside, Outside: t.Outside, Client: d.Store.Client})
	switch {
	case err != nil:
		return &destination.Error{Code: destination.StoreUnavailable, Err: fmt.Errorf("the trial of the sessions of %s: %w", d.Name, err),
			Detail: "the server cannot tell now whether the store keeps sessions to their policies; try again"}
	case len(ways) > 0:
		return &destination.Error{Code: destination.SessionsNotKept,
			Err:    fmt.Errorf("the store %s does not keep a session to its policy: %v; write signing: presigned for %s (sts.trusted of the store would hand such sessions out all the same)", d.Store.Name, ways, d.Name),
			Detail: "the store does not keep sessions to what they may do, so this destination hands none out; its admin has to write signing: presigned for it"}
	}
	return nil
}
