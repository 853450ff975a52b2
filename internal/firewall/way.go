package firewall

import (
	"net/netip"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// received sends a packet from outside the docker host, or from one of its bridges, through
// it, the answer back, and the connection's next packet.
func (t *tracer) received(p packet.Packet) {
	first := p
	t.hop("in by "+p.In, "%s", describe(&p))
	t.hook(netfilter.Prerouting, L3, &p)
	if t.local(p.Dst) {
		t.toHost(p)
		return
	}
	r := t.way(&p)
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
	t.answer(&back)
	back.Out = p.In
	t.hook(netfilter.Forward, L3, &back)
	t.hook(netfilter.Postrouting, L3, &back)
	t.hop("out by "+back.Out, "%s", describe(&back))

	next := following(first, p.Conn)
	t.hop("in by "+next.In, "%s, the connection's next packet", describe(&next))
	t.hook(netfilter.Prerouting, L3, &next)
	next.Dst, next.DstPort, next.Out = p.Dst, p.DstPort, p.Out
	t.hook(netfilter.Forward, L3, &next)
	t.hook(netfilter.Postrouting, L3, &next)
}

// following is a packet of a connection that has been answered, in the direction of the first.
func following(first packet.Packet, c packet.Conn) packet.Packet {
	p := first
	if p.Conn = c; c.State == packet.New {
		p.Conn.State = packet.Established
	}
	if p.Proto == packet.TCP {
		p.Flags = packet.ACK
	}
	return p
}

// answer is the first part of an answer's way: from the bridge to where it is routed.
func (t *tracer) answer(back *packet.Packet) {
	t.hook(netfilter.Prerouting, L3, back)
	if back.Conn.SNAT {
		back.Dst, back.DstPort = back.Conn.Orig.Src.Addr(), int(back.Conn.Orig.Src.Port())
	}
}

// toHost sends a packet to a socket of the docker host: docker-proxy's.
func (t *tracer) toHost(p packet.Packet) {
	t.hook(netfilter.Input, L3, &p)
	if !t.proxied(p) {
		return
	}
	t.hop("docker-proxy", "takes %s and connects to %s", endpoint(p.Dst, p.DstPort), t.target.Name)
	t.fromProxy(p)
	back := reply(p, "")
	back.Out = p.In
	t.hook(netfilter.Output, L3, &back)
	t.hook(netfilter.Postrouting, L3, &back)
	next := following(p, p.Conn)
	t.hook(netfilter.Prerouting, L3, &next)
	t.hook(netfilter.Input, L3, &next)
}

// proxied reports whether docker-proxy takes the packet.
func (t *tracer) proxied(p packet.Packet) bool {
	listens := slices.ContainsFunc(t.Listeners, func(l netfacts.Listener) bool {
		a := l.Addr.Unmap()
		return l.UDP == (p.Proto == packet.UDP) && l.Port == p.DstPort && (a == p.Dst || a.IsUnspecified() && (a.Is6() || p.Dst.Is4()))
	})
	if !listens {
		t.blocked(InDocker, "no DNAT rule is for %s, and no docker-proxy listens there", describe(&p))
		return false
	}
	if t.target == nil || !publishes(t.target, p) {
		t.blocked(InDocker, "port %d of the docker host does not lead to the container", p.DstPort)
		return false
	}
	return true
}

// publishes reports whether the port that the packet is for is one of the container's.
func publishes(c *netfacts.Container, p packet.Packet) bool {
	return slices.ContainsFunc(c.Published, func(o netfacts.Published) bool { return o.HostPort == p.DstPort && o.UDP == (p.Proto == packet.UDP) })
}

// fromProxy is docker-proxy's own connection to the container: to its address of the client's
// family, or to its IPv4 address where it has no IPv6.
func (t *tracer) fromProxy(p packet.Packet) {
	for _, o := range t.target.Published {
		if o.HostPort != p.DstPort || o.UDP != (p.Proto == packet.UDP) {
			continue
		}
		for _, four := range []bool{p.Dst.Is4(), true} {
			i := slices.IndexFunc(t.target.Addresses, func(a netfacts.Address) bool { return a.Addr.Is4() == four })
			if i >= 0 {
				t.sent(t.newPacket("", netip.Addr{}, t.target.Addresses[i].Addr, p.Proto, o.Port))
				return
			}
		}
	}
}

// sent sends a packet of the docker host's own, and the answer back.
func (t *tracer) sent(p packet.Packet) {
	r := t.way(&p)
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
		if r = t.way(&p); r == nil {
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
	t.answer(&back)
	t.hook(netfilter.Input, L3, &back)
	next := following(p, p.Conn)
	t.hook(netfilter.Output, L3, &next)
	t.hook(netfilter.Postrouting, L3, &next)
}

// sourceFor is the address from which the docker host itself sends.
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

// toContainer hands a packet over to the bridge that it leaves by, and returns the answer;
// ok is false where none can come.
func (t *tracer) toContainer(p packet.Packet) (back packet.Packet, ok bool) {
	c := t.Owner(p.Dst)
	network := t.NetworkOf(p.Out)
	switch {
	case c == nil:
		t.blocked(InDocker, "the packet ends at %s, which is no running container's address", endpoint(p.Dst, p.DstPort))
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
	t.inside(c, p)
	back = reply(p, p.Out)
	if network != nil {
		frame := f.fromPort(back)
		t.frame(netfilter.Brouting, L3, frame)
		t.frame(netfilter.Input, L3, frame)
	}
	return back, true
}

// inside looks for what listens in the container.
func (t *tracer) inside(c *netfacts.Container, p packet.Packet) {
	ok, loopback := c.Listens(p.Proto == packet.UDP, p.Dst, p.DstPort)
	protocol := "tcp"
	if p.Proto == packet.UDP {
		protocol = "udp"
	}
	switch {
	case ok:
	case loopback.IsValid():
		t.blocked(Inside, "in container %s port %d/%s is open on %s only, where nothing from outside comes", c.Name, p.DstPort, protocol, loopback)
	default:
		t.blocked(Inside, "in container %s nothing listens on port %d/%s", c.Name, p.DstPort, protocol)
	}
}

// reply is the answer to a packet, which comes back by the interface in.
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

// newPacket is the first packet of a connection.
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

// clientPort is the source port of the packets here: one that a client's kernel chooses.
const clientPort = 50123
