package drive

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	"github.com/chunksign/chunksign/wasm/s3api"
	"github.com/chunksign/chunksign/wasm/upload"
)

const (
	connectWithin = 20 * time.Second
	sentEvery     = 100 * time.Millisecond
	// maxReply bounds a store's reply: 1,000 listed parts are half a megabyte. What is
	// longer is cut, and reads as malformed.
	maxReply = 8 << 20
)

// storeClient sends the signed requests. There is no timeout for a reply: the
// engine cuts a request whose bytes stand still, and a Complete may take minutes.
func storeClient(connections int) *http.Client {
	t := transport()
	t.MaxIdleConnsPerHost = connections + 2
	// One connection a part, as S3 itself speaks: over one HTTP/2 connection all
	// parts would share a single window and stand still together.
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.DisableCompression = true
	return client(t)
}

func serverClient() *http.Client { return client(transport()) }

func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone() // with the proxy of the environment
	t.DialContext = (&net.Dialer{Timeout: connectWithin, KeepAlive: 15 * time.Second, Control: littleUnsent}).DialContext
	t.TLSHandshakeTimeout = connectWithin
	return t
}

// client follows no redirect: a signature is for one address, and a token for one server.
func client(t *http.Transport) *http.Client {
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// lost is the event upload.Lost with what a browser would not tell.
type lost struct {
	upload.Lost
	cause string
}

func noReply(id uint32, host string, err error) upload.Event {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err // without the address, whose query is nobody's business
	}
	return lost{upload.Lost{ID: id}, "no reply from " + host + " (" + err.Error() + ")"}
}

// send carries out c. sent hears how many bytes of a range have gone out.
func send(ctx context.Context, h *http.Client, c upload.Send, src *source, agent string, sent func(int64)) upload.Event {
	var failed atomic.Pointer[error]
	body := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(c.Body)), nil }
	length := int64(len(c.Body))
	if c.Part > 0 {
		f, err := src.open()
		if err != nil {
			return src.unreadable(c.ID, err)
		}
		length = c.Size
		body = func() (io.ReadCloser, error) {
			return &counted{f: f, at: c.Offset, end: c.Offset + c.Size, size: c.Size, sent: sent, failed: &failed}, nil
		}
	}
	q, err := http.NewRequestWithContext(ctx, c.Method, c.URL, http.NoBody)
	if err != nil {
		return noReply(c.ID, "the store", err)
	}
	for _, p := range c.Header {
		q.Header.Set(p.Name, p.Value)
	}
	q.Header.Set("User-Agent", agent)
	if length > 0 {
		q.Body, _ = body()
		q.GetBody = body // a connection that the store had closed meanwhile takes nothing; the next takes all
		q.ContentLength = length
	}
	answer, err := h.Do(q)
	if cause := failed.Load(); cause != nil {
		if err == nil {
			answer.Body.Close()
		}
		if f, err := src.open(); err == nil {
			if changed := src.same(f); changed != nil {
				return src.unreadable(c.ID, changed)
			}
		}
		return src.unreadable(c.ID, *cause)
	}
	if err != nil {
		return noReply(c.ID, q.URL.Host, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxReply))
	if err != nil {
		return noReply(c.ID, q.URL.Host, err)
	}
	return upload.Replied{ID: c.ID, Reply: s3api.Reply{
		Status: answer.StatusCode, ETag: answer.Header.Get("ETag"), RequestID: answer.Header.Get("X-Amz-Request-Id"), Body: text,
	}}
}

// counted is a range of the file that tells how far it has been read.
type counted struct {
	f         *os.File
	at, end   int64
	size      int64
	last      time.Time
	sent      func(int64)
	failed    *atomic.Pointer[error]
	cancelled atomic.Bool
}

func (r *counted) Read(p []byte) (int, error) {
	if r.cancelled.Load() {
		return 0, os.ErrClosed
	}
	left := r.end - r.at
	if left == 0 {
		return 0, io.EOF
	}
	n, err := r.f.ReadAt(p[:min(int64(len(p)), left)], r.at)
	r.at += int64(n)
	if n == 0 && err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF // the file has become shorter
		}
		r.failed.Store(&err)
		return 0, err
	}
	if now := time.Now(); r.at == r.end || now.Sub(r.last) >= sentEvery {
		r.last = now
		r.sent(r.size - (r.end - r.at))
	}
	return n, nil
}

func (r *counted) Close() error {
	r.cancelled.Store(true)
	return nil
}
