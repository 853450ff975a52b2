package ports

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerd"
)

// Plan returns the published ports to forward, at most one for each port of the laptop, and those
// that cannot be forwarded, with their Obstacle. have are those that are forwarded now: they stay
// forwarded to the same container, also while docker restarts it. Otherwise a port that is bound to
// all addresses comes before one that is bound to a single address.
func Plan(have map[Key]Published, containers []dockerd.Container) (wanted map[Key]Published, refused []Published) {
	wanted = map[Key]Published{}
	all := Of(containers)
	slices.SortStableFunc(all, func(a, b Published) int { return rank(have, a) - rank(have, b) })
	for _, p := range all {
		if p.Obstacle != "" {
			refused = append(refused, p)
			continue
		}
		if first, taken := wanted[p.Key()]; taken {
			p.Obstacle = fmt.Sprintf("port %[2]d is already forwarded to %[1]s, which is published on the docker host's address %[3]s", first.Container, p.HostPort, first.HostIP)
			refused = append(refused, p)
			continue
		}
		wanted[p.Key()] = p
	}
	for _, c := range containers {
		if c.State == "restarting" {
			keep(wanted, have, c)
		}
	}
	return wanted, refused
}

// rank orders published ports that compete for a port of the laptop. The lowest wins.
func rank(have map[Key]Published, p Published) int {
	switch {
	case have[p.Key()].ID == p.ID && have[p.Key()].HostIP == p.HostIP:
		return 0
	case p.HostIP.IsUnspecified():
		return 1
	}
	return 2
}

// keep keeps the ports of a container that docker is about to restart. Until then docker lists none.
func keep(wanted, have map[Key]Published, c dockerd.Container) {
	for key, p := range have {
		if _, taken := wanted[key]; p.ID == c.ID && !taken {
			wanted[key] = p
		}
	}
}

// DialAddr returns the address and port at which the docker host itself reaches a published port. own
// is an address of the docker host other than loopback, if one is known: connections to it do not go
// through docker-proxy.
func (p Published) DialAddr(own netip.Addr) string {
	ip := p.HostIP
	switch {
	case ip == netip.IPv6Unspecified():
		ip = netip.IPv6Loopback()
	case ip.IsUnspecified() && own.Is4() && !own.IsLoopback():
		ip = own
	case ip.IsUnspecified():
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return net.JoinHostPort(ip.String(), strconv.Itoa(p.HostPort))
}
