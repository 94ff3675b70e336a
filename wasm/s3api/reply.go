package s3api

import "time"

// Reply is what came back from the store: whatever of it the page may read.
// Headers that the bucket's CORS does not expose are empty.
type Reply struct {
	Status    int
	ETag      string // with its quotes
	RequestID string // x-amz-request-id
	Body      []byte
}

// Error is the store's refusal, in the store's words
// ("Error responses", AmazonS3/latest/API/ErrorResponses.html).
type Error struct {
	Status     int    // HTTP status; 200 for an error inside a 200 reply
	Code       string // "NoSuchUpload"; "" where the body had none
	Message    string
	RequestID  string
	ServerTime time.Time // from RequestTimeTooSkewed, else zero
}

func (e *Error) Error() string {
	code := e.Code
	if code == "" {
		code = "HTTP " + itoa(int64(e.Status))
	}
	if e.Message == "" {
		return "s3: " + code
	}
	return "s3: " + code + ": " + e.Message
}

// Check gives the error that the reply is, or nil.
func (r *Reply) Check() *Error {
	if r.Status >= 200 && r.Status < 300 {
		return nil
	}
	return r.asError()
}

func (r *Reply) asError() *Error {
	e := &Error{Status: r.Status, RequestID: r.RequestID}
	s := scanner{in: r.Body}
	for s.next() {
		switch s.path {
		case "/Error/Code":
			e.Code = s.text
		case "/Error/Message":
			e.Message = s.text
		case "/Error/RequestId":
			e.RequestID = s.text
		case "/Error/ServerTime":
			e.ServerTime, _ = ParseTime(s.text)
		}
	}
	if e.Code == "NoSuchKey" { // radosgw's word in ListParts; none of the calls here reads an object
		e.Code = "NoSuchUpload"
	}
	return e
}

// malformed is a reply with a good status and a body that does not say what it must.
func (r *Reply) malformed(what string) *Error {
	return &Error{Status: r.Status, Code: "MalformedReply", Message: what, RequestID: r.RequestID}
}

// Created reads CreateMultipartUpload's reply.
func (r *Reply) Created() (uploadID string, _ *Error) {
	if err := r.Check(); err != nil {
		return "", err
	}
	s := scanner{in: r.Body}
	for s.next() {
		if s.path == "/InitiateMultipartUploadResult/UploadId" {
			uploadID = s.text
		}
	}
	if uploadID == "" {
		return "", r.malformed("the store's reply to CreateMultipartUpload names no UploadId")
	}
	return uploadID, nil
}

// ListedPart is a part as the store has it.
type ListedPart struct {
	PartNumber int
	Size       int64
	ETag       string
	Checksum   Digest
	HasSum     bool // the store keeps SHA-256 checksums of parts and said this one's
}

// Listed reads one page of ListParts. next is the PartNumber to go on after,
// 0 on the last page.
func (r *Reply) Listed() (parts []ListedPart, next int, _ *Error) {
	if err := r.Check(); err != nil {
		return nil, 0, err
	}
	s := scanner{in: r.Body}
	var p ListedPart
	truncated, marker, seen := false, 0, false
	for s.next() {
		switch s.path {
		case "/ListPartsResult/Part/PartNumber":
			p.PartNumber = int(atoi(s.text))
		case "/ListPartsResult/Part/Size":
			p.Size = atoi(s.text)
		case "/ListPartsResult/Part/ETag":
			p.ETag = s.text
		case "/ListPartsResult/Part/ChecksumSHA256":
			p.Checksum, p.HasSum = ParseDigest(s.text)
		case "/ListPartsResult/Part":
			if p.PartNumber > 0 {
				parts = append(parts, p)
			}
			p = ListedPart{}
		case "/ListPartsResult/IsTruncated":
			truncated = s.text == "true"
		case "/ListPartsResult/NextPartNumberMarker":
			marker = int(atoi(s.text))
		case "/ListPartsResult":
			seen = true
		}
	}
	if !seen {
		return nil, 0, r.malformed("the store's reply to ListParts is cut short")
	}
	if truncated {
		next = marker
		if next == 0 && len(parts) > 0 {
			next = parts[len(parts)-1].PartNumber
		}
	}
	return parts, next, nil
}

// Completed reads CompleteMultipartUpload's reply. S3 answers 200 before it
// has done the work, so a 200 may hold an <Error>
// (AmazonS3/latest/API/API_CompleteMultipartUpload.html).
func (r *Reply) Completed() (etag string, _ *Error) {
	if err := r.Check(); err != nil {
		return "", err
	}
	s := scanner{in: r.Body}
	done := false
	for s.next() {
		switch s.path {
		case "/CompleteMultipartUploadResult/ETag":
			etag = s.text
		case "/CompleteMultipartUploadResult":
			done = true
		case "/Error":
			return "", r.asError()
		}
	}
	if !done {
		return "", r.malformed("the store's reply to CompleteMultipartUpload is cut short")
	}
	return etag, nil
}
