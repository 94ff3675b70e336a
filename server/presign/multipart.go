package presign

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/wasm/s3api"
	"github.com/chunksign/chunksign/wasm/sigv4"
)

// Caller is a destination.MultipartCaller. Nothing is tried twice: who asked
// the server can ask again.
type Caller struct {
	Client *http.Client
	Now    func() time.Time
}

// NewCaller makes a Caller. Redirects are not followed: they would be signed
// for another host.
func NewCaller(now func() time.Time) *Caller {
	return &Caller{Now: now, Client: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// How long a call may take. S3 may put parts together for minutes
// (AmazonS3/latest/API/API_CompleteMultipartUpload.html).
const (
	callTimeout     = 20 * time.Second
	CompleteTimeout = 5 * time.Minute
)

// maxReply is far above what a list of 1,000 parts takes, in bytes.
const maxReply = 4 << 20

// Create implements destination.MultipartCaller.
func (c *Caller) Create(ctx context.Context, by destination.Session, w destination.Write) (string, error) {
	t := target(w)
	reply, err := c.call(ctx, by, w, t, t.CreateMultipartUpload(), nil, callTimeout)
	if err != nil {
		return "", err
	}
	id, refused := reply.Created()
	return id, refusal(refused)
}

// List implements destination.MultipartCaller.
func (c *Caller) List(ctx context.Context, by destination.Session, w destination.Write, uploadID string, after int) ([]destination.Part, int, error) {
	t := target(w)
	reply, err := c.call(ctx, by, w, t, t.ListParts(uploadID, after), nil, callTimeout)
	if err != nil {
		return nil, 0, err
	}
	listed, next, refused := reply.Listed()
	parts := make([]destination.Part, 0, len(listed))
	for _, p := range listed {
		part := destination.Part{Number: p.PartNumber, Size: p.Size, ETag: p.ETag}
		if p.HasSum {
			part.SHA256 = p.Checksum.Base64()
		}
		parts = append(parts, part)
	}
	return parts, next, refusal(refused)
}

// Complete implements destination.MultipartCaller.
func (c *Caller) Complete(ctx context.Context, by destination.Session, w destination.Write, uploadID string, parts []destination.Part) (string, error) {
	completed := make([]s3api.CompletedPart, len(parts))
	for i, p := range parts {
		digest, _ := s3api.ParseDigest(p.SHA256) // as the store said it, or not at all
		completed[i] = s3api.CompletedPart{PartNumber: p.Number, ETag: p.ETag, Checksum: digest}
	}
	t := target(w)
	r, body := t.CompleteMultipartUpload(uploadID, completed, w.Size)
	reply, err := c.call(ctx, by, w, t, r, body, CompleteTimeout)
	if err != nil {
		return "", err
	}
	etag, refused := reply.Completed()
	return etag, refusal(refused)
}

// Abort implements destination.MultipartCaller.
func (c *Caller) Abort(ctx context.Context, by destination.Session, w destination.Write, uploadID string) (bool, error) {
	t := target(w)
	reply, err := c.call(ctx, by, w, t, t.AbortMultipartUpload(uploadID), nil, callTimeout)
	if err != nil {
		return false, err
	}
	if refused := reply.Check(); refused != nil && !unknown(refused) {
		return false, refusal(refused)
	}
	if reply, err = c.call(ctx, by, w, t, t.ListParts(uploadID, 0), nil, callTimeout); err != nil {
		return false, err
	}
	refused := reply.Check()
	return refused != nil && unknown(refused), nil
}

// unknown says that the store does not know an upload. Ceph's radosgw calls it its key.
func unknown(e *s3api.Error) bool { return e.Code == "NoSuchUpload" || e.Code == "NoSuchKey" }

func target(w destination.Write) *s3api.Target {
	return &s3api.Target{
		Endpoint: w.Store.BaseURL(), Bucket: w.Bucket, Key: w.Key, Region: w.Store.Region, Virtual: w.Store.AddressingOf(w.Bucket) == "virtual",
		Header: params(w.Header), Overwrite: w.Overwrite,
	}
}

// call signs a request, sends it, and reads what comes back.
func (c *Caller) call(ctx context.Context, by destination.Session, w destination.Write, t *s3api.Target, r sigv4.Request, body []byte, timeout time.Duration) (*s3api.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, r.Method, t.URL(&r), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for _, h := range append(r.Header, signer(by, w.Store).Sign(&r, c.Now())...) {
		q.Header.Set(h.Name, h.Value)
	}
	answer, err := cmp.Or(w.Store.Client, c.Client).Do(q)
	if err != nil {
		return nil, unavailable(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxReply))
	if err != nil {
		return nil, unavailable(err)
	}
	return &s3api.Reply{Status: answer.StatusCode, ETag: answer.Header.Get("ETag"), RequestID: answer.Header.Get("x-amz-request-id"), Body: text}, nil
}

func unavailable(err error) error {
	return &destination.Error{Code: destination.StoreUnavailable, Err: err, Detail: "the store could not be reached, or did not answer to the end; try again"}
}

// refusal says in the domain's words why the store said no
// (AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList).
func refusal(e *s3api.Error) error {
	if e == nil {
		return nil
	}
	out := &destination.Error{Code: destination.StoreUnavailable, Err: fmt.Errorf("%w (request %s)", e, e.RequestID), Detail: "the store answered with an error of its own; try again"}
	switch {
	case e.Code == "NoSuchUpload":
		out.Code, out.Field, out.Detail = destination.UploadMissing, "uploadId", "the store has no such multipart upload: it was completed or aborted; ask for its completion, or start the upload again"
	case e.Status == http.StatusPreconditionFailed:
		out.Code, out.Detail = destination.KeyTaken, "an object has this key by now, and this destination does not let it be replaced; ask for the upload's completion, or start again with another name"
	case e.Code == "ConditionalRequestConflict":
		out.Code, out.Detail = destination.WriteConflict, "another write of this key was under way; abort the multipart upload and begin it again (AmazonS3/latest/API/API_CompleteMultipartUpload.html)"
	case e.Code == "InvalidPart" || e.Code == "InvalidPartOrder" || e.Code == "EntityTooSmall" || e.Code == "EntityTooLarge" || e.Code == "InvalidRequest" || e.Code == "BadDigest":
		out.Code, out.Detail = destination.PartsRefused, "the store does not take these parts ("+e.Code+"); list them, send what is missing or too small again, and complete again"
	case e.Status >= 400 && e.Status < 500 && e.Status != http.StatusConflict && e.Status != http.StatusTooManyRequests && e.Status != http.StatusRequestTimeout:
		out.Code, out.Detail = destination.StoreRefused, "the store refused ("+e.Code+") what the upload's session may do; the server's log says more to its admin"
	}
	return out
}
