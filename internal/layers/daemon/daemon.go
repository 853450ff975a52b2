// Package daemon is the layer that decides whether docker works: TLS, the Docker API and the
// machine's identity, through the endpoint that docker uses.
package daemon

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// State is what was found.
type State struct {
	Machine  string            `json:"-"`
	Running  bool              `json:"running"`
	Endpoint endpoint.Endpoint `json:"endpoint"`
	// Answered is the highest protocol that worked: "nothing", "tcp", "tls" or "docker".
	Answered  string `json:"answered"`
	Err       string `json:"error,omitempty"`
	NotDocker bool   `json:"not_docker"`
	// Complains means that dockerd itself answers with an error.
	Complains bool              `json:"complains"`
	API       string            `json:"api,omitempty"`
	Identity  endpoint.Identity `json:"identity"`
	// OtherMachine is the machine of the store that answers instead, or "".
	OtherMachine string `json:"other_machine,omitempty"`
	// Untrusted is why a docker client would reject the certificate, or "".
	Untrusted string `json:"untrusted,omitempty"`
	// Client is the newest API version that the laptop's docker command supports; "" if it was not
	// asked or does not print it.
	Client string `json:"client_api,omitempty"`
	// Down means that dockerd is not running on the docker host, Startable that it can be started
	// there. Log is the last line of dockerd's log.
	Down      bool   `json:"down"`
	Startable bool   `json:"startable,omitempty"`
	Log       string `json:"log,omitempty"`
	// Elsewhere is the port on which dockerd listens if it is not docker-machine's, or 0.
	Elsewhere int `json:"listens_elsewhere,omitempty"`
	// HostOnlyNetwork means that the VM is on a host-only network, where docker-machine makes no
	// certificates.
	HostOnlyNetwork bool `json:"on_host_only_network,omitempty"`
	// RecordPath is the file of the endpoint record. Record is what must be written there, or "" if
	// it is up to date.
	RecordPath string `json:"-"`
	Record     string `json:"record,omitempty"`
}

// Layer returns the layer for the engine.
func Layer() engine.Layer {
	return engine.Layer{Name: "daemon", Needs: []string{"machine", "forward", "tls"}, Local: true, LaptopOnly: true, Decides: true,
		Findings: findings, Inspect: inspect}
}

func inspect(ctx context.Context, t *target.Target) (engine.State, error) {
	s := State{Machine: t.Machine.Name, Endpoint: t.Endpoints.ForDocker(ctx), Identity: endpoint.Unsure,
		HostOnlyNetwork: !t.Mode.IsQuick() && t.VM.OnHostOnlyNetwork(ctx)}
	if s.Endpoint.Planned || s.Endpoint.Host == "" {
		running, err := t.VM.Running(ctx)
		s.Running = running
		return s, err
	}
	a := t.Endpoints.Ask(ctx, s.Endpoint)
	s.answered(ctx, t, a)
	if s.healthy() {
		s.Running = true
		err := s.compareRecord(ctx, t, a)
		if err != nil && !t.Mode.IsRepair() {
			err = nil // only a repair must record the endpoint
		}
		if !t.Mode.IsQuick() && !t.Mode.IsRepair() {
			// If the docker command cannot be asked, that does not matter: dockerd answers.
			if api, err := t.DockerCLI.API(ctx); err == nil {
				s.Client = api.String()
			}
		}
		return s, err
	}
	running, err := t.VM.Running(ctx)
	if err != nil {
		return nil, err
	}
	if s.Running = running; !running || a.Leaf != nil {
		return s, nil
	}
	// Only the docker host itself knows whether dockerd is dead or the way to it.
	facts, err := t.Guest.Facts(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, errors.Join(context.Cause(ctx), err)
	case err != nil:
	case facts.Daemon.PID == 0:
		s.Down, s.Log = true, facts.Log
		s.Startable = facts.Root && facts.Init != "" && facts.Client
	case !facts.Listens(t.Machine.DaemonPort()):
		s.Elsewhere = facts.Port()
	}
	return s, nil
}

// answered records what came from the endpoint, and which machine answered.
func (s *State) answered(ctx context.Context, t *target.Target, a endpoint.Answer) {
	s.Identity, s.API = a.Identity, a.API
	switch {
	case a.DialErr != nil:
		s.Answered, s.Err = "nothing", a.DialErr.Error()
	case a.Leaf == nil:
		s.Answered, s.Err, s.NotDocker = "tcp", a.TLSErr.Error(), endpoint.NotTLS(a.TLSErr)
	case a.PingErr != nil:
		s.Answered, s.Err = "tls", a.PingErr.Error()
		s.NotDocker, s.Complains = endpoint.NotDocker(a.PingErr), endpoint.Complains(a.PingErr)
	default:
		s.Answered = "docker"
	}
	if a.Leaf == nil {
		return
	}
	if err := t.Endpoints.CheckTrust(ctx, a); err != nil {
		s.Untrusted = err.Error()
	}
	if a.Identity == endpoint.Other {
		s.OtherMachine = t.Endpoints.MachineBehind(ctx, a)
	}
}

// compareRecord compares the endpoint record with a verified answer. It records nothing for an
// endpoint without a NAT rule.
func (s *State) compareRecord(ctx context.Context, t *target.Target, a endpoint.Answer) error {
	if !a.Endpoint.IsForwarded() || t.Mode.IsQuick() || !t.Machine.VirtualBox() {
		return nil
	}
	vm, err := t.VM.Info(ctx)
	if err != nil {
		return err
	}
	rules := t.VM.DaemonRules(vm)
	i := slices.IndexFunc(rules, func(f vbox.Forward) bool { return f.HostPort == a.Endpoint.Port })
	if i < 0 {
		return nil // another program's tunnel
	}
	text, err := store.NewEndpointRecord(a.Endpoint.Port, rules[i].Name, cmp.Or(vm.UUID, vm.Name), certs.PublicKeyHash(a.Leaf.PublicKey)).Marshal()
	if err != nil {
		return err
	}
	s.RecordPath = t.Machine.RecordPath()
	if old, err := t.Laptop.ReadFile(ctx, s.RecordPath); err != nil || !bytes.Equal(old, text) {
		s.Record = string(text)
	}
	return nil
}

func (s State) healthy() bool {
	return s.Answered == "docker" && s.Identity == endpoint.Mine && s.Untrusted == ""
}
