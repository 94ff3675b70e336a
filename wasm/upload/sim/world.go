package sim

import (
	"container/heap"
	"time"
)

// epoch is when a world begins, by its own true time.
var epoch = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// world is one seed's: a store, a server, and users whose pages upload files
// over a network, on a queue of what happens next. Nothing waits: time is that
// of the next event.
type world struct {
	seed  uint64
	plan  scenario
	t     time.Duration // true time since epoch
	queue events
	order uint64

	store  *store
	server *server
	items  []*item
	page   *page // the one that lives, nil between two lives

	net, user, disk *random
	log             *log
	stats           Result
	violation       string
}

type event struct {
	at    time.Duration
	order uint64 // of two at one time, the one that was planned first
	do    func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(event)) }
func (q *events) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = event{}
	*q = (*q)[:last]
	return e
}

func (w *world) now() time.Time { return epoch.Add(w.t) }

// after plans something.
func (w *world) after(d time.Duration, do func()) {
	w.order++
	heap.Push(&w.queue, event{at: w.t + max(d, 0), order: w.order, do: do})
}

// run lets everything happen until nothing is left to happen, something is
// wrong, or it takes too long.
func (w *world) run() {
	for len(w.queue) > 0 && w.violation == "" {
		e := heap.Pop(&w.queue).(event)
		w.t = e.at
		if w.t > w.plan.deadline && w.unfinished() != "" {
			w.violate("time: an upload is not over %s after all faults ended (%s)", w.plan.deadline-w.plan.healed, w.unfinished())
			return
		}
		e.do()
		if w.stats.Steps > w.plan.maxSteps {
			w.violate("steps: %d are not enough (%s)", w.stats.Steps, w.unfinished())
		}
	}
	if w.violation != "" {
		return
	}
	if left := w.unfinished(); left != "" {
		w.violate("wake: nothing will ever happen again, and there are unfinished uploads (%s)", left)
	}
}
