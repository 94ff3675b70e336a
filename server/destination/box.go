package destination

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// Box encrypts what the server gives out to get it back, under keys of its own
// that come from the grant keys: every replica opens what another has sealed,
// and a grant key that is taken out of service takes its boxes along.
type Box struct {
	first string // the ID of the key that seals
	keys  map[string]cipher.AEAD
}

// Box makes one for a purpose. What is sealed for one is not opened for another.
func (k *GrantKeys) Box(purpose string) (*Box, error) {
	b := &Box{first: k.first, keys: map[string]cipher.AEAD{}}
	for id, secret := range k.keys {
		key, err := hkdf.Key(sha256.New, secret, nil, "chunksign "+purpose, 32)
		if err != nil {
			return nil, err
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		if b.keys[id], err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Seal encrypts plain so that it opens only beside the same about. The text has
// letters, digits, -, _ and one dot.
func (b *Box) Seal(plain []byte, about string) string {
	return b.first + "." + base64.RawURLEncoding.EncodeToString(b.keys[b.first].Seal(nil, nil, plain, []byte(about)))
}

// Open gives back what was sealed beside the same about.
func (b *Box) Open(text, about string) (plain []byte, ok bool) {
	id, sealed, _ := strings.Cut(text, ".")
	aead := b.keys[id]
	if aead == nil {
		return nil, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil {
		return nil, false
	}
	plain, err = aead.Open(nil, nil, raw, []byte(about))
	return plain, err == nil
}
