package upload

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/wasm/codec"
	"github.com/chunksign/chunksign/wasm/plan"
	"github.com/chunksign/chunksign/wasm/s3api"
)

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

func TestPause(t *testing.T) {
	r := newRig(t, 6*plan.MinPartSize)
	r.grant()
	r.created()
	for range 5 {
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
		{"with a part under way whose bytes have all left", func(r *rig) {
			r.grant()
			r.created()
			r.hash()
			r.hash()
			whole, half := r.pending[len(r.pending)-2].(Send), r.pending[len(r.pending)-1].(Send)
			r.step(Sent{ID: whole.ID, Bytes: whole.Size})
			r.step(Sent{ID: half.ID, Bytes: half.Size / 2})
			r.step(Cancel{})
			if len(r.pending) != 1 || r.latest.State != Cancelling {
				r.t.Fatalf("state %d, under way: %s", r.latest.State, r.underWay())
			}
			r.step(Replied{ID: take[Send](r, nil).ID, Reply: s3api.Reply{Status: 200, ETag: `"e"`}})
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

func TestCancelOfASinglePartTellsTheOutcome(t *testing.T) {
	for _, c := range []struct {
		sent, status int
		end          string
	}{{1, 200, "done"}, {1, 503, "cancelled"}, {0, 0, "cancelled"}} {
		r := newRig(t, 1)
		r.grant()
		r.hash()
		r.step(Sent{ID: r.pending[0].(Send).ID, Bytes: int64(c.sent)})
		r.step(Cancel{})
		if c.status != 0 {
			r.reply("PUT", c.status, "")
		}
		if c.end == "done" {
			r.verified()
			r.wantDone()
		} else {
			r.wantFailed(c.end)
		}
	}
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
