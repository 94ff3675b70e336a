package upload

import (
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/wasm/plan"
	"github.com/chunksign/chunksign/wasm/s3api"
	"github.com/chunksign/chunksign/wasm/sigv4"
)

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
		{"bytes that something on the way keeps changing are named", func(r *rig) {
			for range maxStale {
				r.reply("partNumber=1", 400, errorBody("BadDigest"))
				r.hash()
			}
			r.reply("partNumber=1", 400, errorBody("BadDigest"))
			r.wantFailed("bytes_damaged")
		}},
		{"a part whose bytes are others when read again is a changed file", func(r *rig) {
			r.reply("partNumber=1", 400, errorBody("BadDigest"))
			r.step(Hashed{ID: take[Hash](r, nil).ID, Digest: s3api.Digest{1}})
			r.wantFailed("file_changed")
		}},
		{"a part lost twice is read again, for a browser does not say that it could not", func(r *rig) {
			for range 2 {
				r.step(Lost{ID: take(r, has("partNumber=1")).ID})
				r.wait()
			}
			r.step(Unreadable{ID: take[Hash](r, nil).ID, Message: "gone"})
			r.wantFailed("file_unreadable")
		}},
		{"a file that is another before Complete is not completed", func(r *rig) {
			r.sample = s3api.Digest{1}
			r.parts()
			r.wantFailed("file_changed")
			for _, s := range r.sends {
				if strings.Contains(string(s.Body), "CompleteMultipartUpload") {
					r.t.Error("it was completed")
				}
			}
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
			r.reply("DELETE", 204, "")
			r.reply("GET", 404, errorBody("NoSuchUpload"))
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
		{"a reading that never ends is begun again", func(r *rig) {
			r = newRig(r.t, 2*plan.MinPartSize)
			r.grant()
			r.created()
			lost := take[Hash](r, nil)
			r.hash()
			r.parts()
			waitFor(r, func(h Hash) bool { return h.Offset == lost.Offset && h.ID != lost.ID })
			if waited := r.now.Sub(epoch); waited < time.Minute {
				r.t.Errorf("it had %v", waited)
			}
			finish(r)
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
	r.u.session.Expires = r.now.Add(renewBefore + 30*time.Second)
	r.now = r.now.Add(31 * time.Second)
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

// A timer that fires too early is asked for again: clocks are coarser than waits.
func TestAnEarlyTickIsNotTheLast(t *testing.T) {
	r := newRig(t, 2*plan.MinPartSize)
	r.grant()
	r.reply("POST", 503, errorBody("SlowDown"))
	for range 3 {
		due := r.wake
		r.now = due.Add(-time.Microsecond)
		r.wake = time.Time{}
		r.step(Tick{})
		if !r.wake.After(r.now) {
			t.Fatal("nothing wakes the engine any more")
		}
		for _, p := range r.pending {
			if _, ok := p.(Send); ok {
				return
			}
		}
		r.now = due.Add(-time.Microsecond)
	}
	r.wait()
	r.created()
}

func TestSignInAgain(t *testing.T) {
	r := newRig(t, 2*plan.MinPartSize)
	r.grant()
	r.created()
	r.u.session.Expires = r.now.Add(30 * time.Second)
	r.now = r.now.Add(31 * time.Second)
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
