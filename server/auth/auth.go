// Package auth says who is asking.
//
//	JWT      bearer tokens of an identity provider, checked here (jwt.go; keys.go
//	         has its keys, by JWKS or by OpenID Connect's discovery)
//	Forward  the application behind its cookie says it (forward.go)
//	Headers  a proxy in front says it (headers.go)
//	Anonymous  nobody signs in (anonymous.go)
//	Dev      a fixed principal, on this machine only (dev.go)
//
// All are destination.Authenticators and answer *destination.Error. Tokens and
// cookies never stand in an error.
package auth

import "github.com/chunksign/chunksign/server/destination"

func unavailable(detail string, err error) error {
	return &destination.Error{Code: destination.SignInUnavailable, Detail: detail, Err: err}
}

func unauthenticated(detail string, err error) error {
	return &destination.Error{Code: destination.Unauthenticated, Detail: detail, Err: err}
}
