package allowance

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/firewall"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// reach follows packets from all origins to a target. It returns every obstacle once.
func reach(f *netfacts.Facts, target string, origins []string) (obstacles []firewall.Obstacle, doubts []firewall.Doubt, err error) {
	for _, from := range origins {
		answer, err := firewall.Reach(f, target, from)
		if err != nil {
			return nil, nil, err
		}
		for _, o := range answer.Obstacles {
			if !slices.ContainsFunc(obstacles, func(other firewall.Obstacle) bool { return other.Place == o.Place }) {
				obstacles = append(obstacles, o)
			}
		}
		doubts = append(doubts, answer.Doubts...)
	}
	return obstacles, doubts, nil
}

// origins returns the origins of the clients' packets, as firewall.Reach takes them.
func (a *Allowance) origins(f *netfacts.Facts) ([]string, error) {
	if a.From.IsValid() {
		client := a.From.Masked().Addr()
		if a.From.Bits() < client.BitLen() {
			client = client.Next()
		}
		for _, l := range f.Links { // choose a client other than the docker host itself
			for _, p := range l.Addresses {
				if p.Addr() == client {
					client = client.Next()
				}
			}
		}
		return []string{client.String()}, nil
	}
	return publicOrigins(f)
}

// publicOrigins returns the origins that stand for clients everywhere: one per address family
// with a default route, or else the LAN.
func publicOrigins(f *netfacts.Facts) ([]string, error) {
	var all []string
	for _, family := range []packet.Family{packet.IPv4, packet.IPv6} {
		if link := f.Public(family); link != "" && f.AddressOn(link, netfacts.Outside(family)).IsValid() {
			all = append(all, netfacts.Outside(family).String())
		}
	}
	if len(all) == 0 {
		return []string{firewall.FromLAN}, nil
	}
	return all, nil
}

// link returns the interface on which the clients' packets arrive, or "".
func (a *Allowance) link(f *netfacts.Facts) string {
	origins, err := a.origins(f)
	if err != nil {
		return ""
	}
	to, err := netip.ParseAddr(origins[0])
	if err != nil {
		return ""
	}
	r, _ := f.RouteFor(netip.Addr{}, to, "")
	if r == nil {
		return ""
	}
	return r.Link
}

// source returns the match of the clients' addresses, followed by a space; "" for everyone.
func (a *Allowance) source(option string) string {
	if !a.From.IsValid() {
		return ""
	}
	return strings.TrimSpace(option) + " " + a.From.Masked().String() + " "
}
