package nft

import (
	"encoding/json"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/match"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// bits is an expression of bits: (base & and) ^ xor.
type bits struct {
	base     string // "meta mark", "ct mark", "tcp flags"; "" for a constant
	and, xor uint32
}

var tcpFlags = map[string]packet.TCPFlags{
	"fin": packet.FIN, "syn": packet.SYN, "rst": packet.RST, "psh": packet.PSH, "ack": packet.ACK, "urg": packet.URG,
}

// bitsOf reads such an expression: a mark, TCP flags or a constant, and operators on them.
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

// combined applies a binary operator whose right side is a constant.
func combined(sides []json.RawMessage, with func(bits, uint32) bits) (bits, bool) {
	left, ok1 := bitsOf(sides[0])
	right, ok2 := bitsOf(sides[1])
	return with(left, right.xor), ok1 && ok2 && right.base == ""
}

// bitMatch reads a comparison of a mark or of TCP flags with a constant; nil if it is neither.
func bitMatch(op string, left, right json.RawMessage) match.Match {
	l, ok1 := bitsOf(left)
	r, ok2 := bitsOf(right)
	if !ok1 || !ok2 || l.base == "" || r.base != "" || l.xor != 0 || !slices.Contains([]string{"==", "!=", "in"}, op) {
		return nil
	}
	mask, value := l.and, r.xor
	any := op == "in" // one of the bits must be set
	var m match.Match
	switch {
	case l.base == "tcp flags" && any:
		return match.AllOf{match.Protocol{Number: packet.TCP}, match.Invert(true, match.Flags{Mask: packet.TCPFlags(mask & value)})}
	case l.base == "tcp flags":
		m = match.Flags{Mask: packet.TCPFlags(mask), Set: packet.TCPFlags(value)}
	case any:
		return nil
	default:
		m = match.Mark{Connection: l.base == "ct mark", Value: value, Mask: mask}
	}
	if op == "!=" {
		m = match.Invert(true, m)
	}
	if l.base == "tcp flags" {
		return match.AllOf{match.Protocol{Number: packet.TCP}, m}
	}
	return m
}

// mangle reads a change of a mark. It returns nil for other changes, because no match depends on them.
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
