package world

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/routes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/useraction"
)

// Boot names the present boot of the laptop: what a reboot has ended, such as a route,
// is not to be taken back. Linux: random(4), boot_id. macOS: kern.bootsessionuuid (XNU,
// bsd/kern/kern_sysctl.c).
func (w *World) Boot(ctx context.Context) (string, error) {
	if w.Laptop.OS() == host.Linux {
		id, err := w.Laptop.ReadFile(ctx, "/proc/sys/kernel/random/boot_id")
		return strings.TrimSpace(string(id)), err
	}
	out, err := w.Laptop.Run(ctx, host.Cmd{Argv: []string{"sysctl", "-n", "kern.bootsessionuuid"}})
	return strings.TrimSpace(string(out.Stdout)), err
}

// RouteView asks which way a packet to the host-only address would take.
// Where the kernel cannot be asked directly (macOS), `route -n get` decides.
func (w *World) RouteView(ctx context.Context) (routes.View, error) {
	view := routes.View{Addr: w.HostOnly(), HostOnly: w.Machine.HostOnlyCIDR}
	var err error
	if view.Links, err = w.Laptop.Links(ctx); err != nil {
		return view, err
	}
	view.Route, view.RouteErr = w.Laptop.RouteTo(ctx, view.Addr)
	switch {
	case errors.Is(view.RouteErr, errors.ErrUnsupported):
		out, err := w.Laptop.Run(ctx, host.Cmd{Argv: []string{"route", "-n", "get", view.Addr.String()}})
		var exit *host.CmdError
		if err != nil && !errors.As(err, &exit) {
			return view, fmt.Errorf("asking for the route to %s: %w", view.Addr, err)
		}
		view.Route, _, view.RouteErr = routes.ParseRouteGet(append(out.Stdout, out.Stderr...))
		if view.Vague() {
			view.Route.Dst = w.clonedFrom(ctx, view)
		}
	case errors.Is(view.RouteErr, syscall.ENETUNREACH):
		view.RouteErr = routes.ErrNoRoute
	}
	if !view.HostOnly.IsValid() {
		view.HostOnly = adapterAddr(view)
	}
	if view.Ambiguous() {
		view.Adapter = w.VM.HostOnlyAdapter(ctx)
	}
	return view, nil
}

// clonedFrom is the network of the route that a cloned one stands for; zero where
// netstat does not tell.
func (w *World) clonedFrom(ctx context.Context, view routes.View) netip.Prefix {
	out, err := w.Laptop.Run(ctx, host.Cmd{Argv: routes.NetstatArgv()})
	if err != nil {
		return netip.Prefix{}
	}
	rows, err := routes.ParseNetstat(out.Stdout)
	if err != nil {
		return netip.Prefix{}
	}
	dst, _ := routes.Parent(rows, view.Addr, view.Route.Link, view.Links)
	return dst
}

// adapterAddr is the laptop's own address in the machine's network, for a
// machine whose config.json does not say.
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

// HostOnlySilent says whether neither dockerd nor sshd gives any sign of life at
// the host-only address, although the route is right. A refusal is a sign of life.
func (w *World) HostOnlySilent(ctx context.Context) bool {
	a := w.Ask(ctx, w.HostOnlyEndpoint())
	if a.DialErr == nil || errors.Is(a.DialErr, syscall.ECONNREFUSED) {
		return false
	}
	var timeout net.Error
	return errors.Is(a.DialErr, syscall.EHOSTUNREACH) || errors.Is(a.DialErr, context.DeadlineExceeded) ||
		errors.As(a.DialErr, &timeout) && timeout.Timeout()
}

// VPN names the client that owns the route; advice, never a reason to decide.
func (w *World) VPN(ctx context.Context, view routes.View) routes.Client {
	if w.Shared == nil {
		return w.askVPN(ctx, view)
	}
	c, _ := w.Shared.vpn.Get(ctx, view.Route.Link, func() (routes.Client, error) { return w.askVPN(ctx, view), nil })
	return c
}

func (w *World) askVPN(ctx context.Context, view routes.View) routes.Client {
	ctx, cancel := context.WithTimeout(ctx, ProbeTime)
	defer cancel()
	signs := routes.Signs{Owner: host.Link{Name: view.Route.Link}, Links: view.Links}
	for _, l := range view.Links {
		if l.Name == view.Route.Link {
			signs.Owner = l
		}
	}
	signs.Processes, _ = w.Laptop.Processes(ctx)
	if w.Laptop.OS() == host.Darwin {
		w.scutil(ctx, &signs)
	}
	for _, path := range routes.CiscoPaths() {
		if vpn, err := w.Laptop.LookPath(path); err == nil {
			if out, err := w.Laptop.Run(ctx, host.Cmd{Argv: []string{vpn, "state"}}); err == nil {
				signs.Cisco = routes.ParseCiscoState(out.Stdout)
				break
			}
		}
	}
	return routes.Identify(signs)
}

// scutil asks macOS which VPNs it knows, and which tunnels are theirs. What it
// does not answer stays unknown.
func (w *World) scutil(ctx context.Context, signs *routes.Signs) {
	if out, err := w.Laptop.Run(ctx, host.Cmd{Argv: []string{"scutil"}, Stdin: []byte(routes.ScutilListKeys)}); err == nil {
		signs.Keys = routes.ParseScutilKeys(out.Stdout)
	}
	if out, err := w.Laptop.Run(ctx, host.Cmd{Argv: []string{"scutil", "--nc", "list"}}); err == nil {
		signs.Services = routes.ParseNCList(out.Stdout)
	}
	keys := routes.Revealing(signs.Keys, signs.Services)
	if len(keys) == 0 {
		return
	}
	if out, err := w.Laptop.Run(ctx, host.Cmd{Argv: []string{"scutil"}, Stdin: []byte(routes.ScutilShow(keys))}); err == nil {
		signs.Interfaces = map[string]string{}
		for i, link := range routes.ParseScutilShows(out.Stdout) {
			if i < len(keys) && link != "" {
				signs.Interfaces[keys[i]] = link
			}
		}
	}
}

// VPNTakes says which VPN has the way to the host-only address, or would have it
// as soon as there is one; nil where none does.
func (w *World) VPNTakes(ctx context.Context) (*useraction.Required, error) {
	view, err := w.RouteView(ctx)
	if err != nil {
		return nil, err
	}
	owner := host.Link{Name: view.Route.Link}
	for _, l := range view.Links {
		if l.Name == view.Route.Link {
			owner = l
		}
	}
	switch client := w.VPN(ctx, view); {
	case routes.Tunnel(owner) && client.Name != "":
		return &useraction.Required{Text: fmt.Sprintf("%s leaves by %s (%s)", view.Net(), owner.Name, client.Name)}, nil
	case routes.Tunnel(owner):
		return &useraction.Required{Text: fmt.Sprintf("%s leaves by %s, a tunnel", view.Net(), owner.Name)}, nil
	case client.Connected && client.TakesLocal:
		return &useraction.Required{Text: client.Name + " is connected (" + client.How + ")"}, nil
	}
	return nil, nil
}

// HostOnlyAnswers says whether dockerd's or sshd's port at the host-only address
// gives a sign of life: a connection, or a refusal. sshd is asked only where
// dockerd says nothing, because somebody may count connections to port 22.
func (w *World) HostOnlyAnswers(ctx context.Context) bool {
	for _, port := range []int{w.Machine.EnginePort, sshPort} {
		if w.alive(ctx, net.JoinHostPort(w.HostOnly().String(), strconv.Itoa(port))) {
			return true
		}
	}
	return false
}

// HostOnlyAlive says whether dockerd's port at the host-only address gives a sign of
// life. A diagnosis may have asked there already, while another way took long.
func (w *World) HostOnlyAlive(ctx context.Context) bool {
	e := w.HostOnlyEndpoint()
	switch {
	case !w.HostOnly().IsValid():
		return false
	case w.asksAhead(e):
		err := w.Ask(ctx, e).DialErr
		return err == nil || errors.Is(err, syscall.ECONNREFUSED)
	}
	return w.alive(ctx, e.addr())
}

func (w *World) alive(ctx context.Context, addr string) bool {
	ctx, cancel := context.WithTimeout(ctx, ProbeTime/2)
	defer cancel()
	conn, err := w.Laptop.DialContext(ctx, "tcp", addr)
	if err == nil {
		conn.Close()
	}
	return err == nil || errors.Is(err, syscall.ECONNREFUSED)
}
