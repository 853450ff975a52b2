// Package ssh is the layer that repairs go through: is the docker host reachable over SSH, and if
// not, why?
package ssh

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/access"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// State is what was found.
type State struct {
	NotRunning bool             `json:"not_running"`
	NoSSH      bool             `json:"no_ssh"` // the driver has no SSH
	NotAsked   bool             `json:"not_asked"`
	Addresses  []access.Address `json:"addresses,omitempty"`
	// Rule is the name of the NAT rule to sshd. NoRule means that the VM has no usable one.
	// RuleAtOwnPort names a rule on port 22, which is the laptop's own sshd. NoDirect is why the
	// docker host's own address cannot be used either, if there is no way at all.
	Rule          string `json:"rule,omitempty"`
	NoRule        bool   `json:"no_rule,omitempty"`
	RuleAtOwnPort string `json:"rule_at_port_22,omitempty"`
	NoDirect      string `json:"no_direct_ssh,omitempty"`

	HeldBack *access.HeldBackError `json:"-"`
	Err      *sshhost.Error        `json:"-"`
	Error    string                `json:"error,omitempty"` // text of the error that ended the login or the questions after it
	OtherErr error                 `json:"-"`

	// What is known if a login failed before sshd sent anything: how sshd behaves at the host-only
	// address (Direct), and how long ago it answered (Answered, if AnsweredBefore).
	Direct         access.Probe  `json:"direct,omitzero"`
	AnsweredBefore bool          `json:"answered_before,omitempty"`
	Answered       time.Duration `json:"answered_ns,omitempty"`
	// DaemonAnswers means that dockerd answers at the endpoint in use, so the docker host is up.
	// DirectDaemon means that something answers at the host-only address.
	DaemonAnswers bool `json:"daemon_answers,omitempty"`
	DirectDaemon  bool `json:"direct_daemon,omitempty"`

	Login    access.Login      `json:"login,omitzero"`
	Greeting string            `json:"greeting,omitempty"`
	Facts    *dockerhost.Facts `json:"facts,omitempty"`
	FactsErr error             `json:"-"`
	Weak     []string          `json:"weak_algorithms,omitempty"`
	// KeyMode is the mode of the private key file if others may read it, or 0.
	KeyMode fs.FileMode `json:"key_mode,omitempty"`

	KeyPath string `json:"-"`
	User    string `json:"-"`

	// For hints. Restartable means that docker-machine can restart the VM, ViaDockerMachine that its
	// ssh command logs in the same way.
	Restartable      bool `json:"restartable,omitempty"`
	ViaDockerMachine bool `json:"docker_machine_logs_in,omitempty"`
	// VM and FreePort are for a new NAT rule to sshd. FreePort is 0 if none is needed or none was
	// found.
	VM       vbox.VM `json:"-"`
	FreePort int     `json:"free_port,omitempty"`
	// CreateUnfinished means that docker-machine create did not finish the machine. DockerMachine
	// means that docker-machine is installed.
	CreateUnfinished bool `json:"create_unfinished,omitempty"`
	DockerMachine    bool `json:"-"`
}

// Layer returns the layer for the engine.
func Layer() engine.Layer {
	return engine.Layer{Name: "ssh", Needs: []string{"machine"}, Findings: findings, Inspect: inspect}
}

func inspect(ctx context.Context, t *target.Target) (engine.State, error) {
	s := State{KeyPath: t.Machine.SSHKeyPath, User: t.Machine.SSHUser, CreateUnfinished: t.Machine.CreateUnfinished}
	if running, err := t.VM.Running(ctx); err != nil {
		return nil, err
	} else if !running {
		s.NotRunning = true
		return s, nil
	}
	if s.NoSSH = !t.SSH.Exists(); s.NoSSH {
		return s, nil
	}
	s.Addresses = t.SSH.Addresses(ctx)
	s.ViaDockerMachine = viaDockerMachine(t, s.Addresses)
	if s.NotAsked = t.Mode.IsRepair() && !t.SSH.Tried(); s.NotAsked {
		return s, nil
	}
	s.KeyMode = looseKeyMode(ctx, t)
	if s.rule(ctx, t); len(s.Addresses) == 0 {
		if s.OtherErr, s.NoDirect = t.SSH.NoAddress(ctx), t.SSH.NoDirect(ctx); s.NoRule {
			s.forwarding(ctx, t)
		}
		return s, nil
	}
	stop := t.Endpoints.AskAhead(ctx)
	c, err := t.SSH.Client(ctx)
	stop()
	if err != nil {
		s.failed(ctx, t, err)
		return s, nil
	}
	s.Login, s.Greeting, s.Weak = t.SSH.Login(), c.Greeting().Ident, c.Greeting().Weak
	if t.Mode.IsRepair() {
		return s, nil // the layer that needs more from the docker host asks for it
	}
	facts, err := t.Guest.Facts(ctx)
	s.Login = t.SSH.Login()
	if err != nil {
		s.FactsErr, s.Error = err, err.Error()
		return s, nil
	}
	s.Facts = &facts
	return s, nil
}

// failed collects the facts that distinguish a rate limit from a broken sshd.
func (s *State) failed(ctx context.Context, t *target.Target, err error) {
	s.Error = err.Error()
	switch {
	case errors.As(err, &s.HeldBack):
		return
	case !errors.As(err, &s.Err):
		s.OtherErr = err
		return
	}
	address := s.address()
	if s.Err.Stage == sshhost.StageDial && (address.NAT || s.NoRule) {
		s.forwarding(ctx, t)
	}
	if !s.silent() {
		return
	}
	s.Answered, s.AnsweredBefore = t.SSH.LastAnswer(ctx, s.Addresses)
	s.DirectDaemon = t.Endpoints.HostOnlyAlive(ctx)
	if address.NAT {
		s.Restartable = restartable(ctx, t)
		s.DaemonAnswers = t.Endpoints.VMAnswers(ctx)
		if s.DirectDaemon {
			// Without a sign of life, a VPN has the route.
			s.Direct = t.SSH.ProbeDirect(ctx, s.Addresses)
		}
	}
	if s.limited() {
		// sshd is up if it answers at another address or if the dial timed out: then it was not just
		// restarting.
		sure := s.Direct.Ident != "" || s.Err.Stage == sshhost.StageDial
		t.SSH.RecordCut(ctx, address, sure, s.Err.Cause == sshhost.Timeout)
	}
}

// looseKeyMode returns the mode of the private key file if others may read it, or 0. ssh, and with it
// docker-machine, refuses such a key (ssh(1), FILES).
func looseKeyMode(ctx context.Context, t *target.Target) fs.FileMode {
	entries, err := t.Laptop.ReadDir(ctx, filepath.Dir(t.Machine.SSHKeyPath))
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if e.Name() != filepath.Base(t.Machine.SSHKeyPath) || !e.Type().IsRegular() {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().Perm()&0o077 != 0 {
			return info.Mode().Perm()
		}
	}
	return 0
}

func (s State) SkippedBecause() string {
	switch {
	case s.NotAsked:
		return "no login was needed"
	case s.HeldBack != nil && s.HeldBack.Cut == 0 && !s.HeldBack.Small && !s.HeldBack.Legacy:
		return fmt.Sprintf("%d logins at %s in the last minute", s.HeldBack.Recent, s.HeldBack.Address.Addr)
	}
	return ""
}

func (s State) BlockedBy() string {
	if s.NotRunning {
		return "machine"
	}
	return ""
}

// Changes returns none: no repair changes what blocks SSH.
func (State) Changes() []engine.Change { return nil }
