package sim

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/chunksign/chunksign/wasm/s3api"
	"github.com/chunksign/chunksign/wasm/sigv4"
	"github.com/chunksign/chunksign/wasm/upload"
)

// linkLasts is how long a presigned URL is good, unless its session ends before.
const linkLasts = 15 * time.Minute

// target is where a grant's object goes.
func (s *server) target(g *grant) *s3api.Target {
	return &s3api.Target{Endpoint: "https://s3.test", Bucket: "b", Key: g.key, Region: s.w.store.region, Overwrite: s.w.plan.overwrite,
		Header: []sigv4.Param{{Name: "content-type", Value: "text/x-sim"}}}
}

// multipart is POST /v1/uploads/parts and /v1/uploads/multipart.
func (s *server) multipart(c *upload.Multipart, call *call, j *job) upload.Event {
	g := s.grants[c.Grant]
	switch {
	case g == nil:
		return s.refuse(c.ID, 400, "grant_invalid")
	case s.now().After(g.expires):
		return s.refuse(c.ID, 410, "grant_expired")
	case c.Op == "create" && !s.w.plan.overwrite && s.w.store.objects["b/"+g.key] != nil:
		return s.refuse(c.ID, 409, "already_complete")
	case c.Op == "parts":
		return s.links(c, g)
	}
	x := s.w.fate(&s.w.plan.storeWeather)
	away := s.refuse(c.ID, 503, "store_unavailable")
	switch x {
	case lost, reset, hang, stall, failing, throttled:
		return away
	case conflict:
		if m := s.w.store.uploads[c.UploadID]; c.Op == "complete" && m != nil {
			if s.w.store.quirks.ConflictGoes {
				delete(s.w.store.uploads, m.id)
			}
			return s.refuse(c.ID, 409, "write_conflict")
		}
	}
	told, refused := s.through(c, g, j)
	switch {
	case refused != nil:
		return s.inOurWords(c.ID, refused)
	case x == lostReply || x == deaf || x == garbage || x == doneBut:
		return away
	}
	call.did = true
	return told
}

// links signs for parts, or for the PutObject of a file that is one.
func (s *server) links(c *upload.Multipart, g *grant) upload.Event {
	if c.Renew {
		g.session = nil
	}
	t, by, now := s.target(g), s.issue(g), s.now()
	until := now.Add(linkLasts)
	if by.Expires.Before(until) {
		until = by.Expires
	}
	if until.Sub(now) < time.Second {
		return s.refuse(c.ID, 503, "store_unavailable")
	}
	told := upload.Told{ID: c.ID, Lasts: until.Sub(now)}
	signer := sigv4.New(by.Credentials, t.Region)
	for _, p := range c.Parts {
		r := t.PutObject(p.Digest)
		if c.UploadID != "" {
			r = t.UploadPart(c.UploadID, p.Number, p.Digest)
		}
		r.PayloadHash = ""
		sent := r.Header
		r.Header = append(sent[:len(sent):len(sent)], sigv4.Param{Name: "content-length", Value: strconv.FormatInt(p.Size, 10)})
		told.Links = append(told.Links, upload.Link{Part: p.Number, Header: sent, URL: "https://" + r.Host + signer.Presign(&r, now, until.Sub(now))})
	}
	return told
}

// through makes one of the other calls at the store.
func (s *server) through(c *upload.Multipart, g *grant, j *job) (told upload.Told, _ *s3api.Error) {
	t, by := s.target(g), s.issue(g)
	signer := sigv4.New(by.Credentials, t.Region)
	do := func(r sigv4.Request, body []byte) *s3api.Reply {
		header := append(r.Header, signer.Sign(&r, s.now())...)
		reply := s.w.store.serve(s.w.now(), request{method: r.Method, url: t.URL(&r), header: header, body: body})
		return &reply
	}
	told.ID = c.ID
	var err *s3api.Error
	switch c.Op {
	case "create":
		told.UploadID, err = do(t.CreateMultipartUpload(), nil).Created()
	case "list":
		told.Parts, told.Next, err = do(t.ListParts(c.UploadID, c.After), nil).Listed()
	case "abort":
		if err = do(t.AbortMultipartUpload(c.UploadID), nil).Check(); err == nil || err.Code == "NoSuchUpload" {
			err = do(t.ListParts(c.UploadID, 0), nil).Check()
			told.Gone = err != nil
			err = nil
		}
	case "complete":
		var all []s3api.ListedPart
		for next := -1; next != 0; {
			var page []s3api.ListedPart
			if page, next, err = do(t.ListParts(c.UploadID, max(next, 0)), nil).Listed(); err != nil {
				return told, err
			}
			all = append(all, page...)
		}
		parts := make([]s3api.CompletedPart, len(all))
		size := int64(0)
		for i, p := range all {
			if i >= len(c.Parts) || c.Parts[i].Number != p.PartNumber || p.HasSum && p.Checksum != c.Parts[i].Digest {
				return told, &s3api.Error{Status: 400, Code: "InvalidPart"}
			}
			parts[i] = s3api.CompletedPart{PartNumber: p.PartNumber, ETag: p.ETag, Checksum: c.Parts[i].Digest}
			size += p.Size
		}
		if len(all) != len(c.Parts) || size != g.item.file.size {
			return told, &s3api.Error{Status: 400, Code: "InvalidPart"}
		}
		r, body := t.CompleteMultipartUpload(c.UploadID, parts, size)
		if told.ETag, err = do(r, body).Completed(); err == nil && s.w.store.objects["b/"+g.key].by == c.UploadID {
			j.item.made[c.UploadID], j.made[c.UploadID] = true, true
		}
	}
	return told, err
}

// inOurWords is server/presign's.
func (s *server) inOurWords(id uint32, e *s3api.Error) upload.Event {
	switch {
	case e.Code == "NoSuchUpload":
		return s.refuse(id, 404, "upload_missing")
	case e.Status == 412:
		return s.refuse(id, 409, "key_taken")
	case e.Code == "InvalidPart" || e.Code == "InvalidPartOrder" || e.Code == "EntityTooSmall" || e.Code == "InvalidRequest":
		return s.refuse(id, 422, "parts_refused")
	}
	return s.refuse(id, 502, "store_refused")
}

// checkMultipart holds a question to the server against what is known.
func (j *job) checkMultipart(m *upload.Multipart, c *call) {
	w := j.page.w
	if !w.plan.presigned {
		w.violate("credentials: the server is asked to %q though the page has a session", m.Op)
	}
	c.upload, c.after, c.creates = m.UploadID, m.After, m.Op == "create"
	if m.Op != "parts" {
		name := m.Op + " " + m.UploadID + " " + strconv.Itoa(m.After)
		if j.others[name]++; j.others[name] > 3*most+2*j.forced {
			w.violate("requests: %q was asked for %d times", name, j.others[name])
		}
		return
	}
	if len(m.Parts) == 0 || len(m.Parts) > 100 {
		w.violate("requests: links are asked for %d parts", len(m.Parts))
	}
	for _, p := range m.Parts {
		at := partOf{m.UploadID, p.Number}
		if j.asked[at]++; j.asked[at] > 2*most+2*j.forced {
			w.violate("requests: a link for part %d was asked for %d times", p.Number, j.asked[at])
		}
	}
	if j.paused || j.page.offline || j.needsAuth || j.cancelled {
		w.violate("held: links are asked for though the upload is paused (%v), offline (%v), wants a sign-in (%v) or was cancelled (%v)", j.paused, j.page.offline, j.needsAuth, j.cancelled)
	}
}

// told notes what the engine is about to hear of the server.
func (j *job) told(c *call, t *upload.Told) {
	if t.UploadID != "" {
		j.known[t.UploadID] = true
	}
	if c.kind == "list" {
		j.listed(c, t.Parts, t.Next)
	}
}

// checkBare sees to it that a request says nothing but what it may say.
func (j *job) checkBare(s *upload.Send) (token string) {
	w := j.page.w
	_, query, _ := strings.Cut(s.URL, "?")
	q, _ := url.ParseQuery(query)
	for _, h := range s.Header {
		if h.Name == "authorization" || h.Name == "x-amz-security-token" {
			w.violate("credentials: the request %d of upload %d was signed by the page, which has nothing to sign with", s.ID, j.id)
		}
	}
	if at, err := time.Parse("20060102T150405Z", q.Get("X-Amz-Date")); err == nil && !j.slept && w.plan.serverClock.Abs() < time.Minute {
		lasts, _ := strconv.Atoi(q.Get("X-Amz-Expires"))
		if late := w.now().Sub(at.Add(time.Duration(lasts) * time.Second)); late > w.plan.sessionSlack {
			w.violate("credentials: the request %d of upload %d was sent %s after its signature had ended", s.ID, j.id, late)
		}
	}
	return q.Get("X-Amz-Security-Token")
}

// authenticateQuery lets in what was presigned
// (AmazonS3/latest/API/sigv4-query-string-auth.html).
func (s *store) authenticateQuery(now time.Time, o *op, u *url.URL) *s3api.Reply {
	at, err := time.Parse("20060102T150405Z", o.query.Get("X-Amz-Date"))
	lasts, notNumber := strconv.Atoi(o.query.Get("X-Amz-Expires"))
	if err != nil || notNumber != nil {
		return s.refuse(400, "AuthorizationQueryParametersError", "the query does not say when it was signed, or for how long")
	}
	session := s.sessions[o.query.Get("X-Amz-Security-Token")]
	if session == nil {
		return s.refuse(400, "InvalidToken", "the token is not one of ours")
	}
	if !now.Before(session.expires) {
		return s.refuse(s.quirks.ExpiredStatus, s.quirks.ExpiredCode, "the session has ended")
	}
	if end := at.Add(time.Duration(lasts) * time.Second); now.After(end) || at.Sub(now) > 15*time.Minute {
		return s.refuse(403, "AccessDenied", "the request has expired, or is not valid yet")
	}
	if session.at != o.bucket+"/"+o.key {
		return s.refuse(403, "AccessDenied", "the session is for another object")
	}
	if s.verify {
		r := sigv4.Request{Method: o.method, Host: u.Host, Path: u.Path}
		for name, values := range o.query {
			if !strings.HasPrefix(name, "X-Amz-") {
				r.Query = append(r.Query, sigv4.Param{Name: name, Value: values[0]})
			}
		}
		r.Header = append(append(r.Header, o.header...), sigv4.Param{Name: "content-length", Value: strconv.FormatInt(o.length, 10)})
		target := sigv4.New(session.Credentials, s.region).Presign(&r, at, time.Duration(lasts)*time.Second)
		if _, signature, _ := strings.Cut(target, "X-Amz-Signature="); signature != o.query.Get("X-Amz-Signature") {
			return s.refuse(403, "SignatureDoesNotMatch", "the signature is another")
		}
	}
	return nil
}
