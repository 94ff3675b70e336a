package main

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/chunksign/chunksign/server/compat"
	"github.com/chunksign/chunksign/server/config"
	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/devstore"
	"github.com/chunksign/chunksign/server/httpapi"
	"github.com/chunksign/chunksign/server/limit"
	"github.com/chunksign/chunksign/server/observe"
	"github.com/chunksign/chunksign/server/policy"
	"github.com/chunksign/chunksign/server/presign"
	"github.com/chunksign/chunksign/server/sts"
	"github.com/chunksign/chunksign/server/trial"
	"github.com/chunksign/chunksign/server/verify"
)

const (
	grantKeysVariable = "CHUNKSIGN_GRANT_KEYS"
	webhookVariable   = "CHUNKSIGN_WEBHOOK_SECRET"
	noWebhookSecret   = webhookVariable + " is not set, and a destination has a webhook; set it to a secret that the application knows too, made with: echo whsec_$(openssl rand -base64 32)"
	noGrantKeys       = grantKeysVariable + " is not set: grants end with this process and other replicas do not know them; set it to id:base64, the base64 made with: openssl rand -base64 32"
)

// wiring is what the parts are put together from. What is below config outlives
// a configuration that is read again.
type wiring struct {
	config      *config.Config
	credentials map[string]aws.CredentialsProvider // the server's own, by store

	port    string // that the server listens on
	static  fs.FS
	getenv  func(string) string
	logger  *slog.Logger
	grants  *destination.GrantKeys
	chain   aws.CredentialsProvider // nil for the embedded store
	metrics *observe.Metrics
	traces  *observe.Traces
	counts  *limit.Memory
	close   []func() error
}

// lasting makes what outlives a configuration.
func (w *wiring) lasting(ctx context.Context) error {
	var err error
	w.metrics, w.counts = observe.NewMetrics(time.Now), limit.NewMemory(time.Now)
	if w.traces, err = observe.NewTraces(ctx, w.getenv, w.logger); err == nil {
		w.close = append(w.close, w.traces.Close)
	}
	return err
}

// generation is what a configuration is served by.
func (w *wiring) generation(c *config.Config) (*generation, error) {
	next := *w
	next.config, next.close = c, nil
	next.identities()
	handler, err := next.handler()
	end := func() error {
		var errs []error
		for _, f := range next.close {
			errs = append(errs, f())
		}
		return errors.Join(errs...)
	}
	if err != nil {
		return nil, errors.Join(err, end())
	}
	return &generation{Handler: handler, close: end}, nil
}

// embedded starts the embedded store and adds the demo's destinations.
func (w *wiring) embedded(ctx context.Context, data string) error {
	secret, err := keptSecret(data)
	if err != nil {
		return err
	}
	if w.grants, err = grantKeys(w.getenv(grantKeysVariable), secret); err != nil {
		return err
	}
	const bucket = "demo"
	origins := append([]string{"http://127.0.0.1:" + w.port, "http://localhost:" + w.port, "http://[::1]:" + w.port}, w.config.Origins...)
	at := devstore.Config{
		Dir: data, Listen: nextPort(w.port), Buckets: []string{bucket}, Origins: origins, Secret: secret, Logger: w.logger, Now: time.Now,
	}
	store, err := devstore.Start(ctx, at)
	if errors.Is(err, syscall.EADDRINUSE) {
		w.logger.Warn("the embedded S3's usual address is taken by another program; uploads begun there cannot go on", "address", at.Listen)
		at.Listen = ""
		store, err = devstore.Start(ctx, at)
	}
	if err != nil {
		return err
	}
	w.close = append(w.close, store.Close)
	s := &destination.Store{
		Name: "embedded", Region: store.Region(), Endpoint: store.Endpoint(), Addressing: "path", DeletesIfMatch: true,
		STS: destination.STS{RoleARN: store.RoleARN(), Endpoint: store.STSEndpoint(), Trusted: true},
	}
	own := store.Credentials()
	w.credentials = map[string]aws.CredentialsProvider{
		s.Name: credentials.NewStaticCredentialsProvider(own.AccessKeyID, own.SecretAccessKey, own.SessionToken),
	}
	w.config.Stores = []*destination.Store{s}
	for _, d := range []struct {
		destination.Destination
		key string
	}{
		{destination.Destination{Name: "demo", Scope: destination.ScopeObject, ReadOwner: true}, "demo/{uuid}/{filename}"},
		{destination.Destination{Name: "demo-s3direct", Scope: destination.ScopePrefix, Compat: destination.Compat{Evaporate: true, S3Direct: true}}, "s3direct/{user}/{uuid}/{filename}"},
		{destination.Destination{Name: "demo-once", Scope: destination.ScopeObject, ReadOwner: true, Existence: true}, "once/{user}/{filename}"},
		{destination.Destination{Name: "demo-presigned", Scope: destination.ScopeObject, ReadOwner: true, Presigned: true}, "presigned/{uuid}/{filename}"},
	} {
		if d.Key, err = destination.ParseTemplate(d.key); err != nil {
			return err
		}
		d.Store, d.Bucket, d.MaxSize = s, bucket, destination.MaxObjectSize
		d.Duration, d.GrantDuration = 15*time.Minute, 7*24*time.Hour
		w.config.Destinations = append(w.config.Destinations, &d.Destination)
	}
	return nil
}

// nextPort is where the embedded store listens: at the port after the server's,
// so that it is where it was after a restart. Pages keep a store's address with
// each unfinished upload.
func nextPort(port string) string {
	n, err := strconv.Atoi(port)
	if err != nil || n >= 65535 {
		return "" // any free one
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(n+1))
}

// configured takes the server's own credentials from the AWS SDK's chain:
// environment, shared files, container or instance role.
func (w *wiring) configured(ctx context.Context) error {
	var err error
	value := w.getenv(grantKeysVariable)
	random := make([]byte, 32)
	rand.Read(random)
	if w.grants, err = grantKeys(value, random); err != nil {
		return err
	}
	if value == "" {
		w.logger.Warn(noGrantKeys)
	}
	return w.own(ctx)
}

// own takes the server's own credentials from the chain, one set for all stores.
func (w *wiring) own(ctx context.Context) error {
	chain, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return fmt.Errorf("the server's own AWS credentials: %w", err)
	}
	w.chain = chain.Credentials
	w.identities()
	return nil
}

// identities are the chain's, the same for all stores.
func (w *wiring) identities() {
	if w.chain == nil {
		return
	}
	w.credentials = map[string]aws.CredentialsProvider{}
	for _, s := range w.config.Stores {
		w.credentials[s.Name] = w.chain
	}
}

// grantKeys are the environment's, or else one derived from a secret.
func grantKeys(value string, secret []byte) (*destination.GrantKeys, error) {
	if value != "" {
		keys, err := destination.ParseGrantKeys(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", grantKeysVariable, err)
		}
		return keys, nil
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "chunksign grants", 32)
	if err != nil {
		return nil, err
	}
	return destination.NewGrantKeys(destination.GrantKey{ID: "own", Secret: key})
}

// handler puts the domain, its adapters and the HTTP interface together.
func (w *wiring) handler() (http.Handler, error) {
	c, metrics, traces := w.config, w.metrics, w.traces
	sessions := sts.New(c.Stores, w.credentials, nil, time.Now)
	limits, err := w.limits()
	if err != nil {
		return nil, err
	}
	hooks, err := w.hooks()
	if err != nil {
		return nil, err
	}
	presigner := presign.Presigner{Credentials: w.credentials}
	service := &destination.Service{
		Destinations: c.Destinations,
		Grants:       w.grants,
		Policy:       policy.Session,
		Sessions:     traces.Sessions(metrics.Sessions(sessions)),
		Trial:        trial.NewSessions(time.Now),
		Signing:      trial.NewSignatures(presigner, w.logger, time.Now),
		Objects:      traces.Objects(metrics.Objects(verify.New(storesOf(c.Destinations), sessions.Own, nil))),
		Hooks:        traces.Hooks(metrics.Hooks(hooks)),
		Links:        presigner,
		Signer:       presigner,
		Multipart:    presign.NewCaller(time.Now),
		Limits:       limits,
		Audit:        observe.Both(observe.Audit(w.logger), metrics.Decided),
		Now:          time.Now,
		Random:       rand.Reader,
	}
	h := httpapi.Config{
		Service: service, Origins: c.Origins, Proxies: c.Proxies, Static: w.static, Logger: w.logger, Now: time.Now, NewID: rand.Text,
		Ready: sessions.Ready, Trace: traces.Request, Metrics: metrics.Handler(), MetricsFrom: c.Metrics, Observe: metrics.Request,
	}
	w.signIn(&h)
	if err := w.views(service, &h); err != nil {
		return nil, err
	}
	return httpapi.New(h)
}

// limits count in this process, or in the Redis that the configuration names.
func (w *wiring) limits() (destination.Limiter, error) {
	if w.config.Redis == "" {
		return w.counts, nil
	}
	r, err := limit.NewRedis(w.config.Redis, w.getenv("CHUNKSIGN_REDIS_USERNAME"), w.getenv("CHUNKSIGN_REDIS_PASSWORD"))
	if err != nil {
		return nil, err
	}
	w.close = append(w.close, r.Close)
	return r, nil
}

// hooks sign by the environment's secrets, which a configuration with a webhook needs.
func (w *wiring) hooks() (*verify.Hooks, error) {
	h := &verify.Hooks{Now: time.Now}
	if !slices.ContainsFunc(w.config.Destinations, func(d *destination.Destination) bool { return d.Webhook != nil }) {
		return h, nil
	}
	value := w.getenv(webhookVariable)
	if value == "" {
		return nil, errors.New(noWebhookSecret)
	}
	var err error
	if h.Secrets, err = verify.ParseSecrets(value); err != nil {
		return nil, fmt.Errorf("%s: %w", webhookVariable, err)
	}
	return h, nil
}

// storesOf are the stores as destinations have them, each with its own Verify.
func storesOf(destinations []*destination.Destination) (all []*destination.Store) {
	for _, d := range destinations {
		all = append(all, d.Store)
	}
	return all
}

// views are what django-s3direct's and EvaporateJS's pages call.
func (w *wiring) views(service *destination.Service, h *httpapi.Config) error {
	held, err := w.grants.Box("s3direct sessions")
	if err != nil {
		return err
	}
	sealed, err := w.grants.Box("evaporate sessions")
	if err != nil {
		return err
	}
	v := &compat.Views{Service: service, Held: held, Sealed: sealed, Logger: h.Logger, Now: time.Now}
	type problem = func(w http.ResponseWriter, status int, detail, code, requestID string)
	type serves = func(http.ResponseWriter, *http.Request, compat.Who) error
	view := func(method, path string, serve serves, problem problem) httpapi.View {
		return httpapi.View{Method: method, Path: path, Problem: problem, Serve: func(w http.ResponseWriter, r *http.Request, who func() (destination.Principal, error)) error {
			return serve(w, r, who)
		}}
	}
	h.Evaporate = func(u destination.Upload) (any, error) {
		if e, err := v.ForEvaporate(u); e != nil || err != nil {
			return e, err
		}
		return nil, nil
	}
	h.Views = []httpapi.View{
		view("POST", "/s3direct/get_upload_params/", v.UploadParams, compat.Problem),
		view("POST", "/s3direct/get_aws_v4_signature/", v.Signature, compat.Problem),
		view("GET", "/evaporate/sign", v.Evaporate, nil),
	}
	return nil
}
