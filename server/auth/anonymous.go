package auth

import (
	"net/http"

	"github.com/chunksign/chunksign/server/destination"
)

// Anonymous takes everybody for the one principal "anonymous", who is counted by
// address.
type Anonymous struct{}

// Authenticate implements destination.Authenticator.
func (Anonymous) Authenticate(*http.Request) (destination.Principal, error) {
	return destination.Principal{ID: "anonymous", Anonymous: true}, nil
}
