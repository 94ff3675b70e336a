// Package auth says who is asking.
//
//	Dev  a fixed principal, on this machine only (dev.go)
//	JWT  bearer tokens of an identity provider, checked here (jwt.go)
//
// Both are destination.Authenticators and answer *destination.Error. Tokens
// never stand in an error.
package auth

import "github.com/chunksign/chunksign/server/destination"

func unauthenticated(detail string, err error) error {
	return &destination.Error{Code: destination.Unauthenticated, Detail: detail, Err: err}
}
