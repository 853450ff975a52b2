// Package access logs in to a docker host over SSH: by which address, how often, with
// which host key, and what a failed login means. One login serves a whole run.
//
// The login rule: a docker host gets at most three connections a minute, of which a
// diagnosis, which then skips SSH, leaves the last one to a repair, which waits; a VM
// behind VirtualBox's NAT is exempt until it has cut us off. After a cut-off no run
// connects for a minute, or for two where it was silent.
package access

import (
	"context"
	"errors"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
)

// Client logs in, once a run: the connection, or why there is none, is remembered. A
// connection that was lost is made again, at most once.
func (a *Access) Client(ctx context.Context) (*sshhost.Client, error) {
	c, err := a.login(ctx)
	if err == nil && c.Lost() != nil && a.again.CompareAndSwap(false, true) {
		a.Notify("[%s] the SSH connection was lost (%v): logging in once more", a.Machine.Name, c.Lost())
		a.Drop()
		return a.login(ctx)
	}
	return c, err
}

// Host is the docker host over the one connection.
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

// Login is how the connection was made; the zero value before there is one.
func (a *Access) Login() Login {
	if l := a.made.Load(); l != nil {
		return *l
	}
	return Login{}
}

// ConnectionLost reports whether an error means that the connection broke, and drops it
// then.
func (a *Access) ConnectionLost(err error) bool {
	var lost *sshhost.Error
	if !errors.As(err, &lost) || lost.Cause == sshhost.Denied {
		return false
	}
	a.Close()
	return true
}

// TakeOver uses the connection that another Access has to the same docker host, if it has
// one. The other one has none then.
func (a *Access) TakeOver(from *Access) {
	c, _ := from.client.Peek()
	if c == nil || c.Lost() != nil {
		return
	}
	from.client.Forget()
	_, _ = a.client.Get(context.Background(), func() (*sshhost.Client, error) { return c, nil })
	a.made.Store(from.made.Load())
}

// Drop ends the connection; the next use logs in again.
func (a *Access) Drop() {
	a.disconnect()
	a.client.Forget()
}

// PrepareRollback drops a connection that is dead, so that the rollback does not spend
// its time on it, and a login that failed, which is worth another try. From then on no
// login is held back.
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

// Close ends the connection, if there is one, and waits for what is still written.
func (a *Access) Close() {
	defer a.background.Wait()
	a.disconnect()
}

func (a *Access) disconnect() {
	if c, _ := a.client.Peek(); c != nil {
		c.Close()
	}
}
