package devstore

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A verifier of SigV4 for STS's one shape of request: POST /, no query, everything in a small body. It shares no code with
// the project's signer, so that a mistake there shows here instead of cancelling out.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

const (
	algorithm  = "AWS4-HMAC-SHA256"
	amzDate    = "20060102T150405Z"
	stsService = "sts"
	// maxSkew is how far X-Amz-Date may be from now: five minutes, as in AWS's general rule.
	maxSkew = 5 * time.Minute
)

// signedRequest is the Authorization header, taken apart.
type signedRequest struct {
	accessKeyID   string
	date          string // yyyymmdd, of the credential scope
	scope         string // date/region/service/aws4_request
	signedHeaders []string
	signature     []byte
}

// parseAuthorization reads
//
//	AWS4-HMAC-SHA256 Credential=ID/yyyymmdd/region/sts/aws4_request, SignedHeaders=a;b;c, Signature=64 hex digits
func parseAuthorization(header string) (signedRequest, *stsError) {
	incomplete := func(what string) (signedRequest, *stsError) {
		return signedRequest{}, &stsError{http.StatusBadRequest, "IncompleteSignature", "Authorization header: " + what}
	}
	fields, ok := strings.CutPrefix(header, algorithm+" ")
	if !ok {
		return incomplete("the algorithm must be " + algorithm)
	}
	values := map[string]string{}
	for field := range strings.SplitSeq(fields, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		values[name] = value
	}
	accessKeyID, scope, _ := strings.Cut(values["Credential"], "/")
	parts := strings.Split(scope, "/")
	if len(parts) != 4 || parts[1] != region || parts[2] != stsService || parts[3] != "aws4_request" {
		return incomplete("Credential must be scoped to " + region + "/" + stsService + "/aws4_request")
	}
	signature, err := hex.DecodeString(values["Signature"])
	if err != nil || len(signature) != sha256.Size {
		return incomplete("Signature must be 64 hexadecimal digits")
	}
	headers := strings.Split(values["SignedHeaders"], ";")
	for _, required := range []string{"host", "x-amz-date"} {
		if !slices.Contains(headers, required) {
			return incomplete("SignedHeaders must include " + required)
		}
	}
	if !slices.IsSorted(headers) {
		return incomplete("SignedHeaders must be in order")
	}
	return signedRequest{accessKeyID, parts[0], scope, headers, signature}, nil
}

// verify reports whether a request with this body bears secret's signature, made within maxSkew of now. The comparison
// takes the same time wherever the first difference is.
func (s signedRequest) verify(r *http.Request, body []byte, secret string, now time.Time) *stsError {
	sent := r.Header.Get("X-Amz-Date")
	at, err := time.Parse(amzDate, sent)
	if err != nil || at.Format("20060102") != s.date {
		return &stsError{http.StatusBadRequest, "IncompleteSignature", "X-Amz-Date must be yyyymmddThhmmssZ, on the credential scope's day"}
	}
	for name := range r.Header {
		// An unsigned x-amz header could be added or changed on the way.
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") && !slices.Contains(s.signedHeaders, name) {
			return &stsError{http.StatusForbidden, "AccessDenied", "There were headers present in the request which were not signed: " + name}
		}
	}
	if skew := now.Sub(at); skew > maxSkew || skew < -maxSkew {
		return &stsError{http.StatusForbidden, "SignatureDoesNotMatch",
			"Signature expired or not yet current: " + sent + " is more than five minutes from " + now.UTC().Format(amzDate)}
	}

	var canonical strings.Builder
	canonical.WriteString(r.Method + "\n/\n\n")
	for _, name := range s.signedHeaders {
		values := slices.Clone(r.Header.Values(name))
		if name == "host" { // net/http keeps it apart
			values = []string{r.Host}
		}
		for i, v := range values {
			values[i] = strings.Join(strings.Fields(v), " ")
		}
		canonical.WriteString(name + ":" + strings.Join(values, ",") + "\n")
	}
	canonical.WriteString("\n" + strings.Join(s.signedHeaders, ";") + "\n" + hexSHA256(body))

	toSign := strings.Join([]string{algorithm, sent, s.scope, hexSHA256([]byte(canonical.String()))}, "\n")
	want := hmacSHA256(signingKey(secret, s.date, region, stsService), toSign)
	if !hmac.Equal(want, s.signature) {
		return &stsError{http.StatusForbidden, "SignatureDoesNotMatch",
			"The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method."}
	}
	return nil
}

// signingKey derives a day's key for one region and service from a secret access key.
func signingKey(secret, date, region, service string) []byte {
	key := hmacSHA256([]byte("AWS4"+secret), date)
	for _, part := range []string{region, service, "aws4_request"} {
		key = hmacSHA256(key, part)
	}
	return key
}

func hmacSHA256(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func hexSHA256(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
