// Package devstore is the S3 that runs inside the server when no other is configured: versitygw as a library, with a
// small STS beside it. Files land at <Dir>/<bucket>/<key> as plain files.
//
// It behaves as AWS does where it matters to an upload: requests are signed (SigV4), AssumeRole answers credentials that
// expire and that carry a session policy, and the S3 side evaluates that policy on every action. It is for development and
// tests: it listens on loopback only, its one long-lived key never leaves the process, and it answers no Host but its own,
// so that a page which rebinds its DNS name to 127.0.0.1 reaches nothing.
//
// The way through: Start (this file) derives the keys (keys.go), serves STS (sts.go, with the caller's signature checked
// in sigv4.go), runs the gateway (gateway.go) on an IAM that opens session tokens and evaluates their policies (iam.go,
// session.go), then makes the buckets and their CORS (buckets.go). guard.go says which addresses and which Hosts pass.
//
// The gateway's backend joins names from requests into file paths, and checks few of them. names.go holds the forms that
// names may have; judge.go refuses other requests before the gateway reads them, and backend.go, with backend_buckets.go
// and backend_objects.go, stands between gateway and backend and judges what would become a path, however it was spelled.
// redirect.go says who may give an object a redirect.
//
// One Store runs at a time in a process, because versitygw allows one. It also works by paths relative to the process's
// working directory: between Start and Close that directory is Dir, and Close puts the former one back. Resolve other
// relative paths before Start.
package devstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// The one account, role and region there are. Account ids are twelve digits; this one is nobody's.
const (
	region    = "us-east-1"
	accountID = "000000000000"
	roleName  = "chunksign-uploads"
	roleARN   = "arn:aws:iam::" + accountID + ":role/" + roleName
)

// ErrRunning is what Start returns while another Store runs in this process.
var ErrRunning = errors.New("devstore: another embedded store runs in this process; close it first")

// Config says where the store keeps its files and where it listens.
type Config struct {
	// Dir is the folder that holds the buckets; it is made when missing. Required.
	Dir string
	// Listen is the S3 address, "127.0.0.1:0" when empty. Port 0 takes a free port. The host is 127.0.0.1, ::1 or
	// localhost; anything else is refused.
	Listen string
	// STSListen is the STS address, by the same rules.
	STSListen string
	// Buckets are made when missing. Names follow S3's rules (3 to 63 of a-z, 0-9, hyphen and dot).
	Buckets []string
	// Origins are the exact origins (https://app.example.com) whose pages may call the buckets. "*" is refused. SetOrigins
	// changes them later.
	Origins []string
	// Secret is 32 random bytes or more, from which the root key and the key that seals session tokens are derived. The
	// caller keeps it: with another Secret, credentials handed out earlier are void.
	Secret []byte
	// Logger gets what goes wrong, and each STS call at debug level, never a secret. nil discards.
	Logger *slog.Logger
	// Now is the clock by which credentials expire; nil is time.Now. (The gateway holds a request's own date against the
	// system's clock.)
	Now func() time.Time
}

// Store is a running embedded store. Its methods are safe for concurrent use.
type Store struct {
	keys        keyring
	endpoint    string
	stsEndpoint string
	buckets     []string
	origins     atomic.Pointer[[]string]
	client      *s3.Client
	transport   *http.Transport

	stopGateway func() error
	stopSTS     func() error
	formerDir   string
	closeOnce   sync.Once
	closeErr    error
}

// running guards what a process has one of: versitygw's globals and the working directory.
var running atomic.Bool

// Start runs the store and returns once both listeners answer and the buckets are there, in well under a second. ctx bounds
// the starting only; Close stops the store. Errors name the field at fault.
func Start(ctx context.Context, c Config) (_ *Store, err error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Dir == "" {
		return nil, errors.New("devstore: Dir is empty; name the folder that files land in, for example ./data")
	}
	listen, err := loopbackAddress("Listen", c.Listen)
	if err != nil {
		return nil, err
	}
	stsListen, err := loopbackAddress("STSListen", c.STSListen)
	if err != nil {
		return nil, err
	}
	if err := checkOrigins(c.Origins); err != nil {
		return nil, err
	}
	keys, err := deriveKeys(c.Secret)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("devstore: Dir %q: %w", c.Dir, err)
	}

	if !running.CompareAndSwap(false, true) {
		return nil, ErrRunning
	}
	s := &Store{keys: keys, buckets: c.Buckets, transport: &http.Transport{}}
	s.origins.Store(&c.Origins)
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.formerDir, err = os.Getwd(); err != nil {
		return nil, fmt.Errorf("devstore: the working directory: %w", err)
	}

	sessions := sessions{aead: keys.sessions, now: c.Now}
	stsListener, err := net.Listen("tcp", stsListen)
	if err != nil {
		return nil, fmt.Errorf("devstore: STSListen %q: %w", c.STSListen, err)
	}
	s.stsEndpoint = "http://" + stsListener.Addr().String()
	s.stopSTS = serveSTS(stsListener, &stsHandler{keys: keys, sessions: sessions, now: c.Now, log: c.Logger}, c.Logger)

	address, stop, err := runGateway(ctx, gateway{
		dir: dir, listen: listen, root: keys.root, iam: newIAM(keys.root, sessions),
		origins: func() []string { return *s.origins.Load() }, log: c.Logger,
	})
	if err != nil {
		return nil, err
	}
	s.endpoint, s.stopGateway = "http://"+address, stop

	s.client = s.newClient()
	// The first request of all is the store's own (forms.rewrite).
	if _, err := s.client.ListBuckets(ctx, &s3.ListBucketsInput{}); err != nil {
		return nil, fmt.Errorf("devstore: %w", err)
	}
	if err := s.makeBuckets(ctx, dir); err != nil {
		return nil, err
	}
	if err := s.SetOrigins(ctx, c.Origins); err != nil {
		return nil, err
	}
	return s, nil
}

// Endpoint is the S3 base URL, without a bucket: "http://127.0.0.1:PORT". Address buckets by path.
func (s *Store) Endpoint() string { return s.endpoint }

// STSEndpoint is the base URL of the STS: "http://127.0.0.1:PORT".
func (s *Store) STSEndpoint() string { return s.stsEndpoint }

// Region is the region that signatures for both endpoints name.
func (s *Store) Region() string { return region }

// RoleARN is the role to assume. By itself it may do anything in this store; a session policy narrows it.
func (s *Store) RoleARN() string { return roleARN }

// Credentials is the store's long-lived key: the S3 root (which looks at and deletes objects for the server), and the one
// caller that may assume RoleARN. It must not reach a page, a log or an error.
func (s *Store) Credentials() aws.Credentials { return s.keys.root }

// Close stops both listeners, waiting up to ten seconds for requests under way, and puts the working directory back.
// Calling it again returns the same error.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		var errs []error
		s.transport.CloseIdleConnections()
		if s.stopSTS != nil {
			errs = append(errs, s.stopSTS())
		}
		if s.stopGateway != nil {
			errs = append(errs, s.stopGateway())
		}
		if s.formerDir != "" {
			errs = append(errs, os.Chdir(s.formerDir))
		}
		if err := errors.Join(errs...); err != nil {
			s.closeErr = fmt.Errorf("devstore: close: %w", err)
		}
		running.Store(false)
	})
	return s.closeErr
}
