package trial

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

const (
	// signingTimeout bounds the trial of what is signed: some hundred small requests.
	signingTimeout = time.Minute
	// refusedFor is for how long a store that has failed it is not tried again: it
	// does not change by itself, and the trial writes.
	refusedFor = 10 * time.Minute
)

// Signatures is a destination.SigningTrial. A store that has stood its trial once is
// not tried again; one is held for each bucket and each set of signed headers.
type Signatures struct {
	signer   destination.RequestSigner
	logger   *slog.Logger // nil: of what could not be removed nothing is said
	verdicts verdicts
}

// NewSignatures gives one that has tried nothing.
func NewSignatures(signer destination.RequestSigner, logger *slog.Logger, now func() time.Time) *Signatures {
	return &Signatures{signer, cmp.Or(logger, slog.New(slog.DiscardHandler)), newVerdicts(now)}
}

// Enforces implements destination.SigningTrial. AWS's own stores are not tried.
func (s *Signatures) Enforces(ctx context.Context, d *destination.Destination) error {
	if d.Store.AWS() {
		return nil
	}
	// What a destination signs of itself cannot be added: one that signs less is tried apart.
	signed := slices.Sorted(maps.Keys(d.PutHeaders("", "", "")))
	of := strings.Join(append([]string{d.Store.Name, d.Bucket}, signed...), " ")
	return s.verdicts.of(ctx, of, signingTimeout, func(ctx context.Context) (time.Duration, error) {
		own, err := s.signer.Own(ctx, d.Store)
		if err != nil {
			return again, err
		}
		what := Signed{Destination: d, By: own, Own: own, Signer: s.signer, Now: s.verdicts.now}
		honoured, stray, err := Unsigned(ctx, what)
		if stray != nil {
			s.logger.Warn("the trial of a store has left something behind",
				"store", d.Store.Name, "bucket", d.Bucket, "err", stray)
		}
		switch {
		case err != nil:
			return again, &destination.Error{Code: destination.StoreUnavailable,
				Err:    fmt.Errorf("the trial of what is signed for %s: %w", d.Name, err),
				Detail: "the server cannot tell now whether the store enforces what a presigned request signs; try again"}
		case len(honoured) > 0:
			return refusedFor, &destination.Error{Code: destination.SigningNotEnforced,
				Err: fmt.Errorf("the store %s honours headers that a presigned request does not sign (%s),"+
					" with the rights of the server's own key; write %s", d.Store.Name, strings.Join(honoured, ", "), Advice(d.Store)),
				Detail: "the store does not enforce what a presigned request signs, so the server signs none with its own key;" +
					" its admin has to set up sts for the store"}
		}
		return 0, nil
	})
}

// Advice is what to write for a store that honours unsigned headers.
func Advice(s *destination.Store) string {
	return "sts: for the store " + s.Name +
		", so that sessions sign that may write the one object alone, or use another store"
}
