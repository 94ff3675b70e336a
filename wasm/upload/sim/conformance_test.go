package sim

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

// shop is a store under test: the model, or a real one behind HTTP.
type shop struct {
	quirks      quirks
	target      s3api.Target // without a key
	credentials sigv4.Credentials
	now         func() time.Time
	do          func(method, url string, header []sigv4.Param, body []byte) s3api.Reply
	head        func(key string) (size int64, checksum string, found bool)
	expire      func() // ends the session; nil where that takes too long
}

// errand is one scenario at a shop, with an object of its own.
type errand struct {
	*testing.T
	*shop
	s3api.Target
	skew time.Duration // our clock is off by that
}

func (e *errand) send(r sigv4.Request, body []byte) s3api.Reply {
	e.Helper()
	header := append(r.Header, sigv4.New(e.credentials, e.Region).Sign(&r, e.now().Add(e.skew))...)
	return e.do(r.Method, e.URL(&r), header, body)
}

// want holds a reply against a status and a code, "" for none.
func (e *errand) want(what string, r s3api.Reply, status int, code string) s3api.Reply {
	e.Helper()
	got := inner(string(r.Body), "Code")
	if r.Status != status || got != code {
		e.Errorf("%s: %d %q, want %d %q", what, r.Status, got, status, code)
	}
	return r
}

func (e *errand) create() string {
	e.Helper()
	r := e.send(e.CreateMultipartUpload(), nil)
	id, err := r.Created()
	if err != nil {
		e.Fatalf("create: %v", err)
	}
	return id
}

func (e *errand) part(id string, n int, body []byte) s3api.CompletedPart {
	e.Helper()
	d := sha256.Sum256(body)
	r := e.want(fmt.Sprint("part ", n), e.send(e.UploadPart(id, n, d), body), 200, "")
	if r.ETag == "" {
		e.Errorf("part %d has no ETag", n)
	}
	return s3api.CompletedPart{PartNumber: n, ETag: r.ETag, Checksum: d}
}

func (e *errand) list(id string, after int) []s3api.ListedPart {
	e.Helper()
	r := e.send(e.ListParts(id, after), nil)
	parts, next, err := r.Listed()
	if err != nil || next != 0 {
		e.Errorf("list: %v, next %d", err, next)
	}
	return parts
}

func (e *errand) complete(id string, size int64, parts ...s3api.CompletedPart) s3api.Reply {
	e.Helper()
	r, body := e.CompleteMultipartUpload(id, parts, size)
	return e.send(r, body)
}

// wantGone holds the store against saying that it has no such upload, in words that s3api understands.
func (e *errand) wantGone(what, id string) {
	e.Helper()
	r := e.want(what, e.send(e.ListParts(id, 0), nil), 404, or(e.quirks.ListGoneCode, "NoSuchUpload"))
	if _, _, err := r.Listed(); err == nil || err.Code != "NoSuchUpload" {
		e.Errorf("%s: it is read as %v", what, err)
	}
}

func (e *errand) wantObject(size int64, checksum string) {
	e.Helper()
	gotSize, got, found := e.head(e.Key)
	if e.quirks.NoChecksums {
		checksum = ""
	}
	if !found || gotSize != size || got != checksum {
		e.Errorf("the object: found %v, %d bytes, %q; want %d, %q", found, gotSize, got, size, checksum)
	}
}

func (e *errand) wantNoObject() {
	e.Helper()
	if _, _, found := e.head(e.Key); found {
		e.Error("there is an object")
	}
}

// content is n bytes that begin with a word.
func content(word string, n int) []byte {
	b := make([]byte, n)
	copy(b, word)
	return b
}

func digestsOf(parts ...s3api.CompletedPart) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p.Checksum[:])
	}
	return s3api.Digest(h.Sum(nil)).Base64() + "-" + fmt.Sprint(len(parts))
}

const full = plan.MinPartSize

// errands are what every store must do the same, but for its quirks.
var errands = []struct {
	name string
	run  func(e *errand)
}{
	{"an object is put whole", func(e *errand) {
		body := []byte("hello")
		d := s3api.Digest(sha256.Sum256(body))
		e.want("put", e.send(e.PutObject(d), body), 200, "")
		e.wantObject(5, d.Base64())
		e.want("put again, not to overwrite", e.send(e.PutObject(d), body), 412, "PreconditionFailed")
		e.Overwrite = true
		other := sha256.Sum256([]byte("other!"))
		e.want("put again", e.send(e.PutObject(other), []byte("other!")), 200, "")
		e.wantObject(6, s3api.Digest(other).Base64())
	}},
	{"an object of no bytes", func(e *errand) {
		d := s3api.Digest(sha256.Sum256(nil))
		e.want("put", e.send(e.PutObject(d), nil), 200, "")
		e.wantObject(0, d.Base64())
	}},
	{"bytes that are not those that were signed", func(e *errand) {
		right := s3api.Digest(sha256.Sum256([]byte("right")))
		e.want("put", e.send(e.PutObject(right), []byte("wrong")), 400, "XAmzContentSHA256Mismatch")
		e.wantNoObject()
		id := e.create()
		e.want("part", e.send(e.UploadPart(id, 1, right), []byte("wrong")), 400, "XAmzContentSHA256Mismatch")
		if r := e.UploadPart(id, 1, right); !e.quirks.NoChecksums {
			r.PayloadHash = s3api.Digest(sha256.Sum256([]byte("wrong"))).Hex()
			e.want("part with another checksum", e.send(r, []byte("wrong")), 400, e.quirks.MismatchCode)
		}
		if parts := e.list(id, 0); len(parts) != 0 {
			e.Errorf("refused parts are listed: %+v", parts)
		}
	}},
	{"an upload of two parts", func(e *errand) {
		id := e.create()
		two := e.part(id, 2, content("two", 1))
		one := e.part(id, 1, content("one", full))
		parts := e.list(id, 0)
		if len(parts) != 2 || parts[0].PartNumber != 1 || parts[0].Size != full || parts[1].Size != 1 || parts[0].ETag != one.ETag || parts[1].ETag != two.ETag {
			e.Errorf("listed: %+v", parts)
		}
		for i, want := range []s3api.CompletedPart{one, two} {
			if has := !e.quirks.NoChecksums; len(parts) == 2 && (parts[i].HasSum != has || has && parts[i].Checksum != want.Checksum) {
				e.Errorf("part %d's checksum: %+v", i+1, parts[i])
			}
		}
		if parts := e.list(id, 1); len(parts) != 1 || parts[0].PartNumber != 2 {
			e.Errorf("listed after 1: %+v", parts)
		}
		e.wantNoObject()
		r := e.want("complete", e.complete(id, full+1, one, two), 200, "")
		etag, err := r.Completed()
		if err != nil || (etag == "") != e.quirks.NoFirstETag || etag != "" && !strings.HasSuffix(etag, `-2"`) {
			e.Errorf("complete: %q, %v", etag, err)
		}
		e.wantObject(full+1, digestsOf(one, two))
		e.wantGone("list what is complete", id)
		again := e.complete(id, full+1, one, two)
		switch {
		case e.quirks.CompleteAgain:
			e.want("complete again", again, 200, "")
		case e.quirks.TakenFirst:
			e.want("complete again", again, 412, "PreconditionFailed")
		default:
			e.want("complete again", again, 404, "NoSuchUpload")
		}
	}},
	{"a part that is sent again takes the other's place", func(e *errand) {
		id := e.create()
		first := e.part(id, 1, []byte("first"))
		second := e.part(id, 1, []byte("second"))
		if parts := e.list(id, 0); len(parts) != 1 || parts[0].Size != 6 {
			e.Errorf("listed: %+v", parts)
		}
		e.want("complete with the first", e.complete(id, 5, first), 400, "InvalidPart")
		e.want("complete with the second", e.complete(id, 6, second), 200, "")
	}},
	{"a Complete that is wrong changes nothing", func(e *errand) {
		id := e.create()
		one, two := e.part(id, 1, content("one", full)), e.part(id, 2, content("two", full))
		e.want("another ETag", e.complete(id, 2*full, one, s3api.CompletedPart{PartNumber: 2, ETag: `"00000000000000000000000000000000"`, Checksum: two.Checksum}), 400, "InvalidPart")
		if !e.quirks.NoChecksums {
			e.want("another checksum", e.complete(id, 2*full, one, s3api.CompletedPart{PartNumber: 2, ETag: two.ETag, Checksum: one.Checksum}), 400, e.quirks.PartSumCode)
		}
		e.want("a part that is not there", e.complete(id, 2*full+1, one, two, s3api.CompletedPart{PartNumber: 3, ETag: two.ETag, Checksum: two.Checksum}), 400, "InvalidPart")
		if !e.quirks.AnyOrder {
			e.want("another order", e.complete(id, 2*full, two, one), 400, "InvalidPartOrder")
		}
		e.want("no parts", e.complete(id, 0), 400, or(e.quirks.NoPartsCode, "MalformedXML"))
		if e.quirks.IgnoresSize {
			return
		}
		e.want("another size", e.complete(id, 2*full+1, one, two), 400, "InvalidRequest")
		e.wantNoObject()
		if parts := e.list(id, 0); len(parts) != 2 {
			e.Errorf("listed: %+v", parts)
		}
		e.want("the right one", e.complete(id, 2*full, one, two), 200, "")
	}},
	{"only the last part may be small", func(e *errand) {
		id := e.create()
		one, two := e.part(id, 1, content("one", full-1)), e.part(id, 2, content("two", 1))
		e.want("complete", e.complete(id, full, one, two), 400, "EntityTooSmall")
		e.wantNoObject()
	}},
	{"a key that is taken meanwhile", func(e *errand) {
		id := e.create()
		one := e.part(id, 1, []byte("mine"))
		other := s3api.Digest(sha256.Sum256([]byte("theirs")))
		e.want("put", e.send(e.PutObject(other), []byte("theirs")), 200, "")
		r := e.complete(id, 4, one)
		if e.quirks.IgnoresNoMatch {
			e.want("complete", r, 200, "")
			return
		}
		e.want("complete", r, 412, "PreconditionFailed")
		e.wantObject(6, other.Base64())
		if parts := e.list(id, 0); len(parts) != 1 {
			e.Errorf("the parts are gone: %+v", parts)
		}
	}},
	{"an upload that is aborted is gone", func(e *errand) {
		id := e.create()
		one := e.part(id, 1, []byte("one"))
		e.want("abort", e.send(e.AbortMultipartUpload(id), nil), 204, "")
		e.wantGone("list", id)
		e.want("part", e.send(e.UploadPart(id, 2, one.Checksum), []byte("one")), 404, "NoSuchUpload")
		if e.quirks.Stumbles {
			e.want("complete", e.complete(id, 3, one), 500, "InternalError")
		} else {
			e.want("complete", e.complete(id, 3, one), 404, "NoSuchUpload")
		}
		if again := e.send(e.AbortMultipartUpload(id), nil); e.quirks.AbortsAgain {
			e.want("abort again", again, 204, "")
		} else {
			e.want("abort again", again, 404, "NoSuchUpload")
		}
		e.wantNoObject()
	}},
	{"part numbers go from 1 to 10,000", func(e *errand) {
		id := e.create()
		d := s3api.Digest(sha256.Sum256([]byte("x")))
		e.part(id, plan.MaxParts, []byte("x"))
		if e.quirks.AnyNumber {
			return
		}
		e.want("part 0", e.send(e.UploadPart(id, 0, d), []byte("x")), 400, or(e.quirks.ZeroCode, "InvalidArgument"))
		e.want("part 10,001", e.send(e.UploadPart(id, plan.MaxParts+1, d), []byte("x")), 400, "InvalidArgument")
	}},
	{"a clock that is off", func(e *errand) {
		d := s3api.Digest(sha256.Sum256(nil))
		for _, off := range []time.Duration{-16 * time.Minute, 16 * time.Minute} {
			e.skew = off
			r := e.want(fmt.Sprint("by ", off), e.send(e.PutObject(d), nil), 403, "RequestTimeTooSkewed")
			if e.quirks.NoServerTime {
				continue
			}
			if err := r.Check(); err == nil || err.ServerTime.Sub(e.now()).Abs() > 5*time.Second {
				e.Errorf("the server's time is %v, want %v", err, e.now())
			}
		}
		e.skew = 14 * time.Minute
		e.want("by 14 minutes", e.send(e.PutObject(d), nil), 200, "")
	}},
	{"a signature of another secret", func(e *errand) {
		other := *e.shop
		other.credentials.SecretAccessKey += "x"
		e.shop = &other
		d := s3api.Digest(sha256.Sum256(nil))
		e.want("put", e.send(e.PutObject(d), nil), 403, "SignatureDoesNotMatch")
		e.wantNoObject()
	}},
	{"a session that has ended", func(e *errand) { // the last: there is no other session
		if e.expire == nil {
			return
		}
		id := e.create()
		e.expire()
		d := s3api.Digest(sha256.Sum256([]byte("x")))
		e.want("put", e.send(e.PutObject(d), []byte("x")), e.quirks.ExpiredStatus, e.quirks.ExpiredCode)
		e.want("part", e.send(e.UploadPart(id, 1, d), []byte("x")), e.quirks.ExpiredStatus, e.quirks.ExpiredCode)
		e.want("list", e.send(e.ListParts(id, 0), nil), e.quirks.ExpiredStatus, e.quirks.ExpiredCode)
	}},
}

// conform runs all errands.
func conform(t *testing.T, s *shop) {
	for i, x := range errands {
		t.Run(x.name, func(t *testing.T) {
			e := &errand{T: t, shop: s, Target: s.target}
			e.Key = fmt.Sprintf("conform/%d näme.bin", i)
			x.run(e)
		})
	}
}

func TestTheModelConforms(t *testing.T) {
	for _, q := range []quirks{versitygw, minio, ceph, amazon} {
		t.Run(q.Name, func(t *testing.T) {
			now := epoch
			m := newStore(q)
			m.verify = true
			c := sigv4.Credentials{AccessKeyID: "ASIA1", SecretAccessKey: "secret", SessionToken: "token"}
			session := &session{Credentials: c, expires: now.Add(time.Hour)}
			m.sessions[c.SessionToken] = session
			conform(t, &shop{
				quirks: q, credentials: c, now: func() time.Time { return now },
				target: s3api.Target{Endpoint: "https://s3.test", Bucket: "b", Region: m.region},
				expire: func() { session.expires = now },
				do: func(method, url string, header []sigv4.Param, body []byte) s3api.Reply {
					r := request{method: method, url: url, header: header, body: body}
					if method == "PUT" {
						r.file = &piece{sha256.Sum256(body), int64(len(body))}
					}
					return m.serve(now, r)
				},
				head: func(key string) (int64, string, bool) {
					o := m.objects["b/"+key]
					if o == nil {
						return 0, "", false
					}
					if q.NoChecksums {
						return o.size(), "", true
					}
					return o.size(), o.checksum(), true
				},
			})
		})
	}
}
