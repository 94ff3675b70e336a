package httpapi

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

// The codes of what is wrong with a request as such.
const (
	notFound         destination.Code = "not_found"
	methodNotAllowed destination.Code = "method_not_allowed"
	notJSON          destination.Code = "not_json"
	bodyInvalid      destination.Code = "body_invalid"
	bodyTooLarge     destination.Code = "body_too_large"
	fieldUnknown     destination.Code = "field_unknown"
	crossOrigin      destination.Code = "cross_origin"
)

// problems is every code that a reply may carry, with its status and title. A
// code never changes its meaning.
var problems = map[destination.Code]struct {
	status int
	title  string
}{
	destination.Unauthenticated:      {http.StatusUnauthorized, "Sign in first"},
	destination.SignInUnavailable:    {http.StatusServiceUnavailable, "Sign-in cannot be checked"},
	destination.HostNotAllowed:       {http.StatusMisdirectedRequest, "Not this server's name"},
	destination.OriginNotAllowed:     {http.StatusForbidden, "Not this page's server"},
	destination.NotAllowed:           {http.StatusForbidden, "Not for you"},
	destination.DestinationUnknown:   {http.StatusNotFound, "No such destination"},
	destination.FieldInvalid:         {http.StatusBadRequest, "A field is not valid"},
	destination.TypeNotAllowed:       {http.StatusUnprocessableEntity, "This type of file is not taken"},
	destination.TooSmall:             {http.StatusUnprocessableEntity, "The file is too small"},
	destination.TooLarge:             {http.StatusUnprocessableEntity, "The file is too large"},
	destination.ClaimMissing:         {http.StatusForbidden, "Your sign-in lacks a claim"},
	destination.TooManyRequests:      {http.StatusTooManyRequests, "Too many requests"},
	destination.LimitUnavailable:     {http.StatusServiceUnavailable, "Requests cannot be counted"},
	destination.KeyTooLong:           {http.StatusUnprocessableEntity, "The object's key would be too long"},
	destination.KeyTaken:             {http.StatusConflict, "There is such a file already"},
	destination.PolicyTooLong:        {http.StatusUnprocessableEntity, "The session policy would be too long"},
	destination.PackedPolicyTooLarge: {http.StatusUnprocessableEntity, "The session policy cannot be packed"},
	destination.GrantInvalid:         {http.StatusBadRequest, "The grant is not valid"},
	destination.GrantExpired:         {http.StatusGone, "The grant has expired"},
	destination.GrantForeign:         {http.StatusForbidden, "The grant is somebody else's"},
	destination.DestinationChanged:   {http.StatusConflict, "The destination has changed"},
	destination.AlreadyComplete:      {http.StatusConflict, "The upload is complete"},
	destination.ObjectMissing:        {http.StatusNotFound, "The object is not there"},
	destination.ObjectReplaced:       {http.StatusConflict, "The object is another one"},
	destination.ObjectRefused:        {http.StatusUnprocessableEntity, "The object is not what was granted"},
	destination.WebhookFailed:        {http.StatusServiceUnavailable, "The application was not told"},
	destination.ReadNotAllowed:       {http.StatusForbidden, "Reading is not allowed"},
	destination.FormNotAllowed:       {http.StatusForbidden, "Not by a form"},
	destination.SignatureRefused:     {http.StatusForbidden, "This is not signed"},
	destination.UploadMissing:        {http.StatusNotFound, "There is no such multipart upload"},
	destination.PartsRefused:         {http.StatusUnprocessableEntity, "The parts are not the file"},
	destination.WriteConflict:        {http.StatusConflict, "Two writes met"},
	destination.SessionsNotKept:      {http.StatusForbidden, "The store does not keep sessions to their rights"},
	destination.SigningNotEnforced:   {http.StatusForbidden, "The store does not enforce what is signed"},
	destination.StoreRefused:         {http.StatusBadGateway, "The store refused"},
	destination.StoreUnavailable:     {http.StatusServiceUnavailable, "The store is not available"},
	destination.Internal:             {http.StatusInternalServerError, "The server failed"},

	notFound:         {http.StatusNotFound, "No such address"},
	methodNotAllowed: {http.StatusMethodNotAllowed, "Not with this method"},
	notJSON:          {http.StatusUnsupportedMediaType, "Send JSON"},
	bodyInvalid:      {http.StatusBadRequest, "The body is not valid"},
	bodyTooLarge:     {http.StatusRequestEntityTooLarge, "The body is too large"},
	fieldUnknown:     {http.StatusBadRequest, "A field is not known"},
	crossOrigin:      {http.StatusForbidden, "Not from another site"},
}

// problem makes an error of this package.
func problem(code destination.Code, detail string) *destination.Error {
	return &destination.Error{Code: code, Detail: detail}
}

// body is RFC 9457's, with members of our own.
type body struct {
	Type      string           `json:"type"`
	Title     string           `json:"title"`
	Status    int              `json:"status"`
	Detail    string           `json:"detail"`
	Code      destination.Code `json:"code"`
	Field     string           `json:"field,omitempty"`
	RequestID string           `json:"requestId"`
}

// retryAfter is what a client is told to wait while the store, or who else is
// needed, is away.
const retryAfter = 2 * time.Second

// writeProblem answers an error. One that is not the domain's is "internal"
// outside, and is told in the log only.
func (a *api) writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	var e *destination.Error
	if !errors.As(err, &e) {
		e = &destination.Error{Code: destination.Internal, Err: err}
	}
	p, known := problems[e.Code]
	if !known {
		e = &destination.Error{Code: destination.Internal, Err: err}
		p = problems[e.Code]
	}
	id := requestID(r)
	if e.Err != nil {
		a.Logger.ErrorContext(r.Context(), "request failed", "requestId", id, "code", e.Code, "error", e.Err)
	}
	b := body{Type: "urn:chunksign:problem:" + string(e.Code), Title: p.title, Status: p.status, Detail: e.Detail, Code: e.Code, Field: e.Field, RequestID: id}
	switch e.Code {
	case destination.Internal:
		b.Detail = "the server's log has more under this request's id"
	case notFound:
		b.Detail = "nothing is at this address"
	case methodNotAllowed:
		b.Detail = r.Method + " is not for this address; see the header Allow"
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	for _, stale := range []string{"Content-Encoding", "ETag", "Content-Security-Policy"} {
		h.Del(stale)
	}
	switch p.status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		wait := cmp.Or(e.RetryAfter, retryAfter)
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	if view := a.viewAt(r.URL.Path); view != nil && view.Problem != nil {
		view.Problem(w, p.status, cmp.Or(b.Detail, p.title), string(b.Code), id)
		return
	}
	w.WriteHeader(p.status)
	json.NewEncoder(w).Encode(b) //nolint:errcheck // the client is gone
}
