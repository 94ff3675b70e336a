package config

var theFile = Options{Heading: "Top level", List: []Option{
	{Name: "server", shape: within(&serverOptions), Type: "mapping", Default: "see below", Example: "",
		Text: "where the server listens and for whom"},
	{Name: "auth", shape: within(&authOptions), Required: true, Type: "mapping", Default: "required", Example: "",
		Text: "how people sign in"},
	{Name: "stores", shape: named(&storeOptions), Required: true, Type: "mapping of name to store", Default: "required", Example: "",
		Text: "S3 endpoints and how sessions for them are obtained"},
	{Name: "defaults", shape: within(defaultOptions), Type: "mapping", Default: "none", Example: "{ store: media, bucket: my-media, content_length: 1B..50MiB, rate: 30/m }",
		Text: "what destinations have that do not say it themselves: any option of a [destination](#destinationsname) but `key`. A destination's own value replaces it whole; an option that some destinations go without has no place here"},
	{Name: "bounds", shape: within(&boundsOptions), Type: "mapping", Default: "none", Example: "",
		Text: "what no destination may go beyond, unless it has [bounds](#bounds) of its own"},
	{Name: "destinations", shape: named(&destinationOptions), Required: true, Type: "mapping of name to destination", Default: "required, one or more", Example: "",
		Text: "upload targets and their rules"},
}}

// defaultOptions are a destination's: all but its key, which tells destinations apart.
var defaultOptions = destinationOptions.without("key")

var serverOptions = Options{Heading: "server", List: []Option{
	{Name: "listen", shape: aText, Type: "host:port", Default: "`127.0.0.1:8080`", Example: "127.0.0.1:8443",
		Text: "the address to listen on"},
	{Name: "origins", shape: aList, Type: "list of origins", Default: "none", Example: "[https://app.example.com]",
		Text: "the pages, besides the server's own, that may call: scheme, host and port, in lower case, no path, no `*`"},
	{Name: "metrics", shape: aList, Type: "list of addresses or ranges (CIDR)", Default: "nobody; without `-config` this machine", Example: "[10.0.9.4]",
		Text: "who may read [`/metrics`](#logs-and-metrics): connections from these that carry no `X-Forwarded-For`, `Forwarded` or `Via`. To others nothing is there"},
	{Name: "proxies", shape: aList, Type: "list of addresses or ranges (CIDR)", Default: "none", Example: "[10.0.3.0/24]",
		Text: "proxies in front, which append where a request comes from to `X-Forwarded-For`: their word counts for `request.ip`, rates with `auth: anonymous`, and the log. `auth.headers` has its own `from`"},
	{Name: "redis", shape: aText, Type: "URL", Default: "none: each replica counts for itself", Example: "rediss://cache.example.com:6379/0",
		Text: "where the destinations' `rate` is counted for all replicas together: `redis://`, `rediss://` (TLS) or `unix://`, 6 or newer, without user and password. While it does not answer, destinations with a `rate` answer 503 `limit_unavailable`"},
	{Name: "tls", shape: within(&tlsOptions), Type: "mapping", Default: "none: plain HTTP", Example: "",
		Text: "the server's own TLS. Replies carry credentials: without it, put a proxy with TLS in front, one that passes `Host` on"},
}}

var tlsOptions = Options{Heading: "server.tls", List: []Option{
	{Name: "cert", shape: aText, Required: true, Type: "file", Default: "required", Example: "cert.pem",
		Text: "PEM: the certificate and its chain"},
	{Name: "key", shape: aText, Required: true, Type: "file", Default: "required", Example: "key.pem",
		Text: "PEM: its private key"},
}}
