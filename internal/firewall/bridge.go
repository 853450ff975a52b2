package firewall

import (
	"net/netip"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// frames makes the frames between the docker host and a container on a bridge.
type frames struct {
	bridge, port    string
	hostMAC, mac    string
	gateway, inside netip.Addr
}

// frames is how a container is connected to the bridge that a packet leaves by.
func (t *tracer) frames(c *netfacts.Container, p packet.Packet, network *netfacts.Network) frames {
	f := frames{bridge: p.Out, inside: p.Dst}
	if l := t.Link(p.Out); l != nil {
		f.hostMAC = l.MAC
		for _, a := range l.Addresses {
			if a.Contains(p.Dst) {
				f.gateway = a.Addr()
			}
		}
	}
	for _, port := range c.Ports {
		if l := t.Link(port); l != nil && l.Master == p.Out {
			f.port = port
		}
	}
	for _, a := range c.Addresses {
		if network != nil && a.Network == network.Name {
			f.mac = a.MAC
		}
	}
	return f
}

// toPort is a packet as a frame to the container.
func (f frames) toPort(p packet.Packet) packet.Packet {
	p.Bridge, p.In, p.Out, p.SrcMAC, p.DstMAC = f.bridge, "", f.port, f.hostMAC, f.mac
	return p
}

// fromPort is a packet as a frame from the container.
func (f frames) fromPort(p packet.Packet) packet.Packet {
	p.Bridge, p.In, p.Out, p.SrcMAC, p.DstMAC = f.bridge, f.port, "", f.mac, f.hostMAC
	return p
}

const broadcastMAC = "ff:ff:ff:ff:ff:ff"

// neighbor asks for the container's hardware address, by ARP or IPv6's neighbor discovery.
// The exchange is evaluated also where the neighbor table still has the answer: the entry
// expires.
func (t *tracer) neighbor(f frames, p packet.Packet) {
	before := len(t.obstacles)
	if p.Family == packet.IPv6 {
		t.discovery(f)
	} else {
		asks := t.asks(f, p)
		question := packet.Packet{Family: packet.ARP, ARPOp: 1, Src: asks, Dst: f.inside, Mark: packet.NoMark}
		question = f.toPort(question)
		question.DstMAC = broadcastMAC
		t.hop("bridge "+f.bridge, "ARP: who has %s, asks %s", f.inside, asks)
		routed := question
		routed.Bridge, routed.Out = "", f.bridge
		t.hook(netfilter.Output, Neighbors, &routed)
		t.frame(netfilter.Output, Neighbors, question)
		answer := f.fromPort(packet.Packet{Family: packet.ARP, ARPOp: 2, Src: f.inside, Dst: asks, Mark: packet.NoMark})
		t.frame(netfilter.Brouting, Neighbors, answer)
		t.frame(netfilter.Input, Neighbors, answer)
		answer.Bridge, answer.In = "", f.bridge
		t.hook(netfilter.Input, Neighbors, &answer)
	}
	state := ""
	for _, n := range t.Facts.Neighbors {
		if n.Addr == f.inside && n.Link == f.bridge {
			state = n.State
		}
	}
	dropped := len(t.obstacles) > before
	switch {
	case dropped && state != "" && state != "FAILED" && state != "INCOMPLETE":
		t.note("the neighbor table still has %s (%s): packets pass until that entry expires", f.inside, state)
	case !dropped && (state == "FAILED" || state == "INCOMPLETE"):
		t.note("the last question for the hardware address of %s had no answer (%s)", f.inside, state)
	}
}

// asks is the address with which the docker host asks for the container's hardware address: the
// one that the packet comes from if that is the docker host's own and arp_announce is 0, as it is
// by default; else the bridge's (net/ipv4/arp.c).
func (t *tracer) asks(f frames, p packet.Packet) netip.Addr {
	for _, link := range []string{"all", f.bridge} {
		if t.Sysctl["net.ipv4.conf."+link+".arp_announce"] != "" {
			return f.gateway
		}
	}
	if t.local(p.Src) {
		return p.Src
	}
	return f.gateway
}

// discovery is a neighbor solicitation and its advertisement, which pass ip6tables, too.
func (t *tracer) discovery(f frames) {
	question := packet.Packet{Family: packet.IPv6, Proto: packet.ICMPv6, ICMP: [2]int{135}, TTL: 255, Src: f.gateway, Dst: solicited(f.inside), Out: f.bridge,
		Mark: packet.NoMark, Conn: packet.Conn{State: packet.Untracked, Mark: packet.NoMark}}
	t.hop("bridge "+f.bridge, "neighbor discovery: who has %s, asks %s", f.inside, f.gateway)
	t.hook(netfilter.Output, Neighbors, &question)
	t.hook(netfilter.Postrouting, Neighbors, &question)
	t.frame(netfilter.Output, Neighbors, f.toPort(question))
	answer := question
	answer.Src, answer.Dst, answer.ICMP = f.inside, f.gateway, [2]int{136}
	t.frame(netfilter.Brouting, Neighbors, f.fromPort(answer))
	t.frame(netfilter.Input, Neighbors, f.fromPort(answer))
	answer.In, answer.Out = f.bridge, ""
	t.hook(netfilter.Prerouting, Neighbors, &answer)
	t.hook(netfilter.Input, Neighbors, &answer)
}

// solicited is the multicast address to which a question for an IPv6 address goes
// (RFC 4291, 2.7.1).
func solicited(a netip.Addr) netip.Addr {
	b := netip.MustParseAddr("ff02::1:ff00:0").As16()
	if a.Is6() {
		of := a.As16()
		copy(b[13:], of[13:])
	}
	return netip.AddrFrom16(b)
}

// frame sends a frame through the chains of a bridge's hook and those that belong to it:
// before a frame comes in there is prerouting, behind one that leaves postrouting.
func (t *tracer) frame(hook netfilter.Hook, layer Layer, p packet.Packet) {
	if hook == netfilter.Input || hook == netfilter.Forward {
		t.hook(netfilter.Prerouting, layer, &p)
	}
	t.hook(hook, layer, &p)
	if hook == netfilter.Output || hook == netfilter.Forward {
		t.hook(netfilter.Postrouting, layer, &p)
	}
}
