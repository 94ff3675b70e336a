package presign

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/wasm/sigv4"
)

// fieldNames are the form's words for what PutObject has as headers
// (AmazonS3/latest/API/RESTObjectPOST.html). Others have the header's name.
var fieldNames = map[string]string{
	"content-type": "Content-Type", "cache-control": "Cache-Control", "content-disposition": "Content-Disposition",
	"content-encoding": "Content-Encoding", "x-amz-acl": "acl",
}

// Form implements destination.RequestSigner. The policy has a condition for each
// field, exactly its value but of those to be filled in, and the size from itself to itself
// (AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html).
func (Presigner) Form(by destination.Session, f destination.StoreForm, now, until time.Time) (string, map[string]string, error) {
	signer := signer(by, f.Store)
	fields := map[string]string{
		"key":             f.Key,
		"x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-credential": signer.Credential(now), "x-amz-date": sigv4.Timestamp(now),
	}
	if fields["success_action_status"] = "201"; f.Status != 0 { // its reply has the ETag in XML
		fields["success_action_status"] = strconv.Itoa(f.Status)
	}
	if f.Redirect != "" {
		delete(fields, "success_action_status")
		fields["success_action_redirect"] = f.Redirect
	}
	for name, value := range f.Header {
		if field := fieldNames[name]; field != "" {
			name = field
		}
		fields[name] = value
	}
	if len(f.Tags) > 0 {
		var err error
		if fields["tagging"], err = tagging(f.Tags); err != nil {
			return "", nil, err
		}
	}
	if by.SessionToken != "" {
		fields["x-amz-security-token"] = by.SessionToken
	}
	conditions := []any{map[string]string{"bucket": f.Bucket}, []any{"content-length-range", f.Size, f.Size}}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		conditions = append(conditions, map[string]string{name: fields[name]})
	}
	document, err := policyText(map[string]any{"expiration": until.UTC().Format("2006-01-02T15:04:05.000Z"), "conditions": conditions})
	if err != nil {
		return "", nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(f.StartsWith)) {
		prefix, err := policyText(f.StartsWith[name])
		if err != nil {
			return "", nil, err
		}
		document = strings.Replace(document, `"conditions":[`, `"conditions":[["starts-with","$`+name+`",`+prefix+`],`, 1)
	}
	fields["policy"] = base64.StdEncoding.EncodeToString([]byte(document))
	fields["x-amz-signature"] = signer.SignPolicy(fields["policy"], now)

	scheme, host, path := address(f.Store, f.Bucket, "")
	if path != "/" {
		path = strings.TrimSuffix(path, "/")
	}
	return scheme + "://" + host + path, fields, nil
}

// policyText is JSON in which nothing begins a variable, as $ would.
func policyText(v any) (string, error) {
	text, err := json.Marshal(v)
	return strings.ReplaceAll(string(text), "$", `\u0024`), err
}

// tagging is a form's tags (AmazonS3/latest/API/API_PutObjectTagging.html).
func tagging(tags map[string]string) (string, error) {
	type tag struct{ Key, Value string }
	var t struct {
		XMLName xml.Name `xml:"Tagging"`
		TagSet  struct{ Tag []tag }
	}
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		t.TagSet.Tag = append(t.TagSet.Tag, tag{name, tags[name]})
	}
	text, err := xml.Marshal(t)
	return string(text), err
}
