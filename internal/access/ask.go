package access

import (
	"context"
	"errors"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
)

// SilenceError means that a connection fell silent, and that one with small packets failed, too:
// the packets' size is not the cause.
type SilenceError struct {
	First *sshhost.Error
	Small error
}

func (e *SilenceError) Error() string {
	return e.First.Error() + "; then with small packets: " + e.Small.Error()
}
func (e *SilenceError) Unwrap() error { return e.First }

// Ask runs a command whose output is long enough to show whether the connection carries large
// packets. If the connection falls silent and small packets may help, it runs the command again
// over a connection that only sends those.
func (a *Access) Ask(ctx context.Context, cmd host.Cmd) (host.Output, error) {
	c, err := a.Client(ctx)
	if err != nil {
		return host.Output{}, err
	}
	out, err := runUnlessSilent(ctx, c, cmd)
	var stalled *sshhost.Error
	how := a.Login()
	if !errors.As(err, &stalled) || stalled.Cause != sshhost.Timeout || ctx.Err() != nil ||
		how.Small || !a.canLimitSegments(how.Address) || !a.retried.CompareAndSwap(false, true) {
		return out, err
	}
	out, small := a.askInSmallPackets(ctx, cmd)
	if small != nil {
		return out, &SilenceError{First: stalled, Small: small}
	}
	how = a.Login()
	how.Stalled = stalled
	a.established.Store(&how)
	return out, nil
}

// askInSmallPackets runs a command over a new connection that only sends small packets. It gives up
// shortly before ctx expires, so that the diagnosis can still report the failure.
func (a *Access) askInSmallPackets(ctx context.Context, cmd host.Cmd) (host.Output, error) {
	a.smallOnly.Store(true)
	a.Drop()
	soon, cancel := context.WithCancel(ctx)
	if end, ok := ctx.Deadline(); ok {
		soon, cancel = context.WithDeadline(ctx, end.Add(-probeTime/10))
	}
	defer cancel()
	c, err := a.login(ctx)
	if err != nil {
		return host.Output{}, err
	}
	return runUnlessSilent(soon, c, cmd)
}

// runUnlessSilent runs a command. If it has not ended after probeTime, runUnlessSilent checks
// whether the connection still works, and gives up if not. That distinguishes a slow docker host
// from a path that loses large packets.
func runUnlessSilent(ctx context.Context, c *sshhost.Client, cmd host.Cmd) (host.Output, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	answered := make(chan struct{})
	watching := make(chan error, 1)
	go func() {
		timer := time.NewTimer(probeTime)
		defer timer.Stop()
		select {
		case <-answered:
			watching <- nil
			return
		case <-timer.C:
		}
		ask, done := context.WithTimeout(ctx, probeTime/2)
		defer done()
		err := c.CheckAlive(ask)
		if err != nil {
			cancel(err)
		}
		watching <- err
	}()
	out, err := c.Run(ctx, cmd)
	close(answered)
	if silent := <-watching; err != nil && silent != nil {
		err = silent
	}
	return out, err
}
