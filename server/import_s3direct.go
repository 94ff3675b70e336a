package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/chunksign/chunksign/server/config"
	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/pyliteral"
)

// imported makes a configuration of django-s3direct's settings. What it cannot
// carry over it notes, and where that decides who may upload, nobody may until
// somebody has written the rule.
type imported struct {
	file, whoami, role string
	module             pyliteral.Module
	stores             []importedStore
	notes              []string
}

// maxImported is how many destinations, and how many options of one, are read at most.
const maxImported = 1_000

type importedStore struct{ name, region, endpoint string }

func (o *imported) note(line int, format string, args ...any) {
	text := config.Mask(fmt.Sprintf(format, args...)) // settings hold secrets in any place
	if line > 0 {
		text = fmt.Sprintf("%s:%d: %s", o.file, line, text)
	}
	o.notes = append(o.notes, text)
}

// s3directSettings are those of django-s3direct. What is secret is not read on.
var s3directSettings = regexp.MustCompile(`^(S3DIRECT_|AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|STORAGE_BUCKET_NAME|S3_REGION_NAME|S3_ENDPOINT_URL)\b)`)

func (o *imported) yaml(m pyliteral.Module) (string, error) {
	o.module = m
	for _, s := range m.Skipped {
		if s3directSettings.MatchString(s.Text) {
			o.note(s.Line, "this is not read; only what is assigned to a name at the top level is: %s", short(s.Text))
		}
	}
	all, ok := m.Names["S3DIRECT_DESTINATIONS"]
	if !ok {
		return "", errors.New("there is no S3DIRECT_DESTINATIONS = {…} at the top level")
	}
	if all.Kind != pyliteral.Dict {
		return "", fmt.Errorf("line %d: S3DIRECT_DESTINATIONS is %s, and has to be written out as a dict to be read", all.Line, short(all.Text))
	}
	if len(all.Pairs) > maxImported {
		return "", fmt.Errorf("line %d: there are %d destinations, and %d are the most that are read", all.Line, len(all.Pairs), maxImported)
	}
	for _, secret := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		if v, ok := m.Names[secret]; ok && v.Kind != pyliteral.None {
			o.note(v.Line, "%s is not carried over: take it out of Django; the server has credentials of its own, from its environment or its role", secret)
		}
	}
	var b strings.Builder
	between := ""
	for i, p := range all.Pairs {
		if slices.ContainsFunc(all.Pairs[i+1:], func(later pyliteral.Pair) bool { return later.Key == p.Key }) {
			o.note(p.Value.Line, "%s is there twice; the later is taken", p.Key)
			continue
		}
		b.WriteString(between)
		between = "\n"
		o.destination(&b, p.Key, p.Value)
	}
	return o.head() + b.String(), nil
}

// head is what comes before the destinations, once their stores are known.
func (o *imported) head() string {
	cookie := "sessionid"
	if v, ok := o.literal("SESSION_COOKIE_NAME"); ok {
		cookie = v
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# From %s, by chunksign import-s3direct.\nserver: { listen: 127.0.0.1:8080 }\nauth: { forward: { url: %s, cookie: %s } }\nstores:\n", o.file, yamlText(o.whoami), yamlText(cookie))
	for _, s := range o.stores {
		endpoint := ""
		if s.endpoint != "" {
			endpoint = " endpoint: " + yamlText(s.endpoint) + ","
		}
		fmt.Fprintf(&b, "  %s: { region: %s,%s sts: { role_arn: %s, duration: 1h } }\n", s.name, yamlText(s.region), endpoint, yamlText(o.role))
	}
	return b.String() + "destinations:\n"
}

// literal is a setting's text, if it has one.
func (o *imported) literal(name string) (string, bool) {
	v := o.module.Names[name]
	return v.Text, v.Kind == pyliteral.Text && v.Text != ""
}

// known are a destination's settings.
var known = []string{"key", "key_args", "auth", "allowed", "bucket", "endpoint", "region", "acl", "cache_control", "content_disposition", "content_length_range", "server_side_encryption", "allow_existence_optimization"}

func (o *imported) destination(b *strings.Builder, name string, v pyliteral.Value) {
	from := len(o.notes)
	if v.Kind != pyliteral.Dict {
		o.note(v.Line, "%s is not a dict; its settings by position, as before django-s3direct 1.0, are not read, and nobody may upload", name)
	}
	if len(v.Pairs) > maxImported {
		o.note(v.Line, "%s has %d settings, of which the first %d are read", name, len(v.Pairs), maxImported)
		v.Pairs = v.Pairs[:maxImported]
	}
	for _, p := range v.Pairs {
		if !slices.Contains(known, p.Key) {
			o.note(p.Value.Line, "%s.%s is no setting of django-s3direct 2.0", name, p.Key)
		}
	}
	var body strings.Builder
	line := func(key, value string) { fmt.Fprintf(&body, "    %s: %s\n", key, value) }
	// text is a setting that has to be written out, of the destination or of all.
	text := func(key string, all ...string) string {
		v, ok := v.Get(key)
		for i := 0; !ok && i < len(all); i++ {
			v, ok = o.module.Names[all[i]]
		}
		switch {
		case v.Kind == pyliteral.Text:
			return v.Text
		case v.Kind != pyliteral.None:
			o.note(v.Line, "%s.%s is %s, which is known only when Python runs; write it yourself", name, key, short(v.Text))
		}
		return ""
	}
	region, endpoint := text("region", "AWS_S3_REGION_NAME", "S3DIRECT_REGION"), text("endpoint", "AWS_S3_ENDPOINT_URL")
	line("store", o.store(name, region, endpoint))
	bucket := text("bucket", "AWS_STORAGE_BUCKET_NAME")
	if bucket == "" {
		bucket = "my-media"
		o.note(v.Line, "%s has no bucket that is written out; my-media is an example", name)
	}
	line("bucket", yamlText(bucket))
	line("key", yamlText(o.key(name, v)))
	if rule := o.rule(name, v); rule != "" {
		line("allow", yamlText(rule))
	}
	if types := o.types(name, v); len(types) > 0 {
		line("content_types", "["+strings.Join(types, ", ")+"]")
	}
	line("content_length", o.length(name, v))
	line("compat", "[s3direct]")
	line("scope", "prefix")
	if isAWS(endpoint) {
		line("overwrite", "true # EvaporateJS cannot say If-None-Match")
	}
	for _, key := range []string{"acl", "cache_control", "content_disposition", "server_side_encryption"} {
		if value := text(key); value != "" {
			line(key, yamlText(value))
		} else if _, ok := v.Get(key); key == "acl" && !ok {
			o.note(v.Line, "%s had django-s3direct's acl, public-read; none is sent here (docs/migrate.md)", name)
		}
	}
	if e, _ := v.Get("allow_existence_optimization"); e.True {
		o.note(e.Line, "%s.allow_existence_optimization has no counterpart for this client (docs/migrate.md)", name)
	}
	fmt.Fprintf(b, "  %s:\n", yamlText(name))
	for _, n := range o.notes[from:] {
		fmt.Fprintf(b, "    # %s\n", strings.Join(strings.Fields(n), " "))
	}
	b.WriteString(body.String())
}

func isAWS(endpoint string) bool {
	return endpoint == "" || regexp.MustCompile(`^(https?://)?s3[.-]([a-z0-9-]+\.)?amazonaws\.com(\.cn)?/?$`).MatchString(endpoint)
}

// store gives the name of a region's store, the same for the same.
func (o *imported) store(name, region, endpoint string) string {
	if isAWS(endpoint) {
		endpoint = ""
	}
	endpoint = strings.TrimRight(endpoint, "/")
	if region == "" {
		region = "us-east-1"
		o.note(0, "%s has no region that is written out; us-east-1 is taken", name)
	}
	for _, s := range o.stores {
		if s.region == region && s.endpoint == endpoint {
			return s.name
		}
	}
	s := importedStore{"media", region, endpoint}
	if len(o.stores) > 0 {
		s.name = fmt.Sprintf("media%d", len(o.stores)+1)
	}
	o.stores = append(o.stores, s)
	return s.name
}

// key puts the principal before what differs from file to file.
func (o *imported) key(name string, v pyliteral.Value) string {
	const rest = "{user}/{uuid}/{filename}"
	k, ok := v.Get("key")
	if !ok || k.Kind != pyliteral.Text {
		args, _ := v.Get("key_args")
		more := ""
		if args.Text != "" {
			more = ", with key_args " + short(args.Text)
		}
		o.note(max(k.Line, v.Line), "%s.key is %s%s: a function has no counterpart; %s/ stands for what it makes (docs/configuration.md, Keys)", name, short(k.Text), more, name)
		return name + "/" + rest
	}
	folder := strings.Trim(k.Text, "/")
	if folder == "" {
		o.note(k.Line, "%s.key was /: its keys begin with the user here", name)
		return rest
	}
	clean := destination.CleanName
	segments := strings.FieldsFunc(folder, func(r rune) bool { return r == '/' })
	for i, s := range segments {
		segments[i] = clean(s)
	}
	if made := strings.Join(segments, "/"); made != folder {
		o.note(k.Line, "%s.key is %q, which a key cannot be; it is %q here", name, k.Text, made)
		folder = made
	}
	return folder + "/" + rest
}

// attribute matches a rule that asks one thing of the user.
var attribute = regexp.MustCompile(`^lambda (\w+): ?(\w+)\.(is_staff|is_superuser|is_active)$`)

// everybody match rules that let anybody pass, or who is signed in.
var (
	anybody  = regexp.MustCompile(`^lambda \w+: ?True$`)
	signedIn = regexp.MustCompile(`^lambda (\w+): ?(\w+)\.is_authenticated(\(\))?$`)
)

func (o *imported) rule(name string, v pyliteral.Value) string {
	auth, ok := v.Get("auth")
	switch m := attribute.FindStringSubmatch(auth.Text); {
	case v.Kind != pyliteral.Dict:
		return "false" // who might is not known
	case !ok || auth.Kind == pyliteral.None || anybody.MatchString(auth.Text):
		o.note(max(auth.Line, v.Line), "%s let anybody upload, signed in or not; here who is signed in may", name)
		return ""
	case signedIn.MatchString(auth.Text):
		return ""
	case m != nil && m[1] == m[2]:
		o.note(auth.Line, "%s.auth asks for %s; let the application's answer to auth.forward say it, as a claim of true or false", name, m[3])
		return "claims." + m[3] + " == true"
	}
	o.note(auth.Line, "%s.auth is %s, which cannot be carried over: nobody may upload until you have written it as allow (docs/configuration.md, Rules)", name, short(auth.Text))
	return "false"
}

func (o *imported) types(name string, v pyliteral.Value) (types []string) {
	allowed, ok := v.Get("allowed")
	items := allowed.Items
	if allowed.Kind == pyliteral.Text {
		items = []pyliteral.Value{allowed}
	}
	for _, t := range items {
		if t.Kind == pyliteral.Text && t.Text == "*" {
			return []string{"any"}
		}
		if t.Kind != pyliteral.Text {
			o.note(t.Line, "%s.allowed has %s, which is known only when Python runs; write it yourself", name, short(t.Text))
			continue
		}
		types = append(types, yamlText(strings.ToLower(t.Text)))
	}
	switch {
	case allowed.Kind == pyliteral.Other:
		o.note(allowed.Line, "%s.allowed is %s, which is known only when Python runs; write content_types yourself", name, short(allowed.Text))
	case len(types) > 0 || len(items) == 0:
		return types
	case !ok:
		return nil
	}
	return []string{yamlText("application/x-not-written-yet")} // not any
}

func (o *imported) length(name string, v pyliteral.Value) string {
	r, ok := v.Get("content_length_range")
	if len(r.Items) == 2 && r.Items[0].Kind == pyliteral.Number && r.Items[1].Kind == pyliteral.Number {
		return fmt.Sprintf("%dB..%dB", r.Items[0].Int, r.Items[1].Int)
	}
	if ok && r.Kind != pyliteral.None {
		o.note(r.Line, "%s.content_length_range is not two numbers; the largest file is 5GB here", name)
		return "0B..5GB"
	}
	o.note(v.Line, "%s had no content_length_range; S3's own limit is taken: write a smaller one", name)
	return "0B..50TB"
}

// yamlText is a text as YAML: JSON's are.
func yamlText(s string) string {
	b, _ := json.Marshal(s) // of a text it never fails
	return string(b)
}

// short is a piece of a program that fits into a line.
func short(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 60 {
		s = string(r[:59]) + "…"
	}
	if s == "" {
		return "missing"
	}
	return s
}
