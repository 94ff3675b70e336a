package destination

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/url"
	"strings"
	"time"
)

// How long a link may last that lets the owner read the object.
const (
	DefaultLinkDuration = 15 * time.Minute
	MaxLinkDuration     = 12 * time.Hour
)

// Reported is what the page knows of the object that it has written.
type Reported struct {
	ETag string // "" where the store's reply was lost; quotes do not matter
}

// Completed is an object that is what its grant says.
type Completed struct {
	Key    string
	Object Object
	Link   *Link // nil where the owner may not read it
}

// Complete looks at the object of a grant and holds it against the grant. It
// may be asked again and again.
//
// What breaks the grant is deleted, but only what this grant wrote: never an
// object whose ETag is that of before the grant, and at a key that is not this
// grant's alone only one that the page itself reports as its own, where nobody
// else may write. What cannot be shown to be so is reported and left.
func (s *Service) Complete(ctx context.Context, p Principal, token string, r Reported) (Completed, error) {
	g, d, err := s.open(p, token)
	if err != nil {
		return Completed{}, err
	}
	o, err := s.Objects.Look(ctx, d.Store, d.Bucket, g.Key)
	if err != nil {
		return Completed{}, err
	}
	reported := strings.Trim(r.ETag, `"`)
	switch {
	case o == nil:
		return Completed{}, refuse(ObjectMissing, "grant", "the store has no object for this upload; send what is missing and complete it there first")
	case reported != "" && reported != o.ETag:
		return Completed{}, refuse(ObjectReplaced, "etag", "the object is not the one that you report: it has another ETag; it was replaced since, or the report is wrong")
	case reported == "" && g.Before != "" && g.Before == o.ETag:
		return Completed{}, refuse(ObjectMissing, "grant", "the store has only the object from before this upload; send the file, or report its etag if it was the same")
	}
	if flaw := g.flaw(o); flaw != "" {
		return Completed{}, s.reject(ctx, d, g, o, flaw, reported)
	}
	done := Completed{Key: g.Key, Object: *o}
	if d.ReadOwner && g.Owner != OwnerShared {
		link, err := s.Links.ReadLink(ctx, d.Store, d.Bucket, g.Key, g.Name, s.Now(), DefaultLinkDuration)
		if err != nil {
			return Completed{}, err
		}
		done.Link = &link
	}
	return done, nil
}

// flaw says in words how an object breaks the grant, "" for not at all.
func (g Grant) flaw(o *Object) string {
	switch {
	case o.Size != g.Size:
		return fmt.Sprintf("it has %d bytes and the grant is for %d", o.Size, g.Size)
	case !sameType(o.Type, g.Type):
		return fmt.Sprintf("its type is %q and the grant is for %q", o.Type, g.Type)
	}
	return ""
}

func sameType(a, b string) bool {
	mainA, paramsA, errA := mime.ParseMediaType(a)
	mainB, paramsB, errB := mime.ParseMediaType(b)
	return errA == nil && errB == nil && mime.FormatMediaType(mainA, paramsA) == mime.FormatMediaType(mainB, paramsB)
}

func (s *Service) reject(ctx context.Context, d *Destination, g Grant, o *Object, flaw, reported string) error {
	e := refuse(ObjectRefused, "grant", "the object is not what was granted: "+flaw)
	ours := g.Before != o.ETag && (g.Owner == OwnerGrant || g.Owner == OwnerPrincipal && reported == o.ETag)
	if !ours {
		e.Detail += "; it was left where it is, for it may not be this upload's"
		return e
	}
	removed, err := s.Objects.Remove(ctx, d.Store, d.Bucket, g.Key, o)
	switch {
	case err != nil:
		e.Err = errors.Join(errors.New("it could not be deleted"), err)
		e.Detail += "; it could not be deleted and was left where it is"
	case removed:
		e.Detail += "; it was deleted, upload the file again"
	default:
		e.Detail += "; it was left where it is, for the store has no way to delete exactly that object"
	}
	return e
}

// Download gives the owner of a grant a link to read its object. A duration of
// zero stands for DefaultLinkDuration.
func (s *Service) Download(ctx context.Context, p Principal, name, token string, expires time.Duration) (Link, error) {
	g, d, err := s.open(p, token)
	if err != nil {
		return Link{}, err
	}
	switch {
	case g.Destination != name:
		return Link{}, refuse(GrantInvalid, "grant", "the grant is for another destination than the address names")
	case !d.ReadOwner || g.Owner == OwnerShared:
		return Link{}, refuse(ReadNotAllowed, "method", "this destination does not let uploads be read; its configuration needs read: owner")
	case expires < 0 || expires > MaxLinkDuration:
		return Link{}, refuse(FieldInvalid, "expires", fmt.Sprintf("expires is outside 1 to %d seconds", int(MaxLinkDuration.Seconds())))
	case expires == 0:
		expires = DefaultLinkDuration
	}
	return s.Links.ReadLink(ctx, d.Store, d.Bucket, g.Key, g.Name, s.Now(), expires)
}

// encodeTags writes tags as the query that x-amz-tagging carries
// (AmazonS3/latest/API/API_PutObject.html).
func encodeTags(tags map[string]string) string {
	q := url.Values{}
	for k, v := range tags {
		q.Set(k, v)
	}
	return q.Encode()
}
