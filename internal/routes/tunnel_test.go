package routes

import (
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// link is one that is up.
func link(name, kind string, addrs ...string) host.Link {
	l := host.Link{Name: name, Kind: kind, Up: true}
	for _, a := range addrs {
		l.Addrs = append(l.Addrs, prefix(a))
	}
	return l
}

func TestTunnel(t *testing.T) {
	for _, l := range []host.Link{
		{Name: "utun12"}, {Name: "tun0"}, {Name: "ppp0"}, {Name: "ipsec0"}, {Name: "wg0"}, {Name: "gpd0"}, {Name: "cscotun0"}, {Name: "tailscale0"},
		{Name: "office", Kind: "wireguard"}, {Name: "corp", Kind: "tun"}, {Name: "wg-office"},
	} {
		if !Tunnel(l) {
			t.Errorf("%+v is a tunnel", l)
		}
	}
	for _, l := range []host.Link{
		{Name: "en0"}, {Name: "vboxnet0"}, {Name: "vboxnet0", Kind: "bridge"}, {Name: "vboxnet0", Kind: "veth"}, {Name: "vboxnet0", Kind: "tun"},
		{Name: "bridge100", Kind: "bridge"}, {Name: "docker0", Kind: "bridge"}, {Name: "tunnelblick"}, {Name: "lo0"}, {},
	} {
		if Tunnel(l) {
			t.Errorf("%+v is no tunnel", l)
		}
	}
}
