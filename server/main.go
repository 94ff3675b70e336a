// Command chunksign hands out short-lived, narrowly scoped credentials with
// which a browser uploads straight to S3.
//
//	chunksign serve    the server; without a configuration an embedded S3 and a demo
//	chunksign check    says what is wrong with a configuration
//	chunksign version  says which version this is
//
// This package wires: serve.go starts and stops, wire.go puts the parts
// together, check.go reads a configuration and nothing else. What the parts
// do is in the packages below: destination decides, httpapi speaks HTTP.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

const usage = `chunksign hands out credentials with which browsers upload straight to S3.

  chunksign serve    run the server; without -config: an embedded S3 and a demo page
  chunksign check    say what is wrong with a configuration, or that nothing is
  chunksign version  say which version this is
  chunksign help     show this

chunksign COMMAND -h shows a command's options. No command means serve.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run is the program but for its signals: it answers the exit status, 0 for
// success, 1 for a failure and 2 for a wrong command line.
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
	case "version":
		err = version(args, stdout, stderr)
	case "help":
		fmt.Fprint(stdout, usage)
	default:
		fmt.Fprintf(stderr, "chunksign: there is no command %q\n\n%s", command, usage)
		return 2
	}
	var wrongFlags flagError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &wrongFlags):
		return 2
	case !errors.Is(err, errMistakes): // those are printed already
		fmt.Fprintf(stderr, "chunksign: %v\n", err)
	}
	return 1
}

// flagError is a wrong command line; the flag package has printed it.
type flagError struct{ error }

// parse reads a command's options. intro is the first lines of its help.
func parse(flags *flag.FlagSet, args []string, stderr io.Writer, intro string) error {
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
	case flags.NArg() > 0:
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
