package firewall

import (
	"net/netip"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// frames turns packets between the docker host and a container on a bridge into frames.
type frames struct {
	bridge, port    string     // interfaces; port is the bridge port that leads to the container
	hostMAC, mac    string     // the bridge's and the container's hardware addresses
	gateway, inside netip.Addr // the bridge's and the container's IP addresses
}

// frames finds out how a container is connected to the bridge through which a packet leaves.
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

// toPort returns a packet as a frame to the container.
func (f frames) toPort(p packet.Packet) packet.Packet {
	p.Bridge, p.In, p.Out, p.SrcMAC, p.DstMAC = f.bridge, "", f.port, f.hostMAC, f.mac
	return p
}

// fromPort returns a packet as a frame from the container.
func (f frames) fromPort(p packet.Packet) packet.Packet {
	p.Bridge, p.In, p.Out, p.SrcMAC, p.DstMAC = f.bridge, f.port, "", f.mac, f.hostMAC
	return p
}

const broadcastMAC = "ff:ff:ff:ff:ff:ff"

// neighbor sends the request for the container's hardware address and its answer: ARP, or IPv6
// neighbor discovery. It does so even if the neighbor table has the answer, because entries expire.
func (t *tracer) neighbor(f frames, p packet.Packet) {
	before := len(t.obstacles)
	if p.Family == packet.IPv6 {
		t.discovery(f)
	} else {
		source := t.arpSource(f, p)
		question := packet.Packet{Family: packet.ARP, ARPOp: 1, Src: source, Dst: f.inside, Mark: packet.NoMark}
		question = f.toPort(question)
		question.DstMAC = broadcastMAC
		t.hop("bridge "+f.bridge, "ARP: who has %s, asks %s", f.inside, source)
		routed := question
		routed.Bridge, routed.Out = "", f.bridge
		t.hook(netfilter.Output, Neighbors, &routed)
		t.frame(netfilter.Output, Neighbors, question)
		answer := f.fromPort(packet.Packet{Family: packet.ARP, ARPOp: 2, Src: f.inside, Dst: source, Mark: packet.NoMark})
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
		t.note("the last request for the hardware address of %s was not answered (%s)", f.inside, state)
	}
}

// arpSource returns the sender's address in the docker host's ARP request for the container. With
// arp_announce 0, the default, it is the packet's source address if that is the docker host's own;
// otherwise it is the bridge's address (net/ipv4/arp.c).
func (t *tracer) arpSource(f frames, p packet.Packet) netip.Addr {
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

// discovery sends a neighbor solicitation and the advertisement that answers it. Unlike ARP, they
// also pass ip6tables.
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

// solicited returns the solicited-node multicast address of an IPv6 address (RFC 4291, 2.7.1).
func solicited(a netip.Addr) netip.Addr {
	b := netip.MustParseAddr("ff02::1:ff00:0").As16()
	if a.Is6() {
		of := a.As16()
		copy(b[13:], of[13:])
	}
	return netip.AddrFrom16(b)
}

// frame sends a frame through the chains of a bridge's hook. Before hooks Input and Forward it
// passes Prerouting, after Output and Forward it passes Postrouting.
func (t *tracer) frame(hook netfilter.Hook, layer Layer, p packet.Packet) {
	if hook == netfilter.Input || hook == netfilter.Forward {
		t.hook(netfilter.Prerouting, layer, &p)
	}
	t.hook(hook, layer, &p)
	if hook == netfilter.Output || hook == netfilter.Forward {
		t.hook(netfilter.Postrouting, layer, &p)
	}
}
