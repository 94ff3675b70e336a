package destination

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Webhook is where an application hears of finished uploads.
type Webhook struct {
	URL     string
	Timeout time.Duration // of one message
	Private bool          // a host's name may stand for an address that is not public
}

// Finished is an upload that Complete has found good.
type Finished struct {
	// ID is the same however often the same upload is told of, and another for
	// any other: the application tells repetitions by it.
	ID          string
	At          time.Time // when the object was last written
	Destination string
	Principal   string // the principal's ID
	Bucket      string
	Key         string
	Name        string // the file's, cleaned
	Object      Object
}

// Notifier tells applications of finished uploads.
type Notifier interface {
	// Notify answers nil once the application has taken the message, and
	// otherwise an *Error with WebhookFailed, within the Webhook's Timeout. The
	// message's bytes are the same each time. It is safe for concurrent use.
	Notify(ctx context.Context, w *Webhook, f Finished) error
}

// tell tells the destination's application, if it has one. The upload is what
// is the same of it however often it is told of.
func (s *Service) tell(ctx context.Context, d *Destination, upload string, f Finished) error {
	if d.Webhook == nil {
		return nil
	}
	sum := sha256.Sum256([]byte(upload + "\n" + f.Object.ETag))
	f.ID, f.At = hex.EncodeToString(sum[:16]), f.Object.Modified.UTC()
	f.Destination, f.Bucket = d.Name, d.Bucket
	return s.Hooks.Notify(ctx, d.Webhook, f)
}
