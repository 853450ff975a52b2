package target

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/access"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/mode"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
)

// SetMachine makes t the Target of a machine, with the parts that only machines have.
func (t *Target) SetMachine(m store.Machine) {
	t.Ref, t.Kind, t.Machine = Ref{Machine, m.Name}, Machine, m
	t.VM = t.VirtualBox.Machine(m)
	t.SSH = access.New(access.Config{
		Laptop: t.Laptop, Machine: m, VM: t.VM, StateDir: t.StateDir, MachineDir: t.State(), Now: t.Now,
		Mode:          func() mode.Mode { return t.Mode },
		AcceptHostKey: func() bool { return t.AcceptHostKey },
		VMAnswers:     func(ctx context.Context) bool { return t.Endpoints.VMAnswers(ctx) },
		Notify:        t.Notify,
	})
	t.Endpoints = endpoint.New(endpoint.Config{
		Laptop: t.Laptop, Store: t.Store, Machine: m, VM: t.VM, DockerHost: t.SSH.Host, SSHAlive: t.SSH.Alive,
		Mode:     func() mode.Mode { return t.Mode },
		RulePort: func(ctx context.Context) (int, error) { return t.VM.RulePort(ctx, t.RulePort, t.Network) },
		Now:      t.Now, Getenv: t.Getenv, Owners: t.Owners,
	})
	t.Guest = &dockerhost.Client{
		Name: m.Name, Host: t.SSH.Host, Ask: t.SSH.Ask,
		ConnectionLost: t.SSH.ConnectionLost,
		Served:         func(ctx context.Context) *x509.Certificate { return t.Endpoints.Ask(ctx, t.Endpoints.Inside()).Leaf },
		AnswerTime:     func() time.Duration { return max(endpoint.ProbeTime, t.Mode.Patience()) },
		Notify:         t.Notify,
	}
	t.Host = lazyHost(t.SSH.Host)
	t.Docker = t.dialMachine
}

// dialMachine connects to the machine's dockerd: at the endpoint that docker should use, or else
// over SSH to dockerd's socket.
func (t *Target) dialMachine(ctx context.Context) (net.Conn, error) {
	conn, err := t.Endpoints.Dial(ctx)
	if err == nil {
		return conn, nil
	}
	facts, sshErr := t.Guest.Facts(ctx)
	if sshErr != nil {
		return nil, errors.Join(err, sshErr)
	}
	return t.Host.DialContext(ctx, "unix", facts.Socket())
}

// PrepareRollback makes sure that the connection to the docker host does not delay a rollback,
// which has little time.
func (t *Target) PrepareRollback(ctx context.Context) {
	if t.SSH != nil {
		t.SSH.PrepareRollback(ctx)
	}
}

// Close closes the connections to the docker host.
func (t *Target) Close() {
	if t.SSH != nil {
		t.SSH.Close()
	}
	if t.UserSSH != nil {
		t.UserSSH.Close()
	}
}

// TakeConnections moves the connections of another Target of the same docker host to t, so that no
// new login is needed.
func (t *Target) TakeConnections(from *Target) {
	if t.SSH != nil && from.SSH != nil {
		t.SSH.TakeOver(from.SSH)
	}
	if from.UserSSH != nil {
		t.UserSSH, from.UserSSH = from.UserSSH, nil
	}
}

// Endpoint returns the endpoint that docker should use, as a URL; "" if config.json cannot be read
// or no endpoint is possible.
func (t *Target) Endpoint(ctx context.Context) string {
	switch t.Kind {
	case Local:
		return "unix://" + t.Socket
	case SSH, TCP:
		return t.key
	case "":
		return ""
	}
	if t.LoadErr != nil || t.Machine.CreateUnfinished {
		return ""
	}
	return t.Endpoints.Goal(ctx).URL()
}

// EndpointNow returns the endpoint at which docker can reach dockerd now, or could if nothing were
// wrong; "" if there is none. Unlike Endpoint, it is never one that a repair has yet to create.
func (t *Target) EndpointNow(ctx context.Context) string {
	if t.Kind != Machine {
		return t.Endpoint(ctx)
	}
	if t.LoadErr != nil || t.Machine.CreateUnfinished {
		return ""
	}
	e := t.Endpoints.ForDocker(ctx)
	if e.Planned {
		e = t.Endpoints.HostOnly()
	}
	return e.URL()
}
