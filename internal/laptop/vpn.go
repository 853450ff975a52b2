package laptop

import (
	"context"
	"fmt"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/routes"
)

// VPN returns the VPN client that owns a route. Only advice depends on it.
func (n *Network) VPN(ctx context.Context, view routes.View) routes.Client {
	if n.remembered == nil {
		return n.askVPN(ctx, view)
	}
	c, _ := n.remembered.vpn.Get(ctx, view.Route.Link, func() (routes.Client, error) { return n.askVPN(ctx, view), nil })
	return c
}

// VPNTakes returns a sentence about the VPN that takes the route to the docker host, or would take
// it as soon as it exists; "" if none does.
func (n *Network) VPNTakes(ctx context.Context, to Destination) (string, error) {
	view, err := n.Route(ctx, to)
	if err != nil {
		return "", err
	}
	owner := view.Link(view.Route.Link)
	switch client := n.VPN(ctx, view); {
	case routes.Tunnel(owner) && client.Name != "":
		return fmt.Sprintf("traffic to %s goes into %s (%s)", view.Net(), owner.Name, client.Name), nil
	case routes.Tunnel(owner):
		return fmt.Sprintf("traffic to %s goes into %s, a VPN tunnel", view.Net(), owner.Name), nil
	case client.Connected && client.TakesLocal:
		return client.Name + " is connected (" + client.How + ")", nil
	}
	return "", nil
}

func (n *Network) askVPN(ctx context.Context, view routes.View) routes.Client {
	ctx, cancel := context.WithTimeout(ctx, adviceTime)
	defer cancel()
	signs := routes.Signs{Owner: view.Link(view.Route.Link), Links: view.Links}
	signs.Processes, _ = n.host.Processes(ctx)
	if n.host.OS() == host.Darwin {
		n.scutil(ctx, &signs)
	}
	for _, path := range routes.CiscoPaths() {
		if vpn, err := n.host.LookPath(path); err == nil {
			if out, err := n.host.Run(ctx, host.Cmd{Argv: []string{vpn, "state"}}); err == nil {
				signs.Cisco = routes.ParseCiscoState(out.Stdout)
				break
			}
		}
	}
	return routes.Identify(signs)
}

// scutil asks macOS which VPNs it knows and which tunnels belong to them. What it does not answer
// stays unknown.
func (n *Network) scutil(ctx context.Context, signs *routes.Signs) {
	ask := func(args []string, stdin string) ([]byte, bool) {
		out, err := n.host.Run(ctx, host.Cmd{Argv: append([]string{"scutil"}, args...), Stdin: []byte(stdin)})
		return out.Stdout, err == nil
	}
	if out, ok := ask(nil, routes.ScutilListKeys); ok {
		signs.Keys = routes.ParseScutilKeys(out)
	}
	if out, ok := ask([]string{"--nc", "list"}, ""); ok {
		signs.Services = routes.ParseNCList(out)
	}
	keys := routes.RevealingKeys(signs.Keys, signs.Services)
	if len(keys) == 0 {
		return
	}
	if out, ok := ask(nil, routes.ScutilShow(keys)); ok {
		signs.Interfaces = map[string]string{}
		for i, link := range routes.ParseShownLinks(out) {
			if i < len(keys) && link != "" {
				signs.Interfaces[keys[i]] = link
			}
		}
	}
}
