package main

import (
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/policy"
)

// showPolicy prints the session policy that a file would get.
func showPolicy(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("policy", flag.ContinueOnError)
	path := flags.String("config", defaultConfig, "the configuration `file`")
	user := flags.String("user", "", "the principal's `id`, for {user}")
	file := flags.String("file", "", "the `file`'s name")
	address := flags.String("address", "192.0.2.1", "the `IP` address that the page asks from, for conditions.source_ip: client")
	claims := map[string]any{}
	flags.Func("claim", "a claim of the principal, `name=value`, for {claims.NAME}; may be repeated", func(c string) error {
		k, v, ok := strings.Cut(c, "=")
		if !ok {
			return errors.New("write name=value")
		}
		claims[k] = v
		return nil
	})
	name, err := parseNamed(flags, args, stderr, "chunksign policy [options] DEST prints the session policy that an upload would get, as it is sent to STS, on stdout,\nand the object's key and what the policy takes of STS's 2,048 characters on stderr. It asks nobody.")
	if err != nil {
		return err
	}
	if *file == "" {
		return errors.New("policy: for which file? write -file cat.png")
	}
	s, err := load(*path, name)
	if err != nil {
		return err
	}
	if len(s.destinations) > 1 {
		return fmt.Errorf("policy: for which destination of %s? write such as chunksign policy %s -file %s", *path, s.destinations[0].Name, *file)
	}
	d := s.destinations[0]
	if d.Store.STS.RoleARN == "" {
		return fmt.Errorf("policy: the store %s has no sts: the server signs for %s with its own credentials, and there is no session policy; see chunksign iam -only server", d.Store.Name, d.Name)
	}
	if *user == "" && d.Key.PerUser() {
		return fmt.Errorf("policy: the key of %s has {user}; write -user alice", d.Name)
	}
	key, rights, err := d.Preview(destination.Principal{ID: *user, Claims: claims, Via: destination.Request{Address: *address}}, *file, time.Now(), rand.Reader)
	if err != nil {
		return err
	}
	text, err := policy.Session(rights)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, text)
	fmt.Fprintf(stderr, "key: %s/%s\npolicy: %d of %d characters\n", d.Bucket, key, len(text), policy.MaxLength)
	return nil
}
