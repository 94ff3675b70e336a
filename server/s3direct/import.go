package s3direct

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Options are what the settings do not say.
type Options struct {
	File   string // what the settings were read from, for a comment
	Whoami string // the application's URL for auth.forward; "" for an example
	Role   string // the ARN of the sessions' role; "" for an example
}

// importer makes a configuration of settings.
type importer struct {
	role     string
	settings setting
	stores   []store
	targets  []*target
	example  bool // a role's ARN is an example
}

// A target is a destination of the configuration.
type target struct {
	name    string
	options []option
	notes   []note
}

type option struct{ name, value, remark string }

// A note is what somebody has to look at in a destination, perhaps with the
// source of a function.
type note struct {
	text, source string
	yaml         bool // it is in the YAML only: other notes name what it explains
}

func (t *target) note(format string, args ...any) {
	t.notes = append(t.notes, note{text: fmt.Sprintf(format, args...)})
}

func (t *target) add(name, value string) {
	t.options = append(t.options, option{name: name, value: value})
}

// Import turns what the snippet printed into a configuration, and notes on what
// somebody has to look at.
func Import(data []byte, o Options) (yaml string, notes []string, err error) {
	i := &importer{role: o.Role}
	if i.settings, err = read(data); err != nil {
		return "", nil, err
	}
	all, _ := i.settings.get("S3DIRECT_DESTINATIONS")
	switch module := i.text("module"); {
	case all.kind == null:
		return "", nil, fmt.Errorf("there is no S3DIRECT_DESTINATIONS in the settings %s; "+
			"set DJANGO_SETTINGS_MODULE to the site's, and run the snippet again", module)
	case all.kind != dict:
		return "", nil, fmt.Errorf("S3DIRECT_DESTINATIONS is %s, and has to be a dict", short(all.String()))
	case len(all.pairs) == 0:
		return "", nil, errors.New("S3DIRECT_DESTINATIONS is empty: there is nothing to import; " +
			"run the snippet with the settings of the site")
	}
	for _, p := range all.pairs {
		i.targets = append(i.targets, i.target(p.name, p.value))
	}
	general := i.general(o)
	return i.yaml(o, general), append(general, i.notes()...), nil
}

// text is a setting of the whole site, "" where it is none.
func (i *importer) text(names ...string) string {
	for _, name := range names {
		if s, _ := i.settings.get(name); s.kind == text && s.text != "" {
			return s.text
		}
	}
	return ""
}

// general are the notes on the whole.
func (i *importer) general(o Options) (notes []string) {
	if o.Whoami == "" {
		notes = append(notes, "auth.forward.url is an example; write the address of your application's view whoami "+
			"(docs/migrate.md), or use -whoami URL")
	}
	if i.example {
		notes = append(notes, "sts.role_arn is an example; write your role's (chunksign iam prints what it needs), "+
			"or use -role ARN")
	}
	if set, _ := i.settings.get("set"); len(set.items) > 0 {
		notes = append(notes, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not carried over: take them out of "+
			"Django; the server has credentials of its own, from its environment or its role")
	}
	return notes
}

// shared lists the notes that several destinations have, in order, with them.
func (i *importer) shared() (notes []note, of map[note][]string) {
	of = map[note][]string{}
	for _, t := range i.targets {
		for _, n := range t.notes {
			if !slices.Contains(of[n], t.name) {
				of[n] = append(of[n], t.name)
			}
			if len(of[n]) == 2 && !slices.Contains(notes, n) {
				notes = append(notes, n)
			}
		}
	}
	return notes, of
}

// line is a note with the destinations that it is about.
func (i *importer) line(n note, names []string) string {
	switch {
	case n.yaml:
		return n.text
	case len(names) == len(i.targets) && len(names) > 1:
		return "every destination: " + n.text
	}
	return strings.Join(names, ", ") + ": " + n.text
}

// notes are the destinations' notes as lines: what several have is said once.
// Sources are in the YAML only.
func (i *importer) notes() (lines []string) {
	shared, of := i.shared()
	for _, t := range i.targets {
		for _, n := range t.notes {
			if len(of[n]) == 1 {
				shared = append(shared, n)
			}
		}
	}
	for _, n := range shared {
		if !n.yaml {
			lines = append(lines, visible(i.line(n, of[n])))
		}
	}
	return lines
}

// common are the options that all destinations have with the same value, where
// there are several.
func (i *importer) common() (options []option) {
	if len(i.targets) < 2 {
		return nil
	}
	for _, o := range i.targets[0].options {
		everywhere := !slices.ContainsFunc(i.targets, func(t *target) bool { return !slices.Contains(t.options, o) })
		if everywhere && o.name != "key" { // defaults take no key
			options = append(options, o)
		}
	}
	return options
}

func (i *importer) yaml(o Options, general []string) string {
	var b strings.Builder
	from := o.File
	if module := i.text("module"); module != "" {
		from = module
	}
	comment(&b, "", "From django-s3direct's settings in "+from+", by chunksign import-s3direct.")
	for _, n := range general {
		comment(&b, "", n)
	}
	whoami, cookie := o.Whoami, i.text("SESSION_COOKIE_NAME")
	if whoami == "" {
		whoami = "https://app.example.com/whoami"
	}
	if cookie == "" {
		cookie = "sessionid"
	}
	b.WriteString("server: { listen: 127.0.0.1:8080 }\n")
	fmt.Fprintf(&b, "auth: { forward: { url: %s, cookie: %s } }\nstores:\n", quoted(whoami), quoted(cookie))
	for _, s := range i.stores {
		b.WriteString(s.yaml())
	}
	shared, of := i.shared()
	common := i.common()
	if len(common) > 0 {
		b.WriteString("defaults:\n")
		options(&b, "  ", common)
	}
	for _, n := range shared {
		comment(&b, "", i.line(n, of[n]))
		program(&b, "", n.source)
	}
	b.WriteString("destinations:\n")
	for at, t := range i.targets {
		if at > 0 {
			b.WriteString("\n")
		}
		b.WriteString("  " + quoted(t.name) + ":\n")
		for _, n := range t.notes {
			if len(of[n]) > 1 {
				continue
			}
			comment(&b, "    ", n.text)
			program(&b, "    ", n.source)
		}
		own := slices.DeleteFunc(slices.Clone(t.options), func(o option) bool { return slices.Contains(common, o) })
		options(&b, "    ", own)
	}
	return b.String()
}

func options(b *strings.Builder, indent string, list []option) {
	for _, o := range list {
		b.WriteString(indent + o.name + ": " + o.value)
		if o.remark != "" {
			b.WriteString(" # " + o.remark)
		}
		b.WriteString("\n")
	}
}
