package config

var authOptions = Options{Heading: "auth", oneOnly: true, List: []Option{
	{Name: "oidc", shape: within(&oidcOptions), Type: "mapping", Default: "", Example: "",
		Text: "bearer tokens of an OpenID Connect provider, whose keys are found by its address"},
	{Name: "jwt", shape: within(&jwtOptions), Type: "mapping", Default: "", Example: "",
		Text: "bearer tokens of one identity provider, whose keys are named"},
	{Name: "forward", shape: within(&forwardOptions), Type: "mapping", Default: "", Example: "",
		Text: "the application that the pages belong to is asked who its cookie is of"},
	{Name: "headers", shape: within(&headersOptions), Type: "mapping", Default: "", Example: "",
		Text: "a proxy in front signs people in and says who they are in headers"},
	{Name: "anonymous", shape: aFlag, Type: "`true`", Default: "", Example: "true",
		Text: "nobody signs in: everybody is the principal `anonymous`. Every destination then needs `rate`, which counts by address (of IPv6 by its first 64 bits; behind a proxy set `server.proxies`, or all count as one); `{user}` and `{claims.NAME}` cannot be used"},
	{Name: "dev", shape: aFlag, Type: "`true`", Default: "", Example: "true",
		Text: "everybody is the principal `dev`. Refused unless the server listens on loopback"},
}}

var oidcOptions = Options{Heading: "auth.oidc", List: []Option{
	{Name: "issuer", shape: aText, Required: true, Type: "URL", Default: "required", Example: "https://id.example.com/realms/main",
		Text: "the provider, exactly as it names itself: what `iss` must be; https, or http on loopback"},
	{Name: "audience", shape: aText, Required: true, Type: "text", Default: "required", Example: "uploads",
		Text: "what `aud` must be or contain"},
	{Name: "cookie", shape: aText, Type: "cookie name", Default: "none", Example: "session",
		Text: "the cookie that may hold the token; pages of `origins` may then send credentials"},
	{Name: "leeway", shape: aDuration, Type: "duration, 0s to 5m", Default: "`30s`", Example: "1m",
		Text: "what the clocks may be apart when a token begins or ends"},
}}

var jwtOptions = Options{Heading: "auth.jwt", List: []Option{
	{Name: "issuer", shape: aText, Required: true, Type: "text", Default: "required", Example: "https://id.example.com",
		Text: "what `iss` must be"},
	{Name: "audience", shape: aText, Required: true, Type: "text", Default: "required", Example: "uploads",
		Text: "what `aud` must be or contain"},
	{Name: "jwks_url", shape: aText, Type: "URL", Default: "this or `key_file`", Example: "https://id.example.com/keys",
		Text: "where the issuer publishes its keys; https, or http on loopback. Fetched at the first token, for an unknown key (every 10 s at most), and every 15 min, so that a withdrawn key ends. While it does not answer, known keys count for an hour more"},
	{Name: "key_file", shape: aText, Type: "file", Default: "this or `jwks_url`", Example: "id.pem",
		Text: "the keys themselves: PEM public keys or certificates, or a JSON Web Key Set; RSA, ECDSA, Ed25519. A private PEM key is refused"},
	{Name: "cookie", shape: aText, Type: "cookie name", Default: "none", Example: "session",
		Text: "the cookie that may hold the token; pages of `origins` may then send credentials"},
	{Name: "leeway", shape: aDuration, Type: "duration, 0s to 5m", Default: "`30s`", Example: "1m",
		Text: "what the clocks may be apart when a token begins or ends"},
}}

var forwardOptions = Options{Heading: "auth.forward", List: []Option{
	{Name: "url", shape: aText, Required: true, Type: "URL", Default: "required", Example: "https://app.example.com/whoami",
		Text: "what is asked; http off loopback is a warning. It is followed to no other address, and has 5 s and 64 KiB to answer"},
	{Name: "cookie", shape: aText, Type: "cookie name", Default: "all cookies", Example: "sessionid",
		Text: "the one cookie that is sent on. Name it: other cookies that change make the answer be asked for again"},
	{Name: "user", shape: aText, Type: "text", Default: "`sub`", Example: "id",
		Text: "the name in the reply under which it says who it is, a text or number that never changes its owner"},
}}

var headersOptions = Options{Heading: "auth.headers", List: []Option{
	{Name: "from", shape: aList, Required: true, Type: "list of addresses or ranges (CIDR)", Default: "required", Example: "[10.0.3.0/24, \"fd00::12\"]",
		Text: "where the proxy connects from; requests from elsewhere are nobody's. Not everybody (`0.0.0.0/0`, nor by several ranges together)"},
	{Name: "user", shape: aText, Type: "header", Default: "`X-Forwarded-User`", Example: "Remote-User",
		Text: "who it is; absent or empty: nobody; twice: refused"},
	{Name: "claims", shape: texts, Type: "mapping of claim to header", Default: "none", Example: "{ email: X-Forwarded-Email }",
		Text: "further claims, as texts"},
	{Name: "lists", shape: texts, Type: "mapping of claim to header", Default: "none", Example: "{ groups: X-Forwarded-Groups }",
		Text: "further claims, as lists: a header's parts between commas"},
}}
