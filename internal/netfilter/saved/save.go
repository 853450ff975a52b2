// Package saved parses the output of iptables-save, ip6tables-save, ebtables-save and ipset save into
// the values of package netfilter.
package saved

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// dialect is how the formats differ.
type dialect struct {
	family string
	// rule reads a rule's options into r.
	rule func(r *netfilter.Rule, all []option) error
	// base returns hook, priority and type of a built-in chain; false for other chains.
	base func(table, chain string) (netfilter.Hook, int, netfilter.ChainType, bool)
}

// maxLine bounds a line of a ruleset, in bytes.
const maxLine = 1 << 20

// Parse reads the output of iptables-save, ip6tables-save or ebtables-save. Errors name the line.
func Parse(tool netfilter.Tool, backend netfilter.Backend, data []byte) ([]*netfilter.Table, error) {
	d, err := dialectOf(tool)
	if err != nil {
		return nil, err
	}
	p := &saveParser{dialect: d, tool: tool, backend: backend}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxLine)
	n := 0
	for lines.Scan() {
		n++
		if err := p.line(strings.TrimSpace(lines.Text())); err != nil {
			return nil, fmt.Errorf("%s-save of the %s backend, line %d: %w", tool, backend, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s-save of the %s backend, line %d: %w", tool, backend, n+1, err)
	}
	for _, t := range p.tables {
		resolve(t)
	}
	return p.tables, nil
}

func dialectOf(tool netfilter.Tool) (dialect, error) {
	switch tool {
	case netfilter.IPTables:
		return dialect{family: "ip", rule: ipRule(packet.IPv4), base: ipBase}, nil
	case netfilter.IP6Tables:
		return dialect{family: "ip6", rule: ipRule(packet.IPv6), base: ipBase}, nil
	case netfilter.EBTables:
		return dialect{family: "bridge", rule: frameRule, base: frameBase}, nil
	}
	return dialect{}, fmt.Errorf("%s has no format for saved rules", tool)
}

type saveParser struct {
	dialect
	tool    netfilter.Tool
	backend netfilter.Backend
	tables  []*netfilter.Table
	table   *netfilter.Table // that the next lines belong to; nil if none
}

func (p *saveParser) line(s string) error {
	switch {
	case s == "" || s[0] == '#':
		return nil
	case s[0] == '*':
		return p.newTable(strings.TrimSpace(s[1:]))
	case p.table == nil:
		return fmt.Errorf("%q is not in a table", shorten(s))
	case s == "COMMIT":
		p.table = nil
		return nil
	case s[0] == ':':
		return p.newChain(s[1:])
	}
	if s[0] == '[' { // counters, as with -c
		_, rest, ok := strings.Cut(s, "] ")
		if !ok {
			return fmt.Errorf("%q: the counters are not terminated", shorten(s))
		}
		s = rest
	}
	rest, ok := strings.CutPrefix(s, "-A ")
	if !ok {
		return fmt.Errorf("%q is neither a table, a chain nor a rule", shorten(s))
	}
	return p.newRule(strings.TrimSpace(rest))
}

func (p *saveParser) newTable(name string) error {
	if name == "" {
		return fmt.Errorf("a table without a name")
	}
	for _, t := range p.tables {
		if t.Name == name {
			return fmt.Errorf("table %s is listed twice", shorten(name))
		}
	}
	p.table = &netfilter.Table{Tool: p.tool, Backend: p.backend, Family: p.family, Name: name}
	p.tables = append(p.tables, p.table)
	return nil
}

func (p *saveParser) newChain(s string) error {
	fields := strings.Fields(s)
	if len(fields) < 2 {
		return fmt.Errorf("a chain has a name and a policy, not %q", shorten(s))
	}
	c, err := p.table.NewChain(fields[0])
	if err != nil {
		return err
	}
	switch fields[1] {
	case "ACCEPT":
		c.Policy = netfilter.Accept
	case "DROP":
		c.Policy = netfilter.Drop
	case "-", "RETURN":
		c.Policy = netfilter.Return
	default:
		return fmt.Errorf("chain %s has the policy %q", shorten(c.Name), shorten(fields[1]))
	}
	if hook, priority, kind, ok := p.base(p.table.Name, c.Name); ok {
		c.Hook, c.Priority, c.Type = hook, priority, kind
		if c.Policy == netfilter.Return {
			c.Policy = netfilter.Accept
		}
	}
	return nil
}

func (p *saveParser) newRule(s string) error {
	name, rest, _ := strings.Cut(s, " ")
	c := p.table.Chain(name)
	if c == nil {
		return fmt.Errorf("a rule is for chain %q, which table %s does not have", shorten(name), p.table.Name)
	}
	rest = strings.TrimSpace(rest)
	split, err := words(rest)
	if err != nil {
		return err
	}
	all, err := options(split)
	if err != nil {
		return err
	}
	r := &netfilter.Rule{Chain: c, Number: len(c.Rules) + 1, Text: rest}
	if err := p.rule(r, all); err != nil {
		return fmt.Errorf("rule %q: %w", shorten(rest), err)
	}
	c.Rules = append(c.Rules, r)
	return nil
}

// resolve adds a note to rules that call a chain that does not exist. The name may be that of an
// unknown target.
func resolve(t *netfilter.Table) {
	for _, c := range t.Chains {
		for _, r := range c.Rules {
			if r.Target.Call != "" && t.Chain(r.Target.Call) == nil {
				r.Note = "the target " + r.Target.Call + " is not known"
			}
		}
	}
}

// Priorities of the tables' hooks (include/uapi/linux/netfilter_ipv4.h, netfilter_bridge.h).
const (
	prioRaw      = -300
	prioMangle   = -150
	prioDNAT     = -100
	prioFilter   = 0
	prioSecurity = 50
	prioSNAT     = 100

	prioBrouting     = -300
	prioBridgeDNAT   = -300
	prioBridgeFilter = -200
	prioBridgeOther  = 200 // the filter chain and the nat chain of frames that the host sends
	prioBridgeSNAT   = 300
)

func ipBase(table, chain string) (netfilter.Hook, int, netfilter.ChainType, bool) {
	hook, ok := map[string]netfilter.Hook{"PREROUTING": netfilter.Prerouting, "INPUT": netfilter.Input, "FORWARD": netfilter.Forward, "OUTPUT": netfilter.Output, "POSTROUTING": netfilter.Postrouting}[chain]
	if !ok {
		return "", 0, "", false
	}
	kind, priority := netfilter.FilterType, prioFilter
	switch table {
	case "raw":
		priority = prioRaw
	case "mangle":
		priority = prioMangle
	case "security":
		priority = prioSecurity
	case "nat":
		kind, priority = netfilter.NATType, prioDNAT
		if hook == netfilter.Input || hook == netfilter.Postrouting {
			priority = prioSNAT
		}
	}
	return hook, priority, kind, true
}

func frameBase(table, chain string) (netfilter.Hook, int, netfilter.ChainType, bool) {
	type place struct{ table, chain string }
	at, ok := map[place]struct {
		hook     netfilter.Hook
		priority int
	}{
		{"broute", "BROUTING"}: {netfilter.Brouting, prioBrouting},
		{"nat", "PREROUTING"}:  {netfilter.Prerouting, prioBridgeDNAT},
		{"nat", "OUTPUT"}:      {netfilter.Output, prioBridgeOther - 100},
		{"nat", "POSTROUTING"}: {netfilter.Postrouting, prioBridgeSNAT},
		{"filter", "INPUT"}:    {netfilter.Input, prioBridgeFilter},
		{"filter", "FORWARD"}:  {netfilter.Forward, prioBridgeFilter},
		{"filter", "OUTPUT"}:   {netfilter.Output, prioBridgeOther},
	}[place{table, chain}]
	return at.hook, at.priority, netfilter.FilterType, ok
}
