package ports

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerd"
)

// Plan is what must listen on the laptop for the running containers: one published port
// for each port of the laptop, and those that cannot be forwarded, with their Obstacle. A
// port that is in have stays with the container that it has, also while that container is
// about to be started again. Otherwise a port that is bound to every address comes first.
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
			p.Obstacle = fmt.Sprintf("%s has port %d already, at %s of the docker host", first.Container, p.HostPort, first.HostIP)
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

func rank(have map[Key]Published, p Published) int {
	switch {
	case have[p.Key()].ID == p.ID && have[p.Key()].HostIP == p.HostIP:
		return 0
	case p.HostIP.IsUnspecified():
		return 1
	}
	return 2
}

// keep leaves its ports to a container that docker will start again: while it waits,
// docker lists none.
func keep(wanted, have map[Key]Published, c dockerd.Container) {
	for key, p := range have {
		if _, taken := wanted[key]; p.ID == c.ID && !taken {
			wanted[key] = p
		}
	}
}

// DialAddr is where the docker host itself reaches a published port. own is an address of
// the docker host that is not loopback, or the zero Addr: at that one a connection goes to
// the container without docker's proxy process.
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
