package world

import (
	"context"
	"errors"
	"net"
	"syscall"
)

// HostOnlySilent says whether neither dockerd nor sshd gives any sign of life at
// the host-only address, although the route is right. A refusal is a sign of life.
func (w *World) HostOnlySilent(ctx context.Context) bool {
	a := w.Ask(ctx, w.HostOnlyEndpoint())
	if a.DialErr == nil || errors.Is(a.DialErr, syscall.ECONNREFUSED) {
		return false
	}
	var timeout net.Error
	return errors.Is(a.DialErr, syscall.EHOSTUNREACH) || errors.Is(a.DialErr, context.DeadlineExceeded) ||
		errors.As(a.DialErr, &timeout) && timeout.Timeout()
}

// HostOnlyAnswers reports whether dockerd's or sshd's port at the host-only address
// gives a sign of life: a connection, or a refusal. sshd is asked only where dockerd
// is silent, because connections to port 22 may be counted.
func (w *World) HostOnlyAnswers(ctx context.Context) bool {
	return w.alive(ctx, w.HostOnlyEndpoint().addr()) || w.SSH.Alive(ctx)
}

// HostOnlyAlive says whether dockerd's port at the host-only address gives a sign of
// life. A diagnosis may have asked there already, while another way took long.
func (w *World) HostOnlyAlive(ctx context.Context) bool {
	e := w.HostOnlyEndpoint()
	switch {
	case !w.HostOnly().IsValid():
		return false
	case w.asksAhead(e):
		err := w.Ask(ctx, e).DialErr
		return err == nil || errors.Is(err, syscall.ECONNREFUSED)
	}
	return w.alive(ctx, e.addr())
}

func (w *World) alive(ctx context.Context, addr string) bool {
	ctx, cancel := context.WithTimeout(ctx, ProbeTime/2)
	defer cancel()
	conn, err := w.Laptop.DialContext(ctx, "tcp", addr)
	if err == nil {
		conn.Close()
	}
	return err == nil || errors.Is(err, syscall.ECONNREFUSED)
}
