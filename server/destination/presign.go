package destination

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/chunksign/chunksign/wasm/plan"
	"github.com/chunksign/chunksign/wasm/s3api"
)

// RequestSigner makes requests that carry their own permission, for callers
// that hold no credentials.
type RequestSigner interface {
	// Own are the server's own credentials for a store; without a time in
	// Expires they do not end. Errors are *Error with StoreUnavailable.
	Own(ctx context.Context, s *Store) (Session, error)
	// URL is r's, signed in its query. Whoever sends it sends r.Header too. It is
	// good from now, which has no part of a second, for whole seconds.
	URL(by Session, r StoreRequest, now time.Time, lasts time.Duration) string
	// Headers is r signed in headers, those of r among them, for bytes whose
	// SHA-256 in base64 is known. It is good for MaxHeaderDuration.
	Headers(by Session, r StoreRequest, sha256 string, now time.Time) (url string, header map[string]string)
	// Form is the address and the fields of an HTML form that puts f where it
	// belongs, good until a time.
	Form(by Session, f StoreForm, now, until time.Time) (url string, fields map[string]string, err error)
}

// MaxHeaderDuration is for how long a signature in headers is good: S3 takes it
// for 15 minutes from when it was made, by its own clock
// (AmazonS3/latest/API/sigv4-auth-using-authorization-header.html).
const MaxHeaderDuration = 10 * time.Minute

// StoreRequest is a request for one object.
type StoreRequest struct {
	Store       *Store
	Bucket, Key string
	Method      string
	Query       map[string]string
	Header      map[string]string // sent as they are, names in lower case
}

// StoreForm is one object that a form puts at a store.
type StoreForm struct {
	Store       *Store
	Bucket, Key string
	Header      map[string]string // what it is stored with, as PutObject would have it
	Tags        map[string]string // in place of x-amz-tagging, which a form has not
	Size        int64             // bytes, exactly
	Form
}

// Presigned is a request that its bearer may send, once or often, until it
// expires. URL and fields are secrets while it lasts.
type Presigned struct {
	Token   string // the grant, with which its completion is reported
	Grant   Grant
	URL     string
	Header  map[string]string // what a PUT must send, as it is; Host and Content-Length are signed too
	Fields  map[string]string // what a form must hold before its file; nil but for forms
	Expires time.Time         // no later than the credentials that signed it
}

// PresignPut grants a file and signs the PutObject that sends it. sha256 is its
// SHA-256 in base64, which is then signed in, or "". A duration of zero stands
// for DefaultLinkDuration.
func (s *Service) PresignPut(ctx context.Context, p Principal, name string, f File, sha256 string, expires time.Duration) (Presigned, error) {
	what := Decision{What: "put", Principal: p, Size: f.Size}
	out, by, err := s.presign(ctx, p, name, f, sha256, expires, false, &what)
	if err == nil {
		d := by.destination
		header := d.PutHeaders(out.Grant.Name, out.Grant.Type, sha256)
		sent := maps.Clone(header)
		sent["content-length"] = fmt.Sprint(out.Grant.Size)
		out.Header, out.Expires = header, by.until
		out.URL = s.Signer.URL(by.Session, StoreRequest{Store: d.Store, Bucket: d.Bucket, Key: out.Grant.Key, Method: "PUT", Header: sent}, by.now, by.lasts())
	}
	s.decided(ctx, &what, err)
	return out, err
}

// PresignForm grants a file and signs the POST policy of a form that sends it:
// exactly that key, size and everything that the object is stored with. A form
// cannot say If-None-Match, so it is refused where an object that is there might
// be replaced and may not be.
func (s *Service) PresignForm(ctx context.Context, p Principal, name string, f File, sha256 string, expires time.Duration, form Form) (Presigned, error) {
	what := Decision{What: "form", Principal: p, Size: f.Size}
	if d, err := s.find(name); err == nil {
		if err := form.check(d); err != nil {
			s.decided(ctx, &what, err)
			return Presigned{}, err
		}
	}
	out, by, err := s.presign(ctx, p, name, f, sha256, expires, true, &what)
	if err == nil && len(form.StartsWith) > 0 {
		out.Grant.StartsWith = form.StartsWith
		out.Token, err = s.Grants.Seal(out.Grant)
	}
	if err == nil {
		d := by.destination
		header := d.headers(out.Grant.Name, out.Grant.Type)
		delete(header, "x-amz-tagging")
		if sha256 != "" {
			header["x-amz-checksum-sha256"] = sha256
		}
		out.Expires = by.until
		out.URL, out.Fields, err = s.Signer.Form(by.Session, StoreForm{Store: d.Store, Bucket: d.Bucket, Key: out.Grant.Key, Header: header, Tags: d.Object.Tags, Size: out.Grant.Size, Form: form}, by.now, by.until)
	}
	s.decided(ctx, &what, err)
	return out, err
}

// PutHeaders are what a presigned PutObject of a file sends, in lower case. sha256 may be "".
func (d *Destination) PutHeaders(name, mediaType, sha256 string) map[string]string {
	h := d.headers(name, mediaType)
	if sha256 != "" {
		h["x-amz-checksum-sha256"] = sha256
	}
	if !d.Overwrite {
		h["if-none-match"] = "*"
	}
	if d.Store.TakesUnsigned {
		for name, value := range nothingMore {
			if _, set := h[name]; !set {
				h[name] = value
			}
		}
	}
	return h
}

// nothingMore are the headers by which a PutObject gets what its destination
// does not give, with values that give nothing. Signed, none can be added. A
// canned ACL excludes the headers x-amz-grant-*.
var nothingMore = map[string]string{
	"x-amz-acl":                                       "private",
	"x-amz-tagging":                                   "",
	"x-amz-website-redirect-location":                 "",
	"x-amz-storage-class":                             "",
	"x-amz-server-side-encryption":                    "",
	"x-amz-server-side-encryption-customer-algorithm": "",
}

// SignsMore reports whether a store's TakesUnsigned keeps a header from being added.
func SignsMore(name string) bool {
	_, is := nothingMore[name]
	return is || strings.HasPrefix(name, "x-amz-grant-")
}

// by is who signs something, and for how long.
type by struct {
	Session
	destination *Destination
	now, until  time.Time // whole seconds
}

// signing is what is to be signed.
type signing struct {
	form   bool
	sent   bool // by the server itself, and given to nobody
	shared bool // by a session that may have signed before
	anew   bool // but not by that one: the store has refused what it signed
}

func (b by) lasts() time.Duration { return b.until.Sub(b.now) }

func (s *Service) presign(ctx context.Context, p Principal, name string, f File, sha256 string, expires time.Duration, form bool, what *Decision) (Presigned, by, error) {
	if err := checkSHA256(sha256, "sha256"); sha256 != "" && err != nil {
		return Presigned{}, by{}, err
	}
	expires, err := linkDuration(expires)
	if err != nil {
		return Presigned{}, by{}, err
	}
	if d, err := s.find(name); form && err == nil && !d.Key.Unique() && !d.Overwrite {
		what.Destination = d.Name
		return Presigned{}, by{}, refuse(FormNotAllowed, "method", "a form cannot keep an object that is there, and this destination does not let one be replaced; presign PUT, or have {uuid} put into the destination's key")
	}
	u, err := s.admit(ctx, p, name, f, what)
	if err != nil {
		return Presigned{}, by{}, err
	}
	d := u.Destination
	if u.MayExist && !d.Overwrite {
		return Presigned{}, by{}, keyTaken(u.Grant.Key)
	}
	if u.Grant.Size > plan.MaxPartSize {
		return Presigned{}, by{}, refuse(TooLarge, "size", fmt.Sprintf("the file has %s, and one request holds %s; send it in parts", sizeText(u.Grant.Size), sizeText(plan.MaxPartSize)))
	}
	b, err := s.signer(ctx, p, d, u.Grant.Key, signing{form: form}, expires)
	what.Session = b.Name
	return Presigned{Token: u.Token, Grant: u.Grant}, b, err
}

// signer is who signs what a destination presigns for a key: a session as narrow
// as the page's own would be, or, for a store that hands out none, the server.
// What it signs ends when it ends.
func (s *Service) signer(ctx context.Context, p Principal, d *Destination, key string, a signing, expires time.Duration) (by, error) {
	var session Session
	var err error
	if d.Store.STS.RoleARN == "" {
		if !a.sent {
			err = s.enforced(ctx, d)
		}
		if err == nil {
			session, err = s.Signer.Own(ctx, d.Store)
		}
	} else {
		var rights Rights
		if rights, err = d.rights(p, key); err == nil {
			rights.Form = a.form
			session, err = s.sessionAnew(ctx, p, rights, rights.Prefix || a.shared, a.anew)
		}
	}
	if err != nil {
		return by{}, err
	}
	now := s.Now().UTC().Truncate(time.Second) // what a signature says the time is
	b := by{Session: session, destination: d, now: now, until: now.Add(expires)}
	if end := session.Expires.UTC().Truncate(time.Second); !session.Expires.IsZero() && end.Before(b.until) {
		b.until = end
	}
	if b.lasts() < time.Second {
		return by{}, refuse(StoreUnavailable, "", "the server's credentials for the store are about to end; try again")
	}
	return b, nil
}

// linkDuration holds what somebody asks for against what S3 takes.
func linkDuration(expires time.Duration) (time.Duration, error) {
	switch {
	case expires < 0 || expires > MaxLinkDuration || expires%time.Second != 0:
		return 0, refuse(FieldInvalid, "expires", fmt.Sprintf("expires is outside 1 to %d seconds", int(MaxLinkDuration.Seconds())))
	case expires == 0:
		return DefaultLinkDuration, nil
	}
	return expires, nil
}

func checkSHA256(text, field string) error {
	if _, ok := s3api.ParseDigest(text); !ok {
		return refuse(FieldInvalid, field, field+" is not a SHA-256 in base64; send its 44 characters, as x-amz-checksum-sha256 has them")
	}
	return nil
}

// Download gives the owner of a grant a link to read its object, where that fits
// the grant as it is now, completed or not. A duration of
// zero stands for DefaultLinkDuration; as.Name is the grant's in any case.
func (s *Service) Download(ctx context.Context, p Principal, name, token string, as ReadAs, expires time.Duration) (Link, error) {
	what := Decision{What: "read", Principal: p}
	link, err := s.download(ctx, p, name, token, as, expires, &what)
	s.decided(ctx, &what, err)
	return link, err
}

func (s *Service) download(ctx context.Context, p Principal, name, token string, as ReadAs, expires time.Duration, what *Decision) (Link, error) {
	g, d, err := s.open(p, token, what)
	if err != nil {
		return Link{}, err
	}
	switch {
	case g.Destination != name:
		return Link{}, refuse(GrantInvalid, "grant", "the grant is for another destination than the address names")
	case !d.ReadOwner || g.Owner == OwnerShared:
		return Link{}, refuse(ReadNotAllowed, "method", "this destination does not let uploads be read; its configuration needs read: owner")
	case as.Type != "" && !d.AcceptsType(as.Type):
		return Link{}, refuse(TypeNotAllowed, "type", "type is not one that this destination takes; it takes "+strings.Join(d.ContentTypes, ", "))
	}
	if as.Type != "" {
		if err := CheckMediaType(as.Type); err != nil {
			return Link{}, err
		}
	}
	if expires, err = linkDuration(expires); err != nil {
		return Link{}, err
	}
	if err := s.limit(ctx, d, p, limitRead); err != nil {
		return Link{}, err
	}
	if err := s.allow(ctx, d, p, g.file()); err != nil {
		return Link{}, err
	}
	o, err := s.Objects.Look(ctx, d.Store, d.Bucket, g.Key)
	switch {
	case err != nil:
		return Link{}, err
	case o == nil:
		return Link{}, refuse(ObjectMissing, "grant", "the store has no object for this upload; send the file first")
	case g.Before != "" && g.Before == o.ETag && o.Modified.Before(g.Issued):
		return Link{}, refuse(ObjectMissing, "grant", "the store has only the object from before this upload; send the file first")
	}
	if flaw := g.flaw(d, o, s.Now()); flaw != "" {
		return Link{}, refuse(ObjectRefused, "grant", "the object is not what was granted: "+flaw+"; there is no link to it, upload the file again")
	}
	as.Name = g.Name
	return s.Links.ReadLink(ctx, d.Store, d.Bucket, g.Key, as, s.Now(), expires)
}

// Signable opens a grant for somebody whose requests the server signs one by one,
// with the page's session, each checked before. begins says that the request
// creates or completes the object.
func (s *Service) Signable(ctx context.Context, p Principal, token string, begins bool) (Grant, *Destination, error) {
	what := Decision{What: "sign", Principal: p}
	g, d, err := s.goOn(ctx, p, token, "", &what)
	if err == nil && begins {
		err = s.incomplete(ctx, d, g)
	}
	s.decided(ctx, &what, err)
	return g, d, err
}

// GrantedParts are the parts that the store has of an upload, as the page's session
// sees them. They are the grant's file: their sizes add up to its, their numbers are
// 1 to most. Errors are *Error with PartsRefused, or the MultipartCaller's.
func (s *Service) GrantedParts(ctx context.Context, by Session, d *Destination, g Grant, uploadID string, most int64) ([]Part, error) {
	parts, err := s.parts(ctx, by, Write{Store: d.Store, Bucket: d.Bucket, Key: g.Key, Size: g.Size}, uploadID)
	for _, part := range parts {
		if err == nil && (part.Number < 1 || int64(part.Number) > most) {
			err = refuse(PartsRefused, "uploadId", fmt.Sprintf("the store has a part %d, and the granted %d bytes are %d parts at most; abort, and start the upload again", part.Number, g.Size, most))
		}
	}
	return parts, err
}

// StoredWith is the headers with which a grant's object is created, in lower case.
func (d *Destination) StoredWith(g Grant) map[string]string { return d.headers(g.Name, g.Type) }
