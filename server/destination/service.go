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
	Objects      ObjectLooker
	Links        ReadLinker
	Now          func() time.Time
	Random       io.Reader // safe for concurrent use, as crypto/rand's Reader is
}

// Upload is what a page needs to send one file.
type Upload struct {
	Token       string // the grant
	Grant       Grant
	Destination *Destination
	Session     Session
	ServerTime  time.Time
}

// Grant gives a principal what it needs to upload a file to a destination.
func (s *Service) Grant(ctx context.Context, p Principal, name string, f File) (Upload, error) {
	d, err := s.find(name)
	if err != nil {
		return Upload{}, err
	}
	if f, err = d.check(f); err != nil {
		return Upload{}, err
	}
	now := s.Now()
	key, err := d.Key.Build(Values{Principal: p, Destination: d.Name, Name: f.Name, Now: now, Random: s.Random})
	if err != nil {
		return Upload{}, err
	}
	before := ""
	if !d.Key.Unique() {
		switch existing, err := s.Objects.Look(ctx, d.Store, d.Bucket, key); {
		case err != nil:
			return Upload{}, err
		case existing == nil:
		case !d.Overwrite:
			return Upload{}, refuse(KeyTaken, "name", fmt.Sprintf("there is a file at %q already, and this destination does not let it be replaced; give the file another name", key))
		default:
			before = existing.ETag
		}
	}
	id, err := uuid.NewRandomFromReader(s.Random)
	if err != nil {
		return Upload{}, err
	}
	g := Grant{
		ID: id.String(), Principal: p.ID, Destination: d.Name, Bucket: d.Bucket, Key: key, Name: shorten(CleanName(f.Name), maxSegment),
		Size: f.Size, Type: f.Type, Before: before, Owner: d.Key.owner(), Issued: now.UTC(), Expires: now.Add(d.GrantDuration).UTC().Truncate(time.Second),
	}
	token, err := s.Grants.Seal(g)
	if err != nil {
		return Upload{}, err
	}
	return s.upload(ctx, p, d, g, token)
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
// have it today.
func (s *Service) Renew(ctx context.Context, p Principal, token string) (Upload, error) {
	g, d, err := s.open(p, token)
	if err != nil {
		return Upload{}, err
	}
	if err := d.checkLimits(File{Name: g.Name, Type: g.Type, Size: g.Size}); err != nil {
		return Upload{}, err
	}
	prefix, err := d.Key.Prefix(p, d.Name)
	if err != nil {
		return Upload{}, err
	}
	if !strings.HasPrefix(g.Key, prefix) {
		return Upload{}, refuse(DestinationChanged, "grant", "the destination's keys have changed since this upload began; start it again")
	}
	if !d.Overwrite {
		existing, err := s.Objects.Look(ctx, d.Store, d.Bucket, g.Key)
		if err != nil {
			return Upload{}, err
		}
		if existing != nil {
			return Upload{}, refuse(AlreadyComplete, "grant", "the object of this upload exists and may not be replaced; ask for its completion")
		}
	}
	return s.upload(ctx, p, d, g, token)
}

func (s *Service) upload(ctx context.Context, p Principal, d *Destination, g Grant, token string) (Upload, error) {
	rights := Rights{Destination: d, Key: g.Key}
	if d.Scope == ScopePrefix {
		prefix, err := d.Key.Prefix(p, d.Name)
		if err != nil {
			return Upload{}, err
		}
		rights.Key, rights.Prefix = prefix, true
	}
	policy, err := s.Policy(rights)
	if err != nil {
		return Upload{}, err
	}
	session, err := s.Sessions.Issue(ctx, SessionRequest{
		Store: d.Store, Principal: p.ID, Policy: policy, Duration: d.Duration, Shared: rights.Prefix,
	})
	if err != nil {
		return Upload{}, err
	}
	return Upload{Token: token, Grant: g, Destination: d, Session: session, ServerTime: s.Now().UTC()}, nil
}

// open checks a grant, that it is the principal's, and that its destination
// still is what it was.
func (s *Service) open(p Principal, token string) (Grant, *Destination, error) {
	g, err := s.Grants.Open(token, s.Now())
	if err != nil {
		return Grant{}, nil, err
	}
	if g.Principal != p.ID {
		return Grant{}, nil, refuse(GrantForeign, "grant", "the grant was made for somebody else; sign in as who began the upload, or start it again")
	}
	d, err := s.find(g.Destination)
	if err != nil {
		return Grant{}, nil, err
	}
	if d.Bucket != g.Bucket {
		return Grant{}, nil, refuse(DestinationChanged, "grant", "the destination has another bucket than when this upload began; start it again")
	}
	return g, d, nil
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
func (u Upload) Headers() map[string]string {
	o := u.Destination.Object
	h := map[string]string{"content-type": u.Grant.Type}
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
