package main

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/chunksign/chunksign/server/allow"
	"github.com/chunksign/chunksign/server/auth"
	"github.com/chunksign/chunksign/server/config"
	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/policy"
)

// selected is a configuration and those of its destinations that a command is for.
type selected struct {
	*config.Config
	destinations []*destination.Destination
}

// load reads a configuration and finds the destination of a name, or all for "".
func load(path, name string) (selected, error) {
	c, err := config.Load(path, auth.ParseKeys, allow.Compile, policy.Session)
	if err != nil {
		return selected{}, err
	}
	s := selected{c, c.Destinations}
	if name == "" {
		return s, nil
	}
	var names []string
	for _, d := range c.Destinations {
		if d.Name == name {
			s.destinations = []*destination.Destination{d}
			return s, nil
		}
		names = append(names, d.Name)
	}
	return s, fmt.Errorf("%s has no destination %q; there are %s", path, name, strings.Join(names, ", "))
}

// What iam prints, by the names that -only and -format take.
var (
	iamParts   = []string{"trust", "role", "via-trust", "via", "server", "verify-trust", "verify", "cors", "lifecycle"}
	iamFormats = []string{"json", "terraform", "cloudformation"}
)

// iam prints what has to be set up at AWS for a configuration.
func iam(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("iam", flag.ContinueOnError)
	path := flags.String("config", defaultConfig, "the configuration `file`")
	server := flags.String("server", "", "the `ARN` of the role or user that the server runs as (default role/chunksign-server in the account of the store's role)")
	only := flags.String("only", "", "print the `part` alone, for aws … file://…: "+strings.Join(iamParts, ", "))
	format := flags.String("format", "json", "the `format`: "+strings.Join(iamFormats, ", "))
	var origins []string
	flags.Func("origin", "a further `origin` for the bucket's CORS, such as the server's own; may be repeated", func(o string) error {
		origins = append(origins, o)
		return nil
	})
	name, err := parseNamed(flags, args, stderr, "chunksign iam [options] [DEST] prints what has to be set up at AWS: the trust and the permission policy of the stores' roles,\nwhat the server itself needs, the buckets' CORS, and the lifecycle rule that aborts stale uploads.")
	if err != nil {
		return err
	}
	wrong := func(what, value, instead string) error {
		fmt.Fprintf(stderr, "chunksign iam: there is no %s %q; write one of %s\n", what, value, instead)
		return flagError{fmt.Errorf("an unknown %s", what)}
	}
	switch {
	case *only != "" && !slices.Contains(iamParts, *only):
		return wrong("part", *only, strings.Join(iamParts, ", "))
	case !slices.Contains(iamFormats, *format):
		return wrong("format", *format, strings.Join(iamFormats, ", "))
	case *only != "" && *format != "json":
		return wrong("part in "+*format, *only, "no -only, or -format json")
	}
	s, err := load(*path, name)
	if err != nil {
		return err
	}
	all := setUp(s.destinations, *server, append(slices.Clone(s.Origins), origins...))
	for _, b := range all.buckets {
		if b.cors == nil && (*only == "" || *only == "cors") {
			fmt.Fprintln(stderr, "chunksign iam: no CORS for "+b.name+": server.origins is empty; give the pages' origin, the server's own where its pages are used, with -origin https://…")
		}
	}
	switch *format {
	case "terraform":
		return all.terraform(stdout)
	case "cloudformation":
		return all.cloudFormation(stdout)
	}
	return all.json(stdout, *only)
}

// setup is what has to be there at AWS.
type setup struct {
	roles   []role
	servers []identity
	buckets []bucket
}

// role is one that is assumed.
type role struct {
	arn, part, what string // part is how -only calls its permission policy
	trust, rights   policy.Document
	longest         time.Duration // of its sessions
}

// identity is what the server runs as.
type identity struct {
	arn    string
	rights policy.Document
}

type bucket struct {
	name      string
	cors      *policy.CORS // nil where no page's origin is known
	lifecycle policy.Lifecycle
}

// setUp is for some destinations. server is the ARN that the server runs as, ""
// for a role of a usual name.
func setUp(destinations []*destination.Destination, server string, origins []string) (all setup) {
	own := func(d *destination.Destination) string {
		return cmp.Or(server, besideRole(cmp.Or(d.Store.STS.Via.RoleARN, d.Store.STS.RoleARN)))
	}
	for _, group := range groups(destinations, func(d *destination.Destination) string { return d.Store.STS.RoleARN }) {
		sts := group[0].Store.STS
		if sts.RoleARN == "" {
			continue
		}
		r := role{arn: sts.RoleARN, part: "role", what: ", whose sessions go to pages", rights: policy.Role(group), trust: policy.Trust(cmp.Or(sts.Via.RoleARN, own(group[0])), sts.ExternalID, policy.Assume(sts)...)}
		for _, d := range group {
			r.longest = max(r.longest, d.Duration)
		}
		all.roles = append(all.roles, r)
		if via := sts.Via; via.RoleARN != "" {
			all.roles = append(all.roles, role{arn: via.RoleARN, part: "via", what: ", as which the server assumes it", trust: policy.Trust(own(group[0]), via.ExternalID, "sts:AssumeRole"), rights: policy.Via(sts)})
		}
	}
	for _, group := range groups(destinations, func(d *destination.Destination) string { return d.Store.Verify.RoleARN }) {
		if r := group[0].Store.Verify; r.RoleARN != "" {
			who := cmp.Or(server, besideRole(r.RoleARN))
			all.roles = append(all.roles, role{arn: r.RoleARN, part: "verify", what: ", as which the server looks at objects", trust: policy.Trust(who, r.ExternalID, "sts:AssumeRole"), rights: policy.Verify(group)})
		}
	}
	for _, group := range groups(destinations, own) {
		all.servers = append(all.servers, identity{own(group[0]), policy.Server(group)})
	}
	for _, group := range groups(destinations, func(d *destination.Destination) string { return d.Store.Name + "/" + d.Bucket }) {
		b := bucket{name: group[0].Bucket, lifecycle: policy.AbortStale(group)}
		if len(origins) > 0 {
			cors := policy.BucketCORS(origins)
			b.cors = &cors
		}
		all.buckets = append(all.buckets, b)
	}
	return all
}

// json writes the documents as AWS's own commands take them, each under a
// heading unless one kind alone is asked for.
func (s *setup) json(stdout io.Writer, only string) error {
	p := printer{stdout: stdout, only: only}
	for _, r := range s.roles {
		trust := map[string]string{"role": "trust"}[r.part]
		p.print(cmp.Or(trust, r.part+"-trust"), "Trust policy of "+r.arn+r.what, "IAM/latest/UserGuide/id_roles_update-role-trust-policy.html", r.trust)
		p.print(r.part, "Permission policy of "+r.arn, "IAM/latest/UserGuide/access_policies.html", r.rights)
	}
	for _, i := range s.servers {
		p.print("server", "Permission policy of "+i.arn+", as which the server runs", "AmazonS3/latest/userguide/using-with-s3-policy-actions.html", i.rights)
	}
	for _, b := range s.buckets {
		if b.cors != nil {
			p.print("cors", "CORS of the bucket "+b.name+" (replaces all its rules)", "AmazonS3/latest/userguide/ManageCorsUsing.html", b.cors)
		}
		p.print("lifecycle", "Lifecycle of the bucket "+b.name+": aborts uploads that nobody can go on with (replaces all its rules)", "AmazonS3/latest/userguide/mpu-abort-incomplete-mpu-lifecycle-config.html", b.lifecycle)
	}
	return p.err
}

type printer struct {
	stdout io.Writer
	only   string
	err    error
}

func (p *printer) print(part, heading, cited string, document any) {
	if p.err != nil || p.only != "" && p.only != part {
		return
	}
	if p.only == "" {
		fmt.Fprintf(p.stdout, "# %s: %s\n# https://docs.aws.amazon.com/%s\n", part, heading, cited)
	}
	var text string
	if text, p.err = indented(document, ""); p.err != nil {
		return
	}
	fmt.Fprintln(p.stdout, text)
	if p.only == "" {
		fmt.Fprintln(p.stdout)
	}
}

// indented is JSON for people, whose lines but the first begin with a prefix.
func indented(v any, prefix string) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent(prefix, "  ")
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// groups puts together what has the same key, in the order of their first.
func groups(all []*destination.Destination, key func(*destination.Destination) string) (groups [][]*destination.Destination) {
	at := map[string]int{}
	for _, d := range all {
		k := key(d)
		i, known := at[k]
		if !known {
			i = len(groups)
			at[k] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], d)
	}
	return groups
}

// besideRole is the server's own role in the account of another, where there is one.
func besideRole(role string) string {
	if role == "" {
		return "role/chunksign-server"
	}
	fields := strings.SplitN(role, ":", 6)
	return strings.Join(fields[:5], ":") + ":role/chunksign-server"
}
