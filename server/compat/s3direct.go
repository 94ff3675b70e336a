package compat

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/wasm/sigv4"
)

// UploadParams is django-s3direct's view get_upload_params: fields, order of
// checks, texts and statuses are those of its 2.0.
func (v *Views) UploadParams(w http.ResponseWriter, r *http.Request, who Who) error {
	if !readForm(w, r) {
		return refuse(w, http.StatusBadRequest, "The form cannot be read.")
	}
	for _, field := range []string{"name", "type", "size"} {
		if !r.PostForm.Has(field) {
			return refuse(w, http.StatusBadRequest, "The field "+field+" is missing.")
		}
	}
	f := destination.File{Name: r.PostForm.Get("name"), Type: r.PostForm.Get("type")}
	size, err := strconv.ParseInt(r.PostForm.Get("size"), 10, 64)
	if err != nil {
		return refuse(w, http.StatusBadRequest, "The field size is not a whole number.")
	}
	f.Size = size
	d, p, refused, err := v.permitted(w, r, r.PostForm.Get("dest"), &f, who)
	if refused || err != nil {
		return err
	}
	switch { // what check calls a mistake, for programs that make their own destinations
	case d.Presigned:
		return refuse(w, http.StatusInternalServerError, "The destination has signing: presigned, and these views need signing: session.")
	case !d.Scope.Prefix():
		return refuse(w, http.StatusInternalServerError, "The destination has no scope: prefix, which these views need.")
	case !d.Overwrite && d.Store.AWS():
		return refuse(w, http.StatusInternalServerError, "The destination has no overwrite: true, which these views need on AWS, for their client cannot say If-None-Match.")
	}
	u, err := v.Service.Grant(r.Context(), p, d.Name, f)
	if err != nil {
		return v.refusal(w, r, d, p, f, err)
	}
	if u.Exists != nil || u.MayExist && !d.Overwrite {
		return refuse(w, http.StatusBadRequest, "There is a file of this name already; give yours another.")
	}
	// The signer cannot tell which session a request is of, so all that a page
	// uploads to a destination is signed with the last. Within a replica that is
	// one session until half of its duration is over.
	v.hold(w, r, d, p, held{u.Session.SecretAccessKey, u.Session.Expires})
	out := []member{
		{"object_key", u.Grant.Key}, {"access_key_id", u.Session.AccessKeyID}, {"session_token", u.Session.SessionToken},
		{"region", d.Store.Region}, {"bucket", d.Bucket}, {"endpoint", d.Store.BaseURL()}, {"acl", d.Object.ACL},
		{"allow_existence_optimization", false}, // a session may look at nothing
	}
	for _, optional := range []member{
		{"content_disposition", u.Headers()["content-disposition"]}, {"cache_control", d.Object.CacheControl},
		{"server_side_encryption", d.Object.Encryption},
	} {
		if optional.value != "" {
			out = append(out, optional)
		}
	}
	return say(w, http.StatusOK, out...)
}

// Signature is django-s3direct's view get_aws_v4_signature.
func (v *Views) Signature(w http.ResponseWriter, r *http.Request, who Who) error {
	if !readForm(w, r) {
		return refuse(w, http.StatusBadRequest, "The form cannot be read.")
	}
	// Its client encodes both for a URL and then sends them in a form.
	text, err := url.PathUnescape(r.PostForm.Get("to_sign"))
	if err != nil {
		return refuse(w, http.StatusBadRequest, "to_sign is not encoded for a URL")
	}
	name, err := url.PathUnescape(r.PostForm.Get("dest"))
	if err != nil {
		return refuse(w, http.StatusBadRequest, "dest is not encoded for a URL")
	}
	d, p, refused, err := v.permitted(w, r, name, nil, who)
	if refused || err != nil {
		return err
	}
	if strings.HasPrefix(text, askForGrant) {
		f, token, err := v.grantAsked(r, d, p, text)
		if err != nil {
			return v.refusal(w, r, d, p, f, err)
		}
		return say(w, http.StatusOK, member{"s3ObjKey", token})
	}
	session, ok := v.holds(r, d, p)
	if !ok {
		return refuse(w, http.StatusForbidden, "The permission to upload has ended. Choose the file again.")
	}
	s, err := parseToSign(text, r.PostForm.Get("datetime"), d.Store.Region, v.Now())
	if err != nil {
		return refuse(w, http.StatusBadRequest, err.Error())
	}
	return say(w, http.StatusOK, member{"s3ObjKey", session.sign(d, s)})
}

func (h held) sign(d *destination.Destination, s toSign) string {
	// A string to sign does not name the access key.
	signer := sigv4.New(sigv4.Credentials{SecretAccessKey: h.secretAccessKey}, d.Store.Region)
	return signer.Signature(s.text, s.at)
}

// permitted makes the first checks of both views: is there such a destination,
// may its asker use it, and does it serve these views. refused says that it has
// answered.
func (v *Views) permitted(w http.ResponseWriter, r *http.Request, name string, f *destination.File, who Who) (d *destination.Destination, p destination.Principal, refused bool, err error) {
	if d, err = v.Service.Named(name); err != nil {
		return nil, p, true, refuse(w, http.StatusNotFound, "File destination does not exist.")
	}
	if p, err = who(); err == nil {
		err = v.Service.Allowed(r.Context(), d, p, f)
	}
	switch destination.OutcomeOf(err) {
	case destination.Unauthenticated, destination.NotAllowed:
		return nil, p, true, refuse(w, http.StatusForbidden, "Permission denied.")
	}
	if err == nil && !d.Compat.S3Direct {
		return nil, p, true, refuse(w, http.StatusInternalServerError, "The destination has no compat: [s3direct], which these views need.")
	}
	return d, p, false, err
}

// refusal says in the view's words why there is no grant. Its client shows them
// for 400, 403 and 500.
func (v *Views) refusal(
	w http.ResponseWriter, r *http.Request, d *destination.Destination, p destination.Principal, f destination.File, err error,
) error {
	var e *destination.Error
	if !errors.As(err, &e) {
		return err
	}
	switch {
	case e.Code == destination.TypeNotAllowed, e.Field == "type":
		return refuse(w, http.StatusBadRequest, fmt.Sprintf("Invalid file type (%s).", f.Type))
	case e.Code == destination.TooSmall, e.Code == destination.TooLarge, e.Field == "size":
		return refuse(w, http.StatusBadRequest, fmt.Sprintf("Invalid file size (must be between %d and %d bytes).", d.MinSize, d.MaxSize))
	case e.Code == destination.NotAllowed, e.Code == destination.ClaimMissing:
		return refuse(w, http.StatusForbidden, "Permission denied.")
	case e.Code == destination.StoreRefused:
		v.Logger.ErrorContext(r.Context(), "request failed", "requestId", p.Via.ID, "code", e.Code, "error", e.Err)
		return refuse(w, http.StatusInternalServerError, "AWS credentials config missing.")
	case e.Field == "name", e.Field == "to_sign", e.Code == destination.KeyTooLong:
		return refuse(w, http.StatusBadRequest, e.Detail)
	}
	return err
}

// readForm reads a form as FormData or as URLSearchParams sends it.
func readForm(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := r.ParseMultipartForm(maxForm)
	return err == nil || errors.Is(err, http.ErrNotMultipart)
}
