package upload

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/wasm/codec"
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
	for _, c := range r.u.Step(r.now, ev) {
		switch c := c.(type) {
		case Persist:
			r.records = append(r.records, c.Record)
		case Forget:
			r.forgot = true
		case Wake:
			r.wake = c.At
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
	case Send:
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

// wait moves the clock to the time that the engine asked to be woken at.
func (r *rig) wait() {
	r.t.Helper()
	if !r.wake.After(r.now) {
		r.t.Fatalf("the engine waits for nothing; under way: %s", r.underWay())
	}
	r.now = r.wake
	r.step(Tick{})
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

func TestMultipart(t *testing.T) {
	r := newRig(t, 10*plan.MinPartSize+1)
	r.grant()
	r.created()
	r.parts()
	r.reply("POST http://s3.test/b/k?uploadId=U", 200, completedBody)
	if v := r.pending[0].(Verify); v.Grant != "g" || v.ETag != `"m-1"` {
		t.Errorf("asked the server to look at %+v", v)
	}
	r.verified()
	r.wantDone()
	sent := map[int]int64{}
	for _, s := range r.sends {
		if s.Part > 0 {
			sent[s.Part] += s.Size
		}
	}
	if len(sent) != 11 || sent[1] != plan.MinPartSize || sent[11] != 1 {
		t.Errorf("parts sent: %v", sent)
	}
	if !r.forgot || len(r.records) != 2 || r.records[0].UploadID != "U" || r.records[0].Completed || !r.records[1].Completed {
		t.Errorf("journal: %+v, forgotten: %v", r.records, r.forgot)
	}
	if want := "[1 2 6 8]"; fmt.Sprint(r.states) != want { // preparing, uploading, finishing, done
		t.Errorf("states: %v, want %s", r.states, want)
	}
}

func TestSinglePart(t *testing.T) {
	for _, size := range []int64{0, 1, plan.MinPartSize} {
		r := newRig(t, size)
		r.grant()
		r.hash()
		s := r.reply("PUT http://s3.test/b/k", 200, "")
		if s.Size != size || s.Part != 1 {
			t.Errorf("%d bytes went as %+v", size, s)
		}
		r.verified()
		r.wantDone()
		if len(r.records) != 0 || r.forgot {
			t.Error("a single request needs no record")
		}
	}
}

func TestLanesBoundWhatIsUnderWay(t *testing.T) {
	r := newRig(t, 100*plan.MinPartSize)
	r.grant()
	r.created()
	count := func() (hashes, sends int) {
		for _, p := range r.pending {
			if _, ok := p.(Hash); ok {
				hashes++
			} else {
				sends++
			}
		}
		return
	}
	for range 20 {
		h, s := count()
		if h > 3 || s > 3 || h+s > 3+readAhead {
			t.Fatalf("%d hashes and %d requests with 3 lanes", h, s)
		}
		if h > 0 {
			r.hash()
		} else {
			r.reply("PUT", 200, "")
		}
	}
	r.step(Lanes{N: 1})
	for range 10 {
		r.parts()
	}
	r.step(Tick{})
	if r.latest.PartsDone == 0 {
		t.Error("nothing moved")
	}
}

func TestRetries(t *testing.T) {
	start := func(t *testing.T) *rig {
		r := newRig(t, 2*plan.MinPartSize)
		r.grant()
		r.created()
		r.hash()
		r.hash()
		return r
	}
	finish := func(r *rig) {
		r.t.Helper()
		r.parts()
		r.reply("POST http://s3.test/b/k?uploadId=U", 200, completedBody)
		r.verified()
		r.wantDone()
	}
	for _, c := range []struct {
		name string
		run  func(r *rig)
	}{
		{"503 SlowDown waits and goes again", func(r *rig) {
			r.reply("partNumber=1", 503, errorBody("SlowDown"))
			r.wait()
			finish(r)
		}},
		{"a lost connection goes again", func(r *rig) {
			r.step(Lost{ID: take(r, has("partNumber=1")).ID})
			r.wait()
			finish(r)
		}},
		{"a part that keeps failing fails the upload with the store's word", func(r *rig) {
			r.reply("partNumber=2", 200, "")
			for i := 0; r.end == nil; i++ {
				if i == 100 {
					r.t.Fatal("retries do not end")
				}
				waitFor(r, has("partNumber=1"))
				r.reply("partNumber=1", 500, errorBody("InternalError"))
			}
			r.wantFailed("InternalError")
			if r.end.Err.Part != 1 || !r.end.Err.Retryable || r.forgot {
				r.t.Errorf("%+v, record forgotten: %v", r.end.Err, r.forgot)
			}
		}},
		{"an unknown refusal fails at once", func(r *rig) {
			r.reply("partNumber=1", 400, errorBody("EntityTooSmall"))
			r.wantFailed("EntityTooSmall")
		}},
		{"an ended session is renewed once for both parts", func(r *rig) {
			r.reply("partNumber=1", 400, errorBody("ExpiredToken"))
			r.reply("partNumber=2", 403, errorBody("AccessDenied"))
			waitFor[Renew](r, nil)
			r.renew()
			finish(r)
		}},
		{"a refusal of fresh credentials is final", func(r *rig) {
			r.reply("partNumber=1", 403, errorBody("AccessDenied"))
			waitFor[Renew](r, nil)
			r.renew()
			waitFor(r, has("partNumber=1"))
			r.reply("partNumber=1", 403, errorBody("AccessDenied"))
			r.wantFailed("AccessDenied")
		}},
		{"a skewed clock is learnt from the store", func(r *rig) {
			r.reply("partNumber=1", 403, "<Error><Code>RequestTimeTooSkewed</Code><ServerTime>2027-05-04T12:00:00Z</ServerTime></Error>")
			waitFor[Renew](r, nil)
			// A session that ends within the skew is renewed before the next request.
			r.step(Renewed{ID: take[Renew](r, nil).ID, Session: Session{Expires: r.now.AddDate(1, 0, 0).Add(time.Hour)}, ServerTime: r.now.AddDate(1, 0, 0)})
			s := take(r, has("partNumber=1"))
			if date := param(s.Header, "x-amz-date"); !strings.HasPrefix(date, "20270504T12") {
				r.t.Errorf("signed at %s", date)
			}
		}},
		{"bytes that are not those hashed are hashed again", func(r *rig) {
			r.reply("partNumber=1", 400, errorBody("XAmzContentSHA256Mismatch"))
			r.hash()
			finish(r)
		}},
		{"a file that keeps changing is named", func(r *rig) {
			for range maxStale {
				r.reply("partNumber=1", 400, errorBody("BadDigest"))
				r.hash()
			}
			r.reply("partNumber=1", 400, errorBody("BadDigest"))
			r.wantFailed("file_changed")
		}},
		{"an upload that the store lost begins anew, hashed already", func(r *rig) {
			r.reply("partNumber=1", 404, errorBody("NoSuchUpload"))
			r.created()
			for _, p := range r.pending {
				if _, ok := p.(Hash); ok {
					r.t.Error("a part was hashed again")
				}
			}
			finish(r)
		}},
		{"silence is cut", func(r *rig) {
			r.step(Sent{ID: r.pending[0].(Send).ID, Bytes: 1000})
			before := len(r.sends)
			for len(r.sends) < before+2 {
				r.wait()
			}
			if r.now.Sub(epoch) < 30*time.Second {
				r.t.Errorf("cut after %v", r.now.Sub(epoch))
			}
			finish(r)
		}},
		{"a Complete whose reply was lost and then is unknown is settled by the server", func(r *rig) {
			r.parts()
			r.step(Lost{ID: take(r, has("POST")).ID})
			r.wait()
			r.reply("POST", 404, errorBody("NoSuchUpload"))
			r.verified()
			r.wantDone()
		}},
		{"a Complete with an error in a 200 goes again", func(r *rig) {
			r.parts()
			r.reply("POST", 200, errorBody("InternalError"))
			r.wait()
			finish(r)
		}},
		{"a key that is taken is said", func(r *rig) {
			r.parts()
			r.reply("POST", 412, errorBody("PreconditionFailed"))
			r.wantFailed("key_taken")
		}},
		{"a 412 after a lost Complete is settled by the server", func(r *rig) {
			r.parts()
			r.step(Lost{ID: take(r, has("POST")).ID})
			r.wait()
			r.reply("POST", 412, errorBody("PreconditionFailed"))
			r.verified()
			r.wantDone()
		}},
		{"409 on Complete begins anew", func(r *rig) {
			r.parts()
			r.reply("POST", 409, errorBody("ConditionalRequestConflict"))
			r.created()
			finish(r)
		}},
		{"a server that asks for patience gets it", func(r *rig) {
			r.parts()
			r.reply("POST", 200, completedBody)
			r.step(Refused{ID: take[Verify](r, nil).ID, Error: Error{Code: "webhook_failed", Status: 503}, RetryAfter: 7 * time.Second})
			at := r.now
			r.wait()
			if r.now.Sub(at) != 7*time.Second {
				r.t.Errorf("asked again after %v", r.now.Sub(at))
			}
			r.verified()
			r.wantDone()
		}},
		{"a file that cannot be read is said", func(r *rig) {
			r = newRig(r.t, 9)
			r.grant()
			r.step(Unreadable{ID: take[Hash](r, nil).ID, Message: "gone"})
			r.wantFailed("file_unreadable")
		}},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(start(t)) })
	}
}

func param(ps []sigv4.Param, name string) string {
	for _, p := range ps {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

func TestCredentialsAreRenewedBeforeTheyEnd(t *testing.T) {
	r := newRig(t, 2*plan.MinPartSize)
	r.grant()
	r.created()
	r.now = r.now.Add(time.Hour - renewBefore + time.Second)
	r.hash()
	r.hash()
	if len(r.pending) != 3 { // two parts go on with the old session while the new one is fetched
		t.Fatalf("under way: %s", r.underWay())
	}
	r.renew()
	r.parts()
	r.reply("POST", 200, completedBody)
	r.verified()
	r.wantDone()
}

func TestSignInAgain(t *testing.T) {
	r := newRig(t, 2*plan.MinPartSize)
	r.grant()
	r.created()
	r.now = r.now.Add(2 * time.Hour)
	r.hash()
	r.step(Refused{ID: take[Renew](r, nil).ID, Error: Error{Code: "unauthorized", Status: 401}})
	if r.latest.State != NeedsAuth || r.end != nil {
		t.Fatalf("state %d, end %+v", r.latest.State, r.end)
	}
	r.step(Resume{})
	r.renew()
	r.parts()
	r.reply("POST", 200, completedBody)
	r.verified()
	r.wantDone()
}

func TestPause(t *testing.T) {
	r := newRig(t, 6*plan.MinPartSize)
	r.grant()
	r.created()
	for range 4 {
		r.hash()
	}
	before := len(r.sends)
	r.step(Pause{Force: true})
	if r.latest.State != Paused {
		t.Fatalf("state %d", r.latest.State)
	}
	for _, p := range r.pending {
		if _, ok := p.(Send); ok {
			t.Errorf("force left a request under way: %s", r.underWay())
		}
	}
	r.now = r.now.Add(time.Hour / 2)
	r.step(Tick{})
	r.step(Resume{})
	r.parts()
	r.reply("POST", 200, completedBody)
	r.verified()
	r.wantDone()
	if again := len(r.sends) - before; again != 7 { // six parts and the Complete
		t.Errorf("%d requests after the pause", again)
	}
}

func listBody(sums map[int]s3api.Digest, size int64) string {
	var b strings.Builder
	b.WriteString("<ListPartsResult><IsTruncated>false</IsTruncated>")
	for n := 1; n <= 100; n++ {
		if sum, ok := sums[n]; ok {
			fmt.Fprintf(&b, `<Part><PartNumber>%d</PartNumber><Size>%d</Size><ETag>"l%d"</ETag><ChecksumSHA256>%s</ChecksumSHA256></Part>`, n, size, n, sum.Base64())
		}
	}
	return b.String() + "</ListPartsResult>"
}

func TestRestoreSendsOnlyWhatIsMissing(t *testing.T) {
	r := newRig(t, 6*plan.MinPartSize)
	r.grant()
	r.created()
	var w codec.Writer
	r.records[0].Encode(&w)
	rec, ok := DecodeRecord(w.Buf)
	if !ok {
		t.Fatal("the record does not read back")
	}
	if _, ok := DecodeRecord(w.Buf[:len(w.Buf)-1]); ok {
		t.Error("a record that is cut short was read")
	}
	if strings.Contains(string(w.Buf), "ASIA") {
		t.Error("the record holds credentials")
	}

	u, err := Restore(Config{File: rec.File, Seed: 2}, rec)
	if err != nil {
		t.Fatal(err)
	}
	r = &rig{t: t, now: epoch.Add(24 * time.Hour), u: u}
	r.step(Lanes{N: 3})
	r.renew()
	r.reply("GET", 200, listBody(map[int]s3api.Digest{
		1: digest(0),
		2: digest(plan.MinPartSize),
		3: digest(12345), // other bytes than the file's
		9: digest(0),     // no such part
	}, plan.MinPartSize))
	r.parts()
	r.reply("POST", 200, completedBody)
	r.verified()
	r.wantDone()
	var sent []int
	for _, s := range r.sends {
		if s.Part > 0 {
			sent = append(sent, s.Part)
		}
	}
	if fmt.Sprint(sent) != "[3 4 5 6]" {
		t.Errorf("parts sent after the restart: %v", sent)
	}
	if !r.forgot {
		t.Error("the record was not forgotten")
	}
}

func TestRestoreOfACompletedUploadAsksTheServer(t *testing.T) {
	rec := Record{File: File{Size: 2 * plan.MinPartSize}, Grant: Grant{Token: "g", Target: target()}, UploadID: "U", PartSize: plan.MinPartSize, Completed: true}
	u, _ := Restore(Config{File: rec.File}, rec)
	r := &rig{t: t, now: epoch, u: u}
	r.step(Lanes{N: 2})
	r.step(Refused{ID: take[Verify](r, nil).ID, Error: Error{Code: "object_missing", Status: 404}})
	r.renew()
	r.reply("GET", 200, listBody(nil, 0))
	r.parts()
	r.reply("POST", 200, completedBody)
	r.verified()
	if r.end == nil || r.end.Err != nil {
		t.Fatalf("%+v", r.end)
	}
}

func TestCancel(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(r *rig)
		left bool // the record stays
	}{
		{"before the grant", func(r *rig) { r.step(Cancel{}) }, false},
		{"while the upload is being created", func(r *rig) {
			r.grant()
			r.step(Cancel{})
			r.created()
			r.reply("DELETE", 204, "")
			r.reply("GET", 404, errorBody("NoSuchUpload"))
		}, false},
		{"with parts under way, one of which outlives the abort", func(r *rig) {
			r.grant()
			r.created()
			r.hash()
			r.hash()
			r.step(Cancel{})
			r.reply("DELETE", 204, "")
			r.reply("GET", 200, listBody(map[int]s3api.Digest{1: {}}, 1))
			r.wait()
			r.reply("DELETE", 204, "")
			r.reply("GET", 404, errorBody("NoSuchUpload"))
		}, false},
		{"while paused", func(r *rig) {
			r.grant()
			r.created()
			r.step(Pause{})
			r.step(Cancel{})
			r.reply("DELETE", 404, errorBody("NoSuchUpload"))
			r.reply("GET", 404, errorBody("NoSuchUpload"))
		}, false},
		{"with a store that never confirms", func(r *rig) {
			r.grant()
			r.created()
			r.step(Cancel{})
			for i := 0; r.end == nil; i++ {
				if i > 100 {
					r.t.Fatal("the abort is repeated without end")
				}
				waitFor(r, has("DELETE"))
				r.reply("DELETE", 500, "")
			}
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, 3*plan.MinPartSize)
			c.run(r)
			r.wantFailed(map[bool]string{false: "cancelled", true: "cancel_unconfirmed"}[c.left])
			if r.latest.State != Cancelled {
				t.Errorf("state %d", r.latest.State)
			}
			if len(r.records) > 0 && r.forgot == c.left {
				t.Errorf("the record was forgotten: %v", r.forgot)
			}
		})
	}
}

func TestCancelDuringACompleteTellsTheOutcome(t *testing.T) {
	r := newRig(t, 2*plan.MinPartSize)
	r.grant()
	r.created()
	r.parts()
	r.step(Cancel{})
	r.reply("POST", 200, completedBody)
	r.verified()
	r.wantDone()
}

func TestStopKeepsTheRecord(t *testing.T) {
	r := newRig(t, 2*plan.MinPartSize)
	r.grant()
	r.created()
	r.hash()
	r.step(Stop{})
	r.wantFailed("stopped")
	if r.forgot || len(r.records) == 0 {
		t.Error("the record is gone")
	}
	r.step(Cancel{}) // nothing follows
}

func TestPoolAsksForGrantsJustAheadOfNeed(t *testing.T) {
	p := NewPool(4)
	asks := 0
	count := func(out []Addressed) {
		for _, c := range out {
			if _, ok := c.Command.(Ask); ok {
				asks++
			}
		}
	}
	for range 1000 {
		p.Add(New(Config{File: File{Size: 1}}))
		count(p.Step(epoch, 0, Tick{}))
	}
	if asks != 4 {
		t.Errorf("%d grants were asked for at once", asks)
	}
	count(p.Step(epoch, 1, Stop{}))
	if asks != 5 {
		t.Errorf("%d grants after one upload ended", asks)
	}
}

func TestPoolGivesSpareLanesToWhoCanUseThem(t *testing.T) {
	p := NewPool(4)
	big, small := New(Config{File: File{Size: 100 * plan.MinPartSize}}), New(Config{File: File{Size: 1}})
	p.Add(big)
	p.Add(small)
	p.Step(epoch, 0, Tick{})
	p.Step(epoch, 1, Granted{ID: 1, Grant: Grant{Target: target()}, Session: Session{Expires: epoch.Add(time.Hour)}, ServerTime: epoch})
	if big.lanes != 3 || small.lanes != 1 {
		t.Errorf("lanes: %d and %d", big.lanes, small.lanes)
	}
	p.Step(epoch, 2, Stop{})
	if big.lanes != 4 {
		t.Errorf("lanes after the small one ended: %d", big.lanes)
	}
}

// BenchmarkPart is the engine's cost of a part, which must not grow with their number.
func BenchmarkPart(b *testing.B) {
	for _, parts := range []int64{10, 100, 1000, 10000} {
		b.Run(fmt.Sprint(parts), func(b *testing.B) {
			for b.Loop() {
				u := New(Config{File: File{Size: parts * plan.MinPartSize}, PartSize: plan.MinPartSize})
				var calls []Command
				do := func(ev Event) {
					for _, c := range u.Step(epoch, ev) {
						if commandID(c) != 0 {
							calls = append(calls, c)
						}
					}
				}
				do(Lanes{N: 4})
				for len(calls) > 0 {
					c := calls[0]
					calls = calls[1:]
					switch c := c.(type) {
					case Ask:
						do(Granted{ID: c.ID, Grant: Grant{Target: target()}, Session: Session{Expires: epoch.Add(time.Hour)}, ServerTime: epoch})
					case Hash:
						do(Hashed{ID: c.ID, Digest: s3api.Digest{1}})
					case Verify:
						do(Verified{ID: c.ID})
					case Send:
						do(Replied{ID: c.ID, Reply: s3api.Reply{Status: 200, ETag: `"e"`, Body: []byte(createdBody + completedBody)}})
					}
				}
				if !u.Over() {
					b.Fatal("not over")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(parts), "ns/part")
		})
	}
}
