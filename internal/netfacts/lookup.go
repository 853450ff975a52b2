package netfacts

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

// linkName returns the name of the interface with that index, or "".
func (f *Facts) linkName(index int) string {
	for _, l := range f.Links {
		if l.Index == index {
			return l.Name
		}
	}
	return ""
}

// Link returns the interface of that name, or nil.
func (f *Facts) Link(name string) *Link {
	for i := range f.Links {
		if f.Links[i].Name == name {
			return &f.Links[i]
		}
	}
	return nil
}

// Network returns the network of that name, or nil.
func (f *Facts) Network(name string) *Network {
	for i := range f.Networks {
		if f.Networks[i].Name == name {
			return &f.Networks[i]
		}
	}
	return nil
}

// NetworkOf returns the network of a bridge, or nil.
func (f *Facts) NetworkOf(bridge string) *Network {
	for i := range f.Networks {
		if bridge != "" && f.Networks[i].Bridge == bridge {
			return &f.Networks[i]
		}
	}
	return nil
}

// Owner returns the running container with that address, or nil.
func (f *Facts) Owner(a netip.Addr) *Container {
	for i := range f.Containers {
		c := &f.Containers[i]
		if c.PID != 0 && slices.ContainsFunc(c.Addresses, func(o Address) bool { return o.Addr == a }) {
			return c
		}
	}
	return nil
}

// With returns the facts with one table replaced by another.
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

// Container returns the container with that name, or whose ID begins with it, or nil.
func (f *Facts) Container(name string) *Container {
	for i := range f.Containers {
		if c := &f.Containers[i]; c.Name == name || len(name) >= 4 && strings.HasPrefix(c.ID, name) {
			return c
		}
	}
	return nil
}

// IPTablesChain returns the first chain of that name in a table of iptables or ip6tables, of either
// backend; nil if there is none.
func (f *Facts) IPTablesChain(table, name string) *netfilter.Chain {
	for _, t := range f.Tables {
		if t.Name == table && (t.Tool == netfilter.IPTables || t.Tool == netfilter.IP6Tables) {
			if c := t.Chain(name); c != nil {
				return c
			}
		}
	}
	return nil
}

// Elsewhere reports whether dockerd's networks are not on this host: one of docker's bridges is not
// among the interfaces. dockerd then runs in a VM or in another network namespace.
func (f *Facts) Elsewhere() bool {
	return slices.ContainsFunc(f.Networks, func(n Network) bool { return n.Bridge != "" && f.Link(n.Bridge) == nil })
}
