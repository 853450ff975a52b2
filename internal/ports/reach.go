package ports

import (
	"cmp"
	"net"
	"net/netip"
	"strconv"
)

// Rule is a NAT rule of the VM that listens on a loopback address of the laptop.
type Rule struct {
	Protocol            string
	Host                string // where it listens: another address than 127.0.0.1; else ""
	HostPort, GuestPort int
}

// Ways are the ways from the laptop to published ports.
type Ways struct {
	// HostOnly is the docker host's address if the laptop reaches it; else the zero Addr.
	HostOnly netip.Addr
	Rules    []Rule
	// Followed is where "ports follow" has them: "localhost:8080".
	Followed map[Key]string
	// Here reports that the docker host is the laptop itself.
	Here bool
	// NoWay completes a reason: why HostOnly is not reachable.
	NoWay string
}

// Reach is where the laptop reaches a published port, "localhost:8080", or why it does
// not.
func (w Ways) Reach(p Published) (reach, reason string) {
	if at, ok := w.Followed[p.Key()]; ok && p.Obstacle == "" {
		return at, ""
	}
	if p.Protocol == "" {
		return "", p.Obstacle
	}
	if w.Here && p.Obstacle == "" {
		if p.HostIP.IsUnspecified() || p.HostIP.IsLoopback() {
			return net.JoinHostPort("localhost", strconv.Itoa(p.HostPort)), ""
		}
		return net.JoinHostPort(p.HostIP.String(), strconv.Itoa(p.HostPort)), ""
	}
	// VirtualBox's NAT delivers to the docker host's own address, where a port that is
	// bound to another one does not listen.
	if p.HostIP == netip.IPv4Unspecified() {
		for _, r := range w.Rules {
			if r.Protocol == p.Protocol && r.GuestPort == p.HostPort {
				return net.JoinHostPort(cmp.Or(r.Host, "localhost"), strconv.Itoa(r.HostPort)), ""
			}
		}
	}
	if w.HostOnly.IsValid() && (p.HostIP == w.HostOnly || p.HostIP.IsUnspecified() && p.HostIP.Is4() == w.HostOnly.Is4()) {
		return net.JoinHostPort(w.HostOnly.String(), strconv.Itoa(p.HostPort)), ""
	}
	switch {
	case p.Obstacle != "":
		return "", p.Obstacle
	case p.HostIP.IsLoopback():
		return "", "it listens on " + p.HostIP.String() + " of the docker host only"
	case w.HostOnly.IsValid():
		return "", "it listens on " + p.HostIP.String() + " only"
	}
	return "", w.NoWay
}
