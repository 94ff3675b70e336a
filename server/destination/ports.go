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

// Rule says whether somebody may upload a file.
type Rule interface {
	// Allows answers true for yes. An error is a no whose reason belongs into
	// the log. It ends within milliseconds, whatever the claims and the file's
	// name are, and is safe for concurrent use.
	Allows(ctx context.Context, q Question) (bool, error)
}

// Question is what a Rule answers.
type Question struct {
	Principal Principal
	File      *File // nil where none is known yet: then true is perhaps
	Now       time.Time
}

// RuleCompiler reads a rule, or says what is wrong with it.
type RuleCompiler func(text string) (Rule, []RuleFlaw)

// RuleFlaw is what is wrong at one place of a rule's text.
type RuleFlaw struct {
	Line, Column int // from 1, the column in characters
	Text         string
}

// Rights is what a session may do: put objects at one key, or at all keys
// that begin with it.
type Rights struct {
	Destination *Destination
	Key         string
	Prefix      bool
	Address     string // the page's, for Conditions.Client
	None        bool   // nothing at all, whatever the rest says
	WithoutACL  bool   // no s3:PutObjectAcl, which MinIO's STS does not know

	// Form is a right to sign forms, which the server keeps to itself. A form
	// cannot say If-None-Match.
	Form bool
}

// PolicyWriter turns rights into an IAM session policy (JSON). It refuses a
// key with a character that some store takes for a wildcard or a variable.
type PolicyWriter func(Rights) (string, error)

// Both writes the policy for some rights, and where a store's STS may not know
// all of its actions a narrower one, else "" (SessionRequest.Narrower).
func (w PolicyWriter) Both(r Rights) (policy, narrower string, err error) {
	if policy, err = w(r); err != nil || r.Destination.Object.ACL == "" || r.Destination.Store.AWS() {
		return policy, "", err
	}
	r.WithoutACL = true
	narrower, err = w(r)
	return policy, narrower, err
}

// SessionRequest is what a SessionIssuer needs to know.
type SessionRequest struct {
	Store     *Store
	Principal string // the principal's ID, for the store's audit log
	Policy    string // the session policy
	Narrower  string // the one to use where STS does not know an action of Policy; "" for none
	Duration  time.Duration
	Tags      []SetTag
	Shared    bool // the session may be one that was handed out before for the same store, principal, policy, duration and tags
	Anew      bool // with Shared: not the one of before, which the store has refused
}

// SessionIssuer obtains session credentials.
type SessionIssuer interface {
	// Issue answers a session that may do what both the store's role and the
	// policy allow, with at least half of its duration left. Errors are
	// *Error with StoreRefused, StoreUnavailable or PackedPolicyTooLarge. It is safe
	// for concurrent use.
	Issue(ctx context.Context, r SessionRequest) (Session, error)
}

// SessionTrial finds out whether a store keeps a session to its policy.
type SessionTrial interface {
	// Keeps answers nil where the store of a destination does, or is trusted to.
	// Errors are *Error with SessionsNotKept, StoreUnavailable, or what Issue
	// answered. It is safe for concurrent use.
	Keeps(ctx context.Context, d *Destination, t Trial) error
}

// Trial is a session to try things with.
type Trial struct {
	Issue   func(ctx context.Context) (Session, error)
	Inside  string // the key that the session is for
	Outside string // one that it is not for, and the store's role may write
}

// SigningTrial finds out whether a store holds whoever sends a presigned request to
// what was signed by the server's own key.
type SigningTrial interface {
	// Enforces returns nil where the store of a destination refuses, or ignores, headers
	// that the signature does not cover and that would change what the request does:
	// copy another object, grant rights, tag, encrypt, redirect, lock. Errors are *Error with
	// SigningNotEnforced or StoreUnavailable. It is safe for concurrent use.
	Enforces(ctx context.Context, d *Destination) error
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
	// ReadLink answers a presigned GET that ends at or before now+expires.
	ReadLink(ctx context.Context, s *Store, bucket, key string, as ReadAs, now time.Time, expires time.Duration) (Link, error)
}

// ReadAs is how a browser takes what it reads.
type ReadAs struct {
	Name   string // what the file is called
	Inline bool   // shown where the browser can; otherwise saved
	Type   string // the media type to answer with; "" is the object's own
}

// Link is a presigned request. Its URL is a secret while it lasts.
type Link struct {
	URL     string
	Expires time.Time
}
