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

// RestoreRoute puts the route to the host-only network back where no VPN owns it.
type RestoreRoute struct {
	OS      string
	Net     netip.Prefix // the laptop's own address on it, with the network's length
	Adapter string
	// Again is in older journals, and means nothing any more.
	Again string `json:",omitempty"`
	// Listed reports that there was such a route before, which led nowhere.
	Listed bool `json:",omitempty"`
	// Boot is the one in which the route was made; "" where it is not known.
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
	return steps(ctx, t, routes.ReAdd(c.OS, c.Net.Masked(), c.Adapter, c.Net.Addr()))
}

// Revert drops the route while it is still the one that Apply added. A route that was there
// before stays, and is added again where Apply was cut short.
func (c *RestoreRoute) Revert(ctx context.Context, t *target.Target) ([]string, error) {
	if c.gone(ctx, t) {
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
		return nil, steps(ctx, t, routes.ReAdd(c.OS, c.Net.Masked(), c.Adapter, c.Net.Addr()))
	case c.Listed, view.Route.Link != c.Adapter:
		return nil, nil
	}
	out, err := t.Laptop.Run(ctx, c.drop())
	if err == nil {
		err = routes.Refused(out.Stderr)
	}
	if view, again := routeNow(ctx, t); again == nil && view.Route.Link != c.Adapter {
		err = nil // it is gone, whoever took it
	}
	return nil, err
}

// routeNow is which way packets to the docker host go. Where the laptop does not answer
// that, nothing is known of our route, and it is an error.
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

// CheckUndo is an error where root's rights, which dropping the route needs, are missing. It
// names the command, which the user can run by hand first.
func (c *RestoreRoute) CheckUndo(ctx context.Context, t *target.Target) error {
	if t.LoadErr != nil && !c.gone(ctx, t) {
		return t.LoadErr
	}
	if view, err := routeNow(ctx, t); c.Listed || c.gone(ctx, t) || err != nil || view.Route.Link != c.Adapter {
		return nil
	}
	_, err := t.Laptop.Run(ctx, host.Cmd{Argv: []string{"true"}, Root: true})
	if errors.Is(err, host.ErrNoSudo) {
		err = &host.SudoError{Argv: append([]string{"sudo"}, c.drop().Argv...)}
	}
	return err
}

// gone reports whether our route has ended with the boot in which it was made: what is there
// now is VirtualBox's and the kernel's.
func (c *RestoreRoute) gone(ctx context.Context, t *target.Target) bool {
	now, err := laptop.Boot(ctx, t.Laptop)
	return c.Boot != "" && err == nil && now != c.Boot
}

// Next sets the adapter's address anew, whereupon VirtualBox and the kernel bring the route
// back themselves.
func (c *RestoreRoute) Next() engine.Change {
	if !strings.HasPrefix(c.Adapter, "vboxnet") {
		// The bridge of a host-only network (VirtualBox 7 on macOS) is not VBoxManage's to configure.
		return &RestartModules{}
	}
	return &ConfigureAdapter{Adapter: c.Adapter, Addr: c.Net, For: c}
}

func steps(ctx context.Context, t *target.Target, all []routes.Step) error {
	for _, s := range all {
		out, err := t.Laptop.Run(ctx, host.Cmd{Argv: s.Argv, Root: true})
		if err == nil {
			err = routes.Refused(out.Stderr)
		}
		if err != nil && !s.MayFail {
			return err
		}
	}
	return nil
}

// ConfigureAdapter gives the host-only adapter its address through VirtualBox.
type ConfigureAdapter struct {
	Adapter string
	Addr    netip.Prefix
	// Again is in older journals, and means nothing any more.
	Again string `json:",omitempty"`
	// For is the route that this is to bring back; nil where it was the address that was gone.
	For *RestoreRoute `json:",omitempty"`

	refused bool
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

// Next restarts the modules, unless VirtualBox has refused the address by its own rules: it
// would again.
func (c *ConfigureAdapter) Next() engine.Change {
	if c.refused {
		return nil
	}
	return &RestartModules{Adapters: []HostOnly{{Name: c.Adapter, Addr: c.Addr}}}
}

// Revert drops the route. The address stays: VirtualBox had it configured all along.
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
