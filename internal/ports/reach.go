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
	Host                string // the address on which it listens; "" for 127.0.0.1
	HostPort, GuestPort int
}

// Ways are the ways from the laptop to published ports.
type Ways struct {
	// HostOnly is the docker host's address; the zero Addr if the laptop does not reach it.
	HostOnly netip.Addr
	Rules    []Rule
	Followed map[Key]string // where "ports follow" forwards them: "localhost:8080"
	Here     bool           // the docker host is the laptop itself
	NoWay    string         // why the laptop does not reach the docker host's address
}

// Reach returns where the laptop reaches a published port, such as "localhost:8080"; if it does not,
// "" and the reason.
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
		return "", "it listens only on " + p.HostIP.String() + " of the docker host"
	case w.HostOnly.IsValid():
		return "", "it listens only on " + p.HostIP.String()
	}
	return "", w.NoWay
}
