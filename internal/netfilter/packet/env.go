package packet

import (
	"net/netip"
	"slices"
)

// Env is the part of the host's configuration that conditions of rules depend on.
type Env struct {
	Links []Link
	Sets  map[string]*Set // by name
	// BridgeFilter means that frames on bridges pass iptables, too (br_netfilter).
	BridgeFilter bool
	// RouteBack returns the interface through which an answer to a packet is routed, "" if there
	// is no route. sure is false if it is not known.
	RouteBack func(p *Packet) (link string, sure bool)
}

// Link is an interface with its addresses.
type Link struct {
	Name  string
	Addrs []netip.Prefix
}

// AddrType returns the type of an address in the kernel's routing tables: LOCAL, BROADCAST, MULTICAST,
// UNICAST or UNSPEC. link limits LOCAL and BROADCAST to addresses of one interface; "" does not.
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

// last returns the highest address of an IPv4 network.
func last(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom4(b)
}

// Set is an ipset.
type Set struct {
	Fields  []string // of each entry: "ip", "net", "port", "mac" …
	Entries []SetEntry
	Unknown bool // the set has further entries, which could not be read
}

// SetEntry is one entry. Fields that the set does not have are zero.
type SetEntry struct {
	Net     netip.Prefix
	Proto   int
	Ports   [2]int // first and last
	NoMatch bool   // what this entry matches is not in the set
}

// Has returns whether an address is in the set and, if the set has ports, the port. The entry with
// the longest prefix decides.
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
