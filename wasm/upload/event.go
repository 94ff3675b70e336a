package upload

import (
	"time"

	"github.com/chunksign/chunksign/wasm/s3api"
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
	// Cancel ends the upload and removes what the store has of it.
	Cancel struct{}
	// Stop ends the upload here and keeps what the store has, and the Record.
	Stop struct{}
	// Offline and Online are the browser's word on its network.
	Offline struct{}
	Online  struct{}
	// Tick is the time that Wake asked for.
	Tick struct{}
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
	// Unreadable answers Hash where the file could not be read.
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
	// Lost answers any call whose reply did not come: the connection failed, a
	// name did not resolve, CORS forbade reading it.
	Lost struct{ ID uint32 }
)

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
func (Tick) event()       {}
func (Granted) event()    {}
func (Renewed) event()    {}
func (Verified) event()   {}
func (Refused) event()    {}
func (Hashed) event()     {}
func (Unreadable) event() {}
func (Sent) event()       {}
func (Replied) event()    {}
func (Lost) event()       {}
