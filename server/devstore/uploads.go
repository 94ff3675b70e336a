package devstore

import (
	"strings"
	"sync"

	"github.com/gofiber/fiber/v3"
)

// uploadLocks keeps the parts of a multipart upload and its abort apart.
// versitygw writes a part that was under way into a folder that an abort has
// just removed, which leaves a file that nothing refers to; S3 only says that
// such a part "might or might not succeed"
// (AmazonS3/latest/API/API_AbortMultipartUpload.html). Here the abort waits for
// the parts that came before it. The zero value is ready for use.
type uploadLocks struct {
	mu    sync.Mutex
	locks map[string]*uploadLock
}

type uploadLock struct {
	sync.RWMutex
	users int
}

// enter is called before a request is handled, and what it returns after it.
func (u *uploadLocks) enter(c fiber.Ctx) (leave func()) {
	id := c.Query("uploadId")
	abort := c.Method() == fiber.MethodDelete
	if id == "" || !abort && c.Method() != fiber.MethodPut {
		return func() {}
	}
	return u.lock(strings.Clone(id), abort) // fiber reuses what it hands out
}

func (u *uploadLocks) lock(id string, abort bool) (leave func()) {
	u.mu.Lock()
	l := u.locks[id]
	if l == nil {
		if u.locks == nil {
			u.locks = map[string]*uploadLock{}
		}
		l = &uploadLock{}
		u.locks[id] = l
	}
	l.users++
	u.mu.Unlock()
	if abort {
		l.Lock()
	} else {
		l.RLock()
	}
	return func() {
		if abort {
			l.Unlock()
		} else {
			l.RUnlock()
		}
		u.mu.Lock()
		if l.users--; l.users == 0 {
			delete(u.locks, id)
		}
		u.mu.Unlock()
	}
}
