package sts

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/chunksign/chunksign/server/destination"
)

const (
	// readyFor is how long an answer to Ready stands: probes come often, and
	// anybody can send them.
	readyFor = 5 * time.Second
	// readyTimeout bounds the question to one STS; probes wait a few seconds at most.
	readyTimeout = 3 * time.Second
)

// readiness is what the STSs answered last.
type readiness struct {
	now   func() time.Time
	mu    sync.Mutex
	until time.Time
	err   error
}

// Ready answers nil where the STS of every store that has one answers and knows the server's
// own credentials, as of a few seconds ago. Errors are *destination.Error with
// StoreUnavailable.
func (i *Issuer) Ready(ctx context.Context) error {
	r := &i.ready
	r.mu.Lock() // the others wait for the one that asks
	defer r.mu.Unlock()
	if r.now().Before(r.until) {
		return r.err
	}
	// Not the prober's context: it may leave, and the answer is for all.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout)
	defer cancel()
	errs := make(chan error, len(i.asked))
	for _, name := range i.asked {
		go func() { errs <- answers(ctx, name, i.clients[name]) }()
	}
	r.err = nil
	for range i.asked {
		if err := <-errs; err != nil {
			r.err = err
		}
	}
	r.until = r.now().Add(readyFor)
	return r.err
}

// strangers are STS's words for credentials that it does not know.
var strangers = []string{"InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException"}

// answers asks for the one thing that AWS denies nobody
// (STS/latest/APIReference/API_GetCallerIdentity.html). MinIO does not know the
// question, but says so: that is an answer too.
func answers(ctx context.Context, store string, client *awssts.Client) error {
	_, err := client.GetCallerIdentity(ctx, &awssts.GetCallerIdentityInput{})
	if err == nil {
		return nil
	}
	e := &destination.Error{Code: destination.StoreUnavailable, Err: fmt.Errorf("the STS of the store %s: %w", store, err),
		Detail: "the STS of a store does not answer, or does not know this server; its log says more"}
	var reply *awshttp.ResponseError
	if !errors.As(err, &reply) || reply.HTTPStatusCode() == 0 || reply.HTTPStatusCode() >= http.StatusInternalServerError { // 0: no reply came
		return e
	}
	var api smithy.APIError
	if errors.As(err, &api) && slices.Contains(strangers, api.ErrorCode()) {
		return e
	}
	return nil
}
