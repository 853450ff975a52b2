package laptop

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/routes"
)

// Destination is a docker host on its host-only network.
type Destination struct {
	Addr   netip.Addr   // the docker host's
	Laptop netip.Prefix // the laptop's on that network; zero if it is not known
	// Adapter returns the adapter of that network according to VirtualBox, or "". It is called only
	// if several interfaces could be it. It may be nil.
	Adapter func(context.Context) string
}

// Route returns which way a packet to the docker host would take. If the kernel cannot be asked
// directly (macOS), `route -n get` decides.
func (n *Network) Route(ctx context.Context, to Destination) (routes.View, error) {
	view := routes.View{Addr: to.Addr, LaptopAddr: to.Laptop}
	var err error
	if view.Links, err = n.host.Links(ctx); err != nil {
		return view, err
	}
	view.Route, view.RouteErr = n.host.RouteTo(ctx, view.Addr)
	switch {
	case errors.Is(view.RouteErr, errors.ErrUnsupported):
		out, err := n.host.Run(ctx, host.Cmd{Argv: routes.GetArgv(view.Addr)})
		var exit *host.CmdError
		if err != nil && !errors.As(err, &exit) {
			return view, fmt.Errorf("asking for the route to %s: %w", view.Addr, err)
		}
		var flags []string
		view.Route, flags, view.RouteErr = routes.ParseRouteGet(append(out.Stdout, out.Stderr...))
		view.NoNeighbor = routes.FailedNeighbor(flags)
		if view.NeedsTable() {
			view.Route.Dst = n.clonedFrom(ctx, view)
		}
	case errors.Is(view.RouteErr, syscall.ENETUNREACH):
		view.RouteErr = routes.ErrNoRoute
	case refused(view.RouteErr):
		view.RouteErr = routes.ErrRejected
	}
	if !view.LaptopAddr.IsValid() {
		view.LaptopAddr = adapterAddr(view)
	}
	if view.Ambiguous() && to.Adapter != nil {
		view.VirtualBoxAdapter = to.Adapter(ctx)
	}
	return view, nil
}

// refused reports whether err is Linux's answer for a route of type blackhole, unreachable or
// prohibit (`ip route get fibmatch`, Linux 6.18).
func refused(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.EACCES)
}

// clonedFrom returns the network of the route from which the kernel cloned view's; zero if netstat
// does not list it.
func (n *Network) clonedFrom(ctx context.Context, view routes.View) netip.Prefix {
	out, err := n.host.Run(ctx, host.Cmd{Argv: routes.NetstatArgv()})
	if err != nil {
		return netip.Prefix{}
	}
	rows, err := routes.ParseNetstat(out.Stdout)
	if err != nil {
		return netip.Prefix{}
	}
	dst, _ := routes.ClonedFrom(rows, view.Addr, view.Route.Link, view.Links)
	return dst
}

// adapterAddr returns the laptop's address in the docker host's network, for a machine whose
// config.json does not have it; zero if there is none.
func adapterAddr(view routes.View) netip.Prefix {
	for _, l := range view.Links {
		for _, a := range l.Addrs {
			if !routes.Tunnel(l) && a.Contains(view.Addr) {
				return a
			}
		}
	}
	return netip.Prefix{}
}
