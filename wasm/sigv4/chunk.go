package sigv4

import "time"

// ChunkSigner signs the chunks of one aws-chunked body. Each signature covers
// the one before it, so chunks are signed in the order in which they are sent,
// the empty one that ends the body included.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
type ChunkSigner struct {
	key      *signingKey // of the seed's day, though midnight may pass
	stamp    string
	previous string
	text     []byte // scratch
}

// Chunks returns the signer of a body's chunks. The request's header was signed
// by Sign at now, with StreamingPayload or StreamingPayloadTrailer in place of a
// hash; seed is its signature, 64 hex digits. The ChunkSigner shares the
// Signer's key and is used by the same goroutine.
func (s *Signer) Chunks(seed string, now time.Time) *ChunkSigner {
	stamp := Timestamp(now)
	return &ChunkSigner{key: s.keyOf(stamp[:8]), stamp: stamp, previous: seed}
}

// Next returns the next chunk's signature. PayloadHash is the SHA-256 of the
// chunk's data in lower-case hex; EmptyPayload for the last, empty one.
func (c *ChunkSigner) Next(payloadHash string) string {
	return c.sign(c.appendChunk(c.text[:0], payloadHash))
}

// Trailer returns x-amz-trailer-signature, to be asked for after the last
// chunk's. CanonicalTrailerHash is the SHA-256 in lower-case hex of the trailing
// headers, each as "name:value\n" with the name in lower case.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
func (c *ChunkSigner) Trailer(canonicalTrailerHash string) string {
	return c.sign(c.appendTrailer(c.text[:0], canonicalTrailerHash))
}

// appendChunk appends a chunk's string to sign. The hash of nothing in it
// stands for headers that S3's chunks do not have.
func (c *ChunkSigner) appendChunk(dst []byte, payloadHash string) []byte {
	dst = c.appendHead(dst, algorithm+"-PAYLOAD\n")
	dst = append(dst, EmptyPayload+"\n"...)
	return append(dst, payloadHash...)
}

// appendTrailer appends the trailer's string to sign.
func (c *ChunkSigner) appendTrailer(dst []byte, canonicalTrailerHash string) []byte {
	dst = c.appendHead(dst, algorithm+"-TRAILER\n")
	return append(dst, canonicalTrailerHash...)
}

// appendHead appends what both strings begin with.
func (c *ChunkSigner) appendHead(dst []byte, kind string) []byte {
	dst = append(dst, kind...)
	dst = append(dst, c.stamp...)
	dst = append(dst, '\n')
	dst = append(dst, c.key.scope...)
	dst = append(dst, '\n')
	dst = append(dst, c.previous...)
	return append(dst, '\n')
}

// sign signs text and remembers the signature for the chunk to come.
func (c *ChunkSigner) sign(text []byte) string {
	n := len(text)
	c.text = c.key.appendSignature(text, text)
	c.previous = string(c.text[n:])
	return c.previous
}

// AppendChunkHeader appends what goes before a chunk's data, size bytes of it:
// "<hex size>;chunk-signature=<signature>\r\n". "\r\n" follows the data. The last
// chunk has size 0. Size is never negative.
func AppendChunkHeader(dst []byte, size int, signature string) []byte {
	var b [16]byte
	i := len(b)
	for n := uint(size); ; n >>= 4 {
		i--
		b[i] = "0123456789abcdef"[n&15]
		if n < 16 {
			break
		}
	}
	dst = append(dst, b[i:]...)
	dst = append(dst, ";chunk-signature="...)
	dst = append(dst, signature...)
	return append(dst, '\r', '\n')
}
