package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"syscall"
	"time"
)

// process is a program that the benchmark has started. It ends with the benchmark, whatever ends that.
type process struct {
	cmd  *exec.Cmd
	addr string // where it serves
	ops  string // where Gatehouse serves metrics and profiles
	log  bytes.Buffer
	done chan struct{}
}

// command prepares a process; ctx ends it.
func command(ctx context.Context, program string, args ...string) *process {
	p := &process{cmd: exec.CommandContext(ctx, program, args...), done: make(chan struct{})}
	p.cmd.Stderr = &p.log
	p.cmd.SysProcAttr = endWithParent()
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 5 * time.Second
	return p
}

// again prepares the same process once more.
func (p *process) again(ctx context.Context) *process {
	q := command(ctx, p.cmd.Path, p.cmd.Args[1:]...)
	q.addr, q.ops = p.addr, p.ops
	return q
}

func (p *process) start() error {
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		_ = p.cmd.Wait() // it is always ended by a signal
		close(p.done)
	}()
	return nil
}

// stop ends the process and waits until it has ended.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// waitUntil calls ready until it gives no error, as long as the process runs.
func (p *process) waitUntil(ctx context.Context, ready func() error) error {
	deadline := time.Now().Add(2 * time.Minute)
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended: %s", p.cmd.Path, p.log.String())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not become ready: %w", p.cmd.Path, err)
		}
	}
}

// freeAddr gives a loopback address that nobody listens on now.
func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}
