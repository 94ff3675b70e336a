package s3api

import (
	"time"

	"github.com/chunksign/chunksign/wasm/sha256"
)

// The few functions on text that this package needs. strconv, strings, time's
// parser and their tables would add 4 to 12 KB each to the module; encoding/hex
// and encoding/base64 bring fmt and reflect.

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hexOf(sum[:])
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	text := make([]byte, 0, 2*len(b))
	for _, x := range b {
		text = append(text, digits[x>>4], digits[x&15])
	}
	return string(text)
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// base64Of gives the 43 digits of 32 bytes and their one "=" (RFC 4648, section 4).
func base64Of(d Digest) string {
	text := make([]byte, 0, 44)
	for i := 0; i < len(d); i += 3 {
		var three [3]byte
		n := copy(three[:], d[i:])
		bits := uint32(three[0])<<16 | uint32(three[1])<<8 | uint32(three[2])
		for j := range n + 1 {
			text = append(text, alphabet[bits>>(18-6*j)&63])
		}
	}
	return string(append(text, '='))
}

// digestOf reads what base64Of wrote, and nothing else.
func digestOf(s string) (d Digest, ok bool) {
	if len(s) != 44 || s[43] != '=' {
		return d, false
	}
	var bits uint32
	n := 0
	for i := range 43 {
		digit := -1
		for v := range len(alphabet) {
			if alphabet[v] == s[i] {
				digit = v
				break
			}
		}
		if digit < 0 {
			return d, false
		}
		bits = bits<<6 | uint32(digit)
		if i%4 > 0 {
			d[n] = byte(bits >> (6 - 2*(i%4)))
			n++
		}
	}
	// The last digit has two bits too many; they must be 0.
	return d, bits&3 == 0
}

func itoa(n int64) string {
	if n == 0 {
		return "0"
	}
	var b [20]byte
	i := len(b)
	for ; n > 0; n /= 10 {
		i--
		b[i] = byte('0' + n%10)
	}
	return string(b[i:])
}

// atoi reads a decimal number; 0 for anything else.
func atoi(s string) int64 {
	var n int64
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' || n > (1<<62)/10 {
			return 0
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n
}

func index(s, sub string) int {
	for i := 0; i+len(sub) <= len(s); i++ {
		if s[i:i+len(sub)] == sub {
			return i
		}
	}
	return -1
}

func indexOf(b []byte, sub string) int {
	for i := 0; i+len(sub) <= len(b); i++ {
		if string(b[i:i+len(sub)]) == sub {
			return i
		}
	}
	return -1
}

func indexByte(b []byte, c byte) int {
	for i, x := range b {
		if x == c {
			return i
		}
	}
	return -1
}

func hasPrefix(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
}

// appendEscaped appends s as XML text.
func appendEscaped(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '&':
			dst = append(dst, "&amp;"...)
		case '<':
			dst = append(dst, "&lt;"...)
		case '>':
			dst = append(dst, "&gt;"...)
		default:
			dst = append(dst, s[i])
		}
	}
	return dst
}

// ParseTime reads an RFC 3339 time in UTC ("2026-01-02T15:04:05Z", with or
// without a fraction, which is dropped), the form of S3's <ServerTime>.
func ParseTime(s string) (time.Time, bool) {
	if len(s) < 20 || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' || s[len(s)-1] != 'Z' {
		return time.Time{}, false
	}
	for i := 0; i < 19; i++ {
		if i != 4 && i != 7 && i != 10 && i != 13 && i != 16 && (s[i] < '0' || s[i] > '9') {
			return time.Time{}, false
		}
	}
	n := func(from, to int) int { return int(atoi(s[from:to])) }
	seconds := (n(11, 13)*60+n(14, 16))*60 + n(17, 19)
	return time.Unix(int64(daysUntil(n(0, 4), n(5, 7), n(8, 10)))*86400+int64(seconds), 0), true
}

// daysUntil counts from 1970-01-01 to a Gregorian date (Howard Hinnant:
// "chrono-Compatible Low-Level Date Algorithms"). Package time's own brings the
// rules of all time zones into the page, 3 KB compressed.
func daysUntil(year, month, day int) int {
	if month -= 3; month < 0 { // a leap day ends its year
		month, year = month+12, year-1
	}
	of := (153*month+2)/5 + day - 1
	return year*365 + year/4 - year/100 + year/400 + of - 719468
}
