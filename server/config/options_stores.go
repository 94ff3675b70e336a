package config

var storeOptions = Options{Heading: "stores.NAME", List: []Option{
	{Name: "region", shape: aText, Required: true, Type: "text", Default: "required", Example: "eu-west-1",
		Text: "the region that requests are signed for"},
	{Name: "endpoint", shape: aText, Type: "URL", Default: "Amazon S3 in the region", Example: "https://minio.example.com",
		Text: "another store's base URL: scheme, host, port, lower case, no bucket, no path. http off loopback is a warning. Leave it out for AWS"},
	{Name: "addressing", shape: oneOfThese("path", "virtual"), Type: "`path`, `virtual`", Default: "AWS: `virtual`, or `path` where the bucket has a dot; with `endpoint`: `path`", Example: "path",
		Text: "whether the bucket is in the path or in the host name ([AWS](https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html))"},
	{Name: "ca", shape: aText, Type: "file", Default: "this machine's authorities", Example: "minio-ca.pem",
		Text: "PEM: the certificates of the authorities that the store's own, and its STS's, are of; no other counts then. It is for the server; browsers have to know them too"},
	{Name: "sts", shape: within(&stsOptions), Type: "mapping", Default: "none", Example: "",
		Text: "who hands out the session credentials. Without it there are none: all destinations of the store have `signing: presigned`, and the server signs with its own credentials. With `endpoint` it tries the store first, once for each bucket: one that honours headers which a presigned request does not sign, as [MinIO and Ceph do](engines.md), would copy anybody's object with them, so nothing is signed for it (`signing_not_enforced`)"},
	{Name: "conditional_delete", shape: aFlag, Type: "`true`, `false`", Default: "AWS: `true`; with `endpoint`: `false`", Example: "false",
		Text: "whether the store honours `If-Match` on DeleteObject, so that the server can delete exactly the object that it looked at ([AWS](https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html)). Do not say so of a store that ignores it: another's object could be deleted"},
	{Name: "unsigned_headers", shape: aFlag, Type: "`true`, `false`", Default: "`false`", Example: "true",
		Text: "write `true` where the store honours `x-amz-` headers that a presigned request does not sign, as [Ceph's radosgw 16.2](engines.md) does: presigned PUTs then sign such headers with values that give nothing (most are empty), and whoever sends the request sends them too. `chunksign doctor` tries it. Copies it does not keep away: those take `sts`"},
	{Name: "sign_parts_in", shape: oneOfThese("query", "headers"), Type: "`query`, `headers`", Default: "`query`", Example: "headers",
		Text: "where the signatures of presigned parts stand, which destinations with `signing: presigned` upload by. `headers` is for stores whose answers to a URL with a signature no page may read, as those of Ceph's radosgw 16.2; such parts are good for 10 minutes, and hold their bytes by `x-amz-content-sha256`"},
}}

var stsOptions = Options{Heading: "stores.NAME.sts", List: []Option{
	{Name: "role_arn", shape: aText, Required: true, Type: "ARN", Default: "required", Example: "arn:aws:iam::123456789012:role/uploads",
		Text: "the role that sessions are of; their rights are its rights cut down to one upload"},
	{Name: "endpoint", shape: aText, Type: "URL", Default: "AWS: the region's STS; else the store's `endpoint`", Example: "https://sts.example.com",
		Text: "where AssumeRole is sent"},
	{Name: "region", shape: aText, Type: "text", Default: "the store's", Example: "eu-central-1",
		Text: "the region whose STS is asked: `sts.REGION.amazonaws.com`, unless `endpoint` says otherwise. For a store in a region where the account has not activated STS"},
	{Name: "external_id", shape: aText, Type: "text", Default: "none", Example: "chunksign-prod",
		Text: "the ExternalId that the role's trust policy asks for"},
	{Name: "via", shape: within(&viaOptions), Type: "mapping", Default: "none: the server's own credentials", Example: "",
		Text: "a role that the server assumes first, and as which it assumes `role_arn`, such as one of another account"},
	{Name: "source_identity", shape: aFlag, Type: "`true`, `false`", Default: "`false`", Example: "true",
		Text: "whether sessions carry the principal as their source identity, which stays in CloudTrail whatever they do ([AWS](https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html)); as readable as in the session's name. The role's trust policy has to allow `sts:SetSourceIdentity`: `chunksign iam` prints it"},
	{Name: "tags", shape: texts, Type: "mapping of text", Default: "none", Example: "{ user: \"{user}\", app: gallery }",
		Text: "session tags, for AWS's own policies and bills; values may hold `{user}`, `{claims.NAME}` and `{destination}`, encoded as in [keys](#keys). Each takes its part of STS's packed limit: where that is full, grants answer `packed_policy_too_large`. The role's trust policy has to allow `sts:TagSession`"},
	{Name: "trusted", shape: aFlag, Type: "`true`, `false`", Default: "AWS: `true`; with `endpoint`: `false`", Example: "false",
		Text: "whether pages get sessions of the store without a trial. Otherwise the server tries first, as a thief would and without writing anything, to get more out of one than its policy gives; where that works no page gets any: uploads answer `sessions_not_kept`, and `signing: presigned` is what to write. Once for each destination, at its first upload"},
	{Name: "duration", shape: aDuration, Type: "duration, 15m to 12h", Default: "`15m`", Example: "1h",
		Text: "how long sessions last, for destinations that do not say"},
}}

var viaOptions = Options{Heading: "stores.NAME.sts.via", List: []Option{
	{Name: "role_arn", shape: aText, Required: true, Type: "ARN", Default: "required", Example: "arn:aws:iam::210987654321:role/gateway",
		Text: "the role in between; the trust policy of `sts.role_arn` names it"},
	{Name: "external_id", shape: aText, Type: "text", Default: "none", Example: "chunksign-prod",
		Text: "the ExternalId that the trust policy of the role in between asks for"},
}}
