package trial

import (
	"context"
	"fmt"
	"sync"
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
type Sessions struct {
	now func() time.Time

	mu       sync.Mutex
	verdicts map[string]*verdict // by destination
}

type verdict struct {
	mu    sync.Mutex // the others wait for the one that tries
	kept  bool
	until time.Time // when err is to be looked into again
	err   error
}

// NewSessions gives one that has tried nothing.
func NewSessions(now func() time.Time) *Sessions {
	return &Sessions{now: now, verdicts: map[string]*verdict{}}
}

// Keeps implements destination.SessionTrial.
func (s *Sessions) Keeps(ctx context.Context, d *destination.Destination, t destination.Trial) error {
	if d.Store.STS.Trusted {
		return nil
	}
	s.mu.Lock()
	v := s.verdicts[d.Name]
	if v == nil {
		v = &verdict{}
		s.verdicts[d.Name] = v
	}
	s.mu.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.kept || s.now().Before(v.until) {
		return v.err
	}
	// Not the asker's context: he may leave, and the verdict is for all.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	if v.err = try(ctx, d, t); v.err == nil {
		v.kept = true
	}
	v.until = s.now().Add(again)
	return v.err
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
