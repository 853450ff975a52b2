package netfilter

import (
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/match"
)

// Callers returns the rules of chain from that call chain to, directly or through other chains.
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

// leads reports whether packets in chain from can get to chain to. seen has the chains that were looked at.
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

// Ends reports whether no packet gets past the rule: it matches every packet and has a verdict.
func (r *Rule) Ends() bool {
	every := !slices.ContainsFunc(r.Matches, func(m match.Match) bool { return !isComment(m) })
	return every && r.Target.Verdict != Continue
}

func isComment(m match.Match) bool {
	_, is := m.(match.Comment)
	return is
}
