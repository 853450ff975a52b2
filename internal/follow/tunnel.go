package follow

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/access"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/relay"
)

const (
	// loginTime is the timeout of a login and the first command.
	loginTime = 20 * time.Second
	// openTime is the timeout of a connection to a container.
	openTime = 30 * time.Second
	// aliveTime is how long the docker host may take to show that it is alive.
	aliveTime = 2 * time.Second
)

var errAway = errors.New("the docker host cannot be reached")

// tunnel is the SSH connection. When it is lost, a new one is made.
type tunnel struct {
	name   string
	login  func(context.Context) (Remote, error)
	notify func(format string, args ...any)
	away   func(reason string)
	wake   chan struct{} // asks keep to log in now
	tried  chan struct{} // closed after the first attempt to log in

	mu     sync.Mutex
	remote Remote     // nil without a connection
	own    netip.Addr // the docker host's address, not loopback; zero if unknown
}

// keep logs in, and again whenever the connection is lost, until ctx ends. It calls again after each
// login except for the first, because other connections may have been lost as well.
func (t *tunnel) keep(ctx context.Context, again func()) {
	var wait backoff
	first, notified := true, false
	for ctx.Err() == nil {
		r, err := t.connect(ctx)
		if first {
			close(t.tried)
		}
		if err == nil {
			t.away("")
			if notified {
				t.notify("[%s] logged in again", t.name)
			}
			if !first {
				again()
			}
			wait.reset()
			first, notified = false, false
			select {
			case <-r.Done():
			case <-ctx.Done():
			}
			t.set(nil, netip.Addr{})
			r.Close()
			if ctx.Err() == nil {
				t.away("the connection was lost")
			}
			continue
		}
		first = false
		pause := wait.next()
		var held *access.HeldBackError
		if errors.As(err, &held) {
			pause = max(pause, held.Wait)
		}
		if ctx.Err() == nil {
			t.away(err.Error())
		}
		if !notified && ctx.Err() == nil {
			t.notify("[%s] the docker host cannot be reached, trying again: %v", t.name, err)
			notified = true
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-t.wake:
			if held != nil {
				_ = host.Sleep(ctx, held.Wait)
			}
		}
		timer.Stop()
	}
}

// connect logs in and runs one command. Until it has run one, sshd before OpenSSH 9.8 delays small
// packets (Nagle's algorithm). The command prints the docker host's own address: connections to that
// do not go through docker-proxy.
func (t *tunnel) connect(ctx context.Context) (Remote, error) {
	ctx, cancel := context.WithTimeout(ctx, loginTime)
	defer cancel()
	r, err := t.login(ctx)
	if err != nil {
		return nil, err
	}
	// "client_ip client_port server_ip server_port" (ssh(1), SSH_CONNECTION)
	out, err := r.Run(ctx, host.Cmd{Argv: []string{"sh", "-c", `echo "$SSH_CONNECTION"`}})
	select {
	case <-r.Done():
		r.Close()
		return nil, fmt.Errorf("running a command on %s: %w", t.name, errors.Join(err, errAway))
	default: // a docker host that runs no commands may still allow connections
	}
	var own netip.Addr
	if words := strings.Fields(string(out.Stdout)); len(words) >= 3 {
		own, _ = netip.ParseAddr(words[len(words)-2])
	}
	t.set(r, own.Unmap())
	return r, nil
}

func (t *tunnel) set(r Remote, own netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remote, t.own = r, own
}

func (t *tunnel) current() (Remote, netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.remote, t.own
}

// await waits until the first login has succeeded or failed.
func (t *tunnel) await(ctx context.Context) {
	select {
	case <-t.tried:
	case <-ctx.Done():
	}
}

// open connects from the docker host to the address that addr returns. own is the docker host's own
// address. Without an SSH connection it fails at once.
func (t *tunnel) open(ctx context.Context, addr func(own netip.Addr) string) (relay.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	t.await(ctx)
	r, own := t.current()
	if r == nil {
		return nil, errAway
	}
	return r.Open(ctx, "tcp", addr(own))
}

// check closes the connection if the docker host does not answer; without one it asks for a login.
func (t *tunnel) check(ctx context.Context) {
	r, _ := t.current()
	if r == nil {
		poke(t.wake)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, aliveTime)
	defer cancel()
	if r.CheckAlive(ctx) != nil {
		r.Close()
	}
}
