package destination

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/chunksign/chunksign/wasm/plan"
)

var (
	sum   = base64.StdEncoding.EncodeToString(make([]byte, sha256.Size))
	other = base64.StdEncoding.EncodeToString([]byte(strings.Repeat("o", sha256.Size)))
)

func TestTheSameBytesAreNotSentAgain(t *testing.T) {
	of := func(change func(*Object)) *Object {
		o := &Object{Size: 10, Type: "image/png", ETag: "old", Checksum: &Checksum{"SHA256", sum}}
		if change != nil {
			change(o)
		}
		return o
	}
	digest := func(value string) *Digest { return &Digest{"SHA256", value, 10} }
	const granted, maybe, exists = "granted", "maybe", "exists"
	for name, c := range map[string]struct {
		object *Object
		digest *Digest
		// What comes of it where the object may be replaced, and where it may
		// not: one of the words above, or a code.
		overwrite, keep string
	}{
		"nothing there":                  {nil, nil, granted, granted},
		"nothing there, hashed":          {nil, digest(sum), granted, granted},
		"perhaps the same":               {of(nil), nil, maybe, maybe},
		"the same":                       {of(nil), digest(sum), exists, exists},
		"other bytes":                    {of(nil), digest(other), granted, "key_taken"},
		"another size":                   {of(func(o *Object) { o.Size = 11 }), nil, granted, "key_taken"},
		"another size, the same digest":  {of(func(o *Object) { o.Size = 11 }), digest(sum), granted, "key_taken"},
		"another type":                   {of(func(o *Object) { o.Type = "image/gif" }), digest(sum), granted, "key_taken"},
		"no checksum":                    {of(func(o *Object) { o.Checksum = nil }), nil, granted, "key_taken"},
		"no checksum, hashed":            {of(func(o *Object) { o.Checksum = nil }), digest(sum), granted, "key_taken"},
		"another algorithm":              {of(func(o *Object) { o.Checksum.Algorithm = "SHA1" }), digest(sum), granted, "key_taken"},
		"the same of one part":           {of(func(o *Object) { o.Checksum.Value += "-1" }), digest(sum + "-1"), exists, exists},
		"as a whole, there in parts":     {of(func(o *Object) { o.Checksum.Value += "-1" }), digest(sum), granted, "key_taken"},
		"in parts, there as a whole":     {of(nil), digest(sum + "-1"), granted, "key_taken"},
		"not the form of a SHA-256":      {of(nil), digest("x"), "field_invalid", "field_invalid"},
		"empty, as a page may try first": {of(nil), digest(""), "field_invalid", "field_invalid"},
	} {
		for _, overwrite := range []bool{true, false} {
			want := map[bool]string{true: c.overwrite, false: c.keep}[overwrite]
			b := newBench(t, "{user}/{filename}")
			b.d.Overwrite, b.d.Existence = overwrite, true
			if c.object != nil {
				b.shelf.objects["alice/cat.png"] = c.object
			}
			b.Policy = func(r Rights) (string, error) {
				return map[bool]string{true: "nothing", false: "writing"}[r.None], nil
			}
			f := cat
			f.Digest = c.digest
			u, err := b.Grant(context.Background(), alice, "photos", f)
			got := string(codeOf(err))
			switch {
			case err != nil:
			case u.Exists != nil:
				got = exists
				if u.Token != "" || u.Session != (Session{}) || u.Exists.Key != "alice/cat.png" || !reflect.DeepEqual(u.Exists.Object, *c.object) || u.Exists.Link == nil || b.issuer.last.Policy != "" {
					t.Errorf("%s, overwrite %v: %+v", name, overwrite, u)
				}
			case u.MayExist:
				got = maybe
			default:
				got = granted
			}
			if got != want {
				t.Errorf("%s, overwrite %v: %s, %v; want %s", name, overwrite, got, err, want)
			}
			// What may not be replaced is not within reach before the bytes are known to be others.
			if policy := map[bool]string{true: "nothing", false: "writing"}[want == maybe && !overwrite]; err == nil && u.Exists == nil && b.issuer.last.Policy != policy {
				t.Errorf("%s, overwrite %v: the session is for %s; want %s", name, overwrite, b.issuer.last.Policy, policy)
			}
			b.d.Existence = false
			if u, err := b.Grant(context.Background(), alice, "photos", f); err == nil && (u.MayExist || u.Exists != nil) {
				t.Errorf("%s: %+v without the option", name, u)
			}
		}
	}
}

// A grant that came with the question gives no hold on an object that may not be replaced.
func TestTheGrantOfAQuestionIsWorthNothing(t *testing.T) {
	b := newBench(t, "all/{filename}")
	b.d.Existence, b.d.ReadOwner = true, false
	b.shelf.objects["all/cat.png"] = &Object{Size: 10, Type: "image/png", ETag: "old", Checksum: &Checksum{"SHA256", sum}}
	u := b.granted(t)
	if !u.MayExist {
		t.Fatalf("%+v", u)
	}
	if _, err := b.Renew(context.Background(), alice, u.Token); codeOf(err) != AlreadyComplete {
		t.Errorf("renewed: %v; want %s", err, AlreadyComplete)
	}
	for _, etag := range []string{"", "old", "other"} {
		if done, err := b.Complete(context.Background(), alice, u.Token, Reported{ETag: etag}); err == nil {
			t.Errorf("completed with the ETag %q: %+v", etag, done)
		}
	}
	if len(b.shelf.removed) > 0 {
		t.Errorf("removed are %v", b.shelf.removed)
	}
}

// The limits come first, and nothing is looked at for a file that they refuse.
func TestLimitsComeBeforeTheLook(t *testing.T) {
	b := newBench(t, "{user}/{filename}")
	b.d.Existence, b.shelf.away = true, true
	f := File{Name: "x", Type: "text/html", Size: 10, Digest: &Digest{"SHA256", sum, 10}}
	if _, err := b.Grant(context.Background(), alice, "photos", f); codeOf(err) != TypeNotAllowed {
		t.Errorf("%v; want %s", err, TypeNotAllowed)
	}
}

func TestDigests(t *testing.T) {
	const MiB = plan.MiB
	for _, c := range []struct {
		digest Digest
		size   int64
		field  string
	}{
		{Digest{"SHA256", sum, 10}, 10, ""},
		{Digest{"SHA256", sum, 0}, 0, ""},
		{Digest{"SHA256", sum, 5 * MiB}, 10, ""},
		{Digest{"SHA256", sum + "-1", 5 * MiB}, 0, ""},
		{Digest{"SHA256", sum + "-1", 5 * MiB}, 5 * MiB, ""},
		{Digest{"SHA256", sum + "-2", 5 * MiB}, 5*MiB + 1, ""},
		{Digest{"SHA256", sum + "-10000", plan.MaxPartSize}, plan.MaxObjectSize, ""},

		{Digest{"", sum, 10}, 10, "checksum.algorithm"},
		{Digest{"sha256", sum, 10}, 10, "checksum.algorithm"},
		{Digest{"CRC64NVME", "AAAAAAAAAAA=", 10}, 10, "checksum.algorithm"},
		{Digest{"SHA256", "", 10}, 10, "checksum.value"},
		{Digest{"SHA256", strings.TrimRight(sum, "="), 10}, 10, "checksum.value"},
		{Digest{"SHA256", sum[:20] + "\n" + sum[20:], 10}, 10, "checksum.value"},
		{Digest{"SHA256", strings.Replace(other, "b28=", "b29=", 1), 10}, 10, "checksum.value"}, // bits behind the last byte
		{Digest{"SHA256", strings.Repeat("0", 64), 10}, 10, "checksum.value"},                   // hexadecimal
		{Digest{"SHA256", sum + "-", 10}, 10, "checksum.value"},
		{Digest{"SHA256", sum + "-0", 10}, 10, "checksum.value"},
		{Digest{"SHA256", sum + "-01", 10}, 10, "checksum.value"},
		{Digest{"SHA256", sum + "--1", 10}, 10, "checksum.value"},
		{Digest{"SHA256", sum + "-1-1", 10}, 10, "checksum.value"},
		{Digest{"SHA256", sum + "-10001", 10}, 10, "checksum.value"},
		{Digest{"SHA256", sum + "-" + strconv.Itoa(1<<62) + "0", 10}, 10, "checksum.value"},
		{Digest{"SHA256", sum, 9}, 10, "checksum.partSize"},
		{Digest{"SHA256", sum, -1}, 10, "checksum.partSize"},
		{Digest{"SHA256", sum, plan.MaxPartSize + 1}, 10, "checksum.partSize"},
		{Digest{"SHA256", sum + "-1", 0}, 0, "checksum.partSize"},
		{Digest{"SHA256", sum + "-2", 5 * MiB}, 5 * MiB, "checksum.partSize"},
		{Digest{"SHA256", sum + "-1", 5 * MiB}, 5*MiB + 1, "checksum.partSize"},
	} {
		err := c.digest.check(c.size)
		field := ""
		if e, ok := err.(*Error); ok {
			field = e.Field
		}
		if field != c.field || err != nil && !strings.Contains(err.Error(), ";") {
			t.Errorf("%+v of %d bytes: %v; want the field %q", c.digest, c.size, err, c.field)
		}
	}
}
