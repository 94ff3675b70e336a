package destination

import (
	"strings"
	"testing"
)

func TestBoxes(t *testing.T) {
	keys := func(ids ...string) *GrantKeys {
		t.Helper()
		var all []GrantKey
		for _, id := range ids {
			all = append(all, GrantKey{ID: id, Secret: []byte(strings.Repeat(id, 32))})
		}
		k, err := NewGrantKeys(all...)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	box := func(k *GrantKeys, purpose string) *Box {
		t.Helper()
		b, err := k.Box(purpose)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b := box(keys("a"), "x")
	text := b.Seal([]byte("plain"), "about")
	for name, c := range map[string]struct {
		box         *Box
		text, about string
		opens       bool
	}{
		"itself":          {b, text, "about", true},
		"another replica": {box(keys("b", "a"), "x"), text, "about", true},
		"another purpose": {box(keys("a"), "y"), text, "about", false},
		"about another":   {b, text, "abouts", false},
		"another key":     {box(keys("b"), "x"), text, "about", false},
		"cut short":       {b, text[:len(text)-2], "about", false},
		"nothing":         {b, "", "about", false},
		"no key":          {b, text[1:], "about", false},
		"changed":         {b, text[:10] + "A" + text[11:], "about", text[10] == 'A'},
	} {
		if plain, ok := c.box.Open(c.text, c.about); ok != c.opens || ok && string(plain) != "plain" {
			t.Errorf("%s: %q, %v", name, plain, ok)
		}
	}
	if again := b.Seal([]byte("plain"), "about"); again == text || strings.Contains(text, "plain") {
		t.Error("the same twice, or in plain text")
	}
}
