package upload

import (
	"time"

	"github.com/chunksign/chunksign/wasm/s3api"
	"github.com/chunksign/chunksign/wasm/sigv4"
)

// Command is what to do. The types below are all there are.
type Command interface{ command() }

// Calls, each answered by an Event with the same ID.
type (
	// Ask is POST /v1/destinations/{d}/uploads. Answered by Granted, Exists,
	// Refused or Lost. Checksum is the whole object's, where the grant before
	// said Existence: what HeadObject calls ChecksumSHA256 for parts of PartSize.
	Ask struct {
		ID       uint32
		Checksum string // base64, with "-N" where the object has N parts; "" when asking first
		PartSize int64  // bytes
	}
	// Renew is POST /v1/uploads/credentials. Answered by Renewed, Refused or Lost.
	Renew struct {
		ID    uint32
		Grant string
	}
	// Verify is POST /v1/uploads/complete. Answered by Verified, Refused or Lost.
	Verify struct {
		ID    uint32
		Grant string
		ETag  string // "" where the store's reply was lost
	}
	// Hash wants the SHA-256 of a range. Answered by Hashed or Unreadable.
	Hash struct {
		ID     uint32
		Offset int64
		Size   int64
	}
	// Sample wants the SHA-256 of a few blocks of the file (see SampleBlocks), by
	// which it is known again. Answered by Sampled or Unreadable.
	Sample struct{ ID uint32 }
	// Send is a signed request to the store. Its body is Body, or Size bytes of
	// the file from Offset. Answered by Sent, then Replied or Lost.
	Send struct {
		ID     uint32
		Method string
		URL    string
		Header []sigv4.Param
		Body   []byte
		Offset int64
		Size   int64
		Part   int // the part that the range is, 0 for a request with no range
	}
	// Multipart has the server sign for parts, or make one of the calls of a
	// multipart upload that carry none of the file's bytes: POST /v1/uploads/parts
	// or, for all other Ops, /v1/uploads/multipart. Answered by Told, Refused or Lost.
	Multipart struct {
		ID       uint32
		Grant    string
		Op       string // "parts"; "create", "list", "complete", "abort"
		UploadID string // "" to create; and for "parts" where the file goes as one PutObject
		After    int    // of "list": only the parts after this one
		Parts    []Piece
		Renew    bool // of "parts": the store has refused what was signed before
	}
	// Drop ends a call; its answer, should it still come, does not matter.
	Drop struct{ ID uint32 }
)

// Piece is a part as Multipart tells of it.
type Piece struct {
	Number int   // from 1
	Size   int64 // bytes
	Digest s3api.Digest
}

// The rest has no answer.
type (
	// Persist puts the Record in the journal, in place of the one before.
	Persist struct{ Record Record }
	// Forget takes it out.
	Forget struct{}
	// Wake wants a Tick at At; it replaces the Wake before. The zero time: no Tick.
	Wake struct{ At time.Time }
	// Warn is said once to whoever looks after the page or the store.
	Warn struct {
		Code    string // "etag_not_exposed"
		Message string
	}
	// Report is for showing.
	Report struct{ Progress Progress }
	// Finish is the last Command: Object is set, or Err.
	Finish struct {
		Object Object
		Err    *Error
		Forget bool // with Err: nothing of the upload is left at the store
	}
)

// State is an upload's condition in a word that a page can show.
type State uint8

const (
	Queued     State = iota // waits for its turn
	Preparing               // asks for a grant, or looks at what the store has
	Uploading               // parts are on their way
	Paused                  // by the user
	OfflineNow              // by the browser's word
	NeedsAuth               // the server wants a sign-in; Resume tries again
	Finishing               // the store puts the parts together, the server looks at the object
	Cancelling              // what the store has is being removed
	Done
	Failed
	Cancelled
)

// Progress is what a page shows of an upload.
type Progress struct {
	State     State
	Total     int64 // bytes in the file
	Sent      int64 // bytes that have left, of parts confirmed or under way
	Confirmed int64 // bytes that the store has confirmed
	Parts     int
	PartsDone int
	Speed     int64 // bytes a second, smoothed; 0 while unknown
	Left      int64 // seconds to the end at that speed; -1 while unknown
	Hashing   int   // parts being read
	Sending   int   // parts under way
	Waiting   int   // parts that failed and wait for their next try

	Trouble Error     // what is tried again, or waits for a sign-in; no Code: nothing
	RetryAt time.Time // when, if Trouble waits
}

// The blocks that Sample is about: SampleBlocks of SampleSize bytes, the first
// at the file's beginning, the last at its end, the others evenly between, in
// order. Of a file no larger than all of them, every byte once.
const (
	SampleBlocks = 16
	SampleSize   = 4096 // bytes
)

func (Ask) command()       {}
func (Renew) command()     {}
func (Verify) command()    {}
func (Hash) command()      {}
func (Sample) command()    {}
func (Warn) command()      {}
func (Send) command()      {}
func (Multipart) command() {}
func (Drop) command()      {}
func (Persist) command()   {}
func (Forget) command()    {}
func (Wake) command()      {}
func (Report) command()    {}
func (Finish) command()    {}
