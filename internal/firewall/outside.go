package firewall

import (
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// ReachesOutside reports whether a container can send packets to a port outside of the docker
// host, through any of its networks. proto is packet.TCP or packet.UDP. A rule that cannot be
// evaluated counts as one that lets them pass.
func ReachesOutside(f *netfacts.Facts, c *netfacts.Container, proto, port int) bool {
	for _, a := range c.Addresses {
		n := f.Network(a.Network)
		if n == nil || n.Bridge == "" || c.PID == 0 {
			continue
		}
		family := packet.FamilyOf(a.Addr)
		t := &tracer{Facts: f, target: c, skip: map[netfilter.Place]bool{}, env: f.Env(family)}
		t.leave(c, a, n, t.newPacket(n.Bridge, a.Addr, netfacts.Outside(family), proto, port))
		if len(t.obstacles) == 0 {
			return true
		}
	}
	return false
}

// leave sends a packet from a container to the outside, and before it the ARP request for the
// gateway's hardware address.
func (t *tracer) leave(c *netfacts.Container, a netfacts.Address, n *netfacts.Network, p packet.Packet) {
	f := t.frames(c, packet.Packet{Out: n.Bridge, Dst: a.Addr}, n)
	if a.Addr.Is4() {
		question := f.fromPort(packet.Packet{Family: packet.ARP, ARPOp: 1, Src: f.inside, Dst: f.gateway, Mark: packet.NoMark})
		question.DstMAC = broadcastMAC
		t.frame(netfilter.Brouting, Neighbors, question)
		t.frame(netfilter.Input, Neighbors, question)
		t.frame(netfilter.Output, Neighbors, f.toPort(packet.Packet{Family: packet.ARP, ARPOp: 2, Src: f.gateway, Dst: f.inside, Mark: packet.NoMark}))
	}
	t.frame(netfilter.Brouting, L3, f.fromPort(p))
	t.frame(netfilter.Input, L3, f.fromPort(p))
	t.hook(netfilter.Prerouting, L3, &p)
	r := t.route(&p)
	if r == nil {
		return
	}
	t.forwarding(&p)
	p.Out = r.Link
	t.hook(netfilter.Forward, L3, &p)
	t.hook(netfilter.Postrouting, L3, &p)
}
