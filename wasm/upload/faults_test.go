package upload

import (
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/wasm/plan"
	"github.com/chunksign/chunksign/wasm/s3api"
	"github.com/chunksign/chunksign/wasm/sha256"
)

// ready gives a rig of n parts that are hashed and, as far as lanes go, under way.
func ready(t *testing.T, n int64) *rig {
	r := newRig(t, n*plan.MinPartSize)
	r.grant()
	r.created()
	for range min(n, 3) {
		r.hash()
	}
	return r
}

func (r *rig) complete() {
	r.t.Helper()
	r.parts()
	r.reply("POST http://s3.test/b/k?uploadId=U", 200, completedBody)
	r.verified()
	r.wantDone()
}

func (r *rig) loseAll() {
	for _, c := range append([]Command(nil), r.pending...) {
		if s, ok := c.(Send); ok && r.end == nil {
			r.step(Lost{ID: take(r, func(o Send) bool { return o.ID == s.ID }).ID})
		}
	}
}

// Retries are bounded by the time in which nothing succeeds, not by tries alone.
func TestRetriesEndAfterGiveUp(t *testing.T) {
	r := ready(t, 2)
	r.reply("partNumber=1", 200, "")
	for r.end == nil {
		r.loseAll()
		if r.end == nil {
			r.wait()
			for _, p := range r.pending {
				if _, ok := p.(Hash); ok {
					r.hash()
				}
			}
		}
		if r.now.Sub(epoch) > 2*defaultGiveUp {
			t.Fatal("retries do not end")
		}
	}
	r.wantFailed("network")
	if lasted := r.now.Sub(epoch); lasted < defaultGiveUp {
		t.Errorf("given up after %v", lasted)
	}
}

// A store that never answered is given up sooner: no page can reach it.
func TestAStoreThatNeverAnsweredIsGivenUpSooner(t *testing.T) {
	r := newRig(t, 2*plan.MinPartSize)
	r.grant()
	r.parts()
	for r.end == nil {
		r.step(Lost{ID: take(r, has("POST")).ID})
		if r.end == nil {
			r.wait()
		}
	}
	r.wantFailed("network")
	if lasted := r.now.Sub(epoch); lasted > defaultGiveUp/2 {
		t.Errorf("given up after %v", lasted)
	}
}

// Being offline spends no tries, however long it lasts.
func TestOfflineSpendsNoTries(t *testing.T) {
	r := ready(t, 2)
	for range 3 * maxLost {
		r.renewIfAsked()
		r.step(Offline{})
		r.loseAll()
		r.now = r.now.Add(time.Minute)
		r.step(Online{})
		for _, p := range append([]Command(nil), r.pending...) {
			if _, ok := p.(Hash); ok {
				r.hash()
			}
		}
	}
	if r.end != nil {
		t.Fatalf("%+v", r.end)
	}
	r.renewIfAsked()
	r.complete()
}

func (r *rig) renewIfAsked() {
	for _, p := range r.pending {
		if _, ok := p.(Renew); ok {
			r.renew()
			return
		}
	}
}

// What is tried again is said, with when, and no longer once it succeeds.
func TestTroubleIsReported(t *testing.T) {
	r := ready(t, 2)
	r.reply("partNumber=2", 200, "")
	r.reply("partNumber=1", 503, errorBody("SlowDown"))
	if tr := r.latest.Trouble; tr.Code != "SlowDown" || !r.latest.RetryAt.After(r.now) || r.latest.Waiting != 1 {
		t.Fatalf("%+v", r.latest)
	}
	r.wait()
	r.held = true
	r.reply("partNumber=1", 200, "")
	if r.latest.Trouble.Code != "" || !r.latest.RetryAt.IsZero() {
		t.Errorf("%+v", r.latest)
	}
}

// The last of a row of events is reported, if only a little later.
func TestTheLastReportIsTrue(t *testing.T) {
	r := ready(t, 3)
	r.reply("partNumber=1", 200, "")
	r.reply("partNumber=2", 200, "")
	r.tick()
	if r.latest.PartsDone != 2 || r.latest.Sending != 1 {
		t.Errorf("%+v", r.latest)
	}
}

// After the clock jumped nothing is signed before the server's clock is known again.
func TestAJumpOfTheClockRenews(t *testing.T) {
	r := ready(t, 4)
	r.step(Jumped{})
	r.reply("partNumber=1", 200, "")
	for _, p := range r.pending {
		if s, ok := p.(Send); ok && s.Part == 4 {
			t.Error("signed with what was known before the jump")
		}
	}
	r.step(Renewed{ID: take[Renew](r, nil).ID, Session: r.session(), ServerTime: r.now.Add(-24 * time.Hour)})
	r.parts()
	if s := r.sends[len(r.sends)-1]; !strings.HasPrefix(param(s.Header, "x-amz-date"), "20260503T") {
		t.Errorf("signed at %s", param(s.Header, "x-amz-date"))
	}
}

// A store that says that the clock is wrong, and not what time it is, leaves it to the server.
func TestAStoreThatDoesNotTellItsTime(t *testing.T) {
	r := ready(t, 2)
	r.reply("partNumber=1", 403, errorBody("RequestTimeTooSkewed"))
	r.reply("partNumber=2", 403, errorBody("RequestTimeTooSkewed"))
	waitFor[Renew](r, nil)
	r.step(Renewed{ID: take[Renew](r, nil).ID, Session: Session{Expires: r.now.Add(24 * time.Hour)}, ServerTime: r.now.Add(-24 * time.Hour)})
	waitFor(r, has("PUT"))
	if s := r.sends[len(r.sends)-1]; !strings.HasPrefix(param(s.Header, "x-amz-date"), "20260503T") {
		t.Errorf("signed at %s", param(s.Header, "x-amz-date"))
	}
	r.complete()
}

// A sleep in which nothing moved cuts no request.
func TestAJumpOfTheClockStallsNothing(t *testing.T) {
	r := ready(t, 2)
	r.now = r.now.Add(29 * time.Second)
	r.step(Jumped{})
	r.now = r.now.Add(29 * time.Second)
	r.step(Tick{})
	r.renew()
	r.complete()
	if len(r.sends) != 4 { // Create, two parts, Complete
		t.Errorf("%d requests", len(r.sends))
	}
}

func TestAStallIsCutAfterItsTime(t *testing.T) {
	r := ready(t, 2)
	r.u.cfg.Stall = 3 * time.Second
	stalled := take(r, has("partNumber=1"))
	r.reply("partNumber=2", 200, "")
	waitFor(r, has("partNumber=1"))
	if waited := r.now.Sub(epoch); waited < 3*time.Second || waited > 4*time.Second+backoffBase {
		t.Errorf("sent again after %v", waited)
	}
	if take(r, has("partNumber=1")).ID == stalled.ID {
		t.Error("the same request")
	}
}

// Where the page may not read ETag, ListParts tells them, page by page.
func TestETagsThatThePageMayNotRead(t *testing.T) {
	r := newRig(t, 3*plan.MinPartSize)
	r.u.cfg.Origin = "https://app.example"
	r.grant()
	r.created()
	for range 3 {
		r.hash()
	}
	for range 3 {
		s := take(r, has("PUT"))
		r.step(Replied{ID: s.ID, Reply: s3api.Reply{Status: 200}})
	}
	if len(r.warned) != 1 || r.warned[0].Code != "etag_not_exposed" || !strings.Contains(r.warned[0].Message, `"AllowedOrigins":["https://app.example"]`) {
		t.Fatalf("warned: %+v", r.warned)
	}
	sums := map[int]s3api.Digest{1: digest(0), 2: digest(plan.MinPartSize), 3: digest(2 * plan.MinPartSize)}
	first := strings.Replace(listBody(map[int]s3api.Digest{1: sums[1], 2: sums[2]}, plan.MinPartSize), "<IsTruncated>false", "<NextPartNumberMarker>2</NextPartNumberMarker><IsTruncated>true", 1)
	r.reply("GET", 200, first)
	r.reply("part-number-marker=2", 200, listBody(map[int]s3api.Digest{3: sums[3]}, plan.MinPartSize))
	s := r.reply("POST", 200, completedBody)
	for _, etag := range []string{"l1", "l2", "l3"} {
		if !strings.Contains(string(s.Body), etag) {
			t.Errorf("%s is not in %s", etag, s.Body)
		}
	}
	r.verified()
	r.wantDone()
}

// A part that the store took and does not list is sent again.
func TestAPartThatTheStoreDoesNotListIsSentAgain(t *testing.T) {
	r := ready(t, 2)
	for range 2 {
		r.step(Replied{ID: take(r, has("PUT")).ID, Reply: s3api.Reply{Status: 200}})
	}
	r.reply("GET", 200, listBody(map[int]s3api.Digest{1: digest(0)}, plan.MinPartSize))
	r.step(Replied{ID: take(r, has("partNumber=2")).ID, Reply: s3api.Reply{Status: 200}})
	r.reply("GET", 200, listBody(map[int]s3api.Digest{1: digest(0), 2: digest(plan.MinPartSize)}, plan.MinPartSize))
	r.reply("POST", 200, completedBody)
	r.verified()
	r.wantDone()
}

func existence(t *testing.T, parts int64) *rig {
	r := newRig(t, parts*plan.MinPartSize)
	r.step(Granted{ID: take[Ask](r, nil).ID, Grant: Grant{Token: "g", Target: target(), Existence: true}, Session: r.session(), ServerTime: r.now})
	for range parts {
		r.hash()
	}
	return r
}

func TestBytesThatAreThereAreNotSentAgain(t *testing.T) {
	r := existence(t, 7)
	ask := take[Ask](r, nil)
	h := sha256.New()
	for i := range int64(7) {
		d := digest(i * plan.MinPartSize)
		h.Write(d[:])
	}
	if want := s3api.Digest(h.Sum()).Base64() + "-7"; ask.Checksum != want || ask.PartSize != plan.MinPartSize {
		t.Fatalf("%+v, want %s", ask, want)
	}
	r.step(Exists{ID: ask.ID, Object: Object{Key: "k"}})
	r.wantDone()
	if len(r.sends) != 0 {
		t.Errorf("%d requests", len(r.sends))
	}
}

func TestBytesThatAreNotThereAreSentAndNotHashedAgain(t *testing.T) {
	r := existence(t, 7)
	r.grant()
	r.created()
	for _, p := range r.pending {
		if _, ok := p.(Hash); ok {
			t.Fatal("a part is hashed again")
		}
	}
	r.complete()
}

// Another file of the same name and size is noticed, and the Record stays.
func TestAnotherFileIsNoticed(t *testing.T) {
	r := ready(t, 2)
	u, err := Restore(Config{File: r.u.cfg.File, PartSize: plan.MinPartSize}, r.records[0])
	if err != nil {
		t.Fatal(err)
	}
	again := &rig{t: t, u: u, now: r.now, sample: s3api.Digest{1}}
	again.step(Lanes{N: 3})
	again.wantFailed("different_file")
	if again.forgot {
		t.Error("the record was forgotten")
	}
}

// A sign-in that was lost pauses uploads, those not begun too, and a grant that
// has expired is given up only after the user has signed in again.
func TestNeedsAuth(t *testing.T) {
	expired := Error{Code: "grant_expired", Status: 410}
	r := ready(t, 2)
	r.step(Jumped{})
	r.step(Refused{ID: take[Renew](r, nil).ID, Error: expired})
	if r.latest.State != NeedsAuth || r.latest.Trouble.Code != "grant_expired" {
		t.Fatalf("%+v", r.latest)
	}
	r.step(SignedIn{})
	r.step(Refused{ID: take[Renew](r, nil).ID, Error: expired})
	r.wantFailed("grant_expired")
	if r.forgot {
		t.Error("the record was forgotten")
	}

	p := NewPool(1)
	for range 2 {
		p.Add(New(Config{File: File{Size: 1}}))
	}
	refused := Refused{ID: 1, Error: Error{Code: "unauthenticated", Status: 401}}
	p.Step(epoch, 0, Tick{})
	p.Step(epoch, 1, Granted{ID: 1, Grant: Grant{Target: target()}, Session: Session{Expires: epoch.Add(time.Hour)}, ServerTime: epoch})
	p.Step(epoch, 1, Stop{})
	p.Step(epoch, 2, refused)
	if second := p.uploads[0].upload; !second.needsAuth || second.Over() {
		t.Error("a lost sign-in ends what had not begun")
	}
}

// What an earlier life may have completed is read before it is taken for its own:
// somebody else may have written the key.
func TestAnObjectThatNothingElseTellsOfIsCompared(t *testing.T) {
	sum := s3api.Digest(func() [32]byte {
		h := sha256.New()
		for i := range int64(7) {
			d := digest(i * plan.MinPartSize)
			h.Write(d[:])
		}
		return h.Sum()
	}()).Base64() + "-7"
	rec := Record{File: File{Size: 7 * plan.MinPartSize}, Grant: Grant{Token: "g", Target: target()}, UploadID: "U", PartSize: plan.MinPartSize, Completed: true}
	for checksum, code := range map[string]string{"SHA256:" + sum: "", "SHA256:" + digest(1).Base64() + "-7": "object_replaced", "": ""} {
		u, err := Restore(Config{File: rec.File}, rec)
		if err != nil {
			t.Fatal(err)
		}
		r := &rig{t: t, now: epoch, u: u}
		r.step(Lanes{N: 2})
		r.step(Verified{ID: take[Verify](r, nil).ID, Object: Object{Key: "k", Checksum: checksum}})
		for len(r.pending) > 0 {
			r.hash()
		}
		if code == "" {
			r.wantDone()
		} else {
			r.wantFailed(code)
		}
	}
}
