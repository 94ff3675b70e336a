package sim

import (
	"time"

	"github.com/chunksign/chunksign/wasm/codec"
	"github.com/chunksign/chunksign/wasm/upload"
)

// item is a file that a user wants uploaded, through all lives of the page, with
// its place in the journal.
type item struct {
	w     *world
	n     int
	file  *file
	part  int64 // the part size that the user asks for
	job   *job  // in the latest life
	lives int
	tries int // times that the user tried again after an error
	over  bool
	end   *upload.Finish

	recorded *file // the file that the record is of

	durable []byte // the record in the journal, nil for none
	writing int    // counts writes, so that a crash can void those under way
	free    time.Duration
	keys    []string
	made    map[string]bool // what wrote objects for it: upload IDs and PutObjects, in any life
}

// persist writes a record; it is durable a little later, and lost if the page dies before.
func (it *item) persist(r upload.Record) {
	var out codec.Writer
	r.Encode(&out)
	bytes := append([]byte(nil), out.Buf...)
	if it.w.plan.bug == bugBadRecord {
		bytes = bytes[:len(bytes)-1]
	}
	f := it.file
	it.write(func() { it.durable, it.recorded = bytes, f })
}

func (it *item) forget() { it.write(func() { it.durable = nil }) }

func (it *item) write(do func()) {
	w := it.w
	if w.plan.noJournal {
		return
	}
	it.free = max(it.free, w.t) + w.disk.between(w.plan.journalLag/2, w.plan.journalLag)
	turn := it.writing
	w.after(it.free-w.t, func() {
		if turn == it.writing {
			do()
		}
	})
}

func (it *item) loseUnwritten() { it.writing++; it.free = 0 }

// finished decides what the user does about an upload's end.
func (it *item) finished(j *job, f *upload.Finish) {
	w := it.w
	it.end = f
	w.stats.ends(f)
	code := ""
	if f.Err != nil {
		code = f.Err.Code
	}
	var again func(next *job)
	switch {
	case code == "stopped" && w.user.oneIn(4):
	case code == "stopped":
		again = func(*job) {}
	case code == "cancel_unconfirmed" && it.durable != nil && it.tries < 3:
		// The record stays for a sweep.
		again = func(next *job) { next.page.cancel(next) }
	case f.Err != nil && f.Err.Retryable && it.tries < 2:
		again = func(*job) {}
	}
	if again == nil {
		it.over = true
		return
	}
	it.tries++
	wait := w.user.between(10*time.Second, 2*time.Minute)
	if code == "cancel_unconfirmed" {
		wait += max(0, w.plan.healed-w.t)
	}
	w.after(wait, func() {
		if p := w.page; p != nil {
			p.do(func() {
				if it.job == j {
					again(p.begin(it))
				}
			})
		}
		// Without a page the next one begins whatever is not over.
	})
}

func (w *world) unfinished() string {
	left := ""
	for _, it := range w.items {
		if it.over {
			continue
		}
		if left != "" {
			left += ", "
		}
		left += it.describe()
	}
	return left
}
