package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/chunksign/chunksign/server/config"
	"github.com/chunksign/chunksign/server/sts"
	"github.com/chunksign/chunksign/server/verify"
)

// sweep aborts multipart uploads that nobody can go on with.
func sweep(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("sweep", flag.ContinueOnError)
	path := flags.String("config", defaultConfig, "the configuration `file`")
	dry := flags.Bool("dry-run", false, "say what would be aborted, and abort nothing")
	var older time.Duration
	flags.Func("older-than", "abort uploads begun this long ago, a `duration` such as 7d (default each destination's grant_duration and a day)", func(v string) (err error) {
		if older, err = config.ParseDuration(v); err == nil && older <= 0 {
			err = errors.New("write more than 0")
		}
		return err
	})
	name, err := parseNamed(flags, args, stderr, "chunksign sweep [options] [DEST] aborts multipart uploads that were begun long ago under the destinations' keys, and removes their parts.\nIt works with the server's own credentials.")
	if err != nil {
		return err
	}
	s, err := load(*path, name)
	if err != nil {
		return err
	}
	w := wiring{config: s.Config}
	if err := w.own(ctx); err != nil {
		return err
	}
	looker := verify.New(storesOf(s.destinations), sts.New(s.Stores, w.credentials, nil, time.Now).Own, nil)
	now, done, failed := time.Now(), 0, 0
	seen := map[string]bool{} // destinations may share keys
	for _, d := range s.destinations {
		age := older
		if age == 0 {
			age = d.GrantDuration + 24*time.Hour
		} else if age < d.GrantDuration {
			fmt.Fprintf(stderr, "warning: uploads to %s may go on for %s; one that is paused now may be aborted\n", d.Name, d.GrantDuration)
		}
		prefix, whole := d.Beginning()
		uploads, err := looker.Unfinished(ctx, d.Store, d.Bucket, prefix, now.Add(-age))
		if err != nil {
			fmt.Fprintf(stderr, "failed: %s, bucket %s: %v\n", d.Name, d.Bucket, err)
			failed++
		}
		for _, u := range uploads {
			if seen[u.UploadID] || whole && u.Key != prefix {
				continue
			}
			seen[u.UploadID] = true
			what := "would abort"
			if !*dry {
				what = "aborted"
				if err := looker.Abort(ctx, d.Store, d.Bucket, u); err != nil {
					fmt.Fprintf(stderr, "failed: %q in %s: %v\n", u.Key, d.Bucket, err)
					failed++
					continue
				}
			}
			done++
			fmt.Fprintf(stdout, "%s %s %q begun %s\n", what, d.Bucket, u.Key, u.Begun.UTC().Format(time.RFC3339))
		}
	}
	fmt.Fprintf(stdout, "%s %d, failed %d\n", map[bool]string{true: "would abort", false: "aborted"}[*dry], done, failed)
	if failed > 0 {
		return errors.New("sweep: not all could be looked at or aborted")
	}
	return nil
}
