// Package limit counts requests, for destinations that bound them.
//
// Memory counts in this process: behind a load balancer each replica allows the
// rate for itself. Redis (redis.go) counts for all of them.
package limit

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/chunksign/chunksign/server/destination"
)

// Memory is a destination.Limiter with a token bucket for each key: it holds as
// many tokens as the rate counts, full at first, and fills up evenly within the
// rate's time.
type Memory struct {
	now     func() time.Time
	mu      sync.Mutex
	buckets map[destination.LimitKey]*rate.Limiter
}

// maxBuckets bounds memory: about 300 bytes each.
const maxBuckets = 100_000

// NewMemory makes a Memory.
func NewMemory(now func() time.Time) *Memory {
	return &Memory{now: now, buckets: map[destination.LimitKey]*rate.Limiter{}}
}

// Take implements destination.Limiter. It never errs.
func (m *Memory) Take(_ context.Context, key destination.LimitKey, r destination.Rate) (time.Duration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, every := m.now(), rate.Limit(float64(r.Count)/r.Per.Seconds())
	b := m.buckets[key]
	if b == nil {
		m.sweep(now)
		b = rate.NewLimiter(every, r.Count)
		m.buckets[key] = b
	} else if b.Limit() != every || b.Burst() != r.Count { // the configuration was read again
		b.SetLimitAt(now, every)
		b.SetBurstAt(now, r.Count)
	}
	taken := b.ReserveN(now, 1)
	wait := taken.DelayFrom(now)
	if wait > 0 {
		taken.CancelAt(now)
	}
	return wait, nil
}

// sweep makes room: full buckets go, for a new one is full too, and any others
// while there are too many, which gives these a fresh start.
func (m *Memory) sweep(now time.Time) {
	if len(m.buckets) < maxBuckets {
		return
	}
	for key, b := range m.buckets {
		if b.TokensAt(now) >= float64(b.Burst()) {
			delete(m.buckets, key)
		}
	}
	for key := range m.buckets {
		if len(m.buckets) < maxBuckets*3/4 {
			break
		}
		delete(m.buckets, key)
	}
}
