// Package s3direct turns django-s3direct's settings into a configuration.
//
// The settings are Python, so Django itself evaluates them: Snippet, run by
// manage.py shell, prints them as JSON, which Import reads. What has no
// counterpart becomes a note, and where that decides who may upload, nobody may
// until somebody has written the rule.
//
// setting.go reads the JSON, stores.go recognizes stores by their endpoints,
// destination.go converts one destination, import.go puts the file together, and
// yaml.go writes texts and comments.
package s3direct

import _ "embed"

// Snippet is Python for manage.py shell that prints the settings as JSON. It is
// one function, because older versions of Django run it in a scope where
// functions do not see each other, and has no blank line inside, because an
// interactive interpreter ends a function there.
//
//go:embed snippet.py
var Snippet string
