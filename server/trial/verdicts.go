package trial

import (
	"context"
	"sync"
	"time"
)

// verdicts remembers what trials have found, by what they were of. A store that has
// stood one is not tried again.
type verdicts struct {
	now func() time.Time

	mu  sync.Mutex
	all map[string]*verdict
}

type verdict struct {
	mu    sync.Mutex // the others wait for the one that tries
	stood bool
	until time.Time // when err is to be tried again
	err   error
}

func newVerdicts(now func() time.Time) verdicts {
	return verdicts{now: now, all: map[string]*verdict{}}
}

// of returns what try finds, or has found; try says for how long a failure stands.
// It runs detached from the request's context: other callers wait for this result.
func (v *verdicts) of(
	ctx context.Context, what string, timeout time.Duration, try func(context.Context) (again time.Duration, err error),
) error {
	v.mu.Lock()
	one := v.all[what]
	if one == nil {
		one = &verdict{}
		v.all[what] = one
	}
	v.mu.Unlock()
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.stood || v.now().Before(one.until) {
		return one.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	again, err := try(ctx)
	one.err, one.stood, one.until = err, err == nil, v.now().Add(again)
	return err
}
