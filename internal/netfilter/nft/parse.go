// Package nft parses the output of `nft -j list ruleset` into the values of package netfilter.
// libnftables-json(5) describes the format.
package nft

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

// object is one object of the output. One field is set; none for kinds that do not matter.
type object struct {
	Table *struct{ Family, Name string }
	Chain *struct {
		Family, Table, Name, Type, Hook, Policy string
		Prio                                    int
		Dev                                     json.RawMessage
	}
	Rule *struct {
		Family, Table, Chain string
		Expr                 []map[string]json.RawMessage
	}
	Set *setObject
	Map *setObject
}

type setObject struct {
	Family, Table, Name string
	Elem                []json.RawMessage
	Flags               json.RawMessage
}

// families are the table families that are read.
var families = map[string]bool{"ip": true, "ip6": true, "inet": true, "bridge": true, "arp": true, "netdev": true}

// Parse reads the JSON, except for tables for which skip returns true.
func Parse(data []byte, skip func(family, name string) bool) ([]*netfilter.Table, error) {
	var list struct{ Nftables []json.RawMessage }
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("nft's list of rules is not valid JSON: %w", err)
	}
	p := parser{tables: map[string]*netfilter.Table{}, sets: map[string]*setObject{}}
	var objects []object
	for i, raw := range list.Nftables {
		var o object
		if err := json.Unmarshal(raw, &o); err != nil {
			return nil, fmt.Errorf("nft's list of rules, object %d: %w", i+1, err)
		}
		for _, s := range []*setObject{o.Set, o.Map} {
			if s != nil {
				p.sets[s.Family+" "+s.Table+" "+s.Name] = s
			}
		}
		objects = append(objects, o)
	}
	for _, o := range objects {
		if err := p.tableOrChain(o, skip); err != nil {
			return nil, err
		}
	}
	for _, o := range objects {
		if o.Rule == nil {
			continue
		}
		t := p.tables[o.Rule.Family+" "+o.Rule.Table]
		if t == nil {
			continue
		}
		c := t.Chain(o.Rule.Chain)
		if c == nil {
			return nil, fmt.Errorf("nft's list of rules: table %s has no chain %s", t.Name, o.Rule.Chain)
		}
		p.rule(c, o.Rule.Expr)
	}
	return p.ordered, nil
}

type parser struct {
	tables  map[string]*netfilter.Table
	ordered []*netfilter.Table
	sets    map[string]*setObject
}

// tableOrChain adds a table or a chain.
func (p *parser) tableOrChain(o object, skip func(family, name string) bool) error {
	if o.Table != nil && families[o.Table.Family] && !skip(o.Table.Family, o.Table.Name) {
		t := &netfilter.Table{Tool: netfilter.NFT, Backend: netfilter.NFTables, Family: o.Table.Family, Name: o.Table.Name}
		p.tables[t.Family+" "+t.Name] = t
		p.ordered = append(p.ordered, t)
	}
	if o.Chain == nil {
		return nil
	}
	t := p.tables[o.Chain.Family+" "+o.Chain.Table]
	if t == nil {
		return nil
	}
	c, err := t.NewChain(o.Chain.Name)
	if err != nil {
		return fmt.Errorf("nft's list of rules: %w", err)
	}
	c.Policy = netfilter.Return
	if o.Chain.Hook != "" {
		c.Hook, c.Priority, c.Type, c.Policy = netfilter.Hook(o.Chain.Hook), o.Chain.Prio, netfilter.ChainType(o.Chain.Type), netfilter.Accept
		c.Devices = names(o.Chain.Dev)
		if o.Chain.Policy == "drop" {
			c.Policy = netfilter.Drop
		}
	}
	return nil
}

// names reads a name or a list of them.
func names(raw json.RawMessage) []string {
	var all []string
	var one string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return []string{one}
	}
	_ = json.Unmarshal(raw, &all)
	return all
}

// AddDevices adds the interfaces of chains, which nft before 1.0.8 omits in JSON. lines is the
// output of `nft list chains`.
func AddDevices(tables []*netfilter.Table, lines []string) {
	var table *netfilter.Table
	var chain *netfilter.Chain
	for _, line := range lines {
		fields := strings.Fields(line)
		switch {
		case len(fields) >= 3 && fields[0] == "table":
			i := slices.IndexFunc(tables, func(t *netfilter.Table) bool {
				return t.Tool == netfilter.NFT && t.Family == fields[1] && t.Name == fields[2]
			})
			if table, chain = nil, nil; i >= 0 {
				table = tables[i]
			}
		case len(fields) >= 2 && fields[0] == "chain" && table != nil:
			chain = table.Chain(fields[1])
		case len(fields) > 4 && fields[0] == "type" && chain != nil && chain.Devices == nil:
			chain.Devices = devices(fields)
		}
	}
}

// devices reads `type filter hook ingress devices = { "eth0", "eth1" } priority 0`.
func devices(fields []string) []string {
	i := slices.IndexFunc(fields, func(f string) bool { return f == "device" || f == "devices" })
	if i < 0 {
		return nil
	}
	var all []string
	for _, f := range fields[i+1:] {
		if f == "priority" {
			break
		}
		if name := strings.Trim(f, `",{}=;`); name != "" {
			all = append(all, name)
		}
	}
	return all
}

// rule adds a rule. One with a verdict map becomes several, one per element of the map, all with
// the same number and text.
func (p *parser) rule(c *netfilter.Chain, exprs []map[string]json.RawMessage) {
	number := 1
	if n := len(c.Rules); n > 0 {
		number = c.Rules[n-1].Number + 1
	}
	s := statements{parser: p, family: c.Table.Family, table: c.Table.Name}
	r := &netfilter.Rule{Chain: c, Number: number}
	var texts []string
	var more []*netfilter.Rule
	for _, e := range exprs {
		for kind, raw := range e {
			text := ""
			if kind == "vmap" {
				text, more = s.verdictMap(r, raw)
			} else {
				text = s.statement(r, kind, raw)
			}
			if text != "" {
				texts = append(texts, text)
			}
		}
	}
	if more == nil {
		more = []*netfilter.Rule{r}
	}
	for _, m := range more {
		m.Text = strings.Join(texts, " ")
		c.Rules = append(c.Rules, m)
	}
}
