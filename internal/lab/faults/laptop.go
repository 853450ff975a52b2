// Package faults breaks a repair at any point of its way: the n-th thing that the
// program asks of the laptop fails, hangs, or kills the program.
package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// Variable holds the fault, "MODE:N", and CountFile where the number of
// operations of a run is left.
const (
	Variable  = "DVH_FAULT"
	CountFile = "DVH_FAULT_COUNT"
)

// Mode is the way in which an operation goes wrong.
type Mode string

// The modes.
const (
	Fail Mode = "fail" // an error, and the next operation works again
	Hang Mode = "hang" // nothing, until the context or a deadline ends it
	Kill Mode = "kill" // SIGKILL
)

// errInjected is what a failing operation says.
var errInjected = errors.New("injected fault")

// Laptop wraps a laptop as the environment says.
type Laptop struct {
	host.Laptop
	mode  Mode
	at    int64
	count *atomic.Int64
}

// Wrap reads the fault from the environment.
func Wrap(l host.Laptop) *Laptop {
	mode, n, _ := strings.Cut(os.Getenv(Variable), ":")
	at, _ := strconv.ParseInt(n, 10, 64)
	return &Laptop{Laptop: l, mode: Mode(mode), at: at, count: &atomic.Int64{}}
}

// Report leaves the number of operations for the test to read.
func (l *Laptop) Report() {
	if path := os.Getenv(CountFile); path != "" {
		_ = os.WriteFile(path, []byte(fmt.Sprint(l.count.Load())), 0o600)
	}
}

// step is one operation; hang waits for what ends a hanging one.
func (l *Laptop) step(hang func()) error {
	if l.count.Add(1) != l.at {
		return nil
	}
	switch l.mode {
	case Fail:
		return errInjected
	case Hang:
		hang()
		return os.ErrDeadlineExceeded
	case Kill:
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	return nil
}

func (l *Laptop) wait(ctx context.Context) error { return l.step(func() { <-ctx.Done() }) }

// Run implements host.Host. A failing command fails before it ran, or, every
// other time, after it did: its answer is lost.
func (l *Laptop) Run(ctx context.Context, c host.Cmd) (host.Output, error) {
	if err := l.wait(ctx); err != nil {
		return host.Output{}, fmt.Errorf("%s: %w", c, err)
	}
	out, err := l.Laptop.Run(ctx, c)
	if lost := l.wait(ctx); lost != nil {
		return host.Output{}, fmt.Errorf("%s: its answer was lost: %w", c, lost)
	}
	return out, err
}

// ReadFile implements host.Laptop.
func (l *Laptop) ReadFile(ctx context.Context, path string) ([]byte, error) {
	if err := l.wait(ctx); err != nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return l.Laptop.ReadFile(ctx, path)
}

// WriteFile implements host.Laptop.
func (l *Laptop) WriteFile(ctx context.Context, path string, data []byte, perm fs.FileMode) error {
	if err := l.wait(ctx); err != nil {
		return &fs.PathError{Op: "write", Path: path, Err: err}
	}
	if err := l.Laptop.WriteFile(ctx, path, data, perm); err != nil {
		return err
	}
	if err := l.wait(ctx); err != nil {
		return &fs.PathError{Op: "sync", Path: path, Err: err}
	}
	return nil
}

// Remove implements host.Laptop.
func (l *Laptop) Remove(ctx context.Context, path string) error {
	if err := l.wait(ctx); err != nil {
		return &fs.PathError{Op: "remove", Path: path, Err: err}
	}
	return l.Laptop.Remove(ctx, path)
}

// DialContext implements host.Host. The byte stream can break at each read and write.
func (l *Laptop) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := l.wait(ctx); err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	c, err := l.Laptop.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, laptop: l}, nil
}

// LookPath implements host.Laptop.
func (l *Laptop) LookPath(name string, also ...string) (string, error) {
	if err := l.step(func() {}); err != nil {
		return "", &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return l.Laptop.LookPath(name, also...)
}

// PortUse implements host.Laptop.
func (l *Laptop) PortUse(ctx context.Context, port int) (host.PortState, error) {
	if err := l.wait(ctx); err != nil {
		return "", fmt.Errorf("trying port %d: %w", port, err)
	}
	return l.Laptop.PortUse(ctx, port)
}

// Links implements host.Laptop.
func (l *Laptop) Links(ctx context.Context) ([]host.Link, error) {
	if err := l.wait(ctx); err != nil {
		return nil, fmt.Errorf("listing interfaces: %w", err)
	}
	return l.Laptop.Links(ctx)
}

// RouteTo implements host.Laptop.
func (l *Laptop) RouteTo(ctx context.Context, ip netip.Addr) (host.Route, error) {
	if err := l.wait(ctx); err != nil {
		return host.Route{}, fmt.Errorf("asking for the route to %s: %w", ip, err)
	}
	return l.Laptop.RouteTo(ctx, ip)
}

// Processes implements host.Laptop.
func (l *Laptop) Processes(ctx context.Context) ([]host.Process, error) {
	if err := l.wait(ctx); err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	return l.Laptop.Processes(ctx)
}

// Ancestors implements host.Laptop.
func (l *Laptop) Ancestors(ctx context.Context) ([]string, error) {
	if err := l.wait(ctx); err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	return l.Laptop.Ancestors(ctx)
}

// ReadDir implements host.Laptop.
func (l *Laptop) ReadDir(ctx context.Context, dir string) ([]fs.DirEntry, error) {
	if err := l.wait(ctx); err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: dir, Err: err}
	}
	return l.Laptop.ReadDir(ctx, dir)
}

// MkdirAll implements host.Laptop.
func (l *Laptop) MkdirAll(ctx context.Context, dir string, perm fs.FileMode) error {
	if err := l.wait(ctx); err != nil {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: err}
	}
	return l.Laptop.MkdirAll(ctx, dir, perm)
}

// Append implements host.Laptop. It breaks before it begins, with half of data written,
// or at its end: all is written and the answer is lost.
func (l *Laptop) Append(ctx context.Context, path string, size int64, data []byte) error {
	if err := l.wait(ctx); err != nil {
		return &fs.PathError{Op: "append", Path: path, Err: err}
	}
	for _, written := range []int{len(data) / 2, len(data)} {
		if err := l.Laptop.Append(ctx, path, size, data[:written]); err != nil {
			return err
		}
		if err := l.wait(ctx); err != nil {
			return &fs.PathError{Op: "append", Path: path, Err: err}
		}
	}
	return nil
}

// Lock implements host.Laptop.
func (l *Laptop) Lock(ctx context.Context, path string, waiting func()) (func(), error) {
	if err := l.wait(ctx); err != nil {
		return nil, &fs.PathError{Op: "lock", Path: path, Err: err}
	}
	return l.Laptop.Lock(ctx, path, waiting)
}

// conn is a connection that an injected fault breaks for good.
type conn struct {
	net.Conn
	laptop *Laptop
	broken atomic.Bool
}

func (c *conn) step() error {
	if c.broken.Load() {
		return syscall.ECONNRESET
	}
	// A peer that has gone silent: what ends the wait is the caller's deadline, or
	// that it closes.
	err := c.laptop.step(func() { _, _ = io.Copy(io.Discard, c.Conn) })
	if err != nil {
		c.broken.Store(true)
		c.Conn.Close()
		return syscall.ECONNRESET
	}
	return nil
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	if err := c.step(); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	if err := c.step(); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
