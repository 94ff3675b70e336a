package compat

import (
	"net/http"
	"strings"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/strictjson"
)

// askForGrant begins what the EvaporateJS shim (web/src/evaporate.ts) sends a
// page's signer in place of a string to sign: the page's own way to its signer,
// with its addresses, headers and tokens, so brings a grant. No string to sign
// begins so. After it come the file's name, type and size and the key that
// get_upload_params gave, as JSON.
const askForGrant = "CHUNKSIGN-GRANT\n"

// grantAsked answers the grant that text asks for. It gives what
// POST /v1/destinations/{d}/uploads would, to who is signed in; no session is
// needed for it.
func (v *Views) grantAsked(r *http.Request, d *destination.Destination, p destination.Principal, text string) (destination.File, string, error) {
	var in struct {
		Name string `json:"name"`
		Type string `json:"type"`
		Size int64  `json:"size"`
		Key  string `json:"key"`
	}
	if err := strictjson.Unmarshal([]byte(strings.TrimPrefix(text, askForGrant)), &in); err != nil {
		return destination.File{}, "", no("to_sign", "to_sign asks for a grant, but not with a file's name, type, size and key in JSON")
	}
	f := destination.File{Name: in.Name, Type: in.Type, Size: in.Size, Key: in.Key}
	u, err := v.Service.Grant(r.Context(), p, d.Name, f)
	if err == nil && (u.Exists != nil || u.MayExist && !d.Overwrite) {
		err = &destination.Error{Code: destination.KeyTaken, Field: "name", Detail: "there is a file of this name already, which may not be replaced; give yours another"}
	}
	return f, u.Token, err
}
