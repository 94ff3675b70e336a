package config

import (
	"crypto"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Auth says how principals sign in: exactly one is set.
type Auth struct {
	Dev       bool
	Anonymous bool // nobody signs in; every destination has a Rate
	JWT       *JWT
	Forward   *Forward
	Headers   *Headers
}

// JWT says whose tokens count. Of JWKSURL and Keys at most one is set; without
// either the issuer's keys are found by OpenID Connect's discovery.
type JWT struct {
	Issuer, Audience, JWKSURL, Cookie string
	Keys                              []crypto.PublicKey
	Leeway                            time.Duration // what the issuer's clock may be off
}

// Forward says which application is asked who somebody is.
type Forward struct {
	URL    string
	Cookie string // the one that is sent on, "" for all
	User   string // the claim with the principal's ID
}

// Headers says which proxy is believed, and what its headers mean.
type Headers struct {
	From   []netip.Prefix
	User   string            // the header with the principal's ID
	Claims map[string]string // claim → header
	Lists  map[string]string // claim → header whose parts are between commas
}

const (
	waysToSignIn  = "oidc: { issuer: …, audience: … }, or one of jwt, forward and headers"
	noSignIn      = "auth names no way to sign in; write " + waysToSignIn
	defaultLeeway = 30 * time.Second
	maxLeeway     = 5 * time.Minute
)

func (d *document) auth(root *object, c *Config, keys KeyParser) {
	n := root.fields["auth"]
	if n == nil {
		if !root.broken {
			d.mistake(root.node, "the file has no auth, so nobody could sign in; write auth: { oidc: { issuer: …, audience: … } }")
		}
		return
	}
	o := d.object(n, "auth", &authOptions)
	if len(o.keys) == 0 && len(d.mistakes) == 0 {
		d.mistake(n, noSignIn)
	}
	for i, kind := range o.keys {
		n := o.fields[kind]
		if i > 0 {
			d.mistake(o.names[kind], "auth has both %s and %s; keep one", o.keys[0], kind)
		}
		switch kind {
		case "jwt":
			c.Auth.JWT = d.jwt(n, keys)
		case "oidc":
			c.Auth.JWT = d.oidc(n)
		case "forward":
			c.Auth.Forward = d.forward(n)
		case "headers":
			c.Auth.Headers = d.headers(n)
		case "anonymous":
			if c.Auth.Anonymous = o.flag("anonymous"); !c.Auth.Anonymous {
				d.mistake(n, noSignIn)
			}
		case "dev":
			d.dev(o, n, c)
		}
	}
}

func (d *document) dev(o *object, n *yaml.Node, c *Config) {
	if c.Auth.Dev = o.flag("dev"); !c.Auth.Dev {
		o.mistake("dev", noSignIn)
	}
	host, _, _ := net.SplitHostPort(c.Listen)
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		d.mistake(n, "auth: dev lets everybody in and may listen on this machine only, not on %q; write listen: %s, or configure another way to sign in", c.Listen, DefaultListen)
	}
}

var cookieName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$") // RFC 6265, section 4.1.1

func (d *document) jwt(n *yaml.Node, keys KeyParser) *JWT {
	o := d.object(n, "auth.jwt", &jwtOptions)
	j := o.tokens()
	j.JWKSURL = o.text("jwks_url")
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
		data, err := d.open(file)
		if err == nil {
			j.Keys, err = keys(data)
		}
		if err != nil {
			o.mistake("key_file", "key_file %q cannot be used: %v; name a file with PEM public keys or a JSON Web Key Set", file, err)
		}
	}
	return j
}

// oidc is jwt with the keys found by discovery, for which the issuer is a URL.
func (d *document) oidc(n *yaml.Node) *JWT {
	o := d.object(n, "auth.oidc", &oidcOptions)
	j := o.tokens()
	if j.Issuer != "" {
		d.webURL(o, "issuer", j.Issuer)
	}
	return j
}

// tokens are the options that jwt and oidc have in common.
func (o *object) tokens() *JWT {
	return &JWT{
		Issuer: o.required("issuer", "https://id.example.com"), Audience: o.required("audience", "uploads"),
		Cookie: o.cookie("cookie"), Leeway: o.duration("leeway", defaultLeeway, 0, maxLeeway),
	}
}

func (o *object) cookie(name string) string {
	v := o.text(name)
	if v != "" && !cookieName.MatchString(v) {
		o.mistake(name, "%s is %q; write a cookie's name, such as session", name, v)
	}
	return v
}

func (d *document) forward(n *yaml.Node) *Forward {
	o := d.object(n, "auth.forward", &forwardOptions)
	f := &Forward{URL: o.required("url", "https://app.example.com/whoami"), Cookie: o.cookie("cookie"), User: o.text("user")}
	if f.User == "" {
		f.User = "sub"
	}
	u, err := url.Parse(f.URL)
	switch {
	case f.URL == "":
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http":
		o.mistake("url", "url is not a URL that can be asked; write such as https://app.example.com/whoami")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		d.warn(o.at("url"), "url is not encrypted: who is between here and the application can read the users' cookies, and be any of them; write https unless that is a network of your own")
	}
	return f
}

var headerName = regexp.MustCompile("^[A-Za-z0-9][A-Za-z0-9-]*$")

func (d *document) headers(n *yaml.Node) *Headers {
	o := d.object(n, "auth.headers", &headersOptions)
	h := &Headers{From: d.networks(o, "from"), User: o.text("user")}
	if o.fields["from"] == nil && !o.broken {
		d.mistake(n, "auth.headers has no from, so anybody could say who they are; write the addresses that the proxy connects from, such as from: [10.0.0.0/8]")
	}
	if h.User == "" {
		h.User = "X-Forwarded-User"
	}
	used := map[string]string{}
	check := func(option, what, name string) {
		switch before := used[strings.ToLower(name)]; {
		case name == "":
		case !headerName.MatchString(name):
			o.mistake(option, "the header %q of %s is not one that proxies send; write letters, digits and -, such as X-Forwarded-Email", name, what)
		case before != "":
			o.mistake(option, "the header %q is there for %s and for %s; name each once", name, before, what)
		}
		used[strings.ToLower(name)] = what
	}
	check("user", "user", h.User)
	var names []string
	h.Claims, names = o.texts("claims")
	for _, claim := range names {
		check("claims", "claims."+claim, h.Claims[claim])
	}
	h.Lists, names = o.texts("lists")
	for _, claim := range names {
		if h.Claims[claim] != "" {
			o.mistake("lists", "the claim %q is in claims and in lists; keep one", claim)
		}
		check("lists", "lists."+claim, h.Lists[claim])
	}
	return h
}

const maxRanges = 1_000

// networks reads addresses and ranges of addresses (CIDR).
func (d *document) networks(o *object, name string) (all []netip.Prefix) {
	for _, item := range o.list(name) {
		p, err := netip.ParsePrefix(item.Value)
		if a, alone := netip.ParseAddr(item.Value); alone == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		switch {
		case err != nil || p.Addr().Zone() != "":
			d.mistake(item, "%q is not a range of addresses; write such as 10.0.0.0/8, fd00::/8 or 10.0.0.1", item.Value)
		case p.Masked().Addr() != p.Addr():
			d.mistake(item, "%q begins within its range; write %s", item.Value, p.Masked())
		case p.Addr().Is4In6():
			d.mistake(item, "%q is IPv4 written as IPv6; write it as IPv4", item.Value)
		case p.Bits() == 0:
			d.mistake(item, "%q is everybody; write the addresses that %s is for alone", item.Value, name)
		default:
			all = append(all, p)
		}
	}
	if n := o.fields[name]; len(all) > maxRanges {
		d.mistake(n, "%s has %d ranges, and %d are the most; write fewer, such as those of the proxies alone", name, len(all), maxRanges)
	} else if coversAll(all) {
		d.mistake(n, "the ranges of %s together are everybody; write the addresses that it is for alone", name)
	}
	return all
}

// coversAll reports whether ranges cover all addresses of IPv4, or of IPv6, together.
func coversAll(ranges []netip.Prefix) bool {
	covered := map[netip.Prefix]bool{}
	for _, p := range ranges {
		covered[p] = true
	}
	// From the narrowest on, two halves are the range that they are of; one in a range that is there says no more.
	sorted := slices.SortedFunc(maps.Keys(covered), func(a, b netip.Prefix) int { return b.Bits() - a.Bits() })
	for i := 0; i < len(sorted); i++ {
		p := sorted[i]
		if p.Bits() == 0 {
			return true
		}
		whole := netip.PrefixFrom(p.Addr(), p.Bits()-1).Masked()
		other := whole.Addr()
		if other == p.Addr() {
			other = lastBitSet(other, p.Bits()-1)
		}
		if covered[whole] || !covers(covered, netip.PrefixFrom(other, p.Bits())) {
			continue
		}
		covered[whole] = true
		at, _ := slices.BinarySearchFunc(sorted[i:], whole.Bits(), func(q netip.Prefix, bits int) int { return bits - q.Bits() })
		sorted = slices.Insert(sorted, i+max(at, 1), whole)
	}
	return false
}

// covers reports whether a range is one of some, or in one of them.
func covers(ranges map[netip.Prefix]bool, p netip.Prefix) bool {
	for bits := p.Bits(); bits >= 0; bits-- {
		if ranges[netip.PrefixFrom(p.Addr(), bits).Masked()] {
			return true
		}
	}
	return false
}

func lastBitSet(a netip.Addr, bit int) netip.Addr {
	b := a.AsSlice()
	b[bit/8] |= 0x80 >> (bit % 8)
	set, _ := netip.AddrFromSlice(b)
	return set
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
