package devstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/s3err"
)

// maxFormFields is what the fields before the file may take, in bytes (AmazonS3/latest/API/sigv4-HTTPPOSTForms.html).
const maxFormFields = 20 << 10

// maxFormInMemory is up to which size a form's file is held in memory, in bytes.
const maxFormInMemory = 1 << 20

// badForm is a refusal of a form, with S3's code (AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList).
func badForm(status int, code, description string) error {
	return s3err.APIError{Code: code, Description: description, HTTPStatusCode: status}
}

var (
	errFormMalformed = badForm(http.StatusBadRequest, "MalformedPOSTRequest",
		"The body of your POST request is not well-formed multipart/form-data.")
	errFormFile = badForm(http.StatusBadRequest, "InvalidArgument",
		"POST requires exactly one file upload per request.")
	errFormTwice = badForm(http.StatusBadRequest, "InvalidArgument",
		"A field of your POST request is there twice; send it once.")
	errFormFields = badForm(http.StatusBadRequest, "MaxPostPreDataLengthExceededError",
		"Your POST request fields preceding the upload file were too large.")
	errFormLength = badForm(http.StatusLengthRequired, "MissingContentLength",
		"You must provide the Content-Length HTTP header.")
	errFormAuthorization = badForm(http.StatusBadRequest, "InvalidArgument",
		"Unsupported Authorization Type. A form carries its signature in its fields; send no Authorization header.")
)

// forms reads the forms that S3 takes, and writes each as the one that versitygw understands. fasthttp would parse a form
// before any handler sees it, and what it writes in its place has another length than the request's Content-Length: the
// file then counts as longer or shorter than it is (github.com/versity/versitygw, s3api/utils/multipart_reader.go).
// The zero value is ready for use.
type forms struct{ raw sync.Once }

// isForm reports whether a request is PostObject.
func isForm(c fiber.Ctx) bool {
	kind, _, err := mime.ParseMediaType(c.Get(fiber.HeaderContentType))
	return err == nil && kind == fiber.MIMEMultipartForm && c.Method() == fiber.MethodPost
}

// rewrite replaces the body of a form. release frees what the new body stands on, once the request has been handled. Other
// requests are left as they are. An error is an s3err.S3Error, or of reading the request.
func (f *forms) rewrite(c fiber.Ctx, keys formKeys) (release func(), err error) {
	// The store's own first request comes before any other: no form is parsed ahead.
	f.raw.Do(func() { c.App().Server().DisablePreParseMultipartForm = true })
	release = func() {}
	if !isForm(c) {
		return release, nil
	}
	switch {
	case c.Get(fiber.HeaderAuthorization) != "":
		return release, errFormAuthorization
	case c.Request().Header.ContentLength() < 0:
		return release, errFormLength
	}
	_, params, _ := mime.ParseMediaType(c.Get(fiber.HeaderContentType))
	var body io.Reader = c.Request().BodyStream()
	if c.Request().BodyStream() == nil {
		body = bytes.NewReader(c.BodyRaw())
	}
	head, file, err := readForm(body, params["boundary"], keys)
	if err != nil {
		return release, err
	}
	if file.unkept {
		drain(c)
		c.Response().SetConnectionClose() // the rest of the body is no request
	}
	tail := "\r\n--" + params["boundary"] + "--\r\n"
	c.Request().SetBodyStream(io.MultiReader(bytes.NewReader(head), file, strings.NewReader(tail)), len(head)+file.size+len(tail))
	return file.close, nil
}

// readForm reads a form to its end. head is its fields and what begins the file's content, as versitygw reads them.
// Fields that follow the file are ignored, as S3 ignores them.
func readForm(body io.Reader, boundary string, keys formKeys) (head []byte, file *formFile, err error) {
	end := &lastBytes{want: []byte("--" + boundary + "--\r\n")}
	parts := multipart.NewReader(io.TeeReader(body, end), boundary)
	var fields bytes.Buffer
	seen := map[string]string{}
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return nil, nil, errFormFile
		}
		if err != nil {
			return nil, nil, errFormMalformed
		}
		name := part.FormName()
		_, params, _ := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
		_, named := params["filename"]
		isFile := strings.EqualFold(name, "file")
		switch {
		case name == "":
			return nil, nil, errFormMalformed
		case named && !isFile:
			return nil, nil, errFormFile
		case has(seen, strings.ToLower(name)): // or the policy would count for one and the object get the other
			return nil, nil, errFormTwice
		}
		written := map[string]string{"name": name}
		if isFile {
			written["filename"] = "file"
		}
		fmt.Fprintf(&fields, "--%s\r\nContent-Disposition: %s\r\n\r\n", boundary, mime.FormatMediaType("form-data", written))
		if isFile {
			most, signed := keys.mostBytes(seen)
			if !signed {
				return fields.Bytes(), notKept(), nil
			}
			file, err := keepFile(part, most)
			if err != nil {
				return nil, nil, malformed(err)
			}
			if _, err := io.Copy(io.Discard, io.TeeReader(body, end)); err != nil || !end.seen() {
				file.close()
				return nil, nil, malformed(err)
			}
			return fields.Bytes(), file, nil
		}
		start := fields.Len()
		if _, err := io.Copy(&fields, io.LimitReader(part, maxFormFields+1)); err != nil {
			return nil, nil, malformed(err)
		}
		seen[strings.ToLower(name)] = string(fields.Bytes()[start:])
		if fields.Len() > maxFormFields {
			return nil, nil, errFormFields
		}
		fields.WriteString("\r\n")
	}
}

func has(fields map[string]string, name string) bool {
	_, there := fields[name]
	return there
}

// malformed is the refusal of a form that ends too early, and any other fault as it is.
func malformed(err error) error {
	if err == nil || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errFormMalformed
	}
	return err
}

// formFile is the content of a form's file, in memory or in a temporary file.
type formFile struct {
	io.Reader
	size   int
	temp   *os.File
	unkept bool
}

func (f *formFile) close() {
	if f.temp != nil {
		f.temp.Close()
	}
}

// keepFile keeps a content of at most so many bytes.
func keepFile(content io.Reader, most int64) (*formFile, error) {
	content = io.LimitReader(content, most+1)
	var memory bytes.Buffer
	n, err := io.CopyN(&memory, content, maxFormInMemory)
	if n > most {
		return nil, s3err.GetEntityTooLargeErr(n, most)
	}
	if err == io.EOF {
		return &formFile{Reader: &memory, size: int(n)}, nil
	}
	if err != nil {
		return nil, err
	}
	temp, err := os.CreateTemp("", "chunksign-form-")
	if err != nil {
		return nil, err
	}
	os.Remove(temp.Name()) // Unix keeps it while it is open; elsewhere the system's cleaning of temporary files does
	rest, err := io.Copy(temp, content)
	if err == nil && n+rest > most {
		err = s3err.GetEntityTooLargeErr(n+rest, most)
	}
	if err == nil {
		_, err = temp.Seek(0, io.SeekStart)
	}
	if err != nil {
		temp.Close()
		return nil, err
	}
	return &formFile{Reader: io.MultiReader(&memory, temp), size: int(n + rest), temp: temp}, nil
}

// lastBytes remembers whether what was written to it ends as wanted.
type lastBytes struct{ want, last []byte }

func (l *lastBytes) Write(p []byte) (int, error) {
	l.last = append(l.last, p[max(0, len(p)-len(l.want)):]...)
	l.last = l.last[max(0, len(l.last)-len(l.want)):]
	return len(p), nil
}

func (l *lastBytes) seen() bool { return bytes.Equal(l.last, l.want) }
