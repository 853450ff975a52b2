// Package netfilter has the rulesets of Linux's packet filters as values, and evaluates which rule
// decides about a packet. Package packet has packets, package match the conditions of rules;
// packages saved and nft parse rulesets. All of them are pure.
//
// Evaluation is three-valued. A condition that depends on unknown facts, such as a rate limit, may
// hold or not. Then both cases are followed, and the verdict is certain only if both end alike.
package netfilter

import (
	"fmt"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/match"
)

// Tool is the program that a ruleset is written with.
type Tool string

// The tools.
const (
	IPTables  Tool = "iptables"
	IP6Tables Tool = "ip6tables"
	EBTables  Tool = "ebtables"
	NFT       Tool = "nft"
)

// Backend is the part of the kernel that holds a ruleset. The kernel applies both.
type Backend string

// The backends.
const (
	NFTables Backend = "nft"
	Legacy   Backend = "legacy"
)

// Table is one table of one backend.
type Table struct {
	Tool    Tool
	Backend Backend
	Family  string // "ip", "ip6", "inet", "bridge", "arp", "netdev"
	Name    string
	Chains  []*Chain
	byName  map[string]*Chain
}

// Chain returns the chain of that name, or nil.
func (t *Table) Chain(name string) *Chain { return t.byName[name] }

// NewChain adds a chain to the table. A second chain of the same name is an error.
func (t *Table) NewChain(name string) (*Chain, error) {
	if t.byName[name] != nil {
		return nil, fmt.Errorf("chain %s is in table %s twice", name, t.Name)
	}
	c := &Chain{Table: t, Name: name}
	if t.byName == nil {
		t.byName = map[string]*Chain{}
	}
	t.byName[name] = c
	t.Chains = append(t.Chains, c)
	return c, nil
}

// Hook is a point on a packet's path at which the kernel calls chains.
type Hook string

// The hooks of packets and of frames on a bridge. Brouting is ebtables' own; Ingress and Egress
// belong to an interface.
const (
	Prerouting  Hook = "prerouting"
	Input       Hook = "input"
	Forward     Hook = "forward"
	Output      Hook = "output"
	Postrouting Hook = "postrouting"
	Brouting    Hook = "brouting"
	Ingress     Hook = "ingress"
	Egress      Hook = "egress"
)

// Chain is a list of rules. A base chain is called by the kernel, at a hook.
type Chain struct {
	Table    *Table
	Name     string
	Hook     Hook // "" for a chain that only rules call
	Priority int  // of base chains at the same hook, the lowest is called first
	Type     ChainType
	// Devices are the interfaces of a chain at Ingress or Egress; "eth*" is a prefix. nil if they
	// are not known.
	Devices []string
	// Policy decides about packets that reach the end of the chain. Return is that of chains that
	// only rules call.
	Policy Verdict
	Rules  []*Rule
}

// ChainType is what a base chain is for.
type ChainType string

// NAT chains see only the first packet of a connection.
const (
	FilterType ChainType = "filter"
	NATType    ChainType = "nat"
)

// Rule is one rule: if all of Matches hold, Target is applied.
type Rule struct {
	Chain   *Chain
	Number  int    // in its chain, from 1
	Text    string // as the tool prints it, without the chain
	Matches []match.Match
	Target  Target
	// Note is why the target cannot be evaluated; "" if it can.
	Note string
}

// Place is a rule, or a chain's policy if Number is 0. It is comparable.
type Place struct {
	Tool    Tool    `json:"tool"`
	Backend Backend `json:"backend"`
	Family  string  `json:"family"`
	Table   string  `json:"table"`
	Chain   string  `json:"chain"`
	Number  int     `json:"rule"`
	Text    string  `json:"text"`
}

// Place returns the rule's place.
func (r *Rule) Place() Place {
	p := r.Chain.place()
	p.Number, p.Text = r.Number, r.Text
	return p
}

func (c *Chain) place() Place {
	return Place{Tool: c.Table.Tool, Backend: c.Table.Backend, Family: c.Table.Family, Table: c.Table.Name, Chain: c.Name, Text: "policy " + c.Policy.String()}
}

// String describes the place for people: "iptables-nft ip filter DOCKER-USER rule 4: -j DROP".
func (p Place) String() string {
	tool := string(p.Tool)
	switch {
	case p.Tool == "":
		return p.Text // not in a ruleset
	case p.Tool == NFT:
		tool += " " + p.Family
	case p.Tool == EBTables && p.Backend == Legacy:
		tool += "-legacy"
	case p.Tool != EBTables:
		tool += "-" + string(p.Backend) + " " + p.Family
	}
	if p.Number == 0 {
		return fmt.Sprintf("%s %s %s: %s", tool, p.Table, p.Chain, p.Text)
	}
	return fmt.Sprintf("%s %s %s rule %d: %s", tool, p.Table, p.Chain, p.Number, p.Text)
}
