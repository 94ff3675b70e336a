package sim

import (
	"strings"
	"time"

	"github.com/chunksign/chunksign/wasm/s3api"
	"github.com/chunksign/chunksign/wasm/upload"
)

// fate is what becomes of one request.
type fate uint8

const (
	arrives   fate = iota
	lost           // the connection fails before the request has arrived
	reset          // and in the middle of its body
	lostReply      // the request is done, and the reply lost
	hang           // nothing ever comes back; the request is not done
	stall          // the bytes stop, and nothing ever comes back
	deaf           // the request is done, and nothing ever comes back
	failing        // something on the way, or the store, answers 5xx
	throttled      // 503 SlowDown, 429
	garbage        // the request is done, and the reply not what it should be
	torn           // the bytes are changed on the way
	doneBut        // the request is done, and the reply is a 500
	conflict       // 409; on a Complete only
	slow           // the store takes its time
)

// fate draws one.
func (w *world) fate(x *weather) fate {
	if w.plan.bug == bugRain && w.net.oneIn(10) {
		return lostReply
	}
	if w.t > w.plan.healed {
		return arrives
	}
	for _, o := range x.outages {
		if o.from <= w.t && w.t < o.to {
			return pick(w.net, lost, lost, lost, hang)
		}
	}
	n := int(w.net.below(1000))
	for i, p := range []int{x.lost, x.reset, x.lostReply, x.hang, x.stall, x.deaf, x.failing, x.throttled, x.garbage, x.torn, x.doneBut, x.conflict, x.slow} {
		if n -= p; n < 0 {
			return fate(i) + lost
		}
	}
	return arrives
}

// flight is a request under way to the store.
type flight struct {
	page *page
	job  *job
	call *call
	cmd  upload.Send
	fate fate
	op   op
	left bool // all bytes have gone out: the store has them whether we listen or not
	done bool // it has come to its end
	from int  // the file's version when the sending began
	// what the body is, if the file is to be sent
	offset, size int64
}

// send takes a request to the store. What the page hears of it are Sent, Replied and Lost.
func (p *page) send(j *job, c upload.Send, call *call) {
	w := p.w
	f := &flight{page: p, job: j, call: call, cmd: c, fate: w.fate(&w.plan.storeWeather), offset: c.Offset, size: c.Size}
	f.from = j.item.file.version()
	if c.Part > 0 && !j.item.file.readable() {
		w.after(time.Millisecond, f.lose)
		return
	}
	up := w.net.between(w.plan.latency/2, w.plan.latency)
	switch f.fate {
	case lost:
		w.after(up, f.lose)
		return
	case hang:
		return
	case failing, throttled:
		w.after(up+w.net.between(0, w.plan.latency), f.turnedAway)
		return
	}
	w.after(up, f.arrive)
}

// cut says whether the page's end of the connection is gone.
func (f *flight) cut() bool {
	if !f.done && f.page.w.t < f.page.down {
		f.lose()
	}
	return f.done || f.call.gone || f.page.dead
}

func (f *flight) end() { f.done = true }

func (f *flight) lose() {
	if !f.done {
		f.end()
		f.page.answer(f.job, f.call, upload.Lost{ID: f.call.id})
	}
}

// arrive is the request's head at the store.
func (f *flight) arrive() {
	if f.cut() {
		return
	}
	w := f.page.w
	r := request{method: f.cmd.Method, url: f.cmd.URL, header: f.cmd.Header, body: f.cmd.Body, length: f.size}
	o, refused := w.store.admit(w.now(), r)
	if refused != nil {
		f.replyLater(*refused)
		return
	}
	f.op = o
	body := takes(f.size, w.plan.bandwidth)
	body = w.net.between(body, body+body/4)
	if f.cmd.Part == 0 {
		f.sent()
		return
	}
	switch f.fate {
	case reset, stall:
		frac := w.net.below(f.size)
		w.after(body/2, func() {
			f.bytes(frac)
			if f.fate == reset {
				f.lose()
			}
		})
		return
	}
	// A page hears of the bytes now and then.
	words := w.net.below(3) + int64(body/(4*time.Second))
	for i := range words {
		w.after(body*time.Duration(i+1)/time.Duration(words+1), func() { f.bytes(f.size / (words + 1) * (i + 1)) })
	}
	w.after(body, f.sent)
}

func (f *flight) bytes(n int64) {
	if !f.cut() {
		f.page.hear(f.job, f.call, upload.Sent{ID: f.call.id, Bytes: n})
	}
}

// sent is the moment when the last byte has gone out; the store has it a little later.
func (f *flight) sent() {
	if f.cut() {
		return
	}
	w := f.page.w
	file := f.job.item.file
	if f.cmd.Part > 0 {
		if !file.readable() {
			f.lose()
			return
		}
		content := piece{file.digest(f.from, f.offset, f.size), f.size}
		f.op.torn = f.fate == torn || content.digest != file.digest(file.version(), f.offset, f.size)
		if f.op.torn {
			content.digest[0] ^= 1
		}
		f.op.file = &content
	}
	f.left = true
	work := w.net.between(time.Millisecond, 50*time.Millisecond)
	if f.fate == slow {
		work = w.net.between(0, 20*time.Second)
		if f.cmd.Method == "POST" {
			work *= 10
		}
	}
	w.after(work+w.plan.latency/2, f.work)
	if f.cmd.Part > 0 {
		f.bytes(f.size)
	}
}

// work is the store doing the request. Nobody may be listening any more.
func (f *flight) work() {
	w := f.page.w
	if f.fate == conflict && f.cmd.Method == "POST" && f.op.upload != nil {
		if w.store.quirks.ConflictGoes {
			delete(w.store.uploads, f.op.upload.id)
		}
		f.replyLater(*w.store.refuse(409, "ConditionalRequestConflict", "a conflicting operation was under way; begin the upload again"))
		return
	}
	r := w.store.handle(w.now(), f.op)
	f.job.item.happened(f, &r)
	f.call.did = r.Status < 300
	if w.plan.bug == bugDenies && f.call.did && len(f.job.made) > 0 {
		r = *w.store.refuse(412, "PreconditionFailed", "there is an object")
	}
	switch f.fate {
	case lostReply, reset:
		w.after(w.plan.latency/2, f.lose)
	case deaf, stall:
	case garbage:
		f.replyLater(f.spoilt(r))
	case doneBut:
		switch {
		case f.cmd.Part > 0 && w.net.oneIn(8):
			f.replyLater(hotel)
			return
		case f.cmd.Method == "POST" && strings.Contains(f.cmd.URL, "uploadId=") && w.net.oneIn(4):
			f.replyLater(refusal(200, "InternalError", "We encountered an internal error.", "r-200"))
			return
		}
		f.replyLater(pick(w.net, badGateway, refusal(500, "InternalError", "We encountered an internal error.", "r-500")))
	default:
		f.replyLater(r)
	}
}

var badGateway = s3api.Reply{Status: 502, Body: []byte("<html><h1>502 Bad Gateway</h1></html>")}

// hotel is what a network says that wants a sign-in of its own.
var hotel = s3api.Reply{Status: 200, Body: []byte("<html>Sign in to the hotel's network</html>")}

// spoilt is a reply that is not what it should be. A body-less success stays one.
func (f *flight) spoilt(r s3api.Reply) s3api.Reply {
	w := f.page.w
	switch {
	case f.cmd.Method == "POST" && f.op.upload != nil && w.net.oneIn(2):
		// API_CompleteMultipartUpload.html: a 200 may hold an error.
		body := refusal(200, pick(w.net, "InternalError", "SlowDown"), "We encountered an internal error.", "r-200").Body
		return s3api.Reply{Status: 200, RequestID: "r-200", Body: append([]byte("   \n"), body...)}
	case len(r.Body) > 0 && w.net.oneIn(2):
		r.Body = r.Body[:w.net.below(int64(len(r.Body)))]
		return r
	case len(r.Body) > 0:
		return hotel
	}
	return s3api.Reply{Status: 500}
}

// turnedAway is an answer to a request that was not done.
func (f *flight) turnedAway() {
	w := f.page.w
	if f.cut() {
		return
	}
	if f.fate == throttled {
		f.replyLater(pick(w.net, refusal(503, "SlowDown", "Please reduce your request rate.", "r-503"), refusal(503, "SlowDownWrite", "Resource requested is unwritable, please reduce your request rate", "r-503"), s3api.Reply{Status: 429}))
		return
	}
	f.replyLater(pick(w.net, badGateway, refusal(500, "InternalError", "We encountered an internal error.", "r-500"), refusal(503, "ServiceUnavailable", "", ""), refusal(400, "RequestTimeout", "Your socket connection to the server was not read from or written to within the timeout period.", "r-400")))
}

func (f *flight) replyLater(r s3api.Reply) {
	w := f.page.w
	w.after(w.net.between(w.plan.latency/2, w.plan.latency), func() {
		if f.cut() {
			return
		}
		f.end()
		f.page.reply(f, r)
	})
}

// reply gives the page what it may read of a reply.
func (p *page) reply(f *flight, r s3api.Reply) {
	q := &p.w.store.quirks
	if !p.w.plan.native {
		if r.Status == 403 && q.BareRefusals {
			p.answer(f.job, f.call, upload.Lost{ID: f.call.id})
			return
		}
		if q.HidesETag {
			r.ETag = ""
		}
		if q.HidesRequestID {
			r.RequestID = ""
		}
	}
	p.answer(f.job, f.call, upload.Replied{ID: f.call.id, Reply: r})
}
