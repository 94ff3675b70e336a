package s3direct

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chunksign/chunksign/server/destination"
)

// known are a destination's settings; those of django-s3direct before 1.0 may be
// given by position.
var (
	known = []string{
		"key", "key_args", "auth", "allowed", "bucket", "endpoint", "region", "acl", "cache_control",
		"content_disposition", "content_length_range", "server_side_encryption", "allow_existence_optimization",
	}
	positions = []string{
		"key", "auth", "allowed", "acl", "bucket", "cache_control", "content_disposition", "server_side_encryption",
	}
)

func (i *importer) target(name string, s setting) *target {
	t := &target{name: name}
	if s.kind == list && len(s.items) <= len(positions) {
		t.note("its settings are given by position, as before django-s3direct 1.0: %s",
			strings.Join(positions[:len(s.items)], ", "))
		byName := setting{kind: dict}
		for n, item := range s.items {
			byName.pairs = append(byName.pairs, pair{positions[n], item})
		}
		s = byName
	}
	if s.kind != dict {
		t.note("it is %s and not a dict: nobody may upload", short(s.String()))
	}
	for _, p := range s.pairs {
		if !slices.Contains(known, p.name) {
			t.note("%s is not a setting of django-s3direct 2.0", short(p.name))
		}
	}
	// A text is the destination's own or the site's; what else it is is noted.
	words := func(option string, site ...string) string {
		v, _ := s.get(option)
		if v.truth && v.kind != text {
			t.note("%s is %s, which is not a text: write it yourself", option, short(v.String()))
			return ""
		}
		if v.text != "" {
			return v.text
		}
		return i.text(site...)
	}
	bucket := words("bucket", "AWS_STORAGE_BUCKET_NAME")
	region := words("region", "AWS_S3_REGION_NAME", "S3DIRECT_REGION")
	at := i.store(t, region, words("endpoint", "AWS_S3_ENDPOINT_URL", "S3DIRECT_ENDPOINT"), bucket)
	t.add("store", at.name)
	if bucket == "" {
		bucket = "my-media"
		t.note("no bucket where the snippet ran: my-media is an example. Run the snippet with the site's environment, " +
			"or write the bucket")
	}
	t.add("bucket", quoted(bucket))
	key, ok := t.key(s)
	t.add("key", quoted(key))
	if rule := t.rule(s); !ok {
		t.add("allow", quoted("false"))
	} else if rule != "" {
		t.add("allow", quoted(rule))
	}
	if types := t.types(s); len(types) > 0 {
		t.add("content_types", "["+strings.Join(types, ", ")+"]")
	}
	t.add("content_length", t.length(s))
	i.views(t, at)
	for _, option := range []string{"acl", "cache_control", "content_disposition", "server_side_encryption"} {
		v, _ := s.get(option)
		switch {
		case v.kind == function && option == "content_disposition":
			t.function(option, v, `write a text; in attachment; filename="{filename}" it has the file's name`)
		case v.kind == function:
			t.function(option, v, "write a text that is right for every file")
		case v.truth:
			if value := words(option); value != "" {
				t.add(option, quoted(value))
			}
		case option == "acl":
			t.note("no acl, which is public-read in django-s3direct. None is sent here: write acl: public-read if " +
				"everybody is to read the objects, and the bucket accepts ACLs")
		}
	}
	if e, _ := s.get("allow_existence_optimization"); e.truth {
		t.note("allow_existence_optimization has no counterpart for this client (docs/migrate.md)")
	}
	return t
}

// views adds what the views of django-s3direct need of a destination.
func (i *importer) views(t *target, at store) {
	if at.role == "" {
		t.add("signing", "presigned")
		t.note("django-s3direct's views need sessions, which this store does not hand out: its widget cannot upload here. " +
			"Use the element or chunksign/evaporate with its option destination (docs/migrate.md, One import), " +
			"or a store with AssumeRole")
		return
	}
	t.add("compat", "[s3direct]")
	t.add("scope", "prefix")
	if at.provider == "" {
		t.options = append(t.options, option{"overwrite", "true", "EvaporateJS cannot say If-None-Match"})
	}
}

// function notes a function of the settings, and its source. The source of what
// differs by its arguments only is a note of its own.
func (t *target) function(option string, v setting, fix string) {
	what, after := option+" is the function "+v.fn.Name, ""
	if v.fn.Line > 0 {
		what += fmt.Sprintf(", line %d", v.fn.Line)
	}
	if fix != "" {
		after = ": " + fix
	}
	switch args := strings.TrimSpace(string(v.fn.With)); {
	case v.fn.Source == "" && v.fn.Repr != "":
		t.note("%s, %s%s", what, short(v.fn.Repr), after)
	case args == "" || args == "{}" || args == "null":
		t.notes = append(t.notes, note{text: what + after, source: v.fn.Source})
	default:
		t.note("%s, with %s%s", what, short(args), after)
		t.notes = append(t.notes, note{text: v.fn.Name + " is", source: v.fn.Source, yaml: true})
	}
}

// key puts the user before what differs from file to file. Without a key
// django-s3direct let nobody upload.
func (t *target) key(s setting) (key string, ok bool) {
	const rest = "{user}/{uuid}/{filename}"
	k, _ := s.get("key")
	if k.kind == function {
		args, _ := s.get("key_args")
		with := ""
		if args.truth {
			with = fmt.Sprintf(" (its key_args are %s)", short(args.String()))
		}
		folder := destination.CleanName(t.name)
		t.function("key", k, folder+"/ stands for what it makes"+with+
			"; write the key that is right (docs/configuration.md, Keys)")
		return folder + "/" + rest, true
	}
	if k.kind != text || k.text == "" {
		t.note("the key is %s, with which django-s3direct accepts no upload: nobody may upload", short(k.String()))
		return destination.CleanName(t.name) + "/" + rest, false
	}
	segments := strings.FieldsFunc(k.text, func(r rune) bool { return r == '/' })
	if len(segments) == 0 {
		t.note("the key is /; here keys begin with the user")
		return rest, true
	}
	for n, segment := range segments {
		segments[n] = destination.CleanName(segment)
	}
	folder := strings.Join(segments, "/")
	if folder != strings.Trim(k.text, "/") {
		t.note("the key %q is not allowed here; it is %q", k.text, folder)
	}
	return folder + "/" + rest, true
}

// rule leaves every auth function to the application, which runs it as it is.
// As long as the application does not name the destination in may, nobody may upload.
func (t *target) rule(s setting) string {
	auth, _ := s.get("auth")
	if s.kind != dict {
		return "false"
	}
	if !auth.truth {
		t.note("no auth: anybody could upload, signed in or not; here whoever is signed in may")
		return ""
	}
	if auth.kind == function {
		t.function("auth", auth, "")
	} else {
		t.note("auth is %s, which is not a function", short(auth.String()))
	}
	t.note("auth: nobody may upload until the reply to auth.forward has this destination's name in may. The view " +
		"whoami of docs/migrate.md runs the auth functions for that")
	escaped := strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`).Replace(t.name)
	return "'" + escaped + "' in claims.may"
}

// types are the content types. What django-s3direct compared literally and so
// never matched is not let in here.
func (t *target) types(s setting) (types []string) {
	allowed, _ := s.get("allowed")
	items := allowed.items
	switch {
	case !allowed.truth, allowed.kind == text && allowed.text == "*":
		return nil
	case allowed.kind == text:
		items = []setting{allowed}
	case allowed.kind == dict:
		for _, p := range allowed.pairs {
			items = append(items, setting{kind: text, text: p.name})
		}
	case allowed.kind != list:
		t.note("allowed is %s, which is not a list of types: write content_types yourself", short(allowed.String()))
	}
	for _, item := range items {
		switch {
		case item.kind != text:
			t.note("allowed has %s, which is not a type", short(item.String()))
		case strings.Contains(item.text, "*"):
			t.note("allowed has %q, which django-s3direct compares literally, so that it matches no file; "+
				"it is left out here", item.text)
		default:
			types = append(types, quoted(strings.ToLower(item.text)))
		}
	}
	if len(types) == 0 {
		t.note("allowed has no type that can be carried over: nothing may be uploaded until you have written " +
			"content_types")
		return []string{quoted("application/x-not-written-yet")}
	}
	return types
}

const largest = 50_000_000_000_000 // S3's own limit

func (t *target) length(s setting) string {
	r, _ := s.get("content_length_range")
	if len(r.items) == 2 && r.items[0].whole && r.items[1].whole {
		return fmt.Sprintf("%dB..%dB", max(r.items[0].int, 0), min(r.items[1].int, largest))
	}
	if r.truth {
		t.note("content_length_range is %s, which is not two whole numbers; the largest file is 5GB here", short(r.String()))
		return "0B..5GB"
	}
	t.note("no content_length_range: S3's own limit is written; write a smaller one")
	return "0B..50TB"
}
