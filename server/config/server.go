package config

import (
	"crypto"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/chunksign/chunksign/server/destination"
)

// DefaultListen is where the server listens unless it is told otherwise.
const DefaultListen = "127.0.0.1:8080"

func (d *document) server(root *object, c *Config) {
	c.Listen = DefaultListen
	n := root.fields["server"]
	if n == nil {
		return
	}
	o := d.object(n, "server", "listen", "origins", "tls")
	if v := o.text("listen"); v != "" {
		if _, port, err := net.SplitHostPort(v); err != nil || port == "" {
			o.mistake("listen", "listen is %q; write host:port, such as %s", v, DefaultListen)
		}
		c.Listen = v
	}
	for _, item := range o.list("origins") {
		if d.origin(item) {
			c.Origins = append(c.Origins, item.Value)
		}
	}
	if n := o.fields["tls"]; n != nil {
		t := d.object(n, "tls", "cert", "key")
		c.TLS = &TLS{Cert: beside(d.file, t.required("cert", "cert.pem")), Key: beside(d.file, t.required("key", "key.pem"))}
	}
}

// origin checks one of the pages' origins, which browsers write without a path
// and in lower case (RFC 6454, section 6.2).
func (d *document) origin(n *yaml.Node) bool {
	u, err := url.Parse(n.Value)
	switch {
	case n.Value == "*":
		d.mistake(n, "the origin * would let every page use this server with its visitors' sign-in; list the origins, such as https://app.example.com")
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		d.mistake(n, "%q is not an origin; write scheme, host and port, such as https://app.example.com", n.Value)
	case n.Value != strings.ToLower(u.Scheme+"://"+u.Host):
		d.mistake(n, "%q is more than an origin, or not in lower case; write %s", n.Value, strings.ToLower(u.Scheme+"://"+u.Host))
	default:
		return true
	}
	return false
}

func (d *document) auth(root *object, c *Config, keys func(string) ([]crypto.PublicKey, error)) {
	n := root.fields["auth"]
	if n == nil {
		if !root.broken {
			d.mistake(root.node, "the file has no auth, so nobody could sign in; write auth: { jwt: { issuer: …, audience: …, jwks_url: … } }, or auth: { dev: true } for this machine only")
		}
		return
	}
	o := d.object(n, "auth", "jwt", "dev")
	dev, jwt := o.fields["dev"], o.fields["jwt"]
	switch {
	case dev != nil && jwt != nil:
		o.mistake("dev", "auth has both dev and jwt; keep one")
	case dev != nil:
		d.dev(o, dev, c)
	case jwt != nil:
		c.Auth.JWT = d.jwt(jwt, keys)
	case len(o.keys) == 0 && len(d.mistakes) == 0:
		d.mistake(n, "auth names no way to sign in; write jwt: { issuer: …, audience: …, jwks_url: … }, or dev: true for this machine only")
	}
}

// dev is true, or a mapping with nothing in it.
func (d *document) dev(o *object, n *yaml.Node, c *Config) {
	if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		c.Auth.Dev = true
	} else {
		c.Auth.Dev = o.flag("dev")
		if !c.Auth.Dev {
			o.mistake("dev", "auth names no way to sign in; write dev: true, or jwt: { issuer: …, audience: …, jwks_url: … }")
		}
	}
	host, _, _ := net.SplitHostPort(c.Listen)
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		d.mistake(n, "auth: dev lets everybody in and may listen on this machine only, not on %q; write listen: %s, or configure auth.jwt", c.Listen, DefaultListen)
	}
}

var cookieName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$") // RFC 6265, section 4.1.1

func (d *document) jwt(n *yaml.Node, keys func(string) ([]crypto.PublicKey, error)) *JWT {
	o := d.object(n, "auth.jwt", "issuer", "audience", "jwks_url", "key_file", "cookie")
	j := &JWT{Issuer: o.required("issuer", "https://id.example.com"), Audience: o.required("audience", "uploads"), JWKSURL: o.text("jwks_url"), Cookie: o.text("cookie")}
	if j.Cookie != "" && !cookieName.MatchString(j.Cookie) {
		o.mistake("cookie", "cookie is %q; write a cookie's name, such as session", j.Cookie)
	}
	file := o.text("key_file")
	switch {
	case o.broken:
	case j.JWKSURL != "" && file != "":
		o.mistake("key_file", "auth.jwt has both jwks_url and key_file; keep one")
	case o.fields["jwks_url"] == nil && o.fields["key_file"] == nil:
		d.mistake(n, "auth.jwt has no keys to check tokens with; write jwks_url: https://id.example.com/keys, or key_file: keys.pem")
	case j.JWKSURL != "":
		d.webURL(o, "jwks_url", j.JWKSURL)
	case file != "":
		var err error
		if j.Keys, err = keys(file); err != nil {
			o.mistake("key_file", "key_file %q cannot be used: %v", file, err)
		}
	}
	return j
}

// webURL checks a URL that keys or credentials come from: in the clear only
// from this machine.
func (d *document) webURL(o *object, name, v string) {
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http":
		o.mistake(name, "%s is not a URL that can be used; write such as https://id.example.com/keys", name)
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		o.mistake(name, "%s is not encrypted, so anybody between could change what comes from it; write https://%s", name, u.Host+u.EscapedPath())
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

var (
	storeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)
	region    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,31}$`)
	roleARN   = regexp.MustCompile(`^arn:[^:\s]+:[^:\s]*:[^:\s]*:[^:\s]*:[^\s]+$`)
)

func (d *document) stores(root *object, c *Config) map[string]*store {
	found := map[string]*store{}
	n := root.fields["stores"]
	if n == nil {
		if !root.broken {
			d.mistake(root.node, "the file has no stores; write stores: { media: { region: eu-west-1, sts: { role_arn: … } } }")
		}
		return found
	}
	all := d.object(n, "stores")
	for _, name := range all.keys {
		if !storeName.MatchString(name) {
			d.mistake(all.names[name], "the store's name %q is not 1 to 64 letters, digits, - or _; rename it", name)
		}
		found[name] = d.store(all.fields[name], name)
		c.Stores = append(c.Stores, &found[name].Store)
	}
	return found
}

// store is a Store with the session duration that its destinations have by default.
type store struct {
	destination.Store
	duration time.Duration
}

func (d *document) store(n *yaml.Node, name string) *store {
	o := d.object(n, "the store "+name, "region", "endpoint", "addressing", "sts")
	s := &store{duration: defaultDuration, Store: destination.Store{Name: name, Region: o.required("region", "eu-west-1"), Endpoint: strings.TrimRight(o.text("endpoint"), "/")}}
	s.Addressing = o.oneOf("addressing", "", "path", "virtual")
	if s.Region != "" && !region.MatchString(s.Region) {
		o.mistake("region", "region is %q; write a region's name, such as eu-west-1", s.Region)
	}
	if s.Endpoint != "" {
		d.endpoint(o, "endpoint", s.Endpoint)
	}
	s.DeletesIfMatch = s.AWS()
	sts := o.fields["sts"]
	if sts == nil {
		if !o.broken {
			d.mistake(o.node, "%s has no sts, and this version hands out session credentials only; write sts: { role_arn: … }", o.name)
		}
		return s
	}
	t := d.object(sts, "sts", "role_arn", "endpoint", "external_id", "duration")
	s.duration = t.duration("duration", defaultDuration, minDuration, maxDuration)
	s.STS = destination.STS{RoleARN: t.required("role_arn", `"arn:aws:iam::123456789012:role/uploads"`), Endpoint: strings.TrimRight(t.text("endpoint"), "/"), ExternalID: t.text("external_id")}
	if s.STS.RoleARN != "" && (len(s.STS.RoleARN) < 20 || !roleARN.MatchString(s.STS.RoleARN)) {
		t.mistake("role_arn", "role_arn is %q; write a role's ARN, such as arn:aws:iam::123456789012:role/uploads", s.STS.RoleARN)
	}
	switch {
	case s.STS.Endpoint != "":
		d.endpoint(t, "endpoint", s.STS.Endpoint)
	case !s.AWS():
		s.STS.Endpoint = s.Endpoint // MinIO and Ceph serve STS beside S3
	}
	return s
}

func (d *document) endpoint(o *object, name, v string) {
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http" || v != strings.ToLower(v) {
		o.mistake(name, "%s is not a base URL; write scheme, host and port in lower case without the bucket, such as https://s3.example.com", name)
		return
	}
	if strings.HasSuffix(u.Hostname(), ".amazonaws.com") && name == "endpoint" && o.name != "sts" {
		o.mistake(name, "endpoint is AWS's own; leave it out, the region says where that is")
		return
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		d.warn(o.at(name), "%s is not encrypted: files and session tokens can be read on the way; write https where the store has it", name)
	}
}
