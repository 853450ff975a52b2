package firewall

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// TargetError is a target or an origin that does not exist.
type TargetError struct {
	Text  string   // the message
	Word  string   // the name that does not exist, "" if the error is not about a name
	Known []string // the names that exist
	// NoAddress means that the origin's interface has no address at which the port is published.
	NoAddress bool
}

func (e *TargetError) Error() string { return e.Text }

// goal is one destination that a target means: a published port, or a container's own address.
type goal struct {
	container *netfacts.Container // nil if no container publishes port
	published *netfacts.Published // nil if the port is not published
	udp       bool
	port      int        // inside the container; without a container, of the docker host
	direct    netip.Addr // the container's own address, if packets are sent there
}

func (g goal) proto() int {
	if g.udp {
		return packet.UDP
	}
	return packet.TCP
}

// request is a target as the user typed it: a container, a container's address, or a port of the docker host.
type request struct {
	container string     // a name, or the beginning of an ID
	address   netip.Addr // of a container
	port      int        // inside the container, or of the docker host; 0 if none was typed
	protocol  string     // tcp, udp, or "" if none was typed
}

// Check checks the syntax of a target and an origin. Whether they exist is not checked.
func Check(target, from string) error {
	if _, err := parseTarget(target); err != nil {
		return err
	}
	if name, ok := strings.CutPrefix(from, "container:"); ok && ValidName(name) {
		return nil
	}
	if _, err := netip.ParseAddr(from); err != nil && !slices.Contains([]string{FromPublic, FromLocal, FromLAN}, from) {
		return noOrigin(from)
	}
	return nil
}

func noOrigin(from string) error {
	return &TargetError{Text: fmt.Sprintf("%q is not an origin", from), Word: from, Known: []string{FromPublic, FromLocal, FromLAN, "container:NAME", "an address"}}
}

// containerName matches the names that docker accepts for containers (moby, daemon/names).
var containerName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// ValidName reports whether docker accepts name as the name of a container.
func ValidName(name string) bool { return containerName.MatchString(name) }

func parseTarget(target string) (r request, err error) {
	name, protocol, has := strings.Cut(target, "/")
	if has && protocol != "tcp" && protocol != "udp" {
		return r, &TargetError{Text: fmt.Sprintf("%q is neither tcp nor udp", protocol)}
	}
	r.protocol = protocol
	if isNumber(name) {
		r.port, err = parsePort(name)
		return r, err
	}
	if r.address, r.port, has = addressTarget(name); has {
		return r, nil
	}
	name, port, has := strings.Cut(name, ":")
	if !ValidName(name) {
		return r, &TargetError{Text: fmt.Sprintf("%q is not the name of a container, a port or an address", target)}
	}
	r.container = name
	if has {
		r.port, err = parsePort(port)
	}
	return r, err
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(strings.TrimPrefix(s, "-"), "0123456789") == ""
}

func parsePort(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 65535 {
		return 0, &TargetError{Text: fmt.Sprintf("%q is not a port: a port is a number from 1 to 65535", s)}
	}
	return n, nil
}

// goals returns the destinations that a target means.
func goals(f *netfacts.Facts, target string) ([]goal, error) {
	r, err := parseTarget(target)
	if err != nil {
		return nil, err
	}
	udp := r.protocol == "udp"
	if r.address.IsValid() {
		c := f.Owner(r.address)
		if c == nil {
			return nil, &TargetError{Text: fmt.Sprintf("no running container has the address %s", r.address), Known: names(f)}
		}
		port := r.port
		if port == 0 {
			port = 80
			if len(c.Listeners) > 0 {
				port = c.Listeners[0].Port
			}
		}
		return []goal{{container: c, udp: udp, port: port, direct: r.address}}, nil
	}
	if r.container == "" {
		return []goal{publishedAt(f, r.port, udp)}, nil
	}
	c := f.Container(r.container)
	if c == nil {
		return nil, &TargetError{Text: fmt.Sprintf("no container is called %q", r.container), Word: r.container, Known: names(f)}
	}
	return r.publishedBy(c), nil
}

// publishedBy returns the container's published ports that the request means: all of them, unless
// it has a port or a protocol. A port that is published over IPv4 and IPv6 counts once.
func (r request) publishedBy(c *netfacts.Container) []goal {
	var all []goal
	udp, chosen := r.protocol == "udp", r.port != 0 || r.protocol != ""
	for i := range c.Published {
		p := &c.Published[i]
		if r.port != 0 && p.Port != r.port || chosen && p.UDP != udp || p.HostIP.Is6() && slices.ContainsFunc(all, func(g goal) bool { return g.port == p.Port }) {
			continue
		}
		all = append(all, goal{container: c, published: p, udp: p.UDP, port: p.Port})
	}
	if len(all) == 0 {
		all = append(all, goal{container: c, udp: udp, port: r.port})
	}
	return all
}

// publishedAt returns the container port that is published at a port of the docker host.
func publishedAt(f *netfacts.Facts, port int, udp bool) goal {
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

// addressTarget reads an address, with or without a port. port is 0 if there is none.
func addressTarget(s string) (addr netip.Addr, port int, ok bool) {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a, 0, true
	}
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Addr(), int(a.Port()), true
	}
	return netip.Addr{}, 0, false
}

func names(f *netfacts.Facts) []string {
	var names []string
	for _, c := range f.Containers {
		names = append(names, c.Name)
	}
	return names
}

// Published returns the published ports that a target means, of running containers.
func Published(f *netfacts.Facts, target string) ([]netfacts.Published, error) {
	goals, err := goals(f, target)
	if err != nil {
		return nil, err
	}
	var all []netfacts.Published
	for _, g := range goals {
		if g.published != nil && g.container.PID != 0 {
			all = append(all, *g.published)
		}
	}
	return all, nil
}
