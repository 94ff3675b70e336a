package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

const theGrantKey = "k:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="

// reseal gives a grant's payload, changed, in place of the signed one.
func reseal(token string, header map[string]string, change map[string]any) string {
	part := strings.Split(token, ".")
	decode := func(s string) map[string]any {
		text, _ := base64.RawURLEncoding.DecodeString(s)
		var m map[string]any
		json.Unmarshal(text, &m)
		return m
	}
	encode := func(m map[string]any) string { return base64.RawURLEncoding.EncodeToString([]byte(object(m))) }
	head, claims := decode(part[0]), decode(part[1])
	for k, v := range header {
		head[k] = v
	}
	for k, v := range change {
		claims[k] = v
	}
	return encode(head) + "." + encode(claims) + "." + part[2]
}

// TestAttacksByGrant lets Mallory try to have the server's credentials, links and
// signatures for Alice's key by grants that are not hers, or not the server's. What
// the server answers is used at once at Alice's key, which stays as it was.
func TestAttacksByGrant(t *testing.T) {
	e := startEngine(t, "media", "media2", "other")
	r := e.serve(t, func(name string) string { return map[string]string{grantKeysVariable: theGrantKey}[name] }, attacked)
	keys, err := destination.ParseGrantKeys(theGrantKey)
	if err != nil {
		t.Fatal(err)
	}
	others, err := destination.ParseGrantKeys("k:" + strings.Repeat("B", 43) + "=")
	if err != nil {
		t.Fatal(err)
	}
	alice, mallory := r.grantAs(t, as("alice"), "object", "hers.bin", 5), r.grantAs(t, as("mallory"), "object", "hers.bin", 5)
	w := &world{T: t, s3Engine: e, own: mallory.Upload.Key, uploadID: map[string]string{}}
	w.put("media", alice.Upload.Key, secretOf)
	hers, err := keys.Open(alice.Grant, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	seal := func(by *destination.GrantKeys, change func(*destination.Grant)) string {
		g := hers
		change(&g)
		token, err := by.Seal(g)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	mine := strings.Split(mallory.Grant, ".")
	theirs := strings.Split(alice.Grant, ".")
	aNone := reseal(alice.Grant, map[string]string{"alg": "none"}, map[string]any{"sub": "mallory"})
	type try struct{ name, who, token string }
	tries := []try{
		{"Alice's grant", "mallory", alice.Grant},
		{"Alice's grant, as Alice in capitals", "Alice", alice.Grant},
		{"Alice's grant, as Alice with a space", "alice\u00a0", alice.Grant},
		{"Alice's grant, as a longer Alice", "alice2", alice.Grant},
		{"Alice's grant, as nobody", "", alice.Grant},
		{"Alice's grant in her name", "mallory", reseal(alice.Grant, nil, map[string]any{"sub": "mallory"})},
		{"her own grant for Alice's key", "mallory", reseal(mallory.Grant, nil, map[string]any{"key": alice.Upload.Key})},
		{"her own grant for another bucket", "mallory", reseal(mallory.Grant, nil, map[string]any{"bkt": "other", "key": alice.Upload.Key})},
		{"her own grant for another destination", "mallory", reseal(mallory.Grant, nil, map[string]any{"dst": "prefix", "key": alice.Upload.Key})},
		{"her own grant for a star", "mallory", reseal(mallory.Grant, nil, map[string]any{"key": "u/*"})},
		{"no algorithm", "mallory", aNone},
		{"no algorithm, no signature", "mallory", aNone[:strings.LastIndexByte(aNone, '.')+1]},
		{"another algorithm", "mallory", reseal(alice.Grant, map[string]string{"alg": "RS256"}, map[string]any{"sub": "mallory"})},
		{"another key's id", "mallory", reseal(alice.Grant, map[string]string{"kid": "k2"}, map[string]any{"sub": "mallory"})},
		{"a key's id that is a path", "mallory", reseal(alice.Grant, map[string]string{"kid": "../../dev/null"}, map[string]any{"sub": "mallory"})},
		{"another type", "mallory", reseal(alice.Grant, map[string]string{"typ": "JWT"}, map[string]any{"sub": "mallory"})},
		{"a key in the header", "mallory", reseal(alice.Grant, map[string]string{"jwk": `{"kty":"oct","k":"AAAA"}`}, map[string]any{"sub": "mallory"})},
		{"Alice's payload under Mallory's signature", "mallory", mine[0] + "." + theirs[1] + "." + mine[2]},
		{"Mallory's payload under Alice's signature", "mallory", theirs[0] + "." + mine[1] + "." + theirs[2]},
		{"Alice's grant and a further part", "alice", alice.Grant + "." + mine[2]},
		{"Alice's grant, its signature cut short", "alice", alice.Grant[:len(alice.Grant)-4]},
		{"Alice's grant without its signature", "alice", theirs[0] + "." + theirs[1] + "."},
		{"Alice's grant with a space", "alice", theirs[0] + "." + theirs[1] + ". " + theirs[2]},
		{"Alice's grant as JSON", "alice", `{"payload":"` + theirs[1] + `","protected":"` + theirs[0] + `","signature":"` + theirs[2] + `"}`},
		{"Alice's grant, expired", "alice", seal(keys, func(g *destination.Grant) { g.Expires = time.Now().Add(-time.Second) })},
		{"Alice's grant, expired long ago", "alice", seal(keys, func(g *destination.Grant) { g.Expires = time.Unix(0, 0) })},
		{"an expired grant with a later end", "alice", reseal(seal(keys, func(g *destination.Grant) { g.Expires = time.Now().Add(-time.Second) }), nil, map[string]any{"exp": time.Now().Add(time.Hour).Unix()})},
		{"a grant of another server", "mallory", seal(others, func(g *destination.Grant) { g.Principal = "mallory" })},
		{"a grant of another server, for Alice", "alice", seal(others, func(*destination.Grant) {})},
		{"a session token", "mallory", mallory.Credentials.SessionToken},
		{"nothing", "mallory", ""},
	}
	before := w.sees(0, "")
	use := func(what string, who, token string) (answered int) {
		t.Helper()
		var header []string
		if who != "" {
			header = as(who)
		}
		for _, call := range []struct {
			path string
			body map[string]any
		}{
			{"/v1/uploads/credentials", map[string]any{}},
			{"/v1/uploads/multipart", map[string]any{"op": "create"}},
			{"/v1/destinations/object/presign", map[string]any{"method": "GET"}},
			{"/v1/uploads/complete", map[string]any{}},
		} {
			call.body["grant"] = token
			got := r.do(t, "POST", call.path, object(call.body), header...)
			if got.status >= 300 {
				continue
			}
			answered++
			var u upload
			if json.Unmarshal(got.body, &u); u.Credentials.AccessKeyID != "" {
				for _, key := range []string{alice.Upload.Key, u.Upload.Key} {
					w.send(u.asSession(), "PUT", "/media/"+escapePath(key), "", nil, "by "+who)
				}
			}
		}
		return answered
	}
	for _, x := range tries {
		if n := use(x.name, x.who, x.token); n > 0 {
			t.Errorf("%s: the server answers %d of 4 calls", x.name, n)
		}
		if granted := differ(before, w.sees(0, "")); len(granted) > 0 {
			t.Errorf("%s: %v", x.name, granted)
		}
	}
	// Alice's own does, as it is.
	if n := use("Alice's own", "alice", alice.Grant); n == 0 || len(differ(before, w.sees(0, ""))) == 0 {
		t.Errorf("Alice's own grant gets %d answers and changes nothing", n)
	}
	t.Logf("%s: %d grants tried at 4 calls", e.name, len(tries))
	if got := r.do(t, "POST", "/v1/uploads/credentials", object(map[string]any{"grant": alice.Grant}), as("mallory")...); got.status != http.StatusForbidden {
		t.Errorf("another's grant: %d %s", got.status, got.body)
	}
}
