package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/chunksign/chunksign/server/allow"
	"github.com/chunksign/chunksign/server/config"
	"github.com/chunksign/chunksign/server/policy"
	"github.com/chunksign/chunksign/server/s3direct"
)

const importIntro = `chunksign import-s3direct [options] FILE prints the configuration that django-s3direct's settings come to,
as YAML, and on stderr a note for each thing that somebody has to look at. FILE has the settings as JSON,
which Django prints where the site runs, with its environment:

  chunksign import-s3direct -snippet | python manage.py shell >s3direct.json
  chunksign import-s3direct s3direct.json >chunksign.yaml`

// largestSettings is what a file of settings has at most.
const largestSettings = 16 << 20

// importS3Direct prints the configuration that django-s3direct's settings come to.
func importS3Direct(args []string, stdout, stderr io.Writer) error {
	var o s3direct.Options
	flags := flag.NewFlagSet("import-s3direct", flag.ContinueOnError)
	flags.StringVar(&o.Whoami, "whoami", "", "the `URL` at which the application says who is signed in, for auth.forward")
	flags.StringVar(&o.Role, "role", "", "the `ARN` of the role that sessions are of, for stores.NAME.sts")
	snippet := flags.Bool("snippet", false, "print the Python for manage.py shell that prints the settings as JSON")
	if err := parseWith(flags, args, 1, stderr, importIntro); err != nil {
		return err
	}
	if *snippet {
		_, err := io.WriteString(stdout, s3direct.Snippet)
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("import-s3direct: of which settings? chunksign import-s3direct -h says how to get them from Django")
	}
	path := flags.Arg(0)
	o.File = filepath.Base(path)
	data, err := readSettings(path)
	if err != nil {
		return fmt.Errorf("import-s3direct: the settings cannot be read: %w", err)
	}
	text, notes, err := s3direct.Import(data, o)
	if err != nil {
		return fmt.Errorf("import-s3direct: %s: %w", path, err)
	}
	if _, err := io.WriteString(stdout, text); err != nil {
		return err
	}
	// What check would say of it is said here.
	var mistakes config.Mistakes
	_, err = config.Parse("the YAML", []byte(text), nil, nil, allow.Compile, policy.Session)
	if errors.As(err, &mistakes) {
		for _, m := range mistakes {
			notes = append(notes, m.String())
		}
	}
	for _, n := range notes {
		fmt.Fprintf(stderr, "note: %s\n", n)
	}
	return nil
}

func readSettings(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, largestSettings+1))
	if err == nil && len(data) > largestSettings {
		err = fmt.Errorf("%s has more than %d MiB", path, largestSettings>>20)
	}
	return data, err
}
