package ticket

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

var (
	// colons matches hardware addresses with colons, too.
	mac      = expr(`(^|[^0-9A-Fa-f])([0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2})\b`)
	colonMAC = expr(`^[0-9A-Fa-f]{1,2}(?::[0-9A-Fa-f]{1,2}){5}`)
	eui64    = expr(`^[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){7}$`)
	colons   = expr(`[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*`)
	ipv4     = expr(`\d+(?:\.\d+){3,}(?:/\d{1,2})?`)
	dashed   = expr(`\d+(?:-\d+){3,}`)
	nibbles  = expr(`(?i)(?:[0-9a-f]\.){32}ip6\.arpa`)
	reversed = expr(`(?i)\d+(?:\.\d+){3}\.in-addr\.arpa`)
	// netstat omits the zeros at the end of a network's address, and the length if it is the
	// class's: "203.0.113" is a route to a network of class C.
	shortNet = expr(`(^|[^0-9.])(\d{1,3}(?:\.\d{1,3}){1,2}/\d{1,2})\b`)
	classful = expr(`(?m)^((?:12[89]|1[3-8]\d|19[01])\.\d{1,3}|(?:19[2-9]|2[01]\d|22[0-3])\.\d{1,3}\.\d{1,3})([ \t])`)
)

// addresses replaces public addresses and hardware addresses, in all notations.
func (r *redactor) addresses() {
	r.replace(mac, func(m []string) string {
		return m[1] + r.hardware(m[2])
	})
	r.replace(reversed, func(m []string) string {
		p := strings.Split(m[0], ".")
		ip, _ := parse(strings.Join([]string{p[3], p[2], p[1], p[0]}, "."))
		return r.public(ip, m[0])
	})
	r.replace(nibbles, func(m []string) string { return r.public(fromNibbles(m[0]), m[0]) })
	r.replace(colons, func(m []string) string { return r.colons(m[0]) })
	r.replace(ipv4, func(m []string) string { return r.network(m[0]) })
	r.replace(dashed, func(m []string) string {
		// Use the last four: "ec2-203-0-113-7" has a number before them.
		p := strings.Split(m[0], "-")
		before, last := strings.Join(p[:len(p)-4], "-"), p[len(p)-4:]
		ip, _ := parse(strings.Join(last, "."))
		if before != "" {
			before += "-"
		}
		return before + r.public(ip, strings.Join(last, "-"))
	})
	r.replace(shortNet, func(m []string) string { return m[1] + r.network(m[2]) })
	r.replace(classful, func(m []string) string { return r.network(m[1]) + m[2] })
}

// public returns the mark of a public address, or text unchanged if it is not public.
func (r *redactor) public(ip netip.Addr, text string) string {
	if !isPublic(ip) {
		return text
	}
	return r.numbered("public", ip.Unmap().WithZone("").String())
}

// network replaces an IPv4 address with or without a length, of which zeros at the end may be
// omitted.
func (r *redactor) network(text string) string {
	addr, length, isNet := strings.Cut(text, "/")
	if isNet && len(length) == 1 && length < "8" {
		return text // 0.0.0.0/1 and 128.0.0.0/1, with which a VPN takes all traffic
	}
	ip, rest := parse(addr)
	if !isPublic(ip) {
		return text
	}
	if isNet {
		rest += "/" + length
	}
	return r.public(ip, text) + rest
}

// parse parses up to four numbers of an IPv4 address, which may have leading zeros. rest is what
// follows them: a port in netstat's notation.
func parse(text string) (ip netip.Addr, rest string) {
	parts := strings.Split(text, ".")
	if len(parts) > 4 {
		rest = "." + strings.Join(parts[4:], ".")
		parts = parts[:4]
	}
	var b [4]byte
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 8)
		if err != nil || len(p) > 3 {
			return netip.Addr{}, ""
		}
		b[i] = byte(n)
	}
	return netip.AddrFrom4(b), rest
}

func fromNibbles(name string) netip.Addr {
	var b [16]byte
	for i := range 32 { // the name has the last nibble first
		n, err := strconv.ParseUint(name[2*i:2*i+1], 16, 8)
		if err != nil {
			return netip.Addr{}
		}
		b[15-i/2] |= byte(n) << (4 * (i % 2))
	}
	return netip.AddrFrom16(b)
}

// maxIPv6Text is the maximum length of an IPv6 address as text.
const maxIPv6Text = 45

// colons replaces the addresses in a run of hexadecimal digits, colons and dots, which may have
// words and other colons at its ends.
func (r *redactor) colons(run string) string {
	var b strings.Builder
	for i := 0; i < len(run); {
		ip, n := firstIPv6(run[i:])
		if n > 0 {
			b.WriteString(r.ipv6(ip, run[i:i+n]))
		} else if text := colonMAC().FindString(run[i:]); text != "" {
			n = len(text)
			b.WriteString(r.hardware(text))
		} else {
			n = 1
			b.WriteByte(run[i])
		}
		i += n
	}
	return b.String()
}

func (r *redactor) ipv6(ip netip.Addr, text string) string {
	if isPublic(ip) {
		return r.public(ip, text)
	}
	if eui64().MatchString(text) {
		return r.hardware(text) // eight bytes, as in FireWire
	}
	if hw, ok := embedded(ip); ok {
		net, _ := ip.Prefix(64) // never more than 128 bits
		return net.Addr().String() + r.numbered("mac", hw)
	}
	return text
}

func (r *redactor) hardware(text string) string {
	if hw, ok := hardware(text); ok {
		return r.numbered("mac", hw)
	}
	return text
}

// firstIPv6 returns the longest address at the beginning of s, and its length; 0 if there is none.
func firstIPv6(s string) (netip.Addr, int) {
	for n := min(len(s), maxIPv6Text); n > 2; n-- {
		if ip, err := netip.ParseAddr(s[:n]); err == nil && ip.Is6() {
			return ip, n
		}
	}
	return netip.Addr{}, 0
}

// embedded returns the hardware address inside a link-local address (RFC 4291, appendix A):
// "fe80::3e22:fbff:fe01:203" contains 3c:22:fb:01:02:03.
func embedded(ip netip.Addr) (string, bool) {
	b := ip.As16()
	if !ip.IsLinkLocalUnicast() && !ip.IsPrivate() || b[11] != 0xff || b[12] != 0xfe {
		return "", false
	}
	return hardware(fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", b[8]^2, b[9], b[10], b[13], b[14], b[15]))
}

// hardware returns a hardware address in one notation. It returns false for VirtualBox's own, which
// are made up, and for those that identify no device.
func hardware(s string) (string, bool) {
	var digits string
	switch {
	case strings.Contains(s, ":"):
		for part := range strings.SplitSeq(s, ":") {
			digits += strings.Repeat("0", 2-len(part)) + part
		}
	default:
		digits = strings.NewReplacer("-", "", ".", "").Replace(s)
	}
	digits = strings.ToLower(digits)
	ours := strings.HasPrefix(digits, "080027") || strings.HasPrefix(digits, "0a0027") || digits == "ffffffffffff" || digits == "000000000000"
	return digits, !ours
}

var (
	sharedRange = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598, which VPNs use too
	global6     = netip.MustParsePrefix("2000::/3")      // all that is assigned (RFC 4291, section 2.4)
	nat64       = netip.MustParsePrefix("64:ff9b::/96")  // RFC 6052: contains an IPv4 address
)

func isPublic(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if !ip.IsValid() || !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	if ip.Is4() {
		return !sharedRange.Contains(ip) && ip.As4()[0] < 240 && ip.As4()[0] != 0
	}
	return global6.Contains(ip) || nat64.Contains(ip)
}
