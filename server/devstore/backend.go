package devstore

import (
	"bufio"
	"context"
	"reflect"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// guarded judges what the gateway passes to the backend: the last place before names become paths, and the one where it
// does not matter how a name was spelled, or whether it came in the path, the query, a header, a form or XML. A test
// calls each of the interface's methods with hostile values, so that a method that a new version adds is not forgotten.
type guarded struct {
	backend.Backend
	names
	mayRedirect func(account auth.Account, bucket string) bool
}

// passed is the key under which a request's context holds that the front has judged it.
type passed struct{}

// fromFront refuses a request that reached the gateway past the front. fiber matches the front's route by the path as it
// was sent, and the gateway's own routes by the path decoded: only fasthttp's refusal of targets without a slash at their
// start ("%2fmedia/x") keeps the two the same.
func fromFront(ctx context.Context) error {
	if ctx.Value(passed{}) == nil {
		return s3err.GetAPIError(s3err.ErrAccessDenied)
	}
	return nil
}

func (g guarded) bucket(ctx context.Context, bucket string) error {
	if err := fromFront(ctx); err != nil {
		return err
	}
	return checkBucket(bucket)
}

func (g guarded) object(ctx context.Context, bucket, object, version string) error {
	if err := g.bucket(ctx, bucket); err != nil {
		return err
	}
	if err := g.checkKey("key", object); err != nil {
		return err
	}
	return checkVersionID("versionId", version)
}

// input judges an input of the SDK's form by its fields' names.
func (g guarded) input(ctx context.Context, in any) error {
	if err := fromFront(ctx); err != nil {
		return err
	}
	fields := reflect.Indirect(reflect.ValueOf(in))
	// Bucket, Key and UploadId are never left out where an input has them: nothing, joined to a path, is its folder.
	required := func(name string, check func(string) error) error {
		if f := fields.FieldByName(name); f.IsValid() {
			return check(aws.ToString(f.Interface().(*string)))
		}
		return nil
	}
	optional := func(name string, check func(string) error) error {
		f := fields.FieldByName(name)
		if !f.IsValid() || aws.ToString(f.Interface().(*string)) == "" {
			return nil
		}
		return check(aws.ToString(f.Interface().(*string)))
	}
	key := func(value string) error { return g.checkKey("key", value) }
	if err := firstOf(required("Bucket", checkBucket), required("Key", key), required("UploadId", checkUploadID)); err != nil {
		return err
	}
	for _, name := range []string{"Prefix", "Marker", "KeyMarker", "StartAfter", "ContinuationToken"} {
		if err := optional(name, func(value string) error { return g.checkPrefix(name, value) }); err != nil {
			return err
		}
	}
	for _, name := range []string{"VersionId", "VersionIdMarker"} {
		if err := optional(name, func(value string) error { return checkVersionID(name, value) }); err != nil {
			return err
		}
	}
	return firstOf(optional("UploadIdMarker", checkUploadID), optional("CopySource", g.checkCopySource),
		optional("WebsiteRedirectLocation", func(string) error { return g.redirect(ctx, fields) }))
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// redirect judges by the account that the gateway has authenticated, wherever the signature and the redirect stood.
func (g guarded) redirect(ctx context.Context, fields reflect.Value) error {
	account, _ := ctx.Value(string(utils.ContextKeyAccount)).(auth.Account)
	if !g.mayRedirect(account, aws.ToString(fields.FieldByName("Bucket").Interface().(*string))) {
		return errRedirect
	}
	return nil
}

// DeleteObjects refuses all, where one has a name that is no key.
func (g guarded) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput) (s3response.DeleteResult, error) {
	if err := g.input(ctx, in); err != nil {
		return s3response.DeleteResult{}, err
	}
	for _, object := range in.Delete.Objects {
		if err := g.input(ctx, object); err != nil {
			return s3response.DeleteResult{}, err
		}
	}
	return g.Backend.DeleteObjects(ctx, in)
}

// SelectObjectContent is what the posix backend has not, and what could return no error.
func (g guarded) SelectObjectContent(ctx context.Context, in *s3.SelectObjectContentInput) func(w *bufio.Writer) {
	return backend.BackendUnsupported{}.SelectObjectContent(ctx, in)
}
