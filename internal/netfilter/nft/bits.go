package nft

import (
	"encoding/json"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

// bits is a number that is computed from a mark or from TCP's flags: (base & and) ^ xor.
type bits struct {
	base     string // "meta mark", "ct mark", "tcp flags"; "" for a constant
	and, xor uint32
}

var tcpFlags = map[string]netfilter.TCPFlags{
	"fin": netfilter.FIN, "syn": netfilter.SYN, "rst": netfilter.RST, "psh": netfilter.PSH, "ack": netfilter.ACK, "urg": netfilter.URG,
}

// bitsOf reads such an expression: a number, flags by their names, and operators on them.
func bitsOf(raw json.RawMessage) (bits, bool) {
	var n uint32
	if json.Unmarshal(raw, &n) == nil {
		return bits{xor: n}, true
	}
	var names []string
	var one string
	if json.Unmarshal(raw, &one) == nil {
		names = []string{one}
	}
	if names != nil || json.Unmarshal(raw, &names) == nil {
		for _, name := range names {
			f, ok := tcpFlags[name]
			if !ok {
				return bits{}, false
			}
			n |= uint32(f)
		}
		return bits{xor: n}, true
	}
	var o struct {
		Meta, CT *struct{ Key string }
		Payload  *struct{ Protocol, Field string }
		And      []json.RawMessage `json:"&"`
		Or       []json.RawMessage `json:"|"`
		Xor      []json.RawMessage `json:"^"`
	}
	if json.Unmarshal(raw, &o) != nil {
		return bits{}, false
	}
	all := ^uint32(0)
	switch {
	case o.Meta != nil && o.Meta.Key == "mark":
		return bits{"meta mark", all, 0}, true
	case o.CT != nil && o.CT.Key == "mark":
		return bits{"ct mark", all, 0}, true
	case o.Payload != nil && o.Payload.Protocol == "tcp" && o.Payload.Field == "flags":
		return bits{"tcp flags", all, 0}, true
	case len(o.And) == 2:
		return combined(o.And, func(b bits, n uint32) bits { return bits{b.base, b.and & n, b.xor & n} })
	case len(o.Or) == 2:
		return combined(o.Or, func(b bits, n uint32) bits { return bits{b.base, b.and &^ n, b.xor | n} })
	case len(o.Xor) == 2:
		return combined(o.Xor, func(b bits, n uint32) bits { return bits{b.base, b.and, b.xor ^ n} })
	}
	return bits{}, false
}

func combined(sides []json.RawMessage, with func(bits, uint32) bits) (bits, bool) {
	left, ok1 := bitsOf(sides[0])
	right, ok2 := bitsOf(sides[1])
	return with(left, right.xor), ok1 && ok2 && right.base == ""
}

// bitMatch is a comparison of a mark or of TCP's flags; nil for all others.
func bitMatch(op string, left, right json.RawMessage) netfilter.Match {
	l, ok1 := bitsOf(left)
	r, ok2 := bitsOf(right)
	if !ok1 || !ok2 || l.base == "" || r.base != "" || l.xor != 0 || !slices.Contains([]string{"==", "!=", "in"}, op) {
		return nil
	}
	mask, value := l.and, r.xor
	any := op == "in" // one of the bits
	var m netfilter.Match
	switch {
	case l.base == "tcp flags" && any:
		return netfilter.AllOf{netfilter.Protocol{Number: netfilter.TCP}, netfilter.Invert(true, netfilter.Flags{Mask: netfilter.TCPFlags(mask & value)})}
	case l.base == "tcp flags":
		m = netfilter.Flags{Mask: netfilter.TCPFlags(mask), Set: netfilter.TCPFlags(value)}
	case any:
		return nil
	default:
		m = netfilter.Mark{Connection: l.base == "ct mark", Value: value, Mask: mask}
	}
	if op == "!=" {
		m = netfilter.Invert(true, m)
	}
	if l.base == "tcp flags" {
		return netfilter.AllOf{netfilter.Protocol{Number: netfilter.TCP}, m}
	}
	return m
}

// mangle reads only changes of marks; others decide nothing here.
func mangle(raw json.RawMessage) netfilter.Change {
	var m struct{ Key, Value json.RawMessage }
	_ = json.Unmarshal(raw, &m)
	to, ok := bitsOf(m.Key)
	if !ok || to.base != "meta mark" && to.base != "ct mark" {
		return nil
	}
	v, ok := bitsOf(m.Value)
	connection := to.base == "ct mark"
	switch {
	case !ok || v.base == "tcp flags":
	case v.base == "":
		return netfilter.SetMark{Connection: connection, Value: v.xor, Mask: ^uint32(0)}
	case v.base == to.base:
		return netfilter.SetMark{Connection: connection, Value: v.xor, Mask: ^v.and}
	case v.xor == 0:
		return netfilter.CopyMark{Save: connection, From: v.and, Set: ^uint32(0)}
	}
	return netfilter.SpoilMark{}
}
