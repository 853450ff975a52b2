package firewall

import (
	"net/netip"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

// With is the docker host with one table in place of another.
func (f *Facts) With(old, changed *netfilter.Table) *Facts {
	after := *f
	after.Tables = slices.Clone(f.Tables)
	for i, t := range after.Tables {
		if t == old {
			after.Tables[i] = changed
		}
	}
	return &after
}

// Table returns a table of a tool's backend, or nil.
func (f *Facts) Table(tool netfilter.Tool, backend netfilter.Backend, name string) *netfilter.Table {
	for _, t := range f.Tables {
		if t.Tool == tool && t.Backend == backend && t.Name == name {
			return t
		}
	}
	return nil
}

// Container returns the container of that name, or whose ID begins with it, or nil.
func (f *Facts) Container(name string) *Container {
	for i := range f.Containers {
		if c := &f.Containers[i]; c.Name == name || len(name) >= 4 && len(c.ID) >= len(name) && c.ID[:len(name)] == name {
			return c
		}
	}
	return nil
}

// Outside is an address that stands for any client outside.
func Outside(family netfilter.Family) netip.Addr {
	if family == netfilter.IPv6 {
		return outside6
	}
	return outside4
}

// Public is the interface and address by which the docker host is reached from outside, in
// one family; ok is false where it has none.
func (f *Facts) Public(family netfilter.Family) (link string, ok bool) {
	r, _ := f.Way(netip.Addr{}, Outside(family), "")
	if r == nil || r.Type != "unicast" || r.Link == "" {
		return "", false
	}
	return r.Link, f.addressOn(r.Link, Outside(family)).IsValid()
}

// Leaves reports whether a container's own packets to a port outside leave the docker host,
// by any of its networks. A rule that cannot be evaluated counts as one that lets them pass.
func (f *Facts) Leaves(c *Container, proto, port int) bool {
	for _, a := range c.Addresses {
		n := f.network(a.Network)
		if n == nil || n.Bridge == "" || c.PID == 0 {
			continue
		}
		family := netfilter.IPv6
		if a.Addr.Is4() {
			family = netfilter.IPv4
		}
		t := &tracer{Facts: f, target: c, skip: map[netfilter.Place]bool{}, env: f.Env(family)}
		t.leave(c, a, n, t.newPacket(n.Bridge, a.Addr, Outside(family), proto, port))
		if len(t.obstacles) == 0 {
			return true
		}
	}
	return false
}

// leave sends a packet from a container to the outside. The container needs its gateway's
// hardware address first.
func (t *tracer) leave(c *Container, a Address, n *Network, p netfilter.Packet) {
	f := t.frames(c, netfilter.Packet{Out: n.Bridge, Dst: a.Addr}, n)
	if a.Addr.Is4() {
		question := f.fromPort(netfilter.Packet{Family: netfilter.ARP, ARPOp: 1, Src: f.inside, Dst: f.gateway, Mark: netfilter.NoMark})
		question.DstMAC = broadcastMAC
		t.frame(netfilter.Brouting, Neighbors, question)
		t.frame(netfilter.Input, Neighbors, question)
		t.frame(netfilter.Output, Neighbors, f.toPort(netfilter.Packet{Family: netfilter.ARP, ARPOp: 2, Src: f.gateway, Dst: f.inside, Mark: netfilter.NoMark}))
	}
	t.frame(netfilter.Brouting, L3, f.fromPort(p))
	t.frame(netfilter.Input, L3, f.fromPort(p))
	t.hook(netfilter.Prerouting, L3, &p)
	r := t.way(&p)
	if r == nil {
		return
	}
	t.forwarding(&p)
	p.Out = r.Link
	t.hook(netfilter.Forward, L3, &p)
	t.hook(netfilter.Postrouting, L3, &p)
}
