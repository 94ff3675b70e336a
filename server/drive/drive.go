// Package drive runs the upload engine natively: it gives the engine events and
// carries out the commands that come back, with net/http, the file system and
// timers. It decides nothing about an upload that the engine can decide.
//
//	Run (this file)  one goroutine owns the engine's pool and reads what happened from a channel
//	carry.go         a command becomes a request, a reading, a record, a timer
//	server.go        Ask, Renew and Verify: the chunksign server's JSON
//	store.go         Send: the signed requests to the store
//	file.go          Hash and Sample, and whether the file is still the same
//	journal.go       Persist and Forget: the records of unfinished uploads, and whose they are
//	clock.go         a monotonic time, and when the clock on the wall has left it
//
// Where a browser would wait for a sign-in there is nobody to sign in here: such an
// upload ends, its record is kept, and Result.NeedsAuth says so.
package drive

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/chunksign/chunksign/wasm/upload"
)

// Server is a chunksign server and one of its destinations.
type Server struct {
	URL         string // "https://uploads.example.com", with no slash at its end
	Destination string
	// Token gives the bearer token, before every call and once more after a 401;
	// nil for none. Its error ends the call as 401 token_failed.
	Token func() (string, error)
}

// Config is what a Run works with.
type Config struct {
	Concurrency int           // the most requests for parts at once; 0 for 4
	Rate        int64         // bytes a second over all uploads; 0 for no bound
	PartSize    int64         // bytes; 0 for the engine's default
	Stall       time.Duration // a part whose bytes stand still for so long is sent again; 0 for the engine's
	GiveUp      time.Duration // what fails for so long ends its upload; 0 for the engine's
	Journal     *Journal      // nil keeps no records: an interrupted upload cannot go on
	UserAgent   string
}

// Job is one file to upload, or one unfinished upload to discard.
type Job struct {
	Server Server
	File   File
	Fresh  bool // begin anew though there is a record; that one stays

	// Discard is the ID of a record whose upload is to be cancelled at the
	// store. Its file is not read; Server's URL and Destination are the record's.
	Discard string
}

// Result is how a job ended.
type Result struct {
	Object upload.Object // where Err is nil
	Err    *upload.Error
	// Kept says that there is a record, and that the same Job goes on with it.
	Kept bool
	// NeedsAuth says that the server did not take the sign-in, or no longer.
	NeedsAuth bool
}

// Watcher hears of a Run's jobs, by their place in the list, on the goroutine
// that Run was called on. What it does holds the uploads up.
type Watcher interface {
	// Resumed comes before anything else of a job that goes on with a record.
	Resumed(job int, r upload.Record)
	// Progress comes ten times a second at most for each job, and whenever the
	// state changes.
	Progress(job int, p upload.Progress)
	// Warned is about what does not end the upload. job is -1 for all jobs.
	Warned(job int, code, message string)
	// Ended comes once for each job, last.
	Ended(job int, r Result)
}

// Codes of errors and warnings beside the engine's and the server's.
const (
	CodeHeld       = "in_other_process" // another process works on this file's upload
	CodeNoRecord   = "no_record"        // the record to discard is gone
	CodeNeedsAuth  = "needs_auth"       // the server did not give a reason of its own
	CodeUnreadable = "file_unreadable"
	CodeJournal    = "journal" // a warning: the journal failed, the upload goes on without
	CodeExpired    = "expired" // also a warning: the server no longer takes a record's grant
)

// inPool bounds how many jobs the engine has at once, and with them open files and locks.
const inPool = 64

// Run carries out jobs and returns once all have ended. When ctx ends it stops
// those that have not: what the store has and the records are kept.
func Run(ctx context.Context, c Config, jobs []Job, w Watcher) []Result {
	if c.Concurrency == 0 {
		c.Concurrency = 4
	}
	l := &loop{
		config: c, jobs: jobs, watch: w,
		pool:    upload.NewPool(c.Concurrency),
		clock:   newClock(time.Now()),
		store:   storeClient(c.Concurrency),
		server:  serverClient(),
		events:  make(chan message, 64),
		done:    make(chan struct{}),
		runs:    map[uint32]*run{},
		results: make([]Result, len(jobs)),
	}
	l.pool.SetRate(c.Rate)
	l.life, l.end = context.WithCancel(context.Background())
	l.run(ctx)
	close(l.done)
	l.end()
	l.working.Wait()
	l.poolWake.stop()
	l.store.CloseIdleConnections()
	l.server.CloseIdleConnections()
	return l.results
}

// message is an event for an upload of the pool, 0 for all.
type message struct {
	upload uint32
	ev     upload.Event
}

// loop is a Run. Everything in it but events, done, life and working belongs to
// the goroutine that called Run.
type loop struct {
	config  Config
	jobs    []Job
	watch   Watcher
	pool    *upload.Pool
	clock   clock
	store   *http.Client
	server  *http.Client
	results []Result

	next     int             // the first job that was not begun
	runs     map[uint32]*run // by the pool's number
	pending  []message       // of the loop to itself
	poolWake timer
	stopped  bool

	events  chan message
	done    chan struct{} // closed when nobody reads events any more
	life    context.Context
	end     context.CancelFunc
	working sync.WaitGroup
}

// run is a job that the pool has.
type run struct {
	number uint32
	job    int
	source *source // nil where the job is to discard
	server *calls
	held   *Held // nil without a journal
	calls  map[uint32]context.CancelFunc
	wake   timer

	cause     string        // of the last lost call, in the operating system's words
	gone      bool          // the server said that the grant is none, or none any more
	needsAuth *upload.Error // why the upload was stopped, where that is a sign-in
}

func (l *loop) run(ctx context.Context) {
	l.begin()
	stop := ctx.Done()
	for len(l.runs) > 0 || len(l.pending) > 0 {
		for len(l.pending) > 0 {
			m := l.pending[0]
			l.pending = l.pending[1:]
			l.step(m)
		}
		if len(l.runs) == 0 {
			break
		}
		select {
		case m := <-l.events:
			l.step(m)
		case <-stop:
			stop = nil
			l.stopped = true
			l.step(message{0, upload.Stop{}})
		}
		l.begin()
	}
	for ; l.next < len(l.jobs); l.next++ {
		l.ended(l.next, Result{Err: &upload.Error{Code: "stopped", Message: "the upload was stopped before it began"}})
	}
}

// begin gives the pool more jobs while it has room.
func (l *loop) begin() {
	for !l.stopped && len(l.runs) < inPool && l.next < len(l.jobs) {
		job := l.next
		l.next++
		if err := l.start(job); err != nil {
			l.ended(job, Result{Err: err})
		}
	}
}

// start puts a job into the pool, restored where there is a record.
func (l *loop) start(job int) *upload.Error {
	j := &l.jobs[job]
	r := &run{job: job, calls: map[uint32]context.CancelFunc{}}
	c := upload.Config{
		File:     upload.File{Name: j.File.Name, Type: j.File.Type, Size: j.File.Size, Modified: j.File.Modified.UnixMilli()},
		PartSize: l.config.PartSize, Seed: rand.Uint64(), Stall: l.config.Stall, GiveUp: l.config.GiveUp,
	}
	if l.config.Journal != nil {
		if err := l.take(job, r); err != nil {
			return err
		}
	}
	var u *upload.Upload
	first := upload.Event(upload.Tick{})
	if r.held != nil && r.held.Record != nil {
		if j.Discard != "" {
			c.File = r.held.Record.File
			first = upload.Cancel{}
		}
		var err error
		if u, err = upload.Restore(c, *r.held.Record); err != nil {
			r.held.Release()
			return &upload.Error{Code: "record_unusable", Message: "the record of the unfinished upload cannot be used (" + err.Error() + "); give it up with -discard, or begin anew with -no-resume"}
		}
		if j.Discard == "" {
			l.watch.Resumed(job, *r.held.Record)
		}
	} else {
		u = upload.New(c)
	}
	if j.Discard == "" {
		r.source = &source{file: j.File}
	}
	r.server = &calls{client: l.server, server: j.Server, agent: l.config.UserAgent}
	r.number = l.pool.Add(u)
	l.runs[r.number] = r
	l.pending = append(l.pending, message{r.number, first})
	return nil
}

// step gives the engine an event and carries out what it says.
func (l *loop) step(m message) {
	r := l.runs[m.upload]
	switch e := m.ev.(type) {
	case lost:
		m.ev = e.Lost
		if r != nil {
			r.cause = e.cause
		}
	case upload.Refused:
		if r != nil && (e.Error.Code == "grant_expired" || e.Error.Code == "grant_invalid") {
			r.gone = true
		}
	}
	now, jumped := l.clock.read(time.Now())
	if jumped {
		l.carryOut(l.pool.Step(now, 0, upload.Jumped{}))
	}
	l.carryOut(l.pool.Step(now, m.upload, m.ev))
}

func (l *loop) ended(job int, r Result) {
	l.results[job] = r
	l.watch.Ended(job, r)
}

// post brings an event to the loop, from any goroutine.
func (l *loop) post(m message) {
	select {
	case l.events <- m:
	case <-l.done:
	}
}
