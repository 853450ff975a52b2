// Package access logs in to a docker host over SSH. It decides by which address, how often and with
// which host key, and what a failed login means. One login serves a whole run.
//
// The login rule: a docker host gets at most three connections a minute. A diagnosis leaves the
// last one to a repair, and skips SSH instead; a repair waits. A VM behind VirtualBox's NAT is
// exempt until it has cut us off. After a cut-off no run connects for a minute, or for two if the
// connection was not closed but got no answer.
package access

import (
	"context"
	"errors"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
)

// Client returns the connection, and logs in if there is none. The result of the login is
// remembered for the run, an error too. A connection that was lost is replaced once.
func (a *Access) Client(ctx context.Context) (*sshhost.Client, error) {
	c, err := a.login(ctx)
	if err == nil && c.Lost() != nil && a.retried.CompareAndSwap(false, true) {
		a.Notify("[%s] the SSH connection was lost (%v): logging in once more", a.Machine.Name, c.Lost())
		a.Drop()
		return a.login(ctx)
	}
	return c, err
}

// Host returns the docker host, reached over the connection of Client.
func (a *Access) Host(ctx context.Context) (host.Host, error) {
	c, err := a.Client(ctx)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Tried reports whether a login has been tried in this run.
func (a *Access) Tried() bool {
	_, tried := a.client.Peek()
	return tried
}

// Login returns how the login was made; the zero value if there was none yet.
func (a *Access) Login() Login {
	if l := a.established.Load(); l != nil {
		return *l
	}
	return Login{}
}

// ConnectionLost reports whether an error means that the connection broke. If so, it closes the
// connection.
func (a *Access) ConnectionLost(err error) bool {
	var lost *sshhost.Error
	if !errors.As(err, &lost) || lost.Cause == sshhost.Denied {
		return false
	}
	a.Close()
	return true
}

// TakeOver moves the connection of another Access for the same docker host to this one, if there is
// one.
func (a *Access) TakeOver(from *Access) {
	c, _ := from.client.Peek()
	if c == nil || c.Lost() != nil {
		return
	}
	from.client.Forget()
	_, _ = a.client.Get(context.Background(), func() (*sshhost.Client, error) { return c, nil })
	a.established.Store(from.established.Load())
}

// Drop closes the connection; the next use logs in again.
func (a *Access) Drop() {
	a.disconnect()
	a.client.Forget()
}

// PrepareRollback drops a connection that no longer works, so that the rollback does not spend its
// time on it, and a failed login, so that it is tried again. From then on the login rule does not
// apply.
func (a *Access) PrepareRollback(ctx context.Context) {
	a.rollback.Store(true)
	c, _ := a.client.Peek()
	if c == nil {
		a.client.Forget()
		return
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	if _, err := c.Run(ctx, host.Cmd{Argv: []string{"true"}}); err != nil {
		a.Drop()
	}
}

// Close closes the connection, if there is one, and waits until the history is written.
func (a *Access) Close() {
	defer a.background.Wait()
	a.disconnect()
}

func (a *Access) disconnect() {
	if c, _ := a.client.Peek(); c != nil {
		c.Close()
	}
}
