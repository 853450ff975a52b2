package netfilter

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// MAC matches bits of a hardware address.
type MAC struct {
	Side Side
	Addr string // "02:42:ac:11:00:02"
	Mask [6]byte
}

var wholeMAC = [6]byte{255, 255, 255, 255, 255, 255}

// Holds implements Match.
func (m MAC) Holds(p *Packet, _ *Env) Truth {
	text := p.SrcMAC
	if m.Side == Destination {
		text = p.DstMAC
	}
	a, err := parseMAC(text)
	if err != nil {
		return Maybe
	}
	b, err := parseMAC(m.Addr)
	if err != nil {
		return Maybe
	}
	for i := range a {
		if a[i]&m.Mask[i] != b[i]&m.Mask[i] {
			return No
		}
	}
	return Yes
}

func parseMAC(s string) (a [6]byte, err error) {
	parts := strings.Split(s, ":")
	if len(parts) != len(a) {
		return a, fmt.Errorf("%q is no hardware address", shorten(s))
	}
	for i, p := range parts {
		if len(p) == 1 {
			p = "0" + p
		}
		b, err := hex.DecodeString(p)
		if err != nil || len(b) != 1 {
			return a, fmt.Errorf("%q is no hardware address", shorten(s))
		}
		a[i] = b[0]
	}
	return a, nil
}

// FrameFamily matches what a frame carries.
type FrameFamily struct{ Family Family }

// Holds implements Match.
func (m FrameFamily) Holds(p *Packet, _ *Env) Truth { return Sure(p.Family == m.Family) }

// BridgeName matches the bridge of a frame that comes in (Source) or goes out.
type BridgeName struct {
	Side Side
	Name string
}

// Holds implements Match.
func (m BridgeName) Holds(p *Packet, _ *Env) Truth {
	if m.Side.link(p) == "" {
		return No
	}
	return nameMatches(m.Name, p.Bridge)
}

// ARPOperation matches a request (1) or a reply (2).
type ARPOperation struct{ Number int }

// Holds implements Match.
func (m ARPOperation) Holds(p *Packet, _ *Env) Truth {
	return Sure(p.Family == ARP && p.ARPOp == m.Number)
}

// of limits a condition to frames of one family.
func of(f Family, m Match) Match {
	return matchFunc(func(p *Packet, e *Env) Truth {
		if p.Family != f {
			return No
		}
		return m.Holds(p, e)
	})
}

// frameRule reads the rules of ebtables.
func frameRule(r *Rule, all []option) error {
	for i, o := range all {
		if o.name == "-j" {
			return frameTarget(r, o, append(all[:i:i], all[i+1:]...))
		}
	}
	return frameMatches(r, all)
}

func frameTarget(r *Rule, o option, rest []option) error {
	name, err := o.arg()
	if err != nil {
		return err
	}
	var matches []option
	after := "" // the verdict behind a target that does something first
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
		t.Verdict = Accept
	case "DROP":
		t.Verdict = Drop
	case "RETURN":
		t.Verdict = Return
	case "CONTINUE":
	case "mark":
		t.Change, t.Verdict = SpoilMark{}, frameVerdict(after, Accept)
	case "snat":
		t.Verdict = frameVerdict(after, Accept)
	case "dnat", "redirect", "arpreply":
		t.Verdict, r.Note = Unsure, "what "+name+" does with the frame is not followed"
	default:
		t.Call = name
	}
	return frameMatches(r, matches)
}

func frameVerdict(name string, without Verdict) Verdict {
	for _, v := range []Verdict{Accept, Drop, Return, Continue} {
		if v.String() == name {
			return v
		}
	}
	return without
}

func frameMatches(r *Rule, all []option) error {
	for _, o := range all {
		if strings.HasPrefix(o.name, "--log") || strings.HasPrefix(o.name, "--nflog") || strings.HasPrefix(o.name, "--ulog") {
			continue
		}
		m, err := frameMatch(o)
		if err == errUnknown {
			m, err = Unknown{o.name}, nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
		r.Matches = append(r.Matches, Invert(o.not, m))
	}
	return nil
}

func frameMatch(o option) (Match, error) {
	arg, err := o.arg()
	if err != nil {
		return nil, errUnknown
	}
	side := Source
	if strings.HasSuffix(o.name, "-dst") || strings.HasSuffix(o.name, "dport") || strings.HasSuffix(o.name, "-destination") || strings.HasSuffix(o.name, "destination-port") {
		side = Destination
	}
	switch o.name {
	case "-p":
		return frameFamily(arg)
	case "-i", "-o":
		return Interface{Side: sideOf(o.name == "-o"), Name: arg}, nil
	case "--logical-in", "--logical-out":
		return BridgeName{Side: sideOf(o.name == "--logical-out"), Name: arg}, nil
	case "-s", "-d":
		return frameMAC(sideOf(o.name == "-d"), arg)
	case "--arp-op", "--arp-opcode":
		return arpOperation(arg)
	case "--arp-ip-src", "--arp-ip-dst":
		m, err := addressMatch(IPv4, side, arg)
		return of(ARP, orUnknown(m, err)), err
	case "--ip-src", "--ip-source", "--ip-dst", "--ip-destination":
		m, err := addressMatch(IPv4, side, arg)
		return of(IPv4, orUnknown(m, err)), err
	case "--ip6-src", "--ip6-source", "--ip6-dst", "--ip6-destination":
		m, err := addressMatch(IPv6, side, arg)
		return of(IPv6, orUnknown(m, err)), err
	case "--ip-proto", "--ip-protocol":
		return of(IPv4, Protocol{protocolNumber(arg)}), nil
	case "--ip6-proto", "--ip6-protocol":
		return of(IPv6, Protocol{protocolNumber(arg)}), nil
	case "--ip-sport", "--ip-source-port", "--ip-dport", "--ip-destination-port":
		ranges, err := portRanges(arg)
		return of(IPv4, Ports{Side: side, Ranges: ranges}), err
	case "--ip6-sport", "--ip6-source-port", "--ip6-dport", "--ip6-destination-port":
		ranges, err := portRanges(arg)
		return of(IPv6, Ports{Side: side, Ranges: ranges}), err
	case "--mark":
		value, mask, err := numberAndMask(arg)
		return Mark{Value: value, Mask: mask}, err
	}
	return nil, errUnknown
}

// orUnknown is m, also where it could not be read.
func orUnknown(m Match, err error) Match {
	if err != nil {
		return Unknown{}
	}
	return m
}

func sideOf(destination bool) Side {
	if destination {
		return Destination
	}
	return Source
}

func frameFamily(name string) (Match, error) {
	f, ok := map[string]Family{"ARP": ARP, "IPV4": IPv4, "IPV6": IPv6, "0806": ARP, "0800": IPv4, "86DD": IPv6}[strings.TrimPrefix(strings.ToUpper(name), "0X")]
	if !ok {
		if n, err := strconv.ParseUint(name, 0, 16); err == nil {
			f, ok = map[uint64]Family{0x806: ARP, 0x800: IPv4, 0x86dd: IPv6}[n]
		}
	}
	if !ok {
		return matchFunc(never), nil // no frame here is of another family
	}
	return FrameFamily{f}, nil
}

func arpOperation(arg string) (Match, error) {
	switch strings.ToLower(arg) {
	case "request":
		return ARPOperation{1}, nil
	case "reply":
		return ARPOperation{2}, nil
	}
	n, err := strconv.ParseUint(arg, 0, 16)
	if err != nil {
		return matchFunc(never), nil // Request_Reverse and the like
	}
	return ARPOperation{int(n)}, nil
}

// frameMAC reads "02:42:ac:11:00:02", "01:00:00:00:00:00/01:00:00:00:00:00" and the names
// of ebtables(8).
func frameMAC(side Side, arg string) (Match, error) {
	if named, ok := map[string]string{
		"Unicast": "00:00:00:00:00:00/01:00:00:00:00:00", "Multicast": "01:00:00:00:00:00/01:00:00:00:00:00",
		"Broadcast": "ff:ff:ff:ff:ff:ff/ff:ff:ff:ff:ff:ff", "BGA": "01:80:c2:00:00:00/ff:ff:ff:ff:ff:ff",
	}[arg]; ok {
		arg = named
	}
	text, maskText, hasMask := strings.Cut(arg, "/")
	m := MAC{Side: side, Addr: strings.ToLower(text), Mask: wholeMAC}
	_, err := parseMAC(text)
	if err == nil && hasMask {
		m.Mask, err = parseMAC(maskText)
	}
	return m, err
}
