package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/strictjson"
	"github.com/chunksign/chunksign/wasm/plan"
)

// maxBody is what a request may hold, in bytes: a grant with a long key is about 4 KB.
const maxBody = 64 << 10

// digest is a file's checksum as a page reports it.
type digest struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"value"`
	PartSize  int64  `json:"partSize"`
}

func (d *digest) value() *destination.Digest {
	if d == nil {
		return nil
	}
	return &destination.Digest{Algorithm: d.Algorithm, Value: d.Value, PartSize: d.PartSize}
}

func (a *api) list(w http.ResponseWriter, r *http.Request, p destination.Principal) error {
	type entry struct {
		Name         string   `json:"name"`
		ContentTypes []string `json:"contentTypes"` // empty: any
		MinSize      int64    `json:"minSize"`
		MaxSize      int64    `json:"maxSize"`
		Checksum     string   `json:"checksum"`
		Signing      string   `json:"signing"`
	}
	entries := []entry{}
	for _, d := range a.Service.List(r.Context(), p) {
		entries = append(entries, entry{d.Name, append([]string{}, d.ContentTypes...), d.MinSize, d.MaxSize, "SHA256", signing(d)})
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, map[string]any{"destinations": entries})
}

// signing is who signs the requests to the store: the page, by a session, or
// the server.
func signing(d *destination.Destination) string {
	if d.Presigned {
		return "presigned"
	}
	return "session"
}

func (a *api) grant(w http.ResponseWriter, r *http.Request, p destination.Principal) error {
	var in struct {
		Name string `json:"name"`
		Type string `json:"type"`
		Size *int64 `json:"size"`

		// What the file's checksum is, where the reply before said that it may be there already.
		Checksum *digest `json:"checksum"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	if in.Size == nil {
		return &destination.Error{Code: destination.FieldInvalid, Field: "size", Detail: "size is missing; send the file's size in bytes"}
	}
	f := destination.File{Name: in.Name, Type: in.Type, Size: *in.Size, Digest: in.Checksum.value()}
	u, err := a.Service.Grant(r.Context(), p, destinationName(r), f)
	if err != nil {
		return err
	}
	if u.Exists != nil {
		return writeCompleted(w, *u.Exists, true)
	}
	return a.writeUpload(w, http.StatusCreated, u)
}

func (a *api) renew(w http.ResponseWriter, r *http.Request, p destination.Principal) error {
	var in struct {
		Grant string `json:"grant"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	u, err := a.Service.Renew(r.Context(), p, in.Grant)
	if err != nil {
		return err
	}
	return a.writeUpload(w, http.StatusOK, u)
}

func (a *api) writeUpload(w http.ResponseWriter, status int, u destination.Upload) error {
	type where struct {
		Bucket     string            `json:"bucket"`
		Key        string            `json:"key"`
		Region     string            `json:"region"`
		Endpoint   string            `json:"endpoint"`
		Addressing string            `json:"addressing"`
		Headers    map[string]string `json:"headers"`
		Overwrite  bool              `json:"overwrite"`           // false: send If-None-Match: * with PutObject and Complete
		Existence  bool              `json:"existence,omitempty"` // the same bytes may be there: ask again with their checksum
	}
	type parts struct {
		MinSize  int64 `json:"minSize"`
		MaxSize  int64 `json:"maxSize"`
		MaxCount int64 `json:"maxCount"`
	}
	type credentials struct {
		AccessKeyID     string `json:"accessKeyId"`
		SecretAccessKey string `json:"secretAccessKey"`
		SessionToken    string `json:"sessionToken"`
		Expiration      string `json:"expiration"`
	}
	store := u.Destination.Store
	var session *credentials
	if !u.Destination.Presigned {
		session = &credentials{u.Session.AccessKeyID, u.Session.SecretAccessKey, u.Session.SessionToken, timestamp(u.Session.Expires)}
	}
	var evaporate any
	if a.Evaporate != nil {
		var err error
		if evaporate, err = a.Evaporate(u); err != nil {
			return err
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, status, struct {
		Grant       string       `json:"grant"`
		Expires     string       `json:"expires"`
		ServerTime  string       `json:"serverTime"`
		Upload      where        `json:"upload"`
		Parts       parts        `json:"parts"`
		Signing     string       `json:"signing"`
		Credentials *credentials `json:"credentials,omitempty"`
		Evaporate   any          `json:"evaporate,omitempty"`
	}{
		u.Token, timestamp(u.Grant.Expires), u.ServerTime.UTC().Format(time.RFC3339Nano),
		where{u.Grant.Bucket, u.Grant.Key, store.Region, store.BaseURL(), store.AddressingOf(u.Grant.Bucket), u.Headers(), u.Destination.Overwrite, u.MayExist},
		parts{plan.MinPartSize, plan.MaxPartSize, plan.MaxParts}, signing(u.Destination), session, evaporate,
	})
}

func (a *api) complete(w http.ResponseWriter, r *http.Request, p destination.Principal) error {
	var in struct {
		Grant string `json:"grant"`
		ETag  string `json:"etag"`

		Checksum *digest `json:"checksum"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	done, err := a.Service.Complete(r.Context(), p, in.Grant, destination.Reported{ETag: in.ETag, Checksum: in.Checksum.value()})
	if err != nil {
		return err
	}
	return writeCompleted(w, done, false)
}

// writeCompleted answers what the store has. exists says that it had it before.
func writeCompleted(w http.ResponseWriter, done destination.Completed, exists bool) error {
	type checksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"value"`
	}
	out := struct {
		Exists    bool      `json:"exists,omitempty"`
		Key       string    `json:"key"`
		Size      int64     `json:"size"`
		ETag      string    `json:"etag"`
		VersionID string    `json:"versionId,omitempty"`
		Checksum  *checksum `json:"checksum,omitempty"`
		URL       string    `json:"url,omitempty"`
	}{Exists: exists, Key: done.Key, Size: done.Object.Size, ETag: done.Object.ETag, VersionID: done.Object.VersionID}
	if c := done.Object.Checksum; c != nil {
		out.Checksum = &checksum{c.Algorithm, c.Value}
	}
	if done.Link != nil {
		out.URL = done.Link.URL
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, out)
}

func destinationName(r *http.Request) string {
	raw := mux.Vars(r)["destination"]
	if name, err := url.PathUnescape(raw); err == nil {
		return name
	}
	return raw
}

// timestamp is RFC 3339 in UTC, to the second.
func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// readJSON reads a body of one JSON object with known fields only. Only
// application/json is taken: a form or text/plain is what a page of another
// site can send without being asked (a CORS "simple request").
func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	return readJSONUpTo(w, r, maxBody, into)
}

func readJSONUpTo(w http.ResponseWriter, r *http.Request, most int64, into any) error {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return problem(notJSON, "the body must be JSON; send Content-Type: application/json")
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return problem(bodyTooLarge, fmt.Sprintf("the body has more than %d bytes; shorten it", most))
		}
		return problem(bodyInvalid, "the body ended before it was complete; send it again")
	}
	if err := strictjson.UnmarshalKnown(data, into); err != nil {
		return decodeError(err)
	}
	return nil
}

func decodeError(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return &destination.Error{Code: destination.FieldInvalid, Field: wrong.Field,
			Detail: fmt.Sprintf("%s is a JSON %s; send %s", wrong.Field, wrong.Value, kindText(wrong.Type.Kind().String()))}
	}
	var name *strictjson.NameError
	switch {
	case errors.As(err, &name) && name.Known != "":
		return &destination.Error{Code: fieldUnknown, Field: name.Name,
			Detail: fmt.Sprintf("there is no field %q here; its name is %q", name.Name, name.Known)}
	case name != nil:
		return &destination.Error{Code: destination.FieldInvalid, Field: name.Name,
			Detail: fmt.Sprintf("%q is in the body twice; send it once", name.Name)}
	case errors.Is(err, strictjson.ErrEncoding):
		return problem(bodyInvalid, "the body is not UTF-8, or holds half of a surrogate pair as an escape; encode it anew")
	case errors.Is(err, strictjson.ErrTrailing):
		return problem(bodyInvalid, "the body goes on after its JSON object; send one object")
	}
	// encoding/json has no type for this one.
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		field = strings.Trim(field, `"`)
		return &destination.Error{Code: fieldUnknown, Field: field, Detail: fmt.Sprintf("there is no field %q here; leave it out", field)}
	}
	return problem(bodyInvalid, "the body is not a JSON object: check its quotes, commas and brackets")
}

func kindText(kind string) string {
	switch kind {
	case "int64", "int":
		return "a whole number"
	case "slice":
		return "a list"
	}
	return "a " + kind
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n')) // an error here is a client that has gone
	return nil
}
