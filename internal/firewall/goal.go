package firewall

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

// TargetError is a target or an origin that is not there. Known has the names that are.
type TargetError struct {
	Text  string
	Known []string
}

func (e *TargetError) Error() string { return e.Text }

// goal is one way to a container: by a published port, or by its own address.
type goal struct {
	container *Container
	published *Published
	udp       bool
	port      int        // inside, or of the docker host where nothing is published there
	direct    netip.Addr // the container's own address is the destination
}

func (g goal) proto() int {
	if g.udp {
		return netfilter.UDP
	}
	return netfilter.TCP
}

// goals reads a target.
func (f *Facts) goals(target string) ([]goal, error) {
	name, protocol, _ := strings.Cut(target, "/")
	udp := protocol == "udp"
	if protocol != "" && protocol != "tcp" && protocol != "udp" {
		return nil, &TargetError{Text: fmt.Sprintf("%q is neither tcp nor udp", protocol)}
	}
	if port, err := strconv.Atoi(name); err == nil {
		if port < 1 || port > 65535 {
			return nil, &TargetError{Text: fmt.Sprintf("port %d is not between 1 and 65535", port)}
		}
		return []goal{f.publishedAt(port, udp)}, nil
	}
	if a, port, ok := addressTarget(name); ok {
		c := f.owner(a)
		if c == nil {
			return nil, &TargetError{Text: fmt.Sprintf("no running container has the address %s", a), Known: f.names()}
		}
		if port == 0 {
			port = 80
			if len(c.Listeners) > 0 {
				port = c.Listeners[0].Port
			}
		}
		return []goal{{container: c, udp: udp, port: port, direct: a}}, nil
	}
	name, portText, hasPort := strings.Cut(name, ":")
	i := slices.IndexFunc(f.Containers, func(c Container) bool { return c.Name == name || len(name) >= 4 && strings.HasPrefix(c.ID, name) })
	if i < 0 {
		return nil, &TargetError{Text: fmt.Sprintf("no container is called %q", name), Known: f.names()}
	}
	c := &f.Containers[i]
	port := 0
	if hasPort {
		n, err := strconv.ParseUint(portText, 10, 16)
		if err != nil || n == 0 {
			return nil, &TargetError{Text: fmt.Sprintf("%q is no port", portText)}
		}
		port = int(n)
	}
	return c.goals(port, udp, hasPort || protocol != ""), nil
}

// goals are the container's published ports, or the one that is asked for.
func (c *Container) goals(port int, udp, chosen bool) []goal {
	var all []goal
	for i := range c.Published {
		p := &c.Published[i]
		if port != 0 && p.Port != port || chosen && p.UDP != udp || p.HostIP.Is6() && slices.ContainsFunc(all, func(g goal) bool { return g.port == p.Port }) {
			continue
		}
		all = append(all, goal{container: c, published: p, udp: p.UDP, port: p.Port})
	}
	if len(all) == 0 {
		all = append(all, goal{container: c, udp: udp, port: port})
	}
	return all
}

func (f *Facts) publishedAt(port int, udp bool) goal {
	for i := range f.Containers {
		c := &f.Containers[i]
		for j := range c.Published {
			if p := &c.Published[j]; p.HostPort == port && p.UDP == udp && c.PID != 0 {
				return goal{container: c, published: p, udp: udp, port: p.Port}
			}
		}
	}
	return goal{udp: udp, port: port}
}

func addressTarget(s string) (netip.Addr, int, bool) {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a, 0, true
	}
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Addr(), int(a.Port()), true
	}
	return netip.Addr{}, 0, false
}

func (f *Facts) names() []string {
	var names []string
	for _, c := range f.Containers {
		names = append(names, c.Name)
	}
	return names
}
