package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/firewall"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/firewall/probe"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// mayProbe returns an error if this computer cannot send the probe.
func (a *app) mayProbe(t *target.Target, from string) error {
	local := from == firewall.FromLocal
	switch {
	case strings.HasPrefix(from, "container:"):
		return misused(a.without("--probe"), "--probe sends from this computer, not from a container")
	case local && t.Kind != target.Local:
		return misused(a.without("--probe"), "--probe sends from this computer, which is not %s", t.Name())
	case !local && t.Kind == target.Local:
		return misused(hint.Own("reach", "--help"), "--probe sends from this computer, which is the docker host: use --from local; for %s run it on another computer, with -H ssh://…", from)
	}
	return nil
}

// probe sends a packet to each published port that the target what means.
func (a *app) probe(ctx context.Context, t *target.Target, facts *netfacts.Facts, what string) ([]*probe.Result, error) {
	ports, err := firewall.Published(facts, what)
	if err != nil {
		return nil, err
	}
	addr, err := a.probedAddress(ctx, t)
	if err != nil {
		return nil, err
	}
	results := []*probe.Result{}
	for _, p := range ports {
		to := addr
		if !p.HostIP.IsUnspecified() {
			to = p.HostIP
		}
		a.ui.Say("sending a packet to %s", p)
		r, err := probe.Send(ctx, t.Host, netip.AddrPortFrom(to, uint16(p.HostPort)), p.UDP)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}

// probedAddress returns the docker host's address to which this computer sends packets.
func (a *app) probedAddress(ctx context.Context, t *target.Target) (netip.Addr, error) {
	switch t.Kind {
	case target.Local:
		return netip.MustParseAddr("127.0.0.1"), nil
	case target.Machine:
		if t.HostOnlyAddr().IsValid() {
			return t.HostOnlyAddr(), nil
		}
		return netip.Addr{}, fmt.Errorf("machine %q has no host-only address to send a packet to", t.Machine.Name)
	}
	config, err := t.UserSSH.Config(ctx)
	if err != nil {
		return netip.Addr{}, err
	}
	resolver, ok := t.Laptop.(host.Resolver)
	if !ok {
		return netip.ParseAddr(config.Host)
	}
	all, err := resolver.Lookup(ctx, config.Host)
	if err == nil && len(all) == 0 {
		err = errors.New("the name has no address")
	}
	if err != nil {
		return netip.Addr{}, fmt.Errorf("looking up %s: %w", config.Host, err)
	}
	return all[0], nil
}

// probeLines returns the results as lines for people.
func probeLines(results []*probe.Result) (lines []string) {
	for _, r := range results {
		lines = append(lines, fmt.Sprintf("Probe of %s from port %d: %s", r.To, r.SourcePort, r.Outcome))
		for _, c := range r.Counts {
			lines = append(lines, fmt.Sprintf("  %3d %s", c.Packets, c.At))
		}
		for _, at := range r.Refused {
			lines = append(lines, "  not counted in "+at)
		}
	}
	return lines
}
