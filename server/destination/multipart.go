package destination

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/chunksign/chunksign/wasm/plan"
)

// MaxPartsAtOnce is how many part URLs one call gives: each is 1 to 2 KB.
const MaxPartsAtOnce = 100

// MultipartCaller makes the calls of a multipart upload that carry no bytes.
// Errors are *Error with UploadMissing, KeyTaken, WriteConflict, PartsRefused,
// StoreRefused or StoreUnavailable. It is safe for concurrent use.
type MultipartCaller interface {
	// Create begins an upload whose parts carry SHA-256 checksums.
	Create(ctx context.Context, by Session, w Write) (uploadID string, err error)
	// List gives the parts after one, 1,000 at most, and the part to go on
	// after, 0 where these were the last.
	List(ctx context.Context, by Session, w Write, uploadID string, after int) (parts []Part, next int, err error)
	// Complete puts parts together, in the order of their numbers.
	Complete(ctx context.Context, by Session, w Write, uploadID string, parts []Part) (etag string, err error)
	// Abort drops an upload and what has come of it so far. What is in flight can
	// outlive it: gone says that the store no longer knows the upload.
	Abort(ctx context.Context, by Session, w Write, uploadID string) (gone bool, err error)
}

// Write is one object that is to be written.
type Write struct {
	Store       *Store
	Bucket, Key string
	Header      map[string]string // what it is stored with
	Size        int64
	Overwrite   bool
}

// Part is a part of a multipart upload.
type Part struct {
	Number int    // from 1
	Size   int64  // bytes
	ETag   string // as the store gave it
	SHA256 string // base64; "" where the store keeps none
}

// PartLinks are presigned UploadParts, or one PutObject. Each URL takes one
// part's bytes and no others: length and checksum are signed in.
type PartLinks struct {
	Links      []PartLink // in the order in which they were asked for
	Expires    time.Time
	ServerTime time.Time
}

// PartLink is one of them.
type PartLink struct {
	URL    string
	Header map[string]string // to be sent, as it is; Host and Content-Length are signed too
}

// PresignParts signs UploadParts of a granted upload or, with no upload ID, the
// PutObject of a whole file that goes as one part. Of each part it reads Number,
// Size and SHA256. The URLs serve until the session that signs them ends; then
// they are asked for again. anew says that the store has refused what was signed
// before: another session signs.
func (s *Service) PresignParts(ctx context.Context, p Principal, token, uploadID string, parts []Part, anew bool, expires time.Duration) (PartLinks, error) {
	what := Decision{What: "parts", Principal: p}
	links, err := s.presignParts(ctx, p, token, uploadID, parts, anew, expires, &what)
	s.decided(ctx, &what, err)
	return links, err
}

func (s *Service) presignParts(ctx context.Context, p Principal, token, uploadID string, parts []Part, anew bool, expires time.Duration, what *Decision) (PartLinks, error) {
	count := ""
	if anew {
		count = limitRenew
	}
	g, d, err := s.goOn(ctx, p, token, count, what)
	if err != nil {
		return PartLinks{}, err
	}
	if uploadID == "" {
		err = g.checkWhole(parts)
	} else if err = CheckUploadID(uploadID); err == nil {
		err = g.checkParts(parts)
	}
	if err != nil {
		return PartLinks{}, err
	}
	if expires, err = linkDuration(expires); err != nil {
		return PartLinks{}, err
	}
	by, err := s.signer(ctx, p, d, g.Key, signing{shared: true, anew: anew}, expires)
	if err != nil {
		return PartLinks{}, err
	}
	what.Session = by.Name
	if most := by.now.Add(MaxHeaderDuration); d.Store.SignsInHeaders && by.until.After(most) {
		by.until = most
	}
	out := PartLinks{Expires: by.until, Links: make([]PartLink, len(parts)), ServerTime: s.Now().UTC()}
	for i, part := range parts {
		r := StoreRequest{Store: d.Store, Bucket: d.Bucket, Key: g.Key, Method: "PUT"}
		header := map[string]string{"x-amz-checksum-sha256": part.SHA256}
		if uploadID == "" {
			header = d.PutHeaders(g.Name, g.Type, part.SHA256)
		} else {
			r.Query = map[string]string{"partNumber": fmt.Sprint(part.Number), "uploadId": uploadID}
		}
		r.Header = maps.Clone(header)
		r.Header["content-length"] = fmt.Sprint(part.Size)
		if d.Store.SignsInHeaders {
			url, signed := s.Signer.Headers(by.Session, r, part.SHA256, by.now)
			delete(signed, "content-length") // whoever sends the bytes says how many
			out.Links[i] = PartLink{url, signed}
			continue
		}
		out.Links[i] = PartLink{s.Signer.URL(by.Session, r, by.now, by.lasts()), header}
	}
	return out, nil
}

// checkWhole holds what is to be sent as one PutObject against the grant.
func (g Grant) checkWhole(parts []Part) error {
	switch {
	case len(parts) != 1 || parts[0].Number != 1:
		return refuse(FieldInvalid, "parts", "without an uploadId there is one part, the whole file; send that with the partNumber 1, or send the uploadId that create answered")
	case parts[0].Size != g.Size || g.Size > plan.MaxPartSize:
		return refuse(FieldInvalid, "parts.0.size", fmt.Sprintf("parts.0.size is not the granted %d, or more than one request holds; without an uploadId send the whole file, else in parts", g.Size))
	}
	return checkSHA256(parts[0].SHA256, "parts.0.sha256")
}

// checkParts holds parts that are to be sent against the grant.
func (g Grant) checkParts(parts []Part) error {
	if len(parts) < 1 || len(parts) > MaxPartsAtOnce {
		return refuse(FieldInvalid, "parts", fmt.Sprintf("parts has %d entries; send 1 to %d", len(parts), MaxPartsAtOnce))
	}
	seen, total := map[int]bool{}, int64(0)
	for i, part := range parts {
		field := func(name string) string { return fmt.Sprintf("parts.%d.%s", i, name) }
		switch {
		case part.Number < 1 || part.Number > plan.MaxParts || seen[part.Number]:
			return refuse(FieldInvalid, field("partNumber"), fmt.Sprintf("%s is outside 1 to %d, or there twice", field("partNumber"), plan.MaxParts))
		case part.Size < 1 || part.Size > plan.MaxPartSize || part.Size > g.Size-total:
			return refuse(FieldInvalid, field("size"), fmt.Sprintf("%s is outside 1 to %d, or the parts are more than the granted %d bytes", field("size"), int64(plan.MaxPartSize), g.Size))
		}
		if err := checkSHA256(part.SHA256, field("sha256")); err != nil {
			return err
		}
		seen[part.Number] = true
		total += part.Size
	}
	return nil
}

// CheckUploadID returns an *Error where an upload ID is not one that a store gives. S3's are opaque; what stores are known
// to give is base64 in the alphabet of URLs, UUIDs and hexadecimal digits, with . _ ~ - among them (AWS: letters, digits
// and . _ -; MinIO: base64url; Ceph: 2~ and base64url; B2: 4_z...; versitygw: a UUID). + and = are taken for those who
// write plain base64. A slash is not: no known store gives one, and a store that keeps uploads as files, as versitygw does,
// reads ../ as a path. An ID may begin with a dot, for AWS's alphabet has it; one of dots alone is a path again.
func CheckUploadID(id string) error {
	allowed := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._~+=-", r)
	}
	if len(id) > 1024 || strings.Trim(id, ".") == "" || strings.ContainsFunc(id, func(r rune) bool { return !allowed(r) }) {
		return refuse(FieldInvalid, "uploadId", "uploadId is not one that a store gives; send it as create answered it")
	}
	return nil
}

// CreateMultipart begins the multipart upload of a grant and gives its ID.
func (s *Service) CreateMultipart(ctx context.Context, p Principal, token string) (string, error) {
	id := ""
	err := s.multipart(ctx, p, token, "create", func(by Session, w Write, _ granted) (err error) {
		id, err = s.Multipart.Create(ctx, by, w)
		return err
	})
	return id, err
}

// ListMultipart gives the parts that the store has, after one of them, and the
// part to go on after, 0 at the end.
func (s *Service) ListMultipart(ctx context.Context, p Principal, token, uploadID string, after int) (parts []Part, next int, err error) {
	if after < 0 || after > plan.MaxParts {
		return nil, 0, refuse(FieldInvalid, "after", fmt.Sprintf("after is outside 0 to %d; send what next said", plan.MaxParts))
	}
	err = s.multipart(ctx, p, token, "list", func(by Session, w Write, _ granted) (err error) {
		if err = CheckUploadID(uploadID); err == nil {
			parts, next, err = s.Multipart.List(ctx, by, w, uploadID, after)
		}
		return err
	})
	return parts, next, err
}

// CompleteMultipart puts the parts together that the store has, if they are as
// many bytes as were granted, and gives the object's ETag. The upload is done
// once Complete has looked at the object.
//
// Of sent, Number and SHA256 are read: the store must have these parts and no
// others, with these checksums where it keeps any. None sent means whatever the
// store has.
func (s *Service) CompleteMultipart(ctx context.Context, p Principal, token, uploadID string, sent []Part) (etag string, err error) {
	err = s.multipart(ctx, p, token, "put_together", func(by Session, w Write, g granted) error {
		if err := CheckUploadID(uploadID); err != nil {
			return err
		}
		all, err := s.parts(ctx, by, w, uploadID)
		if err == nil {
			if err = match(all, sent); err == nil {
				etag, err = s.Multipart.Complete(ctx, by, w, uploadID, all)
			}
		}
		if code := OutcomeOf(err); code == UploadMissing || code == KeyTaken {
			if etag = s.completedBefore(ctx, g); etag != "" {
				return nil
			}
		}
		return err
	})
	return etag, err
}

// completedBefore gives the ETag of a grant's object where an earlier call has
// completed its upload, whose reply was lost: it is answered as that was. Where
// others may write the key too it may be theirs, and nothing is answered.
func (s *Service) completedBefore(ctx context.Context, g granted) (etag string) {
	if g.Owner == OwnerShared {
		return ""
	}
	o, err := s.Objects.Look(ctx, g.destination.Store, g.destination.Bucket, g.Key)
	if err != nil || o == nil || o.ETag == g.Before || g.flaw(g.destination, o, s.Now()) != "" {
		return ""
	}
	return o.ETag
}

// parts are all that the store has of an upload, which are the whole file.
func (s *Service) parts(ctx context.Context, by Session, w Write, uploadID string) (all []Part, err error) {
	total := int64(0)
	for after := 0; ; {
		parts, next, err := s.Multipart.List(ctx, by, w, uploadID, after)
		if err != nil {
			return nil, err
		}
		for _, part := range parts {
			total += part.Size
		}
		all = append(all, parts...)
		if next <= after {
			break
		}
		after = next
	}
	if total != w.Size {
		return nil, refuse(PartsRefused, "uploadId", fmt.Sprintf("the store has %d bytes in %d parts, and %d were granted; list the parts, send what is missing, and complete again", total, len(all), w.Size))
	}
	return all, nil
}

// match holds what the store has against what was sent, and adds the checksums
// that the store did not tell.
func match(stored, sent []Part) error {
	if len(sent) == 0 {
		return nil
	}
	sums := map[int]string{}
	for i, part := range sent {
		if err := checkSHA256(part.SHA256, fmt.Sprintf("parts.%d.sha256", i)); err != nil {
			return err
		}
		sums[part.Number] = part.SHA256
	}
	for i, part := range stored {
		sum := sums[part.Number]
		if sum == "" || part.SHA256 != "" && part.SHA256 != sum {
			return refuse(PartsRefused, "parts", fmt.Sprintf("the store's part %d is not one of those that were sent, or has other bytes; list the parts and send it again", part.Number))
		}
		stored[i].SHA256 = sum
		delete(sums, part.Number)
	}
	if len(sums) > 0 {
		return refuse(PartsRefused, "parts", fmt.Sprintf("the store lacks %d of the parts; list them, and send what is missing", len(sums)))
	}
	return nil
}

// AbortMultipart drops the upload. It is repeated until gone is true.
func (s *Service) AbortMultipart(ctx context.Context, p Principal, token, uploadID string) (gone bool, err error) {
	err = s.multipart(ctx, p, token, "abort", func(by Session, w Write, _ granted) (err error) {
		if err = CheckUploadID(uploadID); err == nil {
			gone, err = s.Multipart.Abort(ctx, by, w, uploadID)
		}
		return err
	})
	return gone, err
}

// granted is a grant with its destination as it is today.
type granted struct {
	Grant
	destination *Destination
}

// multipart makes a call for a granted upload. Dropping one is always let.
func (s *Service) multipart(ctx context.Context, p Principal, token, op string, call func(by Session, w Write, g granted) error) error {
	what := Decision{What: op, Principal: p}
	err := func() error {
		var g Grant
		var d *Destination
		var err error
		switch op {
		case "abort":
			g, d, err = s.open(p, token, &what)
		case "create":
			if g, d, err = s.goOn(ctx, p, token, limitRenew, &what); err == nil {
				err = s.incomplete(ctx, d, g)
			}
		default:
			g, d, err = s.goOn(ctx, p, token, "", &what)
		}
		if err != nil {
			return err
		}
		w := Write{Store: d.Store, Bucket: d.Bucket, Key: g.Key, Header: d.headers(g.Name, g.Type), Size: g.Size, Overwrite: d.Overwrite}
		for _, anew := range []bool{false, true} {
			by, fault := s.signer(ctx, p, d, g.Key, signing{sent: true, shared: true, anew: anew}, DefaultLinkDuration)
			if fault != nil {
				return fault
			}
			what.Session = by.Name
			// A session may have ended for the store before its time.
			if err = call(by.Session, w, granted{g, d}); OutcomeOf(err) != StoreRefused || d.Store.STS.RoleARN == "" {
				break
			}
		}
		return err
	}()
	s.decided(ctx, &what, err)
	return err
}
