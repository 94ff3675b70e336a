package drive

import (
	"context"
	"time"

	"github.com/chunksign/chunksign/wasm/s3api"
	"github.com/chunksign/chunksign/wasm/upload"
)

// multipartBody is what POST /v1/uploads/parts and /v1/uploads/multipart take.
type multipartBody struct {
	Grant    string  `json:"grant"`
	Op       string  `json:"op,omitempty"`
	UploadID string  `json:"uploadId,omitempty"`
	After    int     `json:"after,omitempty"`
	Parts    []piece `json:"parts,omitempty"`
	Renew    bool    `json:"renew,omitempty"`
}

type piece struct {
	PartNumber int    `json:"partNumber"`
	Size       int64  `json:"size"`
	SHA256     string `json:"sha256"`
}

// multipartReply is what they answer.
type multipartReply struct {
	UploadID string
	Parts    []struct {
		PartNumber   int
		Size         int64
		ETag, SHA256 string

		URL     string
		Headers map[string]string
	}
	Next                int
	ETag                string
	Gone                bool
	Expires, ServerTime time.Time
}

// multipart has the server sign for parts, or make one of the calls of a
// multipart upload itself.
func (c *calls) multipart(ctx context.Context, cmd upload.Multipart) upload.Event {
	body := multipartBody{Grant: cmd.Grant, Op: cmd.Op, UploadID: cmd.UploadID, After: cmd.After, Renew: cmd.Renew}
	for _, p := range cmd.Parts {
		body.Parts = append(body.Parts, piece{p.Number, p.Size, p.Digest.Base64()})
	}
	path := "/v1/uploads/multipart"
	if cmd.Op == "parts" {
		path, body.Op = "/v1/uploads/parts", ""
	}
	var r multipartReply
	if ev := c.post(ctx, cmd.ID, path, body, &r); ev != nil {
		return ev
	}
	told := upload.Told{ID: cmd.ID, UploadID: r.UploadID, Next: r.Next, ETag: quoted(r.ETag), Gone: r.Gone, Lasts: r.Expires.Sub(r.ServerTime)}
	for _, p := range r.Parts {
		if p.URL != "" {
			told.Links = append(told.Links, upload.Link{Part: p.PartNumber, URL: p.URL, Header: params(p.Headers)})
			continue
		}
		listed := s3api.ListedPart{PartNumber: p.PartNumber, Size: p.Size, ETag: quoted(p.ETag)}
		listed.Checksum, listed.HasSum = s3api.ParseDigest(p.SHA256)
		told.Parts = append(told.Parts, listed)
	}
	return told
}

// quoted is an ETag as the store itself gives it.
func quoted(etag string) string {
	if etag == "" {
		return ""
	}
	return `"` + etag + `"`
}
