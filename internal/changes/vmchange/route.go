package vmchange

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/laptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/routes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// RestoreRoute restores the route to the host-only network, if no VPN owns it.
type RestoreRoute struct {
	OS      string
	Net     netip.Prefix // the laptop's own address on the network, with the network's prefix length
	Adapter string
	// Again is unused; older journals have it.
	Again string `json:",omitempty"`
	// Listed means that the route existed before, but did not work.
	Listed bool `json:",omitempty"`
	// Boot identifies the boot in which the route was added; "" if it is not known.
	Boot string `json:",omitempty"`
}

func (c *RestoreRoute) About() engine.About {
	return engine.About{Kind: "restore-route", Doing: fmt.Sprintf("restoring the route %s by %s", c.Net.Masked(), c.Adapter)}
}

func (c *RestoreRoute) String() string {
	return fmt.Sprintf("restore the route %s by %s", c.Net.Masked(), c.Adapter)
}

func (c *RestoreRoute) Backup(ctx context.Context, t *target.Target) error {
	view, err := routeNow(ctx, t)
	c.Listed = err == nil && view.RouteErr == nil && view.Route.Link == c.Adapter
	c.Boot, _ = laptop.Boot(ctx, t.Laptop)
	return err
}

func (c *RestoreRoute) Apply(ctx context.Context, t *target.Target) error {
	return runSteps(ctx, t, routes.ReAdd(c.OS, c.Net.Masked(), c.Adapter, c.Net.Addr()))
}

// Revert removes the route if it is still the one that Apply added. A route that existed before
// stays; if Apply was cut short, it is added again.
func (c *RestoreRoute) Revert(ctx context.Context, t *target.Target) ([]string, error) {
	if c.routeGone(ctx, t) {
		return nil, nil
	}
	if t.LoadErr != nil {
		return nil, t.LoadErr // the machine's address is not known
	}
	view, err := routeNow(ctx, t)
	if err != nil {
		return nil, err
	}
	switch {
	case c.Listed && routes.Judge(view).Verdict == routes.Missing:
		return nil, runSteps(ctx, t, routes.ReAdd(c.OS, c.Net.Masked(), c.Adapter, c.Net.Addr()))
	case c.Listed, view.Route.Link != c.Adapter:
		return nil, nil
	}
	out, err := t.Laptop.Run(ctx, c.drop())
	if err == nil {
		err = routes.ReplyError(out.Stderr)
	}
	if view, again := routeNow(ctx, t); again == nil && view.Route.Link != c.Adapter {
		err = nil // it is gone, whoever removed it
	}
	return nil, err
}

// routeNow returns the route that packets to the docker host take. If the laptop does not answer
// that, it is an error, because nothing is known about our route then.
func routeNow(ctx context.Context, t *target.Target) (routes.View, error) {
	view, err := t.Network.Route(ctx, t.HostOnlyDestination())
	if err == nil {
		err = view.WhyUnanswered()
	}
	return view, err
}

func (c *RestoreRoute) drop() host.Cmd {
	return host.Cmd{Argv: routes.Drop(c.OS, c.Net.Masked(), c.Adapter), Root: true}
}

// CheckUndo returns an error if Revert would need root's rights and they are not available. The
// error contains the command, so that the user can run it.
func (c *RestoreRoute) CheckUndo(ctx context.Context, t *target.Target) error {
	if t.LoadErr != nil && !c.routeGone(ctx, t) {
		return t.LoadErr
	}
	if view, err := routeNow(ctx, t); c.Listed || c.routeGone(ctx, t) || err != nil || view.Route.Link != c.Adapter {
		return nil
	}
	_, err := t.Laptop.Run(ctx, host.Cmd{Argv: []string{"true"}, Root: true})
	if errors.Is(err, host.ErrNoSudo) {
		err = &host.SudoError{Argv: append([]string{"sudo"}, c.drop().Argv...)}
	}
	return err
}

// routeGone reports whether the computer was restarted since the route was added. The routes that
// exist now are not ours.
func (c *RestoreRoute) routeGone(ctx context.Context, t *target.Target) bool {
	now, err := laptop.Boot(ctx, t.Laptop)
	return c.Boot != "" && err == nil && now != c.Boot
}

// Next returns the change that sets the adapter's address again, which makes VirtualBox and the
// kernel restore the route. If the adapter is not VirtualBox's to configure, it restarts the kernel
// modules.
func (c *RestoreRoute) Next() engine.Change {
	if !strings.HasPrefix(c.Adapter, "vboxnet") {
		// VBoxManage cannot configure the bridge of a host-only network (VirtualBox 7 on macOS).
		return &RestartModules{}
	}
	return &ConfigureAdapter{Adapter: c.Adapter, Addr: c.Net, For: c}
}

// runSteps runs the commands in their order, until one fails that may not.
func runSteps(ctx context.Context, t *target.Target, all []routes.Step) error {
	for _, s := range all {
		out, err := t.Laptop.Run(ctx, host.Cmd{Argv: s.Argv, Root: true})
		if err == nil {
			err = routes.ReplyError(out.Stderr)
		}
		if err != nil && !s.MayFail {
			return err
		}
	}
	return nil
}

// ConfigureAdapter makes VirtualBox set a host-only adapter's address.
type ConfigureAdapter struct {
	Adapter string
	Addr    netip.Prefix
	// Again is unused; older journals have it.
	Again string `json:",omitempty"`
	// For is the route that this restores; nil if the address itself was missing.
	For *RestoreRoute `json:",omitempty"`

	refused bool // VirtualBox does not allow this address
}

func (c *ConfigureAdapter) About() engine.About {
	return engine.About{Kind: "configure-adapter", Doing: fmt.Sprintf("giving host-only adapter %s its address %s", c.Adapter, c.Addr)}
}

func (c *ConfigureAdapter) String() string {
	return fmt.Sprintf("give host-only adapter %s its address %s", c.Adapter, c.Addr)
}

func (c *ConfigureAdapter) Backup(context.Context, *target.Target) error { return nil }

func (c *ConfigureAdapter) Apply(ctx context.Context, t *target.Target) error {
	_, err := t.VirtualBox.Run(ctx, vbox.IfConfig(c.Adapter, c.Addr))
	c.refused = slices.Contains([]vbox.ErrorKind{vbox.NetNotAllowed, vbox.HostOnlyUnsupported}, vbox.KindOf(err))
	return err
}

// Next returns the change that restarts the kernel modules; nil if VirtualBox does not allow the
// address, because it would refuse it again.
func (c *ConfigureAdapter) Next() engine.Change {
	if c.refused {
		return nil
	}
	return &RestartModules{Adapters: []HostOnly{{Name: c.Adapter, Addr: c.Addr}}}
}

// Revert removes the route. The address stays: VirtualBox had it configured before.
func (c *ConfigureAdapter) Revert(ctx context.Context, t *target.Target) ([]string, error) {
	if c.For == nil {
		return nil, nil
	}
	return c.For.Revert(ctx, t)
}

func (c *ConfigureAdapter) CheckUndo(ctx context.Context, t *target.Target) error {
	if c.For == nil {
		return nil
	}
	return c.For.CheckUndo(ctx, t)
}
