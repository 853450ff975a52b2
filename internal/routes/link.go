package routes

import (
	"net/netip"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

func (v View) link(name string) host.Link {
	for _, l := range v.Links {
		if l.Name == name {
			return l
		}
	}
	return host.Link{Name: name}
}

func holds(l host.Link, a netip.Addr) bool {
	for _, p := range l.Addrs {
		if p.Addr() == a {
			return true
		}
	}
	return false
}

func onNet(l host.Link, net netip.Prefix) bool {
	for _, p := range l.Addrs {
		if net.Contains(p.Addr()) {
			return true
		}
	}
	return false
}

func hasIPv4(l host.Link) bool {
	for _, p := range l.Addrs {
		if p.Addr().Is4() {
			return true
		}
	}
	return false
}

// physical reports whether the name is that of a network card or Wi-Fi, on macOS or Linux.
func physical(l host.Link) bool {
	return numbered(l.Name, "en") || numbered(l.Name, "eth") || strings.HasPrefix(l.Name, "enp") ||
		strings.HasPrefix(l.Name, "eno") || strings.HasPrefix(l.Name, "ens") || strings.HasPrefix(l.Name, "enx") ||
		strings.HasPrefix(l.Name, "wl") || l.Kind == "bond" || l.Kind == "team" || l.Kind == "vlan"
}
