// Package compat speaks the interfaces of two libraries whose pages are in use,
// so that they can be pointed here as they are.
//
//	s3direct.go   POST /s3direct/get_upload_params/, /s3direct/get_aws_v4_signature/: django-s3direct's views
//	evaporate.go  GET /evaporate/sign: EvaporateJS's signer
//	canonical.go  which canonical requests it signs
//	sealed.go     the session that comes with a grant, sealed, for that signer
//	held.go       the session's secret, which the first view leaves with the page for the signers
//	python.go     replies as Python writes them
//	tosign.go     what a string to sign must be
//	shim.go       a grant instead of a signature, for pages that have the EvaporateJS shim
//
// Both are off for a destination unless its compat names them. What they sign they
// sign with a session whose policy is as narrow as that of any page of the
// destination, and never with a key of the server's: a signature does not cover the
// headers that are not in it, and MinIO and radosgw do what such headers say with
// the rights of whoever signed (an x-amz-copy-source makes a copy of an UploadPart).
// The policy is the bound. Where the signer sees the canonical request, it is a
// second one: the grant's object, its parts, and no replacing.
package compat

import (
	"log/slog"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

// Who says whose the request at hand is.
type Who func() (destination.Principal, error)

// Views answers the libraries' requests.
type Views struct {
	Service *destination.Service
	Held    *destination.Box // for the cookies, of its own purpose
	Sealed  *destination.Box // for ForEvaporate, of another
	Logger  *slog.Logger
	Now     func() time.Time
}

// maxForm is what a request may hold, in bytes.
const maxForm = 64 << 10
