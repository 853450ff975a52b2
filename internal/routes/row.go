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

// Row is one IPv4 row of macOS's `netstat -rn -f inet`. It is evidence, not
// truth: old releases cut the interface's name to seven or eight letters.
type Row struct {
	Dst   netip.Prefix // 0.0.0.0/0 is the default route
	Flags string       // as printed: "UGSc"
	Link  string       // as printed, perhaps cut; see Expand
}

// Scoped reports that the row counts only for sockets bound to its interface
// (flag I, RTF_IFSCOPE in netstat(1) of macOS): it does not steer our packets.
func (r Row) Scoped() bool { return strings.Contains(r.Flags, "I") }

// ParseNetstat reads `netstat -rn -f inet`. Columns are found by the header, as
// Refs, Use and Mtu come and go between releases. Rows of the IPv6 table, which
// is there when -f was left out, and rows that are no IPv4 destination are passed
// over. A text without a header is an error.
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

// ParseDestination reads netstat's short forms: "default", "192.168.99",
// "10/8", "128.0/1", "1", "192.168.99.100". Octets that are not there are 0, and
// where no length is given each octet that is there counts for eight bits: macOS
// leaves the length away where it is that of the address's class, and prints
// as many octets as that class has (netname() and domask() of its netstat).
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

// Lookup is the row that a packet to addr would take: the longest prefix among
// the rows that are not scoped. It also sees through full tunnels made of
// 0/1 + 128.0/1, or 1, 2/7, 4/6 …, as those are longer than the default route.
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

// NetstatArgv asks for the table that ParseNetstat reads.
func NetstatArgv() []string { return []string{"netstat", "-rn", "-f", "inet"} }

// Parent is the network that a host route was cloned from: the longest row that
// has addr, counts for our packets, is no clone itself (flag W) and leaves by the
// same link. false where the table has none.
func Parent(rows []Row, addr netip.Addr, link string, links []host.Link) (netip.Prefix, bool) {
	kept := slices.DeleteFunc(slices.Clone(rows), func(r Row) bool {
		return strings.Contains(r.Flags, "W") || Expand(r.Link, links) != link
	})
	row, ok := Lookup(kept, addr)
	return row.Dst, ok
}

// Expand completes an interface's name that netstat cut, "vboxnet" for
// "vboxnet0", where exactly one link fits. Otherwise the name stays as it is.
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
