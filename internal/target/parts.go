package target

import (
	"context"
	"crypto/x509"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/access"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
)

// SetMachine makes the Target one of a machine, with the parts that only a machine has.
func (w *Target) SetMachine(m store.Machine) {
	w.Machine = m
	w.VM = w.VirtualBox.Machine(m)
	w.SSH = access.New(access.Config{
		Laptop: w.Laptop, Machine: m, VM: w.VM, StateDir: w.StateDir, MachineDir: w.MachineState(), Now: w.Now,
		Patience:       func() time.Duration { return w.Mode.Patience() },
		AcceptHostKey:  func() bool { return w.AcceptHostKey },
		DockerdAnswers: func(ctx context.Context) bool { return w.Endpoints.DockerdAnswers(ctx) },
		Notify:         w.Tell,
	})
	w.Endpoints = endpoint.New(endpoint.Config{
		Laptop: w.Laptop, Store: w.Store, Machine: m, VM: w.VM, DockerHost: w.SSH.Host, SSHAlive: w.SSH.Alive,
		Patience: func() time.Duration { return w.Mode.Patience() },
		Quick:    func() bool { return w.Mode.IsQuick() },
		Port:     func() int { return w.PreferredPort() },
		Now:      w.Now, Getenv: w.Getenv, Owners: w.Owners,
	})
	w.Guest = &dockerhost.Client{
		Name: m.Name, Host: w.SSH.Host, Ask: w.SSH.Ask,
		ConnectionLost: w.SSH.ConnectionLost,
		Served:         func(ctx context.Context) *x509.Certificate { return w.Endpoints.Ask(ctx, w.Endpoints.Inside()).Leaf },
		AnswerTime:     func() time.Duration { return max(endpoint.ProbeTime, w.Mode.Patience()) },
		Tell:           w.Tell,
	}
}

// PrepareRollback makes the way to the docker host ready for a rollback, which has
// little time.
func (w *Target) PrepareRollback(ctx context.Context) {
	if w.SSH != nil {
		w.SSH.PrepareRollback(ctx)
	}
}

// Close ends the SSH connection, if there is one.
func (w *Target) Close() {
	if w.SSH != nil {
		w.SSH.Close()
	}
}

// Endpoint is the endpoint that docker should use, as text; "" where config.json cannot
// be read, and where nothing could be made to lead to the machine.
func (w *Target) Endpoint(ctx context.Context) string {
	if w.LoadErr != nil || w.Machine.Unfinished {
		return ""
	}
	return w.Endpoints.Target(ctx).URL()
}

// Address is where docker finds dockerd today, or would if nothing were wrong: unlike
// Endpoint, never one that a repair has yet to make. "" where there is none.
func (w *Target) Address(ctx context.Context) string {
	if w.LoadErr != nil || w.Machine.Unfinished {
		return ""
	}
	e := w.Endpoints.Target(ctx)
	if e.Planned {
		e = w.Endpoints.HostOnly()
	}
	return e.URL()
}
