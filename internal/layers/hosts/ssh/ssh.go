// Package ssh is the layer of the login to an ssh:// docker host with the user's own ssh program and
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

// loginTime is the timeout of a login.
const loginTime = 3500 * time.Millisecond

// State is what was found.
type State struct {
	To        userssh.Destination `json:"to"`
	NoProgram bool                `json:"no_ssh_command,omitempty"`
	Config    userssh.Config      `json:"config"`
	// MasterDead means that the connection of the user's own ControlMaster is dead.
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

// localNetworkDenied reports whether macOS keeps ssh from reaching the docker host.
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

// turnedAway reports whether sshd refuses the connection because too many logins are in progress. sshd
// (OpenSSH 8.3 and later) then sends that instead of its identification, but ssh prints it only when
// debugging.
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

// failed records a failed login.
func (s *State) failed(err error) {
	s.Error = err.Error()
	var failed *userssh.Error
	switch {
	case errors.Is(err, userssh.ErrMissing):
		s.NoProgram = true
	case errors.As(err, &failed):
		s.Cause = failed.Cause()
		if s.Cause == userssh.ClosedAtOnce && s.Config.Proxy != "" {
			s.Cause = userssh.ProxyFailed // the proxy's own message is lost with a ControlMaster
		}
	}
}

// Changes returns none: the user must act.
func (State) Changes() []engine.Change { return nil }
