package netfilter

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// modules read the options of iptables' matches. What is not in the table, and every option that a
// reader does not know (errUnknown), may hold or not.
var modules = map[string]func(Family, option) (Match, error){
	"tcp": portModule, "udp": portModule, "multiport": portModule, "sctp": neverModule, "dccp": neverModule, "udplite": neverModule,
	"esp": neverModule, "ah": neverModule, "frag": neverModule, "rt": neverModule, "mh": neverModule,
	"icmp": icmpModule, "icmp6": icmpModule,
	"addrtype": addrtypeModule, "iprange": iprangeModule, "mark": markModule, "connmark": connmarkModule,
	"ttl": hopModule, "hl": hopModule, "comment": alwaysModule, "nfacct": alwaysModule, "physdev": physdevModule, "set": setModule, "mac": macModule,
}

// errUnknown is an option that the kernel alone can judge.
var errUnknown = fmt.Errorf("not known")

// moduleMatches are the conditions of one module.
func moduleMatches(family Family, module string, all []option) ([]Match, error) {
	switch module {
	case "conntrack", "state":
		m, err := conntrackModule(all)
		if err == errUnknown {
			return []Match{Unknown{module}}, nil
		}
		return []Match{m}, err
	case "addrtype":
		all = joinLimits(all)
	case "rpfilter":
		return []Match{rpfilterModule(all)}, nil
	}
	read := modules[module]
	if read == nil {
		return []Match{Unknown{module}}, nil
	}
	var matches []Match
	for _, o := range all {
		m, err := read(family, o)
		if err == errUnknown {
			m, err = Unknown{module + " " + o.name}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s of %s: %w", o.name, module, err)
		}
		matches = append(matches, Invert(o.not, m))
	}
	if len(all) == 0 && (module == "icmp" || module == "icmp6" || module == "comment" || module == "tcp" || module == "udp") {
		return nil, nil
	}
	if len(all) == 0 {
		return []Match{Unknown{module}}, nil
	}
	return matches, nil
}

func portModule(_ Family, o option) (Match, error) {
	switch o.name {
	case "--syn":
		return Flags{Mask: FIN | SYN | RST | ACK, Set: SYN}, nil
	case "--tcp-flags":
		if len(o.args) != 2 {
			return nil, fmt.Errorf("two lists of flags are needed, not %d", len(o.args))
		}
		mask, err := tcpFlags(o.args[0])
		if err != nil {
			return nil, err
		}
		set, err := tcpFlags(o.args[1])
		return Flags{Mask: mask, Set: set}, err
	}
	m := Ports{}
	switch o.name {
	case "--sport", "--source-port", "--sports", "--source-ports":
		m.Side = Source
	case "--dport", "--destination-port", "--dports", "--destination-ports":
		m.Side = Destination
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

func tcpFlags(s string) (TCPFlags, error) {
	var all TCPFlags
	for _, name := range strings.Split(s, ",") {
		f, ok := map[string]TCPFlags{"FIN": FIN, "SYN": SYN, "RST": RST, "PSH": PSH, "ACK": ACK, "URG": URG, "NONE": 0, "ALL": FIN | SYN | RST | PSH | ACK | URG}[name]
		if !ok {
			return 0, fmt.Errorf("%q is no TCP flag", shorten(name))
		}
		all |= f
	}
	return all, nil
}

// neverModule matches protocols and headers that no packet here has.
func neverModule(Family, option) (Match, error) { return matchFunc(never), nil }

func icmpModule(_ Family, o option) (Match, error) {
	if o.name != "--icmp-type" && o.name != "--icmpv6-type" {
		return nil, errUnknown
	}
	arg, err := o.arg()
	if err != nil {
		return nil, err
	}
	if arg == "any" {
		return ICMPType{Type: anyICMP}, nil
	}
	kind, code, hasCode := strings.Cut(arg, "/")
	n, err := strconv.ParseUint(kind, 10, 8)
	if err != nil {
		return nil, errUnknown // a name; the savers print numbers
	}
	m := ICMPType{Type: int(n), MaxCode: 255}
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

func addrtypeModule(_ Family, o option) (Match, error) {
	m := AddressType{}
	switch {
	case len(o.args) == 2:
		m.Link = true
	case len(o.args) != 1:
		return nil, fmt.Errorf("one list of types is needed")
	}
	switch o.name {
	case "--src-type":
	case "--dst-type":
		m.Side = Destination
	default:
		return nil, errUnknown
	}
	m.Types = strings.Split(o.args[0], ",")
	return m, nil
}

func iprangeModule(_ Family, o option) (Match, error) {
	m := AddressRange{}
	switch o.name {
	case "--src-range":
	case "--dst-range":
		m.Side = Destination
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

func markModule(_ Family, o option) (Match, error) {
	if o.name != "--mark" {
		return nil, errUnknown
	}
	arg, err := o.arg()
	if err != nil {
		return nil, err
	}
	value, mask, err := numberAndMask(arg)
	return Mark{Value: value, Mask: mask}, err
}

func connmarkModule(family Family, o option) (Match, error) {
	m, err := markModule(family, o)
	if mark, ok := m.(Mark); ok {
		mark.Connection = true
		m = mark
	}
	return m, err
}

func hopModule(_ Family, o option) (Match, error) {
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
		return HopLimit{int(n), int(n)}, nil
	case "lt":
		return HopLimit{0, int(n) - 1}, nil
	case "gt":
		return HopLimit{int(n) + 1, 255}, nil
	}
	return nil, errUnknown
}

// rpfilterModule has options that change what the others mean.
func rpfilterModule(all []option) Match {
	m, not := ReversePath{}, false
	for _, o := range all {
		switch o.name {
		case "--loose":
			m.AnyLink = true
		case "--invert":
			not = true
		case "--validmark": // rules for routes that depend on marks are not followed anyway
		default:
			return Unknown{"rpfilter " + o.name}
		}
	}
	return Invert(not, m)
}

// alwaysModule counts or explains.
func alwaysModule(Family, option) (Match, error) { return Comment{}, nil }

// Comment is text for people: it holds for every packet.
type Comment struct{}

// Holds implements Match.
func (Comment) Holds(*Packet, *Env) Truth { return Yes }

func physdevModule(_ Family, o option) (Match, error) { return PhysDev{}, nil }

func setModule(_ Family, o option) (Match, error) {
	if o.name != "--match-set" || len(o.args) != 2 {
		return nil, errUnknown
	}
	m := InSet{Name: o.args[0]}
	for _, side := range strings.Split(o.args[1], ",") {
		switch side {
		case "src":
			m.Sides = append(m.Sides, Source)
		case "dst":
			m.Sides = append(m.Sides, Destination)
		default:
			return nil, fmt.Errorf("%q is neither src nor dst", shorten(side))
		}
	}
	return m, nil
}

func macModule(_ Family, o option) (Match, error) {
	if o.name != "--mac-source" {
		return nil, errUnknown
	}
	arg, err := o.arg()
	if err != nil {
		return nil, err
	}
	return MAC{Addr: strings.ToLower(arg), Mask: wholeMAC}, nil
}
