package upload

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/wasm/plan"
	"github.com/chunksign/chunksign/wasm/s3api"
	"github.com/chunksign/chunksign/wasm/sigv4"
)

// bare gives a rig whose grant has no session, with n parts.
func bare(t *testing.T, n int64) *rig {
	r := newRig(t, n*plan.MinPartSize)
	r.step(Granted{ID: take[Ask](r, nil).ID, Grant: Grant{Token: "g", Target: target(), Presigned: true}, ServerTime: r.now})
	return r
}

func op(name string) func(Multipart) bool { return func(m Multipart) bool { return m.Op == name } }

// tell answers what the server was asked.
func (r *rig) tell(name string, t Told) Multipart {
	r.t.Helper()
	m := take(r, op(name))
	if m.Grant != "g" {
		r.t.Errorf("%s has the grant %q", name, m.Grant)
	}
	t.ID = m.ID
	r.step(t)
	return m
}

func (r *rig) refuse(name string, e Error, wait time.Duration) {
	r.t.Helper()
	r.step(Refused{ID: take(r, op(name)).ID, Error: e, RetryAfter: wait})
}

// sign answers with links for all parts that are asked for, and gives their numbers.
func (r *rig) sign(lasts time.Duration) (parts []int) {
	r.t.Helper()
	t := Told{Lasts: lasts}
	m := take(r, op("parts"))
	t.ID = m.ID
	for _, p := range m.Parts {
		parts = append(parts, p.Number)
		t.Links = append(t.Links, Link{Part: p.Number, URL: fmt.Sprintf("http://s3.test/b/k?signed=%d-%d", p.Number, m.ID),
			Header: []sigv4.Param{{Name: "x-amz-checksum-sha256", Value: p.Digest.Base64()}}})
	}
	r.step(t)
	return parts
}

// through sends all that is asked for until nothing is.
func (r *rig) through() {
	r.t.Helper()
	for before := -1; before != int(r.u.last); {
		before = int(r.u.last)
		r.parts()
		if slices.ContainsFunc(r.pending, func(c Command) bool { m, ok := c.(Multipart); return ok && m.Op == "parts" }) {
			r.sign(time.Hour)
		}
	}
}

// wantBare sees to it that nothing was signed here, nor credentials asked for.
func (r *rig) wantBare() {
	r.t.Helper()
	for _, s := range r.sends {
		if s.Method != "PUT" || s.Part == 0 || !strings.Contains(s.URL, "?signed=") || len(s.Header) != 1 {
			r.t.Errorf("sent: %+v", s)
		}
	}
}

func TestTheServerSigns(t *testing.T) {
	r := bare(t, 5)
	r.tell("create", Told{UploadID: "U"})
	r.through()
	m := r.tell("complete", Told{ETag: `"m-1"`})
	if m.UploadID != "U" || len(m.Parts) != 5 || m.Parts[4].Number != 5 || m.Parts[4].Digest != digest(4*plan.MinPartSize) {
		t.Errorf("complete: %+v", m)
	}
	r.verified()
	r.wantDone()
	r.wantBare()
	if len(r.sends) != 5 {
		t.Errorf("%d requests for parts", len(r.sends))
	}
	if !r.records[0].Grant.Presigned || r.warned != nil {
		t.Errorf("records %+v, warnings %+v", r.records, r.warned)
	}
}

func TestTheServerSignsAPutObject(t *testing.T) {
	r := bare(t, 1)
	r.hash()
	m := take(r, op("parts"))
	if m.UploadID != "" || len(m.Parts) != 1 || m.Parts[0].Size != plan.MinPartSize {
		t.Errorf("asked for %+v", m)
	}
	r.step(Told{ID: m.ID, Lasts: time.Hour, Links: []Link{{Part: 1, URL: "http://s3.test/b/k?signed=", Header: []sigv4.Param{{Name: "if-none-match", Value: "*"}}}}})
	r.parts()
	r.verified()
	r.wantDone()
	r.wantBare()
}

// What is hashed while the server signs goes with the next call, and parts are
// signed for before a lane is free.
func TestLinksAreAskedForInBatches(t *testing.T) {
	r := bare(t, 9)
	r.tell("create", Told{UploadID: "U"})
	r.hash()
	r.hash()
	r.hash()
	if n := len(r.pending); n != 3 { // one call, two hashes ahead
		t.Fatalf("under way: %s", r.underWay())
	}
	r.hash()
	r.hash()
	if got := r.sign(time.Hour); len(got) != 1 {
		t.Errorf("first for %d", got)
	}
	if got := r.sign(time.Hour); len(got) != 4 {
		t.Errorf("then for %d", got)
	}
	if len(r.sends) != 3 {
		t.Errorf("%d parts under way with three lanes", len(r.sends))
	}
}

// A link that is about to end is not used, and one is asked for anew.
func TestLinksAreRenewed(t *testing.T) {
	r := bare(t, 2)
	r.tell("create", Told{UploadID: "U"})
	r.hash()
	r.hash()
	r.sign(10 * time.Minute)
	r.step(Pause{Force: true}) // one was under way
	r.sign(10 * time.Minute)
	r.now = r.now.Add(9*time.Minute + 50*time.Second)
	before := len(r.sends)
	r.step(Resume{})
	if len(r.sends) != before {
		t.Errorf("a link is used that lasts for ten seconds")
	}
	if got := r.sign(10 * time.Minute); len(got) == 0 || len(r.sends) == before {
		t.Errorf("asked for %d, under way: %s", got, r.underWay())
	}
	r.step(Jumped{}) // nobody knows how long
	r.through()
	r.tell("complete", Told{ETag: `"m-1"`})
	r.verified()
	r.wantDone()
}

// Whatever the server's links last, they are tried: asking at every step would
// give none better.
func TestLinksThatEndAtOnceAreTried(t *testing.T) {
	r := bare(t, 2)
	r.tell("create", Told{UploadID: "U"})
	r.hash()
	r.sign(time.Second)
	if len(r.sends) != 1 {
		t.Fatalf("under way: %s", r.underWay())
	}
}

func TestALinkThatTheStoreRefuses(t *testing.T) {
	for _, code := range []string{"AccessDenied", "RequestTimeTooSkewed"} {
		r := bare(t, 2)
		r.tell("create", Told{UploadID: "U"})
		r.hash()
		r.sign(time.Hour)
		r.hash()
		r.reply("signed=1", 403, errorBody(code))
		r.sign(time.Hour) // of the kind that is refused: of no use
		if n := len(r.sends); n != 1 {
			t.Fatalf("%s: %d requests, under way: %s", code, n, r.underWay())
		}
		r.wait()
		if !slices.ContainsFunc(r.pending, func(c Command) bool { m, ok := c.(Multipart); return ok && m.Renew }) {
			t.Errorf("%s: what was refused is not said: %s", code, r.underWay())
		}
		r.sign(time.Hour)
		r.reply("signed=", 403, errorBody(code))
		r.wantFailed(code)
	}
}

func TestTheServerWantsASignIn(t *testing.T) {
	r := bare(t, 2)
	r.refuse("create", Error{Code: "unauthenticated", Status: 401, Message: "no"}, 0)
	if r.latest.State != NeedsAuth {
		t.Fatalf("state %d", r.latest.State)
	}
	r.step(SignedIn{})
	r.tell("create", Told{UploadID: "U"})
	r.hash()
	r.refuse("parts", Error{Code: "unauthenticated", Status: 401, Message: "no"}, 0)
	if r.latest.State != NeedsAuth {
		t.Fatalf("state %d", r.latest.State)
	}
	r.step(SignedIn{})
	r.through()
	r.refuse("complete", Error{Code: "store_unavailable", Status: 503, Message: "later"}, 7*time.Second)
	at := r.now
	waitFor(r, op("complete"))
	if waited := r.now.Sub(at); waited < 7*time.Second {
		t.Errorf("asked again after %v", waited)
	}
	r.tell("complete", Told{ETag: `"m-1"`})
	r.verified()
	r.wantDone()
}

// What the store said to the server is taken as if it had said it here.
func TestTheStoresWordThroughTheServer(t *testing.T) {
	complete := func(t *testing.T) *rig {
		r := bare(t, 2)
		r.tell("create", Told{UploadID: "U"})
		r.through()
		return r
	}
	r := complete(t)
	r.refuse("complete", Error{Code: "key_taken", Status: 409, Message: "m"}, 0)
	r.wantFailed("key_taken")

	r = complete(t)
	r.step(Lost{ID: take(r, op("complete")).ID})
	waitFor(r, op("complete"))
	r.refuse("complete", Error{Code: "upload_missing", Status: 404, Message: "m"}, 0)
	r.verified()
	r.wantDone()

	r = complete(t)
	r.refuse("complete", Error{Code: "parts_refused", Status: 422, Message: "m"}, 0)
	r.tell("list", Told{Parts: []s3api.ListedPart{{PartNumber: 2, Size: plan.MinPartSize, ETag: `"e"`, Checksum: digest(plan.MinPartSize), HasSum: true}}})
	r.through()
	if s := r.sends[len(r.sends)-1]; s.Part != 1 || len(r.sends) != 3 {
		t.Errorf("part %d, %d requests", s.Part, len(r.sends))
	}
	r.tell("complete", Told{ETag: `"m-1"`})
	r.verified()
	r.wantDone()

	r = complete(t)
	r.refuse("complete", Error{Code: "write_conflict", Status: 409, Message: "m"}, 0)
	r.tell("abort", Told{Gone: true})
	r.tell("create", Told{UploadID: "V"})
	r.through()
	if m := r.tell("complete", Told{ETag: `"m-1"`}); m.UploadID != "V" {
		t.Errorf("completed %+v", m)
	}
	r.verified()
	r.wantDone()

	r = bare(t, 2)
	r.refuse("create", Error{Code: "already_complete", Status: 409, Message: "m"}, 0)
	r.wantFailed("key_taken")
}

func TestTheServerAborts(t *testing.T) {
	r := bare(t, 2)
	r.tell("create", Told{UploadID: "U"})
	r.hash()
	r.step(Cancel{})
	r.tell("abort", Told{})
	waitFor(r, op("abort"))
	r.tell("abort", Told{Gone: true})
	r.wantFailed("cancelled")
}

func TestGoingOnWhereTheServerSigns(t *testing.T) {
	r := bare(t, 3)
	r.tell("create", Told{UploadID: "U"})
	r.hash()
	r.sign(time.Hour)
	record := r.records[len(r.records)-1]

	r = &rig{t: t, now: epoch.Add(time.Hour)}
	var err error
	if r.u, err = Restore(Config{File: record.File, Seed: 2}, record); err != nil {
		t.Fatal(err)
	}
	r.step(Lanes{N: 3})
	r.step(Renewed{ID: take[Renew](r, nil).ID, ServerTime: r.now})
	r.tell("list", Told{Next: 1, Parts: []s3api.ListedPart{{PartNumber: 1, Size: plan.MinPartSize, ETag: `"e"`, Checksum: digest(0), HasSum: true}}})
	if m := r.tell("list", Told{}); m.After != 1 || m.UploadID != "U" {
		t.Errorf("list: %+v", m)
	}
	r.through()
	if len(r.sends) != 2 {
		t.Errorf("%d parts are sent", len(r.sends))
	}
	r.tell("complete", Told{ETag: `"m-1"`})
	r.verified()
	r.wantDone()
	r.wantBare()
}

// As a signature does: what failed is signed anew, with what is known by then.
func TestALinkServesOneTry(t *testing.T) {
	r := bare(t, 2)
	r.tell("create", Told{UploadID: "U"})
	r.hash()
	r.sign(time.Hour)
	r.reply("signed=1", 500, "")
	waitFor(r, op("parts"))
	if len(r.sends) != 1 {
		t.Errorf("sent again by the same link: %s", r.underWay())
	}
	r.through()
	r.tell("complete", Told{ETag: `"m-1"`})
	r.verified()
	r.wantDone()
}
