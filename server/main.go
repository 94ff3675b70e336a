// Command chunksign hands out short-lived, narrowly scoped credentials with
// which a browser uploads straight to S3.
//
//	chunksign serve    the server; without a configuration an embedded S3 and a demo
//	chunksign check    says what is wrong with a configuration
//	chunksign schema   prints the configuration's JSON Schema
//	chunksign policy   prints the session policy of an upload
//	chunksign iam      prints what has to be set up at AWS
//	chunksign doctor   tries what uploads need, at the stores themselves
//	chunksign sweep    aborts stale multipart uploads
//	chunksign presign  signs an upload of one file, or a link to an object
//	chunksign upload   uploads files, as a page does
//	chunksign import-s3direct  turns django-s3direct's settings into a configuration
//	chunksign version  says which version this is
//
// This package wires: serve.go starts and stops, wire.go puts the parts
// together, check.go reads a configuration and nothing else, upload.go is a client.
// What the parts do is in the packages below: destination decides, httpapi speaks
// HTTP, drive runs the browser's upload engine.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"

	"github.com/chunksign/chunksign/server/config"
	"github.com/chunksign/chunksign/server/redact"
)

const usage = `chunksign hands out credentials with which browsers upload straight to S3.

  chunksign serve    run the server; without -config: an embedded S3 and a demo page
  chunksign check    say what is wrong with a configuration, or that nothing is
  chunksign schema   print the JSON Schema of the configuration, for editors
  chunksign policy   print the session policy that an upload would get
  chunksign iam      print what to set up at AWS: roles, bucket CORS, lifecycle
  chunksign doctor   try what uploads need, at the stores themselves
  chunksign sweep    abort multipart uploads that nobody can go on with
  chunksign presign  sign an upload of one file, or a link to an object
  chunksign upload   upload files, and go on with uploads that were interrupted
  chunksign import-s3direct  turn django-s3direct's settings into a configuration
  chunksign version  say which version this is
  chunksign help     show this

chunksign COMMAND -h shows a command's options. No command means serve.
`

func main() {
	ctx, end := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		s := <-signals
		signal.Stop(signals) // the second signal ends the process at once
		end(interruption{s})
	}()
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run is the program but for its signals: it answers the exit status, 0 for
// success, 1 for a failure, 2 for a wrong command line, and what upload adds to these.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	command := "serve"
	if len(args) > 0 && (args[0] == "" || args[0][0] != '-') {
		command, args = args[0], args[1:]
	} else if len(args) > 0 && (args[0] == "-h" || args[0] == "-help" || args[0] == "--help") {
		command = "help"
	}
	var err error
	switch command {
	case "serve":
		err = serve(ctx, args, getenv, stdout, stderr)
	case "check":
		err = check(args, getenv, stdout, stderr)
	case "schema":
		err = schema(args, stdout, stderr)
	case "policy":
		err = showPolicy(args, stdout, stderr)
	case "iam":
		err = iam(args, stdout, stderr)
	case "doctor":
		err = doctor(ctx, args, getenv, stdout, stderr)
	case "sweep":
		err = sweep(ctx, args, stdout, stderr)
	case "presign":
		err = presignCommand(ctx, args, getenv, stdout, stderr)
	case "upload":
		err = uploadFiles(ctx, args, getenv, stdout, stderr)
	case "import-s3direct":
		err = importS3Direct(args, stdout, stderr)
	case "version":
		err = version(args, stdout, stderr)
	case "help":
		fmt.Fprint(stdout, usage)
	default:
		fmt.Fprintf(stderr, "chunksign: there is no command %q\n\n%s", command, usage)
		return 2
	}
	var wrongFlags flagError
	var status exitStatus
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &wrongFlags):
		return 2
	case errors.As(err, &status):
		return int(status)
	case !errors.Is(err, errMistakes): // those are printed already
		text := redact.Error(err).Error()
		if slices.Contains([]string{"serve", "check", "doctor", "iam", "policy", "sweep", "import-s3direct"}, command) {
			text = config.Mask(text) // it may name a value of the configuration
		}
		fmt.Fprintf(stderr, "chunksign: %s\n", text)
	}
	return 1
}

// flagError is a wrong command line; the flag package has printed it.
type flagError struct{ error }

// parse reads the options of a command that takes nothing else. intro is the first lines of its help.
func parse(flags *flag.FlagSet, args []string, stderr io.Writer, intro string) error {
	return parseWith(flags, args, 0, stderr, intro)
}

// parseNamed is parse for a command that takes the name of a destination too,
// before its options or after them: "" where it is not there.
func parseNamed(flags *flag.FlagSet, args []string, stderr io.Writer, intro string) (name string, err error) {
	after := 1
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		name, args, after = args[0], args[1:], 0
	}
	if err := parseWith(flags, args, after, stderr, intro); err != nil {
		return "", err
	}
	return cmp.Or(name, flags.Arg(0)), nil
}

// parseWith is parse for a command that takes some arguments after its options.
func parseWith(flags *flag.FlagSet, args []string, arguments int, stderr io.Writer, intro string) error {
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintf(stderr, "%s\n\nOptions:\n", intro)
		flags.PrintDefaults()
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return flagError{err}
	case flags.NArg() > arguments && arguments > 0:
		fmt.Fprintf(stderr, "chunksign %s takes no %q; options come first\n", flags.Name(), flags.Arg(arguments))
		return flagError{errors.New("an argument too many")}
	case flags.NArg() > arguments:
		fmt.Fprintf(stderr, "chunksign %s takes options only, not %q\n", flags.Name(), flags.Arg(0))
		return flagError{errors.New("an argument too many")}
	}
	return nil
}

func version(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("version", flag.ContinueOnError)
	if err := parse(flags, args, stderr, "chunksign version says which version this is and which Go built it."); err != nil {
		return err
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	number, revision := info.Main.Version, ""
	if number == "" || number == "(devel)" {
		number = "from source"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = ", revision " + s.Value
		}
	}
	fmt.Fprintf(stdout, "chunksign %s%s, %s\n", number, revision, info.GoVersion)
	return nil
}
