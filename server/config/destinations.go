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

const anyType = "any" // in place of a list of content types

var (
	name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`) // of a store and of a destination
	// AmazonS3/latest/userguide/bucketnamingrules.html
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	kmsKeyARN  = regexp.MustCompile(`^arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+$`)
	metaName   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,127}$`)
	// AmazonS3/latest/userguide/object-tagging.html
	tagText = regexp.MustCompile(`^[\p{L}\p{N} +\-=._:/@]*$`)
)

func (d *document) destinations(root *object, c *Config, stores map[string]*store) {
	n := root.fields["destinations"]
	if n == nil {
		if !root.broken {
			d.mistake(root.node, "the file has no destinations; write destinations: { photos: { store: …, bucket: …, key: … } }")
		}
		return
	}
	defaults, limits := d.defaults(root), root.bounds(bounds{})
	all := d.object(n, "destinations", nil)
	for _, key := range all.keys {
		if !name.MatchString(key) {
			d.mistake(all.names[key], "the destination's name %q is not 1 to 64 letters, digits, - or _; rename it", key)
		}
		c.Destinations = append(c.Destinations, d.destination(all.fields[key], key, stores, defaults, limits, c.Auth.Anonymous))
	}
	if len(all.keys) == 0 && !all.broken {
		d.mistake(n, "destinations has none; write photos: { store: …, bucket: …, key: … }")
	}
}

func (d *document) destination(n *yaml.Node, name string, stores map[string]*store, defaults *object, limits bounds, anonymous bool) *destination.Destination {
	before := d.wrong
	o := d.objectOver(n, "the destination "+name, &destinationOptions, defaults)
	o.inherit()
	limits = o.bounds(limits)
	dst := &destination.Destination{Name: name, Bucket: o.required("bucket", "my-media")}
	otherwise := defaultDuration
	var at *store
	if v := o.required("store", "media"); v != "" {
		if at = stores[v]; at != nil {
			dst.Store, otherwise = &at.Store, at.duration
		} else {
			o.mistake("store", "there is no store %q; write one of those under stores", v)
		}
	}
	if dst.Bucket != "" && (!bucketName.MatchString(dst.Bucket) || strings.Contains(dst.Bucket, "..")) {
		o.mistake("bucket", "bucket is %q; write a bucket's name: 3 to 63 of a-z, 0-9, . and -", dst.Bucket)
	}
	dst.Scope = destination.Scope(o.oneOf("scope", string(destination.ScopeObject)))
	if v := o.required("key", `"uploads/{user}/{uuid}/{filename}"`); v != "" {
		var err error
		if dst.Key, err = destination.ParseTemplate(v); err != nil {
			o.mistake("key", "%v", err)
		} else if dst.Scope.Prefix() {
			if err := dst.CheckPrefix(); err != nil {
				o.mistake("scope", "%v", err)
			}
		}
	}
	dst.Presigned = o.oneOf("signing", "session") == "presigned"
	if s := dst.Store; s != nil && s.STS.RoleARN == "" && !dst.Presigned && !stores[s.Name].broken {
		o.mistake("store", "the store %s has no sts, so that there are no sessions for pages; write signing: presigned here, or sts: { role_arn: … } there", s.Name)
	}
	dst.Allow = d.rule(o, "allow")
	dst.Rate = o.rate("rate")
	if anonymous {
		o.forAnybody(dst)
	}
	d.contentTypes(o, dst)
	if v := o.required("content_length", "1B..50MiB"); v != "" {
		var err error
		if dst.MinSize, dst.MaxSize, err = destination.ParseSizeRange(v); err != nil {
			o.mistake("content_length", "%v", err)
		}
	}
	dst.Duration = o.duration("duration", otherwise, minDuration, maxDuration)
	dst.GrantDuration = o.duration("grant_duration", max(defaultGrantDuration, dst.Duration), dst.Duration, maxGrantDuration)
	dst.Overwrite = o.flag("overwrite")
	if dst.Overwrite && dst.Key.String() != "" && !dst.Key.Unique() && !dst.Key.PerPrincipal() {
		const text = "overwrite is true and key has nothing of the user, so that everybody who may upload to %s can replace the objects of all others; put {user} into key as a whole segment, or leave overwrite out"
		if anonymous {
			o.mistake("overwrite", strings.Replace(text, "{user}", "{uuid}", 1), name)
		} else {
			d.warn(o.at("overwrite"), text, name)
		}
	}
	dst.ReadOwner = o.oneOf("read", "none") == "owner"
	if dst.ReadOwner && dst.Key.String() != "" && !dst.Key.Unique() && !dst.Key.PerUser() {
		o.mistake("read", "read: owner needs a key that others cannot have too; put {uuid} into it, or {user} as a whole segment")
	}
	dst.Existence = o.flag("existence_optimization")
	if dst.Existence && dst.Key.Unique() {
		o.mistake("existence_optimization", "existence_optimization looks for the same file at the same key, and with {uuid} or {ulid} in it each upload has a key of its own; take these out of key, or leave existence_optimization out")
	}
	if o.fields["duration"] != nil && at != nil {
		d.chaining(o.fields["duration"], at, dst.Duration > destination.MaxChained)
	}
	dst.Checksum = o.oneOf("checksum", "")
	dst.Object = d.settings(o)
	d.compat(o, dst)
	d.conditions(o, dst)
	o.within(limits, dst)
	d.verify(o, dst)
	dst.Webhook = d.webhook(o)
	if d.wrong == before {
		d.budget(o, dst)
	}
	return dst
}

// contentTypes reads which types are taken: a list of them, or the word any.
func (d *document) contentTypes(o *object, dst *destination.Destination) {
	n := o.fields["content_types"]
	if n != nil && n.Kind == yaml.ScalarNode && n.Value == anyType {
		return
	}
	items := o.list("content_types")
	for _, item := range items {
		switch err := destination.CheckTypeGlob(item.Value); {
		case item.Value == anyType && len(n.Content) == 1:
			return
		case item.Value == anyType:
			d.mistake(item, "content_types has any beside other types; keep the types")
		case err != nil:
			d.mistake(item, "%v", err)
		}
		dst.ContentTypes = append(dst.ContentTypes, item.Value)
	}
}

func (o *object) rate(name string) destination.Rate {
	v := o.text(name)
	if v == "" {
		return destination.Rate{}
	}
	r, err := destination.ParseRate(v)
	if err != nil {
		o.mistake(name, "%v", err)
	}
	return r
}

// forAnybody holds a destination against what goes without sign-in.
func (o *object) forAnybody(dst *destination.Destination) {
	if o.fields["rate"] == nil && !o.broken {
		o.mistake("rate", "%s has no rate, and with auth: anonymous anybody may ask without end; write such as rate: 30/m", o.name)
	}
	if dst.Key.PerPrincipal() {
		o.mistake("key", "key has {user} or {claims.NAME}, and with auth: anonymous these are nobody's; take them out, and put {uuid} in")
	}
	if dst.Scope == destination.ScopeShared {
		o.mistake("scope", "scope is shared, and with auth: anonymous anybody could replace all that is there; write scope: object")
	}
}

// settings reads what the objects are stored with.
func (d *document) settings(o *object) destination.ObjectSettings {
	s := destination.ObjectSettings{
		ACL:                o.oneOf("acl", ""),
		CacheControl:       o.header("cache_control"),
		ContentDisposition: o.disposition(),
		ContentEncoding:    o.header("content_encoding"),
		StorageClass:       o.oneOf("storage_class", ""),
		Encryption:         o.oneOf("server_side_encryption", ""),
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

func (o *object) disposition() string {
	v := o.header("content_disposition")
	if !destination.CheckDisposition(v) {
		o.mistake("content_disposition", "content_disposition has a placeholder that is not the whole of filename; "+
			`write attachment; filename="{filename}"`)
	}
	return v
}

func isHeaderValue(s string) bool {
	return strings.Trim(s, " ") == s && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
