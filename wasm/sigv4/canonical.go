package sigv4

import (
	"time"

	"github.com/chunksign/chunksign/wasm/sha256"
)

// CanonicalRequest returns the text whose hash is signed: method, encoded
// path, encoded and sorted query, one line a header, the headers' names, and
// r.PayloadHash. It covers host and what r holds, so for a request that Sign has
// signed, r.Header includes the x-amz-* headers which Sign returned.
func CanonicalRequest(r *Request) string {
	query := appendQuery(nil, r.Query)
	sortByNameAndValue(query)
	return string(appendCanonical(nil, r, query, appendHeader(nil, r, nil), r.PayloadHash))
}

// StringToSign returns the text that Signer.Signature signs for a canonical
// request. The scope is Signer.Scope's.
func StringToSign(canonicalRequest, scope string, now time.Time) string {
	return string(appendStringToSign(nil, Timestamp(now), scope, []byte(canonicalRequest)))
}

// Timestamp returns t in UTC as x-amz-date wants it: "20130524T000000Z". The
// year must be within 0 and 9999.
func Timestamp(t time.Time) string {
	days, second := t.Unix()/86400, int(t.Unix()%86400)
	if second < 0 {
		days, second = days-1, second+86400
	}
	year, month, day := civil(int(days))
	var b [16]byte
	digits(b[0:4], year)
	digits(b[4:6], month)
	digits(b[6:8], day)
	b[8] = 'T'
	digits(b[9:11], second/3600)
	digits(b[11:13], second/60%60)
	digits(b[13:15], second%60)
	b[15] = 'Z'
	return string(b[:])
}

// civil is the Gregorian date of a day, counted from 1970-01-01, in years from 0
// (Howard Hinnant: "chrono-Compatible Low-Level Date Algorithms"). Package time's
// own brings the rules of all time zones into the page, 3 KB compressed.
func civil(days int) (year, month, day int) {
	days += 719468 // from 0000-03-01, so that a leap day ends its year
	era := days / 146097
	days %= 146097
	of := (days - days/1460 + days/36524 - days/146096) / 365
	days -= 365*of + of/4 - of/100
	month = (5*days + 2) / 153
	day = days - (153*month+2)/5 + 1
	year = of + era*400
	if month += 3; month > 12 {
		month, year = month-12, year+1
	}
	return year, month, day
}

// digits fills b with n in decimal, zeros in front.
func digits(b []byte, n int) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
}

// decimal returns n; what is below zero is written as zero.
func decimal(n int64) string {
	var b [20]byte
	i := len(b)
	for ; n > 0; n /= 10 {
		i--
		b[i] = byte('0' + n%10)
	}
	if i == len(b) {
		return "0"
	}
	return string(b[i:])
}

// appendCanonical appends the canonical request. Query and header come encoded
// and sorted.
func appendCanonical(dst []byte, r *Request, query, header []Param, payloadHash string) []byte {
	dst = append(dst, r.Method...)
	dst = append(dst, '\n')
	dst = appendPath(dst, r.Path)
	dst = append(dst, '\n')
	dst = appendJoined(dst, query)
	dst = append(dst, '\n')
	for i, h := range header {
		if i > 0 && h.Name == header[i-1].Name {
			dst[len(dst)-1] = ',' // instead of the line's end: headers of one name share a line
		} else {
			dst = append(dst, h.Name...)
			dst = append(dst, ':')
		}
		dst = appendFolded(dst, h.Value)
		dst = append(dst, '\n')
	}
	dst = append(dst, '\n')
	dst = appendSignedHeaders(dst, header)
	dst = append(dst, '\n')
	return append(dst, payloadHash...)
}

// appendStringToSign appends the algorithm, the time, the scope and the hash
// of the canonical request. Canonical may be dst itself.
func appendStringToSign(dst []byte, stamp, scope string, canonical []byte) []byte {
	hash := sha256.Sum256(canonical)
	dst = append(dst, algorithm+"\n"...)
	dst = append(dst, stamp...)
	dst = append(dst, '\n')
	dst = append(dst, scope...)
	dst = append(dst, '\n')
	return appendHex(dst, hash[:])
}

// appendHeader appends host, r's headers and more, names in lower case, sorted
// by name; headers of one name keep their order.
func appendHeader(dst []Param, r *Request, more []Param) []Param {
	dst = append(dst, Param{"host", r.Host})
	for _, h := range r.Header {
		dst = append(dst, Param{lower(h.Name), h.Value})
	}
	dst = append(dst, more...)
	// By insertion: the lists are short, and package sort adds 2 KB to the module.
	for i := 1; i < len(dst); i++ {
		for j := i; j > 0 && dst[j].Name < dst[j-1].Name; j-- {
			dst[j], dst[j-1] = dst[j-1], dst[j]
		}
	}
	return dst
}

// appendSignedHeaders appends the names in a sorted header, each once, with
// semicolons between them.
func appendSignedHeaders(dst []byte, header []Param) []byte {
	for i, h := range header {
		if i > 0 {
			if h.Name == header[i-1].Name {
				continue
			}
			dst = append(dst, ';')
		}
		dst = append(dst, h.Name...)
	}
	return dst
}

// appendFolded appends a header's value without the white space around it and
// with each run of spaces as one, inside quotes too. Tabs inside a value stay.
// aws-sdk-go-v2 does the same; the rule is in
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
//
// The SDK also trims Unicode's white space, such as U+00A0, which no HTTP
// library takes off a header's value (RFC 9110, section 5.5, knows space and
// tab only); here it stays.
func appendFolded(dst []byte, value string) []byte {
	for len(value) > 0 && isSpace(value[0]) {
		value = value[1:]
	}
	for len(value) > 0 && isSpace(value[len(value)-1]) {
		value = value[:len(value)-1]
	}
	start := 0 // of what is not written yet; whole runs, for a session token has a thousand bytes
	for i := 1; i < len(value); i++ {
		if value[i] == ' ' && value[i-1] == ' ' {
			dst = append(dst, value[start:i]...)
			start = i + 1
		}
	}
	return append(dst, value[start:]...)
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// lower returns s with A to Z in lower case; s itself where it has none.
func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
