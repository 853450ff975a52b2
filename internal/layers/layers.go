// Package layers lists the layers, read top to bottom.
package layers

import (
	"context"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/laptopchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	dockercontext "github.com/docker-vpn-helper/docker-vpn-helper/internal/layers/context"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/layers/daemon"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/layers/env"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/layers/forward"
	hostdaemon "github.com/docker-vpn-helper/docker-vpn-helper/internal/layers/hosts/daemon"
	hostenv "github.com/docker-vpn-helper/docker-vpn-helper/internal/layers/hosts/env"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/layers/hosts/firewall"
	hostroute "github.com/docker-vpn-helper/docker-vpn-helper/internal/layers/hosts/route"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/layers/hosts/socket"
	hostssh "github.com/docker-vpn-helper/docker-vpn-helper/internal/layers/hosts/ssh"
	hosttls "github.com/docker-vpn-helper/docker-vpn-helper/internal/layers/hosts/tls"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/layers/machine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/layers/ports"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/layers/route"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/layers/ssh"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/layers/tls"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// Of returns the layers of a kind of docker host, each after those that it depends on.
func Of(k target.Kind) []engine.Layer {
	switch k {
	case target.Local:
		return []engine.Layer{socket.Layer(), hostdaemon.Layer("socket"), ports.Layer(), firewall.Layer(), hostenv.Layer()}
	case target.SSH:
		return []engine.Layer{hostroute.Layer(), hostssh.Layer(), hostdaemon.Layer("ssh"), ports.Layer(), firewall.Layer()}
	case target.TCP:
		return []engine.Layer{hostroute.Layer(), hosttls.Layer(), hostdaemon.Layer("route", "tls"), ports.Layer()}
	}
	return All()
}

// For returns the layers of a diagnosis: those of the kind of docker host, and a machine's
// published ports if "ports on" was used for it.
func For(ctx context.Context, t *target.Target) []engine.Layer {
	all := Of(t.Kind)
	if t.Kind != target.Machine || !laptopchange.PortsServiceInstalled(ctx, t) {
		return all
	}
	l := ports.Layer()
	l.Inspect = needsConfig(l.Name, l.Inspect)
	return slices.Insert(all, len(all)-1, l) // env, the shell's, stays last
}

// All returns the layers of a machine, each after those that it depends on.
func All() []engine.Layer {
	all := []engine.Layer{
		machine.Layer(),
		route.Layer(),
		forward.Layer(),
		ssh.Layer(),
		tls.Layer(),
		daemon.Layer(),
		env.Layer(),
	}
	for i := range all {
		all[i].Inspect = needsConfig(all[i].Name, all[i].Inspect)
	}
	return all
}

// Context returns the layer of the context command. It is not one of All, because most users have
// no docker context and need none.
func Context(wish dockercontext.Wish) []engine.Layer {
	return []engine.Layer{dockercontext.Layer(wish)}
}

// Only returns the layers of these names, in the order of All.
func Only(names ...string) []engine.Layer {
	return slices.DeleteFunc(All(), func(l engine.Layer) bool { return !slices.Contains(names, l.Name) })
}

// BeforeCreate returns the only layer that must work before a machine is created.
func BeforeCreate() []engine.Layer {
	l := route.Layer()
	l.Decides = true
	return []engine.Layer{l}
}

// needsConfig wraps the Inspect of all layers but the first: while the machine's config.json cannot be
// read, they are blocked by the first.
func needsConfig(name string, inspect func(context.Context, *target.Target) (engine.State, error)) func(context.Context, *target.Target) (engine.State, error) {
	if name == "machine" {
		return inspect
	}
	return func(ctx context.Context, t *target.Target) (engine.State, error) {
		if t.LoadErr != nil {
			return unread{}, nil
		}
		return inspect(ctx, t)
	}
}

type unread struct{}

func (unread) Findings() []engine.Finding { return nil }
func (unread) Changes() []engine.Change   { return nil }
func (unread) BlockedBy() string          { return "machine" }
