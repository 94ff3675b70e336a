package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/redact"
)

// probe is an object that is uploaded as a page would, with a session of its own.
type probe struct {
	d            *destination.Destination
	session      destination.Session
	s3           *s3.Client // with the session
	key          string
	prefix       string // that the session may write, "" for the key alone
	whole        bool   // the destination has but this key: real uploads go there
	policyLength int
	outside      string          // a key that the session may not write
	written      []string        // keys to be cleaned up
	exposed      map[string]bool // response headers that a page may read, in lower case; nil: none was told
}

const probeText = "written by chunksign doctor\n"

// pageClient works with a session, as a page does.
func (e *examiner) pageClient(s *destination.Store, session destination.Session) *s3.Client {
	o := s3.Options{
		Region: s.Region, HTTPClient: e.http(s), Retryer: aws.NopRetryer{},
		Credentials:  credentials.NewStaticCredentialsProvider(session.AccessKeyID, session.SecretAccessKey, session.SessionToken),
		UsePathStyle: s.Addressing == "path" || s.Addressing == "" && !s.AWS(),
	}
	if s.AWS() {
		o.Retryer = retry.NewStandard()
	} else {
		o.BaseEndpoint = aws.String(s.Endpoint)
	}
	return s3.New(o)
}

// clock holds this machine's against the store's, as its Date tells it. S3
// refuses signatures that are 15 min off. It answers whether the store is there.
func (e *examiner) clock(ctx context.Context, d *destination.Destination) bool {
	const most = time.Minute
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, d.Store.Origin(d.Bucket)+"/", nil)
	if err != nil {
		e.fail(d.Name, "store", redact.Error(err).Error(), "mend the endpoint of the store "+d.Store.Name)
		return false
	}
	before := e.now()
	reply, err := e.http(d.Store).Do(r)
	if err != nil {
		e.fail(d.Name, "store", redact.Error(err).Error(), "see that the store is reached from here: endpoint, DNS, proxies (HTTPS_PROXY), firewalls, and that its certificate is one that this machine trusts")
		return false
	}
	reply.Body.Close()
	e.ok(d.Name, "store", "%s answers", d.Store.Origin(d.Bucket))
	theirs, err := http.ParseTime(reply.Header.Get("Date"))
	if err != nil {
		e.notChecked(d.Name, "clock", "the store does not say what time it is")
		return true
	}
	after := e.now()
	// Date has whole seconds.
	if theirs.Add(time.Second+most).Before(before) || theirs.Add(-most).After(after) {
		e.fail(d.Name, "clock", fmt.Sprintf("this machine's clock is %s off the store's", theirs.Sub(before).Round(time.Second)), "set it right, with NTP: signatures fail at 15 min")
		return true
	}
	e.ok(d.Name, "clock", "within %s of the store's", most)
	return true
}

// parts goes through a multipart upload that is aborted.
func (e *examiner) parts(ctx context.Context, p *probe) {
	rights := "what signs lacks a right: " + p.rights()
	bucket, key := aws.String(p.d.Bucket), aws.String(p.key)
	in := &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key, ChecksumAlgorithm: types.ChecksumAlgorithmSha256}
	created, err := p.s3.CreateMultipartUpload(ctx, in, p.stored())
	if err != nil {
		e.fail(p.d.Name, "multipart", "CreateMultipartUpload answers "+storeSays(err), e.putFix(p, err))
		return
	}
	abort := func() error {
		_, err := p.s3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: key, UploadId: created.UploadId})
		return err
	}
	_, err = p.s3.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: created.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader(probeText), ChecksumAlgorithm: types.ChecksumAlgorithmSha256})
	if err != nil {
		e.fail(p.d.Name, "multipart", "UploadPart answers "+storeSays(err), e.putFix(p, err))
		abort() //nolint:errcheck // what is wrong is said
		return
	}
	listed, err := p.s3.ListParts(ctx, &s3.ListPartsInput{Bucket: bucket, Key: key, UploadId: created.UploadId})
	switch {
	case err != nil:
		e.fail(p.d.Name, "multipart", "ListParts answers "+storeSays(err), "uploads cannot be resumed: "+rights)
	case len(listed.Parts) != 1 || aws.ToString(listed.Parts[0].ChecksumSHA256) == "":
		e.fail(p.d.Name, "multipart", "ListParts does not tell the part with its SHA-256", "uploads are resumed by sending every part again: the store keeps no checksums")
	}
	if err := abort(); err != nil {
		e.fail(p.d.Name, "multipart", "AbortMultipartUpload answers "+storeSays(err), "cancelled uploads leave their parts: "+rights)
		return
	}
	if err == nil && len(listed.Parts) == 1 {
		e.ok(p.d.Name, "multipart", "begun, a part sent and listed, aborted")
	}
}

// stored adds the headers that a page sends for the destination's options, and
// an origin.
func (p *probe) stored(more ...string) func(*s3.Options) {
	u := destination.Upload{Destination: p.d, Grant: destination.Grant{Type: "text/plain"}}
	return func(o *s3.Options) {
		for name, value := range u.Headers() {
			o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue(name, value))
		}
		for i := 0; i+1 < len(more); i += 2 {
			o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue(more[i], more[i+1]))
		}
	}
}

// put writes the probe. Where real uploads have the same key it does not.
func (e *examiner) put(ctx context.Context, p *probe) bool {
	if p.whole {
		e.notChecked(p.d.Name, "put", "the destination has one key only, and the probe would be taken for a real upload")
		return false
	}
	out, err := e.write(ctx, p, p.key, true)
	if err != nil {
		e.fail(p.d.Name, "put", "PutObject answers "+storeSays(err), e.putFix(p, err))
		return false
	}
	if raw, ok := awsmiddleware.GetRawResponse(out.ResultMetadata).(*smithyhttp.Response); ok {
		if list := raw.Header.Values("Access-Control-Expose-Headers"); len(list) > 0 {
			p.exposed = map[string]bool{}
			for _, name := range strings.Split(strings.Join(list, ","), ",") {
				p.exposed[strings.ToLower(strings.TrimSpace(name))] = true
			}
		}
	}
	e.ok(p.d.Name, "put", "%s/%s", p.d.Bucket, p.key)
	return true
}

// write puts an object with the session.
func (e *examiner) write(ctx context.Context, p *probe, key string, asConfigured bool) (*s3.PutObjectOutput, error) {
	in := &s3.PutObjectInput{Bucket: aws.String(p.d.Bucket), Key: aws.String(key), Body: strings.NewReader(probeText), ChecksumAlgorithm: types.ChecksumAlgorithmSha256}
	var headers []string
	if asConfigured && !p.d.Overwrite {
		in.IfNoneMatch = aws.String("*")
	}
	if len(e.origins) > 0 {
		headers = []string{"Origin", e.origins[0]}
	}
	out, err := p.s3.PutObject(ctx, in, p.stored(headers...))
	if err == nil && !slices.Contains(p.written, key) {
		p.written = append(p.written, key)
	}
	return out, err
}

// rights is where it stands what they are.
func (p *probe) rights() string {
	if p.d.Store.STS.RoleARN == "" {
		return "chunksign iam -only server"
	}
	return "chunksign iam -only role"
}

func (e *examiner) putFix(p *probe, err error) string {
	says := storeSays(err)
	switch {
	case strings.Contains(says, "NoSuchBucket"):
		return "make the bucket " + p.d.Bucket + ", or mend its name"
	case strings.Contains(says, "AccessControlListNotSupported"):
		return "the bucket takes no ACLs: take acl out of " + p.d.Name
	case strings.Contains(says, "kms"), strings.Contains(says, "KMS"):
		return "the role, and the key's own policy, need kms:GenerateDataKey and kms:Decrypt: " + p.rights()
	case strings.Contains(says, "PermanentRedirect"), strings.Contains(says, "AuthorizationHeaderMalformed"), strings.Contains(says, "IllegalLocationConstraint"):
		return "the bucket is in another region: mend region of the store " + p.d.Store.Name
	case strings.Contains(says, "AccessDenied"):
		return "give what signs the rights that it needs: " + p.rights() + "; see that no bucket policy denies it"
	}
	return "see the store's own log"
}

// condition sees that what may not be replaced cannot be.
func (e *examiner) condition(ctx context.Context, p *probe) {
	if p.d.Overwrite {
		return
	}
	_, err := e.write(ctx, p, p.key, true)
	switch status(err) {
	case http.StatusPreconditionFailed:
		e.ok(p.d.Name, "if-none-match", "an object that is there is not replaced")
	case 0:
		e.fail(p.d.Name, "if-none-match", "the store ignores If-None-Match, so that an object can be replaced although overwrite is off", "put {uuid} into key, and switch versioning on")
	default:
		e.fail(p.d.Name, "if-none-match", "with If-None-Match the store answers "+storeSays(err)+" for an object that is there, not 412", "uploads that meet an object fail late: put {uuid} into key")
	}
	if p.d.Store.AWS() && p.d.Store.STS.RoleARN != "" {
		if _, err := e.write(ctx, p, p.key, false); status(err) != http.StatusForbidden {
			e.fail(p.d.Name, "if-none-match", "a page can replace its object by leaving If-None-Match out", "switch versioning on; see that the bucket is of a kind that knows the condition key s3:if-none-match")
		}
	}
}

// refusals tries what the session may not do, and says whether all is refused.
func (e *examiner) refusals(ctx context.Context, p *probe) bool {
	bucket, own := aws.String(p.d.Bucket), aws.String(p.key)
	neighbour := p.key + "-neighbour"
	if p.prefix != "" {
		neighbour = p.outside
	}
	got := func(_ any, err error) error { return err }
	tries := []struct {
		what string
		try  func() error
	}{
		{"write another key beside it", func() error { _, err := e.write(ctx, p, neighbour, true); return err }},
		{"write at the bucket's top", func() error { _, err := e.write(ctx, p, p.outside, true); return err }},
		{"begin a multipart upload of another key", func() error {
			out, err := p.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: aws.String(neighbour)})
			if err == nil {
				p.s3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: aws.String(neighbour), UploadId: out.UploadId}) //nolint:errcheck // what is wrong is said
			}
			return err
		}},
		{"read its own object", func() error { return got(p.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: own})) }},
		{"list the bucket", func() error {
			return got(p.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket, MaxKeys: aws.Int32(1)}))
		}},
		{"list the bucket's unfinished uploads", func() error {
			return got(p.s3.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bucket}))
		}},
		{"delete its object", func() error { return got(p.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: own})) }},
	}
	open := 0
	for _, t := range tries {
		if err := t.try(); status(err) != http.StatusForbidden {
			open++
			what := "may " + t.what
			if err != nil {
				what = "is not refused to " + t.what + ", but answered " + storeSays(err)
			}
			e.fail(p.d.Name, "scope", "a page's session "+what, "do not use this store for uploads: it does not keep to session policies")
		}
	}
	if open == 0 {
		e.ok(p.d.Name, "scope", "%d things that the session must not do were refused", len(tries))
	}
	return open == 0
}

// look sees the probe with the server's own rights.
func (e *examiner) look(ctx context.Context, p *probe) {
	const rights = "give the server's identity what chunksign iam -only server (or -only verify) prints"
	o, err := e.looker.Look(ctx, p.d.Store, p.d.Bucket, p.key)
	switch {
	case err != nil:
		e.fail(p.d.Name, "look", redact.Error(err).Error(), rights)
		return
	case o == nil:
		e.fail(p.d.Name, "look", "the object that was just written is not there for the server", "see that sessions and server have the same store behind the endpoint")
		return
	case o.Size != int64(len(probeText)) || !strings.HasPrefix(o.Type, "text/plain"):
		e.fail(p.d.Name, "look", fmt.Sprintf("the store tells %d bytes of %s for %d of text/plain", o.Size, o.Type, len(probeText)), "no upload can be completed: see what lies between here and the store")
		return
	}
	if none, err := e.looker.Look(ctx, p.d.Store, p.d.Bucket, p.key+"-none"); err != nil || none != nil {
		e.fail(p.d.Name, "look", "of an object that is not there the store does not say so: "+fmt.Sprint(err), "the server needs s3:ListBucket, or a missing object answers 403: "+rights)
		return
	}
	if o.Checksum == nil {
		e.ok(p.d.Name, "look", "size and type; the store keeps no checksum")
		return
	}
	e.ok(p.d.Name, "look", "size, type and %s", o.Checksum.Algorithm)
}

// remove deletes the probe as an object that breaks its grant would be.
func (e *examiner) remove(ctx context.Context, p *probe) {
	const rights = "the server needs s3:DeleteObject and s3:DeleteObjectVersion: chunksign iam -only server (or -only verify)"
	o, err := e.looker.Look(ctx, p.d.Store, p.d.Bucket, p.key)
	if err != nil || o == nil {
		return // look has said why
	}
	if o.VersionID == "" && p.d.Store.DeletesIfMatch {
		other := *o
		other.ETag = "00000000000000000000000000000000"
		if removed, err := e.looker.Remove(ctx, p.d.Store, p.d.Bucket, p.key, &other); removed && err == nil {
			e.fail(p.d.Name, "delete", "the store ignores If-Match on DeleteObject, so that somebody else's object could be deleted", "write conditional_delete: false for the store "+p.d.Store.Name)
			return
		}
	}
	removed, err := e.looker.Remove(ctx, p.d.Store, p.d.Bucket, p.key, o)
	switch {
	case err != nil:
		e.fail(p.d.Name, "delete", redact.Error(err).Error(), rights)
	case removed:
		e.ok(p.d.Name, "delete", "what breaks its grant can be deleted, and nothing else")
	default:
		e.notChecked(p.d.Name, "delete", "the store has no way to delete exactly one object: what breaks its grant is left (versioning would help)")
	}
}

// cleanUp removes what was written, with the server's own rights.
func (e *examiner) cleanUp(ctx context.Context, p *probe) {
	for _, key := range p.written {
		if err := e.looker.Discard(ctx, p.d.Store, p.d.Bucket, key); err != nil {
			e.fail(p.d.Name, "clean up", redact.Error(err).Error(), fmt.Sprintf("delete %s/%s yourself", p.d.Bucket, key))
		}
	}
}

// status is the store's for a call: 0 for success, -1 where no reply came.
func status(err error) int {
	var reply *awshttp.ResponseError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &reply) && reply.HTTPStatusCode() != 0: // the SDK makes one up without where no reply came
		return reply.HTTPStatusCode()
	}
	return -1
}

// storeSays is the store's own code and words.
func storeSays(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) && status(err) > 0 {
		return fmt.Sprintf("%d %s (%s)", status(err), api.ErrorCode(), api.ErrorMessage())
	}
	return fmt.Sprint(err)
}

// stsSays is what STS says, or else what went wrong on the way to it.
func stsSays(err error) string {
	var known *destination.Error
	if errors.As(err, &known) && known.Err != nil {
		err = known.Err
	}
	return storeSays(err)
}
