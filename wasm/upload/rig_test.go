package upload

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/wasm/plan"
	"github.com/chunksign/chunksign/wasm/s3api"
	"github.com/chunksign/chunksign/wasm/sigv4"
)

// rig drives one upload by hand: it answers commands as a test wants them
// answered, on a clock that the test moves.
type rig struct {
	t       *testing.T
	u       *Upload
	now     time.Time
	pending []Command // calls not answered yet, in order
	records []Record
	forgot  bool
	states  []State
	latest  Progress
	end     *Finish
	sends   []Send
	wake    time.Time
	sample  s3api.Digest // what the file's samples hash to, as long as held is false
	held    bool         // Sample waits in pending for its answer
	warned  []Warn
}

var epoch = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func newRig(t *testing.T, size int64) *rig {
	r := &rig{t: t, now: epoch}
	r.u = New(Config{File: File{Name: "f", Size: size}, PartSize: plan.MinPartSize, Seed: 1})
	r.step(Lanes{N: 3})
	return r
}

func (r *rig) step(ev Event) {
	r.t.Helper()
	if r.end != nil {
		if out := r.u.Step(r.now, ev); len(out) != 0 {
			r.t.Fatalf("%T after the end gave %d commands", ev, len(out))
		}
		return
	}
	var samples []uint32
	for _, c := range r.u.Step(r.now, ev) {
		switch c := c.(type) {
		case Persist:
			r.records = append(r.records, c.Record)
		case Forget:
			r.forgot = true
		case Wake:
			r.wake = c.At
		case Warn:
			r.warned = append(r.warned, c)
		case Sample:
			if r.held {
				r.pending = append(r.pending, c)
			} else {
				samples = append(samples, c.ID)
			}
		case Report:
			if len(r.states) == 0 || r.states[len(r.states)-1] != c.Progress.State {
				r.states = append(r.states, c.Progress.State)
			}
			r.latest = c.Progress
		case Finish:
			if r.end != nil {
				r.t.Fatal("finished twice")
			}
			r.end = &c
		case Drop:
			for i, p := range r.pending {
				if commandID(p) == c.ID {
					r.pending = append(r.pending[:i], r.pending[i+1:]...)
					break
				}
			}
		default:
			if s, ok := c.(Send); ok {
				r.sends = append(r.sends, s)
			}
			r.pending = append(r.pending, c)
		}
	}
	for _, id := range samples {
		r.step(Sampled{ID: id, Digest: r.sample})
	}
	if r.end != nil && len(r.pending) > 0 {
		r.t.Fatalf("the end leaves %d calls under way: %T", len(r.pending), r.pending[0])
	}
}

func commandID(c Command) uint32 {
	switch c := c.(type) {
	case Ask:
		return c.ID
	case Renew:
		return c.ID
	case Verify:
		return c.ID
	case Hash:
		return c.ID
	case Sample:
		return c.ID
	case Send:
		return c.ID
	case Multipart:
		return c.ID
	}
	return 0
}

// take removes and returns the oldest pending call for which want holds.
func take[C Command](r *rig, want func(C) bool) C {
	r.t.Helper()
	for i, p := range r.pending {
		if c, ok := p.(C); ok && (want == nil || want(c)) {
			r.pending = append(r.pending[:i], r.pending[i+1:]...)
			return c
		}
	}
	var none C
	r.t.Fatalf("no %T is under way, but %s", none, r.underWay())
	return none
}

func (r *rig) underWay() string {
	var s []string
	for _, p := range r.pending {
		name := strings.TrimPrefix(fmt.Sprintf("%T", p), "upload.")
		if c, ok := p.(Send); ok {
			name += " " + c.Method + " " + c.URL[strings.Index(c.URL, "/k")+2:]
		}
		if c, ok := p.(Multipart); ok {
			name += " " + c.Op
		}
		s = append(s, name)
	}
	return fmt.Sprint(s)
}

func target() s3api.Target {
	return s3api.Target{Endpoint: "http://s3.test", Bucket: "b", Key: "k", Region: "eu-west-1"}
}

func (r *rig) session() Session {
	return Session{Credentials: sigv4.Credentials{AccessKeyID: "ASIA", SecretAccessKey: "s", SessionToken: "t"}, Expires: r.now.Add(time.Hour)}
}

func (r *rig) grant() {
	r.t.Helper()
	r.step(Granted{ID: take[Ask](r, nil).ID, Grant: Grant{Token: "g", Target: target()}, Session: r.session(), ServerTime: r.now})
}

func (r *rig) renew() {
	r.t.Helper()
	r.step(Renewed{ID: take[Renew](r, nil).ID, Session: r.session(), ServerTime: r.now})
}

// digest is what the rig says the bytes at an offset hash to.
func digest(offset int64) s3api.Digest {
	return sha256.Sum256(fmt.Append(nil, offset))
}

func (r *rig) hash() Hash {
	r.t.Helper()
	h := take[Hash](r, nil)
	r.step(Hashed{ID: h.ID, Digest: digest(h.Offset)})
	return h
}

func has(fragment string) func(Send) bool {
	return func(s Send) bool { return strings.Contains(s.Method+" "+s.URL, fragment) }
}

func (r *rig) reply(fragment string, status int, body string) Send {
	r.t.Helper()
	s := take(r, has(fragment))
	r.step(Replied{ID: s.ID, Reply: s3api.Reply{Status: status, ETag: `"e"`, Body: []byte(body)}})
	return s
}

const (
	createdBody   = `<InitiateMultipartUploadResult><UploadId>U</UploadId></InitiateMultipartUploadResult>`
	completedBody = `<CompleteMultipartUploadResult><ETag>"m-1"</ETag></CompleteMultipartUploadResult>`
)

func errorBody(code string) string {
	return "<Error><Code>" + code + "</Code><Message>m</Message></Error>"
}

func (r *rig) created() { r.t.Helper(); r.reply("POST http://s3.test/b/k?uploads=", 200, createdBody) }

// parts hashes and sends everything that is asked for until nothing is.
func (r *rig) parts() {
	r.t.Helper()
	for {
		progressed := false
		for _, p := range r.pending {
			if _, ok := p.(Hash); ok {
				r.hash()
				progressed = true
				break
			}
			if s, ok := p.(Send); ok && s.Part > 0 {
				r.reply("PUT", 200, "")
				progressed = true
				break
			}
		}
		if !progressed {
			return
		}
	}
}

func (r *rig) verified() {
	r.t.Helper()
	r.step(Verified{ID: take[Verify](r, nil).ID, Object: Object{Key: "k", ETag: `"m-1"`}})
}

func (r *rig) wantDone() {
	r.t.Helper()
	if r.end == nil || r.end.Err != nil {
		r.t.Fatalf("end: %+v, under way: %s", r.end, r.underWay())
	}
	if r.latest.State != Done || r.latest.Confirmed != r.latest.Total || r.latest.PartsDone != r.latest.Parts {
		r.t.Fatalf("the last report: %+v", r.latest)
	}
}

func (r *rig) wantFailed(code string) {
	r.t.Helper()
	if r.end == nil || r.end.Err == nil || r.end.Err.Code != code {
		r.t.Fatalf("end: %+v (under way: %s), want %s", r.end, r.underWay(), code)
	}
}

// tick moves the clock to the time that the engine asked to be woken at.
func (r *rig) tick() {
	r.t.Helper()
	if !r.wake.After(r.now) {
		r.t.Fatalf("the engine waits for nothing; under way: %s", r.underWay())
	}
	r.now = r.wake
	r.step(Tick{})
}

// wait ticks until the engine does more than report.
func (r *rig) wait() {
	r.t.Helper()
	for before := r.u.last; r.u.last == before && r.end == nil; {
		r.tick()
	}
}

// waitFor moves the clock from wake to wake until such a call is under way.
func waitFor[C Command](r *rig, want func(C) bool) {
	r.t.Helper()
	for range 100 {
		for _, p := range r.pending {
			if c, ok := p.(C); ok && (want == nil || want(c)) {
				return
			}
		}
		r.wait()
	}
	r.t.Fatalf("the engine wakes for nothing; under way: %s", r.underWay())
}

// reply is a store's good answer to any request.
func reply(s Send) s3api.Reply {
	return s3api.Reply{Status: 200, ETag: `"e"`, Body: []byte(createdBody + completedBody)}
}
