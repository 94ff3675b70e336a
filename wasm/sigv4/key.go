package sigv4

import (
	"crypto/sha256"
	"hash"
)

// signingKey is what a day's signatures are made with.
type signingKey struct {
	scope string // begins with the day: "20130524/us-east-1/s3/aws4_request"
	mac   *mac
}

func newSigningKey(secret, day, region string) *signingKey {
	return &signingKey{
		scope: day + "/" + region + "/s3/aws4_request",
		mac:   newMAC(deriveKey(secret, day, region)),
	}
}

// deriveKey is the chain of HMACs that narrows a secret down to one day,
// region and service.
func deriveKey(secret, day, region string) []byte {
	key := []byte("AWS4" + secret)
	for _, step := range [...]string{day, region, "s3", "aws4_request"} {
		key = newMAC(key).appendSum(nil, []byte(step))
	}
	return key
}

// appendSignature appends the HMAC of text in hex. Text may be part of dst.
func (k *signingKey) appendSignature(dst, text []byte) []byte {
	return appendHex(dst, k.mac.appendSum(k.mac.sum[:0], text))
}

// mac is HMAC-SHA256 (RFC 2104) with one key, for many messages. It keeps
// SHA-256's state after the key's block, inner and outer, which saves two of
// the six or so compressions that a string to sign takes.
//
// crypto/hmac keeps them too, but linking it makes a TinyGo module 26 KB larger
// (brotli, TinyGo 0.41), half as much again as all the rest of signing.
type mac struct {
	hash         hash.Hash
	inner, outer []byte // the states to start from
	sum          [sha256.Size]byte
}

// state is what every hash of the standard library can do, by its package's
// documentation.
type state interface {
	MarshalBinary() ([]byte, error)
	UnmarshalBinary([]byte) error
}

func newMAC(key []byte) *mac {
	if len(key) > sha256.BlockSize {
		hashed := sha256.Sum256(key)
		key = hashed[:]
	}
	m := &mac{hash: sha256.New()}
	m.inner = m.stateAfter(key, 0x36)
	m.outer = m.stateAfter(key, 0x5c)
	return m
}

// stateAfter returns the state after one block: the key, padded with zeros and
// XORed with pad.
func (m *mac) stateAfter(key []byte, pad byte) []byte {
	block := make([]byte, sha256.BlockSize)
	copy(block, key)
	for i := range block {
		block[i] ^= pad
	}
	m.hash.Reset()
	m.hash.Write(block)
	saved, err := m.hash.(state).MarshalBinary()
	if err != nil {
		panic("sigv4: SHA-256 cannot save its state: " + err.Error())
	}
	return saved
}

// appendSum appends the HMAC of message, 32 bytes.
func (m *mac) appendSum(dst, message []byte) []byte {
	m.restore(m.inner)
	m.hash.Write(message)
	inner := m.hash.Sum(m.sum[:0])
	m.restore(m.outer)
	m.hash.Write(inner)
	return m.hash.Sum(dst)
}

func (m *mac) restore(saved []byte) {
	if err := m.hash.(state).UnmarshalBinary(saved); err != nil {
		panic("sigv4: SHA-256 cannot restore its state: " + err.Error())
	}
}
