package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/policy"
	"github.com/chunksign/chunksign/server/presign"
	"github.com/chunksign/chunksign/server/sts"
	"github.com/chunksign/chunksign/server/verify"
)

// doctor tries everything that an upload needs at the stores themselves.
func doctor(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	path := flags.String("config", defaultConfig, "the configuration `file`")
	var origins []string
	flags.Func("origin", "a further `origin` whose pages have to reach the buckets, such as the server's own; may be repeated", func(o string) error {
		origins = append(origins, o)
		return nil
	})
	name, err := parseNamed(flags, args, stderr, "chunksign doctor [options] [DEST] tries what uploads need at the stores themselves: a session, an upload and what it must not do,\nthe server's own look and delete, CORS as browsers see it, the clock. It writes probe objects and removes them.\nA line a check: ✓, ✗ with what to do, or - for what is not checked. It exits with 1 if one failed.")
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
	e := newExaminer(s, w, nil, stdout)
	e.origins = append(e.origins, origins...)
	e.environment(getenv)
	for _, d := range s.destinations {
		e.examine(ctx, d)
	}
	if e.failed > 0 {
		return fmt.Errorf("doctor: %d checks failed", e.failed)
	}
	return nil
}

// examiner makes checks and writes a line for each.
type examiner struct {
	*sts.Issuer
	looker  *verify.Looker
	signer  presign.Presigner
	client  *http.Client // for all that it asks, nil for the usual one
	origins []string
	stdout  io.Writer
	failed  int
	now     func() time.Time
}

// newExaminer takes the server's own credentials from w. client is nil for the usual one.
func newExaminer(s selected, w wiring, client *http.Client, stdout io.Writer) *examiner {
	e := &examiner{Issuer: sts.New(s.Stores, w.credentials, client, time.Now), signer: presign.Presigner{Credentials: w.credentials}, client: client, origins: slices.Clone(s.Origins), stdout: stdout, now: time.Now}
	e.looker = verify.New(storesOf(s.destinations), e.Own, client)
	return e
}

// http is who asks a store.
func (e *examiner) http(s *destination.Store) *http.Client {
	c := *cmp.Or(e.client, s.Client, http.DefaultClient)
	c.Timeout = 20 * time.Second
	return &c
}

func (e *examiner) ok(where, check, format string, args ...any) {
	fmt.Fprintf(e.stdout, "✓ %s: %s: %s\n", where, check, fmt.Sprintf(format, args...))
}

func (e *examiner) notChecked(where, check, why string) {
	fmt.Fprintf(e.stdout, "- %s: %s: not checked: %s\n", where, check, why)
}

// fail says what is wrong and what to do.
func (e *examiner) fail(where, check, what, fix string) {
	e.failed++
	fmt.Fprintf(e.stdout, "✗ %s: %s: %s; %s\n", where, check, what, fix)
}

// environment looks at what the server takes from there.
func (e *examiner) environment(getenv func(string) string) {
	if v := getenv(grantKeysVariable); v == "" {
		e.fail("server", "grant keys", grantKeysVariable+" is not set", "without it grants end with the process and other replicas do not know them: set it to id:base64, made with: openssl rand -base64 32")
	} else if _, err := destination.ParseGrantKeys(v); err != nil {
		e.fail("server", "grant keys", err.Error(), "mend "+grantKeysVariable)
	} else {
		e.ok("server", "grant keys", "%s is set", grantKeysVariable)
	}
}

// doctorName is who the probes are of, and part of what they are called.
const doctorName = "chunksign-doctor"

// examine makes all checks of one destination. Those that need what failed
// before are left out.
func (e *examiner) examine(ctx context.Context, d *destination.Destination) {
	there := e.clock(ctx, d)
	p, err := e.probe(ctx, d)
	if err != nil {
		what, fix := sessionFault(d, err)
		e.fail(d.Name, "session", what, fix)
		return
	}
	if d.Store.STS.RoleARN == "" {
		e.ok(d.Name, "session", "none: the server signs with its own credentials, which no page gets")
	} else {
		e.ok(d.Name, "session", "%s of %s; the policy has %d of %d characters", d.Duration, d.Store.STS.RoleARN, p.policyLength, policy.MaxLength)
	}
	if !there {
		return
	}
	defer e.cleanUp(ctx, p)
	e.parts(ctx, p)
	if e.put(ctx, p) {
		e.condition(ctx, p)
		e.look(ctx, p)
		if d.Store.STS.RoleARN != "" {
			if e.refusals(ctx, p) && !d.Presigned {
				e.forgeries(ctx, p)
			}
		}
		e.remove(ctx, p)
		e.unsigned(ctx, p)
	}
	e.cors(ctx, p)
	e.lifecycle(ctx, d)
}

// probe asks for a session as a grant would, or takes what would sign for a page.
func (e *examiner) probe(ctx context.Context, d *destination.Destination) (*probe, error) {
	if d.Conditions.Client {
		// From which address the store sees this machine nobody here knows.
		open := *d
		open.Conditions.Client, open.Conditions.SourceIP, d = false, nil, &open
	}
	who := destination.Principal{ID: doctorName, Claims: map[string]any{}}
	for _, c := range d.Claims() {
		who.Claims[c] = doctorName
	}
	_, whole := d.Beginning()
	id := rand.Text()
	key, rights, err := d.Preview(who, doctorName+"-"+id+".txt", e.now(), rand.Reader)
	if err != nil {
		return nil, err
	}
	var session destination.Session
	text, narrower := "", ""
	if d.Store.STS.RoleARN == "" {
		session, err = e.signer.Own(ctx, d.Store)
	} else if text, narrower, err = destination.PolicyWriter(policy.Session).Both(rights); err == nil {
		var tags []destination.SetTag
		if tags, err = d.SessionTags(who); err == nil {
			session, err = e.Issue(ctx, destination.SessionRequest{
				Store: d.Store, Principal: doctorName, Policy: text, Narrower: narrower, Duration: d.Duration, Tags: tags,
			})
		}
	}
	if err != nil {
		return nil, err
	}
	p := &probe{d: d, key: key, whole: whole, policyLength: len(text), outside: doctorName + "-outside-" + id}
	if rights.Prefix {
		p.prefix = rights.Key
	}
	p.session, p.s3 = session, e.pageClient(d.Store, session)
	return p, nil
}

// sessionFault says why there is no session, in STS's own words, and what to do.
func sessionFault(d *destination.Destination, err error) (what, fix string) {
	what = stsSays(err)
	role := d.Store.STS.RoleARN
	switch {
	case strings.Contains(what, "role chaining"):
		return what, "the server's own credentials are a role's, and AWS lets such have sessions of 1 h at most: write duration: 1h or less for " + d.Name
	case strings.Contains(what, "MaxSessionDuration"), strings.Contains(what, "DurationSeconds exceeds"):
		return what, "raise the role's MaxSessionDuration (aws iam update-role --max-session-duration), or write a shorter duration for " + d.Name
	case strings.Contains(what, "PackedPolicyTooLarge"):
		return what, "shorten the destination's key, or the tags of the server's own session"
	case strings.Contains(what, "AccessDenied"):
		return what, "let the server's identity assume " + role + ": chunksign iam -only trust (on the role) and -only server (on the server's identity)"
	case strings.Contains(what, "InvalidClientTokenId"), strings.Contains(what, "SignatureDoesNotMatch"), strings.Contains(what, "InvalidAccessKeyId"), strings.Contains(what, "ExpiredToken"):
		return what, "the server's own credentials are wrong or have expired: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the instance's role"
	case strings.Contains(what, "RegionDisabled"):
		return what, "activate STS in " + d.Store.Region + " in the account's IAM settings"
	}
	var known *destination.Error
	if errors.As(err, &known) && known.Code == destination.StoreUnavailable {
		return what, "see that STS is reached from here: sts.endpoint of the store " + d.Store.Name + ", DNS, proxies (HTTPS_PROXY), firewalls"
	}
	return what, "see the store's own log"
}
