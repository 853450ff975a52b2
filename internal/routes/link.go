package routes

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// Link returns the laptop's link of that name, or a Link with only the name if there is none.
func (v View) Link(name string) host.Link {
	for _, l := range v.Links {
		if l.Name == name {
			return l
		}
	}
	return host.Link{Name: name}
}

// holds reports whether a is one of the link's own addresses.
func holds(l host.Link, a netip.Addr) bool {
	return slices.ContainsFunc(l.Addrs, func(p netip.Prefix) bool { return p.Addr() == a })
}

// onNet reports whether the link has an address in a network.
func onNet(l host.Link, net netip.Prefix) bool {
	return slices.ContainsFunc(l.Addrs, func(p netip.Prefix) bool { return net.Contains(p.Addr()) })
}

func hasIPv4(l host.Link) bool {
	return slices.ContainsFunc(l.Addrs, func(p netip.Prefix) bool { return p.Addr().Is4() })
}

// physical reports whether the name is that of a network card or Wi-Fi, on macOS or Linux.
func physical(l host.Link) bool {
	return numbered(l.Name, "en") || numbered(l.Name, "eth") || strings.HasPrefix(l.Name, "enp") ||
		strings.HasPrefix(l.Name, "eno") || strings.HasPrefix(l.Name, "ens") || strings.HasPrefix(l.Name, "enx") ||
		strings.HasPrefix(l.Name, "wl") || l.Kind == "bond" || l.Kind == "team" || l.Kind == "vlan"
}
