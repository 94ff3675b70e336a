// Package sts obtains session credentials by AssumeRole, from AWS or from
// whatever speaks its protocol (MinIO, Ceph, the embedded store).
//
// The server's own credentials come from the AWS SDK's chain or from the
// embedded store; they need sts:AssumeRole on the store's role and nothing of
// S3 for it. Sessions that may be shared are cached until half of their
// duration is over, so that whoever gets one can work with it for a while.
package sts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/chunksign/chunksign/server/destination"
)

// Issuer is a destination.SessionIssuer.
type Issuer struct {
	clients map[string]*awssts.Client
	cache   cache
}

// timeout bounds one AssumeRole with its retries.
const timeout = 20 * time.Second

// New makes an Issuer for some stores. credentials holds the server's own for
// each, by the store's name.
func New(stores []*destination.Store, credentials map[string]aws.CredentialsProvider, client *http.Client, now func() time.Time) *Issuer {
	i := &Issuer{clients: map[string]*awssts.Client{}, cache: cache{now: now}}
	for _, s := range stores {
		o := awssts.Options{Region: s.Region, Credentials: credentials[s.Name], Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxBackoff = 500 * time.Millisecond // a page is waiting
		})}
		if client != nil {
			o.HTTPClient = client
		}
		if s.STS.Endpoint != "" {
			o.BaseEndpoint = aws.String(s.STS.Endpoint)
		}
		i.clients[s.Name] = awssts.New(o)
	}
	return i
}

// Issue implements destination.SessionIssuer.
func (i *Issuer) Issue(ctx context.Context, r destination.SessionRequest) (destination.Session, error) {
	if !r.Shared {
		return i.assume(ctx, r)
	}
	// The policy is part of the key: a session can never serve other rights.
	key := cacheKey{r.Store.Name, r.Principal, r.Policy, r.Duration}
	return i.cache.get(ctx, key, func(ctx context.Context) (destination.Session, error) { return i.assume(ctx, r) })
}

func (i *Issuer) assume(ctx context.Context, r destination.SessionRequest) (destination.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	provider := stscreds.NewAssumeRoleProvider(i.clients[r.Store.Name], r.Store.STS.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = SessionName(r.Principal)
		o.Duration = r.Duration
		o.Policy = aws.String(r.Policy)
		if r.Store.STS.ExternalID != "" {
			o.ExternalID = aws.String(r.Store.STS.ExternalID)
		}
	})
	c, err := provider.Retrieve(ctx)
	if err != nil {
		return destination.Session{}, refusal(err)
	}
	return destination.Session{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken, Expires: c.Expires.UTC()}, nil
}

// refusal says in the domain's words why there is no session. The store's own
// words go to the log: they name roles and accounts.
func refusal(err error) error {
	e := &destination.Error{Code: destination.StoreUnavailable, Err: err,
		Detail: "the store's STS could not be reached, or answered with an error of its own; try again"}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return e
	}
	var reply *awshttp.ResponseError
	status := 0
	if errors.As(err, &reply) {
		status = reply.HTTPStatusCode()
	}
	switch {
	case api.ErrorCode() == "PackedPolicyTooLarge":
		e.Code, e.Detail = destination.PolicyTooLong, "STS cannot pack the session policy for this object's key; give the file a shorter name"
		e.Field = "name"
	case status >= 400 && status < 500 && api.ErrorCode() != "Throttling" && status != http.StatusTooManyRequests:
		e.Code, e.Detail = destination.StoreRefused, "STS refused ("+api.ErrorCode()+") to give a session of the store's role; the server's log says more to its admin"
	}
	return e
}

// SessionName turns a principal's ID into a RoleSessionName: 2 to 64 of
// [\w+=,.@-] (STS/latest/APIReference/API_AssumeRole.html). It is for audit
// logs, so it stays readable; where something had to go a short hash tells
// principals apart.
func SessionName(principal string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("_+=,.@-", r):
			return r
		}
		return '-'
	}, principal)
	if name == principal && len(name) >= 2 && len(name) <= 64 {
		return name
	}
	sum := sha256.Sum256([]byte(principal))
	return name[:min(len(name), 51)] + "-" + hex.EncodeToString(sum[:6])
}
