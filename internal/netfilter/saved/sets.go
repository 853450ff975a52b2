package saved

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// ParseSets reads the output of `ipset save`: lines "create NAME TYPE …" and "add NAME ENTRY …".
func ParseSets(lines []string) (map[string]*packet.Set, error) {
	all := map[string]*packet.Set{}
	for i, line := range lines {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
		case len(fields) >= 3 && fields[0] == "create":
			_, kinds, _ := strings.Cut(fields[2], ":")
			all[fields[1]] = &packet.Set{Fields: strings.Split(kinds, ","), Unknown: fields[2] == "list:set"}
		case len(fields) >= 3 && fields[0] == "add":
			s := all[fields[1]]
			if s == nil {
				return nil, fmt.Errorf("ipset save, line %d: %q is added to a set that does not exist", i+1, shorten(fields[2]))
			}
			addEntry(s, fields[2], slices.Contains(fields[3:], "nomatch"))
		default:
			return nil, fmt.Errorf("ipset save, line %d: %q is neither a set nor an entry", i+1, shorten(line))
		}
	}
	return all, nil
}

// addEntry adds an entry such as "10.0.0.0/8" or "10.0.0.1,tcp:80". One that cannot be read makes
// the set Unknown.
func addEntry(s *packet.Set, text string, noMatch bool) {
	e := packet.SetEntry{NoMatch: noMatch}
	parts := strings.Split(text, ",")
	if len(parts) != len(s.Fields) {
		s.Unknown = true
		return
	}
	hasNet := false
	for i, field := range s.Fields {
		ok := false
		switch field {
		case "ip", "net":
			e.Net, ok = prefixOf(parts[i])
			ok = ok && !hasNet
			hasNet = true
		case "port":
			e.Proto, e.Ports, ok = portOf(parts[i])
		}
		if !ok {
			s.Unknown = true
			return
		}
	}
	if !hasNet {
		s.Unknown = true // a set of ports only
		return
	}
	s.Entries = append(s.Entries, e)
}

func prefixOf(s string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err == nil
}

func portOf(s string) (proto int, ports [2]int, ok bool) {
	name, number, named := strings.Cut(s, ":")
	if !named {
		name, number = "tcp", s
	}
	from, to, isRange := strings.Cut(number, "-")
	if !isRange {
		to = from
	}
	for i, text := range []string{from, to} {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return 0, ports, false
		}
		ports[i] = int(n)
	}
	return protocolNumber(name), ports, true
}
