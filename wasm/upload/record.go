package upload

import (
	"time"

	"github.com/chunksign/chunksign/wasm/codec"
	"github.com/chunksign/chunksign/wasm/plan"
	"github.com/chunksign/chunksign/wasm/s3api"
	"github.com/chunksign/chunksign/wasm/sigv4"
)

// Record is what the journal keeps of an upload: enough to find it at the
// store again. It holds the grant, and never credentials.
type Record struct {
	File      File
	Grant     Grant
	UploadID  string
	PartSize  int64 // bytes
	Completed bool  // a CompleteMultipartUpload was sent
	Sample    s3api.Digest
	Begun     time.Time
}

const recordVersion = 3

func (u *Upload) persist() {
	u.recorded = true
	u.emit(Persist{Record: Record{
		File: u.cfg.File, Grant: u.grant, UploadID: u.uploadID,
		PartSize: u.plan.PartSize, Completed: u.completed, Sample: u.sample, Begun: u.begun,
	}})
}

// Encode writes r in the codec's form.
func (r *Record) Encode(w *codec.Writer) {
	w.U8(recordVersion)
	w.Str(r.File.Name)
	w.Str(r.File.Type)
	w.I64(r.File.Size)
	w.I64(r.File.Modified)
	r.Grant.Encode(w)
	w.Str(r.UploadID)
	w.I64(r.PartSize)
	w.Bool(r.Completed)
	w.Bytes(r.Sample[:])
	w.I64(r.Begun.UnixMilli())
}

// DecodeRecord reads what Encode wrote; ok is false for anything else.
func DecodeRecord(b []byte) (r Record, ok bool) {
	c := codec.Reader{Buf: b}
	if c.U8() != recordVersion {
		return r, false
	}
	r.File.Name = c.Str()
	r.File.Type = c.Str()
	r.File.Size = c.I64()
	r.File.Modified = c.I64()
	r.Grant = DecodeGrant(&c)
	r.UploadID = c.Str()
	r.PartSize = c.I64()
	r.Completed = c.Bool()
	if sum := c.Bytes(); len(sum) == len(r.Sample) {
		copy(r.Sample[:], sum)
	} else {
		c.Bad = true
	}
	r.Begun = time.UnixMilli(c.I64())
	return r, !c.Bad && len(c.Buf) == 0 && r.File.Size >= 0 && r.PartSize > 0
}

// Encode writes g in the codec's form.
func (g *Grant) Encode(w *codec.Writer) {
	w.Str(g.Token)
	w.I64(g.Expires.UnixMilli())
	w.Str(g.Target.Endpoint)
	w.Str(g.Target.Bucket)
	w.Str(g.Target.Key)
	w.Str(g.Target.Region)
	w.Bool(g.Target.Virtual)
	w.Bool(g.Target.Overwrite)
	EncodeParams(w, g.Target.Header)
	w.Bool(g.Existence)
	w.Bool(g.Presigned)
	w.I64(g.Limits.MinPartSize)
	w.I64(g.Limits.MaxPartSize)
	w.I64(g.Limits.MaxParts)
}

// DecodeGrant reads what Grant.Encode wrote.
func DecodeGrant(c *codec.Reader) (g Grant) {
	g.Token = c.Str()
	g.Expires = time.UnixMilli(c.I64())
	g.Target = s3api.Target{Endpoint: c.Str(), Bucket: c.Str(), Key: c.Str(), Region: c.Str(), Virtual: c.Bool(), Overwrite: c.Bool()}
	g.Target.Header = DecodeParams(c)
	g.Existence = c.Bool()
	g.Presigned = c.Bool()
	g.Limits = plan.Limits{MinPartSize: c.I64(), MaxPartSize: c.I64(), MaxParts: c.I64()}
	return g
}

// EncodeParams writes a count, then names and values.
func EncodeParams(w *codec.Writer, ps []sigv4.Param) {
	w.U32(uint32(len(ps)))
	for _, p := range ps {
		w.Str(p.Name)
		w.Str(p.Value)
	}
}

// DecodeParams reads what EncodeParams wrote.
func DecodeParams(c *codec.Reader) []sigv4.Param {
	var ps []sigv4.Param
	for n := c.U32(); n > 0 && !c.Bad; n-- {
		ps = append(ps, sigv4.Param{Name: c.Str(), Value: c.Str()})
	}
	return ps
}
