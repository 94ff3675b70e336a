package devstore

import (
	"crypto/hmac"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/auth"
)

const hashHeader = "x-amz-content-sha256"

var s3Authorization = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)/(\d{8})/([a-z0-9-]+)/s3/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$`)

// signHash gives a request with a good signature another, over x-amz-content-sha256 too and over the Host header
// as it is. EvaporateJS 2.1.4 sends that header without signing it, and signs the host without its port. S3 takes the
// first (the hash is the canonical request's last line in any case) and has no port; versitygw takes neither. Every other
// request is left as it is, for the gateway to judge.
func signHash(c fiber.Ctx, root aws.Credentials, sessions auth.SigningKeyProvider) {
	m := s3Authorization.FindStringSubmatch(c.Get(fiber.HeaderAuthorization))
	if m == nil || c.Get(hashHeader) == "" {
		return
	}
	access, date, region, signature := m[1], m[2], m[3], m[5]
	signed := strings.Split(m[4], ";")
	if slices.Contains(signed, hashHeader) || !slices.Contains(signed, "host") {
		return
	}
	var key []byte
	if access == root.AccessKeyID {
		key = signingKey(root.SecretAccessKey, date, region, "s3")
	} else {
		var err error
		if key, _, err = sessions.DeriveSigningKey(access, c.Get("X-Amz-Security-Token"), date, region, "s3"); err != nil {
			return
		}
	}
	scope := date + "/" + region + "/s3/aws4_request"
	sign := func(host string, headers []string) string {
		toSign := strings.Join([]string{algorithm, c.Get("X-Amz-Date"), scope, hexSHA256([]byte(canonicalS3(c, host, headers)))}, "\n")
		return hex.EncodeToString(hmacSHA256(key, toSign))
	}
	host := string(c.Request().Header.Host())
	name := host
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		name = host[:i]
	}
	if !hmac.Equal([]byte(sign(host, signed)), []byte(signature)) && !hmac.Equal([]byte(sign(name, signed)), []byte(signature)) {
		return
	}
	signed = append(signed, hashHeader)
	slices.Sort(signed)
	c.Request().Header.Set(fiber.HeaderAuthorization, algorithm+" Credential="+access+"/"+scope+", SignedHeaders="+strings.Join(signed, ";")+", Signature="+sign(host, signed))
}

// canonicalS3 is the canonical request of what came in, path and query as they were sent.
func canonicalS3(c fiber.Ctx, host string, headers []string) string {
	fields := []string{}
	if query := string(c.Request().URI().QueryString()); query != "" {
		fields = strings.Split(query, "&")
	}
	for i, f := range fields {
		if !strings.Contains(f, "=") {
			fields[i] = f + "="
		}
	}
	slices.Sort(fields)
	var b strings.Builder
	b.WriteString(c.Method() + "\n" + string(c.Request().URI().PathOriginal()) + "\n" + strings.Join(fields, "&") + "\n")
	for _, name := range headers {
		value := strings.Join(strings.Fields(c.Get(name)), " ")
		if name == "host" {
			value = host
		}
		b.WriteString(name + ":" + value + "\n")
	}
	b.WriteString("\n" + strings.Join(headers, ";") + "\n" + c.Get(hashHeader))
	return b.String()
}
