package devstore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// minSecret is the least length of Config.Secret, in bytes: what AES-256 and HMAC-SHA-256 deserve.
const minSecret = 32

// keyring is everything derived from Config.Secret.
type keyring struct {
	root     aws.Credentials
	sessions cipher.AEAD // seals session tokens
}

// deriveKeys expands secret by HKDF (RFC 5869) into independent keys, so that none tells anything of another. The same
// secret always gives the same keys: credentials survive a restart.
func deriveKeys(secret []byte) (keyring, error) {
	if len(secret) < minSecret {
		return keyring{}, fmt.Errorf("devstore: Secret has %d bytes; give %d random bytes, kept from start to start", len(secret), minSecret)
	}
	// An access key id is AKIA (long-lived) or ASIA (temporary) and 16 base32 characters; a secret key has 40 characters.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
	var id, secretKey, tokenKey []byte
	for _, k := range []struct {
		to    *[]byte
		info  string
		bytes int
	}{
		{&id, "chunksign devstore root access key id", 10},
		{&secretKey, "chunksign devstore root secret access key", 30},
		{&tokenKey, "chunksign devstore session tokens", 32},
	} {
		derived, err := hkdf.Key(sha256.New, secret, nil, k.info, k.bytes)
		if err != nil {
			return keyring{}, fmt.Errorf("devstore: derive keys: %w", err)
		}
		*k.to = derived
	}
	block, err := aes.NewCipher(tokenKey)
	if err != nil {
		return keyring{}, fmt.Errorf("devstore: derive keys: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return keyring{}, fmt.Errorf("devstore: derive keys: %w", err)
	}
	return keyring{
		root: aws.Credentials{
			AccessKeyID:     "AKIA" + base32.StdEncoding.EncodeToString(id),
			SecretAccessKey: base64.StdEncoding.EncodeToString(secretKey),
			Source:          "chunksign embedded store",
			AccountID:       accountID,
		},
		sessions: aead,
	}, nil
}
