//go:build js && wasm

// Command keeper is the wasm module that keeps the journal of unfinished
// uploads in IndexedDB. web/src/keeper.ts runs it in a worker.
//
// The page asks buffer for memory, writes a message there and calls post. One
// goroutine handles the messages in their order, waits for IndexedDB as long as it
// takes, and answers each by the imported function chunksign.notify. In the
// fields of package codec:
//
//	a request       u32 id, chosen by the page; u8 op; then by op:
//	  open    1     str database, str factory     → nothing
//	  put     2     str id, bytes record          → nothing
//	  get     3     str id                        → bool found, bytes record
//	  list    4                                   → u32 n, n × (str id, u8 state, bytes record | str error)
//	  remove  5     str id                        → nothing
//	a reply         u8 status; where that is 1, what the op gives; else a str error
//
// open comes first. Its factory is the name of a global object with an open
// method like IDBFactory's, by which the page gets hold of the
// connection and can close it when this module is dead.
//
// The module is thrown away and started again at any time: TinyGo cannot recover
// from a panic, and never frees a reference to a JavaScript object.
package main

import (
	"context"
	"errors"
	"syscall/js"
	"unsafe"

	"github.com/hack-pad/go-indexeddb/idb"
	"github.com/hack-pad/hackpadfs/indexeddb"

	"github.com/chunksign/chunksign/wasm/codec"
	"github.com/chunksign/chunksign/wasm/journal"
)

const (
	opOpen   = 1
	opPut    = 2
	opGet    = 3
	opList   = 4
	opRemove = 5
)

// The status of a reply.
const (
	statusFailed = 0
	statusOK     = 1
	statusNoRoom = 2 // nothing more can be kept; what is there can be read and removed
)

// The state of a record in a list.
const (
	stateGood    = 0
	stateDamaged = 1 // set aside
	stateNewer   = 2 // set aside
	stateUnread  = 3 // IndexedDB's own error; the record is where it was
)

var (
	errNotOpen = errors.New("keeper: no journal is open; send open first")
	errMessage = errors.New("keeper: not a request; see the module's description")
)

// message is the memory in which the page writes its requests, one at a time.
var message []byte

// requests has those that were posted and not yet handled.
var requests = make(chan []byte, 16)

//go:wasmimport chunksign notify
func notify(id uint32, at unsafe.Pointer, n uint32)

func main() {
	go serve()
	select {}
}

// memory returns where n bytes of a request may be written.
func memory(n int32) unsafe.Pointer {
	if int(n) > len(message) || message == nil {
		message = make([]byte, max(int(n), 4096))
	}
	return unsafe.Pointer(&message[0])
}

// accept takes the first n bytes of memory as a request; 0 means that too many are
// waiting.
func accept(n int32) int32 {
	select {
	case requests <- append([]byte(nil), message[:n]...):
		return 1
	default:
		return 0
	}
}

func serve() {
	var j *journal.Journal
	for request := range requests {
		in := codec.Reader{Buf: request}
		id := in.U32()
		out := codec.Writer{Buf: []byte{statusOK}}
		var err error
		if op := in.U8(); op == opOpen {
			j, err = open(in.Str(), in.Str())
		} else if j == nil {
			err = errNotOpen
		} else {
			err = handle(j, op, &in, &out)
		}
		if err != nil {
			out.Buf = []byte{status(err)}
			out.Str(err.Error())
		}
		notify(id, unsafe.Pointer(&out.Buf[0]), uint32(len(out.Buf)))
	}
}

func open(database, factory string) (*journal.Journal, error) {
	f, err := idb.WrapFactory(js.Global().Get(factory))
	if err != nil {
		return nil, err
	}
	fs, err := indexeddb.NewFS(context.Background(), database, indexeddb.Options{Factory: f})
	if err != nil {
		return nil, err
	}
	return journal.New(fs)
}

func handle(j *journal.Journal, op uint8, in *codec.Reader, out *codec.Writer) error {
	var id string
	var record []byte
	if op != opList {
		id = in.Str()
	}
	if op == opPut {
		record = in.Bytes()
	}
	if in.Bad {
		return errMessage
	}
	switch op {
	case opPut:
		return j.Put(id, record)
	case opGet:
		record, err := j.Get(id)
		if err != nil && !errors.Is(err, journal.ErrNotFound) {
			return err
		}
		out.Bool(err == nil)
		out.Bytes(record)
	case opList:
		entries, err := j.List()
		if err != nil {
			return err
		}
		out.U32(uint32(len(entries)))
		for _, e := range entries {
			out.Str(e.ID)
			out.U8(state(e.Err))
			if e.Err != nil {
				out.Str(e.Err.Error())
			} else {
				out.Bytes(e.Record)
			}
		}
	case opRemove:
		return j.Remove(id)
	default:
		return errMessage
	}
	return nil
}

// errQuota is what IndexedDB says where the disk or the origin's share of it is full.
var errQuota = idb.NewDOMException("QuotaExceededError")

func status(err error) uint8 {
	if errors.Is(err, errQuota) || errors.Is(err, journal.ErrLost) {
		return statusNoRoom
	}
	return statusFailed
}

func state(err error) uint8 {
	switch err {
	case nil:
		return stateGood
	case journal.ErrDamaged:
		return stateDamaged
	case journal.ErrVersion:
		return stateNewer
	}
	return stateUnread
}
