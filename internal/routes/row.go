package routes

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// Row is one IPv4 row of macOS's `netstat -rn -f inet`. It is only evidence: old releases shorten
// the interface's name to seven or eight letters.
type Row struct {
	Dst   netip.Prefix // 0.0.0.0/0 is the default route
	Flags string       // as printed: "UGSc"
	Link  string       // as printed, perhaps shortened; see Expand
}

// Scoped reports whether the row is only for sockets bound to its interface (flag I, RTF_IFSCOPE in
// netstat(1) of macOS), so that it does not affect our packets.
func (r Row) Scoped() bool { return strings.Contains(r.Flags, "I") }

// ParseNetstat parses `netstat -rn -f inet`. It finds columns by the header, because Refs, Use and
// Mtu come and go between releases. It skips the IPv6 table, which is printed without -f, and rows
// without an IPv4 destination. Text without a header is an error.
func ParseNetstat(out []byte) ([]Row, error) {
	var rows []Row
	var header []string
	found := false
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
		case strings.HasPrefix(f[0], "Internet"): // "Internet:" and "Internet6:"
			header = nil
			if f[0] == "Internet6:" {
				header = []string{}
			}
		case f[0] == "Destination":
			if header == nil { // not in the IPv6 table
				header, found = f, true
			}
		default:
			if row, ok := parseRow(f, header); ok {
				rows = append(rows, row)
			}
		}
	}
	if !found {
		return nil, errors.New("reading netstat: no line of column names in its output")
	}
	return rows, nil
}

func parseRow(f, header []string) (Row, bool) {
	flags, netif := slices.Index(header, "Flags"), slices.Index(header, "Netif")
	if flags < 0 || netif < 0 || len(f) <= max(flags, netif) {
		return Row{}, false
	}
	dst, err := ParseDestination(f[0])
	if err != nil {
		return Row{}, false
	}
	return Row{Dst: dst, Flags: f[flags], Link: f[netif]}, true
}

// ParseDestination parses netstat's short forms: "default", "192.168.99", "10/8", "128.0/1", "1",
// "192.168.99.100". Missing octets are 0. Without a length, each octet present counts for eight
// bits: macOS omits the length if it is that of the address's class, and prints as many octets as
// that class has (netname() and domask() of its netstat).
func ParseDestination(s string) (netip.Prefix, error) {
	if s == "default" {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0), nil
	}
	short, length, hasLength := strings.Cut(s, "/")
	short, _, _ = strings.Cut(short, "%") // an address may carry its interface: 169.254.1.1%en0
	octets := strings.Split(short, ".")
	if len(octets) > 4 {
		return netip.Prefix{}, fmt.Errorf("reading destination %q: more than four octets", s)
	}
	var ip [4]byte
	for i, o := range octets {
		n, err := strconv.ParseUint(o, 10, 8)
		if err != nil {
			return netip.Prefix{}, fmt.Errorf("reading destination %q: %w", s, err)
		}
		ip[i] = byte(n)
	}
	bits := 8 * len(octets)
	if hasLength {
		n, err := strconv.ParseUint(length, 10, 8)
		if err != nil || n > 32 {
			return netip.Prefix{}, fmt.Errorf("reading destination %q: no prefix length from 0 to 32", s)
		}
		bits = int(n)
	}
	return netip.PrefixFrom(netip.AddrFrom4(ip), bits).Masked(), nil
}

// Lookup returns the row that a packet to addr takes: the longest prefix among the rows that are
// not scoped. It also detects full tunnels made of 0/1 + 128.0/1, or 1, 2/7, 4/6 …, because those
// are longer than the default route.
func Lookup(rows []Row, addr netip.Addr) (Row, bool) {
	best, found := Row{}, false
	for _, r := range rows {
		if r.Scoped() || !r.Dst.Contains(addr) {
			continue
		}
		if !found || r.Dst.Bits() > best.Dst.Bits() {
			best, found = r, true
		}
	}
	return best, found
}

// NetstatArgv prints the table that ParseNetstat parses.
func NetstatArgv() []string { return []string{"netstat", "-rn", "-f", "inet"} }

// ClonedFrom returns the network from which a host route was cloned: the longest row that contains
// addr, is not scoped, is not itself a clone (flag W) and has the same link. It returns false if
// the table has none.
func ClonedFrom(rows []Row, addr netip.Addr, link string, links []host.Link) (netip.Prefix, bool) {
	kept := slices.DeleteFunc(slices.Clone(rows), func(r Row) bool {
		return strings.Contains(r.Flags, "W") || Expand(r.Link, links) != link
	})
	row, ok := Lookup(kept, addr)
	return row.Dst, ok
}

// Expand completes a name that netstat has shortened, "vboxnet" for "vboxnet0", if exactly one link
// matches. Otherwise it returns the name unchanged.
func Expand(name string, links []host.Link) string {
	full := ""
	for _, l := range links {
		if l.Name == name {
			return name
		}
		if name != "" && strings.HasPrefix(l.Name, name) {
			if full != "" {
				return name
			}
			full = l.Name
		}
	}
	if full == "" {
		return name
	}
	return full
}
