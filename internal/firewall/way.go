package firewall

import (
	"net/netip"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// receive handles a packet that arrives at an interface of the docker host: a bridge, or one that
// leads outside. It follows the packet, the answer, and the connection's next packet.
func (t *tracer) receive(p packet.Packet) {
	first := p
	t.hop("in by "+p.In, "%s", describe(&p))
	t.hook(netfilter.Prerouting, L3, &p)
	if t.local(p.Dst) {
		t.toHost(p)
		return
	}
	r := t.route(&p)
	if r == nil {
		return
	}
	t.forwarding(&p)
	p.Out = r.Link
	if p.TTL > 1 {
		p.TTL--
	}
	t.hook(netfilter.Forward, L3, &p)
	t.hook(netfilter.Postrouting, L3, &p)
	back, ok := t.toContainer(p)
	if !ok {
		return
	}
	t.answered(&back)
	back.Out = p.In
	t.hook(netfilter.Forward, L3, &back)
	t.hook(netfilter.Postrouting, L3, &back)
	t.hop("out by "+back.Out, "%s", describe(&back))

	next := nextPacket(first, p.Conn)
	t.hop("in by "+next.In, "%s, the connection's next packet", describe(&next))
	t.hook(netfilter.Prerouting, L3, &next)
	next.Dst, next.DstPort, next.Out = p.Dst, p.DstPort, p.Out
	t.hook(netfilter.Forward, L3, &next)
	t.hook(netfilter.Postrouting, L3, &next)
}

// nextPacket returns the next packet in the direction of the first, after the answer.
func nextPacket(first packet.Packet, c packet.Conn) packet.Packet {
	p := first
	if p.Conn = c; c.State == packet.New {
		p.Conn.State = packet.Established
	}
	if p.Proto == packet.TCP {
		p.Flags = packet.ACK
	}
	return p
}

// answered sends an answer through the hooks before routing, and reverts the SNAT of the connection.
func (t *tracer) answered(back *packet.Packet) {
	t.hook(netfilter.Prerouting, L3, back)
	if back.Conn.SNAT {
		back.Dst, back.DstPort = back.Conn.Orig.Src.Addr(), int(back.Conn.Orig.Src.Port())
	}
}

// toHost sends a packet to the docker host itself, where docker-proxy should accept it. It follows
// docker-proxy's connection to the container, then the answer.
func (t *tracer) toHost(p packet.Packet) {
	t.hook(netfilter.Input, L3, &p)
	if !t.proxyListens(p) {
		return
	}
	t.hop("docker-proxy", "accepts %s and connects to %s", endpoint(p.Dst, p.DstPort), t.target.Name)
	t.fromProxy(p)
	back := reply(p, "")
	back.Out = p.In
	t.hook(netfilter.Output, L3, &back)
	t.hook(netfilter.Postrouting, L3, &back)
	next := nextPacket(p, p.Conn)
	t.hook(netfilter.Prerouting, L3, &next)
	t.hook(netfilter.Input, L3, &next)
}

// proxyListens reports whether a docker-proxy of the target listens at the packet's destination.
// If not, it adds an obstacle.
func (t *tracer) proxyListens(p packet.Packet) bool {
	listens := slices.ContainsFunc(t.Listeners, func(l netfacts.Listener) bool {
		a := l.Addr.Unmap()
		return l.UDP == (p.Proto == packet.UDP) && l.Port == p.DstPort && (a == p.Dst || a.IsUnspecified() && (a.Is6() || p.Dst.Is4()))
	})
	if !listens {
		t.blocked(InDocker, "no DNAT rule matches %s, and no docker-proxy listens there", describe(&p))
		return false
	}
	if t.target == nil || !publishes(t.target, p) {
		t.blocked(InDocker, "port %d of the docker host does not lead to the container", p.DstPort)
		return false
	}
	return true
}

// publishes reports whether the container publishes the packet's destination port.
func publishes(c *netfacts.Container, p packet.Packet) bool {
	return slices.ContainsFunc(c.Published, func(o netfacts.Published) bool { return o.HostPort == p.DstPort && o.UDP == (p.Proto == packet.UDP) })
}

// fromProxy sends docker-proxy's own packet to the container: to its address of the same family as
// the client's packet, or to its IPv4 address if it has none.
func (t *tracer) fromProxy(p packet.Packet) {
	for _, o := range t.target.Published {
		if o.HostPort != p.DstPort || o.UDP != (p.Proto == packet.UDP) {
			continue
		}
		for _, four := range []bool{p.Dst.Is4(), true} {
			i := slices.IndexFunc(t.target.Addresses, func(a netfacts.Address) bool { return a.Addr.Is4() == four })
			if i >= 0 {
				t.send(t.newPacket("", netip.Addr{}, t.target.Addresses[i].Addr, p.Proto, o.Port))
				return
			}
		}
	}
}

// send follows a packet that the docker host itself sends, the answer, and the connection's next packet.
func (t *tracer) send(p packet.Packet) {
	r := t.route(&p)
	if r == nil {
		return
	}
	p.Out = r.Link
	if r.Type == "local" {
		p.Out = "lo"
	}
	if !p.Src.IsValid() {
		p.Src = t.sourceFor(r, p.Dst)
		p.Conn.Orig.Src = netip.AddrPortFrom(p.Src, uint16(p.SrcPort))
		p.Conn.Answer.Dst = p.Conn.Orig.Src
	}
	before := p.Dst
	t.hop("from the docker host", "%s", describe(&p))
	t.hook(netfilter.Output, L3, &p)
	if p.Dst != before {
		if r = t.route(&p); r == nil {
			return
		}
		if p.Out = r.Link; r.Type == "local" {
			p.Out = "lo"
		}
	}
	t.hook(netfilter.Postrouting, L3, &p)
	if p.Out == "lo" {
		p.In, p.Out = "lo", ""
		t.hook(netfilter.Prerouting, L3, &p)
		t.toHost(p)
		return
	}
	back, ok := t.toContainer(p)
	if !ok {
		return
	}
	t.answered(&back)
	t.hook(netfilter.Input, L3, &back)
	next := nextPacket(p, p.Conn)
	t.hook(netfilter.Output, L3, &next)
	t.hook(netfilter.Postrouting, L3, &next)
}

// sourceFor returns the address from which the docker host sends packets on a route to dst.
func (t *tracer) sourceFor(r *netfacts.Route, dst netip.Addr) netip.Addr {
	if l := t.Link(r.Link); l != nil {
		for _, p := range l.Addresses {
			if p.Contains(dst) {
				return p.Addr()
			}
		}
	}
	if r.Type == "local" {
		return dst
	}
	return t.AddressOn(r.Link, dst)
}

// toContainer delivers a packet to a container, through the bridge if there is one, and returns the
// answer. ok is false if no answer can come.
func (t *tracer) toContainer(p packet.Packet) (back packet.Packet, ok bool) {
	c := t.Owner(p.Dst)
	network := t.NetworkOf(p.Out)
	switch {
	case c == nil:
		t.blocked(InDocker, "the packet goes to %s, which is not the address of a running container", endpoint(p.Dst, p.DstPort))
		return back, false
	case t.target != nil && c.Name != t.target.Name:
		t.blocked(InDocker, "the packet goes to container %s at %s instead of %s", c.Name, endpoint(p.Dst, p.DstPort), t.target.Name)
		return back, false
	}
	f := t.frames(c, p, network)
	if network != nil {
		t.neighbor(f, p)
		frame := f.toPort(p)
		t.frame(netfilter.Output, L3, frame)
	}
	t.hop("container "+c.Name, "gets %s", describe(&p))
	t.checkListener(c, p)
	back = reply(p, p.Out)
	if network != nil {
		frame := f.fromPort(back)
		t.frame(netfilter.Brouting, L3, frame)
		t.frame(netfilter.Input, L3, frame)
	}
	return back, true
}

// checkListener adds an obstacle if nothing in the container listens at the packet's destination.
func (t *tracer) checkListener(c *netfacts.Container, p packet.Packet) {
	ok, loopback := c.Listens(p.Proto == packet.UDP, p.Dst, p.DstPort)
	protocol := "tcp"
	if p.Proto == packet.UDP {
		protocol = "udp"
	}
	switch {
	case ok:
	case loopback.IsValid():
		t.blocked(Inside, "in container %s port %d/%s is open only on %s, which can be reached only from inside the container", c.Name, p.DstPort, protocol, loopback)
	default:
		t.blocked(Inside, "nothing listens on port %[2]d/%[3]s in container %[1]s", c.Name, p.DstPort, protocol)
	}
}

// reply returns the answer to a packet, which arrives at interface in.
func reply(p packet.Packet, in string) packet.Packet {
	back := p
	back.Src, back.Dst, back.SrcPort, back.DstPort = p.Dst, p.Src, p.DstPort, p.SrcPort
	back.In, back.Out = in, ""
	back.Flags = packet.SYN | packet.ACK
	back.SrcMAC, back.DstMAC = "", ""
	back.Mark = packet.NoMark
	back.Conn.Reply = true
	if p.Conn.State == packet.New {
		back.Conn.State = packet.Established
	}
	return back
}

// newPacket returns the first packet of a connection. in is the interface at which it arrives, ""
// if the docker host itself sends it.
func (t *tracer) newPacket(in string, src, dst netip.Addr, proto, port int) packet.Packet {
	p := packet.Packet{
		Family: packet.FamilyOf(dst), In: in, Src: src, Dst: dst, Proto: proto, SrcPort: clientPort, DstPort: port, Mark: packet.NoMark,
	}
	if proto == packet.TCP {
		p.Flags = packet.SYN
	}
	p.Conn = packet.Conn{State: packet.New, Mark: packet.NoMark}
	p.Conn.Orig = packet.Tuple{Src: netip.AddrPortFrom(src, clientPort), Dst: netip.AddrPortFrom(dst, uint16(port))}
	p.Conn.Answer = packet.Tuple{Src: p.Conn.Orig.Dst, Dst: p.Conn.Orig.Src}
	return p
}

// clientPort is the source port of all packets: a typical ephemeral port.
const clientPort = 50123
