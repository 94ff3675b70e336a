// Package trial finds out whether a store keeps a session to its policy, by
// trying what whoever holds the session could try: other keys, its token
// changed in a letter, and another session from STS. Ceph's radosgw 16.2
// encrypts tokens and does not authenticate them, so that a changed one may lose
// its policy.
//
// And it finds out whether a store holds whoever sends a presigned request to what
// was signed, or honours further headers: MinIO and radosgw make a copy of any
// object out of a presigned PUT to which x-amz-copy-source is added.
//
//	trial.go       the attempts at sessions, which write nothing
//	sessions.go    no page gets a session before its store has stood them
//	headers.go     the headers that are added to presigned requests
//	unsigned.go    the attempts with them, which remove what they write
//	forms.go       the same beside forms
//	requests.go    the requests that these make
//	signatures.go  nothing is signed by the server's own key before its store has stood them
//	verdicts.go    what was found is remembered
package trial

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/chunksign/chunksign/server/destination"
)

// Subject is a session and what its policy says.
type Subject struct {
	destination.Session
	Store   *destination.Store
	Bucket  string
	Inside  string       // a key whose parts the session may list
	Outside string       // one whose parts it may not, though the store's role may
	Client  *http.Client // nil for the usual one
}

// Way is how a session gets at more than its policy gives.
type Way string

// The ways that are tried.
const (
	AsItIs  Way = "its policy is not kept to"
	Changed Way = "with a letter of its token changed it has no policy"
	Another Way = "STS gives it another session, without the policy"
)

const (
	name = "chunksign-trial"
	// places of a token are changed, from its first letter to its last.
	places = 24
)

// Ways tries them all, by listing the parts of an upload that there is not: who
// may is told so (404), who may not is refused. Where the store's answers do not
// tell it is an error.
func Ways(ctx context.Context, s Subject) ([]Way, error) {
	inside, err := s.may(ctx, s.Session, s.Inside)
	if err != nil {
		return nil, err
	}
	if !inside {
		return nil, fmt.Errorf("a session is refused to list the parts of %s/%s, which it may: whether the store keeps to session policies cannot be told", s.Bucket, s.Inside)
	}
	outside, err := s.may(ctx, s.Session, s.Outside)
	if err != nil {
		return nil, err
	}
	var ways []Way
	if outside {
		ways = append(ways, AsItIs)
	}
	for i := range places {
		forged := s.Session
		token := []byte(forged.SessionToken)
		if len(token) == 0 {
			break
		}
		at := i * (len(token) - 1) / (places - 1)
		if token[at] = 'A'; forged.SessionToken[at] == 'A' {
			token[at] = 'B'
		}
		forged.SessionToken = string(token)
		open, err := s.may(ctx, forged, s.Outside)
		if err != nil {
			return nil, err
		}
		if open {
			ways = append(ways, Changed)
			break
		}
	}
	if open, err := s.another(ctx); err != nil || !open {
		return ways, err
	}
	return append(ways, Another), nil
}

// may answers whether a session may list the parts of a key.
func (s Subject) may(ctx context.Context, as destination.Session, key string) (bool, error) {
	o := s3.Options{Region: s.Store.Region, Retryer: aws.NopRetryer{}, UsePathStyle: s.Store.AddressingOf(s.Bucket) == "path",
		Credentials: credentials.NewStaticCredentialsProvider(as.AccessKeyID, as.SecretAccessKey, as.SessionToken)}
	if s.Client != nil {
		o.HTTPClient = s.Client
	}
	if !s.Store.AWS() {
		o.BaseEndpoint = aws.String(s.Store.Endpoint)
	}
	_, err := s3.New(o).ListParts(ctx, &s3.ListPartsInput{Bucket: aws.String(s.Bucket), Key: aws.String(key), UploadId: aws.String(name)})
	var reply *awshttp.ResponseError
	switch {
	case err == nil:
		return true, nil
	case !errors.As(err, &reply) || reply.HTTPStatusCode() == 0: // the SDK makes one up where no reply came
		return false, err
	}
	return reply.HTTPStatusCode() == http.StatusNotFound && codeOf(err) != "NoSuchBucket", nil
}

func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// another answers whether the session has another of STS that may more. STS is
// asked where pages reach the store: Endpoint of the store's STS may be the
// server's alone.
func (s Subject) another(ctx context.Context) (bool, error) {
	o := awssts.Options{Region: cmp.Or(s.Store.STS.Region, s.Store.Region), Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.SecretAccessKey, s.SessionToken)}
	if s.Client != nil {
		o.HTTPClient = s.Client
	}
	if !s.Store.AWS() {
		o.BaseEndpoint = aws.String(s.Store.Endpoint)
	}
	c, err := stscreds.NewAssumeRoleProvider(awssts.New(o), s.Store.STS.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName, o.Duration = name, 15*time.Minute
	}).Retrieve(ctx)
	if err != nil {
		return false, nil // refused, or no STS is there
	}
	return s.may(ctx, destination.Session{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, s.Outside)
}
