package sigv4

import "github.com/chunksign/chunksign/wasm/sha256"

// signingKey is what a day's signatures are made with.
type signingKey struct {
	scope string // begins with the day: "20130524/us-east-1/s3/aws4_request"
	mac   mac
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
		m := newMAC(key)
		next := m.sum([]byte(step))
		key = next[:]
	}
	return key
}

// appendSignature appends the HMAC of text in hex. Text may be part of dst.
func (k *signingKey) appendSignature(dst, text []byte) []byte {
	sum := k.mac.sum(text)
	return appendHex(dst, sum[:])
}

// mac is HMAC-SHA256 (RFC 2104) with one key, for many messages. It keeps
// SHA-256's state after the key's block, inner and outer, which saves two of
// the six or so compressions that a string to sign takes.
type mac struct{ inner, outer sha256.Digest }

func newMAC(key []byte) mac {
	if len(key) > sha256.BlockSize {
		hashed := sha256.Sum256(key)
		key = hashed[:]
	}
	return mac{inner: stateAfter(key, 0x36), outer: stateAfter(key, 0x5c)}
}

// stateAfter returns the state after one block: the key, padded with zeros and
// XORed with pad.
func stateAfter(key []byte, pad byte) sha256.Digest {
	var block [sha256.BlockSize]byte
	copy(block[:], key)
	for i := range block {
		block[i] ^= pad
	}
	d := sha256.New()
	d.Write(block[:])
	return d
}

// sum is the HMAC of message.
func (m *mac) sum(message []byte) [sha256.Size]byte {
	inner, outer := m.inner, m.outer
	inner.Write(message)
	hashed := inner.Sum()
	outer.Write(hashed[:])
	return outer.Sum()
}
