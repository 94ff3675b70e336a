package devstore

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"unicode/utf8"

	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
)

// What of a request may become part of a file's path. versitygw's posix backend joins bucket, key, upload ID and version
// ID into paths and, in 1.8.0, checks of these the bucket and the key only. Each rule here takes the form that S3 allows or
// that the backend itself makes, and returns what the store answers to any other.

const (
	maxKey = 1024 // bytes, S3's limit for a key; no other name is longer
	// attributesDir is the folder in the side-car that holds the attributes of the object, or the bucket, it lies in.
	attributesDir = "meta"
)

var (
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	// uploadIDForm is what posix.CreateMultipartUpload makes: a random UUID, RFC 9562's version 4.
	uploadIDForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	// uploadIDChars are the characters of upload IDs at any store: see destination.CheckUploadID.
	uploadIDChars = regexp.MustCompile(`^[A-Za-z0-9._~+=-]*$`)
	// versionIDForm is a ULID. versitygw's own parser takes any 26 bytes.
	versionIDForm  = regexp.MustCompile(`^(null|[0-7][0-9A-HJKMNP-TV-Z]{25})?$`)
	partNumberForm = regexp.MustCompile(`^[1-9][0-9]{0,4}$`)
	markerForm     = regexp.MustCompile(`^[0-9]{0,5}$`)
	copyRangeForm  = regexp.MustCompile(`^bytes=[0-9]{1,19}-[0-9]{0,19}$`)
)

// invalid is S3's InvalidArgument. The message holds no value that was sent.
func invalid(field, format string, args ...any) error {
	return s3err.APIError{
		Code: "InvalidArgument", HTTPStatusCode: http.StatusBadRequest, Description: field + ": " + fmt.Sprintf(format, args...),
	}
}

func checkBucket(name string) error {
	if !bucketName.MatchString(name) || strings.Contains(name, "..") {
		return s3err.GetBucketErr(s3err.ErrInvalidBucketName, name)
	}
	return nil
}

// names are the rules that depend on how the store keeps its files.
type names struct {
	sideCar bool // attributes lie in a folder beside the objects, under the objects' names
}

// checkKey accepts the keys that are files of their own below their bucket's folder: different keys, different paths.
// A key may end in one slash: S3's consoles make folders so.
func (n names) checkKey(field, key string) error {
	if err := n.checkSegments(field, strings.TrimSuffix(key, "/")); err != nil {
		return err
	}
	if strings.HasSuffix(key, "//") || key == "" || key == "/" {
		return invalid(field, "an empty segment; the embedded store keeps objects as files, so give every segment a name")
	}
	return nil
}

// checkPrefix is checkKey for what keys begin with, or are listed after: its last segment may be incomplete.
func (n names) checkPrefix(field, prefix string) error {
	end := strings.LastIndexByte(prefix, '/')
	if err := checkText(field, prefix); err != nil || end < 0 {
		return err
	}
	return n.checkSegments(field, prefix[:end])
}

func (n names) checkSegments(field, key string) error {
	if err := checkText(field, key); err != nil {
		return err
	}
	for segment := range strings.SplitSeq(key, "/") {
		switch {
		case segment == "":
			return invalid(field, "an empty segment; the embedded store keeps objects as files, so give every segment a name")
		case segment == "." || segment == "..":
			return invalid(field, "a segment is . or ..; S3's keys are no paths, so write the key itself")
		// The backend's own folder. Some file systems do not tell cases apart.
		case strings.EqualFold(segment, posix.MetaTmpDir):
			return invalid(field, "a segment is %s, the embedded store's own folder; use another name", posix.MetaTmpDir)
		case n.sideCar && strings.EqualFold(segment, attributesDir):
			return invalid(field, "a segment is %q, which the embedded store needs on a file system without extended attributes", attributesDir)
		case runtime.GOOS == "windows" && !plainOnWindows(segment):
			return invalid(field, "a segment is no file name on Windows; use another name")
		}
	}
	return nil
}

// plainOnWindows reports whether Windows makes of a segment one file of that name: no separator, drive, stream or
// wildcard, nothing that it strips.
func plainOnWindows(segment string) bool {
	return !strings.ContainsAny(segment, `\:*?"<>|`) && !strings.HasSuffix(segment, ".") && !strings.HasSuffix(segment, " ")
}

// checkText refuses what no file system takes, or two decoders could read differently.
func checkText(field, value string) error {
	switch {
	case len(value) > maxKey:
		return s3err.GetKeyTooLongErr(int64(len(value)), maxKey)
	case !utf8.ValidString(value):
		return invalid(field, "not valid UTF-8")
	case strings.ContainsRune(value, 0):
		return invalid(field, "holds a NUL")
	}
	return nil
}

// checkUploadID accepts only what the backend makes. S3's answer to any other is that there is no such upload.
func checkUploadID(id string) error {
	if !uploadIDForm.MatchString(id) {
		return s3err.GetNoSuchUploadErr(printable(id))
	}
	return nil
}

// plausibleUploadID reports whether some store could give an upload ID. None: the gateway judges what is empty.
func plausibleUploadID(id string) bool {
	return len(id) <= maxKey && uploadIDChars.MatchString(id) && (id == "" || strings.Trim(id, ".") != "")
}

// printable is a value that may stand in a reply: a hostile one is left out.
func printable(id string) string {
	if plausibleUploadID(id) {
		return id
	}
	return ""
}

func checkVersionID(field, id string) error {
	if !versionIDForm.MatchString(id) {
		return invalid(field, "not a version ID; send it as the store gave it")
	}
	return nil
}

// checkCopySource reads x-amz-copy-source as the gateway does (backend.ParseCopySource): [/]bucket/key[?versionId=ID],
// all of it percent-encoded.
func (n names) checkCopySource(value string) error {
	const field = "x-amz-copy-source"
	decoded, err := url.QueryUnescape(strings.TrimPrefix(value, "/"))
	if err != nil {
		return invalid(field, "not percent-encoded; write bucket/key, each segment encoded")
	}
	source, version, versioned := strings.Cut(decoded, "?versionId=")
	bucket, key, _ := strings.Cut(source, "/")
	if versioned && version == "" {
		return invalid(field, "versionId is empty; leave it out")
	}
	if err := checkBucket(bucket); err != nil {
		return err
	}
	if err := n.checkKey(field, key); err != nil {
		return err
	}
	return checkVersionID(field, version)
}
