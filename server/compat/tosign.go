package compat

import (
	"fmt"
	"regexp"
	"time"

	"github.com/chunksign/chunksign/wasm/sigv4"
)

// maxSkew is how far a request's time may be off; S3 takes as much
// (AmazonS3/latest/API/sig-v4-header-based-auth.html).
const maxSkew = 15 * time.Minute

var hashLine = regexp.MustCompile(`^[0-9a-f]{64}$`)

// toSign is a string to sign, taken apart.
type toSign struct {
	text string
	at   time.Time
	hash string // of the canonical request, in lower-case hex
}

// parseToSign holds a string to sign against what may be signed: for S3 in the
// region, at the time that datetime says, which is about now.
func parseToSign(text, datetime, region string, now time.Time) (toSign, error) {
	at, err := time.Parse("20060102T150405Z", datetime)
	if err != nil {
		return toSign{}, fmt.Errorf("datetime is not a time such as 20130524T000000Z")
	}
	if at.Sub(now).Abs() > maxSkew {
		return toSign{}, fmt.Errorf("datetime is more than 15 minutes off the server's time; check the clock")
	}
	scope := sigv4.New(sigv4.Credentials{}, region).Scope(at)
	before := "AWS4-HMAC-SHA256\n" + datetime + "\n" + scope + "\n"
	if len(text) != len(before)+64 || text[:len(before)] != before || !hashLine.MatchString(text[len(before):]) {
		return toSign{}, fmt.Errorf("to_sign is not an AWS4-HMAC-SHA256 string to sign of that time for s3 in %s", region)
	}
	return toSign{text, at, text[len(before):]}, nil
}
