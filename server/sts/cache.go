package sts

import (
	"context"
	"sync"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

type cacheKey struct {
	store, principal, policy, tags string
	duration                       time.Duration
}

// cache keeps sessions until half of their duration is over and lets only one
// caller fetch each. Failures are not kept. The zero cache with now is ready.
type cache struct {
	now     func() time.Time
	mu      sync.Mutex
	entries map[cacheKey]*entry
}

// entry is a session, or one that is being fetched: then ready is open.
type entry struct {
	ready   chan struct{}
	session destination.Session
	err     error
}

// maxEntries bounds memory: about 5 KB each with token and policy.
const maxEntries = 10_000

func (c *cache) get(ctx context.Context, key cacheKey, fetch func(context.Context) (destination.Session, error)) (destination.Session, error) {
	c.mu.Lock()
	e := c.entries[key]
	if e == nil || e.stale(c.now(), key.duration) {
		if c.entries == nil {
			c.entries = map[cacheKey]*entry{}
		}
		c.sweep()
		e = &entry{ready: make(chan struct{})}
		c.entries[key] = e
		// Others wait for this too: it must not end with the first caller's request.
		go c.fill(context.WithoutCancel(ctx), key, e, fetch)
	}
	c.mu.Unlock()
	select {
	case <-e.ready:
		return e.session, e.err
	case <-ctx.Done():
		return destination.Session{}, refusal(ctx.Err())
	}
}

// drop has the next caller fetch anew, unless somebody is fetching.
func (c *cache) drop(key cacheKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[key]; e != nil && e.fetched() {
		delete(c.entries, key)
	}
}

func (c *cache) fill(ctx context.Context, key cacheKey, e *entry, fetch func(context.Context) (destination.Session, error)) {
	e.session, e.err = fetch(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.err != nil && c.entries[key] == e {
		delete(c.entries, key)
	}
	close(e.ready)
}

func (e *entry) fetched() bool {
	select {
	case <-e.ready:
		return true
	default:
		return false
	}
}

// stale says whether less than half of a fetched session is left.
func (e *entry) stale(now time.Time, duration time.Duration) bool {
	return e.fetched() && e.session.Expires.Sub(now) < duration/2
}

// sweep makes room: stale sessions go, and any others while there are too many.
func (c *cache) sweep() {
	if len(c.entries) < maxEntries {
		return
	}
	now := c.now()
	for key, e := range c.entries {
		if e.stale(now, key.duration) {
			delete(c.entries, key)
		}
	}
	for key := range c.entries {
		if len(c.entries) < maxEntries*3/4 {
			break
		}
		delete(c.entries, key)
	}
}
