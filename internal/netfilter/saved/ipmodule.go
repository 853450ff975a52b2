package saved

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/match"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// modules are functions that read an option of iptables' match modules. Modules that are missing
// here, and options that a function does not know (errUnknown), may match or not.
var modules = map[string]func(packet.Family, option) (match.Match, error){
	"tcp": portModule, "udp": portModule, "multiport": portModule, "sctp": neverModule, "dccp": neverModule, "udplite": neverModule,
	"esp": neverModule, "ah": neverModule, "frag": neverModule, "rt": neverModule, "mh": neverModule,
	"icmp": icmpModule, "icmp6": icmpModule,
	"addrtype": addrtypeModule, "iprange": iprangeModule, "mark": markModule, "connmark": connmarkModule,
	"ttl": hopModule, "hl": hopModule, "comment": alwaysModule, "nfacct": alwaysModule, "physdev": physdevModule, "set": setModule, "mac": macModule,
}

// errUnknown is the error for an option that only the kernel can evaluate.
var errUnknown = fmt.Errorf("not known")

// moduleMatches returns the conditions of one module.
func moduleMatches(family packet.Family, module string, all []option) ([]match.Match, error) {
	switch module {
	case "conntrack", "state":
		m, err := conntrackModule(all)
		if err == errUnknown {
			return []match.Match{match.Unknown{Text: module}}, nil
		}
		return []match.Match{m}, err
	case "addrtype":
		all = joinLimits(all)
	case "rpfilter":
		return []match.Match{rpfilterModule(all)}, nil
	}
	read := modules[module]
	if read == nil {
		return []match.Match{match.Unknown{Text: module}}, nil
	}
	var matches []match.Match
	for _, o := range all {
		m, err := read(family, o)
		if err == errUnknown {
			m, err = match.Unknown{Text: module + " " + o.name}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s of %s: %w", o.name, module, err)
		}
		matches = append(matches, match.Invert(o.not, m))
	}
	if len(all) == 0 && (module == "icmp" || module == "icmp6" || module == "comment" || module == "tcp" || module == "udp") {
		return nil, nil
	}
	if len(all) == 0 {
		return []match.Match{match.Unknown{Text: module}}, nil
	}
	return matches, nil
}

func portModule(_ packet.Family, o option) (match.Match, error) {
	switch o.name {
	case "--syn":
		return match.Flags{Mask: packet.FIN | packet.SYN | packet.RST | packet.ACK, Set: packet.SYN}, nil
	case "--tcp-flags":
		if len(o.args) != 2 {
			return nil, fmt.Errorf("two lists of flags are needed, not %d", len(o.args))
		}
		mask, err := tcpFlags(o.args[0])
		if err != nil {
			return nil, err
		}
		set, err := tcpFlags(o.args[1])
		return match.Flags{Mask: mask, Set: set}, err
	}
	m := match.Ports{}
	switch o.name {
	case "--sport", "--source-port", "--sports", "--source-ports":
		m.Side = packet.Source
	case "--dport", "--destination-port", "--dports", "--destination-ports":
		m.Side = packet.Destination
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

func tcpFlags(s string) (packet.TCPFlags, error) {
	var all packet.TCPFlags
	for _, name := range strings.Split(s, ",") {
		f, ok := map[string]packet.TCPFlags{"FIN": packet.FIN, "SYN": packet.SYN, "RST": packet.RST, "PSH": packet.PSH, "ACK": packet.ACK, "URG": packet.URG, "NONE": 0, "ALL": packet.FIN | packet.SYN | packet.RST | packet.PSH | packet.ACK | packet.URG}[name]
		if !ok {
			return 0, fmt.Errorf("%q is not a TCP flag", shorten(name))
		}
		all |= f
	}
	return all, nil
}

// neverModule is for protocols and headers that no packet.Packet has.
func neverModule(packet.Family, option) (match.Match, error) { return match.Never{}, nil }

func icmpModule(_ packet.Family, o option) (match.Match, error) {
	if o.name != "--icmp-type" && o.name != "--icmpv6-type" {
		return nil, errUnknown
	}
	arg, err := o.arg()
	if err != nil {
		return nil, err
	}
	if arg == "any" {
		return match.ICMPType{Type: match.AnyICMP}, nil
	}
	kind, code, hasCode := strings.Cut(arg, "/")
	n, err := strconv.ParseUint(kind, 10, 8)
	if err != nil {
		return nil, errUnknown // a name; iptables-save prints numbers
	}
	m := match.ICMPType{Type: int(n), MaxCode: 255}
	if hasCode {
		n, err := strconv.ParseUint(code, 10, 8)
		if err != nil {
			return nil, fmt.Errorf("%q is not an ICMP type", shorten(arg))
		}
		m.MinCode, m.MaxCode = int(n), int(n)
	}
	return m, nil
}

// joinLimits makes --limit-iface-in or -out, which changes what the module's other options mean, an
// argument of these.
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

func addrtypeModule(_ packet.Family, o option) (match.Match, error) {
	m := match.AddressType{}
	switch {
	case len(o.args) == 2:
		m.Link = true
	case len(o.args) != 1:
		return nil, fmt.Errorf("one list of types is needed")
	}
	switch o.name {
	case "--src-type":
	case "--dst-type":
		m.Side = packet.Destination
	default:
		return nil, errUnknown
	}
	m.Types = strings.Split(o.args[0], ",")
	return m, nil
}

func iprangeModule(_ packet.Family, o option) (match.Match, error) {
	m := match.AddressRange{}
	switch o.name {
	case "--src-range":
	case "--dst-range":
		m.Side = packet.Destination
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
		return nil, fmt.Errorf("%q is not a range of addresses", shorten(arg))
	}
	return m, nil
}

func markModule(_ packet.Family, o option) (match.Match, error) {
	if o.name != "--mark" {
		return nil, errUnknown
	}
	arg, err := o.arg()
	if err != nil {
		return nil, err
	}
	value, mask, err := numberAndMask(arg)
	return match.Mark{Value: value, Mask: mask}, err
}

func connmarkModule(family packet.Family, o option) (match.Match, error) {
	m, err := markModule(family, o)
	if mark, ok := m.(match.Mark); ok {
		mark.Connection = true
		m = mark
	}
	return m, err
}

func hopModule(_ packet.Family, o option) (match.Match, error) {
	arg, err := o.arg()
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(arg, 10, 8)
	if err != nil {
		return nil, fmt.Errorf("%q is not a hop limit", shorten(arg))
	}
	switch strings.TrimPrefix(strings.TrimPrefix(o.name, "--ttl-"), "--hl-") {
	case "eq":
		return match.HopLimit{Min: int(n), Max: int(n)}, nil
	case "lt":
		return match.HopLimit{Min: 0, Max: int(n) - 1}, nil
	case "gt":
		return match.HopLimit{Min: int(n) + 1, Max: 255}, nil
	}
	return nil, errUnknown
}

// rpfilterModule reads all options at once, because they depend on each other.
func rpfilterModule(all []option) match.Match {
	m, not := match.ReversePath{}, false
	for _, o := range all {
		switch o.name {
		case "--loose":
			m.AnyLink = true
		case "--invert":
			not = true
		case "--validmark": // routing rules that depend on marks are not evaluated anyway
		default:
			return match.Unknown{Text: "rpfilter " + o.name}
		}
	}
	return match.Invert(not, m)
}

// alwaysModule is for counters and comments.
func alwaysModule(packet.Family, option) (match.Match, error) { return match.Comment{}, nil }

func physdevModule(packet.Family, option) (match.Match, error) {
	return match.PhysDev{}, nil
}

func setModule(_ packet.Family, o option) (match.Match, error) {
	if o.name != "--match-set" || len(o.args) != 2 {
		return nil, errUnknown
	}
	m := match.InSet{Name: o.args[0]}
	for _, side := range strings.Split(o.args[1], ",") {
		switch side {
		case "src":
			m.Sides = append(m.Sides, packet.Source)
		case "dst":
			m.Sides = append(m.Sides, packet.Destination)
		default:
			return nil, fmt.Errorf("%q is neither src nor dst", shorten(side))
		}
	}
	return m, nil
}

func macModule(_ packet.Family, o option) (match.Match, error) {
	if o.name != "--mac-source" {
		return nil, errUnknown
	}
	arg, err := o.arg()
	if err != nil {
		return nil, err
	}
	return match.MAC{Addr: strings.ToLower(arg), Mask: match.WholeMAC}, nil
}
