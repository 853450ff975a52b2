package nft

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/match"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// expression reads the left side of a comparison, and returns its text.
func (s statements) expression(raw json.RawMessage) (field, string, bool) {
	var e struct {
		Meta    *struct{ Key string }
		Payload *struct{ Protocol, Field string }
		CT      *struct{ Key, Dir, Family string }
		FIB     *struct {
			Result string
			Flags  json.RawMessage
		}
		ExtHdr *struct{ Name string } `json:"exthdr"`
		Concat []json.RawMessage
	}
	if json.Unmarshal(raw, &e) != nil {
		return nil, compact(raw), false
	}
	switch {
	case e.Meta != nil:
		f, ok := metaFields[e.Meta.Key]
		return f, "meta " + e.Meta.Key, ok
	case e.Payload != nil:
		f, ok := payloadFields[e.Payload.Protocol+" "+e.Payload.Field]
		return f, e.Payload.Protocol + " " + e.Payload.Field, ok
	case e.CT != nil:
		name := strings.TrimSpace(e.CT.Dir + " " + strings.TrimSpace(e.CT.Family+" "+e.CT.Key))
		f, ok := ctFields[strings.TrimSpace(e.CT.Dir+" "+e.CT.Key)]
		return f, "ct " + name, ok
	case e.FIB != nil:
		f, ok := fibField(e.FIB.Result, compact(e.FIB.Flags))
		return f, "fib " + compact(e.FIB.Flags) + " " + e.FIB.Result, ok
	case e.ExtHdr != nil: // a packet.Packet has no extension headers
		return func(*packet.Packet, *packet.Env) (value, bool, bool) { return absent() }, "exthdr " + e.ExtHdr.Name, true
	case e.Concat != nil:
		return s.concat(e.Concat)
	}
	return nil, compact(raw), false
}

// compact returns JSON without quotes and with parentheses, for rules' texts.
func compact(raw json.RawMessage) string {
	return strings.NewReplacer(`"`, "", "{", "(", "}", ")").Replace(string(raw))
}

func (s statements) concat(parts []json.RawMessage) (field, string, bool) {
	var fields []field
	var texts []string
	for _, p := range parts {
		f, text, ok := s.expression(p)
		if !ok {
			return nil, text, false
		}
		fields, texts = append(fields, f), append(texts, text)
	}
	return func(p *packet.Packet, e *packet.Env) (v value, ok, unknown bool) {
		for _, f := range fields {
			one, has, maybe := f(p, e)
			if maybe {
				return value{}, false, true
			}
			if !has {
				return value{}, false, false
			}
			v.list = append(v.list, one)
		}
		return v, true, false
	}, strings.Join(texts, " . "), true
}

// What a field returns.
func has(v value) (value, bool, bool)     { return v, true, false }
func absent() (value, bool, bool)         { return value{}, false, false }
func unknown() (value, bool, bool)        { return value{}, false, true }
func name(s string) (value, bool, bool)   { return has(value{text: s}) }
func number(n uint64) (value, bool, bool) { return has(value{number: n}) }

var protocols = map[int]string{packet.TCP: "tcp", packet.UDP: "udp", packet.ICMP: "icmp", packet.ICMPv6: "ipv6-icmp"}

func protocol(p *packet.Packet, _ *packet.Env) (value, bool, bool) {
	if p.Family == packet.ARP {
		return absent()
	}
	v := value{text: protocols[p.Proto], number: uint64(p.Proto)}
	if p.Proto == packet.ICMPv6 {
		v.list = []value{{text: "icmpv6"}}
	}
	return has(v)
}

func mark(b packet.Bits) (value, bool, bool) {
	if b.Known != ^uint32(0) {
		return unknown()
	}
	return number(uint64(b.Value))
}

var metaFields = map[string]field{
	// Without an interface the kernel compares with an empty name (net/netfilter/nft_meta.c).
	"iifname": func(p *packet.Packet, _ *packet.Env) (value, bool, bool) { return name(p.In) },
	"oifname": func(p *packet.Packet, _ *packet.Env) (value, bool, bool) { return name(p.Out) },
	"iif":     func(p *packet.Packet, _ *packet.Env) (value, bool, bool) { return name(p.In) },
	"oif":     func(p *packet.Packet, _ *packet.Env) (value, bool, bool) { return name(p.Out) },
	"ibrname": func(p *packet.Packet, _ *packet.Env) (value, bool, bool) { return bridgeName(p.Bridge) },
	"obrname": func(p *packet.Packet, _ *packet.Env) (value, bool, bool) { return bridgeName(p.Bridge) },
	"l4proto": protocol,
	"mark":    func(p *packet.Packet, _ *packet.Env) (value, bool, bool) { return mark(p.Mark) },
	"nfproto": func(p *packet.Packet, _ *packet.Env) (value, bool, bool) {
		return name(map[packet.Family]string{packet.IPv4: "ipv4", packet.IPv6: "ipv6"}[p.Family])
	},
	"protocol": func(p *packet.Packet, _ *packet.Env) (value, bool, bool) { return name(string(p.Family)) },
}

func bridgeName(n string) (value, bool, bool) {
	if n == "" {
		return absent()
	}
	return name(n)
}

// ofFamily is a field that only packets of one family have.
func ofFamily(f packet.Family, get field) field {
	return func(p *packet.Packet, e *packet.Env) (value, bool, bool) {
		if p.Family != f {
			return absent()
		}
		return get(p, e)
	}
}

func source(p *packet.Packet, _ *packet.Env) (value, bool, bool) {
	return has(value{addr: p.Src})
}
func destination(p *packet.Packet, _ *packet.Env) (value, bool, bool) {
	return has(value{addr: p.Dst})
}

// fixed is a field that has the same value in all packets of a family.
func fixed(f packet.Family, n uint64) field {
	return ofFamily(f, func(*packet.Packet, *packet.Env) (value, bool, bool) { return number(n) })
}

func sourceMAC(p *packet.Packet, _ *packet.Env) (value, bool, bool) { return mac(p.SrcMAC) }
func destinationMAC(p *packet.Packet, _ *packet.Env) (value, bool, bool) {
	return mac(p.DstMAC)
}

func mac(address string) (value, bool, bool) {
	if address == "" {
		return unknown()
	}
	return name(address)
}

func port(proto int, destination bool) field {
	return func(p *packet.Packet, _ *packet.Env) (value, bool, bool) {
		if !p.HasPorts() || proto != 0 && p.Proto != proto {
			return absent()
		}
		if destination {
			return number(uint64(p.DstPort))
		}
		return number(uint64(p.SrcPort))
	}
}

func hops(p *packet.Packet, _ *packet.Env) (value, bool, bool) {
	if p.TTL == 0 {
		return unknown()
	}
	return number(uint64(p.TTL))
}

// icmpNames are nft's names of the types that a packet.Packet can have.
var icmpNames = map[int]string{135: "nd-neighbor-solicit", 136: "nd-neighbor-advert", 8: "echo-request", 0: "echo-reply"}

func icmp(proto, at int) field {
	return func(p *packet.Packet, _ *packet.Env) (value, bool, bool) {
		if p.Proto != proto {
			return absent()
		}
		v := value{number: uint64(p.ICMP[at])}
		if at == 0 {
			v.text = icmpNames[p.ICMP[0]]
		}
		return has(v)
	}
}

var payloadFields = map[string]field{
	"ip saddr": ofFamily(packet.IPv4, source), "ip daddr": ofFamily(packet.IPv4, destination),
	"ip6 saddr": ofFamily(packet.IPv6, source), "ip6 daddr": ofFamily(packet.IPv6, destination),
	"ip protocol": ofFamily(packet.IPv4, protocol), "ip6 nexthdr": ofFamily(packet.IPv6, protocol),
	"arp saddr ip": ofFamily(packet.ARP, source), "arp daddr ip": ofFamily(packet.ARP, destination),
	"arp htype": fixed(packet.ARP, 1), "arp ptype": fixed(packet.ARP, 0x800), "arp hlen": fixed(packet.ARP, 6), "arp plen": fixed(packet.ARP, 4),
	"arp saddr ether": ofFamily(packet.ARP, sourceMAC), "ether saddr": sourceMAC, "ether daddr": destinationMAC,
	"tcp sport": port(packet.TCP, false), "tcp dport": port(packet.TCP, true),
	"udp sport": port(packet.UDP, false), "udp dport": port(packet.UDP, true),
	"th sport": port(0, false), "th dport": port(0, true),
	"ether type": func(p *packet.Packet, _ *packet.Env) (value, bool, bool) { return name(string(p.Family)) },
	"ip ttl":     ofFamily(packet.IPv4, hops), "ip6 hoplimit": ofFamily(packet.IPv6, hops),
	"icmp type": icmp(packet.ICMP, 0), "icmp code": icmp(packet.ICMP, 1), "icmpv6 type": icmp(packet.ICMPv6, 0), "icmpv6 code": icmp(packet.ICMPv6, 1),
	"ip frag-off": ofFamily(packet.IPv4, func(*packet.Packet, *packet.Env) (value, bool, bool) { return number(0) }),
	"arp operation": ofFamily(packet.ARP, func(p *packet.Packet, _ *packet.Env) (value, bool, bool) {
		return has(value{text: map[int]string{1: "request", 2: "reply"}[p.ARPOp], number: uint64(p.ARPOp)})
	}),
}

// tracked is a field that only packets with a connection have.
func tracked(get func(c *packet.Conn) (value, bool, bool)) field {
	return func(p *packet.Packet, _ *packet.Env) (value, bool, bool) {
		switch p.Conn.State {
		case "":
			return unknown()
		case packet.Invalid, packet.Untracked:
			return absent()
		}
		return get(&p.Conn)
	}
}

var ctFields = map[string]field{
	"state": func(p *packet.Packet, _ *packet.Env) (value, bool, bool) {
		if p.Conn.State == "" {
			return unknown()
		}
		return name(strings.ToLower(string(p.Conn.State)))
	},
	"status": tracked(func(c *packet.Conn) (value, bool, bool) {
		v := value{text: "none"}
		for text, is := range map[string]bool{"dnat": c.DNAT, "snat": c.SNAT, "seen-reply": c.State != packet.New, "confirmed": c.State != packet.New} {
			if is {
				v.list = append(v.list, value{text: text})
			}
		}
		return has(v)
	}),
	"direction": tracked(func(c *packet.Conn) (value, bool, bool) {
		if c.Reply {
			return has(value{text: "reply", number: 1})
		}
		return has(value{text: "original"})
	}),
	"mark":               tracked(func(c *packet.Conn) (value, bool, bool) { return mark(c.Mark) }),
	"original proto-dst": tracked(func(c *packet.Conn) (value, bool, bool) { return number(uint64(c.Orig.Dst.Port())) }),
	"original proto-src": tracked(func(c *packet.Conn) (value, bool, bool) { return number(uint64(c.Orig.Src.Port())) }),
	// Without a family ("ip") they are not read: nft 1.0.6 prints wrong networks then.
	"original ip daddr": tracked(func(c *packet.Conn) (value, bool, bool) { return has(value{addr: c.Orig.Dst.Addr()}) }),
	"original ip saddr": tracked(func(c *packet.Conn) (value, bool, bool) { return has(value{addr: c.Orig.Src.Addr()}) }),
}

// reversePath reads the comparison "fib saddr . iif oif exists" or "missing"; nil if it is another.
func reversePath(op string, left, right json.RawMessage) match.Match {
	var e struct {
		FIB *struct {
			Result string
			Flags  []string
		}
	}
	var exists bool
	if op != "==" && op != "!=" || json.Unmarshal(left, &e) != nil || e.FIB == nil || json.Unmarshal(right, &exists) != nil {
		return nil
	}
	if !slices.Contains(e.FIB.Flags, "saddr") || slices.Contains(e.FIB.Flags, "oif") || e.FIB.Result != "oif" && e.FIB.Result != "oifname" {
		return nil
	}
	return match.Invert(exists == (op == "!="), match.ReversePath{AnyLink: !slices.Contains(e.FIB.Flags, "iif")})
}

// fibField is "fib daddr type" and the like: the type of an address in the routing table.
func fibField(result, flags string) (field, bool) {
	destination := strings.Contains(flags, "daddr")
	if result != "type" || strings.Contains(flags, "mark") {
		return nil, false
	}
	return func(p *packet.Packet, e *packet.Env) (value, bool, bool) {
		link, a := "", p.Src
		switch {
		case strings.Contains(flags, "iif"):
			link = p.In
		case strings.Contains(flags, "oif"):
			link = p.Out
		}
		if destination {
			a = p.Dst
		}
		return name(strings.ToLower(e.AddrType(a, link)))
	}, true
}
