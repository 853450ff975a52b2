package firewall

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// Origins of packets. A container ("container:NAME") or an address can be an origin, too.
const (
	FromPublic = "public" // a client on the internet
	FromLocal  = "local"  // a client on the docker host itself
	FromLAN    = "lan"    // a client in a private network of the docker host
)

// start sends packets from an origin to a goal.
func (t *tracer) start(g goal, from string) error {
	switch {
	case g.container == nil:
		t.blocked(InDocker, "nothing is published on port %d of the docker host", g.port)
		return nil
	case g.container.PID == 0:
		t.blocked(InDocker, "container %s is not running", g.container.Name)
		return nil
	case g.container.Mode == "none":
		t.blocked(InDocker, "container %s has no network", g.container.Name)
		return nil
	}
	if name, ok := strings.CutPrefix(from, "container:"); ok {
		return t.fromContainer(g, name)
	}
	if from == FromLocal {
		t.fromLocal(g, netip.Addr{})
		t.byOtherAddresses(g)
		return nil
	}
	if own, err := netip.ParseAddr(from); err == nil && t.local(own) {
		t.fromLocal(g, own)
		return nil
	}
	link, src, err := t.origin(from)
	if err != nil {
		return err
	}
	if g.direct.IsValid() {
		t.receive(t.newPacket(link, src, g.direct, g.proto(), g.port))
		return nil
	}
	if g.published == nil {
		t.unpublished(g)
		return nil
	}
	dst := g.published.HostIP
	if dst.IsUnspecified() {
		dst = t.AddressOn(link, src)
	}
	switch {
	case dst.IsLoopback():
		t.blocked(InDocker, "the port is published only on %s, which clients outside cannot reach", dst)
	case !dst.IsValid():
		return &TargetError{NoAddress: true, Text: fmt.Sprintf("interface %s has no address of the same family as %s", link, src)}
	default:
		t.receive(t.newPacket(link, src, dst, g.proto(), g.published.HostPort))
	}
	return nil
}

// unpublished adds the obstacle that a container does not publish the port.
func (t *tracer) unpublished(g goal) {
	if g.container.Mode == "host" {
		t.blocked(InDocker, "container %s uses the docker host's own network, where docker publishes no ports", g.container.Name)
		return
	}
	if g.port == 0 {
		t.blocked(InDocker, "container %s publishes no port", g.container.Name)
		return
	}
	t.blocked(InDocker, "container %s does not publish port %d", g.container.Name, g.port)
}

// fromLocal sends packets from a client on the docker host itself. own is the address of the docker host that
// the client uses; if it is not valid, a client of a published port uses the loopback address.
func (t *tracer) fromLocal(g goal, own netip.Addr) {
	switch {
	case g.direct.IsValid():
		t.send(t.newPacket("", own, g.direct, g.proto(), g.port))
	case g.published != nil:
		dst := g.published.HostIP
		switch {
		case !dst.IsUnspecified():
		case own.IsValid():
			dst = own
		default:
			dst = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		}
		t.send(t.newPacket("", dst, dst, g.proto(), g.published.HostPort))
	case g.port != 0 && len(g.container.Addresses) > 0:
		t.send(t.newPacket("", own, g.container.Addresses[0].Addr, g.proto(), g.port))
	default:
		t.unpublished(g)
	}
}

// byOtherAddresses adds a note if a client on the docker host reaches a published port at the
// loopback address, but not at another address of the docker host. That can happen because ARP
// requests have the client's address.
func (t *tracer) byOtherAddresses(g goal) {
	if g.published == nil || !g.published.HostIP.IsUnspecified() || len(t.obstacles) > 0 {
		return
	}
	for _, l := range t.Links {
		for _, own := range l.Addresses {
			if !own.Addr().Is4() || own.Addr().IsLoopback() || t.NetworkOf(l.Name) != nil {
				continue
			}
			other := &tracer{Facts: t.Facts, target: t.target, env: t.env, skip: map[netfilter.Place]bool{}}
			other.fromLocal(g, own.Addr())
			if len(other.obstacles) > 0 {
				t.note("at the docker host's own address %s the port cannot be reached: %s", own.Addr(), other.obstacles[0])
			}
		}
	}
}

// origin returns the interface on which packets from an origin arrive, and their source address.
func (t *tracer) origin(from string) (link string, src netip.Addr, err error) {
	if a, err := netip.ParseAddr(from); err == nil {
		r, _ := t.RouteFor(netip.Addr{}, a, "")
		if r == nil || r.Link == "" {
			return "", a, &TargetError{Text: fmt.Sprintf("the docker host has no route to %s", a)}
		}
		return r.Link, a, nil
	}
	public := ""
	for _, family := range []packet.Family{packet.IPv4, packet.IPv6} {
		if public = t.Public(family); public == "" {
			continue
		}
		if from == FromPublic {
			return public, netfacts.Outside(family), nil
		}
		break
	}
	switch from {
	case FromPublic:
		return "", src, &TargetError{Text: "the docker host has no default route: use --from with lan or an address"}
	case FromLAN:
		return t.lan(public)
	}
	return "", src, noOrigin(from)
}

// lan returns the interface of a private network that the docker host is connected to, and the
// address of a client there. It prefers interfaces other than public, that of the default route.
func (t *tracer) lan(public string) (link string, src netip.Addr, err error) {
	for _, alsoPublic := range []bool{false, true} {
		for _, l := range t.Links {
			if l.Name == "lo" || l.Master != "" || t.NetworkOf(l.Name) != nil || (l.Name == public) != alsoPublic || strings.HasPrefix(l.Name, "docker") {
				continue
			}
			for _, p := range l.Addresses {
				if p.Addr().Is4() && p.Bits() < 31 && (p.Addr().IsPrivate() || !alsoPublic) {
					return l.Name, neighborOf(p), nil
				}
			}
		}
	}
	return "", src, &TargetError{Text: "the docker host is not in a private network: use --from with an address"}
}

// neighborOf returns another address of the same network.
func neighborOf(p netip.Prefix) netip.Addr {
	if a := p.Addr().Next(); p.Contains(a) && p.Contains(a.Next()) {
		return a
	}
	return p.Addr().Prev()
}

// fromContainer sends packets from a client in another container: across the bridge if both
// containers are on one, otherwise to the published port.
func (t *tracer) fromContainer(g goal, name string) error {
	i := slices.IndexFunc(t.Containers, func(c netfacts.Container) bool { return c.Name == name })
	if i < 0 {
		return &TargetError{Text: fmt.Sprintf("no container is called %q", name), Word: name, Known: names(t.Facts)}
	}
	client := &t.Containers[i]
	if client.PID == 0 {
		return &TargetError{Text: fmt.Sprintf("container %s is not running", name)}
	}
	for _, a := range client.Addresses {
		for _, b := range g.container.Addresses {
			if n := t.Network(a.Network); n != nil && a.Network == b.Network && n.Bridge != "" && a.Addr.Is4() && b.Addr.Is4() {
				t.across(client, a, b, n.Bridge, g)
				return nil
			}
		}
	}
	if g.published == nil && !g.direct.IsValid() {
		t.unpublished(g)
		return nil
	}
	for _, a := range client.Addresses {
		n := t.Network(a.Network)
		if n == nil || n.Bridge == "" || !a.Addr.Is4() {
			continue
		}
		dst, port := g.direct, g.port
		if g.published != nil {
			dst, port = t.AddressOn(n.Bridge, a.Addr), g.published.HostPort
			if !g.published.HostIP.IsUnspecified() {
				dst = g.published.HostIP
			}
		}
		t.receive(t.newPacket(n.Bridge, a.Addr, dst, g.proto(), port))
		return nil
	}
	return &TargetError{Text: fmt.Sprintf("container %s is not on a bridge of the docker host", name)}
}

// across sends a packet from one port of a bridge to another, and the answer back.
func (t *tracer) across(client *netfacts.Container, a, b netfacts.Address, bridge string, g goal) {
	from, to := t.portOn(client, bridge), t.portOn(g.container, bridge)
	forth := func(p packet.Packet) packet.Packet {
		p.Bridge, p.In, p.Out, p.SrcMAC, p.DstMAC = bridge, from, to, a.MAC, b.MAC
		return p
	}
	back := func(p packet.Packet) packet.Packet {
		p.Bridge, p.In, p.Out, p.SrcMAC, p.DstMAC = bridge, to, from, b.MAC, a.MAC
		return p
	}
	port := g.port
	if port == 0 && len(g.container.Listeners) > 0 {
		port = g.container.Listeners[0].Port
	}
	question := forth(packet.Packet{Family: packet.ARP, ARPOp: 1, Src: a.Addr, Dst: b.Addr, Mark: packet.NoMark})
	question.DstMAC = broadcastMAC
	t.hop("bridge "+bridge, "ARP: who has %s, asks %s", b.Addr, a.Addr)
	t.frame(netfilter.Forward, Neighbors, question)
	t.frame(netfilter.Forward, Neighbors, back(packet.Packet{Family: packet.ARP, ARPOp: 2, Src: b.Addr, Dst: a.Addr, Mark: packet.NoMark}))
	p := t.newPacket(bridge, a.Addr, b.Addr, g.proto(), port)
	t.hop("bridge "+bridge, "%s", describe(&p))
	t.bridgedIP(p, forth, bridge)
	t.checkListener(g.container, p)
	t.bridgedIP(reply(p, bridge), back, bridge)
}

// bridgedIP sends a packet across a bridge: through ebtables and, with br_netfilter, iptables.
// frame turns it into a frame.
func (t *tracer) bridgedIP(p packet.Packet, frame func(packet.Packet) packet.Packet, bridge string) {
	t.frame(netfilter.Forward, L3, frame(p))
	if !t.BridgeFilter(p.Family) {
		return
	}
	t.pass(netfilter.Prerouting, L3, &p)
	p.Out = bridge
	t.pass(netfilter.Forward, L3, &p)
	t.pass(netfilter.Postrouting, L3, &p)
}

// portOn returns the bridge port that leads to a container, or "".
func (t *tracer) portOn(c *netfacts.Container, bridge string) string {
	for _, port := range c.Ports {
		if l := t.Link(port); l != nil && l.Master == bridge {
			return port
		}
	}
	return ""
}
