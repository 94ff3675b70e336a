package devstore

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
)

// judge refuses a request that is no request of S3's, before the gateway reads it: one that two readers could understand
// differently, or with a name (names.go) that is not S3's. It reads what the gateway will read, by the same functions of
// fiber and fasthttp. Whether an upload ID is one of this store's the guard says (backend.go), after the signature: the
// order in which S3 answers, which the server relies on when it tries whether sessions are kept (package trial).
//
// It returns nil or an s3err.S3Error.
func (n names) judge(c fiber.Ctx) error {
	bucket, err := n.judgePath(c)
	if err != nil {
		return err
	}
	// A preflight answers by the bucket's rules alone, whatever the query is.
	if c.Method() == fiber.MethodOptions {
		return nil
	}
	if err := n.judgeQuery(c); err != nil {
		return err
	}
	return n.judgeHeaders(c, bucket)
}

// judgePath takes the path apart as the gateway does (middlewares.DecodeURL): unescaped once, then bucket and key.
func (n names) judgePath(c fiber.Ctx) (bucket string, err error) {
	target := string(c.Request().Header.RequestURI())
	raw := string(c.Request().URI().PathOriginal())
	before, _, _ := strings.Cut(target, "?")
	if before != raw || !strings.HasPrefix(raw, "/") {
		return "", invalid("path", "not a path that begins with a slash and ends at the query")
	}
	path, err := url.PathUnescape(raw)
	if err != nil {
		return "", invalid("path", "not percent-encoded")
	}
	if path == "/" {
		return "", nil
	}
	bucket, key, _ := strings.Cut(path[1:], "/")
	if err := checkBucket(bucket); err != nil {
		return "", err
	}
	if key == "" {
		return bucket, nil
	}
	return bucket, n.checkKey("key", key)
}

// judgeQuery judges every field of the query. The gateway takes the first of several with one name, and signs them all.
func (n names) judgeQuery(c fiber.Ctx) error {
	values, err := url.ParseQuery(string(c.Request().URI().QueryString()))
	if err != nil {
		return invalid("query", "not percent-encoded, or fields are separated by semicolons")
	}
	count := 0
	for name, value := range c.Request().URI().QueryArgs().All() {
		count++
		name, value := string(name), string(value)
		if sent := values[name]; len(sent) != 1 || sent[0] != value {
			return invalid("query", "a field stands there twice, or can be read in two ways")
		}
		if err := n.judgeField(name, value); err != nil {
			return err
		}
	}
	if count != len(values) {
		return invalid("query", "it can be read in two ways")
	}
	return nil
}

func (n names) judgeField(name, value string) error {
	switch name {
	case "uploadId":
		if !plausibleUploadID(value) {
			return invalid(name, "not an upload ID; send it as the store gave it")
		}
	case "upload-id-marker":
		if value != "" && !uploadIDForm.MatchString(value) {
			return invalid(name, "not an upload ID; send it as the store gave it")
		}
	case "versionId", "version-id-marker":
		return checkVersionID(name, value)
	case "partNumber":
		if !partNumberForm.MatchString(value) {
			return invalid(name, "not a number from 1 to 10000")
		}
	case "part-number-marker":
		if !markerForm.MatchString(value) {
			return invalid(name, "not a number from 0 to 10000")
		}
	case "prefix", "marker", "key-marker", "start-after", "continuation-token":
		return n.checkPrefix(name, value)
	case "delimiter":
		return checkText(name, value)
	}
	if strings.ContainsRune(name+value, 0) {
		return invalid("query", "holds a NUL")
	}
	return nil
}

// onlyOnce are the headers, beside S3's own, that decide who sends what.
var onlyOnce = map[string]bool{"authorization": true, "host": true, "content-length": true, "content-type": true, "date": true}

func (n names) judgeHeaders(c fiber.Ctx, bucket string) error {
	seen := map[string]bool{}
	for name, value := range c.Request().Header.All() {
		name := strings.ToLower(string(name))
		once := onlyOnce[name] || strings.HasPrefix(name, "x-amz-") && !strings.HasPrefix(name, "x-amz-meta-")
		if once && seen[name] {
			return invalid(name, "the header is there twice; send it once")
		}
		seen[name] = true
		if strings.ContainsRune(string(value), 0) {
			return invalid(name, "holds a NUL")
		}
	}
	// The gateway would take the query's signature and leave the header's unread.
	if utils.IsPresignedURLAuth(c) && c.Get(fiber.HeaderAuthorization) != "" {
		return s3err.APIError{Code: "InvalidArgument", HTTPStatusCode: http.StatusBadRequest,
			Description: "Only one auth mechanism allowed; send the signature in the query or in the Authorization header"}
	}
	if source := c.Get("X-Amz-Copy-Source"); source != "" && bucket != "" {
		if err := n.checkCopySource(source); err != nil {
			return err
		}
	}
	if value := c.Get("X-Amz-Copy-Source-Range"); value != "" && !copyRangeForm.MatchString(value) {
		return invalid("x-amz-copy-source-range", "not bytes=FIRST-LAST")
	}
	return nil
}

// answer sends a refusal as the gateway sends its own.
func answer(c fiber.Ctx, refused error) error {
	e, ok := refused.(s3err.S3Error)
	if !ok {
		return refused
	}
	requestID, hostID := utils.EnsureRequestIDs(c)
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationXML)
	return c.Status(e.StatusCode()).Send(e.XMLBody(requestID, hostID))
}
