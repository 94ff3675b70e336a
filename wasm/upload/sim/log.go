package sim

import (
	"fmt"
	"strings"
	"time"

	"github.com/chunksign/chunksign/wasm/upload"
)

// log is the readable trace of a seed: an event a line, followed by the
// commands that the engine answered it with. Of a long one the middle is left out.
type log struct {
	head, b []byte
}

const longest = 2 << 20 // bytes, of the beginning and of the end

func (l *log) event(w *world, id uint32, format string, args ...any) {
	if len(l.b) > 2*longest {
		if l.head == nil {
			l.head = append([]byte(nil), l.b[:longest]...)
		}
		l.b = append([]byte("\n[...]"), l.b[len(l.b)-longest:]...)
	}
	l.b = fmt.Appendf(l.b, "\n%12s  #%d  %s", w.t.Round(time.Millisecond/10), id, fmt.Sprintf(format, args...))
}

func (l *log) command(w *world, a upload.Addressed) {
	l.b = append(l.b, "  → "...)
	if a.Upload > 0 {
		l.b = fmt.Appendf(l.b, "#%d ", a.Upload)
	}
	l.b = append(l.b, describeCommand(w, a.Command)...)
}

func (l *log) String() string { return string(l.head) + string(l.b) + "\n" }

func name(x any) string { return strings.TrimPrefix(fmt.Sprintf("%T", x), "upload.") }

func describeEvent(ev upload.Event) string {
	switch e := ev.(type) {
	case upload.Replied:
		body := string(e.Reply.Body)
		if code := inner(body, "Code"); code != "" {
			body = code
		} else if len(body) > 60 {
			_, body, _ = strings.Cut(body, "/\">")
			body = body[:min(len(body), 100)]
		}
		return fmt.Sprintf("Replied %d: %d %s %s", e.ID, e.Reply.Status, e.Reply.ETag, body)
	case upload.Refused:
		return fmt.Sprintf("Refused %d: %d %s", e.ID, e.Error.Status, e.Error.Code)
	case upload.Granted:
		return fmt.Sprintf("Granted %d: %s, session to %s, server's time %s", e.ID, e.Grant.Target.Key, clock(e.Session.Expires), clock(e.ServerTime))
	case upload.Renewed:
		return fmt.Sprintf("Renewed %d: session to %s, server's time %s", e.ID, clock(e.Session.Expires), clock(e.ServerTime))
	case upload.Told:
		e.Links = nil
		return fmt.Sprintf("Told %+v", e)
	case upload.Verified:
		return fmt.Sprintf("Verified %d", e.ID)
	case upload.Hashed:
		return fmt.Sprintf("Hashed %d: %.6s", e.ID, e.Digest.Hex())
	}
	return fmt.Sprintf("%s %+v", name(ev), ev)
}

func clock(t time.Time) string { return t.UTC().Format("02T15:04:05") }

func describeCommand(w *world, c upload.Command) string {
	switch c := c.(type) {
	case upload.Send:
		_, query, _ := strings.Cut(c.URL, "?")
		return fmt.Sprintf("Send %d %s %s %d bytes", c.ID, c.Method, query, c.Size)
	case upload.Hash:
		return fmt.Sprintf("Hash %d %d+%d", c.ID, c.Offset, c.Size)
	case upload.Multipart:
		parts := []int{}
		for _, p := range c.Parts {
			parts = append(parts, p.Number)
		}
		return fmt.Sprintf("Multipart %d %s %s after %d, parts %d", c.ID, c.Op, c.UploadID, c.After, parts)
	case upload.Verify:
		return fmt.Sprintf("Verify %d %s", c.ID, c.ETag)
	case upload.Wake:
		if w.page == nil {
			return "Wake"
		}
		return fmt.Sprintf("Wake in %s", c.At.Sub(w.page.now()))
	case upload.Report:
		p := c.Progress
		return fmt.Sprintf("Report %s %d/%d parts, %d+%d of %d bytes", states[p.State], p.PartsDone, p.Parts, p.Confirmed, p.Sent-p.Confirmed, p.Total)
	case upload.Persist:
		return fmt.Sprintf("Persist %s completed %v", c.Record.UploadID, c.Record.Completed)
	case upload.Finish:
		if c.Err != nil {
			return fmt.Sprintf("Finish %s (%s)", c.Err.Code, c.Err.Message)
		}
		return "Finish done"
	case upload.Ask, upload.Drop:
		return fmt.Sprintf("%s %+v", name(c), c)
	case upload.Renew:
		return fmt.Sprintf("Renew %d", c.ID)
	}
	return fmt.Sprintf("%s %+v", name(c), c)
}

var states = []string{"queued", "preparing", "uploading", "paused", "offline", "needs-auth", "finishing", "cancelling", "done", "failed", "cancelled"}

func (it *item) describe() string {
	s := fmt.Sprintf("file %d, %d bytes, life %d", it.n, it.file.size, it.lives)
	if j := it.job; j != nil {
		s += fmt.Sprintf(", upload #%d %s, paused %v, %d calls under way, wake %v", j.id, states[j.progress.State], j.paused, len(j.calls), j.wake.set)
	}
	return s
}
