package saved

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/match"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// frameRule reads the options of a rule of ebtables.
func frameRule(r *netfilter.Rule, all []option) error {
	for i, o := range all {
		if o.name == "-j" {
			return frameTarget(r, o, append(all[:i:i], all[i+1:]...))
		}
	}
	return frameMatches(r, all)
}

func frameTarget(r *netfilter.Rule, o option, rest []option) error {
	name, err := o.arg()
	if err != nil {
		return err
	}
	var matches []option
	after := "" // the verdict after a target that changes the frame
	for _, o := range rest {
		switch {
		case strings.HasSuffix(o.name, "-target") && len(o.args) == 1:
			after = o.args[0]
		case strings.HasPrefix(o.name, "--mark-set"), strings.HasPrefix(o.name, "--mark-or"), strings.HasPrefix(o.name, "--mark-and"), strings.HasPrefix(o.name, "--mark-xor"),
			strings.HasPrefix(o.name, "--to-"), strings.HasPrefix(o.name, "--set-mark"), o.name == "--arpreply-mac", o.name == "--snat-arp":
		default:
			matches = append(matches, o)
		}
	}
	t := &r.Target
	switch name {
	case "ACCEPT":
		t.Verdict = netfilter.Accept
	case "DROP":
		t.Verdict = netfilter.Drop
	case "RETURN":
		t.Verdict = netfilter.Return
	case "CONTINUE":
	case "mark":
		t.Change, t.Verdict = netfilter.SpoilMark{}, frameVerdict(after, netfilter.Accept)
	case "snat":
		t.Verdict = frameVerdict(after, netfilter.Accept)
	case "dnat", "redirect", "arpreply":
		t.Verdict, r.Note = netfilter.Unsure, "what "+name+" does with the frame cannot be evaluated"
	default:
		t.Call = name
	}
	return frameMatches(r, matches)
}

// frameVerdict returns the verdict of that name, or otherwise if there is none.
func frameVerdict(name string, otherwise netfilter.Verdict) netfilter.Verdict {
	for _, v := range []netfilter.Verdict{netfilter.Accept, netfilter.Drop, netfilter.Return, netfilter.Continue} {
		if v.String() == name {
			return v
		}
	}
	return otherwise
}

func frameMatches(r *netfilter.Rule, all []option) error {
	for _, o := range all {
		if strings.HasPrefix(o.name, "--log") || strings.HasPrefix(o.name, "--nflog") || strings.HasPrefix(o.name, "--ulog") {
			continue
		}
		m, err := frameMatch(o)
		if err == errUnknown {
			m, err = match.Unknown{Text: o.name}, nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
		r.Matches = append(r.Matches, match.Invert(o.not, m))
	}
	return nil
}

func frameMatch(o option) (match.Match, error) {
	arg, err := o.arg()
	if err != nil {
		return nil, errUnknown
	}
	side := packet.Source
	if strings.HasSuffix(o.name, "-dst") || strings.HasSuffix(o.name, "dport") || strings.HasSuffix(o.name, "-destination") || strings.HasSuffix(o.name, "destination-port") {
		side = packet.Destination
	}
	switch o.name {
	case "-p":
		return frameFamily(arg)
	case "-i", "-o":
		return match.Interface{Side: sideOf(o.name == "-o"), Name: arg}, nil
	case "--logical-in", "--logical-out":
		return match.BridgeName{Side: sideOf(o.name == "--logical-out"), Name: arg}, nil
	case "-s", "-d":
		return frameMAC(sideOf(o.name == "-d"), arg)
	case "--arp-op", "--arp-opcode":
		return arpOperation(arg)
	case "--arp-ip-src", "--arp-ip-dst":
		m, err := addressMatch(packet.IPv4, side, arg)
		return match.OfFamily{Family: packet.ARP, Match: orUnknown(m, err)}, err
	case "--ip-src", "--ip-source", "--ip-dst", "--ip-destination":
		m, err := addressMatch(packet.IPv4, side, arg)
		return match.OfFamily{Family: packet.IPv4, Match: orUnknown(m, err)}, err
	case "--ip6-src", "--ip6-source", "--ip6-dst", "--ip6-destination":
		m, err := addressMatch(packet.IPv6, side, arg)
		return match.OfFamily{Family: packet.IPv6, Match: orUnknown(m, err)}, err
	case "--ip-proto", "--ip-protocol":
		return match.OfFamily{Family: packet.IPv4, Match: match.Protocol{Number: protocolNumber(arg)}}, nil
	case "--ip6-proto", "--ip6-protocol":
		return match.OfFamily{Family: packet.IPv6, Match: match.Protocol{Number: protocolNumber(arg)}}, nil
	case "--ip-sport", "--ip-source-port", "--ip-dport", "--ip-destination-port":
		ranges, err := portRanges(arg)
		return match.OfFamily{Family: packet.IPv4, Match: match.Ports{Side: side, Ranges: ranges}}, err
	case "--ip6-sport", "--ip6-source-port", "--ip6-dport", "--ip6-destination-port":
		ranges, err := portRanges(arg)
		return match.OfFamily{Family: packet.IPv6, Match: match.Ports{Side: side, Ranges: ranges}}, err
	case "--mark":
		value, mask, err := numberAndMask(arg)
		return match.Mark{Value: value, Mask: mask}, err
	}
	return nil, errUnknown
}

// orUnknown returns m, or a match that is not nil if there was an error.
func orUnknown(m match.Match, err error) match.Match {
	if err != nil {
		return match.Unknown{}
	}
	return m
}

func sideOf(destination bool) packet.Side {
	if destination {
		return packet.Destination
	}
	return packet.Source
}

func frameFamily(name string) (match.Match, error) {
	f, ok := map[string]packet.Family{"ARP": packet.ARP, "IPV4": packet.IPv4, "IPV6": packet.IPv6, "0806": packet.ARP, "0800": packet.IPv4, "86DD": packet.IPv6}[strings.TrimPrefix(strings.ToUpper(name), "0X")]
	if !ok {
		if n, err := strconv.ParseUint(name, 0, 16); err == nil {
			f, ok = map[uint64]packet.Family{0x806: packet.ARP, 0x800: packet.IPv4, 0x86dd: packet.IPv6}[n]
		}
	}
	if !ok {
		return match.Never{}, nil // no packet.Packet is of another family
	}
	return match.FrameFamily{Family: f}, nil
}

func arpOperation(arg string) (match.Match, error) {
	switch strings.ToLower(arg) {
	case "request":
		return match.ARPOperation{Number: 1}, nil
	case "reply":
		return match.ARPOperation{Number: 2}, nil
	}
	n, err := strconv.ParseUint(arg, 0, 16)
	if err != nil {
		return match.Never{}, nil // Request_Reverse, for example
	}
	return match.ARPOperation{Number: int(n)}, nil
}

// frameMAC reads "02:42:ac:11:00:02", "01:00:00:00:00:00/01:00:00:00:00:00" and the names that
// ebtables(8) lists.
func frameMAC(side packet.Side, arg string) (match.Match, error) {
	if named, ok := map[string]string{
		"Unicast": "00:00:00:00:00:00/01:00:00:00:00:00", "Multicast": "01:00:00:00:00:00/01:00:00:00:00:00",
		"Broadcast": "ff:ff:ff:ff:ff:ff/ff:ff:ff:ff:ff:ff", "BGA": "01:80:c2:00:00:00/ff:ff:ff:ff:ff:ff",
	}[arg]; ok {
		arg = named
	}
	text, maskText, hasMask := strings.Cut(arg, "/")
	m := match.MAC{Side: side, Addr: strings.ToLower(text), Mask: match.WholeMAC}
	_, err := match.ParseMAC(text)
	if err == nil && hasMask {
		m.Mask, err = match.ParseMAC(maskText)
	}
	return m, err
}
