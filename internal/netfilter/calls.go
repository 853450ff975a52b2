package netfilter

import (
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/match"
)

// Callers are the rules of chain from whose calls may lead to chain to, directly or through
// other chains.
func (t *Table) Callers(from, to string) []*Rule {
	c := t.Chain(from)
	if c == nil {
		return nil
	}
	var all []*Rule
	for _, r := range c.Rules {
		if r.Target.Call != "" && t.leads(r.Target.Call, to, map[string]bool{}) {
			all = append(all, r)
		}
	}
	return all
}

// leads reports whether a packet in one chain may get to another.
func (t *Table) leads(from, to string, seen map[string]bool) bool {
	if from == to {
		return true
	}
	c := t.Chain(from)
	if c == nil || seen[from] {
		return false
	}
	seen[from] = true
	return slices.ContainsFunc(c.Rules, func(r *Rule) bool { return r.Target.Call != "" && t.leads(r.Target.Call, to, seen) })
}

// Ends reports whether the chain ends with the rule for every packet.
func (r *Rule) Ends() bool {
	every := !slices.ContainsFunc(r.Matches, func(m match.Match) bool { return !isComment(m) })
	return every && r.Target.Verdict != Continue
}

func isComment(m match.Match) bool {
	_, is := m.(match.Comment)
	return is
}
