package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/chunksign/chunksign/wasm/plan"
	"github.com/chunksign/chunksign/wasm/s3api"
)

// The calls, each after its page in AmazonS3/latest/API.

func (o *op) at() string { return o.bucket + "/" + o.key }

func etagOf(d s3api.Digest) string { return `"` + hex.EncodeToString(d[:16]) + `"` }

// putObject: API_PutObject.html.
func (s *store) putObject(o op) s3api.Reply {
	if o.file == nil {
		o.file = &piece{digest: sha256.Sum256(o.body), size: int64(len(o.body))}
	}
	if o.file.size > plan.MaxPartSize {
		return *s.refuse(400, "EntityTooLarge", "a PutObject carries 5 GiB at most")
	}
	if o.get("if-none-match") == "*" && s.objects[o.at()] != nil {
		return *s.refuse(412, "PreconditionFailed", "there is an object")
	}
	etag := etagOf(o.file.digest)
	s.objects[o.at()] = &object{parts: []piece{*o.file}, etag: etag, by: s.newID("put-")}
	return s3api.Reply{Status: 200, ETag: etag, RequestID: s.newID("r")}
}

// createUpload: API_CreateMultipartUpload.html.
func (s *store) createUpload(o op) s3api.Reply {
	if a := o.get("x-amz-checksum-algorithm"); a != "" && a != "SHA256" {
		return *s.refuse(400, "InvalidRequest", "no such checksum")
	}
	m := &multipart{id: s.newID("U"), at: o.at(), parts: map[int]storedPart{}}
	s.uploads[m.id] = m
	return s.reply("InitiateMultipartUploadResult", text("Bucket", o.bucket)+text("Key", o.key)+text("UploadId", m.id))
}

func (s *store) find(o op, id string) *multipart {
	if m := s.uploads[id]; m != nil && m.at == o.at() {
		return m
	}
	return nil
}

func (s *store) noSuchUpload() s3api.Reply {
	return *s.refuse(404, "NoSuchUpload", "the upload does not exist; it may have been aborted or completed")
}

// uploadPart: API_UploadPart.html.
func (s *store) uploadPart(o op, id string) s3api.Reply {
	n, err := strconv.Atoi(o.query.Get("partNumber"))
	if err == nil && n == 0 && !s.quirks.AnyNumber {
		return *s.refuse(400, or(s.quirks.ZeroCode, "InvalidArgument"), "partNumber is 0")
	}
	if err != nil || !s.quirks.AnyNumber && (n < 1 || n > plan.MaxParts) {
		return *s.refuse(400, "InvalidArgument", "partNumber is outside 1 to 10000")
	}
	m := s.find(o, id)
	if m == nil {
		if o.upload == nil || !s.quirks.LateParts || s.finished[id] != "" {
			return s.noSuchUpload()
		}
		// It was there when the part came (API_AbortMultipartUpload.html: parts in
		// progress "might or might not succeed").
		m = o.upload
		m.parts, m.last = map[int]storedPart{}, 0
		s.uploads[id] = m
	}
	if o.file == nil {
		o.file = &piece{digest: sha256.Sum256(o.body), size: int64(len(o.body))}
	}
	if o.file.size > plan.MaxPartSize {
		return *s.refuse(400, "EntityTooLarge", "a part has 5 GiB at most")
	}
	etag := etagOf(o.file.digest)
	m.parts[n], m.last = storedPart{*o.file, etag}, max(m.last, n)
	return s3api.Reply{Status: 200, ETag: etag, RequestID: s.newID("r")}
}

// listParts: API_ListParts.html.
func (s *store) listParts(o op, id string) s3api.Reply {
	m := s.find(o, id)
	if m == nil {
		return *s.refuse(404, or(s.quirks.ListGoneCode, "NoSuchUpload"), "the upload does not exist; it may have been aborted or completed")
	}
	after, _ := strconv.Atoi(o.query.Get("part-number-marker"))
	var page []int
	truncated := false
	for n := after + 1; n <= m.last; n++ {
		if _, ok := m.parts[n]; !ok {
			continue
		}
		if truncated = len(page) == s.quirks.PageSize; truncated {
			break
		}
		page = append(page, n)
	}
	var b strings.Builder
	b.WriteString(text("Bucket", o.bucket) + text("Key", o.key) + text("UploadId", id))
	b.WriteString(text("IsTruncated", strconv.FormatBool(truncated)))
	if len(page) > 0 {
		b.WriteString(text("NextPartNumberMarker", strconv.Itoa(page[len(page)-1])))
	}
	for _, n := range page {
		p := m.parts[n]
		b.WriteString("<Part>" + text("PartNumber", strconv.Itoa(n)) + text("Size", strconv.FormatInt(p.size, 10)) + text("ETag", p.etag))
		if !s.quirks.NoChecksums {
			b.WriteString(text("ChecksumSHA256", p.digest.Base64()))
		}
		b.WriteString("</Part>")
	}
	return s.reply("ListPartsResult", b.String())
}

// completeUpload: API_CompleteMultipartUpload.html.
func (s *store) completeUpload(o op, id string) s3api.Reply {
	taken := o.get("if-none-match") == "*" && !s.quirks.IgnoresNoMatch && s.objects[o.at()] != nil
	if taken && s.quirks.TakenFirst {
		return *s.refuse(412, "PreconditionFailed", "there is an object")
	}
	m := s.find(o, id)
	if m == nil {
		if etag := s.finished[id]; etag != "" && s.quirks.CompleteAgain {
			return s.completed(o, etag)
		}
		if s.quirks.Stumbles {
			return *s.refuse(500, "InternalError", "")
		}
		return s.noSuchUpload()
	}
	named, ok := namedParts(o.body)
	if !ok || len(named) == 0 {
		return *s.refuse(400, or(s.quirks.NoPartsCode, "MalformedXML"), "the body is not a list of parts")
	}
	if s.quirks.AnyOrder {
		slices.SortFunc(named, func(a, b namedPart) int { return a.number - b.number })
	}
	made := &object{by: id, many: true}
	last := 0
	for i, p := range named {
		have, found := m.parts[p.number]
		switch {
		case p.number <= last:
			return *s.refuse(400, "InvalidPartOrder", "the parts are not in order")
		case !found || p.etag != have.etag:
			return *s.refuse(400, "InvalidPart", "part "+strconv.Itoa(p.number)+" is not there, or is another")
		case p.checksum != "" && !s.quirks.NoChecksums && p.checksum != have.digest.Base64():
			return *s.refuse(400, s.quirks.PartSumCode, "part "+strconv.Itoa(p.number)+" has another checksum")
		case have.size < plan.MinPartSize && i < len(named)-1:
			return *s.refuse(400, "EntityTooSmall", "part "+strconv.Itoa(p.number)+" is too small")
		}
		last = p.number
		made.parts = append(made.parts, have.piece)
	}
	if want := o.get("x-amz-mp-object-size"); want != "" && !s.quirks.IgnoresSize && want != strconv.FormatInt(made.size(), 10) {
		return *s.refuse(400, "InvalidRequest", "the object has another size than x-amz-mp-object-size")
	}
	if taken {
		return *s.refuse(412, "PreconditionFailed", "there is an object")
	}
	made.etag = compositeETag(made)
	s.objects[o.at()] = made
	s.finished[id] = made.etag
	delete(s.uploads, id)
	if s.quirks.NoFirstETag {
		return s.completed(o, "")
	}
	return s.completed(o, made.etag)
}

func (s *store) completed(o op, etag string) s3api.Reply {
	return s.reply("CompleteMultipartUploadResult", text("Bucket", o.bucket)+text("Key", o.key)+text("ETag", etag))
}

// abortUpload: API_AbortMultipartUpload.html.
func (s *store) abortUpload(o op, id string) s3api.Reply {
	m := s.find(o, id)
	if m == nil && s.quirks.AbortsAgain {
		return s3api.Reply{Status: 204, RequestID: s.newID("r")}
	}
	if m == nil {
		return s.noSuchUpload()
	}
	if s.bug == bugHideAborted {
		m.at = "" // nobody finds it any more, and its parts are kept
		return s3api.Reply{Status: 204, RequestID: s.newID("r")}
	}
	delete(s.uploads, id)
	return s3api.Reply{Status: 204, RequestID: s.newID("r")}
}

func compositeETag(o *object) string {
	h := sha256.New()
	for _, p := range o.parts {
		h.Write(p.digest[:16])
	}
	return `"` + hex.EncodeToString(h.Sum(nil)[:16]) + "-" + strconv.Itoa(len(o.parts)) + `"`
}

// checksum is what HeadObject says in x-amz-checksum-sha256: of an object of
// parts, the SHA-256 of their SHA-256s and how many there are.
func (o *object) checksum() string {
	if !o.many {
		return o.parts[0].digest.Base64()
	}
	h := sha256.New()
	for _, p := range o.parts {
		h.Write(p.digest[:])
	}
	return s3api.Digest(h.Sum(nil)).Base64() + "-" + strconv.Itoa(len(o.parts))
}

type namedPart struct {
	number         int
	etag, checksum string
}

// namedParts reads a Complete's body.
func namedParts(body []byte) (named []namedPart, ok bool) {
	rest, ok := strings.CutPrefix(string(body), "<CompleteMultipartUpload")
	if !ok || !strings.HasSuffix(rest, "</CompleteMultipartUpload>") {
		return nil, false
	}
	for {
		_, after, more := strings.Cut(rest, "<Part>")
		if !more {
			return named, true
		}
		part, left, closed := strings.Cut(after, "</Part>")
		n, err := strconv.Atoi(inner(part, "PartNumber"))
		if !closed || err != nil {
			return nil, false
		}
		named = append(named, namedPart{n, inner(part, "ETag"), inner(part, "ChecksumSHA256")})
		rest = left
	}
}
