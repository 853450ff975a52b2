package saved

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/match"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// unknownProtocol is the number of a protocol that no packet.Packet has.
const unknownProtocol = -1

// protocolNumber reads the name or number of an IP protocol. 0 means all.
func protocolNumber(name string) int {
	switch name {
	case "all", "ip", "0":
		return 0
	case "tcp":
		return packet.TCP
	case "udp":
		return packet.UDP
	case "icmp":
		return packet.ICMP
	case "ipv6-icmp", "icmpv6":
		return packet.ICMPv6
	}
	if n, err := strconv.ParseUint(name, 0, 8); err == nil {
		return int(n)
	}
	return unknownProtocol
}

// addressMatch reads "10.0.0.0/8", "10.0.0.1" or "10.0.0.0/255.0.0.255".
func addressMatch(family packet.Family, side packet.Side, s string) (match.Match, error) {
	text, mask, hasMask := strings.Cut(s, "/")
	a, err := netip.ParseAddr(text)
	if err != nil || a.Is4() != (family == packet.IPv4) || a.Zone() != "" {
		return nil, fmt.Errorf("%q is not an address of family %s", shorten(s), family)
	}
	if !hasMask {
		return match.Address{Side: side, Net: netip.PrefixFrom(a, a.BitLen())}, nil
	}
	if bits, err := strconv.Atoi(mask); err == nil && bits >= 0 && bits <= a.BitLen() {
		return match.Address{Side: side, Net: netip.PrefixFrom(a, bits).Masked()}, nil
	}
	m, err := netip.ParseAddr(mask)
	if err != nil || m.Is4() != a.Is4() {
		return nil, fmt.Errorf("%q has the mask %q", shorten(s), shorten(mask))
	}
	if bits, ok := prefixLength(m); ok {
		return match.Address{Side: side, Net: netip.PrefixFrom(a, bits).Masked()}, nil
	}
	if !a.Is4() {
		return match.Unknown{Text: "address with the mask " + mask}, nil
	}
	return match.Masked{Side: side, Addr: a.As4(), Mask: m.As4()}, nil
}

// prefixLength returns the prefix length of a mask; false if its bits are not contiguous.
func prefixLength(mask netip.Addr) (int, bool) {
	n, ended := 0, false
	for _, b := range mask.AsSlice() {
		for bit := 7; bit >= 0; bit-- {
			switch one := b>>bit&1 == 1; {
			case one && ended:
				return 0, false
			case one:
				n++
			default:
				ended = true
			}
		}
	}
	return n, true
}

// portRanges reads "80", "80,443,1000:2000", ":1023" and "1024:".
func portRanges(s string) ([][2]int, error) {
	var all [][2]int
	for _, part := range strings.Split(s, ",") {
		from, to, isRange := strings.Cut(part, ":")
		if !isRange {
			to = from
		}
		r := [2]int{0, 65535}
		for i, text := range []string{from, to} {
			if text == "" && isRange {
				continue
			}
			n, err := strconv.ParseUint(text, 10, 16)
			if err != nil {
				return nil, fmt.Errorf("%q is not a port", shorten(part))
			}
			r[i] = int(n)
		}
		all = append(all, r)
	}
	return all, nil
}

// numberAndMask reads "0x4/0xff". Without a mask all its bits are set.
func numberAndMask(s string) (value, mask uint32, err error) {
	text, maskText, hasMask := strings.Cut(s, "/")
	v, err := strconv.ParseUint(text, 0, 32)
	m := uint64(^uint32(0))
	if err == nil && hasMask {
		m, err = strconv.ParseUint(maskText, 0, 32)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("%q is not a number with a mask", shorten(s))
	}
	return uint32(v), uint32(m), nil
}
