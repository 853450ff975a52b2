package saved

import (
	"fmt"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

// Insert returns a copy of the table with a rule added to a chain, before rule number before. text
// is the rule in the syntax of the table's tool.
func Insert(t *netfilter.Table, chain string, before int, text string) (*netfilter.Table, error) {
	d, err := dialectOf(t.Tool)
	if err != nil {
		return nil, err
	}
	copied := &netfilter.Table{Tool: t.Tool, Backend: t.Backend, Family: t.Family, Name: t.Name}
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
	p := &saveParser{dialect: d, tool: t.Tool, backend: t.Backend, tables: []*netfilter.Table{copied}, table: copied}
	if err := p.line("-A " + chain + " " + text); err != nil {
		return nil, err
	}
	last := len(into.Rules) - 1
	added := into.Rules[last]
	into.Rules = slices.Insert(into.Rules[:last:last], before-1, added)
	renumber(copied)
	resolve(copied)
	return copied, nil
}

// renumber copies all rules, which other tables may share, and numbers them.
func renumber(t *netfilter.Table) {
	for _, c := range t.Chains {
		for i, r := range c.Rules {
			own := *r
			own.Chain, own.Number = c, i+1
			c.Rules[i] = &own
		}
	}
}
