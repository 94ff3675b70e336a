// Command engine runs a command with a store of its own, on loopback, in a
// temporary folder, and ends both:
//
//	go run ./scripts/engine minio|ceph COMMAND [ARGUMENT…]
//
// minio is MinIO on four nodes, a drive each, built on first use (about six
// minutes) into the user's cache; its licence is the AGPL: it is a process
// apart, and never linked. ceph is a monitor, an OSD and two radosgw, one of
// which serves STS, from Debian's
// packages (ceph-mon, ceph-osd, ceph-common, radosgw); cephx is on. Both have a
// real STS whose AssumeRole takes a session policy.
//
// The command finds the store by these variables:
//
//	CHUNKSIGN_ENGINE         minio or ceph
//	CHUNKSIGN_S3_ENDPOINT    base URL of S3
//	CHUNKSIGN_STS_ENDPOINT   base URL of STS
//	CHUNKSIGN_S3_REGION      what signatures name
//	CHUNKSIGN_S3_ACCESS_KEY  a key that may do everything and assume the role,
//	CHUNKSIGN_S3_SECRET_KEY  with its secret
//	CHUNKSIGN_S3_ROLE_ARN    the role; it may do everything in S3
//	CHUNKSIGN_S3_BUCKET      a bucket whose CORS lets in pages of this machine
//	CHUNKSIGN_ENGINE_NODES   how many processes serve S3; node 0 is at the endpoint
//	CHUNKSIGN_ENGINE_CONTROL base URL: POST /kill?node=N ends a node by SIGKILL and
//	                         answers once it is gone; POST /start?node=N starts it
//	                         where it does not run and answers once it serves
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
)

// engine is a store that can be started.
type engine struct {
	nodes  []*node // those that serve S3
	behind []*node // what they stand on
	env    map[string]string
}

func main() {
	args := os.Args[1:]
	if len(args) < 2 || args[0] != "minio" && args[0] != "ceph" {
		fmt.Fprintln(os.Stderr, "usage: engine minio|ceph COMMAND [ARGUMENT…]")
		os.Exit(2)
	}
	start := minio
	if args[0] == "ceph" {
		start = ceph
	}
	status, err := run(start, args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "engine:", err)
		status = max(status, 1)
	}
	os.Exit(status)
}

// run gives the command's exit status.
func run(start func(context.Context, string) (*engine, error), args []string) (status int, err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "chunksign-engine-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	e, err := start(ctx, dir)
	if e != nil {
		defer e.end()
	}
	if err != nil {
		return 1, err
	}
	if err := e.makeBucket(ctx); err != nil {
		return 1, err
	}
	control, end, err := e.control()
	if err != nil {
		return 1, err
	}
	defer end()

	command := exec.CommandContext(ctx, args[1], args[2:]...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.Env = append(os.Environ(), "CHUNKSIGN_ENGINE="+args[0], "CHUNKSIGN_ENGINE_CONTROL="+control, "CHUNKSIGN_ENGINE_NODES="+strconv.Itoa(len(e.nodes)))
	for name, value := range e.env {
		command.Env = append(command.Env, name+"="+value)
	}
	if err := command.Run(); err != nil {
		if failed := (*exec.ExitError)(nil); !errors.As(err, &failed) {
			return 1, err
		}
		e.tellDead()
		return max(1, command.ProcessState.ExitCode()), nil
	}
	return 0, nil
}

// end ends every process, those that others stand on last.
func (e *engine) end() {
	for _, n := range append(append([]*node{}, e.nodes...), e.behind...) {
		n.end(syscall.SIGTERM)
	}
}

// tellDead says which processes ended by themselves: what the command saw may
// come of that.
func (e *engine) tellDead() {
	for _, n := range append(append([]*node{}, e.nodes...), e.behind...) {
		if n.died() {
			fmt.Fprintf(os.Stderr, "engine: %s ended by itself:\n%s\n", n.name, n.tail())
		}
	}
}
