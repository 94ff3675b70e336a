package config

import (
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
	o := d.object(n, "server", &serverOptions)
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
	c.Proxies = d.networks(o, "proxies")
	c.Metrics = d.networks(o, "metrics")
	c.Redis = d.redis(o)
	if n := o.fields["tls"]; n != nil {
		t := d.object(n, "tls", &tlsOptions)
		c.TLS = &TLS{Cert: beside(d.file, t.required("cert", "cert.pem")), Key: beside(d.file, t.required("key", "key.pem"))}
	}
}

// redis reads where requests are counted, "" for in each replica.
func (d *document) redis(o *object) string {
	v := o.text("redis")
	if v == "" {
		return ""
	}
	u, err := url.Parse(v)
	switch {
	case err == nil && u.User != nil:
		o.mistake("redis", "redis has a user or a password in it; set CHUNKSIGN_REDIS_USERNAME and CHUNKSIGN_REDIS_PASSWORD, and write redis without")
	case err == nil && u.Scheme == "unix" && strings.HasPrefix(u.Path, "/") && u.Host == "" && u.RawQuery == "":
	case err != nil || u.Scheme != "redis" && u.Scheme != "rediss" || u.Hostname() == "" || u.RawQuery != "" || !redisPath.MatchString(u.Path):
		o.mistake("redis", "redis is not a URL of one; write such as rediss://cache.example.com:6379/0, or unix:///run/redis/redis.sock")
	case u.Scheme == "redis" && !isLoopback(u.Hostname()):
		d.warn(o.at("redis"), "redis is not encrypted: its password can be read on the way; write rediss:// where it has TLS")
	}
	return v
}

var redisPath = regexp.MustCompile(`^(/\d{0,4})?$`)

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

var (
	region  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,31}$`)
	roleARN = regexp.MustCompile(`^arn:[^:\s]+:[^:\s]*:[^:\s]*:[^:\s]*:[^\s]+$`)
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
	all := d.object(n, "stores", nil)
	for _, key := range all.keys {
		if !name.MatchString(key) {
			d.mistake(all.names[key], "the store's name %q is not 1 to 64 letters, digits, - or _; rename it", key)
		}
		found[key] = d.store(all.fields[key], key)
		c.Stores = append(c.Stores, &found[key].Store)
	}
	return found
}

// store is a Store with the session duration that its destinations have by default.
type store struct {
	destination.Store
	duration time.Duration
	broken   bool // its sts has mistakes
}

func (d *document) store(n *yaml.Node, name string) *store {
	o := d.object(n, "the store "+name, &storeOptions)
	s := &store{duration: defaultDuration, Store: destination.Store{Name: name, Region: o.required("region", "eu-west-1"), Endpoint: strings.TrimRight(o.text("endpoint"), "/")}}
	s.Addressing = o.oneOf("addressing", "")
	if s.Region != "" && !region.MatchString(s.Region) {
		o.mistake("region", "region is %q; write a region's name, such as eu-west-1", s.Region)
	}
	if s.Endpoint != "" {
		d.endpoint(o, "endpoint", s.Endpoint)
	}
	s.DeletesIfMatch = s.AWS()
	if o.fields["conditional_delete"] != nil {
		s.DeletesIfMatch = o.flag("conditional_delete")
	}
	s.TakesUnsigned = o.flag("unsigned_headers")
	s.SignsInHeaders = o.oneOf("sign_parts_in", "query") == "headers"
	if !s.AWS() {
		s.STS.Endpoint = s.Endpoint // MinIO and Ceph serve STS beside S3
	}
	s.Client = d.client(o, "ca")
	sts := o.fields["sts"]
	if sts == nil {
		s.broken = o.broken
		return s
	}
	before := d.wrong
	t := d.object(sts, "sts", &stsOptions)
	if t.fields["role_arn"] == nil {
		t.required("role_arn", `"arn:aws:iam::123456789012:role/uploads"`)
	}
	s.duration = t.duration("duration", defaultDuration, minDuration, maxDuration)
	s.STS.RoleARN, s.STS.ExternalID = t.role("role_arn"), t.text("external_id")
	d.sessions(t, s)
	if v := strings.TrimRight(t.text("endpoint"), "/"); v != "" {
		s.STS.Endpoint = v
		d.endpoint(t, "endpoint", v)
	}
	s.broken = d.wrong > before
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
