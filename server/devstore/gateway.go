package devstore

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"
)

const (
	// sideCarDir, in Dir, holds what would be extended attributes where the file system has none: checksums, content types,
	// CORS rules. No bucket's name can begin with a dot.
	sideCarDir = ".chunksign-attributes"
	// maxParts is S3's limit of parts an upload.
	maxParts = 10_000
	// maxCopy is S3's limit of what one CopyObject copies, in bytes. versitygw takes 0 for none at all.
	maxCopy = 5 << 30
	// The gateway's bounds: far above what a browser opens (six connections a host), and small when unused.
	maxConnections = 1024
	maxRequests    = 512
	// portAttempts is how many free ports to try when Listen asks for any.
	portAttempts = 10
	// The rest of a refused request's body is read for a while, so that the sender gets to the reply.
	drainBytes = 64 << 20
	drainTime  = 10 * time.Second
)

// gateway is what versitygw is run with.
type gateway struct {
	dir     string // absolute
	listen  string // host:port on loopback; port 0 for any
	root    aws.Credentials
	iam     *iam
	origins func() []string
	log     *slog.Logger
}

// runGateway starts versitygw and returns the address it listens on, with what stops it. While it runs, the process's
// working directory is dir.
func runGateway(ctx context.Context, g gateway) (address string, stop func() error, err error) {
	if err := os.MkdirAll(g.dir, 0o755); err != nil {
		return "", nil, fmt.Errorf("devstore: Dir: %w", err)
	}
	for attempt := 1; ; attempt++ {
		address, err := chooseAddress(g.listen)
		if err != nil {
			return "", nil, err
		}
		stop, err := g.runAt(ctx, address)
		if err == nil {
			return address, stop, nil
		}
		// versitygw opens its own listener and does not tell its port, so a free one is chosen first; another program may
		// have taken it in between.
		if address == g.listen || !errors.Is(err, syscall.EADDRINUSE) || attempt == portAttempts {
			return "", nil, fmt.Errorf("devstore: Listen %s: %w", address, err)
		}
	}
}

// chooseAddress replaces port 0 by a port that is free now.
func chooseAddress(listen string) (string, error) {
	if _, port, _ := net.SplitHostPort(listen); port != "0" {
		return listen, nil
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return "", fmt.Errorf("devstore: Listen %s: %w", listen, err)
	}
	return l.Addr().String(), l.Close()
}

// runAt runs the gateway at address and returns when it listens or has failed to.
func (g gateway) runAt(ctx context.Context, address string) (stop func() error, err error) {
	attributes, err := attributeStore(g.dir)
	if err != nil {
		return nil, err
	}
	_, sideCar := attributes.(meta.SideCar)
	rules := names{sideCar: sideCar}
	files, err := posix.New(g.dir, attributes, posix.PosixOpts{CopyObjectThreshold: maxCopy})
	if err != nil {
		return nil, err
	}
	listening, ended := make(chan struct{}), make(chan error, 1)
	life, cancel := context.WithCancel(context.Background())
	go func() {
		guard := guarded{Backend: files, names: rules, mayRedirect: redirectRule(g.root, g.iam)}
		err := embedgw.RunVersityGW(life, guard, &embedgw.Config{
			RootUserAccess:    g.root.AccessKeyID,
			RootUserSecret:    g.root.SecretAccessKey,
			Region:            region,
			Ports:             []string{address},
			MaxConnections:    maxConnections,
			MaxRequests:       maxRequests,
			MultipartMaxParts: maxParts,
			IAMService:        g.iam,
			KeepAlive:         true,
			Quiet:             true,
			S3Options: []s3api.Option{
				s3api.WithOnListen(func() { close(listening) }),
				s3api.WithMiddleware("/", front(allowedHosts(address), rules, g)),
			},
		})
		if err != nil && life.Err() == nil {
			g.log.Error("the embedded S3 stopped", "address", address, "err", err)
		}
		ended <- err
	}()
	stop = func() error {
		cancel()
		return <-ended
	}
	select {
	case <-listening:
		return stop, nil
	case err := <-ended:
		cancel()
		return nil, err
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), stop())
	}
}

// attributeStore is where the gateway keeps what is not an object's bytes: extended attributes, or the side-car folder
// where there are none. A store that began with the side-car stays with it.
func attributeStore(dir string) (meta.MetadataStorer, error) {
	sideCar := filepath.Join(dir, sideCarDir)
	_, err := os.Stat(sideCar)
	if errors.Is(err, os.ErrNotExist) {
		if (meta.XattrMeta{}).Test(dir) == nil {
			return meta.XattrMeta{}, nil
		}
		err = os.MkdirAll(sideCar, 0o755)
	}
	if err != nil {
		return nil, err
	}
	return meta.NewSideCar(sideCar)
}

// front stands before every S3 route and logs what passes, at debug level. It refuses foreign Hosts and what is no request
// of S3's (judge.go), and makes refusals readable to an allowed page, which the gateway alone does not: it looks at the
// bucket's CORS rules only after the signature (in UploadPart, Create and Complete), and closes the connection on a body
// that it did not read.
func front(allowed func(host string) bool, rules names, g gateway) fiber.Handler {
	uploads, forms := &uploadLocks{}, &forms{}
	return func(c fiber.Ctx) error {
		// An absolute request URI would carry a second host; browsers never send one to an origin.
		if !allowed(string(c.Request().Header.Host())) || !strings.HasPrefix(string(c.Request().Header.RequestURI()), "/") {
			c.Set(fiber.HeaderConnection, "close")
			c.Set(fiber.HeaderContentType, fiber.MIMEApplicationXML)
			return c.Status(fiber.StatusMisdirectedRequest).SendString(xml.Header +
				"<Error><Code>MisdirectedRequest</Code><Message>This store answers only for its own loopback address.</Message></Error>")
		}
		log := g.log
		refused, release := rules.judge(c), func() {}
		if refused == nil {
			release, refused = forms.rewrite(c, formKeys{g.root, g.iam})
		}
		defer release()
		var err error
		if refused == nil {
			c.Locals(passed{}, true)
			signHash(c, g.root, g.iam)
			leave := uploads.enter(c)
			err = c.Next()
			leave()
		} else {
			log = log.With("refused", refused)
			err = answer(c, refused)
		}
		oneRequestID(c)
		// Not the query as it is: a presigned URL's is a secret while it lasts.
		log.Debug("s3", "method", c.Method(), "path", c.Path(), "partNumber", c.Query("partNumber"),
			"uploadId", c.Query("uploadId"), "status", c.Response().StatusCode())
		if err == nil && c.Response().StatusCode() < fiber.StatusBadRequest {
			return nil
		}
		if origin := c.Get(fiber.HeaderOrigin); origin != "" && slices.Contains(g.origins(), origin) &&
			c.GetRespHeader(fiber.HeaderAccessControlAllowOrigin) == "" {
			c.Set(fiber.HeaderAccessControlAllowOrigin, origin)
			c.Set(fiber.HeaderAccessControlExposeHeaders, strings.Join(exposed, ", "))
			c.Vary(fiber.HeaderOrigin)
		}
		drain(c)
		return err
	}
}

// oneRequestID takes away the gateway's second copy of each request id: it writes them in two spellings, and a page would
// read "id, id".
func oneRequestID(c fiber.Ctx) {
	h := &c.Response().Header
	h.DisableNormalizing() // so that the spellings are told apart
	for _, name := range []string{"X-Amz-Request-Id", "X-Amz-Id-2"} {
		if len(h.Peek(strings.ToLower(name))) > 0 {
			h.Del(name)
		}
	}
}

// drain reads on through a refused request's body, up to drainBytes and drainTime. With bytes still coming in, closing the
// connection resets it, and a browser then reports a network error where it should show the store's reply.
func drain(c fiber.Ctx) {
	body := c.Request().BodyStream()
	if body == nil || c.Request().Header.ContentLength() <= 0 {
		return
	}
	if conn := c.RequestCtx().Conn(); conn != nil {
		if conn.SetReadDeadline(time.Now().Add(drainTime)) == nil {
			defer conn.SetReadDeadline(time.Time{})
		}
	}
	io.CopyN(io.Discard, body, drainBytes) // an error leaves the connection to the gateway, which closes it
}
