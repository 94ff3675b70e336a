package config

// Values of AmazonS3/latest/API/API_PutObject.html.
var (
	acls           = oneOfThese("private", "public-read", "public-read-write", "authenticated-read", "aws-exec-read", "bucket-owner-read", "bucket-owner-full-control")
	storageClasses = oneOfThese("STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE", "OUTPOSTS", "GLACIER_IR", "SNOW", "EXPRESS_ONEZONE")
	encryptions    = oneOfThese("AES256", "aws:kms", "aws:kms:dsse")
)

// A destination has what defaults say, so alone it needs its key only.
var destinationOptions = Options{Heading: "destinations.NAME", List: []Option{
	{Name: "store", shape: aText, Type: "name", Default: "required", Example: "media",
		Text: "one of `stores`"},
	{Name: "bucket", shape: aText, Type: "bucket name", Default: "required", Example: "my-media",
		Text: "3 to 63 of `a-z`, `0-9`, `.` and `-`"},
	{Name: "key", shape: aText, Required: true, Type: "template", Default: "required", Example: "\"photos/{user}/{uuid}/{filename}\"",
		Text: "the object's key, see [Keys](#keys)"},
	{Name: "allow", shape: aText, Type: "CEL expression", Default: "any signed-in principal", Example: "\"'staff' in claims.groups\"",
		Text: "who may upload what, see [Rules](#rules)"},
	{Name: "rate", shape: aRate, Type: "number/`s`, `m`, `h` or `d`", Default: "no limit", Example: "30/m",
		Text: "how many grants one principal may ask for: as many at once, refilled evenly. What is over gets 429 with `Retry-After`. Renewals, and links to read, have the same for themselves, and never less than 10/m. Asking again with a checksum counts anew. Each replica counts for itself unless `server.redis` is there"},
	{Name: "content_types", shape: typesOrAny, Type: "list of type/subtype, type/\\*, or `any`", Default: "`any`", Example: "[image/*, application/pdf]",
		Text: "the media types taken, in lower case, held against what the page says (the bytes are not looked at). `any`: every type, also where defaults say otherwise; an empty list is a mistake"},
	{Name: "content_length", shape: aSizeRange, Type: "smallest..largest, sizes", Default: "required", Example: "1B..50MiB",
		Text: "the file sizes taken, at most 50TB"},
	{Name: "scope", shape: oneOfThese("object", "prefix", "shared"), Type: "`object`, `prefix`, `shared`", Default: "`object`", Example: "prefix",
		Text: "what a session may write: its one object, or every key under the template up to its first `{uuid}`, `{ulid}`, `{date}`, `{filename}`, `{basename}` or `{ext}`. `prefix` needs `{user}` or `{claims.NAME}` as a whole segment before that; with a claim alone, all who have it share the prefix. One session then serves many files of a user: fewer STS calls. `shared` is for a folder such as `uploads/pdfs/{filename}`: a session may then replace what others have uploaded there (at AWS only with `overwrite`), and abort their uploads. Not with `auth: anonymous`"},
	{Name: "duration", shape: aDuration, Type: "duration, 15m to 12h", Default: "the store's", Example: "15m",
		Text: "how long a session lasts"},
	{Name: "grant_duration", shape: aDuration, Type: "duration, `duration` to 30d", Default: "`7d`", Example: "14d",
		Text: "how long an upload may be resumed"},
	{Name: "overwrite", shape: aFlag, Type: "`true`, `false`", Default: "`false`", Example: "false",
		Text: "whether an existing object may be replaced. With a key that has nothing of the user that means everybody's objects: `check` warns, and refuses it with `auth: anonymous`"},
	{Name: "existence_optimization", shape: aFlag, Type: "`true`, `false`", Default: "`false`", Example: "false",
		Text: "whether a file whose bytes are at its key already is taken as uploaded, without being sent. Not with `{uuid}` or `{ulid}` in the key. The server compares SHA-256s with its own rights; the page learns only whether its own is right ([http.md](http.md#files-that-are-there-already)). It answers that for objects of others too where a key can be of several people: put `{user}` into it as a whole segment"},
	{Name: "read", shape: oneOfThese("none", "owner"), Type: "`none`, `owner`", Default: "`none`", Example: "owner",
		Text: "`owner`: who uploaded an object gets links to read it. Needs `{uuid}` or `{ulid}` in the key, or `{user}` as a whole segment"},
	{Name: "acl", shape: acls, Type: "canned ACL", Default: "none sent", Example: "bucket-owner-full-control",
		Text: "`private`, `public-read`, `public-read-write`, `authenticated-read`, `aws-exec-read`, `bucket-owner-read`, `bucket-owner-full-control`. The session may then set it, on AWS no other. MinIO and the embedded store take it without effect ([engines.md](engines.md))"},
	{Name: "cache_control", shape: aText, Type: "printable ASCII", Default: "none sent", Example: "max-age=86400",
		Text: "the object's Cache-Control"},
	{Name: "content_disposition", shape: aText, Type: "printable ASCII", Default: "none sent", Example: "attachment",
		Text: "the object's Content-Disposition. `{filename}` stands for the file's name, in `attachment; filename=\"{filename}\"` alone"},
	{Name: "content_encoding", shape: aText, Type: "printable ASCII", Default: "none sent", Example: "gzip",
		Text: "the object's Content-Encoding"},
	{Name: "metadata", shape: texts, Type: "mapping of text", Default: "none sent", Example: "{ app: gallery }",
		Text: "`x-amz-meta-…`: names of `a-z`, `0-9`, `-`, values in printable ASCII"},
	{Name: "tags", shape: texts, Type: "mapping of text", Default: "none sent", Example: "{ team: blue }",
		Text: "up to 10 tags, names up to 128 and values up to 256 bytes. The session may then set tags, on AWS exactly these ([AWS](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html))"},
	{Name: "storage_class", shape: storageClasses, Type: "S3 storage class", Default: "the bucket's", Example: "STANDARD_IA",
		Text: "`STANDARD`, `REDUCED_REDUNDANCY`, `STANDARD_IA`, `ONEZONE_IA`, `INTELLIGENT_TIERING`, `GLACIER`, `DEEP_ARCHIVE`, `OUTPOSTS`, `GLACIER_IR`, `SNOW`, `EXPRESS_ONEZONE`"},
	{Name: "server_side_encryption", shape: encryptions, Type: "`AES256`, `aws:kms`, `aws:kms:dsse`", Default: "the bucket's", Example: "aws:kms",
		Text: "`x-amz-server-side-encryption`"},
	{Name: "kms_key_id", shape: aText, Type: "key ARN", Default: "none", Example: "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
		Text: "the KMS key, with `aws:kms` or `aws:kms:dsse`; an ARN, for the session policy names it"},
	{Name: "checksum", shape: oneOfThese("SHA256"), Type: "`SHA256`", Default: "any", Example: "SHA256",
		Text: "the checksum that a finished object must have at the store, or it breaks its grant. Pages and `chunksign upload` send SHA-256 in any case; this is for presigned requests that might not, and keeps a store that keeps none from going unseen"},
	{Name: "conditions", shape: within(&conditionOptions), Type: "mapping", Default: "none", Example: "",
		Text: "what narrows a session beyond its key; AWS alone"},
	{Name: "bounds", shape: within(&boundsOptions), Type: "mapping", Default: "the file's", Example: "",
		Text: "this destination's own in place of the file's, each for itself"},
	{Name: "signing", shape: oneOfThese("session", "presigned"), Type: "`session`, `presigned`", Default: "`session`", Example: "presigned",
		Text: "who signs the requests to the store. `presigned`: the page gets no credentials; the server signs each part and makes the other calls, with a session as narrow as the page's would be where the store has `sts`, else with its own credentials. The library works the same, with a call of the server more for some parts ([security.md](security.md#pages-that-hold-no-secret))"},
	{Name: "compat", shape: listOf("evaporate", "s3direct"), Type: "list of `evaporate`, `s3direct`", Default: "none", Example: "[s3direct]",
		Text: "the libraries whose pages may use this destination as they are ([migrate.md](migrate.md)): EvaporateJS, by `GET /evaporate/sign`, and django-s3direct's widget, by its two views. Both are signed for with sessions: the store needs `sts`, and `signing: presigned` is not taken beside them. `s3direct` needs `scope: prefix` and, on AWS, `overwrite: true`"},
	{Name: "verify", shape: within(&verifyOptions), Type: "mapping", Default: "see below", Example: "",
		Text: "as whom the server looks at objects, and whether it deletes"},
	{Name: "webhook", shape: within(&webhookOptions), Type: "mapping", Default: "none", Example: "",
		Text: "the application that is told of finished uploads"},
}}

var verifyOptions = Options{Heading: "destinations.NAME.verify", List: []Option{
	{Name: "role_arn", shape: aText, Type: "ARN", Default: "none: the server's own credentials", Example: "arn:aws:iam::123456789012:role/uploads-verify",
		Text: "a role that the server assumes, at the store's `sts`, to look at this destination's objects and to delete them. It needs the [server's own rights](#the-servers-own-rights) at the bucket; the server itself then needs `sts:AssumeRole` on it, and `s3:GetObject` only for `read: owner`, whose links it signs itself. Not the role of the sessions"},
	{Name: "external_id", shape: aText, Type: "text", Default: "none", Example: "chunksign-prod",
		Text: "the ExternalId that the role's trust policy asks for"},
	{Name: "delete", shape: aFlag, Type: "`true`, `false`", Default: "`true`", Example: "false",
		Text: "whether an object that breaks its grant is deleted. `false`: it is reported and left"},
	{Name: "headers", shape: aFlag, Type: "`true`, `false`", Default: "`true`", Example: "false",
		Text: "whether what an object is stored with must be what the destination says: Cache-Control, Content-Disposition, Content-Encoding, no Content-Language and no Expires, metadata, the number of tags, the storage class, and where set the encryption and the KMS key. `false`: only size, type, redirect, legal hold, `checksum` and `conditions.encryption` are compared, for stores that add headers of their own to an object's"},
}}

var webhookOptions = Options{Heading: "destinations.NAME.webhook", List: []Option{
	{Name: "url", shape: aText, Required: true, Type: "URL", Default: "required", Example: "https://app.example.com/uploads/finished",
		Text: "where the application hears of a finished upload, by POST; http off loopback is a warning"},
	{Name: "timeout", shape: aDuration, Type: "duration, 1s to 20s", Default: "`10s`", Example: "5s",
		Text: "how long the application may take to answer"},
	{Name: "private", shape: aFlag, Type: "`true`, `false`", Default: "`false`", Example: "false",
		Text: "whether the name in `url` may stand for an address that is not public: of this machine, of a private network (`10.0.0.0/8` and the like), link-local, any other of IANA's special networks, NAT64, or `168.63.129.16` (Azure's own). An address written out in `url`, and `localhost`, need no such word"},
}}

var conditionOptions = Options{Heading: "destinations.NAME.conditions", List: []Option{
	{Name: "source_ip", shape: addressesOrClient, Type: "list of addresses or ranges (CIDR), or `client`", Default: "from anywhere", Example: "[198.51.100.0/24]",
		Text: "where a session may be used from. `client`: only from the address that the page asked this server from, so that a session that leaks is of no use elsewhere; not where pages reach the two by different ways (IPv4 and IPv6, a VPN), and behind a proxy with `server.proxies` only"},
	{Name: "secure_transport", shape: aFlag, Type: "`true`, `false`", Default: "`false`", Example: "true",
		Text: "whether a session is of use by TLS only"},
	{Name: "encryption", shape: aFlag, Type: "`true`, `false`", Default: "`false`", Example: "true",
		Text: "whether objects must be encrypted as `server_side_encryption` says: the session cannot ask for another, and a finished object that is not breaks its grant"},
}}

var boundsOptions = Options{Heading: "bounds", List: []Option{
	{Name: "content_length", shape: aSizeRange, Type: "smallest..largest, sizes", Default: "none", Example: "1B..5GiB",
		Text: "of `content_length`"},
	{Name: "duration", shape: pattern(`\.\.`), Type: "shortest..longest, durations", Default: "none", Example: "15m..1h",
		Text: "of `duration`, also where it is the store's"},
	{Name: "grant_duration", shape: pattern(`\.\.`), Type: "shortest..longest, durations", Default: "none", Example: "1d..14d",
		Text: "of `grant_duration`"},
}}
