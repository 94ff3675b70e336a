package destination

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

var noon = time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC)

// zeros is randomness that tests can foresee.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func values(name string) Values {
	return Values{Principal: Principal{ID: "alice"}, Destination: "photos", Name: name, Now: noon, Random: zeros{}}
}

func mustTemplate(t testing.TB, text string) Template {
	t.Helper()
	template, err := ParseTemplate(text)
	if err != nil {
		t.Fatalf("ParseTemplate(%q): %v", text, err)
	}
	return template
}

func TestFileNamesInKeys(t *testing.T) {
	long := strings.Repeat("a", 1024)
	for _, c := range []struct{ name, want string }{
		{"cat.jpg", "cat.jpg"},
		{"*", "_"},
		{"a?b", "a_b"},
		{"${aws:username}", "__aws:username_"},
		{"${*}", "____"},
		{".", "_"},
		{"..", "__"},
		{"...", "___"},
		{"../x", ".._x"},
		{`..\x`, ".._x"},
		{"a/../../b", "a_.._.._b"},
		{"%2F", "%2F"},
		{"näme 名前.bin", "näme 名前.bin"},
		{"na\u0308me.bin", "n\u00e4me.bin"}, // NFD, as macOS has it
		{"a\x00b", "a_b"},
		{"a\r\nX-Evil: 1", "a__X-Evil: 1"},
		{"a\x7f\u0085b", "a__b"},
		{"invoice\u202Efdp.exe", "invoice_fdp.exe"},
		{"\u2066a\u2069\u200F\u061C", "_a___"},
		{"a\u2028b", "a_b"},
		{"\uFEFFbom", "_bom"},
		{"a\xffb", "a_b"},
		{"trailing   ", "trailing"},
		{"  leading", "leading"},
		{"   ", "unnamed"},
		{"\u3000", "unnamed"},
		{"\u0301acute", "_\u0301acute"}, // would compose with what stands before it
		{".profile", ".profile"},
		{"👩‍👩‍👧.png", "👩‍👩‍👧.png"}, // joiners stay
		{`"quoted"&<b>`, `"quoted"&<b>`},
		{long, long[:200]},
		{long + ".jpeg", long[:195] + ".jpeg"},
		{strings.Repeat("é", 512) + ".gz", strings.Repeat("é", 98) + ".gz"},
		{strings.Repeat("x", 198) + "   y", strings.Repeat("x", 198)},
		{"a." + long, ("a." + long)[:200]},
		{strings.Repeat(".", 300), strings.Repeat("_", 200)},
	} {
		key, err := mustTemplate(t, "in/{filename}").Build(values(c.name))
		if err != nil || key != "in/"+c.want {
			t.Errorf("the key of %q is %q, %v; want in/%s", c.name, key, err, c.want)
		}
	}
}

func TestPlaceholders(t *testing.T) {
	v := values("holiday.tar.gz")
	v.Principal.Claims = map[string]any{"team": "R&D", "tenant": json.Number("42"), "groups": []any{"a"}, "empty": ""}
	for _, c := range []struct{ template, want string }{
		{"{destination}/{user}/{filename}", "photos/alice/holiday.tar.gz"},
		{"{uuid}", "00000000-0000-4000-8000-000000000000"},
		{"{ulid}", "01KRTWXDG00000000000000000"},
		{"{date}/{basename}-{user}.{ext}", "2026-05-17/holiday.tar-alice.gz"},
		{"{claims.team}/{claims.tenant}", "R=26D/42"},
	} {
		key, err := mustTemplate(t, c.template).Build(v)
		if err != nil || key != c.want {
			t.Errorf("%s gives %q, %v; want %q", c.template, key, err, c.want)
		}
	}
	for _, name := range []string{"groups", "empty", "missing"} {
		if _, err := mustTemplate(t, "{claims."+name+"}/x").Build(v); codeOf(err) != ClaimMissing {
			t.Errorf("{claims.%s} gives %v; want %s", name, err, ClaimMissing)
		}
	}
	if key, _ := mustTemplate(t, "{basename}.{ext}").Build(values("..x")); key != "_.x" {
		t.Errorf("a name of a dot and an extension gives %q", key)
	}
	if key, _ := mustTemplate(t, "{uuid}.{ext}").Build(values("README")); !strings.HasSuffix(key, ".bin") {
		t.Errorf("a name without an extension gives %q; want .bin", key)
	}
	deep := strings.Repeat("{claims.long}/", 11) + "{filename}"
	v.Principal.Claims["long"] = strings.Repeat("a", 100)
	if _, err := mustTemplate(t, deep).Build(v); codeOf(err) != KeyTooLong {
		t.Errorf("a key of more than 1,024 bytes gives %v; want %s", err, KeyTooLong)
	}
}

func TestIdentitiesStayApart(t *testing.T) {
	ids := []string{
		"alice", "Alice", "alice ", "al/ice", "al=2Fice", "al\\ice", "..", ".", "=2E", "a", "auth0|1", "auth0/1", "~a", "é", "e\u0301",
		"*", "${aws:username}", "\x00", strings.Repeat("x", 101), strings.Repeat("x", 102), "~" + strings.Repeat("0", 64),
	}
	seen := map[string]string{}
	for _, id := range ids {
		s := encodeIdentity(id)
		if other, twice := seen[s]; twice {
			t.Errorf("%q and %q both become %q", id, other, s)
		}
		seen[s] = id
		if err := CheckKey(s); err != nil || strings.Contains(s, "/") || len(s) > maxSegment {
			t.Errorf("%q becomes %q: %v", id, s, err)
		}
	}
	if got := encodeIdentity("mary.ann@example.com"); got != "mary.ann@example.com" {
		t.Errorf("a mail address becomes %q", got)
	}
	if _, err := mustTemplate(t, "{user}/x").Build(Values{}); codeOf(err) != Unauthenticated {
		t.Errorf("a principal without an ID gives %v", err)
	}
}

func TestTemplatesThatAreRefused(t *testing.T) {
	for _, text := range []string{
		"", "/a", "a/", "a//b", "a/./b", "../a", "a/*", "what?", "$x", `a\b`, "a}", "{", "{uuid", "{nope}", "{claims}", "{claims.}", "{claims.a/b}",
		"{user.x}", "{filename}-{basename}", "a\x00", "e\u0301", "{}",
	} {
		if _, err := ParseTemplate(text); err == nil {
			t.Errorf("ParseTemplate(%q) takes it", text)
		}
	}
}

func TestPrefixes(t *testing.T) {
	p := Principal{ID: "alice", Claims: map[string]any{"team": "blue"}}
	for _, c := range []struct {
		template, prefix string
		ok               bool
	}{
		{"photos/{user}/{uuid}/{filename}", "photos/alice/", true},
		{"{claims.team}/{date}/{filename}", "blue/", true},
		{"{user}/in-{uuid}", "alice/in-", true},
		{"{user}-{uuid}", "alice-", false},
		{"photos/{user}{filename}", "photos/alice", false},
		{"{uuid}/{user}", "", false},
		{"x-{user}/{uuid}", "x-alice/", false},
		{"photos/{filename}", "photos/", false},
		{"avatars/{user}", "avatars/alice", false}, // which begins avatars/alice2 too
		{"{claims.team}/{user}", "blue/alice", false},
		{"{user}/{claims.team}{uuid}", "alice/blue", false},
		{"{claims.team}/{user}-{uuid}", "blue/alice-", false},
		{"{claims.team}/x-{user}/{uuid}", "blue/x-alice/", true},
		{"{user}/avatar", "alice/avatar", true},
	} {
		template := mustTemplate(t, c.template)
		prefix, err := template.Prefix(p, "d")
		if err != nil || prefix != c.prefix {
			t.Errorf("the prefix of %s is %q, %v; want %q", c.template, prefix, err, c.prefix)
		}
		if err := template.CheckPrefix(); (err == nil) != c.ok {
			t.Errorf("CheckPrefix of %s: %v", c.template, err)
		}
		if key, err := template.Build(Values{Principal: p, Destination: "d", Name: "\u0301x", Now: noon, Random: zeros{}}); err != nil || !strings.HasPrefix(key, prefix) {
			t.Errorf("the key %q of %s does not begin with its prefix %q: %v", key, c.template, prefix, err)
		}
	}
}

func TestSharedFolders(t *testing.T) {
	for template, ok := range map[string]bool{
		"uploads/pdfs/{filename}": true, "a/{uuid}-{filename}": true, "{claims.team}/{filename}": true, "a/{user}/{date}/{filename}": true,
		"{filename}": false, "pdfs-{filename}": false, "a/pdf-{filename}": false, "a/b": false, "a/{user}": false, "a/{user}{uuid}": false,
	} {
		d := Destination{Scope: ScopeShared, Key: mustTemplate(t, template)}
		if err := d.CheckPrefix(); (err == nil) != ok {
			t.Errorf("%s: %v", template, err)
		}
	}
}

func TestOwners(t *testing.T) {
	for template, want := range map[string]Owner{
		"a/{uuid}": OwnerGrant, "a/{ulid}-{filename}": OwnerGrant, "avatars/{user}": OwnerPrincipal,
		"{user}-x": OwnerShared, "a/{filename}": OwnerShared, "{claims.team}/x": OwnerShared,
	} {
		if got := mustTemplate(t, template).owner(); got != want {
			t.Errorf("the owner of %s is %q; want %q", template, got, want)
		}
	}
}

func FuzzKeys(f *testing.F) {
	for _, name := range []string{"a.txt", "${*}", "../x", "na\u0308me", "\x00\r\n", "\u202Ex", strings.Repeat("é", 600) + ".tar", ".", "\u1100", "\xff.\xff"} {
		f.Add(name, "alice", uint8(0))
	}
	templates := []string{"{filename}", "p/{user}/{uuid}/{filename}", "{basename}.{ext}", "e{filename}x", "{ulid}-{basename}", "{claims.c}/{filename}.{ext}", "\u1100{filename}\u1161"}
	f.Fuzz(func(t *testing.T, name, id string, which uint8) {
		id = cmp.Or(id, "x")
		v := values(name)
		v.Principal = Principal{ID: id, Claims: map[string]any{"c": id}}
		template := mustTemplate(t, templates[int(which)%len(templates)])
		key, err := template.Build(v)
		if err != nil {
			t.Fatalf("%s: %v", template, err)
		}
		if err := CheckKey(key); err != nil || !utf8.ValidString(key) || !norm.NFC.IsNormalString(key) {
			t.Fatalf("the key %q: %v", key, err)
		}
		if strings.ContainsAny(key, `*?${}\`) || strings.ContainsFunc(key, Forbidden) {
			t.Fatalf("the key %q has a forbidden character", key)
		}
		for s := range strings.SplitSeq(key, "/") {
			if len(s) > 200 || s == "" || s == "." || s == ".." {
				t.Fatalf("the key %q has the segment %q", key, s)
			}
		}
		prefix, err := template.Prefix(v.Principal, v.Destination)
		if err != nil || !strings.HasPrefix(key, prefix) && which%7 != 6 { // the last template composes by design
			t.Fatalf("the key %q does not begin with %q: %v", key, prefix, err)
		}
		if strings.Count(key, "/") != strings.Count(template.String(), "/") {
			t.Fatalf("the name %q added a segment: %q", name, key)
		}
	})
}

func TestULIDsSortByTime(t *testing.T) {
	later, _ := newULID(noon.Add(time.Millisecond), zeros{})
	ones := bytes.NewReader(bytes.Repeat([]byte{0xff}, 10))
	if earlier, _ := newULID(noon, ones); earlier >= later || earlier != "01KRTWXDG0ZZZZZZZZZZZZZZZZ" {
		t.Errorf("%s is not before %s", earlier, later)
	}
}

func codeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
