package compat

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"time"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/strictjson"
)

// ForEvaporate is what a page gives EvaporateJS to upload by a grant, in the words
// of its options.
type ForEvaporate struct {
	AWSKey     string            `json:"awsKey"`     // aws_key
	Headers    map[string]string `json:"headers"`    // of every request: xAmzHeadersAtInitiate, …AtUpload, …AtComplete
	SignParams map[string]string `json:"signParams"` // signParams
}

// sealed is a grant's session as it travels through the page to the signer and back:
// encrypted, and of use for its grant alone, so for its principal and destination.
// The page has the session already; what it cannot do is to bring another. The token,
// which can be long, comes with each request and is compared by its hash.
type sealed struct {
	AccessKeyID     string `json:"k"`
	SecretAccessKey string `json:"s"`
	TokenHash       []byte `json:"t"` // SHA-256
	Expires         int64  `json:"e"` // seconds since 1970
}

func aboutGrant(g destination.Grant) string {
	return g.Destination + "\n" + g.ID + "\n" + g.Principal
}

// ForEvaporate gives what EvaporateJS needs for an upload, nil where its destination
// does not serve it or the page has no session to write with.
func (v *Views) ForEvaporate(u destination.Upload) (*ForEvaporate, error) {
	d := u.Destination
	if d == nil || serves(d, "") != nil || u.Session.SecretAccessKey == "" || u.MayExist && !d.Overwrite {
		return nil, nil
	}
	hash := sha256.Sum256([]byte(u.Session.SessionToken))
	plain, err := json.Marshal(sealed{u.Session.AccessKeyID, u.Session.SecretAccessKey, hash[:], u.Session.Expires.Unix()})
	if err != nil {
		return nil, err
	}
	return &ForEvaporate{
		AWSKey:     u.Session.AccessKeyID,
		Headers:    map[string]string{tokenHeader: u.Session.SessionToken},
		SignParams: map[string]string{"grant": u.Token, "session": v.Sealed.Seal(plain, aboutGrant(u.Grant))},
	}, nil
}

// unseal opens what ForEvaporate sealed for a grant, while the session lasts.
func (v *Views) unseal(text string, g destination.Grant) (s sealed, err error) {
	if text == "" {
		return s, no("session", "session is missing; put evaporate.signParams of the grant's reply into signParams")
	}
	plain, ok := v.Sealed.Open(text, aboutGrant(g))
	if !ok || strictjson.Unmarshal(plain, &s) != nil {
		return sealed{}, no("session",
			"session is not of this grant; put evaporate.signParams into signParams as the grant's reply has it")
	}
	if !v.Now().Before(time.Unix(s.Expires, 0)) {
		return sealed{}, no("session",
			"the session has ended; renew it by POST /v1/uploads/credentials and give EvaporateJS the reply's evaporate")
	}
	return s, nil
}

// with is the session with its token, for calls of the server's.
func (s sealed) with(token string) destination.Session {
	return destination.Session{
		AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey, SessionToken: token, Expires: time.Unix(s.Expires, 0),
	}
}

// isOf reports whether a token is the session's.
func (s sealed) isOf(token string) bool {
	hash := sha256.Sum256([]byte(token))
	return token != "" && bytes.Equal(hash[:], s.TokenHash)
}
