package endpoint

import (
	"context"
	"errors"
	"net"
	"syscall"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// HostOnlySilent reports whether connecting to dockerd at the host-only address timed out or failed
// as unreachable. A refused connection is an answer.
func (f *Finder) HostOnlySilent(ctx context.Context) bool {
	a := f.Ask(ctx, f.HostOnly())
	if a.DialErr == nil || errors.Is(a.DialErr, syscall.ECONNREFUSED) {
		return false
	}
	var timeout net.Error
	return unreachable(a.DialErr) || errors.Is(a.DialErr, context.DeadlineExceeded) ||
		errors.As(a.DialErr, &timeout) && timeout.Timeout()
}

// unreachable reports whether err comes from the laptop's own kernel: no neighbor has the address,
// the kernel remembers that none had it (EHOSTDOWN on macOS), or it may not look for one.
func unreachable(err error) bool {
	return errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.EHOSTDOWN) ||
		errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.ENETDOWN)
}

// HostOnlyAnswers reports whether dockerd's or sshd's port at the host-only address accepts or
// refuses a connection. It asks sshd only if dockerd is silent, because connections to port 22 may
// be counted.
func (f *Finder) HostOnlyAnswers(ctx context.Context) bool {
	return host.Alive(ctx, f.Laptop, f.HostOnly().addr(), ProbeTime/2) || f.SSHAlive(ctx)
}

// HostOnlyAlive reports whether dockerd's port at the host-only address accepts or refuses a
// connection. A diagnosis uses the answer of AskAhead, if there is one.
func (f *Finder) HostOnlyAlive(ctx context.Context) bool {
	e := f.HostOnly()
	switch {
	case !f.Machine.IP.IsValid():
		return false
	case f.asksAhead(e):
		err := f.Ask(ctx, e).DialErr
		return err == nil || errors.Is(err, syscall.ECONNREFUSED)
	}
	return host.Alive(ctx, f.Laptop, e.addr(), ProbeTime/2)
}
