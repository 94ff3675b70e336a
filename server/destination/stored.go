package destination

import (
	"cmp"
	"fmt"
	"maps"
	"mime"
	"slices"
	"strings"
	"time"
)

// Stored is what an object is kept with beside its bytes and its type, as
// HeadObject says it (AmazonS3/latest/API/API_HeadObject.html).
type Stored struct {
	CacheControl       string
	ContentDisposition string
	ContentEncoding    string
	ContentLanguage    string
	Expires            string            // as it was sent
	Metadata           map[string]string // x-amz-meta-, names in lower case
	HiddenMetadata     int               // how many more have names that are no headers' (x-amz-missing-meta)
	StorageClass       string            // "" for STANDARD
	KMSKeyID           string            // an ARN or the key's ID alone
	Tags               *int              // how many; nil where there are none, or the server may not know
	LegalHold          bool
}

// fitsKind are storage classes that a bucket's kind decides and not its requests.
var fitsKind = []string{"", "STANDARD", "EXPRESS_ONEZONE", "OUTPOSTS", "SNOW"}

// differs says in words how an object is stored otherwise than asked, "" for not
// at all. free is the metadata that a form's sender fills in, as its StartsWith.
// What an object's HEAD does not say (its ACL, the tags themselves) cannot
// differ, and what its destination leaves to the bucket (its encryption, a
// retention) does not.
func (o *Object) differs(asked ObjectSettings, free map[string]string, now time.Time) string {
	s := o.Stored
	for _, h := range []struct{ name, is, asked string }{
		{"Cache-Control", s.CacheControl, asked.CacheControl},
		{"Content-Disposition", s.ContentDisposition, asked.ContentDisposition},
		{"Content-Encoding", encodings(s.ContentEncoding), encodings(asked.ContentEncoding)},
		{"Content-Language", s.ContentLanguage, ""},
		{"Expires", s.Expires, ""},
	} {
		if folded(h.is) != folded(h.asked) {
			return otherwise("its "+h.name, h.is, h.asked)
		}
	}
	if what := differentMetadata(s.Metadata, asked.Metadata, free); what != "" {
		return what
	}
	switch n := len(asked.Tags); {
	case s.HiddenMetadata > len(free):
		return fmt.Sprintf("it has %d metadata that are no headers (x-amz-missing-meta), and the destination asks for none", s.HiddenMetadata)
	case s.Tags != nil && *s.Tags != n:
		return fmt.Sprintf("it has %d tags and the destination asks for %d", *s.Tags, n)
	case asked.Encryption != "" && o.Encryption != asked.Encryption:
		return otherwise("its encryption", o.Encryption, asked.Encryption)
	case asked.KMSKeyID != "" && !sameKMSKey(s.KMSKeyID, asked.KMSKeyID):
		return otherwise("its KMS key", s.KMSKeyID, asked.KMSKeyID)
	}
	// A lifecycle rule moves an object at the next midnight (UTC) at the earliest
	// (AmazonS3/latest/userguide/intro-lifecycle-rules.html). From then on its
	// class is not what it was stored with.
	if midnight := now.UTC().Truncate(24 * time.Hour); o.Modified.Before(midnight) {
		return ""
	}
	class, wanted := cmp.Or(s.StorageClass, "STANDARD"), cmp.Or(asked.StorageClass, "STANDARD")
	if class != wanted && (asked.StorageClass != "" || !slices.Contains(fitsKind, class)) {
		return otherwise("its storage class", class, wanted)
	}
	return ""
}

func otherwise(what, is, asked string) string {
	if asked == "" {
		return fmt.Sprintf("%s is %q and the destination asks for none", what, is)
	}
	return fmt.Sprintf("%s is %q and the destination asks for %q", what, is, asked)
}

func differentMetadata(is, asked, free map[string]string) string {
	lower := func(m map[string]string) map[string]string {
		all := make(map[string]string, len(m))
		for name, value := range m {
			all[strings.ToLower(name)] = value
		}
		return all
	}
	is, asked = lower(is), lower(asked)
	for _, name := range slices.Sorted(maps.Keys(is)) {
		value, ok := asked[name]
		prefix, filledIn := free["x-amz-meta-"+name]
		switch {
		case ok && folded(value) != folded(is[name]):
			return otherwise(fmt.Sprintf("its metadata %q", name), is[name], value)
		case ok || filledIn && strings.HasPrefix(decoded(is[name]), strings.TrimSpace(prefix)):
		case filledIn:
			return fmt.Sprintf("its metadata %q is %q, and is to begin with %q", name, is[name], prefix)
		default:
			return fmt.Sprintf("it has the metadata %q, and the destination asks for none of that name", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		// Some stores keep none that is empty.
		if _, ok := is[name]; !ok && asked[name] != "" {
			return fmt.Sprintf("it lacks the metadata %q, which the destination asks for", name)
		}
	}
	return ""
}

// decoded is a value as it was sent: stores answer what is not ASCII in encoded
// words (RFC 2047; AmazonS3/latest/userguide/UsingMetadata.html).
func decoded(value string) string {
	if text, err := new(mime.WordDecoder).DecodeHeader(value); err == nil {
		return text
	}
	return value
}

// folded is a header's value without the white space that gateways rewrite: at
// its ends, beside separators, and several in place of one.
func folded(value string) string {
	value = strings.Join(strings.Fields(value), " ")
	for _, separator := range []string{",", ";", "="} {
		value = strings.ReplaceAll(value, " "+separator, separator)
		value = strings.ReplaceAll(value, separator+" ", separator)
	}
	return value
}

// encodings are the content codings of a Content-Encoding, whose names have no
// case (RFC 9110, section 8.4.1), without aws-chunked: that is how the body was
// sent, and not every store takes it off
// (AmazonS3/latest/API/sigv4-streaming.html).
func encodings(value string) string {
	codings := strings.Split(strings.ToLower(value), ",")
	for i := range codings {
		codings[i] = strings.TrimSpace(codings[i])
	}
	return strings.Join(slices.DeleteFunc(codings, func(c string) bool { return c == "" || c == "aws-chunked" }), ",")
}

// sameKMSKey compares a key as a store names it with a key's ARN. AWS answers the
// ARN, MinIO arn:aws:kms:ID, and radosgw what it was sent.
func sameKMSKey(is, arn string) bool {
	if is == arn {
		return true
	}
	if strings.Count(is, ":") > 3 { // a whole ARN, of another account, region or key
		return false
	}
	id := func(key string) string { return key[strings.LastIndexAny(key, ":/")+1:] }
	return id(is) != "" && id(is) == id(arn)
}
