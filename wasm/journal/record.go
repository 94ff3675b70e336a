package journal

import "bytes"

// A record's file, little endian:
//
//	 0  "CSJ"    magic
//	 3  u8       format version, 1
//	 4  u32      payload length in bytes
//	 8  u32      CRC-32 (IEEE 802.3) of bytes 0 to 8 and the payload
//	12  payload
//
// The first four bytes stay where they are in every later version.
const (
	magic      = "CSJ"
	version    = 1
	headerSize = 12
)

func encode(payload []byte) []byte {
	file := make([]byte, headerSize+len(payload))
	copy(file, magic)
	file[3] = version
	put32(file[4:], uint32(len(payload)))
	copy(file[headerSize:], payload)
	put32(file[8:], checksum(file))
	return file
}

// decode returns the payload, as part of file, or ErrDamaged or ErrVersion.
func decode(file []byte) ([]byte, error) {
	if len(file) < 4 || !bytes.HasPrefix(file, []byte(magic)) || file[3] == 0 {
		return nil, ErrDamaged
	}
	if file[3] > version {
		return nil, ErrVersion
	}
	if len(file) < headerSize || uint64(len(file)-headerSize) != uint64(get32(file[4:])) || checksum(file) != get32(file[8:]) {
		return nil, ErrDamaged
	}
	return file[headerSize:], nil
}

// checksum is the checksum that belongs at file[8:12].
func checksum(file []byte) uint32 {
	return ^crc32(crc32(^uint32(0), file[:8]), file[headerSize:])
}

// nibbles has the CRC-32 remainder of every four-bit value: 64 bytes where
// hash/crc32 has tables of 8 KiB.
var nibbles = func() (t [16]uint32) {
	for i := range t {
		c := uint32(i)
		for range 4 {
			c = c>>1 ^ 0xedb88320*(c&1)
		}
		t[i] = c
	}
	return
}()

func crc32(c uint32, data []byte) uint32 {
	for _, b := range data {
		c ^= uint32(b)
		c = c>>4 ^ nibbles[c&15]
		c = c>>4 ^ nibbles[c&15]
	}
	return c
}

func put32(b []byte, v uint32) {
	b[0], b[1], b[2], b[3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
}

func get32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}
