package main

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/chunksign/chunksign/server/auth"
	"github.com/chunksign/chunksign/server/config"
	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/devstore"
	"github.com/chunksign/chunksign/server/httpapi"
	"github.com/chunksign/chunksign/server/policy"
	"github.com/chunksign/chunksign/server/presign"
	"github.com/chunksign/chunksign/server/sts"
	"github.com/chunksign/chunksign/server/verify"
)

const (
	grantKeysVariable = "CHUNKSIGN_GRANT_KEYS"
	noGrantKeys       = grantKeysVariable + " is not set: grants end with this process and other replicas do not know them; set it to id:base64, the base64 made with: openssl rand -base64 32"
)

// wiring is what the parts are put together from.
type wiring struct {
	config *config.Config
	port   string // that the server listens on
	static fs.FS
	getenv func(string) string
	logger *slog.Logger

	grants      *destination.GrantKeys
	credentials map[string]aws.CredentialsProvider // the server's own, by store
	close       []func() error
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
	store, err := devstore.Start(ctx, devstore.Config{Dir: data, Buckets: []string{bucket}, Origins: origins, Secret: secret, Logger: w.logger, Now: time.Now})
	if err != nil {
		return err
	}
	w.close = append(w.close, store.Close)
	s := &destination.Store{
		Name: "embedded", Region: store.Region(), Endpoint: store.Endpoint(), Addressing: "path", DeletesIfMatch: true,
		STS: destination.STS{RoleARN: store.RoleARN(), Endpoint: store.STSEndpoint()},
	}
	own := store.Credentials()
	w.credentials = map[string]aws.CredentialsProvider{
		s.Name: credentials.NewStaticCredentialsProvider(own.AccessKeyID, own.SecretAccessKey, own.SessionToken),
	}
	w.config.Stores = []*destination.Store{s}
	for _, d := range []destination.Destination{
		{Name: "demo", Scope: destination.ScopeObject, ReadOwner: true},
		{Name: "demo-s3direct", Scope: destination.ScopePrefix},
	} {
		template := map[string]string{"demo": "demo/{uuid}/{filename}", "demo-s3direct": "s3direct/{user}/{uuid}/{filename}"}[d.Name]
		if d.Key, err = destination.ParseTemplate(template); err != nil {
			return err
		}
		d.Store, d.Bucket, d.MaxSize = s, bucket, destination.MaxObjectSize
		d.Duration, d.GrantDuration = 15*time.Minute, 7*24*time.Hour
		w.config.Destinations = append(w.config.Destinations, &d)
	}
	return nil
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
	chain, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return fmt.Errorf("the server's own AWS credentials: %w", err)
	}
	w.credentials = map[string]aws.CredentialsProvider{}
	for _, s := range w.config.Stores {
		w.credentials[s.Name] = chain.Credentials
	}
	return nil
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
	c := w.config
	service := &destination.Service{
		Destinations: c.Destinations,
		Grants:       w.grants,
		Policy:       policy.Session,
		Sessions:     sts.New(c.Stores, w.credentials, nil, time.Now),
		Objects:      verify.New(c.Stores, w.credentials, nil),
		Links:        presign.Presigner{Credentials: w.credentials},
		Now:          time.Now,
		Random:       rand.Reader,
	}
	h := httpapi.Config{
		Service: service, Origins: c.Origins, Static: w.static, Logger: w.logger, Now: time.Now, NewID: rand.Text,
	}
	switch {
	case c.Auth.Dev:
		dev := auth.NewDev(w.port, slices.Clone(c.Origins)...)
		h.Auth, h.Guard = dev, dev.Guard
	default:
		j := c.Auth.JWT
		h.Cookies = j.Cookie != ""
		h.Auth = auth.NewJWT(auth.JWTConfig{
			Issuer: j.Issuer, Audience: j.Audience, JWKSURL: j.JWKSURL, Keys: j.Keys, Cookie: j.Cookie, Now: time.Now,
			Client: &http.Client{Timeout: 10 * time.Second},
		})
	}
	return httpapi.New(h)
}
