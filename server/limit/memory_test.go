package limit

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

var (
	noon = time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC)
	key  = destination.LimitKey{Destination: "photos", Who: "alice", What: "grant"}
)

func TestMemory(t *testing.T) {
	at := noon
	m := NewMemory(func() time.Time { return at })
	perMinute := destination.Rate{Count: 3, Per: time.Minute}
	take := func(what string, k destination.LimitKey, want time.Duration) {
		t.Helper()
		if wait, err := m.Take(context.Background(), k, perMinute); err != nil || wait.Round(time.Millisecond) != want {
			t.Errorf("%s: wait %v, %v; want %v", what, wait, err, want)
		}
	}
	for range 3 {
		take("at once", key, 0)
	}
	take("one too many", key, 20*time.Second)
	take("who is refused is not counted", key, 20*time.Second)
	bob, other, renew := key, key, key
	bob.Who, other.Destination, renew.What = "bob", "videos", "renew"
	for name, k := range map[string]destination.LimitKey{"somebody else": bob, "another destination": other, "another matter": renew} {
		take(name, k, 0)
	}
	at = at.Add(19 * time.Second)
	take("a second early", key, time.Second)
	at = at.Add(time.Second)
	take("in time", key, 0)
	take("one only", key, 20*time.Second)
	at = at.Add(time.Hour)
	for range 3 {
		take("full again", key, 0)
	}
	take("and not fuller", key, 20*time.Second)
}

func TestManyAtOnce(t *testing.T) {
	m := NewMemory(func() time.Time { return noon })
	var wait sync.WaitGroup
	var taken atomic.Int32
	for range 100 {
		wait.Go(func() {
			if w, _ := m.Take(context.Background(), key, destination.Rate{Count: 30, Per: time.Minute}); w == 0 {
				taken.Add(1)
			}
		})
	}
	wait.Wait()
	if taken.Load() != 30 {
		t.Errorf("%d are let through; want 30", taken.Load())
	}
}

func TestMemoryIsBounded(t *testing.T) {
	at := noon
	m := NewMemory(func() time.Time { return at })
	r := destination.Rate{Count: 1, Per: time.Hour}
	for i := range maxBuckets + 10 {
		k := key
		k.Who = strconv.Itoa(i)
		m.Take(context.Background(), k, r)
		if len(m.buckets) > maxBuckets {
			t.Fatalf("%d buckets", len(m.buckets))
		}
	}
	// What is full goes first, and who has a bucket that is not keeps it.
	m = NewMemory(func() time.Time { return at })
	for i := range maxBuckets - 1 {
		k := key
		k.Who = strconv.Itoa(i)
		m.Take(context.Background(), k, r)
	}
	at = at.Add(time.Hour)
	m.Take(context.Background(), key, r)
	k := key
	k.Who = "the one too many"
	m.Take(context.Background(), k, r)
	if wait, _ := m.Take(context.Background(), key, r); wait == 0 || len(m.buckets) != 2 {
		t.Errorf("wait %v, with %d buckets", wait, len(m.buckets))
	}
}

// A configuration that is read again may have other rates; what was counted counts on.
func TestMemoryWithAnotherRate(t *testing.T) {
	m := NewMemory(func() time.Time { return noon })
	take := func(r destination.Rate) time.Duration {
		wait, err := m.Take(context.Background(), key, r)
		if err != nil {
			t.Fatal(err)
		}
		return wait.Round(time.Millisecond)
	}
	few, many := destination.Rate{Count: 1, Per: time.Minute}, destination.Rate{Count: 10, Per: time.Minute}
	if first, second := take(few), take(few); first != 0 || second != time.Minute {
		t.Errorf("one a minute: %v, %v", first, second)
	}
	if wait := take(many); wait != 6*time.Second {
		t.Errorf("ten a minute from then on: wait %v; want 6s", wait)
	}
	m.now = func() time.Time { return noon.Add(time.Hour) }
	for n := range 10 {
		if wait := take(many); wait != 0 {
			t.Errorf("ten at once, the %dth: wait %v", n+1, wait)
		}
	}
	if wait := take(few); wait == 0 {
		t.Error("one a minute again, and an eleventh is let through")
	}
}
