package main

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// elsewhere are keys that are not Mallory's, though some look so: to a store that
// decodes twice, cleans paths, folds case or normalises Unicode, or that takes a
// policy's resource for more than one key.
var elsewhere = []struct {
	name, path string
	within     bool
	breaks     string
}{
	{"Alice's object", "/media/{theirs}", false, ""},
	{"a new key of Alice's", "/media/u/alice/{n}/fresh.bin", false, ""},
	{"a key at the top", "/media/{n}.bin", false, ""},
	{"another bucket", "/other/{own}", false, ""},
	{"Alice's key in another bucket", "/other/{theirs}", false, ""},
	{"a bucket whose name begins the same", "/media2/{own}", false, ""},
	{"the key and more", "/media/{own}.exe", true, ""},
	{"the key as a folder", "/media/{own}/x", true, ""},
	{"the key with a slash", "/media/{own}/", true, ""},
	{"the key's folder", "/media/{dir}", true, ""},
	{"the key's neighbour", "/media/{dir}/{n}.bin", true, ""},
	{"the key but for its end", "/media/{dir}/n", true, ""},
	{"a user whose name begins the same", "/media/u/mallory2/{n}", false, ""},
	{"a user whose name ends the same", "/media/u/xmallory/{n}", false, ""},
	{"the user's name in capitals", "/media/u/MALLORY/{n}", false, ""},
	{"the prefix in capitals", "/media/U/mallory/{n}", false, ""},
	{"the user's folder, no slash", "/media/u/mallory{n}", false, ""},
	{"the prefix within another", "/media/x/u/mallory/{n}", false, ""},
	{"the key in capitals", "/media/{dir}/N%C3%84ME.BIN", true, ""},
	{"the key decomposed", "/media/{dir}/na%CC%88me.bin", true, ""},
	{"the key in Latin-1", "/media/{dir}/n%E4me.bin", true, ""},
	{"a Cyrillic a in the user's name", "/media/u/m%D0%B0llory/{n}", false, ""},
	{"full-width letters in the user's name", "/media/u/%EF%BD%8Dallory/{n}", false, ""},
	{"a zero-width space in the user's name", "/media/u/mallory%E2%80%8B/{n}", false, ""},
	{"a soft hyphen in the user's name", "/media/u/mal%C2%ADlory/{n}", false, ""},
	{"a full-width slash", "/media/u%EF%BC%8Fmallory/{n}", false, ""},
	{"a space at the end", "/media/{own}%20", true, ""},
	{"a tab at the end", "/media/{own}%09", true, ""},
	{"a dot at the end", "/media/{own}.", true, ""},
	{"a line break at the end", "/media/{own}%0A", true, ""},
	{"a zero byte at the end", "/media/{own}%00", true, ""},
	{"a zero byte before Alice's", "/media/{own}%00/../../../alice/{n}/x", false, ""},
	{"an escaped slash, to Alice", "/media/u%2Falice%2F{n}%2Fx", false, ""},
	{"dot segments", "/media/{dir}/../../alice/{n}/x", false, ""},
	{"escaped dots", "/media/{dir}/%2e%2e/%2e%2e/alice/{n}/x", false, ""},
	{"escaped dots and slashes", "/media/{dir}%2F..%2F..%2Falice%2F{n}%2Fx", false, ""},
	{"dots escaped twice", "/media/{dir}/%252e%252e/%252e%252e/alice/{n}/x", true, ""},
	{"dots in UTF-8 that is too long", "/media/{dir}/%C0%AE%C0%AE/%C0%AE%C0%AE/alice/{n}/x", true, embedded},
	{"backslashes", "/media/{dir}/..%5C..%5Calice%5C{n}", true, ""},
	{"dot segments out of the bucket", "/media/{dir}/../../../../other/{n}", false, ""},
	{"dot segments below the key", "/media/{own}/../../../alice/{n}/x", false, ""},
	{"single dots", "/media/./u/./alice/./{n}/x", false, ""},
	{"an empty segment before the key", "/media//{own}", false, ""},
	{"an empty segment before the user", "/media/u//mallory/{n}", true, ""},
	{"a slash as the key's first", "/media/%2F{own}", false, ""},
	{"a star for the rest", "/media/u/mallory*/{n}", false, ""},
	{"a star for the user", "/media/u/*/{n}", false, ""},
	{"a star alone", "/media/*", false, ""},
	{"a question mark for a letter", "/media/u/mallor%3F/{n}", false, ""},
	{"a question mark after the key", "/media/{own}%3F", true, ""},
	{"a variable for the user", "/media/u/$%7Baws:username%7D/{n}", false, ""},
	{"a variable for a star", "/media/u/$%7B*%7D/{n}", false, ""},
	{"a percent sign after the key", "/media/{own}%25", true, ""},
	{"a plus sign for the space", "/media/u/mallory+/{n}", false, ""},
	{"a semicolon after the key", "/media/{own};versionId=null", true, ""},
	{"a hash sign after the key", "/media/{own}%23", true, ""},
	{"a key of 1,000 bytes", "/media/" + strings.Repeat("k", 100) + "/" + strings.Repeat("k", 200) + "/" + strings.Repeat("k", 200) + "/" + strings.Repeat("k", 200) + "/" + strings.Repeat("k", 200) + "/{n}", false, ""},
	{"the bucket's name in the key", "/media/media/{own}", false, ""},
	{"the resource's name in the key", "/media/arn:aws:s3:::media/{n}", false, ""},
}

// toKeys are attacks that put, create, copy, delete and read elsewhere.
func toKeys() (all []attack) {
	for i, k := range elsewhere {
		all = append(all, attack{name: "PutObject: " + k.name, method: "PUT", path: k.path, body: "by mallory", within: k.within, breaks: k.breaks})
		if i%2 == 0 {
			all = append(all, attack{name: "CopyObject from her own: " + k.name, method: "PUT", path: k.path, header: map[string]string{"X-Amz-Copy-Source": "/media/{own}"}, breaks: k.breaks})
		}
		if i%2 == 1 {
			all = append(all, attack{name: "UploadPart and Complete: " + k.name, within: k.within, breaks: k.breaks, do: func(w *world, as aws.Credentials) {
				path := w.fill(k.path, escapePath)
				made := w.send(as, "POST", path, "uploads=", nil, "")
				_, id, _ := strings.Cut(made.text, "<UploadId>")
				id, _, _ = strings.Cut(id, "<")
				part := w.send(as, "PUT", path, "partNumber=1&uploadId="+id, nil, "by mallory")
				w.send(as, "POST", path, "uploadId="+id, nil, completion(part))
			}})
		}
	}
	for _, k := range []struct{ name, path string }{
		{"as it is", "/media/{theirs}"}, {"by dot segments", "/media/{dir}/../../alice/{n}/theirs.bin"}, {"by escaped dots", "/media/{dir}/%2e%2e/%2e%2e/alice/{n}/theirs.bin"},
		{"below her key", "/media/{own}/../../../alice/{n}/theirs.bin"}, {"by escaped slashes", "/media/u%2Falice%2F{n}%2Ftheirs.bin"}, {"by escaped letters", "/media/%75/%61lice/{n}/theirs.bin"},
		{"from another bucket", "/other/../media/{theirs}"}, {"by an empty segment", "/media//{theirs}"}, {"by single dots", "/media/./u/./alice/./{n}/theirs.bin"},
	} {
		all = append(all,
			attack{name: "GetObject " + k.name, method: "GET", path: k.path, leak: secretOf + "{n}"},
			attack{name: "HeadObject " + k.name, method: "HEAD", path: k.path, leak: "Etag"},
			attack{name: "DeleteObject " + k.name, method: "DELETE", path: k.path})
	}
	return all
}

// completion is a Complete's body for the part that a reply is about.
func completion(part hit) string {
	_, etag, _ := strings.Cut(part.text, "Etag: ")
	etag, _, _ = strings.Cut(etag, "\r")
	return "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" + etag + "</ETag></Part></CompleteMultipartUpload>"
}

// onOwn are attacks on Mallory's own key, where she may put and nothing else.
var onOwn = []attack{
	{name: "GetObject of her own", method: "GET", path: "/media/{own}", leak: ownBytes},
	{name: "GetObject of her own, a range", method: "GET", path: "/media/{own}", header: map[string]string{"Range": "bytes=0-6"}, leak: "mallory"},
	{name: "GetObject of her own, a part", method: "GET", path: "/media/{own}", query: "partNumber=1", leak: ownBytes},
	{name: "GetObject of her own, with another type", method: "GET", path: "/media/{own}", query: "response-content-type=text%2Fhtml", leak: ownBytes},
	{name: "HeadObject of her own", method: "HEAD", path: "/media/{own}", leak: "Etag"},
	{name: "GetObjectAttributes of her own", method: "GET", path: "/media/{own}", query: "attributes=", header: map[string]string{"X-Amz-Object-Attributes": "ETag,ObjectSize"}, leak: "ObjectSize"},
	{name: "GetObjectTagging of her own", method: "GET", path: "/media/{own}", query: "tagging=", leak: "TagSet"},
	{name: "GetObjectAcl of her own", method: "GET", path: "/media/{own}", query: "acl=", leak: "AccessControlList"},
	{name: "DeleteObject of her own", method: "DELETE", path: "/media/{own}"},
	{name: "DeleteObject of her own, version null", method: "DELETE", path: "/media/{own}", query: "versionId=null"},
	{name: "PutObjectTagging of her own", method: "PUT", path: "/media/{own}", query: "tagging=", body: tagging, looks: objects},
	{name: "PutObjectAcl of her own", method: "PUT", path: "/media/{own}", query: "acl=", header: map[string]string{"X-Amz-Acl": "public-read"}, looks: objects},
	{name: "PutObjectAcl of her own, a body", method: "PUT", path: "/media/{own}", query: "acl=", body: publicACL, looks: objects},
	{name: "SelectObjectContent of her own", method: "POST", path: "/media/{own}", query: "select=&select-type=2", body: selectAll, leak: ownBytes},
	{name: "ListMultipartUploads of her own key", method: "GET", path: "/media", query: "uploads=&prefix={own}", leak: "{ownupload}"},
	{name: "DeleteObjects of her own", method: "POST", path: "/media", query: "delete=", body: "<Delete><Object><Key>{own}</Key></Object></Delete>"},
}

// onTheirs are attacks on Alice's object and upload by other verbs.
var onTheirs = []attack{
	{name: "GetObject, a range", method: "GET", path: "/media/{theirs}", header: map[string]string{"Range": "bytes=0-4"}, leak: "alice"},
	{name: "GetObject, a part", method: "GET", path: "/media/{theirs}", query: "partNumber=1", leak: secretOf},
	{name: "GetObject, version null", method: "GET", path: "/media/{theirs}", query: "versionId=null", leak: secretOf},
	{name: "GetObject, with other headers", method: "GET", path: "/media/{theirs}", query: "response-content-disposition=inline", leak: secretOf},
	{name: "GetObject, if it has another ETag", method: "GET", path: "/media/{theirs}", header: map[string]string{"If-None-Match": `"x"`}, leak: secretOf},
	{name: "GetObject, her own key in the query", method: "GET", path: "/media/{theirs}", query: "key={own}&prefix={own}", leak: secretOf},
	{name: "GetObject, not signed", method: "GET", path: "/media/{theirs}", plain: true, owner: true, leak: secretOf},
	{name: "PutObject, not signed", method: "PUT", path: "/media/u/alice/{n}/x", body: "x", plain: true, owner: true},
	{name: "DeleteObject, not signed", method: "DELETE", path: "/media/{theirs}", plain: true, owner: true},
	{name: "GetObjectAttributes", method: "GET", path: "/media/{theirs}", query: "attributes=", header: map[string]string{"X-Amz-Object-Attributes": "ETag,ObjectSize"}, leak: "ObjectSize"},
	{name: "GetObjectTagging", method: "GET", path: "/media/{theirs}", query: "tagging=", leak: "TagSet"},
	{name: "GetObjectAcl", method: "GET", path: "/media/{theirs}", query: "acl=", leak: "AccessControlList"},
	{name: "SelectObjectContent", method: "POST", path: "/media/{theirs}", query: "select=&select-type=2", body: selectAll, leak: secretOf},
	{name: "PutObjectTagging", method: "PUT", path: "/media/{theirs}", query: "tagging=", body: tagging, looks: objects},
	{name: "PutObjectAcl", method: "PUT", path: "/media/{theirs}", query: "acl=", header: map[string]string{"X-Amz-Acl": "public-read"}, looks: objects},
	{name: "PutObjectAcl, a body", method: "PUT", path: "/media/{theirs}", query: "acl=", body: publicACL, looks: objects},
	{name: "DeleteObject, version null", method: "DELETE", path: "/media/{theirs}", query: "versionId=null"},
	{name: "DeleteObject, her own key in the query", method: "DELETE", path: "/media/{theirs}", query: "key={own}"},
	{name: "DeleteObjects", method: "POST", path: "/media", query: "delete=", body: "<Delete><Object><Key>{theirs}</Key></Object></Delete>"},
	{name: "DeleteObjects, quietly, behind her own", method: "POST", path: "/media", query: "delete=", body: "<Delete><Quiet>true</Quiet><Object><Key>{dir}/none</Key></Object><Object><Key>{theirs}</Key></Object></Delete>"},
	{name: "DeleteObjects at her own key", method: "POST", path: "/media/{own}", query: "delete=", body: "<Delete><Object><Key>{theirs}</Key></Object></Delete>"},
	{name: "CreateMultipartUpload", method: "POST", path: "/media/fresh/{n}.bin", query: "uploads=", looks: uploads},
	{name: "CreateMultipartUpload over Alice's", method: "POST", path: "/media/{theirs}", query: "uploads=", looks: uploads},
	{name: "UploadPart", method: "PUT", path: "/media/{theirs}.mp4", query: "partNumber=2&uploadId={theirupload}", body: "by mallory", looks: uploads},
	{name: "UploadPart in place of hers", method: "PUT", path: "/media/{theirs}.mp4", query: "partNumber=1&uploadId={theirupload}", body: "by mallory", looks: uploads},
	{name: "UploadPart without a number", method: "PUT", path: "/media/{theirs}.mp4", query: "uploadId={theirupload}", body: "by mallory", looks: uploads},
	{name: "UploadPartCopy from her own", method: "PUT", path: "/media/{theirs}.mp4", query: "partNumber=2&uploadId={theirupload}", header: map[string]string{"X-Amz-Copy-Source": "/media/{own}"}, looks: uploads},
	{name: "ListParts", method: "GET", path: "/media/{theirs}.mp4", query: "uploadId={theirupload}", leak: "<Part>"},
	{name: "ListParts, from a marker", method: "GET", path: "/media/{theirs}.mp4", query: "uploadId={theirupload}&part-number-marker=0&max-parts=1", leak: "<Part>"},
	{name: "AbortMultipartUpload", method: "DELETE", path: "/media/{theirs}.mp4", query: "uploadId={theirupload}", looks: uploads},
	{name: "AbortMultipartUpload by dot segments", method: "DELETE", path: "/media/{dir}/../../alice/{n}/theirs.bin.mp4", query: "uploadId={theirupload}", looks: uploads},
	{name: "CompleteMultipartUpload", looks: uploads, do: completeTheirs},
	{name: "ListMultipartUploads of Alice's key", method: "GET", path: "/media", query: "uploads=&prefix={theirs}.mp4", leak: "{theirupload}"},
	{name: "a form for Alice's key", do: func(w *world, as aws.Credentials) { postForm(w, as, w.theirs()) }},
	{name: "a form for a new key", do: func(w *world, as aws.Credentials) { postForm(w, as, "fresh/"+w.theirs()) }},
	{name: "a form that takes its key from the file's name", do: func(w *world, as aws.Credentials) { postForm(w, as, "u/alice/${filename}") }},
	{name: "a presigned PUT", do: func(w *world, as aws.Credentials) {
		if p, err := s3.NewPresignClient(w.s3(as)).PresignPutObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String("media"), Key: aws.String(w.theirs())}); err == nil {
			w.at(p.Method, p.URL, "by mallory")
		}
	}},
	{name: "a presigned GET", leak: secretOf, do: func(w *world, as aws.Credentials) {
		if p, err := s3.NewPresignClient(w.s3(as)).PresignGetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String("media"), Key: aws.String(w.theirs())}); err == nil {
			w.at(p.Method, p.URL, "")
		}
	}},
	{name: "a presigned DELETE", do: func(w *world, as aws.Credentials) {
		if p, err := s3.NewPresignClient(w.s3(as)).PresignDeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: aws.String("media"), Key: aws.String(w.theirs())}); err == nil {
			w.at(p.Method, p.URL, "")
		}
	}},
	{name: "PutObject by a chunked body", do: func(w *world, as aws.Credentials) {
		w.s3(as).PutObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String("media"), Key: aws.String(w.theirs()), Body: strings.NewReader("by mallory"), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32})
	}},
}
