// Package ssh is the layer that repairs go through: can the docker host be
// reached over SSH, and if not, what closes it.
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
	// Rule is the NAT rule to sshd. NoRule reports that the VM has none that is of use,
	// RuleAtOwnPort is one that has the port of the laptop's own sshd. NoDirect is why the
	// docker host's address does not do instead, where there is no way at all.
	Rule          string `json:"rule,omitempty"`
	NoRule        bool   `json:"no_rule,omitempty"`
	RuleAtOwnPort string `json:"rule_at_port_22,omitempty"`
	NoDirect      string `json:"no_direct_ssh,omitempty"`

	HeldBack *access.HeldBackError `json:"-"`
	Err      *sshhost.Error        `json:"-"`
	Error    string                `json:"error,omitempty"` // Err or another, as text
	OtherErr error                 `json:"-"`

	// What else is known where a login failed before sshd had sent anything. Direct
	// is what it does at the host-only address; Answered is how long ago it did.
	Direct         access.Probe  `json:"direct,omitzero"`
	AnsweredBefore bool          `json:"answered_before,omitempty"`
	Answered       time.Duration `json:"answered_ns,omitempty"`
	// DaemonAnswers: dockerd answers at the endpoint in use, so the docker host is
	// up; DirectDaemon: there is a sign of life of it at the host-only address.
	DaemonAnswers bool `json:"daemon_answers,omitempty"`
	DirectDaemon  bool `json:"direct_daemon,omitempty"`

	Login    access.Login      `json:"login,omitzero"`
	Greeting string            `json:"greeting,omitempty"`
	Facts    *dockerhost.Facts `json:"facts,omitempty"`
	FactsErr error             `json:"-"`
	Weak     []string          `json:"weak_algorithms,omitempty"`
	// KeyMode is the permissions of the private key where others may read it.
	KeyMode fs.FileMode `json:"key_mode,omitempty"`

	KeyPath string `json:"-"`
	User    string `json:"-"`

	// What the hints depend on. Restartable reports that docker-machine can restart the VM,
	// ViaDockerMachine that its ssh command logs in as we did.
	Restartable      bool `json:"restartable,omitempty"`
	ViaDockerMachine bool `json:"docker_machine_logs_in,omitempty"`
	// VM and FreePort are where a NAT rule to sshd can be added; FreePort is asked for only
	// where one has to be.
	VM       vbox.VM `json:"-"`
	FreePort int     `json:"free_port,omitempty"`
	// CreateUnfinished reports that docker-machine create has not finished the machine,
	// DockerMachine that docker-machine is installed.
	CreateUnfinished bool `json:"create_unfinished,omitempty"`
	DockerMachine    bool `json:"-"`
}

// Layer describes it to the engine.
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
	s.KeyMode = openTo(ctx, t)
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
		return s, nil // what a repair needs of the docker host, its layer has asked
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

// failed collects the facts that distinguish a ban from an sshd that is broken.
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
			// Where the docker host gives no sign of life, a VPN has the way.
			s.Direct = t.SSH.ProbeDirect(ctx, s.Addresses)
		}
	}
	if s.limited() {
		// An address that others are answered at is no sshd that was restarted.
		sure := s.Direct.Ident != "" || s.Err.Stage == sshhost.StageDial
		t.SSH.RecordCut(ctx, address, sure, s.Err.Cause == sshhost.Timeout)
	}
}

// openTo is the mode of the private key if others may read it: ssh, and with it
// docker-machine, does not use such a key (ssh(1), FILES).
func openTo(ctx context.Context, t *target.Target) fs.FileMode {
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

// Changes is empty: nothing that closes SSH is changed by a repair.
func (State) Changes() []engine.Change { return nil }
