package destination

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Form is what a form may be besides its file (AmazonS3/latest/API/RESTObjectPOST.html).
// The zero Form answers 201 with the ETag in XML.
type Form struct {
	Status   int    // that the store answers with: 200, 201 or 204; 0 is 201
	Redirect string // where the store sends the browser instead, "" for nowhere
	// StartsWith are fields that whoever sends the form fills in, each with what its
	// value begins with: metadata of the object, x-amz-meta-NAME.
	StartsWith map[string]string
}

const (
	mostStartsWith = 10
	mostRedirect   = 2048 // characters
)

var metadataField = regexp.MustCompile(`^x-amz-meta-[a-z0-9][a-z0-9-]{0,116}$`)

// check holds a Form against what S3 takes and what the destination says itself.
func (f Form) check(d *Destination) error {
	switch f.Status {
	case 0, 200, 201, 204:
	default:
		return refuse(FieldInvalid, "status", "status is none of 200, 201 and 204; send one of them, or nothing for 201")
	}
	if f.Redirect != "" {
		u, err := url.Parse(f.Redirect)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Fragment != "" || len(f.Redirect) > mostRedirect || strings.ContainsFunc(f.Redirect, isNoURL) {
			return refuse(FieldInvalid, "redirect", "redirect is not a URL that a browser can be sent to; send such as https://app.example.com/uploaded")
		}
		if f.Status != 0 {
			return refuse(FieldInvalid, "status", "status is there beside redirect, which the store goes by; leave one of them out")
		}
	}
	if len(f.StartsWith) > mostStartsWith {
		return refuse(FieldInvalid, "startsWith", fmt.Sprintf("startsWith has %d fields; send %d at most", len(f.StartsWith), mostStartsWith))
	}
	for name, prefix := range f.StartsWith {
		_, own := d.Object.Metadata[strings.TrimPrefix(name, "x-amz-meta-")]
		if !metadataField.MatchString(name) || own || len(prefix) > 256 || strings.ContainsFunc(prefix, func(r rune) bool { return r < ' ' || r > '~' }) {
			return refuse(FieldInvalid, "startsWith", "startsWith has a field that is not to be filled in; name metadata as x-amz-meta-NAME, of a-z, 0-9 and -, that the destination does not set, with a beginning in printable ASCII")
		}
	}
	return nil
}

func isNoURL(r rune) bool { return r <= ' ' || r > '~' }
