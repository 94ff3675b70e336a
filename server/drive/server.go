package drive

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/chunksign/chunksign/wasm/plan"
	"github.com/chunksign/chunksign/wasm/s3api"
	"github.com/chunksign/chunksign/wasm/sigv4"
	"github.com/chunksign/chunksign/wasm/upload"
)

// maxAnswer bounds an answer of the server, which is a few kilobytes, in bytes.
const maxAnswer = 1 << 20

// calls are one upload's calls to the chunksign server.
type calls struct {
	client *http.Client
	server Server
	agent  string
}

// grantReply is what POST …/uploads and /v1/uploads/credentials answer. Existing is
// the other answer to the first: the bytes are there.
type grantReply struct {
	Grant      string
	Expires    time.Time
	ServerTime time.Time
	Upload     struct {
		Bucket, Key, Region, Endpoint, Addressing string

		Headers   map[string]string
		Overwrite bool
		Existence bool
	}
	Parts       struct{ MinSize, MaxSize, MaxCount int64 }
	Signing     string
	Credentials struct { // not where Signing is "presigned"

		AccessKeyID, SecretAccessKey, SessionToken string

		Expiration time.Time
	}

	Exists bool
	objectReply
}

// objectReply is what /v1/uploads/complete answers.
type objectReply struct {
	Key       string
	Size      int64
	ETag      string
	VersionID string
	Checksum  *struct{ Algorithm, Value string }
	URL       string
}

// problem is RFC 9457, with the server's own code.
type problem struct{ Title, Detail, Code, RequestID string }

func (c *calls) ask(ctx context.Context, cmd upload.Ask, f File) upload.Event {
	type checksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"value"`
		PartSize  int64  `json:"partSize"`
	}
	body := struct {
		Name     string    `json:"name"`
		Type     string    `json:"type"`
		Size     int64     `json:"size"`
		Checksum *checksum `json:"checksum,omitempty"`
	}{Name: f.Name, Type: cmp.Or(f.Type, "application/octet-stream"), Size: f.Size}
	if cmd.Checksum != "" {
		body.Checksum = &checksum{"SHA256", cmd.Checksum, cmd.PartSize}
	}
	var r grantReply
	if ev := c.post(ctx, cmd.ID, "/v1/destinations/"+url.PathEscape(c.server.Destination)+"/uploads", body, &r); ev != nil {
		return ev
	}
	if r.Exists {
		return upload.Exists{ID: cmd.ID, Object: r.object()}
	}
	return upload.Granted{ID: cmd.ID, Grant: r.grant(), Session: r.session(), ServerTime: r.ServerTime}
}

func (c *calls) renew(ctx context.Context, cmd upload.Renew) upload.Event {
	var r grantReply
	if ev := c.post(ctx, cmd.ID, "/v1/uploads/credentials", map[string]string{"grant": cmd.Grant}, &r); ev != nil {
		return ev
	}
	return upload.Renewed{ID: cmd.ID, Session: r.session(), ServerTime: r.ServerTime}
}

func (c *calls) verify(ctx context.Context, cmd upload.Verify) upload.Event {
	body := map[string]string{"grant": cmd.Grant}
	if cmd.ETag != "" {
		body["etag"] = cmd.ETag
	}
	var r objectReply
	if ev := c.post(ctx, cmd.ID, "/v1/uploads/complete", body, &r); ev != nil {
		return ev
	}
	return upload.Verified{ID: cmd.ID, Object: r.object()}
}

// post sends body and reads the answer into reply, or says as an event why not.
func (c *calls) post(ctx context.Context, id uint32, path string, body, reply any) upload.Event {
	data, err := json.Marshal(body)
	if err != nil {
		return refused(id, upload.Error{Code: "field_invalid", Status: 400, Message: err.Error()}, 0)
	}
	token, err := c.token()
	if err != nil {
		return refused(id, upload.Error{Code: "token_failed", Status: 401, Message: err.Error()}, 0)
	}
	status, header, text, err := c.exchange(ctx, path, data, token)
	if err == nil && status == http.StatusUnauthorized {
		// The token may have been replaced since it was read.
		if newer, tokenErr := c.token(); tokenErr == nil && newer != token {
			status, header, text, err = c.exchange(ctx, path, data, newer)
		}
	}
	if err != nil {
		return noReply(id, c.server.URL, err)
	}
	wait := retryAfter(header.Get("Retry-After"), time.Now())
	if status >= 200 && status < 300 {
		if err := json.Unmarshal(text, reply); err == nil {
			return nil
		}
		status = http.StatusBadGateway
	} else {
		var p problem
		if json.Unmarshal(text, &p) == nil && p.Code != "" {
			return refused(id, upload.Error{Code: p.Code, Status: status, RequestID: p.RequestID, Message: cmp.Or(p.Detail, p.Title)}, wait)
		}
	}
	return refused(id, upload.Error{Code: "http_error", Status: status,
		Message: fmt.Sprintf("%s%s answered HTTP %d with something that is not the server's JSON; is -server a chunksign server's address?", c.server.URL, path, status)}, wait)
}

func (c *calls) token() (string, error) {
	if c.server.Token == nil {
		return "", nil
	}
	return c.server.Token()
}

func (c *calls) exchange(ctx context.Context, path string, body []byte, token string) (status int, header http.Header, text []byte, err error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, c.server.URL+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("User-Agent", c.agent)
	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := c.client.Do(q)
	if err != nil {
		return 0, nil, nil, err
	}
	defer answer.Body.Close()
	text, err = io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	return answer.StatusCode, answer.Header, text, err
}

func refused(id uint32, e upload.Error, wait time.Duration) upload.Event {
	e.Retryable = e.Status == 408 || e.Status == 429 || e.Status >= 500
	return upload.Refused{ID: id, Error: e, RetryAfter: wait}
}

// retryAfter reads RFC 9110, section 10.2.3: seconds, or a date. An hour at most.
func retryAfter(value string, now time.Time) time.Duration {
	var wait time.Duration
	if s, err := strconv.ParseUint(value, 10, 31); err == nil {
		wait = time.Duration(s) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now)
	}
	return min(max(0, wait), time.Hour)
}

func (r *grantReply) grant() upload.Grant {
	u := &r.Upload
	g := upload.Grant{
		Token: r.Grant, Expires: r.Expires, Existence: u.Existence, Presigned: r.Signing == "presigned",
		Target: s3api.Target{Endpoint: u.Endpoint, Bucket: u.Bucket, Key: u.Key, Region: u.Region, Virtual: u.Addressing == "virtual", Overwrite: u.Overwrite},
		Limits: plan.Limits{MinPartSize: r.Parts.MinSize, MaxPartSize: r.Parts.MaxSize, MaxParts: r.Parts.MaxCount},
	}
	g.Target.Header = params(u.Headers)
	return g
}

func params(headers map[string]string) (p []sigv4.Param) {
	for name, value := range headers {
		p = append(p, sigv4.Param{Name: name, Value: value})
	}
	return p
}

func (r *grantReply) session() upload.Session {
	c := &r.Credentials
	return upload.Session{
		Credentials: sigv4.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken},
		Expires:     c.Expiration,
	}
}

// object leaves the bucket to the engine, which has the grant.
func (r *objectReply) object() upload.Object {
	o := upload.Object{Key: r.Key, Size: r.Size, ETag: r.ETag, VersionID: r.VersionID, URL: r.URL}
	if r.Checksum != nil {
		o.Checksum = r.Checksum.Algorithm + ":" + r.Checksum.Value
	}
	return o
}
