package sim

import (
	"strconv"
	"time"

	"github.com/chunksign/chunksign/wasm/sigv4"
	"github.com/chunksign/chunksign/wasm/upload"
)

// server is a model of the chunksign server: grants, sessions, and the look at
// the object in the end.
type server struct {
	w         *world
	grants    map[string]*grant
	signedOut bool
	last      int
}

type grant struct {
	item    *item
	key     string
	expires time.Time
	session *session
}

const grantLasts = 7 * 24 * time.Hour

// call takes a request to the server: done is what it does and answers.
func (p *page) callServer(j *job, call *call, done func() upload.Event) {
	w := p.w
	x := w.fate(&w.plan.serverWeather)
	refused := func(status int, code string, wait time.Duration) upload.Event {
		return upload.Refused{ID: call.id, RetryAfter: wait, Error: upload.Error{Code: code, Status: status, Message: "the server says no", RequestID: "s-1", Retryable: status >= 429}}
	}
	var ev upload.Event
	work := w.net.between(time.Millisecond, 100*time.Millisecond)
	switch x {
	case lost, reset:
		ev = upload.Lost{ID: call.id}
	case hang, stall:
		return
	case failing, torn, conflict:
		ev = refused(int(pick[int64](w.net, 500, 502, 503)), "store_unavailable", pick(w.net, 0, time.Second, time.Minute))
	case throttled:
		ev = refused(429, "too_many", pick(w.net, 0, time.Second, time.Minute))
	case slow:
		work = w.net.between(0, 20*time.Second)
	}
	w.after(w.plan.latency+work, func() {
		if ev == nil {
			if w.server.signedOut {
				ev = refused(401, "unauthenticated", 0)
			} else {
				ev = done()
			}
			switch x {
			case lostReply:
				ev = upload.Lost{ID: call.id}
			case garbage, doneBut:
				ev = refused(502, "http_error", 0)
			case deaf:
				return
			}
		}
		w.after(w.plan.latency, func() {
			if w.t < p.down {
				ev = upload.Lost{ID: call.id}
			}
			p.answer(j, call, ev)
		})
	})
}

func (s *server) now() time.Time { return s.w.now().Add(s.w.plan.serverClock).Truncate(time.Second) }

func (s *server) refuse(id uint32, status int, code string) upload.Event {
	return upload.Refused{ID: id, Error: upload.Error{Code: code, Status: status, Message: "refused: " + code, RequestID: "s-2"}}
}

// ask is POST /v1/destinations/{d}/uploads.
func (s *server) ask(c *upload.Ask, it *item, call *call) upload.Event {
	s.last++
	existence := false
	if s.w.plan.existence {
		if o := s.w.store.objects["b/fixed "+strconv.Itoa(it.n)]; o != nil && o.size() == it.file.size {
			existence = true
			if c.Checksum != "" && c.Checksum == o.checksum() {
				call.saw = o
				return upload.Exists{ID: c.ID, Object: upload.Object{Key: "fixed " + strconv.Itoa(it.n), ETag: o.etag, Size: o.size()}}
			}
		}
	}
	g := &grant{item: it, expires: s.now().Add(grantLasts), key: "k" + strconv.Itoa(s.last)}
	if s.w.plan.fixedKey {
		g.key = "fixed " + strconv.Itoa(it.n)
	}
	token := "grant-" + strconv.Itoa(s.last)
	s.grants[token] = g
	it.keys = append(it.keys, "b/"+g.key)
	granted := upload.Granted{ID: c.ID, ServerTime: s.now(), Grant: upload.Grant{
		Token: token, Existence: existence, Expires: g.expires, Limits: s.w.plan.limits, Presigned: s.w.plan.presigned, Target: *s.target(g),
	}}
	if !s.w.plan.presigned {
		granted.Session = s.issue(g)
	}
	return granted
}

// issue gives a session for a grant: a new one, or the last again.
func (s *server) issue(g *grant) upload.Session {
	now := s.w.now()
	if x := g.session; x == nil || !s.w.plan.cached || x.expires.Sub(now) < s.w.plan.session/2 {
		s.last++
		n := strconv.Itoa(s.last)
		g.session = &session{Credentials: sigv4.Credentials{AccessKeyID: "ASIA" + n, SecretAccessKey: "secret-" + n, SessionToken: "token-" + n},
			at: "b/" + g.key, expires: now.Add(s.w.plan.session)}
		s.w.store.sessions[g.session.SessionToken] = g.session
	}
	told := g.session.expires // by the clock of the STS, not the server's
	if s.w.plan.bug == bugSessionTold {
		told = told.Add(time.Hour)
	}
	return upload.Session{Credentials: g.session.Credentials, Expires: told}
}

// renew is POST /v1/uploads/credentials.
func (s *server) renew(id uint32, token string) upload.Event {
	g := s.grants[token]
	switch {
	case g == nil:
		return s.refuse(id, 400, "grant_invalid")
	case s.now().After(g.expires):
		return s.refuse(id, 410, "grant_expired")
	case !s.w.plan.overwrite && s.w.store.objects["b/"+g.key] != nil:
		return s.refuse(id, 409, "already_complete")
	}
	renewed := upload.Renewed{ID: id, ServerTime: s.now()}
	if !s.w.plan.presigned {
		renewed.Session = s.issue(g)
	}
	return renewed
}

// verify is POST /v1/uploads/complete: it looks at the object.
func (s *server) verify(id uint32, token, etag string, c *call) upload.Event {
	g := s.grants[token]
	switch {
	case g == nil:
		return s.refuse(id, 400, "grant_invalid")
	case s.now().After(g.expires):
		return s.refuse(id, 410, "grant_expired")
	}
	o := s.w.store.objects["b/"+g.key]
	switch {
	case o == nil || etag == "" && o.by == before:
		return s.refuse(id, 404, "object_missing")
	case etag != "" && etag != o.etag:
		return s.refuse(id, 409, "object_replaced")
	case o.size() != g.item.file.size:
		return s.refuse(id, 422, "object_breaks_grant")
	}
	c.saw = o
	return upload.Verified{ID: id, Object: upload.Object{Key: g.key, ETag: o.etag, Size: o.size(), Checksum: "SHA256:" + o.checksum()}}
}

// before is who wrote an object that was there before the upload.
const before = "somebody, before"
