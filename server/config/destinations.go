package config

import (
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/chunksign/chunksign/server/destination"
)

// What durations are unless the file says otherwise, and what they may be. A
// session's are STS's own (STS/latest/APIReference/API_AssumeRole.html).
const (
	defaultDuration, minDuration, maxDuration = 15 * time.Minute, 15 * time.Minute, 12 * time.Hour

	defaultGrantDuration, maxGrantDuration = 7 * 24 * time.Hour, 30 * 24 * time.Hour
)

var (
	destinationName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)
	// AmazonS3/latest/userguide/bucketnamingrules.html
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	kmsKeyARN  = regexp.MustCompile(`^arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+$`)
	metaName   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,127}$`)
	// AmazonS3/latest/userguide/object-tagging.html
	tagText = regexp.MustCompile(`^[\p{L}\p{N} +\-=._:/@]*$`)
)

// Values of AmazonS3/latest/API/API_PutObject.html.
var (
	acls           = []string{"private", "public-read", "public-read-write", "authenticated-read", "aws-exec-read", "bucket-owner-read", "bucket-owner-full-control"}
	storageClasses = []string{"STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE", "OUTPOSTS", "GLACIER_IR", "SNOW", "EXPRESS_ONEZONE"}
	encryptions    = []string{"AES256", "aws:kms", "aws:kms:dsse"}
)

func (d *document) destinations(root *object, c *Config, stores map[string]*store) {
	n := root.fields["destinations"]
	if n == nil {
		if !root.broken {
			d.mistake(root.node, "the file has no destinations; write destinations: { photos: { store: …, bucket: …, key: … } }")
		}
		return
	}
	all := d.object(n, "destinations")
	for _, name := range all.keys {
		if !destinationName.MatchString(name) {
			d.mistake(all.names[name], "the destination's name %q is not 1 to 64 letters, digits, - or _; rename it", name)
		}
		c.Destinations = append(c.Destinations, d.destination(all.fields[name], name, stores))
	}
	if len(all.keys) == 0 && !all.broken {
		d.mistake(n, "destinations has none; write photos: { store: …, bucket: …, key: … }")
	}
}

func (d *document) destination(n *yaml.Node, name string, stores map[string]*store) *destination.Destination {
	o := d.object(n, "the destination "+name,
		"store", "bucket", "key", "content_types", "content_length", "scope", "duration", "grant_duration", "overwrite", "read",
		"acl", "cache_control", "content_disposition", "content_encoding", "metadata", "tags", "storage_class",
		"server_side_encryption", "kms_key_id")
	dst := &destination.Destination{Name: name, Bucket: o.required("bucket", "my-media")}
	otherwise := defaultDuration
	if v := o.required("store", "media"); v != "" {
		if s := stores[v]; s != nil {
			dst.Store, otherwise = &s.Store, s.duration
		} else {
			o.mistake("store", "there is no store %q; write one of those under stores", v)
		}
	}
	if dst.Bucket != "" && (!bucketName.MatchString(dst.Bucket) || strings.Contains(dst.Bucket, "..")) {
		o.mistake("bucket", "bucket is %q; write a bucket's name: 3 to 63 of a-z, 0-9, . and -", dst.Bucket)
	}
	dst.Scope = destination.Scope(o.oneOf("scope", string(destination.ScopeObject), string(destination.ScopeObject), string(destination.ScopePrefix)))
	if v := o.required("key", `"uploads/{user}/{uuid}/{filename}"`); v != "" {
		var err error
		if dst.Key, err = destination.ParseTemplate(v); err != nil {
			o.mistake("key", "%v", err)
		} else if dst.Scope == destination.ScopePrefix {
			if err := dst.Key.CheckPrefix(); err != nil {
				o.mistake("scope", "%v", err)
			}
		}
	}
	for _, item := range o.list("content_types") {
		if err := destination.CheckTypeGlob(item.Value); err != nil {
			d.mistake(item, "%v", err)
		}
		dst.ContentTypes = append(dst.ContentTypes, item.Value)
	}
	if v := o.required("content_length", "1B..50MiB"); v != "" {
		var err error
		if dst.MinSize, dst.MaxSize, err = destination.ParseSizeRange(v); err != nil {
			o.mistake("content_length", "%v", err)
		}
	}
	dst.Duration = o.duration("duration", otherwise, minDuration, maxDuration)
	dst.GrantDuration = o.duration("grant_duration", max(defaultGrantDuration, dst.Duration), dst.Duration, maxGrantDuration)
	dst.Overwrite = o.flag("overwrite")
	dst.ReadOwner = o.oneOf("read", "none", "none", "owner") == "owner"
	if dst.ReadOwner && dst.Key.String() != "" && !dst.Key.Unique() && !dst.Key.PerUser() {
		o.mistake("read", "read: owner needs a key that others cannot have too; put {uuid} into it, or {user} as a whole segment")
	}
	dst.Object = d.settings(o)
	return dst
}

// settings reads what the objects are stored with.
func (d *document) settings(o *object) destination.ObjectSettings {
	s := destination.ObjectSettings{
		ACL:                o.oneOf("acl", "", acls...),
		CacheControl:       o.header("cache_control"),
		ContentDisposition: o.header("content_disposition"),
		ContentEncoding:    o.header("content_encoding"),
		StorageClass:       o.oneOf("storage_class", "", storageClasses...),
		Encryption:         o.oneOf("server_side_encryption", "", encryptions...),
		KMSKeyID:           o.text("kms_key_id"),
	}
	if s.KMSKeyID != "" {
		if !kmsKeyARN.MatchString(s.KMSKeyID) {
			o.mistake("kms_key_id", "kms_key_id is %q; write the key's ARN, such as arn:aws:kms:eu-west-1:123456789012:key/…, for the session policy needs it", s.KMSKeyID)
		}
		if !strings.HasPrefix(s.Encryption, "aws:kms") {
			o.mistake("kms_key_id", "kms_key_id is there without server_side_encryption: aws:kms; write that too")
		}
	}
	var names []string
	if s.Metadata, names = o.texts("metadata"); len(s.Metadata) > 0 {
		for _, k := range names {
			if !metaName.MatchString(k) || !isHeaderValue(s.Metadata[k]) {
				o.mistake("metadata", "the metadata %q cannot be sent as a header; write names of a-z, 0-9 and -, and values in printable ASCII", k)
			}
		}
	}
	if s.Tags, names = o.texts("tags"); len(s.Tags) > 10 {
		o.mistake("tags", "there are %d tags; S3 takes ten", len(s.Tags))
	}
	for _, k := range names {
		if k == "" || len(k) > 128 || len(s.Tags[k]) > 256 || !tagText.MatchString(k) || !tagText.MatchString(s.Tags[k]) {
			o.mistake("tags", "the tag %q is not one that S3 takes; write letters, digits, spaces and + - = . _ : / @, up to 128 for its name and 256 for its value", k)
		}
	}
	return s
}

func (o *object) header(name string) string {
	v := o.text(name)
	if !isHeaderValue(v) {
		o.mistake(name, "%s holds what a header cannot; write printable ASCII", name)
	}
	return v
}

func isHeaderValue(s string) bool {
	return strings.Trim(s, " ") == s && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
