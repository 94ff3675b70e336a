package devstore

import (
	"bytes"
	"compress/flate"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/chunksign/chunksign/server/strictjson"
)

// What can be wrong with a session token. Both sides answer each with AWS's own code.
var (
	errNoSession      = errors.New("no such access key, or a temporary one without its session token")
	errInvalidSession = errors.New("the session token is malformed, altered, or another access key's")
	errExpiredSession = errors.New("the session token has expired")
)

// session is what AssumeRole granted. It travels, sealed, as the session token: the store keeps no list of sessions, so
// they outlive a restart, and there is nothing to leak.
type session struct {
	AccessKeyID string `json:"k"`
	SecretKey   string `json:"s"`
	Expires     int64  `json:"e"` // Unix seconds
	Name        string `json:"n"` // RoleSessionName
	Policy      string `json:"p,omitempty"`
}

// arn is the name that AWS gives a session in denials and in GetCallerIdentity.
func (s session) arn() string {
	return "arn:aws:sts::" + accountID + ":assumed-role/" + roleName + "/" + s.Name
}

// sessions seals sessions into tokens and opens them again.
type sessions struct {
	aead cipher.AEAD // with its nonce inside the ciphertext
	now  func() time.Time
}

// tokenLabel is authenticated with every token; a change of the format changes it.
var tokenLabel = []byte("chunksign session token 1")

// temporaryKeyPrefix begins the access key ids of sessions, as it does on AWS.
const temporaryKeyPrefix = "ASIA"

// issue makes a session that lasts d and returns it with its token.
func (ss sessions) issue(name, policy string, d time.Duration) (session, string, error) {
	secret := make([]byte, 30)
	rand.Read(secret) // never fails: crypto/rand ends the process instead
	s := session{
		AccessKeyID: temporaryKeyPrefix + rand.Text()[:16],
		SecretKey:   base64.StdEncoding.EncodeToString(secret),
		Expires:     ss.now().Add(d).Unix(),
		Name:        name,
		Policy:      policy,
	}
	plain, err := json.Marshal(s)
	if err != nil {
		return session{}, "", fmt.Errorf("encode the session: %w", err)
	}
	return s, base64.RawURLEncoding.EncodeToString(ss.aead.Seal(nil, nil, deflate(plain), tokenLabel)), nil
}

// open returns the session of an access key id and its token: errNoSession, errInvalidSession or errExpiredSession
// otherwise.
func (ss sessions) open(accessKeyID, token string) (session, error) {
	if !strings.HasPrefix(accessKeyID, temporaryKeyPrefix) || token == "" {
		return session{}, errNoSession
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return session{}, errInvalidSession
	}
	packed, err := ss.aead.Open(nil, nil, sealed, tokenLabel)
	if err != nil {
		return session{}, errInvalidSession
	}
	plain, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	if err != nil {
		return session{}, errInvalidSession
	}
	var s session
	if err := strictjson.Unmarshal(plain, &s); err != nil || s.AccessKeyID != accessKeyID {
		return session{}, errInvalidSession
	}
	if ss.now().Unix() >= s.Expires {
		return session{}, errExpiredSession
	}
	return s, nil
}

// deflate packs text. Tokens ride in a header of every request, and the gateway takes 8 KiB of headers.
func deflate(text []byte) []byte {
	var packed bytes.Buffer
	// Neither can fail: the level is a valid one, and a Buffer takes every write.
	w, _ := flate.NewWriter(&packed, flate.BestCompression)
	w.Write(text)
	w.Close()
	return packed.Bytes()
}
