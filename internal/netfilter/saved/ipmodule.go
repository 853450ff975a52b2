package saved

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

// modules read the options of iptables' matches. What is not in the table, and every option that a
// reader does not know (errUnknown), may hold or not.
var modules = map[string]func(netfilter.Family, option) (netfilter.Match, error){
	"tcp": portModule, "udp": portModule, "multiport": portModule, "sctp": neverModule, "dccp": neverModule, "udplite": neverModule,
	"esp": neverModule, "ah": neverModule, "frag": neverModule, "rt": neverModule, "mh": neverModule,
	"icmp": icmpModule, "icmp6": icmpModule,
	"addrtype": addrtypeModule, "iprange": iprangeModule, "mark": markModule, "connmark": connmarkModule,
	"ttl": hopModule, "hl": hopModule, "comment": alwaysModule, "nfacct": alwaysModule, "physdev": physdevModule, "set": setModule, "mac": macModule,
}

// errUnknown is an option that the kernel alone can judge.
var errUnknown = fmt.Errorf("not known")

// moduleMatches are the conditions of one module.
func moduleMatches(family netfilter.Family, module string, all []option) ([]netfilter.Match, error) {
	switch module {
	case "conntrack", "state":
		m, err := conntrackModule(all)
		if err == errUnknown {
			return []netfilter.Match{netfilter.Unknown{Text: module}}, nil
		}
		return []netfilter.Match{m}, err
	case "addrtype":
		all = joinLimits(all)
	case "rpfilter":
		return []netfilter.Match{rpfilterModule(all)}, nil
	}
	read := modules[module]
	if read == nil {
		return []netfilter.Match{netfilter.Unknown{Text: module}}, nil
	}
	var matches []netfilter.Match
	for _, o := range all {
		m, err := read(family, o)
		if err == errUnknown {
			m, err = netfilter.Unknown{Text: module + " " + o.name}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s of %s: %w", o.name, module, err)
		}
		matches = append(matches, netfilter.Invert(o.not, m))
	}
	if len(all) == 0 && (module == "icmp" || module == "icmp6" || module == "comment" || module == "tcp" || module == "udp") {
		return nil, nil
	}
	if len(all) == 0 {
		return []netfilter.Match{netfilter.Unknown{Text: module}}, nil
	}
	return matches, nil
}

func portModule(_ netfilter.Family, o option) (netfilter.Match, error) {
	switch o.name {
	case "--syn":
		return netfilter.Flags{Mask: netfilter.FIN | netfilter.SYN | netfilter.RST | netfilter.ACK, Set: netfilter.SYN}, nil
	case "--tcp-flags":
		if len(o.args) != 2 {
			return nil, fmt.Errorf("two lists of flags are needed, not %d", len(o.args))
		}
		mask, err := tcpFlags(o.args[0])
		if err != nil {
			return nil, err
		}
		set, err := tcpFlags(o.args[1])
		return netfilter.Flags{Mask: mask, Set: set}, err
	}
	m := netfilter.Ports{}
	switch o.name {
	case "--sport", "--source-port", "--sports", "--source-ports":
		m.Side = netfilter.Source
	case "--dport", "--destination-port", "--dports", "--destination-ports":
		m.Side = netfilter.Destination
	case "--ports", "--port":
		m.Either = true
	default:
		return nil, errUnknown
	}
	arg, err := o.arg()
	if err == nil {
		m.Ranges, err = portRanges(arg)
	}
	return m, err
}

func tcpFlags(s string) (netfilter.TCPFlags, error) {
	var all netfilter.TCPFlags
	for _, name := range strings.Split(s, ",") {
		f, ok := map[string]netfilter.TCPFlags{"FIN": netfilter.FIN, "SYN": netfilter.SYN, "RST": netfilter.RST, "PSH": netfilter.PSH, "ACK": netfilter.ACK, "URG": netfilter.URG, "NONE": 0, "ALL": netfilter.FIN | netfilter.SYN | netfilter.RST | netfilter.PSH | netfilter.ACK | netfilter.URG}[name]
		if !ok {
			return 0, fmt.Errorf("%q is no TCP flag", shorten(name))
		}
		all |= f
	}
	return all, nil
}

// neverModule matches protocols and headers that no packet here has.
func neverModule(netfilter.Family, option) (netfilter.Match, error) { return netfilter.Never{}, nil }

func icmpModule(_ netfilter.Family, o option) (netfilter.Match, error) {
	if o.name != "--icmp-type" && o.name != "--icmpv6-type" {
		return nil, errUnknown
	}
	arg, err := o.arg()
	if err != nil {
		return nil, err
	}
	if arg == "any" {
		return netfilter.ICMPType{Type: netfilter.AnyICMP}, nil
	}
	kind, code, hasCode := strings.Cut(arg, "/")
	n, err := strconv.ParseUint(kind, 10, 8)
	if err != nil {
		return nil, errUnknown // a name; the savers print numbers
	}
	m := netfilter.ICMPType{Type: int(n), MaxCode: 255}
	if hasCode {
		n, err := strconv.ParseUint(code, 10, 8)
		if err != nil {
			return nil, fmt.Errorf("%q is no ICMP type", shorten(arg))
		}
		m.MinCode, m.MaxCode = int(n), int(n)
	}
	return m, nil
}

// joinLimits makes --limit-iface-in and -out an argument of the other options.
func joinLimits(all []option) []option {
	var limit string
	var rest []option
	for _, o := range all {
		if strings.HasPrefix(o.name, "--limit-iface") {
			limit = o.name
			continue
		}
		rest = append(rest, o)
	}
	if limit != "" {
		for i := range rest {
			rest[i].args = append(append([]string{}, rest[i].args...), limit)
		}
	}
	return rest
}

func addrtypeModule(_ netfilter.Family, o option) (netfilter.Match, error) {
	m := netfilter.AddressType{}
	switch {
	case len(o.args) == 2:
		m.Link = true
	case len(o.args) != 1:
		return nil, fmt.Errorf("one list of types is needed")
	}
	switch o.name {
	case "--src-type":
	case "--dst-type":
		m.Side = netfilter.Destination
	default:
		return nil, errUnknown
	}
	m.Types = strings.Split(o.args[0], ",")
	return m, nil
}

func iprangeModule(_ netfilter.Family, o option) (netfilter.Match, error) {
	m := netfilter.AddressRange{}
	switch o.name {
	case "--src-range":
	case "--dst-range":
		m.Side = netfilter.Destination
	default:
		return nil, errUnknown
	}
	arg, err := o.arg()
	if err != nil {
		return nil, err
	}
	from, to, isRange := strings.Cut(arg, "-")
	if !isRange {
		to = from
	}
	if m.From, err = netip.ParseAddr(from); err == nil {
		m.To, err = netip.ParseAddr(to)
	}
	if err != nil {
		return nil, fmt.Errorf("%q is no range of addresses", shorten(arg))
	}
	return m, nil
}

func markModule(_ netfilter.Family, o option) (netfilter.Match, error) {
	if o.name != "--mark" {
		return nil, errUnknown
	}
	arg, err := o.arg()
	if err != nil {
		return nil, err
	}
	value, mask, err := numberAndMask(arg)
	return netfilter.Mark{Value: value, Mask: mask}, err
}

func connmarkModule(family netfilter.Family, o option) (netfilter.Match, error) {
	m, err := markModule(family, o)
	if mark, ok := m.(netfilter.Mark); ok {
		mark.Connection = true
		m = mark
	}
	return m, err
}

func hopModule(_ netfilter.Family, o option) (netfilter.Match, error) {
	arg, err := o.arg()
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(arg, 10, 8)
	if err != nil {
		return nil, fmt.Errorf("%q is no hop limit", shorten(arg))
	}
	switch strings.TrimPrefix(strings.TrimPrefix(o.name, "--ttl-"), "--hl-") {
	case "eq":
		return netfilter.HopLimit{Min: int(n), Max: int(n)}, nil
	case "lt":
		return netfilter.HopLimit{Min: 0, Max: int(n) - 1}, nil
	case "gt":
		return netfilter.HopLimit{Min: int(n) + 1, Max: 255}, nil
	}
	return nil, errUnknown
}

// rpfilterModule has options that change what the others mean.
func rpfilterModule(all []option) netfilter.Match {
	m, not := netfilter.ReversePath{}, false
	for _, o := range all {
		switch o.name {
		case "--loose":
			m.AnyLink = true
		case "--invert":
			not = true
		case "--validmark": // rules for routes that depend on marks are not followed anyway
		default:
			return netfilter.Unknown{Text: "rpfilter " + o.name}
		}
	}
	return netfilter.Invert(not, m)
}

// alwaysModule counts or explains.
func alwaysModule(netfilter.Family, option) (netfilter.Match, error) { return netfilter.Comment{}, nil }

func physdevModule(_ netfilter.Family, o option) (netfilter.Match, error) {
	return netfilter.PhysDev{}, nil
}

func setModule(_ netfilter.Family, o option) (netfilter.Match, error) {
	if o.name != "--match-set" || len(o.args) != 2 {
		return nil, errUnknown
	}
	m := netfilter.InSet{Name: o.args[0]}
	for _, side := range strings.Split(o.args[1], ",") {
		switch side {
		case "src":
			m.Sides = append(m.Sides, netfilter.Source)
		case "dst":
			m.Sides = append(m.Sides, netfilter.Destination)
		default:
			return nil, fmt.Errorf("%q is neither src nor dst", shorten(side))
		}
	}
	return m, nil
}

func macModule(_ netfilter.Family, o option) (netfilter.Match, error) {
	if o.name != "--mac-source" {
		return nil, errUnknown
	}
	arg, err := o.arg()
	if err != nil {
		return nil, err
	}
	return netfilter.MAC{Addr: strings.ToLower(arg), Mask: netfilter.WholeMAC}, nil
}
