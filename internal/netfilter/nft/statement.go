package nft

import (
	"encoding/json"
	"net/netip"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/match"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// statements reads the statements of one rule.
type statements struct {
	*parser
	family, table string
}

// noEffect are statements that do not affect the verdict.
var noEffect = map[string]bool{
	"counter": true, "log": true, "notrack": true, "ct helper": true, "flow": true, "dup": true, "meter": true,
	"comment": true, "ct timeout": true, "ct expectation": true, "last": true,
}

// statement adds one statement to a rule and returns its text.
func (s statements) statement(r *netfilter.Rule, kind string, raw json.RawMessage) string {
	t := &r.Target
	switch kind {
	case "match":
		m, text := s.match(raw)
		r.Matches = append(r.Matches, m)
		return text
	case "accept":
		t.Verdict = netfilter.Accept
	case "drop", "reject":
		t.Verdict = netfilter.Drop
	case "return":
		t.Verdict = netfilter.Return
	case "continue":
	case "jump", "goto":
		var to struct{ Target string }
		_ = json.Unmarshal(raw, &to)
		t.Call, t.Goto = to.Target, kind == "goto"
		return kind + " " + to.Target
	case "dnat", "snat", "masquerade", "redirect":
		return s.nat(r, kind, raw)
	case "mangle":
		t.Change = mangle(raw)
		return "mangle " + compact(raw)
	case "notrack":
		t.Change = netfilter.Untrack{}
	case "limit", "quota", "ct count", "set", "xt":
		r.Matches = append(r.Matches, match.Unknown{Text: kind})
		return kind + " " + compact(raw)
	case "counter":
		return "counter"
	default:
		if !noEffect[kind] {
			t.Verdict, r.Note = netfilter.Unsure, "what "+kind+" does with the packet cannot be evaluated"
		}
	}
	return kind
}

// nat reads an address translation. An SNAT address that cannot be read does not matter, because no
// later rule sees it.
func (s statements) nat(r *netfilter.Rule, kind string, raw json.RawMessage) string {
	var to struct {
		Addr, Port json.RawMessage
		Family     string
	}
	_ = json.Unmarshal(raw, &to)
	nat := &netfilter.Translation{Side: packet.Destination, Own: kind == "masquerade" || kind == "redirect"}
	if kind == "snat" || kind == "masquerade" {
		nat.Side = packet.Source
	}
	r.Target = netfilter.Target{Verdict: netfilter.Accept, NAT: nat}
	var addr netip.Addr
	port, text := 0, kind
	if len(to.Addr) > 0 {
		a, ok := address(to.Addr)
		if !ok && nat.Side == packet.Destination {
			r.Target, r.Note = netfilter.Target{Verdict: netfilter.Unsure}, "which address "+kind+" chooses cannot be evaluated"
			return kind + " to " + compact(to.Addr)
		}
		addr = a
		text += " to " + compact(to.Addr)
	}
	if len(to.Port) > 0 {
		if json.Unmarshal(to.Port, &port) != nil && nat.Side == packet.Destination {
			r.Target, r.Note = netfilter.Target{Verdict: netfilter.Unsure}, "which port "+kind+" chooses cannot be evaluated"
		}
		text += ":" + compact(to.Port)
	}
	nat.To = netip.AddrPortFrom(addr, uint16(port))
	return text
}

// verdictMap reads "iifname vmap { … }" into one rule per element. Their order does not matter,
// because the elements of a map do not overlap.
func (s statements) verdictMap(head *netfilter.Rule, raw json.RawMessage) (string, []*netfilter.Rule) {
	var v struct{ Key, Data json.RawMessage }
	_ = json.Unmarshal(raw, &v)
	field, text, ok := s.expression(v.Key)
	elements, known := s.elements(v.Data)
	text += " vmap " + compact(v.Data)
	if !ok || !known {
		head.Target, head.Note = netfilter.Target{Verdict: netfilter.Unsure}, "the map cannot be read"
		return text, nil
	}
	rules := []*netfilter.Rule{}
	for _, e := range elements {
		var pair [2]json.RawMessage
		if json.Unmarshal(e, &pair) != nil {
			head.Target, head.Note = netfilter.Target{Verdict: netfilter.Unsure}, "the map cannot be read"
			return text, nil
		}
		r := &netfilter.Rule{Chain: head.Chain, Number: head.Number, Matches: append(head.Matches[:len(head.Matches):len(head.Matches)], s.is(field, pair[0]))}
		var verdict map[string]json.RawMessage
		_ = json.Unmarshal(pair[1], &verdict)
		for kind, raw := range verdict {
			s.statement(r, kind, raw)
		}
		rules = append(rules, r)
	}
	return text, rules
}
