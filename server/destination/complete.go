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

// How long a presigned request may last.
const (
	DefaultLinkDuration = 15 * time.Minute
	MaxLinkDuration     = 7 * 24 * time.Hour // S3's own limit (AmazonS3/latest/API/sigv4-query-string-auth.html)
)

// Reported is what the page knows of the object that it has written.
type Reported struct {
	ETag     string  // "" where the store's reply was lost; quotes do not matter
	Checksum *Digest // nil where the page has none of the whole file
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
//
// Where the destination has a Webhook, Complete succeeds only once the
// application has taken word of the upload. An error with WebhookFailed means
// that the object is good and that it is to be asked again.
func (s *Service) Complete(ctx context.Context, p Principal, token string, r Reported) (Completed, error) {
	what := Decision{What: "complete", Principal: p}
	done, err := s.complete(ctx, p, token, r, &what)
	s.decided(ctx, &what, err)
	return done, err
}

func (s *Service) complete(ctx context.Context, p Principal, token string, r Reported, what *Decision) (Completed, error) {
	g, d, err := s.open(p, token, what)
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
	case g.Before != "" && g.Before == o.ETag && (reported == "" || !d.Overwrite):
		return Completed{}, refuse(ObjectMissing, "grant", "the store has only the object from before this upload; send the file, or report its etag if it was the same")
	}
	if flaw := g.flaw(d, o, s.Now()); flaw != "" {
		return Completed{}, s.reject(ctx, d, g, o, flaw, reported)
	}
	if err := r.Checksum.holds(o); err != nil {
		return Completed{}, err
	}
	if err := s.tell(ctx, d, g.ID, Finished{Principal: g.Principal, Key: g.Key, Name: g.Name, Object: *o}); err != nil {
		return Completed{}, err
	}
	return s.completed(ctx, d, g.Key, g.Name, g.Owner, o)
}

// completed is an object as the page is told of it, with a link where its
// owner may read it.
func (s *Service) completed(ctx context.Context, d *Destination, key, name string, owner Owner, o *Object) (Completed, error) {
	done := Completed{Key: key, Object: *o}
	if d.ReadOwner && owner != OwnerShared {
		link, err := s.Links.ReadLink(ctx, d.Store, d.Bucket, key, ReadAs{Name: name}, s.Now(), DefaultLinkDuration)
		if err != nil {
			return Completed{}, err
		}
		done.Link = &link
	}
	return done, nil
}

// flaw says in words how an object breaks the grant, or its destination's options,
// "" for not at all. It is stored as the destination says today, or as it said
// when the grant was made: a new configuration takes no upload from who has begun.
func (g Grant) flaw(d *Destination, o *Object, now time.Time) string {
	switch {
	case o.Size != g.Size:
		return fmt.Sprintf("it has %d bytes and the grant is for %d", o.Size, g.Size)
	case !sameType(o.Type, g.Type):
		return fmt.Sprintf("its type is %q and the grant is for %q", o.Type, g.Type)
	case o.Redirect != "":
		return "it sends who reads it elsewhere (x-amz-website-redirect-location), and no destination does"
	case d.Checksum != "" && (o.Checksum == nil || o.Checksum.Algorithm != d.Checksum):
		return "the store keeps no " + d.Checksum + " of it, and the destination asks for one"
	case d.Conditions.Encryption && o.Encryption != d.Object.Encryption:
		return otherwise("its encryption", o.Encryption, d.Object.Encryption)
	case o.Stored.LegalHold:
		return "it has a legal hold (x-amz-object-lock-legal-hold), and no destination asks for one"
	case d.Object.Unverified:
		return ""
	}
	if !d.Store.AWS() && o.Stored.Tags != nil && *o.Stored.Tags == 0 {
		// radosgw 16.2 drops the tags of CreateMultipartUpload: that an object has none says nothing of its page.
		kept := *o
		kept.Stored.Tags = nil
		o = &kept
	}
	flaw := o.differs(d.Object.of(g.Name), g.StartsWith, now)
	if flaw != "" && g.Object != nil && o.differs(g.Object.of(g.Name), g.StartsWith, now) == "" {
		return ""
	}
	return flaw
}

func sameType(a, b string) bool {
	mainA, paramsA, errA := mime.ParseMediaType(a)
	mainB, paramsB, errB := mime.ParseMediaType(b)
	for _, params := range []map[string]string{paramsA, paramsB} {
		if charset, ok := params["charset"]; ok { // whose names have no case (RFC 9110, section 8.3.2)
			params["charset"] = strings.ToLower(charset)
		}
	}
	return errA == nil && errB == nil && mime.FormatMediaType(mainA, paramsA) == mime.FormatMediaType(mainB, paramsB)
}

func (s *Service) reject(ctx context.Context, d *Destination, g Grant, o *Object, flaw, reported string) error {
	e := refuse(ObjectRefused, "grant", "the object is not what was granted: "+flaw)
	ours := g.Before != o.ETag && (g.Owner == OwnerGrant || g.Owner == OwnerPrincipal && reported == o.ETag)
	switch {
	case !ours:
		e.Detail += "; it was left where it is, for it may not be this upload's"
		return e
	case d.KeepsRefused:
		e.Detail += "; it was left where it is, as the destination's configuration says"
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

// encodeTags writes tags as the query that x-amz-tagging carries
// (AmazonS3/latest/API/API_PutObject.html).
func encodeTags(tags map[string]string) string {
	q := url.Values{}
	for k, v := range tags {
		q.Set(k, v)
	}
	return q.Encode()
}
