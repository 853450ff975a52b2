// Package ports has published ports as values: which ones docker lists, where the laptop reaches
// them, and what must listen on the laptop. Pure.
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

// Published is a published port of a container, or (with HostPort 0) a container whose ports docker
// does not list.
type Published struct {
	Container string // its name
	ID        string
	Protocol  string     // "tcp", "udp", "sctp"; "" if docker lists no ports
	HostIP    netip.Addr // where it listens on the docker host; 0.0.0.0 includes ::
	HostPort  int
	Obstacle  string // why it cannot be forwarded; "" if it can
}

// Key identifies a port of the laptop.
type Key struct {
	Protocol string
	Port     int
}

func (k Key) String() string { return fmt.Sprintf("%d/%s", k.Port, k.Protocol) }

// Key returns the port of the laptop to which the published port is forwarded.
func (p Published) Key() Key { return Key{p.Protocol, p.HostPort} }

const (
	// swarmService is the label with the name of a container's swarm service.
	swarmService = "com.docker.swarm.service.name"
	// swarmIngress is the network of containers whose service publishes ports on all nodes.
	swarmIngress = "ingress"
)

// Of returns the published ports of containers, sorted by port, protocol and container. docker lists a
// port that is bound to both 0.0.0.0 and :: twice; Of returns it once.
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
		// Before version 1.13 docker may omit the address.
		ip, err := netip.ParseAddr(cmp.Or(b.IP, "0.0.0.0"))
		if err != nil {
			p.Obstacle = fmt.Sprintf("docker lists it at %q, which is not an address", b.IP)
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

// withoutTwins removes ports at :: that the same container also has at 0.0.0.0.
func withoutTwins(all []Published) []Published {
	return slices.DeleteFunc(all, func(p Published) bool {
		return p.HostIP == netip.IPv6Unspecified() && slices.ContainsFunc(all, func(q Published) bool {
			return q.HostIP == netip.IPv4Unspecified() && q.Key() == p.Key()
		})
	})
}
