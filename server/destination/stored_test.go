package destination

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"
)

const kmsKey = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// asked is a destination's settings, and fits an object that has them.
func asked() ObjectSettings {
	return ObjectSettings{
		ACL: "private", CacheControl: "public, max-age=60", ContentDisposition: `attachment; filename="A b.txt"`, ContentEncoding: "gzip",
		StorageClass: "STANDARD_IA", Encryption: "aws:kms", KMSKeyID: kmsKey, Metadata: map[string]string{"app": "gallery", "none": ""}, Tags: map[string]string{"a": "b", "c": "d"},
	}
}

func fits() *Object {
	two := 2
	return &Object{Size: 10, Type: "image/png", ETag: "new", Modified: noon, Encryption: "aws:kms", Stored: Stored{
		CacheControl: "public, max-age=60", ContentDisposition: `attachment; filename="A b.txt"`, ContentEncoding: "gzip",
		StorageClass: "STANDARD_IA", KMSKeyID: kmsKey, Metadata: map[string]string{"app": "gallery", "none": ""}, Tags: &two,
	}}
}

func TestWhatIsStoredOtherwiseThanAsked(t *testing.T) {
	set := func(name, value string) func(*Object) {
		return func(o *Object) { o.Stored.Metadata = maps.Clone(o.Stored.Metadata); o.Stored.Metadata[name] = value }
	}
	tags := func(n int) func(*Object) { return func(o *Object) { o.Stored.Tags = &n } }
	for name, c := range map[string]struct {
		change func(*Object)
		says   string // "" where it fits
	}{
		"as asked":                  {func(*Object) {}, ""},
		"another Cache-Control":     {func(o *Object) { o.Stored.CacheControl = "public, max-age=61" }, "its Cache-Control is"},
		"no Cache-Control":          {func(o *Object) { o.Stored.CacheControl = "" }, "its Cache-Control is"},
		"other white space":         {func(o *Object) { o.Stored.CacheControl = " public,max-age = 60 " }, ""},
		"another file name":         {func(o *Object) { o.Stored.ContentDisposition = `attachment; filename="a b.txt"` }, "its Content-Disposition is"},
		"inline":                    {func(o *Object) { o.Stored.ContentDisposition = "inline" }, "its Content-Disposition is"},
		"no coding":                 {func(o *Object) { o.Stored.ContentEncoding = "" }, "its Content-Encoding is"},
		"a further coding":          {func(o *Object) { o.Stored.ContentEncoding = "gzip, br" }, "its Content-Encoding is"},
		"aws-chunked beside it":     {func(o *Object) { o.Stored.ContentEncoding = "aws-chunked,GZIP" }, ""},
		"a language":                {func(o *Object) { o.Stored.ContentLanguage = "de" }, "its Content-Language is"},
		"an expiry":                 {func(o *Object) { o.Stored.Expires = "0" }, "its Expires is"},
		"other metadata":            {set("app", "mallory"), `its metadata "app" is`},
		"further metadata":          {set("role", "admin"), `it has the metadata "role"`},
		"further, empty metadata":   {set("role", ""), `it has the metadata "role"`},
		"no metadata":               {func(o *Object) { o.Stored.Metadata = nil }, `it lacks the metadata "app"`},
		"no empty metadata":         {func(o *Object) { o.Stored.Metadata = map[string]string{"app": "gallery"} }, ""},
		"names in capitals":         {func(o *Object) { o.Stored.Metadata = map[string]string{"App": "gallery"} }, ""},
		"metadata that is hidden":   {func(o *Object) { o.Stored.HiddenMetadata = 1 }, "it has 1 metadata that are no headers"},
		"another class":             {func(o *Object) { o.Stored.StorageClass = "GLACIER" }, "its storage class is"},
		"no class":                  {func(o *Object) { o.Stored.StorageClass = "" }, "its storage class is"},
		"moved by a lifecycle rule": {func(o *Object) { o.Stored.StorageClass, o.Modified = "GLACIER", noon.Add(-13*time.Hour) }, ""},
		"a tag less":                {tags(1), "it has 1 tags"},
		"a tag more":                {tags(3), "it has 3 tags"},
		"tags that nobody may see":  {func(o *Object) { o.Stored.Tags = nil }, ""},
		"another encryption":        {func(o *Object) { o.Encryption = "AES256" }, "its encryption is"},
		"no encryption":             {func(o *Object) { o.Encryption = "" }, "its encryption is"},
		"another key":               {func(o *Object) { o.Stored.KMSKeyID = strings.Replace(kmsKey, "abcd", "dcba", 1) }, "its KMS key is"},
		"another account's key":     {func(o *Object) { o.Stored.KMSKeyID = strings.Replace(kmsKey, "123456789012", "210987654321", 1) }, "its KMS key is"},
		"no key":                    {func(o *Object) { o.Stored.KMSKeyID = "" }, "its KMS key is"},
		"the key's ID alone":        {func(o *Object) { o.Stored.KMSKeyID = kmsKey[strings.LastIndex(kmsKey, "/")+1:] }, ""},
		"the key as MinIO names it": {func(o *Object) { o.Stored.KMSKeyID = "arn:aws:kms:" + kmsKey[strings.LastIndex(kmsKey, "/")+1:] }, ""},
		"a legal hold":              {func(o *Object) { o.Stored.LegalHold = true }, "it has a legal hold"},
		"a redirect":                {func(o *Object) { o.Redirect = "https://evil.example" }, "it sends who reads it elsewhere"},
		"another type":              {func(o *Object) { o.Type = "text/html" }, "its type is"},
	} {
		b := newBench(t, "{uuid}")
		b.d.Object = asked()
		u := b.granted(t)
		o := fits()
		c.change(o)
		b.shelf.objects[u.Grant.Key] = o
		_, link := b.Download(context.Background(), alice, "photos", u.Token, ReadAs{}, 0)
		_, err := b.Complete(context.Background(), alice, u.Token, Reported{ETag: "new"})
		for what, err := range map[string]error{"a link": link, "complete": err} {
			if c.says == "" && err != nil || c.says != "" && (codeOf(err) != ObjectRefused || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%s, %s: %v; want one that says %q", name, what, err, c.says)
			}
		}
		if removed := len(b.shelf.removed) > 0; removed != (c.says != "") {
			t.Errorf("%s: removed is %v", name, removed)
		}
	}
}

// Where a destination asks for nothing its objects have nothing, but what the
// bucket decides.
func TestWhatIsStoredUnasked(t *testing.T) {
	one, none := 1, 0
	for name, c := range map[string]struct {
		object Object
		fits   bool
	}{
		"nothing":                 {Object{}, true},
		"no tags":                 {Object{Stored: Stored{Tags: &none}}, true},
		"the class STANDARD":      {Object{Stored: Stored{StorageClass: "STANDARD"}}, true},
		"a directory bucket's":    {Object{Stored: Stored{StorageClass: "EXPRESS_ONEZONE"}}, true},
		"the bucket's encryption": {Object{Encryption: "aws:kms", Stored: Stored{KMSKeyID: kmsKey}}, true},
		"sent in chunks":          {Object{Stored: Stored{ContentEncoding: "aws-chunked"}}, true},
		"a charset in capitals":   {Object{Type: "image/png; charset=UTF-8"}, false},
		"a tag":                   {Object{Stored: Stored{Tags: &one}}, false},
		"another class":           {Object{Stored: Stored{StorageClass: "REDUCED_REDUNDANCY"}}, false},
		"caching":                 {Object{Stored: Stored{CacheControl: "no-cache"}}, false},
		"metadata":                {Object{Stored: Stored{Metadata: map[string]string{"a": "b"}}}, false},
	} {
		o := c.object
		o.Size, o.Modified = 10, noon
		if o.Type == "" {
			o.Type = "image/png"
		}
		b := newBench(t, "{uuid}")
		if flaw := (Grant{Size: 10, Type: "image/png"}).flaw(b.d, &o, noon); (flaw == "") != c.fits {
			t.Errorf("%s: %q", name, flaw)
		}
		b.d.Object.Unverified = true
		if flaw := (Grant{Size: 10, Type: o.Type}).flaw(b.d, &o, noon); flaw != "" {
			t.Errorf("%s, not verified: %q", name, flaw)
		}
	}
	if !sameType("text/plain; charset=UTF-8", "text/plain;charset=utf-8") || sameType("text/plain; charset=UTF-8", "text/plain; charset=utf-16") {
		t.Error("charsets are not compared without their case")
	}
}

// A new configuration takes no upload from who has begun under the old, and gives none to who has not.
func TestSettingsThatChange(t *testing.T) {
	for name, c := range map[string]struct {
		then, now, stored string
		fits              bool
	}{
		"as the grant said":   {"max-age=1", "max-age=2", "max-age=1", true},
		"as is said today":    {"max-age=1", "max-age=2", "max-age=2", true},
		"as nobody said":      {"max-age=1", "max-age=2", "max-age=3", false},
		"nothing, as granted": {"", "max-age=2", "", true},
		"nothing, as today":   {"max-age=1", "", "", true},
		"never nothing":       {"max-age=1", "max-age=2", "", false},
	} {
		b := newBench(t, "{uuid}")
		b.d.Object.CacheControl = c.then
		u := b.granted(t)
		changed := *b.d
		changed.Object.CacheControl = c.now
		b.Destinations[0] = &changed
		b.shelf.objects[u.Grant.Key] = &Object{Size: 10, Type: "image/png", ETag: "new", Stored: Stored{CacheControl: c.stored}}
		if _, err := b.Complete(context.Background(), alice, u.Token, Reported{}); (err == nil) != c.fits {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A form's sender fills in the metadata that it was made for, and no other.
func TestMetadataThatAFormFillsIn(t *testing.T) {
	for value, fits := range map[string]bool{"Mr X": true, "Mr": true, "=?UTF-8?B?TXIgw4k=?=": true, "Ms X": false, "": false} {
		b := newBench(t, "{uuid}")
		b.Signer = &pen{}
		form, err := b.PresignForm(context.Background(), alice, "photos", cat, "", 0, Form{StartsWith: map[string]string{"x-amz-meta-who": "Mr "}})
		if err != nil {
			t.Fatal(err)
		}
		o := &Object{Size: 10, Type: "image/png", ETag: "new", Stored: Stored{Metadata: map[string]string{"who": value}}}
		b.shelf.objects[form.Grant.Key] = o
		if _, err := b.Complete(context.Background(), alice, form.Token, Reported{}); (err == nil) != fits {
			t.Errorf("%q: %v", value, err)
		}
		o.Stored.Metadata = map[string]string{"who": "Mr X", "what": "Mr X"}
		b.shelf.objects[form.Grant.Key] = o
		if _, err := b.Complete(context.Background(), alice, form.Token, Reported{}); codeOf(err) != ObjectRefused {
			t.Errorf("further metadata: %v", err)
		}
	}
}

func TestNoLinkToAnObjectOfBefore(t *testing.T) {
	for name, c := range map[string]struct {
		etag string
		at   time.Time
		code Code
	}{
		"the object from before": {"old", noon.Add(-time.Hour), ObjectMissing},
		"the same bytes again":   {"old", noon.Add(time.Minute), ""},
		"another object":         {"new", noon.Add(time.Minute), ""},
		"none":                   {"", noon, ObjectMissing},
	} {
		b := newBench(t, "{user}/{filename}")
		b.d.Overwrite = true
		b.shelf.objects["alice/cat.png"] = &Object{Size: 10, Type: "image/png", ETag: "old", Modified: noon.Add(-time.Hour)}
		u := b.granted(t)
		delete(b.shelf.objects, "alice/cat.png")
		if c.etag != "" {
			b.shelf.objects["alice/cat.png"] = &Object{Size: 10, Type: "image/png", ETag: c.etag, Modified: c.at}
		}
		if _, err := b.Download(context.Background(), alice, "photos", u.Token, ReadAs{}, 0); codeOf(err) != c.code {
			t.Errorf("%s: %v; want %q", name, err, c.code)
		}
	}
}

// What is stored otherwise is not the same file: nobody is told of it, and nobody gets a link to it.
func TestTheSameBytesStoredOtherwise(t *testing.T) {
	for _, overwrite := range []bool{true, false} {
		b := newBench(t, "{user}/{filename}")
		b.d.Existence, b.d.Overwrite = true, overwrite
		b.shelf.objects["alice/cat.png"] = &Object{Size: 10, Type: "image/png", ETag: "old", Checksum: &Checksum{"SHA256", sum}, Stored: Stored{ContentEncoding: "br"}}
		for _, digest := range []*Digest{nil, {"SHA256", sum, 10}} {
			f := cat
			f.Digest = digest
			u, err := b.Grant(context.Background(), alice, "photos", f)
			if u.Exists != nil || u.MayExist || overwrite != (err == nil) || !overwrite && codeOf(err) != KeyTaken {
				t.Errorf("overwrite %v, hashed %v: %+v, %v", overwrite, digest != nil, u, err)
			}
		}
	}
}

// A store may drop the tags of CreateMultipartUpload, as radosgw does: without any an object passes there, not at AWS.
func TestTagsThatAStoreDrops(t *testing.T) {
	for _, c := range []struct {
		endpoint string
		tags     int
		passes   bool
	}{
		{"", 2, true}, {"", 0, false}, {"", 3, false},
		{"https://s3.example.com", 2, true}, {"https://s3.example.com", 0, true}, {"https://s3.example.com", 1, false}, {"https://s3.example.com", 3, false},
	} {
		d := &Destination{Store: &Store{Region: "us-east-1", Endpoint: c.endpoint}, Object: ObjectSettings{Tags: map[string]string{"a": "b", "c": "d"}}}
		o := &Object{Size: 1, Type: "text/plain", Stored: Stored{Tags: &c.tags}}
		if flaw := (Grant{Size: 1, Type: "text/plain"}).flaw(d, o, time.Now()); (flaw == "") != c.passes {
			t.Errorf("%q, %d tags: %q", c.endpoint, c.tags, flaw)
		}
	}
}
