package packet

import (
	"net/netip"
	"slices"
)

// Env is what rules may ask about the host.
type Env struct {
	Links []Link
	Sets  map[string]*Set
	// BridgeFilter reports that frames on bridges pass iptables, too (br_netfilter).
	BridgeFilter bool
	// RouteBack is the interface by which an answer to a packet leaves, "" if none does. sure is
	// false where it cannot be known.
	RouteBack func(p *Packet) (link string, sure bool)
}

// Link is an interface with its addresses.
type Link struct {
	Name  string
	Addrs []netip.Prefix
}

// AddrType is the kind of an address as the kernel's local routing table has it, in
// capitals: LOCAL, BROADCAST, MULTICAST, UNICAST, UNSPEC. link "" stands for all interfaces.
func (e *Env) AddrType(a netip.Addr, link string) string {
	switch {
	case !a.IsValid() || a.Is6() && a.IsUnspecified():
		return "UNSPEC"
	case a.IsMulticast():
		return "MULTICAST"
	case a == netip.AddrFrom4([4]byte{255, 255, 255, 255}), a.Is4() && a.As4()[0] == 0:
		return "BROADCAST"
	case a.IsLoopback() && (link == "" || link == "lo"):
		return "LOCAL"
	}
	for _, l := range e.Links {
		if link != "" && l.Name != link {
			continue
		}
		for _, p := range l.Addrs {
			switch {
			case p.Addr() == a:
				return "LOCAL"
			case a.Is4() && p.Addr().Is4() && p.Bits() < 31 && last(p) == a:
				return "BROADCAST"
			}
		}
	}
	return "UNICAST"
}

// last is the highest address of an IPv4 network.
func last(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom4(b)
}

// Set is an ipset, or a set of nft.
type Set struct {
	// Fields are what an entry is made of: "ip", "net", "port", "mac" …
	Fields  []string
	Entries []SetEntry
	// Unknown reports that the set has entries that could not be read.
	Unknown bool
}

// SetEntry is one entry. Fields that the set does not have are zero.
type SetEntry struct {
	Net     netip.Prefix
	Proto   int
	Ports   [2]int
	NoMatch bool
}

// Has reports whether an address, and where the set has ports a port, is in the set.
func (s *Set) Has(a netip.Addr, proto, port int) Truth {
	best, found := -1, No
	for _, e := range s.Entries {
		if !e.Net.Contains(a) || e.Net.Bits() < best {
			continue
		}
		if slices.Contains(s.Fields, "port") && (e.Proto != proto || port < e.Ports[0] || port > e.Ports[1]) {
			continue
		}
		best, found = e.Net.Bits(), Sure(!e.NoMatch)
	}
	if found == No && s.Unknown {
		return Maybe
	}
	return found
}
