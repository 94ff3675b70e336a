package destination

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Service decides. It keeps no state of its own: any replica with the same
// configuration and grant keys serves any call.
type Service struct {
	Destinations []*Destination // in the order in which they are shown
	Grants       *GrantKeys
	Policy       PolicyWriter
	Sessions     SessionIssuer
	Trial        SessionTrial // may be nil: all stores are trusted
	Signing      SigningTrial // may be nil: all stores are trusted
	Objects      ObjectLooker
	Links        ReadLinker
	Signer       RequestSigner
	Multipart    MultipartCaller
	Hooks        Notifier // may be nil where no destination has a Webhook
	Limits       Limiter  // may be nil where no destination has a Rate
	Audit        Auditor  // may be nil
	Now          func() time.Time
	Random       io.Reader // safe for concurrent use, as crypto/rand's Reader is
}

// Upload is what a page needs to send one file. Of a Presigned destination it
// has no Session.
type Upload struct {
	Token       string // the grant
	Grant       Grant
	Destination *Destination
	Session     Session
	ServerTime  time.Time

	// MayExist says that an object of this size and type, whose SHA-256 is
	// known, is at the key. The page hashes the file and asks again with its
	// Digest. Where the object may not be replaced the session may do nothing.
	MayExist bool
	// Exists is the object whose bytes are the file's; then nothing else of the
	// Upload is set.
	Exists *Completed
}

// Grant gives a principal what it needs to upload a file to a destination, or
// says that the same bytes are there already.
func (s *Service) Grant(ctx context.Context, p Principal, name string, f File) (Upload, error) {
	what := Decision{What: "grant", Principal: p, Size: f.Size}
	u, err := s.grant(ctx, p, name, f, &what)
	what.Session = u.Session.Name
	s.decided(ctx, &what, err)
	return u, err
}

func (s *Service) grant(ctx context.Context, p Principal, name string, f File, what *Decision) (Upload, error) {
	u, err := s.admit(ctx, p, name, f, what)
	if err != nil || u.Exists != nil {
		return u, err
	}
	if u.Destination.Presigned {
		return u, nil
	}
	rights, err := u.Destination.rights(p, u.Grant.Key)
	if err != nil {
		return Upload{}, err
	}
	rights.None = u.MayExist && !u.Destination.Overwrite
	u.Session, err = s.session(ctx, p, rights, rights.Prefix || rights.None)
	if err != nil {
		return Upload{}, err
	}
	return u, nil
}

// admit decides whether a file may go to a destination, and at which key: an
// Upload without its Session.
func (s *Service) admit(ctx context.Context, p Principal, name string, f File, what *Decision) (Upload, error) {
	d, err := s.find(name)
	if err != nil {
		return Upload{}, err
	}
	what.Destination = d.Name
	if err := s.limit(ctx, d, p, limitGrant); err != nil {
		return Upload{}, err
	}
	if f, err = d.check(f); err != nil {
		return Upload{}, err
	}
	if err := s.allow(ctx, d, p, &f); err != nil {
		return Upload{}, err
	}
	if d.Presigned {
		if err := s.enforced(ctx, d); err != nil {
			return Upload{}, err
		}
	}
	now := s.Now()
	values, owner := Values{Principal: p, Destination: d.Name, Name: f.Name, Now: now, Random: s.Random}, d.Key.owner()
	key, err := s.keep(ctx, d, values, f.Key)
	if key != "" {
		owner = d.Key.keptOwner()
	} else if err == nil {
		key, err = d.Key.Build(values)
	}
	if err != nil {
		return Upload{}, err
	}
	what.Key = key
	before, mayExist := "", false
	if !d.Key.Unique() {
		existing, err := s.Objects.Look(ctx, d.Store, d.Bucket, key)
		if err != nil {
			return Upload{}, err
		}
		same := d.Existence && existing != nil && existing.may(f, d, now)
		mayExist = same && f.Digest == nil
		switch {
		case existing == nil:
		case same && f.Digest != nil && existing.has(f.Digest):
			what.Outcome = Exists
			// There is no grant: one principal's finds of one object are one upload.
			upload := strings.Join([]string{"exists", d.Name, p.ID, key}, "\n")
			if err := s.tell(ctx, d, upload, Finished{Principal: p.ID, Key: key, Name: f.cleanName(), Object: *existing}); err != nil {
				return Upload{}, err
			}
			done, err := s.completed(ctx, d, key, f.cleanName(), d.Key.owner(), existing)
			return Upload{Exists: &done}, err
		case !d.Overwrite && !mayExist:
			return Upload{}, keyTaken(key)
		default:
			before = existing.ETag
		}
	}
	id, err := uuid.NewRandomFromReader(s.Random)
	if err != nil {
		return Upload{}, err
	}
	what.GrantID = id.String()
	g := Grant{
		ID: id.String(), Principal: p.ID, Destination: d.Name, Bucket: d.Bucket, Key: key, Name: f.cleanName(),
		Size: f.Size, Type: f.Type, Before: before, Owner: owner, Issued: now.UTC(), Expires: now.Add(d.GrantDuration).UTC().Truncate(time.Second), Object: &d.Object,
	}
	token, err := s.Grants.Seal(g)
	if err != nil {
		return Upload{}, err
	}
	return Upload{Token: token, Grant: g, Destination: d, MayExist: mayExist, ServerTime: s.Now().UTC()}, nil
}

func keyTaken(key string) *Error {
	return refuse(KeyTaken, "name", fmt.Sprintf("there is a file at %q already, and this destination does not let it be replaced; give the file another name", key))
}

func (t Template) owner() Owner {
	switch {
	case t.Unique():
		return OwnerGrant
	case t.PerUser():
		return OwnerPrincipal
	}
	return OwnerShared
}

// Renew gives the same upload a new session, if its principal might still
// have it today; a Presigned destination's none.
func (s *Service) Renew(ctx context.Context, p Principal, token string) (Upload, error) {
	what := Decision{What: "renew", Principal: p}
	u, err := s.renew(ctx, p, token, &what)
	what.Session = u.Session.Name
	s.decided(ctx, &what, err)
	return u, err
}

func (s *Service) renew(ctx context.Context, p Principal, token string, what *Decision) (Upload, error) {
	g, d, err := s.goOn(ctx, p, token, limitRenew, what)
	if err != nil {
		return Upload{}, err
	}
	if err := s.incomplete(ctx, d, g); err != nil {
		return Upload{}, err
	}
	u := Upload{Token: token, Grant: g, Destination: d}
	if !d.Presigned {
		rights, err := d.rights(p, g.Key)
		if err != nil {
			return Upload{}, err
		}
		if u.Session, err = s.session(ctx, p, rights, rights.Prefix); err != nil {
			return Upload{}, err
		}
	}
	u.ServerTime = s.Now().UTC()
	return u, nil
}

// goOn opens a grant whose upload its principal might still have today. count
// is what a Limiter counts it as, "" for not at all.
func (s *Service) goOn(ctx context.Context, p Principal, token, count string, what *Decision) (Grant, *Destination, error) {
	g, d, err := s.open(p, token, what)
	if err != nil {
		return g, d, err
	}
	if count != "" {
		if err := s.limit(ctx, d, p, count); err != nil {
			return g, d, err
		}
	}
	if err := d.checkLimits(*g.file()); err != nil {
		return g, d, err
	}
	if err := s.allow(ctx, d, p, g.file()); err != nil {
		return g, d, err
	}
	prefix, err := d.Key.Prefix(p, d.Name)
	if err != nil {
		return g, d, err
	}
	if !strings.HasPrefix(g.Key, prefix) {
		return g, d, refuse(DestinationChanged, "grant", "the destination's keys have changed since this upload began; start it again")
	}
	return g, d, nil
}

// incomplete answers an *Error with AlreadyComplete where a grant's key holds an
// object that may not be replaced.
func (s *Service) incomplete(ctx context.Context, d *Destination, g Grant) error {
	if d.Overwrite {
		return nil
	}
	existing, err := s.Objects.Look(ctx, d.Store, d.Bucket, g.Key)
	if err == nil && existing != nil {
		err = refuse(AlreadyComplete, "grant", "the object of this upload exists and may not be replaced; ask for its completion")
	}
	return err
}

// enforced returns an error where the server's own key would sign requests for a
// store that does not hold their senders to what is signed. A session may write the
// granted object alone, whatever is sent.
func (s *Service) enforced(ctx context.Context, d *Destination) error {
	if s.Signing == nil || d.Store.STS.RoleARN != "" {
		return nil
	}
	return s.Signing.Enforces(ctx, d)
}

// rights is what the session for a key of the destination may do.
func (d *Destination) rights(p Principal, key string) (Rights, error) {
	r := Rights{Destination: d, Key: key, Address: p.Via.Address}
	if !d.Scope.Prefix() {
		return r, nil
	}
	var err error
	r.Prefix = true
	r.Key, err = d.Key.Prefix(p, d.Name)
	return r, err
}

// session obtains one with some rights, for a page. A shared one may have been
// used for the same before.
func (s *Service) session(ctx context.Context, p Principal, rights Rights, shared bool) (Session, error) {
	if s.Trial != nil {
		d := rights.Destination
		// What the caller alone lacks is no verdict for the others.
		if _, err := d.SessionTags(p); err != nil {
			return Session{}, err
		}
		open := *d // the server tries from an address of its own
		open.Conditions.Client, open.Conditions.SourceIP = false, nil
		before, _ := d.Beginning()
		t := Trial{Inside: before + "chunksign-trial", Outside: before + "chunksign-trial-outside"}
		t.Issue = func(ctx context.Context) (Session, error) {
			return s.sessionAnew(ctx, p, Rights{Destination: &open, Key: t.Inside}, false, false)
		}
		if err := s.Trial.Keeps(ctx, d, t); err != nil {
			return Session{}, err
		}
	}
	return s.sessionAnew(ctx, p, rights, shared, false)
}

func (s *Service) sessionAnew(ctx context.Context, p Principal, rights Rights, shared, anew bool) (Session, error) {
	d := rights.Destination
	policy, narrower, err := s.Policy.Both(rights)
	if err != nil {
		return Session{}, err
	}
	tags, err := d.SessionTags(p)
	if err != nil {
		return Session{}, err
	}
	return s.Sessions.Issue(ctx, SessionRequest{
		Store: d.Store, Principal: p.ID, Policy: policy, Narrower: narrower, Duration: d.Duration, Tags: tags, Shared: shared, Anew: anew,
	})
}

// open checks a grant, that it is the principal's, and that its destination
// still is what it was.
func (s *Service) open(p Principal, token string, what *Decision) (Grant, *Destination, error) {
	g, err := s.Grants.Open(token, s.Now())
	if err != nil {
		return Grant{}, nil, err
	}
	what.Key, what.Size, what.GrantID = g.Key, g.Size, g.ID
	if g.Principal != p.ID {
		return Grant{}, nil, refuse(GrantForeign, "grant", "the grant was made for somebody else; sign in as who began the upload, or start it again")
	}
	d, err := s.find(g.Destination)
	if err != nil {
		return Grant{}, nil, err
	}
	what.Destination = d.Name
	if d.Bucket != g.Bucket {
		return Grant{}, nil, refuse(DestinationChanged, "grant", "the destination has another bucket than when this upload began; start it again")
	}
	return g, d, nil
}

// allow answers an *Error with NotAllowed where the destination's rule does not
// let somebody upload a file, nil for one that is not known yet.
func (s *Service) allow(ctx context.Context, d *Destination, p Principal, f *File) error {
	if d.Allow == nil {
		return nil
	}
	ok, err := d.Allow.Allows(ctx, Question{Principal: p, File: f, Now: s.Now()})
	if ok && err == nil {
		return nil
	}
	e := refuse(NotAllowed, "", "the destination's rule does not let you upload this; ask its admin")
	if err != nil {
		e.Err = fmt.Errorf("the allow of the destination %s denies: %w", d.Name, err)
	}
	return e
}

// List is the destinations that a principal may use, if only for some files.
func (s *Service) List(ctx context.Context, p Principal) []*Destination {
	var all []*Destination
	for _, d := range s.Destinations {
		if s.allow(ctx, d, p, nil) == nil {
			all = append(all, d)
		}
	}
	return all
}

// Named is a destination by its name. Errors are *Error with DestinationUnknown.
func (s *Service) Named(name string) (*Destination, error) { return s.find(name) }

// Allowed asks a destination's rule alone about a file, nil for one that is not
// known. Errors are *Error with NotAllowed.
func (s *Service) Allowed(ctx context.Context, d *Destination, p Principal, f *File) error {
	return s.allow(ctx, d, p, f)
}

func (s *Service) find(name string) (*Destination, error) {
	for _, d := range s.Destinations {
		if d.Name == name {
			return d, nil
		}
	}
	return nil, refuse(DestinationUnknown, "", "there is no such destination; GET /v1/destinations lists them")
}

// Headers are what the page must send with PutObject and with
// CreateMultipartUpload, in lower case: what the object is stored with.
func (u Upload) Headers() map[string]string { return u.Destination.headers(u.Grant.Name, u.Grant.Type) }

func (d *Destination) headers(name, mediaType string) map[string]string {
	o := d.Object.of(name)
	h := map[string]string{"content-type": mediaType}
	for name, value := range map[string]string{
		"x-amz-acl":                                   o.ACL,
		"cache-control":                               o.CacheControl,
		"content-disposition":                         o.ContentDisposition,
		"content-encoding":                            o.ContentEncoding,
		"x-amz-storage-class":                         o.StorageClass,
		"x-amz-server-side-encryption":                o.Encryption,
		"x-amz-server-side-encryption-aws-kms-key-id": o.KMSKeyID,
		"x-amz-tagging":                               encodeTags(o.Tags),
	} {
		if value != "" {
			h[name] = value
		}
	}
	for name, value := range o.Metadata {
		h["x-amz-meta-"+name] = value
	}
	return h
}
