package destination

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"
)

// What a template has built it makes, at any later time, and nothing that is changed in one place.
func TestATemplateKnowsItsOwnKeys(t *testing.T) {
	then, now := time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	alice, bob := Principal{ID: "alice", Claims: map[string]any{"team": "red"}}, Principal{ID: "bob", Claims: map[string]any{"team": "blue"}}
	for _, text := range []string{
		"{user}/{uuid}/{filename}", "{uuid}", "x/{user}/{ulid}-{filename}", "{claims.team}/{date}/{uuid}.{ext}", "{user}/{basename}-{uuid}.{ext}",
		"{user}/{date}/{ulid}/{uuid}/{filename}", "{user}/{uuid}{uuid}", "{destination}/a.b+c/{uuid}/{filename}",
	} {
		template, err := ParseTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"cat.png", "", "a/b*.tar.gz", strings.Repeat("é", 300) + ".jpeg", "6ba7b810-9dad-41d1-80b4-00c04fd430c8.txt", "2024-01-01", "01ARZ3NDEKTSV4RRFFQ69G5FAV"} {
			v := Values{Principal: alice, Destination: "d", Name: name, Now: then, Random: rand.Reader}
			key, err := template.Build(v)
			if err != nil {
				t.Fatalf("%s, %q: %v", text, name, err)
			}
			v.Now = now
			if !template.makes(key, v) {
				t.Errorf("%s does not know %s", text, key)
			}
			for i, c := range []byte(key) {
				// Another hex digit is another UUID, and another character another time; anything else is no key of its.
				if changed := key[:i] + "!" + key[i+1:]; c != '!' && template.makes(changed, v) {
					t.Errorf("%s takes %s for its own", text, changed)
				}
			}
			for _, other := range []string{key + "/", "/" + key, key + "x", strings.ToUpper(key), ""} {
				if other != key && template.makes(other, v) {
					t.Errorf("%s takes %q for its own", text, other)
				}
			}
			v.Principal = bob
			if template.PerPrincipal() && template.makes(key, v) {
				t.Errorf("%s takes alice's %s for bob's", text, key)
			}
		}
		if want := map[bool]Owner{true: OwnerPrincipal, false: OwnerShared}[strings.Contains(text, "{user}/")]; template.keptOwner() != want {
			t.Errorf("%s: a kept key is %q's", text, template.keptOwner())
		}
	}
}
