package sim

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/chunksign/chunksign/wasm/s3api"
	"github.com/chunksign/chunksign/wasm/upload"
)

// facts are what is known of an upload in one life of the page, to hold the
// engine against.
type facts struct {
	paused, needsAuth, cancelled, slept, hidden, fromRecord bool
	dropsCreate                                             bool // a Create that was under way when the user cancelled

	forced    int               // times that the user dropped the parts under way
	confirmed map[partOf]string // the checksum that the store told this life of a part
	sent      map[partOf]int
	asked     map[partOf]int  // presigned URLs that were asked for
	others    map[string]int  // requests to the store, or for it to the server, that are not for parts
	known     map[string]bool // upload IDs that the engine has been told
	made      map[string]bool // what this life's requests made of objects
	saw       *object         // what the server saw when it said that all is well
	progress  upload.Progress
	fewer     bool // confirmed bytes may become fewer: the upload began anew
}

type partOf struct {
	upload string // "" for the PutObject
	part   int
}

func (f *facts) init() {
	f.confirmed, f.sent, f.others = map[partOf]string{}, map[partOf]int{}, map[string]int{}
	f.asked = map[partOf]int{}
	f.known, f.made = map[string]bool{}, map[string]bool{}
}

func (j *job) restored(r upload.Record) {
	j.fromRecord = true
	if r.UploadID != "" {
		j.known[r.UploadID] = true
	}
}

func (w *world) violate(format string, args ...any) {
	if w.violation == "" {
		w.violation = fmt.Sprintf(format, args...)
		if w.log != nil {
			w.log.event(w, 0, "VIOLATION %s", w.violation)
		}
	}
}

// most is how often one request may be made in a life, beside what the user
// causes: a task's tries, and those of two uploads begun anew.
const most = 112

// checkSend holds a request against what is known.
func (j *job) checkSend(s *upload.Send, c *call) {
	w := j.page.w
	w.stats.Requests++
	times := 1
	if w.plan.bug == bugEcho {
		times = 200
	}
	token := ""
	for _, h := range s.Header {
		switch h.Name {
		case "x-amz-checksum-sha256":
			c.digest = h.Value
		case "x-amz-security-token":
			token = h.Value
		}
	}
	if w.plan.presigned {
		token = j.checkBare(s)
	}
	if x := w.store.sessions[token]; x == nil {
		w.violate("credentials: the request %d of upload %d has a token that nobody gave", s.ID, j.id)
	} else if late := w.now().Sub(x.expires); late > w.plan.sessionSlack && !j.slept && w.plan.serverClock.Abs() < time.Minute {
		w.violate("credentials: the request %d of upload %d was signed %s after its session had ended", s.ID, j.id, late)
	}
	_, query, _ := strings.Cut(s.URL, "?")
	q, _ := url.ParseQuery(query)
	c.upload, c.part = q.Get("uploadId"), s.Part
	if s.Part == 0 {
		c.after, _ = strconv.Atoi(q.Get("part-number-marker"))
		c.creates = s.Method == "POST" && c.upload == ""
		name := s.Method + " " + c.upload + " " + q.Get("part-number-marker")
		if j.others[name] += times; j.others[name] > 3*most+2*j.forced {
			w.violate("requests: %q was sent %d times", name, j.others[name])
		}
		return
	}
	if j.paused || j.page.offline || j.needsAuth {
		w.violate("held: part %d is sent though the upload is paused (%v), offline (%v) or wants a sign-in (%v)", s.Part, j.paused, j.page.offline, j.needsAuth)
	}
	if j.cancelled {
		w.violate("held: part %d is sent after the cancel", s.Part)
	}
	at := partOf{c.upload, s.Part}
	if j.sent[at] += times; j.sent[at] > most+j.forced {
		w.violate("requests: part %d was sent %d times", s.Part, j.sent[at])
	}
	if j.confirmed[at] == c.digest && c.digest != "" {
		w.violate("again: part %d of upload %q is sent again; the store has confirmed these bytes", s.Part, c.upload)
	}
	j.page.checkLanes()
}

func (p *page) checkLanes() {
	n := 0
	for _, j := range p.jobs {
		for _, c := range j.calls {
			if c.part > 0 {
				n++
			}
		}
	}
	if n > p.mostLanes {
		p.w.violate("lanes: %d requests for parts are under way, with %d lanes", n, p.mostLanes)
	}
}

// happened notes what a request made at the store.
func (it *item) happened(f *flight, r *s3api.Reply) {
	if r.Status >= 300 || f.cmd.Method != "PUT" && f.cmd.Method != "POST" || f.op.query.Has("partNumber") || f.op.query.Has("uploads") {
		return
	}
	if o := it.w.store.objects[f.op.at()]; o != nil && (o.by == f.op.query.Get("uploadId") || strings.HasPrefix(o.by, "put-")) {
		it.made[o.by], f.job.made[o.by] = true, true
	}
}

// learn notes what the engine is about to hear.
func (j *job) learn(c *call, ev upload.Event) {
	switch e := ev.(type) {
	case upload.Verified, upload.Exists:
		j.saw = c.saw
	case upload.Refused:
		j.fewer = j.fewer || c.kind == "verify" && e.Error.Status == 404
		switch e.Error.Code {
		case "upload_missing", "write_conflict", "parts_refused":
			j.fewer = true
		}
	case upload.Told:
		j.told(c, &e)
	case upload.Replied:
		if code := inner(string(e.Reply.Body), "Code"); code == "NoSuchUpload" || code == "ConditionalRequestConflict" || code == "InvalidPart" {
			j.fewer = true
		}
		if e.Reply.Status >= 300 || c.kind != "send" {
			return
		}
		if c.part > 0 && c.did {
			j.confirmed[partOf{c.upload, c.part}] = c.digest
		}
		if c.part > 0 {
			return
		}
		if id, err := e.Reply.Created(); err == nil {
			j.known[id] = true
		}
		if parts, next, err := e.Reply.Listed(); err == nil {
			j.listed(c, parts, next)
		}
	}
}

// listed notes a page of ListParts: what it tells is confirmed, and what it leaves out is not.
func (j *job) listed(c *call, parts []s3api.ListedPart, next int) {
	there := map[int]s3api.ListedPart{}
	for _, p := range parts {
		there[p.PartNumber] = p
	}
	plan := &j.page.w.plan
	for at := range j.confirmed {
		p, ok := there[at.part]
		// Where the server signs, nobody needs the ETags that CORS hides: a part that is
		// listed without a checksum may then be anybody's.
		nameless := ok && !p.HasSum && plan.presigned && plan.quirks.HidesETag
		if (!ok || nameless) && at.upload == c.upload && at.part > c.after && (next == 0 || at.part <= next) {
			delete(j.confirmed, at)
		}
	}
	for n, p := range there {
		if p.HasSum {
			j.confirmed[partOf{c.upload, n}] = p.Checksum.Base64()
		}
	}
}

// checkIdle finds an upload that nothing will ever wake.
func (p *page) checkIdle() {
	if p.dead || p.wake.set || p.w.violation != "" {
		return
	}
	var idle *job
	live := 0
	for _, j := range p.jobs {
		if j.over {
			continue
		}
		if live++; len(j.calls) == 0 && !j.wake.set {
			idle = j
		}
	}
	if live == 1 && idle != nil && !idle.paused && !idle.needsAuth && !p.offline {
		p.w.violate("wake: upload %d has nothing under way and asks for no wake", idle.id)
	}
}

func (j *job) checkProgress(p upload.Progress) {
	w := j.page.w
	if w.plan.bug == bugProgress {
		p.Sent *= 2
	}
	switch {
	case p.Total != j.item.file.size:
		w.violate("progress: the total is %d of a file of %d bytes", p.Total, j.item.file.size)
	case p.Confirmed > p.Total || p.Sent > p.Total || p.Sent < p.Confirmed || p.PartsDone > p.Parts:
		w.violate("progress: %+v does not add up", p)
	case p.Confirmed < j.progress.Confirmed && !j.fewer && !j.hidden:
		w.violate("progress: %d bytes are confirmed, and %d were", p.Confirmed, j.progress.Confirmed)
	case p.State == upload.Done && (p.Confirmed != p.Total || p.PartsDone != p.Parts):
		w.violate("progress: done with %d of %d bytes confirmed", p.Confirmed, p.Total)
	}
	if p.Confirmed < j.progress.Confirmed {
		j.fewer = false
	}
	j.progress = p
}

func (j *job) checkFinish(f *upload.Finish) {
	w := j.page.w
	if len(j.calls) > 0 {
		w.violate("end: it leaves %d calls under way, the first a %s", len(j.calls), j.calls[0].kind)
	}
	switch {
	case f.Err == nil:
	case w.plan.bug == bugClaim:
		f.Err = nil
	case w.plan.bug == bugMute:
		f.Err = &upload.Error{Code: f.Err.Code}
	case w.plan.bug == bugRename && f.Err.Code == "stopped":
		f.Err = &upload.Error{Code: "cancelled", Message: f.Err.Message}
	}
	if f.Err == nil {
		j.checkDone()
		return
	}
	if f.Err.Code == "" || f.Err.Message == "" {
		w.violate("error: %+v does not say what is wrong", *f.Err)
	}
	if w.plan.calm {
		w.violate("calm: nothing went wrong, and the upload failed: %v", f.Err)
	}
	// A life without a record meets what one before it has made at the same key.
	if w.plan.fair && !(f.Err.Code == "key_taken" && w.plan.fixedKey && j.item.lives > 1) {
		w.violate("needless: a few retries would have done, and the upload failed: %v", f.Err)
	}
	it, torn := j.item, w.plan.storeWeather.torn > 0
	switch code := f.Err.Code; {
	case code == "file_unreadable" && it.file.readable(),
		code == "file_changed" && len(it.file.writes) == 0,
		code == "different_file" && it.file == it.recorded && len(it.file.writes) == 0,
		code == "bytes_damaged" && !torn && len(it.file.writes) == 0:
		w.violate("error: %s is not true", code)
	}
	switch f.Err.Code {
	case "key_taken":
		for _, k := range j.item.keys {
			if o := w.store.objects[k]; o != nil && j.item.made[o.by] {
				w.violate("taken: the upload is refused for the object that it made itself")
			}
		}
	case "cancelled":
		if !j.cancelled {
			w.violate("cancelled: nobody cancelled it")
		}
		if j.dropsCreate {
			w.violate("orphans: the cancel drops the Create, and nobody will know what it made")
		}
		// Late parts have come by then.
		w.after(time.Minute, j.checkOrphans)
	}
}

// checkDone holds the object that the server saw against the file.
func (j *job) checkDone() {
	w := j.page.w
	switch {
	case j.saw == nil:
		w.violate("success: it is claimed, and the server has not seen an object")
	case !j.item.file.made(j.saw):
		w.violate("success: it is claimed, and the object is not the file")
	}
	if w.plan.calm {
		j.checkCalm()
	}
}

// made says whether o is f as f was at one time.
func (f *file) made(o *object) bool {
	for v := range len(f.writes) + 1 {
		at, same := int64(0), true
		for _, p := range o.parts {
			same = same && p.digest == f.digest(v, at, p.size)
			at += p.size
		}
		if same && at == f.size {
			return true
		}
	}
	return false
}

// checkOrphans looks for what a cancelled upload has left at the store.
func (j *job) checkOrphans() {
	w := j.page.w
	for id, m := range w.store.uploads {
		if j.known[id] && !m.swept {
			w.violate("orphans: the upload %s with %d parts is left after the cancel", id, len(m.parts))
		}
	}
	for k, o := range w.store.objects {
		if j.made[o.by] {
			w.violate("orphans: the object %s is there after the cancel", k)
		}
	}
}

// checkCalm counts the requests of an upload to which nothing happened.
func (j *job) checkCalm() {
	w := j.page.w
	for at, n := range j.sent {
		if n != 1 {
			w.violate("calm: part %d was sent %d times", at.part, n)
		}
	}
	for name, n := range j.others {
		if n != 1 {
			w.violate("calm: %q was sent %d times", name, n)
		}
	}
	want := 2
	if w.plan.quirks.HidesETag && !w.plan.presigned {
		want = 2 + (j.progress.Parts+w.plan.quirks.PageSize-1)/w.plan.quirks.PageSize
	}
	if p := j.progress; j.saw.by != before && (p.Parts != len(j.sent) || p.Parts > 1 && len(j.others) != want) {
		w.violate("calm: %d parts took %d requests for parts and %d others", p.Parts, len(j.sent), len(j.others))
	}
}
