package nft

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/match"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// elements returns the elements of an anonymous set, or of a named set ("@NAME").
func (s statements) elements(raw json.RawMessage) ([]json.RawMessage, bool) {
	var inline struct{ Set json.RawMessage }
	if json.Unmarshal(raw, &inline) == nil && inline.Set != nil {
		var many []json.RawMessage
		if json.Unmarshal(inline.Set, &many) == nil {
			return many, true
		}
		return []json.RawMessage{inline.Set}, true
	}
	var name string
	if json.Unmarshal(raw, &name) != nil || !strings.HasPrefix(name, "@") {
		return nil, false
	}
	named := s.sets[s.family+" "+s.table+" "+name[1:]]
	if named == nil {
		return nil, false
	}
	return named.Elem, true
}

// field gets the left side of a comparison from a packet. ok is false if the packet does not have
// it; unknown is true if that, or the value, is not known.
type field func(p *packet.Packet, e *packet.Env) (v value, ok, unknown bool)

// value is the value of a field: text, number or address.
type value struct {
	text   string
	number uint64
	addr   netip.Addr
	list   []value // the parts of a concatenation, or further names of the same value
}

// match reads a comparison, and returns its text.
func (s statements) match(raw json.RawMessage) (match.Match, string) {
	var m struct {
		Op          string
		Left, Right json.RawMessage
	}
	_ = json.Unmarshal(raw, &m)
	if bits := bitMatch(m.Op, m.Left, m.Right); bits != nil {
		return bits, compact(m.Left) + " " + m.Op + " " + compact(m.Right)
	}
	if back := reversePath(m.Op, m.Left, m.Right); back != nil {
		return back, compact(m.Left) + " " + m.Op + " " + compact(m.Right)
	}
	f, text, ok := s.expression(m.Left)
	op := m.Op
	if op == "==" || op == "in" {
		op = ""
	} else {
		op = " " + op
	}
	text += op + " " + compact(m.Right)
	if !ok {
		return match.Unknown{Text: text}, text
	}
	switch m.Op {
	case "==", "in", "":
		return s.is(f, m.Right), text
	case "!=":
		return differs{f, s.is(f, m.Right)}, text
	case "<", ">", "<=", ">=":
		var n uint64
		if json.Unmarshal(m.Right, &n) != nil {
			return match.Unknown{Text: text}, text
		}
		return compares{f, m.Op, n}, text
	}
	return match.Unknown{Text: text}, text
}

// differs is "!=". Like "==" it does not match packets without the field.
type differs struct {
	field field
	same  match.Match
}

func (d differs) Holds(p *packet.Packet, e *packet.Env) packet.Truth {
	if _, ok, unknown := d.field(p, e); !ok && !unknown {
		return packet.No
	}
	return d.same.Holds(p, e).Not()
}

// compares is "<", ">", "<=" or ">=".
type compares struct {
	field field
	op    string
	n     uint64
}

func (c compares) Holds(p *packet.Packet, e *packet.Env) packet.Truth {
	v, ok, unknown := c.field(p, e)
	switch {
	case unknown:
		return packet.Maybe
	case !ok:
		return packet.No
	}
	return packet.Sure(map[string]bool{"<": v.number < c.n, ">": v.number > c.n, "<=": v.number <= c.n, ">=": v.number >= c.n}[c.op])
}

// is reads the right side of "==": a value, a prefix, a range, a list or a set.
func (s statements) is(f field, right json.RawMessage) match.Match {
	test, ok := s.test(right)
	if !ok {
		return match.Unknown{Text: compact(right)}
	}
	return equals{f, test}
}

type equals struct {
	field field
	test  func(value) bool
}

func (m equals) Holds(p *packet.Packet, e *packet.Env) packet.Truth {
	v, ok, unknown := m.field(p, e)
	switch {
	case unknown:
		return packet.Maybe
	case !ok:
		return packet.No
	}
	return packet.Sure(m.test(v))
}

// test reads the right side of a comparison as a function that tests a value; false if it cannot be read.
func (s statements) test(raw json.RawMessage) (func(value) bool, bool) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		if strings.HasPrefix(text, "@") {
			elements, ok := s.elements(raw)
			if !ok {
				return nil, false
			}
			return s.anyOf(elements)
		}
		return plainTest(text), true
	}
	var n uint64
	if json.Unmarshal(raw, &n) == nil {
		return func(v value) bool { return v.number == n }, true
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil {
		return s.anyOf(list)
	}
	var o struct {
		Prefix *struct {
			Addr string
			Len  int
		}
		Range  []json.RawMessage
		Set    json.RawMessage
		Concat []json.RawMessage
		Elem   *struct{ Val json.RawMessage }
	}
	if json.Unmarshal(raw, &o) != nil {
		return nil, false
	}
	switch {
	case o.Prefix != nil:
		p, err := netip.ParsePrefix(fmt.Sprintf("%s/%d", o.Prefix.Addr, o.Prefix.Len))
		return func(v value) bool { return p.Masked().Contains(v.addr) }, err == nil
	case len(o.Range) == 2:
		return rangeTest(o.Range)
	case o.Set != nil:
		elements, _ := s.elements(raw)
		return s.anyOf(elements)
	case o.Elem != nil:
		return s.test(o.Elem.Val)
	case o.Concat != nil:
		return s.concatTest(o.Concat)
	}
	return nil, false
}

// plainTest compares with a word: an address, a number, or a name, which may end in "*".
func plainTest(text string) func(value) bool {
	a, err := netip.ParseAddr(text)
	return func(v value) bool {
		if err == nil {
			return v.addr == a
		}
		for _, one := range append(v.list, v) {
			start, wild := strings.CutSuffix(text, "*")
			if one.text == text || wild && strings.HasPrefix(one.text, start) {
				return true
			}
		}
		n, err := strconv.ParseUint(text, 0, 32)
		return err == nil && v.number == n && v.text == ""
	}
}

func rangeTest(ends []json.RawMessage) (func(value) bool, bool) {
	var n [2]uint64
	if json.Unmarshal(ends[0], &n[0]) == nil && json.Unmarshal(ends[1], &n[1]) == nil {
		return func(v value) bool { return n[0] <= v.number && v.number <= n[1] }, true
	}
	from, ok1 := address(ends[0])
	to, ok2 := address(ends[1])
	return func(v value) bool { return v.addr.IsValid() && from.Compare(v.addr) <= 0 && v.addr.Compare(to) <= 0 }, ok1 && ok2
}

// tests reads several; false if one of them cannot be read.
func (s statements) tests(values []json.RawMessage) ([]func(value) bool, bool) {
	var all []func(value) bool
	for _, v := range values {
		test, ok := s.test(v)
		if !ok {
			return nil, false
		}
		all = append(all, test)
	}
	return all, true
}

func (s statements) anyOf(list []json.RawMessage) (func(value) bool, bool) {
	tests, ok := s.tests(list)
	return func(v value) bool {
		return slices.ContainsFunc(tests, func(test func(value) bool) bool { return test(v) })
	}, ok
}

func (s statements) concatTest(parts []json.RawMessage) (func(value) bool, bool) {
	tests, ok := s.tests(parts)
	return func(v value) bool {
		if len(v.list) != len(tests) {
			return false
		}
		for i, t := range tests {
			if !t(v.list[i]) {
				return false
			}
		}
		return true
	}, ok
}

func address(raw json.RawMessage) (netip.Addr, bool) {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	return a, err == nil
}
