package destination

import (
	"context"
	"net/http"
	"time"
)

// Authenticator says who is asking.
type Authenticator interface {
	// Authenticate answers an *Error with Unauthenticated where the request
	// does not say, or not credibly, whose it is. It may be called from many
	// goroutines at once and may wait for the network (the keys of an identity
	// provider), bounded by the request's context.
	Authenticate(r *http.Request) (Principal, error)
}

// Rights is what a session may do: put objects at one key, or at all keys
// that begin with it.
type Rights struct {
	Destination *Destination
	Key         string
	Prefix      bool
}

// PolicyWriter turns rights into an IAM session policy (JSON). It refuses a
// key with a character that some store takes for a wildcard or a variable.
type PolicyWriter func(Rights) (string, error)

// SessionRequest is what a SessionIssuer needs to know.
type SessionRequest struct {
	Store     *Store
	Principal string // the principal's ID, for the store's audit log
	Policy    string // the session policy
	Duration  time.Duration
	Shared    bool // the session may be one that was handed out before for the same store, principal, policy and duration
}

// SessionIssuer obtains session credentials.
type SessionIssuer interface {
	// Issue answers a session that may do what both the store's role and the
	// policy allow, with at least half of its duration left. Errors are
	// *Error with StoreRefused, StoreUnavailable or PolicyTooLong. It is safe
	// for concurrent use.
	Issue(ctx context.Context, r SessionRequest) (Session, error)
}

// ObjectLooker looks at objects, and removes them, with the server's own rights.
type ObjectLooker interface {
	// Look answers nil and no error where there is no object.
	Look(ctx context.Context, s *Store, bucket, key string) (*Object, error)
	// Remove deletes the object only as it was looked at: by its version, or
	// on the condition that its ETag is unchanged. Where the store offers
	// neither it does nothing and answers false.
	Remove(ctx context.Context, s *Store, bucket, key string, o *Object) (bool, error)
}

// ReadLinker makes links by which an object can be read without credentials.
type ReadLinker interface {
	// ReadLink answers a presigned GET that ends at or before now+expires and
	// makes a browser save the object under the given name.
	ReadLink(ctx context.Context, s *Store, bucket, key, name string, now time.Time, expires time.Duration) (Link, error)
}

// Link is a presigned request. Its URL is a secret while it lasts.
type Link struct {
	URL     string
	Expires time.Time
}
