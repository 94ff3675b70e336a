package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// What complete deletes is what the asker itself wrote. Each attack wants it to
// delete the victim's object: the server's rights reach every key, the
// attacker's session only its own. The first case shows that it does delete.
func TestNoVictimsObjectIsDeleted(t *testing.T) {
	r := startWith(t, `auth: { headers: { from: [127.0.0.0/8], claims: { team: X-Team } } }
stores: { s: $STORE }
destinations:
  own: { store: s, bucket: media, key: "own/{user}/{filename}", content_length: 0..1GiB, overwrite: true }
  shared: { store: s, bucket: media, key: "shared/{filename}", content_length: 0..1GiB, overwrite: true }
  team: { store: s, bucket: media, key: "team/{claims.team}/{filename}", content_length: 0..1GiB, overwrite: true }
  beside: { store: s, bucket: media, key: "beside/{user}-{filename}", content_length: 0..1GiB, overwrite: true }
  unique: { store: s, bucket: media, key: "unique/{uuid}", content_length: 0..1GiB }
  kept: { store: s, bucket: media, key: "kept/{uuid}", content_length: 0..1GiB, verify: { delete: false } }
`)
	as := func(who string) []string { return []string{"X-Forwarded-User", who, "X-Team", "blue"} }
	grant := func(who, destination, name string, size int) upload {
		t.Helper()
		return r.grantAs(t, as(who), destination, name, size)
	}
	put := func(u upload, content string) string {
		t.Helper()
		out, err := u.put(content)
		if err != nil {
			t.Fatal(err)
		}
		return *out.ETag
	}
	complete := func(who string, u upload, etag string) reply {
		t.Helper()
		body := map[string]any{"grant": u.Grant}
		if etag != "" {
			body["etag"] = etag
		}
		return r.do(t, "POST", "/v1/uploads/complete", object(body), as(who)...)
	}
	there := func(u upload) bool {
		_, err := os.Stat(filepath.Join(r.data, "media", u.Upload.Key))
		return err == nil
	}

	for _, destination := range []string{"own", "unique"} {
		u := grant("mallory", destination, "mine", 9)
		if etag := put(u, "mine"); !strings.Contains(string(complete("mallory", u, etag).body), "it was deleted") || there(u) {
			t.Errorf("%s: what the asker wrote is not deleted, so the attacks below show nothing", destination)
		}
	}
	u := grant("mallory", "kept", "mine", 9)
	if etag := put(u, "mine"); !strings.Contains(string(complete("mallory", u, etag).body), "as the destination's configuration says") || !there(u) {
		t.Error("verify: { delete: false } does not leave it")
	}

	for attack, try := range map[string]func() (victim upload, answers []reply){
		"a grant of another size for the victim's key, before it uploads": func() (upload, []reply) {
			mallory := grant("mallory", "shared", "a", 9)
			alice := grant("alice", "shared", "a", 5)
			etag := put(alice, "alice")
			return alice, []reply{complete("mallory", mallory, ""), complete("mallory", mallory, etag)}
		},
		"the same, after it has uploaded": func() (upload, []reply) {
			alice := grant("alice", "shared", "b", 5)
			etag := put(alice, "alice")
			mallory := grant("mallory", "shared", "b", 9)
			return alice, []reply{complete("mallory", mallory, ""), complete("mallory", mallory, etag)}
		},
		"the same, in a team": func() (upload, []reply) {
			mallory := grant("mallory", "team", "a", 9)
			alice := grant("alice", "team", "a", 5)
			etag := put(alice, "alice")
			return alice, []reply{complete("mallory", mallory, ""), complete("mallory", mallory, etag)}
		},
		"a name that makes another's key, where {user} is no whole segment": func() (upload, []reply) {
			mallory := grant("a", "beside", "b-x", 9)
			alice := grant("a-b", "beside", "x", 5)
			if mallory.Upload.Key != alice.Upload.Key {
				t.Errorf("the keys are %s and %s", mallory.Upload.Key, alice.Upload.Key)
			}
			etag := put(alice, "alice")
			return alice, []reply{complete("a", mallory, ""), complete("a", mallory, etag)}
		},
		"a replacement between the attacker's own object and its completion": func() (upload, []reply) {
			mallory := grant("mallory", "shared", "c", 9)
			bad := put(mallory, "bad")
			alice := grant("alice", "shared", "c", 5)
			etag := put(alice, "alice")
			return alice, []reply{complete("mallory", mallory, bad), complete("mallory", mallory, etag), complete("mallory", mallory, "")}
		},
		"the victim's own grant": func() (upload, []reply) {
			alice := grant("alice", "unique", "d", 9)
			etag := put(alice, "alice")
			return alice, []reply{complete("mallory", alice, etag), complete("mallory", alice, "")}
		},
		"the victim's grant with another name for its principal": func() (upload, []reply) {
			alice := grant("alice", "own", "e", 9)
			etag := put(alice, "alice")
			var all []reply
			for _, who := range []string{"Alice", "alice/", "=61lice", "alice\u200b"} {
				all = append(all, complete(who, alice, etag))
			}
			return alice, all
		},
		"names that are to lead out of the attacker's own keys": func() (upload, []reply) {
			alice := grant("alice", "own", "f", 5)
			etag := put(alice, "alice")
			var all []reply
			for _, name := range []string{"../alice/f", "..%2falice%2ff", "..\\alice\\f", "/own/alice/f", "./../alice/f"} {
				u := grant("mallory", "own", name, 9)
				if u.Upload.Key == alice.Upload.Key {
					t.Errorf("%q makes %s", name, u.Upload.Key)
				}
				all = append(all, complete("mallory", u, etag), complete("mallory", u, ""))
			}
			return alice, all
		},
		"who the attacker signs in as": func() (upload, []reply) {
			alice := grant("alice", "own", "g", 5)
			etag := put(alice, "alice")
			var all []reply
			for _, who := range []string{"../alice", "x/../alice", "alice/.", "*", "${aws:username}", "al?ce"} {
				u := grant(who, "own", "g", 9)
				all = append(all, complete(who, u, etag), complete(who, u, ""))
			}
			return alice, all
		},
		"one's own file from before, replaced by nothing": func() (upload, []reply) {
			before := grant("alice", "own", "h", 5)
			etag := put(before, "alice")
			again := grant("alice", "own", "h", 9)
			return before, []reply{complete("alice", again, ""), complete("alice", again, etag)}
		},
	} {
		victim, answers := try()
		for _, a := range answers {
			if a.status < 400 || strings.Contains(string(a.body), "it was deleted") {
				t.Errorf("%s: %d %s", attack, a.status, a.body)
			}
		}
		if data, err := os.ReadFile(filepath.Join(r.data, "media", victim.Upload.Key)); err != nil || string(data) != "alice" {
			t.Errorf("%s: the victim's object is %q, %v", attack, data, err)
		}
	}
}

// The server looks and deletes as the role that the destination names.
func TestVerifyAsAnotherRole(t *testing.T) {
	r := startWith(t, `auth: { dev: true }
stores: { s: $STORE }
destinations:
  as: { store: s, bucket: media, key: "{uuid}", content_length: 0..1GiB, verify: { role_arn: "$ROLE" } }
  not: { store: s, bucket: media, key: "{uuid}", content_length: 0..1GiB, verify: { role_arn: "arn:aws:iam::000000000000:role/none-such" } }
`)
	u := r.grant(t, "as", "x", 4)
	if _, err := u.put("five!"); err != nil {
		t.Fatal(err)
	}
	if got := r.do(t, "POST", "/v1/uploads/complete", object(map[string]any{"grant": u.Grant})); got.problem() != "object_breaks_grant" || !strings.Contains(string(got.body), "it was deleted") {
		t.Errorf("%d %s", got.status, got.body)
	}
	other := r.grant(t, "not", "x", 4)
	if _, err := other.s3().PutObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String("media"), Key: aws.String(other.Upload.Key), Body: strings.NewReader("four"), ContentType: aws.String("text/x-test")}); err != nil {
		t.Fatal(err)
	}
	if got := r.do(t, "POST", "/v1/uploads/complete", object(map[string]any{"grant": other.Grant})); got.problem() != "store_refused" {
		t.Errorf("as a role that may not be assumed: %d %s", got.status, got.body)
	}
}
