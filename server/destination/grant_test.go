package destination

import (
	"bytes"
	"encoding/base64"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func testKeys(t testing.TB, ids ...string) *GrantKeys {
	t.Helper()
	var keys []GrantKey
	for _, id := range ids {
		keys = append(keys, GrantKey{id, bytes.Repeat([]byte(id[:1]), 32)})
	}
	k, err := NewGrantKeys(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var testGrant = Grant{
	ID: "1", Principal: "alice", Destination: "photos", Bucket: "media", Key: "photos/名前 1.jpg", Name: "名前 1.jpg",
	Size: 5 << 40, Type: "image/jpeg", Before: "abc-2", Owner: OwnerPrincipal, Issued: noon, Expires: noon.Add(time.Hour),
	Object:     &ObjectSettings{CacheControl: "no-store", Metadata: map[string]string{"a": "b"}, Tags: map[string]string{"c": "d"}},
	StartsWith: map[string]string{"x-amz-meta-title": "T"},
}

func TestGrantsComeBackAsTheyWere(t *testing.T) {
	k := testKeys(t, "a")
	token, err := k.Seal(testGrant)
	if err != nil {
		t.Fatal(err)
	}
	got, err := k.Open(token, noon)
	if err != nil || !reflect.DeepEqual(got, testGrant) {
		t.Errorf("Open: %+v, %v; want %+v", got, err, testGrant)
	}
	if _, err := k.Open(token, testGrant.Expires.Add(-time.Nanosecond)); err != nil {
		t.Errorf("just before its end: %v", err)
	}
	if _, err := k.Open(token, testGrant.Expires); codeOf(err) != GrantExpired {
		t.Errorf("at its end: %v; want %s", err, GrantExpired)
	}
}

func TestTamperedGrantsAreRefused(t *testing.T) {
	k := testKeys(t, "a")
	token, _ := k.Seal(testGrant)
	for i := range token {
		for _, c := range []byte("A_.\x00") {
			if token[i] == c {
				continue
			}
			other := token[:i] + string(c) + token[i+1:]
			g, err := k.Open(other, noon)
			// The last character of a part has bits that no byte is made of.
			if err == nil && !reflect.DeepEqual(g, testGrant) {
				t.Fatalf("with %q at %d it opens as %+v", c, i, g)
			}
			if err != nil && codeOf(err) != GrantInvalid {
				t.Fatalf("with %q at %d: %v; want %s", c, i, err, GrantInvalid)
			}
		}
	}
	parts := strings.Split(token, ".")
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	forged := base64.RawURLEncoding.EncodeToString(bytes.Replace(payload, []byte("alice"), []byte("mallo"), 1))
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"chunksign-grant","kid":"a"}`))
	for name, token := range map[string]string{
		"no token":           "",
		"another principal":  parts[0] + "." + forged + "." + parts[2],
		"alg none":           none + "." + parts[1] + ".",
		"no signature":       parts[0] + "." + parts[1] + ".",
		"more than one dot":  token + "." + token,
		"signed by another":  seal(t, bytes.Repeat([]byte("z"), 32), "a", grantType),
		"of another type":    seal(t, bytes.Repeat([]byte("a"), 32), "a", "JWT"),
		"of an unknown key":  seal(t, bytes.Repeat([]byte("a"), 32), "b", grantType),
		"without a key's id": seal(t, bytes.Repeat([]byte("a"), 32), "", grantType),
	} {
		if g, err := k.Open(token, noon); codeOf(err) != GrantInvalid {
			t.Errorf("%s: %+v, %v; want %s", name, g, err, GrantInvalid)
		}
	}
}

func seal(t *testing.T, key []byte, id, kind string) string {
	o := (&jose.SignerOptions{}).WithType(jose.ContentType(kind))
	if id != "" {
		o = o.WithHeader("kid", id)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign([]byte(`{"sub":"alice","exp":9999999999}`))
	if err != nil {
		t.Fatal(err)
	}
	token, _ := signed.CompactSerialize()
	return token
}

func TestGrantKeysRotate(t *testing.T) {
	old := testKeys(t, "old")
	token, _ := old.Seal(testGrant)
	if _, err := testKeys(t, "new", "old").Open(token, noon); err != nil {
		t.Errorf("with the new key first: %v", err)
	}
	if _, err := testKeys(t, "new").Open(token, noon); codeOf(err) != GrantInvalid {
		t.Errorf("with the old key gone: %v; want %s", err, GrantInvalid)
	}
	fresh, _ := testKeys(t, "new", "old").Seal(testGrant)
	if _, err := testKeys(t, "new").Open(fresh, noon); err != nil {
		t.Errorf("the first key does not sign: %v", err)
	}
}

func TestGrantKeysFromText(t *testing.T) {
	secret := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	if _, err := ParseGrantKeys("k1:" + secret + ", k2:" + strings.TrimRight(secret, "=")); err != nil {
		t.Error(err)
	}
	for _, text := range []string{
		"", secret, ":" + secret, "k1:short", "k1:" + secret[:20], "k1:not base64 at all!", "a b:" + secret, "k1:" + secret + ",k1:" + secret, "k1:" + secret + ",",
	} {
		_, err := ParseGrantKeys(text)
		if err == nil {
			t.Errorf("ParseGrantKeys(%q) takes it", text)
		} else if strings.Contains(err.Error(), secret[:20]) {
			t.Errorf("the error holds the secret: %v", err)
		}
	}
}
