package netfacts

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Network is a docker network.
type Network struct {
	Name     string
	Driver   string
	Bridge   string // its interface on the docker host; "" unless Driver is "bridge"
	Subnets  []netip.Prefix
	Gateways []netip.Addr
}

// Container is a container, running or not.
type Container struct {
	ID, Name  string
	PID       int    // 0 if it is not running
	Mode      string // "host", "none", "container:…" or the name of a network
	Addresses []Address
	Published []Published
	Listeners []Listener // sockets inside the container
	Ports     []string   // the interfaces on the docker host that lead to it
}

// Address is a container's address on a network.
type Address struct {
	Network string
	Addr    netip.Addr
	MAC     string
}

// Published is a container's port that is published on a port of the docker host.
type Published struct {
	UDP      bool
	Port     int // inside
	HostIP   netip.Addr
	HostPort int
}

func (p Published) String() string {
	protocol := "tcp"
	if p.UDP {
		protocol = "udp"
	}
	return fmt.Sprintf("%s -> %d/%s", netip.AddrPortFrom(p.HostIP, uint16(p.HostPort)), p.Port, protocol)
}

// parseNetworks reads one JSON object per line, which facts.sh defines.
func parseNetworks(lines []string) ([]Network, error) {
	var all []Network
	for _, line := range lines {
		var n struct {
			ID, Name, Driver string
			IPAM             []struct{ Subnet, Gateway string }
			Options          map[string]string
		}
		if err := json.Unmarshal([]byte(line), &n); err != nil {
			return nil, fmt.Errorf("docker's network %q: %w", line, err)
		}
		network := Network{Name: n.Name, Driver: n.Driver}
		if n.Driver == "bridge" {
			network.Bridge = n.Options["com.docker.network.bridge.name"]
			if network.Bridge == "" && len(n.ID) >= 12 {
				network.Bridge = "br-" + n.ID[:12]
			}
		}
		for _, c := range n.IPAM {
			if p, err := netip.ParsePrefix(c.Subnet); err == nil {
				network.Subnets = append(network.Subnets, p)
			}
			if g, err := netip.ParseAddr(strings.SplitN(c.Gateway, "/", 2)[0]); err == nil {
				network.Gateways = append(network.Gateways, g)
			}
		}
		all = append(all, network)
	}
	return all, nil
}

// binding is an address and port of the docker host, as docker prints it.
type binding struct {
	HostIP   string `json:"HostIp"`
	HostPort string
}

// parseContainers reads one JSON object per line, which facts.sh defines.
func parseContainers(lines []string, networks []Network) ([]Container, error) {
	var all []Container
	for _, line := range lines {
		var c struct {
			ID, Name, Mode  string
			PID             int
			Ports, Bindings map[string][]binding
			Networks        map[string]struct {
				IPAddress, GlobalIPv6Address, MacAddress string
			}
		}
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			return nil, fmt.Errorf("docker's container %q: %w", line, err)
		}
		container := Container{ID: c.ID, Name: strings.TrimPrefix(c.Name, "/"), PID: c.PID, Mode: c.Mode}
		for name, n := range c.Networks {
			for _, text := range []string{n.IPAddress, n.GlobalIPv6Address} {
				if a, err := netip.ParseAddr(text); err == nil {
					container.Addresses = append(container.Addresses, Address{Network: name, Addr: a, MAC: n.MacAddress})
				}
			}
		}
		slices.SortFunc(container.Addresses, func(a, b Address) int { return a.Addr.Compare(b.Addr) })
		if len(c.Ports) == 0 {
			c.Ports = c.Bindings // what a stopped container would publish
		}
		container.Published = published(c.Ports)
		all = append(all, container)
	}
	slices.SortFunc(all, func(a, b Container) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// published reads docker's map from container ports, such as "80/tcp", to ports of the docker host.
func published(ports map[string][]binding) []Published {
	var all []Published
	for name, bindings := range ports {
		number, protocol, _ := strings.Cut(name, "/")
		port, err := strconv.Atoi(number)
		if err != nil {
			continue
		}
		for _, b := range bindings {
			hostPort, err := strconv.Atoi(b.HostPort)
			if err != nil {
				continue
			}
			ip := netip.IPv4Unspecified()
			if b.HostIP != "" {
				if ip, err = netip.ParseAddr(b.HostIP); err != nil {
					continue
				}
			}
			all = append(all, Published{UDP: protocol == "udp", Port: port, HostIP: ip, HostPort: hostPort})
		}
	}
	slices.SortFunc(all, func(a, b Published) int {
		if a.HostPort != b.HostPort {
			return a.HostPort - b.HostPort
		}
		return a.HostIP.Compare(b.HostIP)
	})
	return all
}

// Listens reports whether a socket in the container receives packets for that address and port. If
// not, loopback is the loopback address on which a socket listens on that port, if there is one.
func (c *Container) Listens(udp bool, addr netip.Addr, port int) (ok bool, loopback netip.Addr) {
	for _, l := range c.Listeners {
		if l.UDP != udp || l.Port != port {
			continue
		}
		a := l.Addr.Unmap()
		switch {
		case a.IsUnspecified() && (a.Is6() || addr.Is4()), a == addr:
			return true, netip.Addr{}
		case a.IsLoopback():
			loopback = a
		}
	}
	return false, loopback
}
