package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"

	"github.com/chunksign/chunksign/server/allow"
	"github.com/chunksign/chunksign/server/config"
	"github.com/chunksign/chunksign/server/policy"
	"github.com/chunksign/chunksign/server/pyliteral"
)

// importS3Direct prints the configuration that django-s3direct's settings come to.
func importS3Direct(args []string, stdout, stderr io.Writer) error {
	o := imported{whoami: "https://app.example.com/whoami", role: "arn:aws:iam::123456789012:role/uploads"}
	flags := flag.NewFlagSet("import-s3direct", flag.ContinueOnError)
	whoami := flags.String("whoami", "", "the `URL` at which the application says who is signed in, for auth.forward")
	role := flags.String("role", "", "the `ARN` of the role that sessions are of, for stores.NAME.sts")
	if err := parseWith(flags, args, 1, stderr, "chunksign import-s3direct [options] settings.py prints the configuration that django-s3direct's settings come to, as YAML,\nand on stderr a note for each thing that is to be looked at. The settings are read, not run; they may be JSON."); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("import-s3direct: of which settings? write chunksign import-s3direct settings.py")
	}
	path := flags.Arg(0)
	o.file = filepath.Base(path)
	source, err := config.ReadFile(path)
	if err != nil {
		return fmt.Errorf("import-s3direct: the settings cannot be read: %w", err)
	}
	module, err := pyliteral.Parse(string(source))
	if err != nil {
		return fmt.Errorf("import-s3direct: %s: %w", path, err)
	}
	if *whoami != "" {
		o.whoami = *whoami
	} else {
		o.note(0, "auth.forward.url is an example; write the address at which your application says who is signed in, or -whoami URL (docs/configuration.md)")
	}
	if *role != "" {
		o.role = *role
	} else {
		o.note(0, "sts.role_arn is an example; write your role's (chunksign iam prints it), or -role ARN")
	}
	text, err := o.yaml(module)
	if err != nil {
		return fmt.Errorf("import-s3direct: %s: %w", path, err)
	}
	if _, err := io.WriteString(stdout, text); err != nil {
		return err
	}
	// What check would say of it is said here.
	var mistakes config.Mistakes
	if _, err := config.Parse("the YAML", []byte(text), nil, nil, allow.Compile, policy.Session); errors.As(err, &mistakes) {
		for _, m := range mistakes {
			o.notes = append(o.notes, m.String())
		}
	}
	for _, n := range o.notes {
		fmt.Fprintf(stderr, "note: %s\n", n)
	}
	return nil
}
