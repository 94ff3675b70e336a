package devstore

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// values are the hostile values for a place of a call: all, where the place is known to become a path.
func (g *stage) values(c s3Call, place string) []string {
	switch place {
	case "key", "query uploadId", "header X-Amz-Copy-Source", "body {own}":
		if strings.Contains(c.path+c.query+c.header+c.body, "{") {
			return append(g.many(), g.few()...)
		}
	}
	if c.path == "/media" && !strings.ContainsAny(c.query+c.body, "{&") { // a bucket's settings, of which there are many
		return g.few()[:11]
	}
	return g.few()
}

// theirs is the folder of Alice's upload, from where those of Mallory's object are.
func (g *stage) theirs() string {
	return fmt.Sprintf("../%s/%s", strings.TrimPrefix(uploadsOf(aliceUp), ".sgwtmp/multipart/"), g.aliceID)
}

// many are values that lead elsewhere where one is joined to a path, as they stand in a request's target.
func (g *stage) many() []string {
	values := []string{
		"/", "//", "./", "../..", "../../../..", "../../../../..", "../../../../../sibling", g.theirs() + "/1", "../../../u/alice/theirs.bin",
		"../../../../other", "../../../../other/theirs.bin", "../../../../Folder_", "../../../../../canary.txt", "../other/theirs.bin",
		"../.chunksign-secret", "../Folder_", "u/mallory/own.bin/../../alice/theirs.bin", "/u/alice/theirs.bin", "u/alice/./theirs.bin",
		"own.bin/../../../canary.txt", ".sgwtmp", ".sgwtmp/multipart", "u/../.sgwtmp/multipart", ".SGWTMP/multipart",
		"../" + sideCarDir, sideCarDir, sideCarDir + "/media/meta/acl", "../" + sideCarDir + "/media/meta/policy", "meta", "meta/meta",
		filepath.Join(g.dir, ".chunksign-secret"), g.aliceID, "null/../..", "../../../../../../../../aa", "9999999999999999999999",
		"media/../other/theirs.bin", "/media/" + aliceKey, "other/theirs.bin", "media/u/mallory/../alice/theirs.bin",
		"media/" + ownKey + "?versionId=../../../canary.txt", "../parent/canary.txt", strings.Repeat("a/", 600),
		strings.Repeat("../", 9) + "etc/passwd", "con", "c:/windows", "own.bin%0d%0aX-A:%20b", "urn:uuid:{upload}", "{upload}/1",
		"{upload}/../{upload}", "{upload}/", "{upload}.inprogress", "A{upload}",
	}
	for _, v := range []string{"../../../../.chunksign-secret", g.theirs(), "../other/theirs.bin", "../Folder_/note.txt", "../../../u/alice"} {
		values = append(values, strings.ReplaceAll(v, "/", "%2f"), strings.ReplaceAll(v, ".", "%2e"), url.QueryEscape(v),
			url.QueryEscape(url.QueryEscape(v)), strings.NewReplacer("/", "%252f", ".", "%252e").Replace(v),
			strings.ReplaceAll(v, "/", `\`), strings.ReplaceAll(v, "/", "%5c"), strings.ReplaceAll(v, "../", "..;/"),
			strings.ReplaceAll(v, "../", "%c0%ae%c0%ae%c0%af"), v+"%00", "%00"+v, strings.ReplaceAll(v, "../", "..%00/"),
			strings.ReplaceAll(v, "../", "....//"), strings.ReplaceAll(v, "../", "%uff0e%uff0e/"), "%2e/"+v, v+"%20", "+"+v)
	}
	return values
}

// few stand for them where a place is not known to become a path, and where there are many.
func (g *stage) few() []string {
	return []string{
		"", ".", "..", "../", "../../..", g.theirs(), "../../../u/alice", "../../../../.chunksign-secret", "../../canary.txt",
		"../Folder_/note.txt", "..%2f..%2f..%2f..%2f.chunksign-secret", "u/mallory/../alice/theirs.bin", "u//alice/theirs.bin",
		uploadsOf(aliceUp) + "/" + g.aliceID + "/1", "meta/policy", "meta/acl", g.top + "/canary.txt", "%2e%2e%5ccanary.txt", "%00",
		"01ARZ3NDEKTSV4RRFFQ69G5FA/", "-1", "4294967297", "Folder_", "%ff%fe", strings.Repeat("a", 1025),
	}
}
