package saved

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/match"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// conntrackModule reads the options of the modules conntrack and state.
func conntrackModule(all []option) (match.Conntrack, error) {
	var m match.Conntrack
	for _, o := range all {
		arg, err := o.arg()
		if err == nil {
			err = conntrackOption(&m, o, arg)
		}
		if err == errUnknown {
			return m, err
		}
		if err != nil {
			return m, fmt.Errorf("%s: %w", o.name, err)
		}
	}
	return m, nil
}

func conntrackOption(m *match.Conntrack, o option, arg string) error {
	switch o.name {
	case "--ctstate", "--state":
		m.States, m.NotStates = strings.Split(arg, ","), o.not
		return nil
	case "--ctstatus":
		m.Status, m.NotStatus = strings.Split(arg, ","), o.not
		return nil
	case "--ctdir":
		reply := arg == "REPLY"
		if !reply && arg != "ORIGINAL" {
			return fmt.Errorf("%q is not a direction", shorten(arg))
		}
		reply = reply != o.not
		m.Reply = &reply
		return nil
	case "--ctproto":
		m.Proto, m.NotProto = protocolNumber(arg), o.not
		return nil
	}
	for i, name := range []string{"orig", "repl"} {
		for j, side := range []string{"src", "dst"} {
			end := match.End(2*i + j)
			switch o.name {
			case "--ct" + name + side:
				return conntrackNet(m, end, arg, o.not)
			case "--ct" + name + side + "port":
				ranges, err := portRanges(strings.ReplaceAll(arg, "-", ":"))
				if err != nil || len(ranges) != 1 {
					return fmt.Errorf("%q is not a port", shorten(arg))
				}
				m.Ports = append(m.Ports, match.TuplePorts{End: end, Ports: ranges[0], Not: o.not})
				return nil
			}
		}
	}
	return errUnknown
}

func conntrackNet(m *match.Conntrack, end match.End, arg string, not bool) error {
	family := packet.IPv4
	if strings.Contains(arg, ":") {
		family = packet.IPv6
	}
	read, err := addressMatch(family, packet.Source, arg)
	if err != nil {
		return err
	}
	a, ok := read.(match.Address)
	if !ok {
		return errUnknown
	}
	m.Nets = append(m.Nets, match.TupleNet{End: end, Net: a.Net, Not: not})
	return nil
}

// parseEndpoint reads "192.0.2.1", "192.0.2.1:80", ":80" and "[2001:db8::1]:80". ok is false for
// ranges, because the kernel chooses one of their addresses.
func parseEndpoint(s string) (to netip.AddrPort, ok bool) {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return netip.AddrPortFrom(a, 0), true
	}
	if port, ok := strings.CutPrefix(s, ":"); ok {
		r, err := portRanges(port)
		if err == nil && len(r) == 1 && r[0][0] == r[0][1] {
			return netip.AddrPortFrom(netip.Addr{}, uint16(r[0][0])), true
		}
		return netip.AddrPort{}, false
	}
	to, err := netip.ParseAddrPort(s)
	return to, err == nil
}
