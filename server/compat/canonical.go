package compat

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/wasm/plan"
	"github.com/chunksign/chunksign/wasm/sigv4"
)

// canonical is a canonical request, taken apart.
type canonical struct {
	sigv4.Request
	op       string            // create, part, list, complete or abort
	uploadID string            // "" for create
	part     int64             // its number, of a part
	header   map[string]string // but host
}

const tokenHeader = "x-amz-security-token"

var (
	payloadLine = regexp.MustCompile(`^([0-9a-f]{64}|UNSIGNED-PAYLOAD)$`)
	number      = regexp.MustCompile(`^[0-9]{1,5}$`)
	partNumber  = regexp.MustCompile(`^[1-9][0-9]{0,4}$`)
)

// parseCanonical reads the canonical request of one of a multipart upload's
// calls. It takes only what is written as this server would write it.
func parseCanonical(text string) (canonical, error) {
	c := canonical{header: map[string]string{}}
	strange := no("canonical_request", "canonical_request is not one of EvaporateJS's")
	lines := strings.Split(text, "\n")
	if len(lines) < 7 {
		return c, strange
	}
	method, path, query, headers := lines[0], lines[1], lines[2], lines[3:len(lines)-3]
	if lines[len(lines)-3] != "" || !payloadLine.MatchString(lines[len(lines)-1]) {
		return c, strange
	}
	var err error
	c.Method, c.PayloadHash = method, lines[len(lines)-1]
	if c.Path, err = url.PathUnescape(path); err != nil {
		return c, strange
	}
	fields, err := url.ParseQuery(query)
	if err != nil {
		return c, strange
	}
	one := map[string]string{}
	for name, values := range fields {
		one[name] = values[0]
		c.Query = append(c.Query, sigv4.Param{Name: name, Value: values[0]})
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ":")
		if name == "host" {
			c.Host = value
			continue
		}
		c.header[name] = value
		c.Header = append(c.Header, sigv4.Param{Name: name, Value: value})
	}
	if sigv4.CanonicalRequest(&c.Request) != text {
		return c, strange
	}
	_, uploads := one["uploads"]
	c.uploadID = one["uploadId"]
	id, part := destination.CheckUploadID(c.uploadID) == nil, partNumber.MatchString(one["partNumber"])
	after, marker := one["part-number-marker"]
	switch {
	case method == "POST" && len(one) == 1 && uploads && one["uploads"] == "":
		c.op = "create"
	case method == "PUT" && len(one) == 2 && id && part:
		c.op = "part"
		c.part, _ = strconv.ParseInt(one["partNumber"], 10, 64) // of 1 to 5 digits
	case method == "GET" && id && (len(one) == 1 || len(one) == 2 && marker && number.MatchString(after)):
		c.op = "list"
	case method == "POST" && len(one) == 1 && id:
		c.op = "complete"
	case method == "DELETE" && len(one) == 1 && id:
		c.op = "abort"
	default:
		return c, no("canonical_request",
			"%s with this query is not signed; only creating, sending, listing, completing and aborting a multipart upload are", method)
	}
	return c, nil
}

// maxParts is how many parts a file of a size can need.
func maxParts(size int64) int64 {
	return min(max((size+plan.MinPartSize-1)/plan.MinPartSize, 1), plan.MaxParts)
}

// completes reports whether a payload's hash is that of EvaporateJS's body of Complete
// for these parts, in their order: so that no part can take another's place after they
// were counted. The ETag stands there as the store's reply had it, with quotes or without.
func completes(payloadHash string, parts []destination.Part) bool {
	for _, quote := range []string{`"`, ""} {
		body := sha256.New()
		io.WriteString(body, "<CompleteMultipartUpload>")
		for _, part := range parts {
			etag := quote + strings.Trim(part.ETag, `"`) + quote
			fmt.Fprintf(body, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", part.Number, etag)
		}
		io.WriteString(body, "</CompleteMultipartUpload>")
		if hex.EncodeToString(body.Sum(nil)) == payloadHash {
			return true
		}
	}
	return false
}

// isFor reports why a request is not one for a grant's object, by the page's session.
func (c *canonical) isFor(g destination.Grant, d *destination.Destination, by sealed) error {
	if !slices.Contains(c.hosts(g, d), c.Host) {
		return no("canonical_request", "the request is for another host than the destination's store, or another bucket "+
			"or key than the grant's, or not %s-style; give EvaporateJS upload.endpoint, bucket and key of the grant's reply",
			d.Store.AddressingOf(g.Bucket))
	}
	if most := maxParts(g.Size); c.part > most {
		return no("canonical_request",
			"partNumber is %d, and the granted %d bytes are %d parts at most, of 5 MiB and more", c.part, g.Size, most)
	}
	if !by.isOf(c.header[tokenHeader]) {
		return no("canonical_request", "the header x-amz-security-token is missing, or of another session; put evaporate.headers "+
			"of the grant's reply into xAmzHeadersAtInitiate, xAmzHeadersAtUpload and xAmzHeadersAtComplete")
	}
	if c.op == "complete" && !d.Overwrite && c.header["if-none-match"] == "" {
		return no("canonical_request", "the header If-None-Match is missing, without which an object would be replaced; "+
			"put {\"If-None-Match\": \"*\"} into xAmzHeadersAtComplete, and leave xAmzHeadersCommon out, "+
			"which EvaporateJS takes in its place")
	}
	return c.headersFit(d.StoredWith(g))
}

// headersFit reports the header that a request has and should not, or lacks.
// Creating, it has the x-amz- headers that the object is to be stored with.
func (c *canonical) headersFit(stored map[string]string) error {
	for name, value := range c.header {
		switch {
		case name == "x-amz-date" || name == tokenHeader:
		case name == "content-md5" && c.op == "part":
		case name == "if-none-match" && value == "*" && c.op != "create" && c.op != "part":
		case name == "content-type":
			if c.op == "create" && value != stored[name] {
				return no("canonical_request", "the content type is %q, and the grant is for %q", value, stored[name])
			}
		case c.op != "create" || stored[name] == "" || stored[name] != value:
			return no("canonical_request", "the header %s is not one that this request has, or not with this value", name)
		}
	}
	for name := range stored {
		if c.op == "create" && c.header[name] == "" && (name == "content-type" || strings.HasPrefix(name, "x-amz-")) {
			return no("canonical_request",
				"the header %s is missing; put upload.headers into xAmzHeadersAtInitiate, and the type into contentType", name)
		}
	}
	return nil
}

// hosts are the names under which the request's path is the grant's object. A store
// that reads the first segment of a path as the bucket does so whatever the Host is,
// so the bucket stands where the store's addressing has it. AWS alone goes by the Host.
func (c *canonical) hosts(g destination.Grant, d *destination.Destination) []string {
	_, base, _ := strings.Cut(d.Store.BaseURL(), "://")
	bases := []string{base, hostname(base)}
	if d.Store.AWS() && d.Store.Partition() == "aws" { // what EvaporateJS calls it
		bases = append(bases, "s3-"+d.Store.Region+".amazonaws.com")
		if d.Store.Region == "us-east-1" {
			bases = append(bases, "s3.amazonaws.com")
		}
	}
	style := d.Store.AddressingOf(g.Bucket)
	switch {
	case c.Path == "/"+g.Bucket+"/"+g.Key && (style == "path" || d.Store.AWS()):
		return bases
	case c.Path == "/"+g.Key && (style == "virtual" || d.Store.AWS()):
		for i := range bases {
			bases[i] = g.Bucket + "." + bases[i]
		}
		return bases
	}
	return nil
}

// realHost is the Host header that a browser sends for what isFor has let pass.
func (c *canonical) realHost(d *destination.Destination) string {
	scheme, base, _ := strings.Cut(d.Store.BaseURL(), "://")
	port := strings.TrimPrefix(base, hostname(base))
	if port == ":80" && scheme == "http" || port == ":443" && scheme == "https" || strings.HasSuffix(c.Host, port) {
		return c.Host
	}
	return c.Host + port
}

func hostname(hostport string) string {
	if i := strings.LastIndexByte(hostport, ':'); i > strings.LastIndexByte(hostport, ']') {
		return hostport[:i]
	}
	return hostport
}
