// Package ports has published ports as values: what docker lists, where the laptop
// reaches each port, and what must listen on the laptop. It does no I/O.
package ports

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerd"
)

// Protocols of a published port.
const (
	TCP = "tcp"
	UDP = "udp"
)

// Published is a published port of a container, or a container whose ports docker does not
// list.
type Published struct {
	Container string // its name
	ID        string
	Protocol  string     // "tcp", "udp", "sctp"; "" where docker lists no ports
	HostIP    netip.Addr // where it listens on the docker host; 0.0.0.0 stands for :: as well
	HostPort  int
	// Obstacle is why this program cannot forward it; "" if it can.
	Obstacle string
}

// Key names a port of the laptop.
type Key struct {
	Protocol string
	Port     int
}

func (k Key) String() string { return fmt.Sprintf("%d/%s", k.Port, k.Protocol) }

// Key is the port of the laptop that the published port belongs at.
func (p Published) Key() Key { return Key{p.Protocol, p.HostPort} }

const (
	// swarmService is the label that dockerd gives the containers of a swarm service.
	swarmService = "com.docker.swarm.service.name"
	// swarmIngress is the network of those whose service publishes ports at every node.
	swarmIngress = "ingress"
)

// Of are the published ports of containers, sorted by port, protocol and container. docker
// lists a port that is bound to 0.0.0.0 and to :: twice; it is here once.
func Of(containers []dockerd.Container) []Published {
	var all []Published
	for _, c := range containers {
		all = append(all, ofContainer(c)...)
	}
	slices.SortFunc(all, func(a, b Published) int {
		return cmp.Or(cmp.Compare(a.HostPort, b.HostPort), cmp.Compare(a.Protocol, b.Protocol),
			cmp.Compare(a.Container, b.Container), a.HostIP.Compare(b.HostIP))
	})
	return all
}

func ofContainer(c dockerd.Container) (all []Published) {
	unlisted := Published{Container: c.Name(), ID: c.ID}
	if c.HostConfig.NetworkMode == "host" {
		unlisted.Obstacle = "host network: docker does not list its ports"
		return []Published{unlisted}
	}
	for _, b := range c.Ports {
		if b.PublicPort == 0 {
			continue
		}
		p := Published{Container: c.Name(), ID: c.ID, Protocol: cmp.Or(b.Type, TCP), HostPort: b.PublicPort}
		// A daemon before Docker 1.13 may leave the address out.
		ip, err := netip.ParseAddr(cmp.Or(b.IP, "0.0.0.0"))
		if err != nil {
			p.Obstacle = fmt.Sprintf("docker lists it at %q, which is no address", b.IP)
		}
		p.HostIP = ip.Unmap()
		if p.Protocol != TCP && p.Protocol != UDP {
			p.Obstacle = p.Protocol + " cannot be forwarded"
		}
		all = append(all, p)
	}
	all = withoutTwins(all)
	if _, ok := c.NetworkSettings.Networks[swarmIngress]; ok {
		unlisted.Obstacle = fmt.Sprintf("swarm service %s: docker does not list the ports of its ingress network here", c.Labels[swarmService])
		all = append(all, unlisted)
	}
	return all
}

// withoutTwins drops a port at :: where the same container has it at 0.0.0.0.
func withoutTwins(all []Published) []Published {
	return slices.DeleteFunc(all, func(p Published) bool {
		return p.HostIP == netip.IPv6Unspecified() && slices.ContainsFunc(all, func(q Published) bool {
			return q.HostIP == netip.IPv4Unspecified() && q.Key() == p.Key()
		})
	})
}
