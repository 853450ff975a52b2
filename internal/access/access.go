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
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/memo"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// probeTime bounds one probe: a peer that sends nothing for so long is silent.
const probeTime = 2 * time.Second

// Config is what a login depends on.
type Config struct {
	Laptop  host.Laptop
	Machine store.Machine
	VM      *virtualbox.Machine
	// StateDir is the program's state directory, MachineDir the machine's part of it.
	StateDir, MachineDir string
	Now                  func() time.Time
	// Patience is how much longer than a diagnosis a repair waits for a silent peer; 0 is
	// a diagnosis.
	Patience func() time.Duration
	// AcceptHostKey reports whether the user takes a changed host key as the new one.
	AcceptHostKey func() bool
	// DockerdAnswers reports whether dockerd answers at its endpoint: the VM is up then.
	DockerdAnswers func(context.Context) bool
	// Notify passes on what a wait is for.
	Notify func(format string, args ...any)
}

// Access is the way in to one docker host.
type Access struct {
	Config
	client     memo.Of[*sshhost.Client]
	again      atomic.Bool // the one further connection of this run has been made
	rollback   atomic.Bool
	made       atomic.Pointer[Login]
	smallOnly  atomic.Bool    // larger packets were lost in this run
	background sync.WaitGroup // histories that are being written
}

// New is the access to a docker host. It logs in when it is first used.
func New(c Config) *Access { return &Access{Config: c} }

func (a *Access) repairing() bool { return a.Patience() > 0 }

// Exists reports whether the machine has SSH at all: driver none has an address and
// nothing else.
func (a *Access) Exists() bool { return a.Machine.Driver != "none" }

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

// dialer opens the TCP connection of a login.
func (a *Access) dialer(how Login) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		if small, ok := a.Laptop.(host.SmallDialer); ok && how.Small {
			return small.DialSmall(ctx, how.Address.Addr, smallSegment)
		}
		return a.Laptop.DialContext(ctx, "tcp", how.Address.Addr)
	}
}
