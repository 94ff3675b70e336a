package upload

import (
	"time"

	"github.com/chunksign/chunksign/wasm/s3api"
	"github.com/chunksign/chunksign/wasm/sigv4"
)

// Event is what happened. The types below are all there are.
type Event interface{ event() }

// What the user, the page or the pool wants.
type (
	// Lanes says how many requests for parts may be under way. An upload has
	// none until it is told.
	Lanes struct{ N int }
	// Pause starts nothing new. Parts under way finish, unless Force drops them.
	Pause struct{ Force bool }
	// Resume ends Pause, and tries again where the server wanted a sign-in.
	Resume struct{}
	// SignedIn says that the server may be asked again: it wanted a sign-in.
	SignedIn struct{}
	// Cancel ends the upload and removes what the store has of it.
	Cancel struct{}
	// Stop ends the upload here and keeps what the store has, and the Record.
	Stop struct{}
	// Offline and Online are the browser's word on its network.
	Offline struct{}
	Online  struct{}
	// Tick is the time that Wake asked for.
	Tick struct{}
	// Jumped says that the clock on the wall no longer agrees with the monotonic
	// one that Step is given: the machine slept, or its clock was set.
	Jumped struct{}
)

// What came of a Command, by its ID.
type (
	// Granted answers Ask. ServerTime is the server's clock at its reply.
	Granted struct {
		ID         uint32
		Grant      Grant
		Session    Session
		ServerTime time.Time
	}
	// Exists answers an Ask with a Checksum: the very bytes are there.
	Exists struct {
		ID     uint32
		Object Object
	}
	// Renewed answers Renew.
	Renewed struct {
		ID         uint32
		Session    Session
		ServerTime time.Time
	}
	// Verified answers Verify: the server has seen the object.
	Verified struct {
		ID     uint32
		Object Object
	}
	// Refused answers Ask, Renew or Verify: the server said no, or not now.
	Refused struct {
		ID         uint32
		Error      Error
		RetryAfter time.Duration // 0 for none said
	}
	// Hashed answers Hash.
	Hashed struct {
		ID     uint32
		Digest s3api.Digest
	}
	// Sampled answers Sample.
	Sampled struct {
		ID     uint32
		Digest s3api.Digest
	}
	// Unreadable answers Hash or Sample where the file could not be read.
	Unreadable struct {
		ID      uint32
		Message string
	}
	// Sent says how many bytes of a Send's body have gone out so far.
	Sent struct {
		ID    uint32
		Bytes int64
	}
	// Replied answers Send.
	Replied struct {
		ID    uint32
		Reply s3api.Reply
	}
	// Told answers Multipart: what the store said to the server, by the Op.
	Told struct {
		ID       uint32
		UploadID string             // "create"
		Parts    []s3api.ListedPart // "list"
		Next     int                // "list": to go on after this part, 0 for the last page
		ETag     string             // "complete"
		Gone     bool               // "abort": the store no longer knows the upload
		Links    []Link             // "parts"
		Lasts    time.Duration      // "parts": of the Links, since they were asked for at the earliest
	}
	// Lost answers any call whose reply did not come: the connection failed, a
	// name did not resolve, CORS forbade reading it.
	Lost struct{ ID uint32 }
)

// Link is a presigned request for a part's bytes, or for the PutObject of all.
type Link struct {
	Part   int // from 1
	URL    string
	Header []sigv4.Param // to be sent as they are
}

// Object is the finished object, as the server saw it.
type Object struct {
	Bucket    string
	Key       string
	ETag      string
	VersionID string
	Checksum  string // "sha256:…" as the store words it, "" where it keeps none
	URL       string // where the principal may read it, "" where it may not
	Size      int64
}

func (Lanes) event()      {}
func (Pause) event()      {}
func (Resume) event()     {}
func (Cancel) event()     {}
func (Stop) event()       {}
func (Offline) event()    {}
func (Online) event()     {}
func (SignedIn) event()   {}
func (Tick) event()       {}
func (Jumped) event()     {}
func (Exists) event()     {}
func (Sampled) event()    {}
func (Granted) event()    {}
func (Renewed) event()    {}
func (Verified) event()   {}
func (Refused) event()    {}
func (Hashed) event()     {}
func (Unreadable) event() {}
func (Sent) event()       {}
func (Replied) event()    {}
func (Told) event()       {}
func (Lost) event()       {}
