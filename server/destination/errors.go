package destination

import "time"

// Code is the stable name of a reason why the server says no. Callers may
// branch on it; the words beside it may change.
type Code string

// The codes that the domain and its ports answer with.
const (
	Unauthenticated      Code = "unauthenticated"
	SignInUnavailable    Code = "sign_in_unavailable"
	HostNotAllowed       Code = "host_not_allowed"
	OriginNotAllowed     Code = "origin_not_allowed"
	NotAllowed           Code = "not_allowed"
	DestinationUnknown   Code = "destination_unknown"
	FieldInvalid         Code = "field_invalid"
	TypeNotAllowed       Code = "content_type_not_allowed"
	TooSmall             Code = "file_too_small"
	TooLarge             Code = "file_too_large"
	ClaimMissing         Code = "claim_missing"
	TooManyRequests      Code = "too_many_requests"
	LimitUnavailable     Code = "limit_unavailable"
	KeyTooLong           Code = "key_too_long"
	KeyTaken             Code = "key_taken"
	PolicyTooLong        Code = "policy_too_long"
	PackedPolicyTooLarge Code = "packed_policy_too_large"
	GrantInvalid         Code = "grant_invalid"
	GrantExpired         Code = "grant_expired"
	GrantForeign         Code = "grant_of_another"
	DestinationChanged   Code = "destination_changed"
	AlreadyComplete      Code = "already_complete"
	ObjectMissing        Code = "object_missing"
	ObjectReplaced       Code = "object_replaced"
	ObjectRefused        Code = "object_breaks_grant"
	WebhookFailed        Code = "webhook_failed"
	ReadNotAllowed       Code = "read_not_allowed"
	FormNotAllowed       Code = "form_not_allowed"
	SignatureRefused     Code = "signature_refused"
	UploadMissing        Code = "upload_missing"
	PartsRefused         Code = "parts_refused"
	WriteConflict        Code = "write_conflict"
	StoreRefused         Code = "store_refused"
	SessionsNotKept      Code = "sessions_not_kept"
	SigningNotEnforced   Code = "signing_not_enforced"
	StoreUnavailable     Code = "store_unavailable"
	Internal             Code = "internal"
)

// Error is a refusal. Detail and Field are for the caller and hold nothing
// secret; Err is for the server's log.
type Error struct {
	Code   Code
	Detail string // what is wrong, and what to do
	Field  string // the request's field that is at fault, "" where none is
	Err    error

	RetryAfter time.Duration // when to ask again, 0 where that is not known
}

func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Detail
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

func refuse(code Code, field, detail string) *Error {
	return &Error{Code: code, Field: field, Detail: detail}
}
