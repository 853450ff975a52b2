package netfilter

import (
	"fmt"
	"slices"
)

// Inserted is a copy of the table with one more rule in a chain, as its tool writes it, in
// front of rule number before. Whatever calls the chain is copied as well.
func (t *Table) Inserted(chain string, before int, text string) (*Table, error) {
	d, err := dialectOf(t.Tool)
	if err != nil {
		return nil, err
	}
	copied := &Table{Tool: t.Tool, Backend: t.Backend, Family: t.Family, Name: t.Name}
	for _, c := range t.Chains {
		n, err := copied.NewChain(c.Name)
		if err != nil {
			return nil, err
		}
		n.Hook, n.Priority, n.Type, n.Policy = c.Hook, c.Priority, c.Type, c.Policy
		n.Rules = slices.Clone(c.Rules)
	}
	into := copied.Chain(chain)
	if into == nil {
		return nil, fmt.Errorf("table %s of %s has no chain %s", t.Name, t.Tool, chain)
	}
	if before < 1 || before > len(into.Rules)+1 {
		return nil, fmt.Errorf("chain %s has no rule %d", chain, before)
	}
	p := &saveParser{dialect: d, tool: t.Tool, backend: t.Backend, tables: []*Table{copied}, table: copied}
	if err := p.line("-A " + chain + " " + text); err != nil {
		return nil, err
	}
	last := len(into.Rules) - 1
	added := into.Rules[last]
	into.Rules = slices.Insert(into.Rules[:last:last], before-1, added)
	copied.renumber()
	copied.resolve()
	return copied, nil
}

// renumber gives every chain rules of its own, numbered by their place.
func (t *Table) renumber() {
	for _, c := range t.Chains {
		for i, r := range c.Rules {
			own := *r
			own.Chain, own.Number = c, i+1
			c.Rules[i] = &own
		}
	}
}

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
	every := !slices.ContainsFunc(r.Matches, func(m Match) bool { return !isComment(m) })
	return every && r.Target.Verdict != Continue
}

func isComment(m Match) bool {
	_, is := m.(Comment)
	return is
}
