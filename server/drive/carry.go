package drive

import (
	"context"
	"time"

	"github.com/chunksign/chunksign/wasm/upload"
)

// carryOut does what the engine says, in its order.
func (l *loop) carryOut(commands []upload.Addressed) {
	for _, a := range commands {
		if a.Upload == 0 {
			if c, ok := a.Command.(upload.Wake); ok {
				l.wake(&l.poolWake, 0, c.At)
			}
			continue
		}
		if r := l.runs[a.Upload]; r != nil {
			l.do(r, a.Command)
		}
	}
}

func (l *loop) do(r *run, command upload.Command) {
	if r.source == nil {
		switch command.(type) {
		case upload.Hash, upload.Sample:
			// What was to be discarded turned out not to be complete after all.
			l.pending = append(l.pending, message{r.number, upload.Cancel{}})
			return
		}
	}
	switch c := command.(type) {
	case upload.Ask:
		l.call(r, c.ID, func(ctx context.Context) upload.Event { return r.server.ask(ctx, c, l.jobs[r.job].File) })
	case upload.Renew:
		l.call(r, c.ID, func(ctx context.Context) upload.Event { return r.server.renew(ctx, c) })
	case upload.Verify:
		l.call(r, c.ID, func(ctx context.Context) upload.Event { return r.server.verify(ctx, c) })
	case upload.Multipart:
		l.call(r, c.ID, func(ctx context.Context) upload.Event { return r.server.multipart(ctx, c) })
	case upload.Hash:
		l.call(r, c.ID, func(ctx context.Context) upload.Event { return r.source.hash(ctx, c) })
	case upload.Sample:
		l.call(r, c.ID, func(context.Context) upload.Event { return r.source.sample(c) })
	case upload.Send:
		sent := func(bytes int64) { l.post(message{r.number, upload.Sent{ID: c.ID, Bytes: bytes}}) }
		l.call(r, c.ID, func(ctx context.Context) upload.Event {
			return send(ctx, l.store, c, r.source, l.config.UserAgent, sent)
		})
	case upload.Drop:
		if cancel := r.calls[c.ID]; cancel != nil {
			cancel()
			delete(r.calls, c.ID)
		}
	case upload.Persist:
		if r.held != nil {
			l.noted(r, r.held.Put(c.Record))
		}
	case upload.Forget:
		if r.held != nil {
			l.noted(r, r.held.Forget())
		}
	case upload.Wake:
		l.wake(&r.wake, r.number, c.At)
	case upload.Warn:
		l.watch.Warned(r.job, c.Code, c.Message)
	case upload.Report:
		r.explain(&c.Progress.Trouble)
		l.watch.Progress(r.job, c.Progress)
		if c.Progress.State == upload.NeedsAuth {
			l.signIn(r, c.Progress.Trouble)
		}
	case upload.Finish:
		l.finish(r, c)
	}
}

// call answers one of the engine's calls from a goroutine of its own.
func (l *loop) call(r *run, id uint32, do func(context.Context) upload.Event) {
	ctx, cancel := context.WithCancel(l.life)
	r.calls[id] = cancel
	l.working.Go(func() {
		defer cancel()
		ev := do(ctx)
		if ctx.Err() == nil { // else it was dropped, and nobody waits for it
			l.post(message{r.number, ev})
		}
	})
}

// signIn answers an upload that waits for a sign-in. The token was read again
// before the server's refusal was passed on, so that a stop is all that is
// left; but the engine also waits where the grant has ended (410), and there
// it only has to hear that nobody will give another.
func (l *loop) signIn(r *run, refusal upload.Error) {
	if refusal.Status == 410 {
		l.pending = append(l.pending, message{r.number, upload.SignedIn{}})
		return
	}
	if refusal.Code == "" {
		refusal = upload.Error{Code: CodeNeedsAuth, Status: 401, Message: "the server wants a sign-in"}
	}
	r.needsAuth = &refusal
	l.pending = append(l.pending, message{r.number, upload.Stop{}})
}

func (l *loop) finish(r *run, c upload.Finish) {
	delete(l.runs, r.number)
	r.wake.stop()
	for _, cancel := range r.calls {
		cancel()
	}
	if r.source != nil {
		r.source.close()
	}
	if r.gone && c.Err != nil && r.held != nil && r.held.Record != nil && !l.stopped {
		l.expired(r)
		return
	}
	res := Result{Object: c.Object, Err: c.Err}
	if res.Err != nil {
		r.explain(res.Err)
	}
	if r.needsAuth != nil && c.Err != nil {
		res.Err = r.needsAuth
	}
	res.NeedsAuth = res.Err != nil && (res.Err == r.needsAuth || res.Err.Code == "unauthenticated" || res.Err.Code == "token_failed")
	if r.held != nil {
		res.Kept = r.held.Record != nil
		r.held.Release()
	}
	l.ended(r.job, res)
}

// explain says of a lost call why, which the engine does not hear.
func (r *run) explain(e *upload.Error) {
	if e.Code == "network" && r.cause != "" {
		e.Message = r.cause
	}
}

// noted warns of a journal that failed. The upload goes on without.
func (l *loop) noted(r *run, err error) {
	if err != nil {
		l.watch.Warned(r.job, CodeJournal, err.Error())
	}
}

// timer posts a Tick, once. Setting it anew forgets the time before.
type timer struct{ t *time.Timer }

func (t *timer) stop() {
	if t.t != nil {
		t.t.Stop()
	}
}

// wake sets t; the zero time sets nothing.
func (l *loop) wake(t *timer, number uint32, at time.Time) {
	t.stop()
	if at.IsZero() {
		return
	}
	// A Tick too many does no harm, so that one which has just left is not called back.
	t.t = time.AfterFunc(l.clock.until(at, time.Now()), func() { l.post(message{number, upload.Tick{}}) })
}
