package main

import (
	"time"

	"github.com/chunksign/chunksign/wasm/codec"
	"github.com/chunksign/chunksign/wasm/s3api"
	"github.com/chunksign/chunksign/wasm/sha256"
	"github.com/chunksign/chunksign/wasm/sigv4"
	"github.com/chunksign/chunksign/wasm/upload"
)

// pageSigner is what createSigner made: credentials, and the object that
// signChunk signs parts of.
type pageSigner struct {
	signer *sigv4.Signer
	target s3api.Target
}

var (
	signers table[pageSigner]
	hashes  table[sha256.Digest]
)

func signerNew(r *codec.Reader, w *codec.Writer) string {
	c := sigv4.Credentials{AccessKeyID: r.Str(), SecretAccessKey: r.Str(), SessionToken: r.Str()}
	p := &pageSigner{target: s3api.Target{Region: r.Str(), Endpoint: r.Str(), Bucket: r.Str(), Key: r.Str(), Virtual: r.Bool()}}
	p.signer = sigv4.New(c, p.target.Region)
	w.U32(signers.add(p))
	return ""
}

func signerFree(r *codec.Reader, _ *codec.Writer) string {
	signers.remove(r.U32())
	return ""
}

const noSigner = "the signer was closed"

func readRequest(r *codec.Reader) sigv4.Request {
	return sigv4.Request{
		Method: r.Str(), Host: r.Str(), Path: r.Str(),
		Query: upload.DecodeParams(r), Header: upload.DecodeParams(r), PayloadHash: r.Str(),
	}
}

// sign answers the request target as it must be sent, and the headers to add.
func sign(r *codec.Reader, w *codec.Writer) string {
	p, now, req := signers.get(r.U32()), readTime(r), readRequest(r)
	if p == nil {
		return noSigner
	}
	target := sigv4.EscapePath(req.Path)
	if len(req.Query) > 0 {
		target += "?" + sigv4.EscapeQuery(req.Query)
	}
	w.Str(target)
	upload.EncodeParams(w, p.signer.Sign(&req, now))
	return ""
}

// presign answers the request target with the signature in its query.
func presign(r *codec.Reader, w *codec.Writer) string {
	p, now, req, seconds := signers.get(r.U32()), readTime(r), readRequest(r), r.U32()
	if p == nil {
		return noSigner
	}
	w.Str(p.signer.Presign(&req, now, time.Duration(seconds)*time.Second))
	return ""
}

// signChunk answers a part's URL and its headers.
func signChunk(r *codec.Reader, w *codec.Writer) string {
	p, now := signers.get(r.U32()), readTime(r)
	uploadID, part, sum := r.Str(), int(r.U32()), r.Bytes()
	if p == nil {
		return noSigner
	}
	var d s3api.Digest
	if copy(d[:], sum) != len(d) || len(sum) != len(d) {
		return "a SHA-256 has 32 bytes"
	}
	req := p.target.UploadPart(uploadID, part, d)
	w.Str(p.target.URL(&req))
	upload.EncodeParams(w, append(req.Header, p.signer.Sign(&req, now)...))
	return ""
}

// The hash ops are for pages without crypto.subtle, which browsers keep from
// plain http, and for parts too large to hold in memory.

func hashNew(_ *codec.Reader, w *codec.Writer) string {
	h := sha256.New()
	w.U32(hashes.add(&h))
	return ""
}

func hashWrite(r *codec.Reader, _ *codec.Writer) string {
	h := hashes.get(r.U32())
	if h == nil {
		return "no such hash"
	}
	n := int(r.U32())
	if n > len(r.Buf) {
		return "the message is shorter than its bytes"
	}
	h.Write(r.Buf[:n])
	r.Buf = r.Buf[n:]
	return ""
}

func hashSum(r *codec.Reader, w *codec.Writer) string {
	n := r.U32()
	h := hashes.get(n)
	if h == nil {
		return "no such hash"
	}
	sum := h.Sum()
	w.Bytes(sum[:])
	hashes.remove(n)
	return ""
}
