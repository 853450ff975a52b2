// Package ssh is the login to a docker host of ssh://, with the user's own ssh program and
// configuration, as docker does it.
package ssh

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/laptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/userssh"
)

// loginTime bounds a login.
const loginTime = 3500 * time.Millisecond

// State is what was found.
type State struct {
	To        userssh.Destination `json:"to"`
	NoProgram bool                `json:"no_ssh_command,omitempty"`
	Config    userssh.Config      `json:"config"`
	// MasterDead reports that the user's own ControlMaster, which docker would use, answers
	// nothing.
	MasterDead bool `json:"control_master_dead,omitempty"`

	Cause userssh.Cause `json:"cause,omitempty"`
	Error string        `json:"error,omitempty"`
	// Forbidden reports that macOS does not let this program use the local network; App is the
	// application to allow.
	Forbidden bool   `json:"local_network_denied,omitempty"`
	App       string `json:"app,omitempty"`
}

// Layer describes it to the engine.
func Layer() engine.Layer {
	return engine.Layer{Name: "ssh", Needs: []string{"route"}, Findings: findings, Inspect: inspect}
}

func inspect(ctx context.Context, t *target.Target) (engine.State, error) {
	s := State{To: t.UserSSH.To}
	var err error
	if s.Config, err = t.UserSSH.Config(ctx); err != nil {
		s.failed(err)
		return s, nil
	}
	if s.MasterDead, err = t.UserSSH.OwnMasterHangs(ctx); err != nil || s.MasterDead {
		return s, err
	}
	ctx, cancel := context.WithTimeout(ctx, loginTime)
	defer cancel()
	if _, err := t.UserSSH.Client(ctx); err != nil {
		s.failed(err)
	}
	if s.Cause == userssh.ClosedAtOnce && turnedAway(ctx, t.Laptop, net.JoinHostPort(s.Config.Host, s.Config.Port)) {
		s.Cause = userssh.MaxStartups
	}
	if s.Cause == userssh.Unreachable && s.Config.Proxy == "" && localNetworkDenied(ctx, t, s.Config) {
		s.Forbidden, s.App = true, t.Network.App(ctx)
	}
	return s, nil
}

// localNetworkDenied reports whether it is macOS that keeps ssh from the docker host.
func localNetworkDenied(ctx context.Context, t *target.Target, c userssh.Config) bool {
	addr, err := netip.ParseAddr(c.Host)
	if resolver, ok := t.Laptop.(host.Resolver); ok && err != nil {
		all, err := resolver.Lookup(ctx, c.Host)
		if err != nil || len(all) == 0 {
			return false
		}
		addr = all[0]
	}
	return addr.IsValid() && t.Network.DeniesLocalNetwork(ctx, laptop.Destination{Addr: addr}, net.JoinHostPort(addr.String(), c.Port))
}

// turnedAway reports whether sshd names its limit of logins in progress in place of its
// identification (OpenSSH 8.3 and later); ssh prints that only where it debugs.
func turnedAway(ctx context.Context, laptop host.Laptop, addr string) bool {
	conn, err := laptop.DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetReadDeadline(deadline)
	}
	line := make([]byte, 64)
	n, _ := conn.Read(line)
	return strings.HasPrefix(string(line[:n]), "Exceeded MaxStartups")
}

func (s *State) failed(err error) {
	s.Error = err.Error()
	var failed *userssh.Error
	switch {
	case errors.Is(err, userssh.ErrMissing):
		s.NoProgram = true
	case errors.As(err, &failed):
		s.Cause = failed.Cause()
		if s.Cause == userssh.ClosedAtOnce && s.Config.Proxy != "" {
			s.Cause = userssh.ProxyFailed // what the proxy prints is lost where a ControlMaster is made
		}
	}
}

// What closes SSH is the user's to change.
func (State) Changes() []engine.Change { return nil }
