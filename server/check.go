package main

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/chunksign/chunksign/server/auth"
	"github.com/chunksign/chunksign/server/config"
	"github.com/chunksign/chunksign/server/destination"
)

const defaultConfig = "chunksign.yaml"

// errMistakes says that mistakes were found, and printed.
var errMistakes = errors.New("the configuration has mistakes")

// check reads a configuration without using it. It needs no network and no secrets.
func check(args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	path := flags.String("config", defaultConfig, "the configuration `file`")
	if err := parse(flags, args, stderr, "chunksign check reads a configuration and prints a line for each mistake:\nfile:line:column: what is wrong; what to write instead\nIt exits with 1 if there is one. It needs no network and no secrets."); err != nil {
		return err
	}
	c, err := config.Load(*path, auth.ParseKeys)
	var mistakes config.Mistakes
	if errors.As(err, &mistakes) {
		fmt.Fprintln(stdout, mistakes)
		return errMistakes
	}
	if err != nil {
		return err
	}
	for _, w := range c.Warnings {
		fmt.Fprintf(stderr, "warning: %s\n", w)
	}
	if v := getenv(grantKeysVariable); v == "" {
		fmt.Fprintln(stderr, "warning: "+noGrantKeys)
	} else if _, err := destination.ParseGrantKeys(v); err != nil {
		return fmt.Errorf("%s: %w", grantKeysVariable, err)
	}
	fmt.Fprintf(stdout, "%s: no mistakes; stores: %d, destinations: %d\n", *path, len(c.Stores), len(c.Destinations))
	return nil
}
