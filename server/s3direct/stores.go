package s3direct

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// A store is where destinations' buckets are.
type store struct {
	name, region, endpoint string
	provider               string // "" is Amazon S3
	role                   string // "": it has no sts, and its destinations are presigned
}

// providers are stores with S3's interface that are known by their host names.
// region finds the region in one. None is known to hand out sessions to
// everybody by AssumeRole with a session policy; Wasabi's and Backblaze's need a
// role that only their users know.
var providers = []struct {
	name, suffix, sts string
	region            *regexp.Regexp
}{
	{"DigitalOcean Spaces", ".digitaloceanspaces.com", "", regexp.MustCompile(`([a-z]+\d)\.digitaloceanspaces\.com$`)},
	{"Wasabi", ".wasabisys.com", "https://sts.wasabisys.com", regexp.MustCompile(`s3\.([a-z0-9-]+)\.wasabisys\.com$`)},
	{"Backblaze B2", ".backblazeb2.com", "", regexp.MustCompile(`s3\.([a-z0-9-]+)\.backblazeb2\.com$`)},
	{"Cloudflare R2", ".r2.cloudflarestorage.com", "", nil},
	{"Google Cloud Storage", "storage.googleapis.com", "", nil},
	{"Scaleway", ".scw.cloud", "", regexp.MustCompile(`s3\.([a-z0-9-]+)\.scw\.cloud$`)},
	{"Linode", ".linodeobjects.com", "", regexp.MustCompile(`([a-z0-9-]+)\.linodeobjects\.com$`)},
	{"Vultr", ".vultrobjects.com", "", regexp.MustCompile(`([a-z0-9-]+)\.vultrobjects\.com$`)},
	{"Hetzner", ".your-objectstorage.com", "", regexp.MustCompile(`([a-z0-9-]+)\.your-objectstorage\.com$`)},
	{"OVHcloud", ".cloud.ovh.net", "", regexp.MustCompile(`s3\.([a-z0-9-]+)\.(?:io\.)?cloud\.ovh\.net$`)},
}

var (
	amazon      = regexp.MustCompile(`(?:^|\.)amazonaws\.com(?:\.cn)?$`)
	anAWSRegion = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-\d+$`)
	plainAmazon = regexp.MustCompile(`^s3(?:[.-][a-z]{2,4}(?:-[a-z]+)+-\d+)?\.amazonaws\.com(?:\.cn)?$`)

	amazonRegion = regexp.MustCompile(`(?:^|\.)s3(?:-fips)?[a-z.-]*?[.-]([a-z]{2,4}(?:-[a-z]+)+-\d+)\.amazonaws\.com(?:\.cn)?$`)
)

// exampleEndpoint stands for one that is not known.
const exampleEndpoint = "https://s3.example.com"

// The role of an AssumeRole that ignores its name, as MinIO's does.
const anyRole = "arn:minio:iam:::role/dummy-internal"

// store finds or adds the store of a destination.
func (i *importer) store(d *target, region, endpoint, bucket string) store {
	s := i.recognize(d, strings.TrimSpace(region), strings.TrimRight(strings.TrimSpace(endpoint), "/"), bucket)
	for _, known := range i.stores {
		if known.region == s.region && known.endpoint == s.endpoint {
			return known
		}
	}
	s.name = "media"
	if len(i.stores) > 0 {
		s.name = fmt.Sprintf("media%d", len(i.stores)+1)
	}
	i.stores = append(i.stores, s)
	return s
}

func (i *importer) recognize(d *target, region, endpoint, bucket string) store {
	if endpoint == "" && (region == "" || anAWSRegion.MatchString(region)) {
		d.note("no endpoint (AWS_S3_ENDPOINT_URL), without which django-s3direct does not work: " +
			"Amazon S3 is assumed")
		return i.amazon(d, region, "")
	}
	if endpoint == "" {
		d.note("no endpoint (AWS_S3_ENDPOINT_URL), and %q is not a region of Amazon S3: %s is an example; "+
			"write your store's", region, exampleEndpoint)
		return store{region: region, endpoint: exampleEndpoint, provider: "unknown"}
	}
	if !strings.Contains(endpoint, "://") {
		endpoint = "https://" + endpoint
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		d.note("the endpoint is not a URL: %s is an example; write your store's", exampleEndpoint)
		return store{region: region, endpoint: exampleEndpoint, provider: "unknown"}
	}
	host := strings.ToLower(u.Hostname())
	if amazon.MatchString(host) {
		return i.amazon(d, region, host)
	}
	base := u.Scheme + "://" + strings.ToLower(u.Host)
	if bucket != "" && strings.HasPrefix(host, bucket+".") {
		base = u.Scheme + "://" + strings.TrimPrefix(strings.ToLower(u.Host), bucket+".")
		d.note("the endpoint's host name begins with the bucket; it is left out here: %s", base)
	}
	if u.Path != "" {
		d.note("the endpoint has a path, which is left out here: %s", base)
	}
	for _, p := range providers {
		if strings.HasSuffix(host, p.suffix) {
			if region == "" && p.region != nil && p.region.MatchString(host) {
				region = p.region.FindStringSubmatch(host)[1]
			} else if region == "" {
				region = "auto"
			}
			s := store{region: region, endpoint: base, provider: p.name}
			if p.sts != "" {
				s.role = i.role
			}
			switch {
			case s.role != "":
			case p.sts != "":
				d.note("%s hands out sessions of a role of yours there: give it by -role ARN for django-s3direct's widget "+
					"(docs/migrate.md)", p.name)
			default:
				d.note("%s is not known to hand out sessions by AssumeRole", p.name)
			}
			return s
		}
	}
	if region == "" {
		d.note("no region (AWS_S3_REGION_NAME): us-east-1 is assumed")
		region = "us-east-1"
	}
	d.note("the endpoint is assumed to be MinIO's, whose AssumeRole ignores role_arn. Ceph needs a role; for a store " +
		"without AssumeRole take sts and compat out and write signing: presigned, with which django-s3direct's widget does not work")
	s := store{region: region, endpoint: base, provider: "MinIO", role: i.role}
	if s.role == "" {
		s.role = anyRole
	}
	return s
}

// amazon is S3 in a region: the settings', or else the one in the host name.
func (i *importer) amazon(d *target, region, host string) store {
	there := ""
	if m := amazonRegion.FindStringSubmatch(host); m != nil {
		there = m[1]
	}
	switch {
	case region == "" && there != "":
		region = there
	case region == "":
		region = "us-east-1"
		if host != "s3.amazonaws.com" {
			d.note("no region (AWS_S3_REGION_NAME): us-east-1 is assumed")
		}
	case there != "" && there != region:
		d.note("the region is %s and the endpoint is in %s; the region is used", region, there)
	}
	if host != "" && !plainAmazon.MatchString(host) {
		d.note("the endpoint is %s; Amazon's usual one for the region is used here", host)
	}
	s := store{region: region, role: i.role}
	if s.role == "" {
		s.role = "arn:" + partition(region) + ":iam::123456789012:role/uploads"
		i.example = true
	}
	return s
}

// partition is the part of Amazon's clouds that a region is of, as in ARNs.
func partition(region string) string {
	for _, p := range [][2]string{
		{"cn-", "aws-cn"}, {"us-gov-", "aws-us-gov"}, {"us-iso-", "aws-iso"}, {"us-isob-", "aws-iso-b"},
		{"eusc-", "aws-eusc"},
	} {
		if strings.HasPrefix(region, p[0]) {
			return p[1]
		}
	}
	return "aws"
}

// yaml is the store's line in the configuration.
func (s store) yaml() string {
	text := "region: " + quoted(s.region)
	if s.endpoint != "" {
		text += ", endpoint: " + quoted(s.endpoint)
	}
	if s.role != "" {
		sts := ""
		for _, p := range providers {
			if s.provider == p.name && p.sts != "" {
				sts = ", endpoint: " + quoted(p.sts)
			}
		}
		text += ", sts: { role_arn: " + quoted(s.role) + sts + ", duration: 1h }"
	}
	return "  " + s.name + ": { " + text + " }\n"
}
