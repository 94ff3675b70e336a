package main

import (
	"time"

	"github.com/chunksign/chunksign/wasm/codec"
	"github.com/chunksign/chunksign/wasm/s3api"
	"github.com/chunksign/chunksign/wasm/sigv4"
	"github.com/chunksign/chunksign/wasm/upload"
)

var pool = upload.NewPool(6) // connections that browsers open to a host

func poolMax(r *codec.Reader, _ *codec.Writer) string {
	pool.SetMax(max(1, int(r.U32())))
	return ""
}

// poolRate bounds the bytes a second of all uploads; 0 for no bound.
func poolRate(r *codec.Reader, _ *codec.Writer) string {
	pool.SetRate(r.I64())
	return ""
}

func readConfig(r *codec.Reader) upload.Config {
	return upload.Config{
		File:     upload.File{Name: r.Str(), Type: r.Str(), Size: r.I64(), Modified: r.I64()},
		PartSize: r.I64(),
		Seed:     r.U64(),
		Stall:    time.Duration(r.I64()) * time.Millisecond,
		Origin:   r.Str(),
	}
}

// uploadNew answers the number of the new upload.
func uploadNew(r *codec.Reader, w *codec.Writer) string {
	w.U32(pool.Add(upload.New(readConfig(r))))
	return ""
}

func uploadRestore(r *codec.Reader, w *codec.Writer) string {
	c := readConfig(r)
	rec, ok := upload.DecodeRecord(r.Bytes())
	if !ok {
		return "the record is damaged or of another version"
	}
	u, err := upload.Restore(c, rec)
	if err != nil {
		return err.Error()
	}
	w.U32(pool.Add(u))
	return ""
}

// recordRead answers what a page shows of a record.
func recordRead(r *codec.Reader, w *codec.Writer) string {
	rec, ok := upload.DecodeRecord(r.Bytes())
	if !ok {
		return "the record is damaged or of another version"
	}
	w.Str(rec.File.Name)
	w.Str(rec.File.Type)
	w.I64(rec.File.Size)
	w.I64(rec.File.Modified)
	w.I64(rec.Begun.UnixMilli())
	w.I64(rec.Grant.Expires.UnixMilli())
	w.Str(rec.Grant.Target.Key)
	w.Str(rec.UploadID)
	return ""
}

// step gives an event to an upload, 0 for all, and answers the commands.
func step(r *codec.Reader, w *codec.Writer) string {
	now, id := readTime(r), r.U32()
	ev := readEvent(r)
	if ev == nil || r.Bad {
		return "no such event"
	}
	commands := pool.Step(now, id, ev)
	w.U32(uint32(len(commands)))
	for _, c := range commands {
		w.U32(c.Upload)
		writeCommand(w, c.Command)
	}
	return ""
}

// The events' numbers, as in web/src/engine.ts.
func readEvent(r *codec.Reader) upload.Event {
	switch r.U8() {
	case 1:
		return upload.Pause{Force: r.Bool()}
	case 2:
		return upload.Resume{}
	case 3:
		return upload.Cancel{}
	case 4:
		return upload.Stop{}
	case 5:
		return upload.Offline{}
	case 6:
		return upload.Online{}
	case 7:
		return upload.Tick{}
	case 8:
		return upload.Granted{ID: r.U32(), Grant: upload.DecodeGrant(r), Session: readSession(r), ServerTime: readTime(r)}
	case 9:
		return upload.Renewed{ID: r.U32(), Session: readSession(r), ServerTime: readTime(r)}
	case 10:
		return upload.Verified{ID: r.U32(), Object: readObject(r)}
	case 11:
		return upload.Refused{ID: r.U32(), Error: readError(r), RetryAfter: time.Duration(r.I64()) * time.Millisecond}
	case 12:
		e := upload.Hashed{ID: r.U32()}
		if sum := r.Bytes(); len(sum) == len(e.Digest) {
			copy(e.Digest[:], sum)
			return e
		}
		return nil
	case 13:
		return upload.Unreadable{ID: r.U32(), Message: r.Str()}
	case 14:
		return upload.Sent{ID: r.U32(), Bytes: r.I64()}
	case 15:
		return upload.Replied{ID: r.U32(), Reply: s3api.Reply{Status: int(r.U32()), ETag: r.Str(), RequestID: r.Str(), Body: r.Bytes()}}
	case 16:
		return upload.Lost{ID: r.U32()}
	case 17:
		return upload.SignedIn{}
	case 18:
		return upload.Jumped{}
	case 19:
		return upload.Exists{ID: r.U32(), Object: readObject(r)}
	case 21:
		return readTold(r)
	case 20:
		e := upload.Sampled{ID: r.U32()}
		if sum := r.Bytes(); len(sum) == len(e.Digest) {
			copy(e.Digest[:], sum)
			return e
		}
		return nil
	}
	return nil
}

func readTold(r *codec.Reader) upload.Told {
	e := upload.Told{ID: r.U32(), UploadID: r.Str(), Next: int(r.U32()), ETag: r.Str(), Gone: r.Bool(), Lasts: time.Duration(r.I64()) * time.Millisecond}
	for n := r.U32(); n > 0 && !r.Bad; n-- {
		number := int(r.U32())
		if url := r.Str(); url != "" {
			e.Links = append(e.Links, upload.Link{Part: number, URL: url, Header: upload.DecodeParams(r)})
			continue
		}
		p := s3api.ListedPart{PartNumber: number, Size: r.I64(), ETag: r.Str()}
		p.Checksum, p.HasSum = s3api.ParseDigest(r.Str())
		e.Parts = append(e.Parts, p)
	}
	return e
}

func readSession(r *codec.Reader) upload.Session {
	return upload.Session{
		Credentials: sigv4.Credentials{AccessKeyID: r.Str(), SecretAccessKey: r.Str(), SessionToken: r.Str()},
		Expires:     readTime(r),
	}
}

func readObject(r *codec.Reader) upload.Object {
	return upload.Object{Bucket: r.Str(), Key: r.Str(), ETag: r.Str(), VersionID: r.Str(), Checksum: r.Str(), URL: r.Str(), Size: r.I64()}
}

func readError(r *codec.Reader) upload.Error {
	return upload.Error{Code: r.Str(), Status: int(r.U32()), RequestID: r.Str(), Message: r.Str(), Retryable: r.Bool(), Part: int(r.U32())}
}

// The commands' numbers, as in web/src/engine.ts.
func writeCommand(w *codec.Writer, c upload.Command) {
	switch c := c.(type) {
	case upload.Ask:
		w.U8(1)
		w.U32(c.ID)
		w.Str(c.Checksum)
		w.I64(c.PartSize)
	case upload.Renew:
		w.U8(2)
		w.U32(c.ID)
		w.Str(c.Grant)
	case upload.Verify:
		w.U8(3)
		w.U32(c.ID)
		w.Str(c.Grant)
		w.Str(c.ETag)
	case upload.Hash:
		w.U8(4)
		w.U32(c.ID)
		w.I64(c.Offset)
		w.I64(c.Size)
	case upload.Send:
		w.U8(5)
		w.U32(c.ID)
		w.Str(c.Method)
		w.Str(c.URL)
		upload.EncodeParams(w, c.Header)
		w.Bytes(c.Body)
		w.I64(c.Offset)
		w.I64(c.Size)
		w.U32(uint32(c.Part))
	case upload.Multipart:
		w.U8(14)
		w.U32(c.ID)
		w.Str(c.Grant)
		w.Str(c.Op)
		w.Str(c.UploadID)
		w.U32(uint32(c.After))
		w.Bool(c.Renew)
		w.U32(uint32(len(c.Parts)))
		for _, p := range c.Parts {
			w.U32(uint32(p.Number))
			w.I64(p.Size)
			w.Str(p.Digest.Base64())
		}
	case upload.Drop:
		w.U8(6)
		w.U32(c.ID)
	case upload.Persist:
		w.U8(7)
		var rec codec.Writer
		c.Record.Encode(&rec)
		w.Bytes(rec.Buf)
	case upload.Forget:
		w.U8(8)
	case upload.Wake:
		w.U8(9)
		w.I64(c.At.Add(time.Millisecond - 1).UnixMilli()) // up: a Tick before its time does nothing
	case upload.Report:
		w.U8(10)
		writeProgress(w, &c.Progress)
	case upload.Finish:
		w.U8(11)
		w.Bool(c.Err == nil)
		if c.Err == nil {
			writeObject(w, &c.Object)
		} else {
			writeError(w, c.Err)
		}
	case upload.Sample:
		w.U8(12)
		w.U32(c.ID)
	case upload.Warn:
		w.U8(13)
		w.Str(c.Code)
		w.Str(c.Message)
	}
}

func writeProgress(w *codec.Writer, p *upload.Progress) {
	w.U8(uint8(p.State))
	w.I64(p.Total)
	w.I64(p.Sent)
	w.I64(p.Confirmed)
	w.U32(uint32(p.Parts))
	w.U32(uint32(p.PartsDone))
	w.I64(p.Speed)
	w.I64(p.Left)
	w.U32(uint32(p.Hashing))
	w.U32(uint32(p.Sending))
	w.U32(uint32(p.Waiting))
	writeError(w, &p.Trouble)
	if p.RetryAt.IsZero() {
		w.I64(0)
	} else {
		w.I64(p.RetryAt.UnixMilli())
	}
}

func writeObject(w *codec.Writer, o *upload.Object) {
	w.Str(o.Bucket)
	w.Str(o.Key)
	w.Str(o.ETag)
	w.Str(o.VersionID)
	w.Str(o.Checksum)
	w.Str(o.URL)
	w.I64(o.Size)
}

func writeError(w *codec.Writer, e *upload.Error) {
	w.Str(e.Code)
	w.U32(uint32(e.Status))
	w.Str(e.RequestID)
	w.Str(e.Message)
	w.Bool(e.Retryable)
	w.U32(uint32(e.Part))
}
