package netfilter

import (
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

const (
	// maxSteps bounds how many rules are evaluated for one packet in one base chain. If each of
	// many chains calls the next one twice, the number grows exponentially.
	maxSteps = 1 << 18
	// maxDepth bounds the depth of calls. The kernel refuses loops, but rulesets are only text here.
	maxDepth = 64
)

// Ending is one way in which a packet's passage through a base chain may end.
type Ending struct {
	Verdict Verdict // Accept, Drop or Unsure
	Place   Place
	Rule    *Rule // nil for a policy
	NAT     *Translation
}

// Passage is a packet's passage through one base chain.
type Passage struct {
	Chain *Chain
	// Endings are all ways in which it may end, in the order of the rules: at least one, and only
	// one if every condition can be evaluated.
	Endings []Ending
	// Doubts are the rules that may or may not match and make a difference.
	Doubts []*Rule
	// Packet is the packet after the chain, with the changes of its rules.
	Packet packet.Packet
}

// Verdict returns the passage's verdict if all endings agree, otherwise Unsure.
func (p *Passage) Verdict() Verdict {
	v := p.Endings[0].Verdict
	for _, e := range p.Endings[1:] {
		if e.Verdict != v {
			return Unsure
		}
	}
	return v
}

// Through sends a packet through a base chain. Rules in skip are ignored; policies in skip accept.
func Through(c *Chain, p packet.Packet, e *packet.Env, skip map[Place]bool) *Passage {
	w := &walk{packet: p, env: e, skip: skip, passage: &Passage{Chain: c}}
	if w.chain(c, 0, true) {
		w.end(Ending{Verdict: c.Policy, Place: c.place()})
	}
	if len(w.passage.Endings) == 1 && w.passage.Endings[0].Verdict != Unsure {
		w.passage.Doubts = nil
	}
	w.passage.Packet = w.packet
	return w.passage
}

type walk struct {
	packet  packet.Packet
	env     *packet.Env
	skip    map[Place]bool
	passage *Passage
	steps   int
}

// end adds an ending, once.
func (w *walk) end(e Ending) {
	if e.Rule == nil && w.skip[e.Place] {
		e.Verdict = Accept
	}
	if !slices.Contains(w.passage.Endings, e) {
		w.passage.Endings = append(w.passage.Endings, e)
	}
}

// chain sends the packet through a chain, and returns whether it may come back to the caller.
// sure means that every packet gets here: changes of the packet are then certain.
func (w *walk) chain(c *Chain, depth int, sure bool) (back bool) {
	if depth > maxDepth {
		w.end(Ending{Verdict: Unsure, Place: c.place()})
		return false
	}
	for _, r := range c.Rules {
		if w.steps++; w.steps > maxSteps {
			w.end(Ending{Verdict: Unsure, Place: r.Place(), Rule: r})
			return false
		}
		holds := w.holds(r)
		if holds == packet.No {
			continue
		}
		before := len(w.passage.Endings)
		stops, returns := w.apply(r, depth, sure && holds == packet.Yes)
		if holds == packet.Maybe && (returns || len(w.passage.Endings) > before) {
			w.doubt(r)
		}
		back = back || returns
		sure = sure && !returns
		if stops && holds == packet.Yes {
			return back
		}
	}
	if c.Hook == "" && c.Policy != Return {
		w.end(Ending{Verdict: c.Policy, Place: c.place()})
		return back
	}
	return true
}

// apply applies a rule's target. stops means that the packet cannot get to the next rule, returns
// that it may go back to the caller.
func (w *walk) apply(r *Rule, depth int, sure bool) (stops, returns bool) {
	t := r.Target
	switch {
	case t.Call != "":
		called := r.Chain.Table.Chain(t.Call)
		if called == nil {
			w.end(Ending{Verdict: Unsure, Place: r.Place(), Rule: r})
			return true, false
		}
		back := w.chain(called, depth+1, sure)
		if t.Goto {
			return true, back
		}
		return !back, false
	case t.Verdict == Return:
		return true, true
	case t.Verdict != Continue:
		w.change(t.Change, sure)
		w.end(Ending{Verdict: t.Verdict, Place: r.Place(), Rule: r, NAT: t.NAT})
		return true, false
	}
	w.change(t.Change, sure)
	return false, false
}

// change changes the packet. Unless sure, the changed bits and state are not known afterwards.
func (w *walk) change(c Change, sure bool) {
	if c == nil {
		return
	}
	before := w.packet
	c.Apply(&w.packet)
	if sure {
		return
	}
	p := &w.packet
	p.Mark.Known &^= p.Mark.Value ^ before.Mark.Value | ^before.Mark.Known
	p.Conn.Mark.Known &^= p.Conn.Mark.Value ^ before.Conn.Mark.Value | ^before.Conn.Mark.Known
	if p.Conn.State != before.Conn.State {
		p.Conn.State = ""
	}
}

// holds returns whether all conditions of a rule hold.
func (w *walk) holds(r *Rule) packet.Truth {
	all := packet.Yes
	for _, m := range r.Matches {
		all = min(all, m.Holds(&w.packet, w.env))
		if all == packet.No {
			return packet.No
		}
	}
	if w.skip[r.Place()] {
		return packet.No
	}
	return all
}

func (w *walk) doubt(r *Rule) {
	if !slices.Contains(w.passage.Doubts, r) {
		w.passage.Doubts = append(w.passage.Doubts, r)
	}
}
