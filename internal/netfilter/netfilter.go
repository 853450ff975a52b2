// Package netfilter has the rulesets of Linux's packet filters as values, and evaluates which rule
// decides about a packet. Package packet has what they decide about,
// match their conditions; packages saved and nft read rulesets. All are pure: they ask nothing and
// change nothing.
//
// Evaluation is three-valued. A match that depends on what is not known, such as a rate
// limit, may hold or not; then both ways are followed, and the outcome is certain only if
// both end alike.
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

// Backend is the part of the kernel that holds a ruleset. Rules of both act at once.
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

// Hook is a point of a packet's way at which chains are called.
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
	// Devices are the interfaces of a chain at Ingress or Egress, "eth*" for all that begin so. nil
	// if they are not known.
	Devices []string
	// Policy decides about what reaches the chain's end; Return leads back to the caller.
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

// Rule is one rule: if all its matches hold, its target is what happens.
type Rule struct {
	Chain   *Chain
	Number  int    // in its chain, from 1
	Text    string // as the tool prints it, without the chain
	Matches []match.Match
	Target  Target
	// Note is why the target cannot be evaluated, where it cannot.
	Note string
}

// Place is where a decision was made: a rule, or with Number 0 a chain's policy.
type Place struct {
	Tool    Tool    `json:"tool"`
	Backend Backend `json:"backend"`
	Family  string  `json:"family"`
	Table   string  `json:"table"`
	Chain   string  `json:"chain"`
	Number  int     `json:"rule"`
	Text    string  `json:"text"`
}

// Place is where the rule is.
func (r *Rule) Place() Place {
	p := r.Chain.place()
	p.Number, p.Text = r.Number, r.Text
	return p
}

func (c *Chain) place() Place {
	return Place{Tool: c.Table.Tool, Backend: c.Table.Backend, Family: c.Table.Family, Table: c.Table.Name, Chain: c.Name, Text: "policy " + c.Policy.String()}
}

// String writes the place as people look for it: "iptables-nft ip filter DOCKER-USER rule 4: -j DROP".
func (p Place) String() string {
	tool := string(p.Tool)
	switch {
	case p.Tool == "":
		return p.Text // no place in a ruleset
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
