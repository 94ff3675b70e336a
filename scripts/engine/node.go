package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// node is one process, which can be started again.
type node struct {
	name  string
	args  []string // the program and what it is given
	env   []string // beside our own
	log   string   // the file that its output goes to
	ready string   // a URL that answers 200 once it serves; "" for a node that is waited for otherwise

	mu     sync.Mutex
	cmd    *exec.Cmd     // nil before the first start
	gone   chan struct{} // closed once cmd has ended
	wanted bool          // somebody ended it
}

// start starts the process where it does not run.
func (n *node) start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd != nil {
		select {
		case <-n.gone:
		default:
			return nil
		}
	}
	out, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(n.args[0], n.args[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), n.env...), out, out
	cmd.Dir = filepath.Dir(n.log)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's SIGINT is the command's
	if err := cmd.Start(); err != nil {
		return err
	}
	gone := make(chan struct{})
	go func() { cmd.Wait(); close(gone) }()
	n.cmd, n.gone, n.wanted = cmd, gone, false
	return nil
}

// end ends the process by a signal, and by SIGKILL where it has not ended after a while.
func (n *node) end(by syscall.Signal) {
	n.mu.Lock()
	cmd, gone := n.cmd, n.gone
	n.wanted = true
	n.mu.Unlock()
	if cmd == nil {
		return
	}
	cmd.Process.Signal(by)
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		cmd.Process.Kill()
		<-gone
	}
}

// died says that the process ended and nobody asked it to.
func (n *node) died() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd == nil || n.wanted {
		return false
	}
	select {
	case <-n.gone:
		return true
	default:
		return false
	}
}

// tail is the end of what the process said.
func (n *node) tail() []byte {
	text, _ := os.ReadFile(n.log)
	lines := bytes.SplitAfter(text, []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-20):], nil)
}

// serves waits until the node answers.
func (n *node) serves(ctx context.Context) error {
	return n.until(ctx, func() bool {
		reply, err := http.Get(n.ready)
		if err == nil {
			reply.Body.Close()
		}
		return err == nil && reply.StatusCode == http.StatusOK
	})
}

// until waits for something that the node's life brings about.
func (n *node) until(ctx context.Context, so func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	for !so() {
		if n.died() {
			return fmt.Errorf("%s ended by itself:\n%s", n.name, n.tail())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w\n%s", n.name, ctx.Err(), n.tail())
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// freePorts are ports that nothing listens at now.
func freePorts(n int) (ports []int, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// control serves who wants a node ended or started.
func (e *engine) control() (url string, end func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	act := func(do func(context.Context, *node) error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			i, err := strconv.Atoi(r.URL.Query().Get("node"))
			if err == nil && (i < 0 || i >= len(e.nodes)) {
				err = errors.New("there is no such node")
			}
			if err == nil {
				err = do(r.Context(), e.nodes[i])
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusConflict)
				return
			}
			w.WriteHeader(http.StatusNoContent)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /kill", act(func(_ context.Context, n *node) error { n.end(syscall.SIGKILL); return nil }))
	mux.HandleFunc("POST /start", act(func(ctx context.Context, n *node) (err error) {
		for range 2 { // a process that is about to end still runs
			if err = n.start(); err == nil {
				err = n.serves(ctx)
			}
			if err == nil || !n.died() {
				break
			}
		}
		return err
	}))
	s := &http.Server{Handler: mux}
	go s.Serve(l)
	return "http://" + l.Addr().String(), func() { s.Close() }, nil
}
