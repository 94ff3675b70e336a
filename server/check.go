package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"

	"github.com/chunksign/chunksign/server/allow"
	"github.com/chunksign/chunksign/server/auth"
	"github.com/chunksign/chunksign/server/config"
	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/policy"
	"github.com/chunksign/chunksign/server/verify"
)

// schema prints the JSON Schema of the configuration, for editors.
func schema(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("schema", flag.ContinueOnError)
	if err := parse(flags, args, stderr, "chunksign schema prints the JSON Schema of the configuration, by which editors complete and check it."); err != nil {
		return err
	}
	text, err := config.Schema()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s\n", text)
	return err
}

const defaultConfig = "chunksign.yaml"

// errMistakes says that mistakes were found, and printed.
var errMistakes = errors.New("the configuration has mistakes")

// check reads a configuration without using it. It needs no network and no secrets.
func check(args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	path := flags.String("config", defaultConfig, "the configuration `file`")
	if err := parse(flags, args, stderr, "chunksign check reads a configuration and prints for each mistake, above the line that it is in:\nfile:line:column: what is wrong; what to write instead\nIt exits with 1 if there is one. It needs no network and no secrets."); err != nil {
		return err
	}
	c, err := config.Load(*path, auth.ParseKeys, allow.Compile, policy.Session)
	var mistakes config.Mistakes
	if errors.As(err, &mistakes) {
		for _, m := range mistakes {
			fmt.Fprintf(stdout, "%s\n%s", m, m.Pointed())
		}
		return errMistakes
	}
	if err != nil {
		return err
	}
	for _, w := range c.Warnings {
		fmt.Fprintf(stderr, "warning: %s\n%s", w, w.Pointed())
	}
	if v := getenv(grantKeysVariable); v == "" {
		fmt.Fprintln(stderr, "warning: "+noGrantKeys)
	} else if _, err := destination.ParseGrantKeys(v); err != nil {
		return fmt.Errorf("%s: %w", grantKeysVariable, err)
	}
	if hooked := slices.ContainsFunc(c.Destinations, func(d *destination.Destination) bool { return d.Webhook != nil }); hooked {
		if v := getenv(webhookVariable); v == "" {
			fmt.Fprintln(stderr, "warning: "+noWebhookSecret)
		} else if _, err := verify.ParseSecrets(v); err != nil {
			return fmt.Errorf("%s: %w", webhookVariable, err)
		}
	}
	fmt.Fprintf(stdout, "%s: no mistakes; stores: %d, destinations: %d\n", *path, len(c.Stores), len(c.Destinations))
	return nil
}
