package trial

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

// Signed is what a server would sign, and with what.
type Signed struct {
	Destination *destination.Destination
	By          destination.Session // who signs: the server's own key, or a session
	Key         string              // the one that a session may write, where that signs; it has no object
	Own         destination.Session // the server's own, by which effects are read back and removed
	Signer      destination.RequestSigner
	Client      *http.Client // nil for the usual one
	Now         func() time.Time
}

// reply is a store's.
type reply struct {
	status int
	header http.Header
	body   string
}

// mostReply is far above what is read back, in bytes.
const mostReply = 1 << 20

// direct follows no redirect: it would be signed for another host.
var direct = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// trialRun is one trial. What it writes begins with a key of its own.
type trialRun struct {
	Signed
	written []string // keys
	key     string
	lanes   int    // how many attempts are made at once
	body    string // a tar, of which a store may make the object extracted
}

func newRun(s Signed) *trialRun {
	before, _ := s.Destination.Beginning()
	r := &trialRun{Signed: s, lanes: lanes, key: before + name + "-" + strings.ToLower(rand.Text()) + "-"}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	w.WriteHeader(&tar.Header{Name: r.extracted(), Mode: 0o600, Size: int64(len(name))}) //nolint:errcheck // into memory
	io.WriteString(w, name)                                                              //nolint:errcheck // into memory
	w.Close()                                                                            //nolint:errcheck // into memory
	r.body = b.String()
	if s.Key != "" {
		r.lanes = 1
	}
	return r
}

// at is the key of one attempt.
func (r *trialRun) at(name string) string {
	if r.Key != "" {
		return r.Key
	}
	return r.key + name
}

func (r *trialRun) extracted() string { return r.key + "extracted" }

// source is what copies name: the bucket, and a key as it stands in a URL.
func (r *trialRun) source(key string) string {
	escape := strings.NewReplacer("%", "%25", " ", "%20", "?", "%3F", "#", "%23", "+", "%2B")
	return "/" + r.Destination.Bucket + "/" + escape.Replace(key)
}

// put is what a destination signs for a whole file of these bytes.
func (r *trialRun) put(key, body string, inHeaders bool) (string, map[string]string) {
	header := r.Destination.PutHeaders("trial.tar", "application/x-tar", digest(body))
	return r.signed(destination.StoreRequest{Key: key, Method: http.MethodPut}, header, body, inHeaders)
}

// part is what it signs for a part of them.
func (r *trialRun) part(key, uploadID string, number int, body string) (url string, header map[string]string) {
	query := map[string]string{"partNumber": fmt.Sprint(number), "uploadId": uploadID}
	q := destination.StoreRequest{Key: key, Method: http.MethodPut, Query: query}
	return r.signed(q, map[string]string{"x-amz-checksum-sha256": digest(body)}, body, r.Destination.Store.SignsInHeaders)
}

// signed is as PresignPut and PresignParts of the domain sign.
func (r *trialRun) signed(
	q destination.StoreRequest, header map[string]string, body string, inHeaders bool,
) (string, map[string]string) {
	q.Store, q.Bucket, q.Header = r.Destination.Store, r.Destination.Bucket, maps.Clone(header)
	q.Header["content-length"] = fmt.Sprint(len(body))
	now := r.Now().UTC().Truncate(time.Second)
	if inHeaders {
		url, signed := r.Signer.Headers(r.By, q, digest(body), now)
		delete(signed, "content-length")
		return url, signed
	}
	return r.Signer.URL(r.By, q, now, destination.MaxHeaderDuration), header
}

func digest(body string) string {
	sum := sha256.Sum256([]byte(body))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// own makes a call for the trial's own ends.
func (r *trialRun) own(
	ctx context.Context, method, key string, query map[string]string, body string,
) (reply, error) {
	q := destination.StoreRequest{
		Store: r.Destination.Store, Bucket: r.Destination.Bucket, Key: key, Method: method, Query: query,
	}
	url := r.Signer.URL(r.Own, q, r.Now().UTC().Truncate(time.Second), destination.MaxHeaderDuration)
	return r.send(ctx, method, url, nil, body)
}

// send sends a request; header holds every value of a header.
func (r *trialRun) send(
	ctx context.Context, method, at string, header map[string][]string, body string,
) (reply, error) {
	q, err := http.NewRequestWithContext(ctx, method, at, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	for name, values := range header {
		q.Header[http.CanonicalHeaderKey(name)] = values
	}
	answer, err := cmp.Or(r.Client, r.Destination.Store.Client, direct).Do(q)
	if err != nil {
		var located *url.Error
		if errors.As(err, &located) { // the URL is a secret while it lasts
			err = located.Err
		}
		return reply{}, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, mostReply))
	if err != nil {
		return reply{}, err
	}
	if answer.StatusCode >= http.StatusInternalServerError && answer.StatusCode != http.StatusNotImplemented {
		return reply{}, fmt.Errorf("the store replied %d to %s", answer.StatusCode, method)
	}
	return reply{answer.StatusCode, answer.Header, string(text)}, nil
}

// taken reports whether the store did what it was asked.
func (a reply) taken() bool { return a.status >= 200 && a.status < 300 }

// code is the store's own of an error.
func (a reply) code() string { return between(a.body, "<Code>", "</Code>") }

func (a reply) String() string { return strings.TrimSpace(fmt.Sprint(a.status, " ", a.code())) }

func between(text, from, to string) string {
	_, text, _ = strings.Cut(text, from)
	text, _, found := strings.Cut(text, to)
	if !found {
		return ""
	}
	return text
}

// sight is what an object is stored with, as far as a header could have changed it.
type sight struct {
	object, tags, acl string
	mayTags, mayACL   bool // the server may read them, or the store has none
}

// kept are the headers of a reply to GetObject that say what an object is stored with.
var kept = []string{
	"Content-Length", "Content-Type", "X-Amz-Website-Redirect-Location", "X-Amz-Storage-Class", "X-Amz-Tagging-Count",
}

// sees reads back an object with the server's own rights.
func (r *trialRun) sees(ctx context.Context, key string) (sight, error) {
	get, err := r.own(ctx, http.MethodGet, key, nil, "")
	if err != nil {
		return sight{}, err
	}
	lines := []string{fmt.Sprint(get.status), digest(get.body)}
	for _, name := range slices.Sorted(maps.Keys(get.header)) {
		shown := strings.HasPrefix(name, "X-Amz-Object-Lock-") || strings.HasSuffix(name, "Replication-Status") ||
			strings.HasPrefix(name, "X-Amz-Server-Side-Encryption")
		if shown || slices.Contains(kept, name) {
			lines = append(lines, name+": "+get.header.Get(name))
		}
	}
	if at, err := http.ParseTime(get.header.Get("Last-Modified")); err == nil && r.Now().Sub(at).Abs() > recent {
		lines = append(lines, "Last-Modified: "+at.String())
	}
	if strings.Trim(get.header.Get("ETag"), `"`) == strings.Repeat("0", 32) {
		lines = append(lines, "ETag: 0")
	}
	seen := sight{object: strings.Join(lines, "\n")}
	tags, err := r.own(ctx, http.MethodGet, key, map[string]string{"tagging": ""}, "")
	if err != nil {
		return sight{}, err
	}
	seen.tags, seen.mayTags = between(tags.body, "<TagSet>", "</TagSet>"), tags.status != http.StatusForbidden
	acl, err := r.own(ctx, http.MethodGet, key, map[string]string{"acl": ""}, "")
	if err != nil {
		return sight{}, err
	}
	seen.acl = between(acl.body, "<AccessControlList>", "</AccessControlList>")
	seen.mayACL = acl.status != http.StatusForbidden
	return seen, nil
}

// remove deletes what the trial has written, and in a versioned bucket that version.
func (r *trialRun) remove(ctx context.Context, key string) error {
	head, err := r.own(ctx, http.MethodHead, key, nil, "")
	if err != nil || head.status == http.StatusNotFound {
		return err
	}
	query := map[string]string{}
	if version := head.header.Get("X-Amz-Version-Id"); version != "" && version != "null" {
		query["versionId"] = version
	}
	gone, err := r.own(ctx, http.MethodDelete, key, query, "")
	if err == nil && !gone.taken() && gone.status != http.StatusNotFound {
		err = fmt.Errorf("the store replied %s to the deletion of %s/%s, which the trial wrote;"+
			" delete it, and give the server s3:DeleteObject", gone, r.Destination.Bucket, key)
	}
	return err
}
