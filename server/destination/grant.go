package destination

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/chunksign/chunksign/server/strictjson"
)

// Grant is the server's statement that a principal may put one file at one key.
type Grant struct {
	ID          string
	Principal   string // its ID
	Destination string
	Bucket      string
	Key         string
	Name        string // the file's, cleaned: what a download is called
	Size        int64  // bytes
	Type        string
	Before      string // the ETag of what was at the key when the grant was made, "" for nothing
	Owner       Owner
	Issued      time.Time
	Expires     time.Time

	Object     *ObjectSettings   // what its object is to be stored with; nil in grants of before that was said
	StartsWith map[string]string // the Form's, where it is one's
}

// file is what the grant is for, as far as it was said.
func (g Grant) file() *File { return &File{Name: g.Name, Type: g.Type, Size: g.Size} }

// Owner says who alone can write the grant's key, which decides what may be
// deleted or read on its strength.
type Owner string

const (
	OwnerGrant     Owner = "grant"     // the key is this grant's alone
	OwnerPrincipal Owner = "principal" // the key is its principal's
	OwnerShared    Owner = ""          // others may have grants for the same key
)

// claims are a grant in the token: a JWS (RFC 7515) signed with HS256, under
// the names of RFC 7519 where it has any.
type claims struct {
	ID          string `json:"jti"`
	Principal   string `json:"sub"`
	Destination string `json:"dst"`
	Bucket      string `json:"bkt"`
	Key         string `json:"key"`
	Name        string `json:"nam"`
	Size        int64  `json:"siz"`
	Type        string `json:"typ"`
	Before      string `json:"etg,omitempty"`
	Owner       Owner  `json:"own,omitempty"`
	Issued      int64  `json:"iat"`
	Expires     int64  `json:"exp"`

	Object     *ObjectSettings   `json:"obj,omitempty"`
	StartsWith map[string]string `json:"frm,omitempty"`
}

// grantType keeps a grant from passing for any other token signed with the
// same key (RFC 8725, section 3.11).
const grantType = "chunksign-grant"

// GrantKey is a secret that grants are signed with.
type GrantKey struct {
	ID     string // stands in the token: 1 to 32 letters, digits, - and _
	Secret []byte // at least 32 bytes (RFC 7518, section 3.2)
}

// GrantKeys signs grants with its first key and opens those of all its keys,
// so that a key can be replaced while its grants live on.
type GrantKeys struct {
	signer jose.Signer
	first  string // the ID of the key that signs
	keys   map[string][]byte
}

// NewGrantKeys answers an error, without the secret in it, for no key at all,
// a short one, or an ID that is malformed or there twice.
func NewGrantKeys(keys ...GrantKey) (*GrantKeys, error) {
	if len(keys) == 0 {
		return nil, errors.New("there is no grant key; give at least one as id:base64")
	}
	g := &GrantKeys{first: keys[0].ID, keys: map[string][]byte{}}
	for _, k := range keys {
		if len(k.ID) > 32 || !isClaimName(k.ID) {
			return nil, fmt.Errorf("the grant key's id %q is not 1 to 32 letters, digits, - or _", k.ID)
		}
		if len(k.Secret) < 32 {
			return nil, fmt.Errorf("the grant key %q has %d bytes; make one of 32 with: openssl rand -base64 32", k.ID, len(k.Secret))
		}
		if g.keys[k.ID] != nil {
			return nil, fmt.Errorf("the grant key id %q is there twice; give each key its own", k.ID)
		}
		g.keys[k.ID] = k.Secret
	}
	var err error
	g.signer, err = jose.NewSigner(
		jose.SigningKey{Algorithm: jose.HS256, Key: keys[0].Secret},
		(&jose.SignerOptions{}).WithType(grantType).WithHeader("kid", keys[0].ID))
	return g, err
}

// ParseGrantKeys reads "id:base64,id2:base64": the first signs. Errors never
// hold a secret.
func ParseGrantKeys(s string) (*GrantKeys, error) {
	var keys []GrantKey
	for i, part := range strings.Split(s, ",") {
		id, text, ok := strings.Cut(strings.TrimSpace(part), ":")
		if !ok {
			return nil, fmt.Errorf("grant key %d has no id; write id:base64,id2:base64", i+1)
		}
		secret, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
		if err != nil {
			return nil, fmt.Errorf("grant key %d is not base64 after its colon; make one with: openssl rand -base64 32", i+1)
		}
		keys = append(keys, GrantKey{id, secret})
	}
	return NewGrantKeys(keys...)
}

// Seal signs a grant. Times lose what is below a second.
func (k *GrantKeys) Seal(g Grant) (string, error) {
	payload, err := json.Marshal(claims{
		ID: g.ID, Principal: g.Principal, Destination: g.Destination, Bucket: g.Bucket, Key: g.Key, Name: g.Name,
		Size: g.Size, Type: g.Type, Before: g.Before, Owner: g.Owner, Issued: g.Issued.Unix(), Expires: g.Expires.Unix(), Object: g.Object, StartsWith: g.StartsWith,
	})
	if err != nil {
		return "", err
	}
	signed, err := k.signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// Open checks a token and gives its grant. Errors are *Error with GrantInvalid
// or GrantExpired.
func (k *GrantKeys) Open(token string, now time.Time) (Grant, error) {
	invalid := func(why string) (Grant, error) {
		return Grant{}, &Error{Code: GrantInvalid, Field: "grant", Err: errors.New(why),
			Detail: "the grant is not one that this server signed, or its key has been taken out of service; ask for a new one"}
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return invalid("not a JWS signed with HS256")
	}
	header := signed.Signatures[0].Protected
	if header.ExtraHeaders[jose.HeaderType] != grantType {
		return invalid("not of the type " + grantType)
	}
	secret, known := k.keys[header.KeyID]
	if !known {
		return invalid("its key id is not known")
	}
	payload, err := signed.Verify(secret)
	if err != nil {
		return invalid("its signature is wrong")
	}
	var c claims
	if err := strictjson.Unmarshal(payload, &c); err != nil {
		return invalid("its payload is malformed")
	}
	g := Grant{
		ID: c.ID, Principal: c.Principal, Destination: c.Destination, Bucket: c.Bucket, Key: c.Key, Name: c.Name,
		Size: c.Size, Type: c.Type, Before: c.Before, Owner: c.Owner, Issued: time.Unix(c.Issued, 0).UTC(), Expires: time.Unix(c.Expires, 0).UTC(), Object: c.Object, StartsWith: c.StartsWith,
	}
	if !now.Before(g.Expires) {
		return Grant{}, refuse(GrantExpired, "grant", "the grant expired at "+g.Expires.Format(time.RFC3339)+"; start the upload again")
	}
	return g, nil
}
