// Package sts obtains session credentials by AssumeRole, from AWS or from
// whatever speaks its protocol (MinIO, Ceph, the embedded store).
//
// The server's own credentials come from the AWS SDK's chain or from the
// embedded store; they need sts:AssumeRole on the store's role and nothing of
// S3 for it. Sessions that may be shared are cached until half of their
// duration is over, so that whoever gets one can work with it for a while.
package sts

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"

	"github.com/chunksign/chunksign/server/destination"
)

// Issuer is a destination.SessionIssuer.
type Issuer struct {
	clients  map[string]*awssts.Client // as the server itself
	assuming map[string]*awssts.Client // as who may assume the store's role
	asked    []string                  // the stores whose sessions are handed out
	calls    map[string]chan struct{}  // of AssumeRole that may be under way, by store
	ready    readiness
	own      map[string]aws.CredentialsProvider
	narrower sync.Map // of stores by name: whose STS has refused a Policy that it gave Narrower for
	cache    cache
}

// maxCalls is how many calls of one store's STS may wait for it. A page that
// comes when there are more is told to come again, so that an STS that is slow
// fills neither memory nor, once it is well again, its own quota.
const maxCalls = 256

// timeout bounds one AssumeRole with its retries.
const timeout = 20 * time.Second

// New makes an Issuer for some stores. credentials holds the server's own for
// each, by the store's name.
func New(stores []*destination.Store, credentials map[string]aws.CredentialsProvider, client *http.Client, now func() time.Time) *Issuer {
	i := &Issuer{clients: map[string]*awssts.Client{}, assuming: map[string]*awssts.Client{}, calls: map[string]chan struct{}{}, ready: readiness{now: now}, own: credentials, cache: cache{now: now}}
	for _, s := range stores {
		o := awssts.Options{Region: cmp.Or(s.STS.Region, s.Region), Credentials: credentials[s.Name], Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxBackoff = 500 * time.Millisecond // a page is waiting
		})}
		if c := cmp.Or(client, s.Client); c != nil {
			o.HTTPClient = c
		}
		if s.STS.Endpoint != "" {
			o.BaseEndpoint = aws.String(s.STS.Endpoint)
		}
		i.clients[s.Name] = awssts.New(o)
		if s.STS.RoleARN != "" {
			i.asked = append(i.asked, s.Name)
		}
		i.assuming[s.Name] = i.clients[s.Name]
		if via := s.STS.Via; via.RoleARN != "" {
			o.Credentials = assumed(i.clients[s.Name], via, viaSession)
			i.assuming[s.Name] = awssts.New(o)
		}
		i.calls[s.Name] = make(chan struct{}, maxCalls)
	}
	return i
}

// Issue implements destination.SessionIssuer.
func (i *Issuer) Issue(ctx context.Context, r destination.SessionRequest) (destination.Session, error) {
	if !r.Shared {
		return i.assume(ctx, r)
	}
	// The policy is part of the key: a session can never serve other rights.
	key := cacheKey{r.Store.Name, r.Principal, r.Policy, fmt.Sprintf("%q", r.Tags), r.Duration}
	if r.Anew {
		i.cache.drop(key)
	}
	return i.cache.get(ctx, key, func(ctx context.Context) (destination.Session, error) { return i.assume(ctx, r) })
}

func (i *Issuer) assume(ctx context.Context, r destination.SessionRequest) (destination.Session, error) {
	select {
	case i.calls[r.Store.Name] <- struct{}{}:
		defer func() { <-i.calls[r.Store.Name] }()
	default:
		return destination.Session{}, &destination.Error{Code: destination.StoreUnavailable, RetryAfter: 5 * time.Second,
			Err: fmt.Errorf("%d calls of the STS of %s are under way", maxCalls, r.Store.Name), Detail: "too many wait for the store's STS now; try again"}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	narrower, _ := i.narrower.Load(r.Store.Name)
	if narrower == true && r.Narrower != "" {
		return i.assumeBy(ctx, r, r.Narrower)
	}
	session, err := i.assumeBy(ctx, r, r.Policy)
	if r.Narrower != "" && unknownAction(err) {
		i.narrower.Store(r.Store.Name, true)
		return i.assumeBy(ctx, r, r.Narrower)
	}
	return session, err
}

// unknownAction reports whether STS refused a policy for an action that it does not know, as MinIO's does with
// "unsupported action 's3:PutObjectAcl'".
func unknownAction(err error) bool {
	return destination.OutcomeOf(err) == destination.StoreRefused && strings.Contains(fmt.Sprint(errors.Unwrap(err)), "unsupported action")
}

func (i *Issuer) assumeBy(ctx context.Context, r destination.SessionRequest, policy string) (destination.Session, error) {
	provider := stscreds.NewAssumeRoleProvider(i.assuming[r.Store.Name], r.Store.STS.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = SessionName(r.Principal)
		o.Duration = r.Duration
		o.Policy = aws.String(policy)
		if r.Store.STS.ExternalID != "" {
			o.ExternalID = aws.String(r.Store.STS.ExternalID)
		}
		if r.Store.STS.SourceIdentity {
			o.SourceIdentity = aws.String(o.RoleSessionName) // of which it takes the same
		}
		for _, t := range r.Tags {
			o.Tags = append(o.Tags, types.Tag{Key: aws.String(t.Name), Value: aws.String(t.Value)})
		}
	})
	c, err := provider.Retrieve(ctx)
	if err != nil {
		return destination.Session{}, refusal(err)
	}
	return destination.Session{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken, Expires: c.Expires.UTC(), Name: SessionName(r.Principal)}, nil
}

// What the store's audit log calls the server's own work there, and its own
// session of the role as which it assumes another.
const (
	verifySession = "chunksign-verify"
	viaSession    = "chunksign"
)

// Own answers the credentials with which the server itself works at a store:
// those of its Verify role, renewed as they end, or else its own.
func (i *Issuer) Own(s *destination.Store) aws.CredentialsProvider {
	if s.Verify.RoleARN == "" {
		return i.own[s.Name]
	}
	return assumed(i.clients[s.Name], s.Verify, verifySession)
}

// assumed are the credentials of a role, renewed as they end.
func assumed(client *awssts.Client, role destination.VerifyRole, name string) aws.CredentialsProvider {
	return aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(client, role.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = name
		if role.ExternalID != "" {
			o.ExternalID = aws.String(role.ExternalID)
		}
	}), func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = time.Minute })
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
	_, throttled := retry.DefaultThrottleErrorCodes[api.ErrorCode()]
	switch {
	case api.ErrorCode() == "PackedPolicyTooLarge":
		e.Code, e.Field = destination.PackedPolicyTooLarge, "name"
		e.Detail = "STS cannot pack the session policy for this object's key into its limit; give the file a shorter name"
	case throttled || status == http.StatusTooManyRequests:
		e.Detail, e.RetryAfter = "the store's STS is asked too often now; try again", 5*time.Second
	case status >= 400 && status < 500:
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
