package endpoint

import (
	"context"
	"errors"
	"net"
	"syscall"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// HostOnlySilent reports whether neither dockerd nor sshd gives any sign of life at
// the host-only address, although the route is right. A refusal is a sign of life.
func (f *Finder) HostOnlySilent(ctx context.Context) bool {
	a := f.Ask(ctx, f.HostOnly())
	if a.DialErr == nil || errors.Is(a.DialErr, syscall.ECONNREFUSED) {
		return false
	}
	var timeout net.Error
	return unreachable(a.DialErr) || errors.Is(a.DialErr, context.DeadlineExceeded) ||
		errors.As(a.DialErr, &timeout) && timeout.Timeout()
}

// unreachable reports whether err is the laptop's own kernel's: no neighbor has that
// address, it remembers that none had (EHOSTDOWN on macOS), or it may not look for one.
func unreachable(err error) bool {
	return errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.EHOSTDOWN) ||
		errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.ENETDOWN)
}

// HostOnlyAnswers reports whether dockerd's or sshd's port at the host-only address
// gives a sign of life: a connection, or a refusal. sshd is asked only where dockerd
// is silent, because connections to port 22 may be counted.
func (f *Finder) HostOnlyAnswers(ctx context.Context) bool {
	return host.Alive(ctx, f.Laptop, f.HostOnly().addr(), ProbeTime/2) || f.SSHAlive(ctx)
}

// HostOnlyAlive reports whether dockerd's port at the host-only address gives a sign of
// life. A diagnosis may have asked there already, while another way took long.
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
