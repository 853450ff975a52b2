package allowance

import (
	"fmt"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/firewall"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

// userChain is the chain that docker reserves for rules of administrators.
const userChain = "DOCKER-USER"

// ruleFor returns the likeliest rule to get past an obstacle that the allowance does not have
// yet; if it has them all, the likeliest of them.
func (a *Allowance) ruleFor(f *netfacts.Facts, o firewall.Obstacle) (Rule, error) {
	table := f.Table(o.Tool, o.Backend, o.Table)
	switch {
	case o.Tool == "":
		return Rule{}, refused("the obstacle is not a packet filter: %s", o)
	case o.Tool == netfilter.NFT || table == nil:
		return Rule{}, a.nftRefusal(f, o)
	case o.Number == 0 && a.Port != 0:
		return Rule{}, refused("%s: allow does not change policies; restart docker, which adds its own rules again", o)
	}
	var first Rule
	for _, r := range a.candidates(f, table, o) {
		if first.Tool == "" {
			first = r
		}
		if !slices.ContainsFunc(a.Rules, func(have Rule) bool { return have.key() == r.key() && covers(have, r) }) {
			return r, nil
		}
	}
	if first.Tool == "" {
		return Rule{}, refused("no rule for a single container gets past this: %s", o)
	}
	return first, nil
}

// covers reports whether rule have comes before every rule that r must come before.
func covers(have, r Rule) bool {
	return !slices.ContainsFunc(r.Before, func(text string) bool { return !slices.Contains(have.Before, text) })
}

// nftRefusal is the error for an obstacle in a table of nft. If one table drops a packet, accepting
// it in another table does not help.
func (a *Allowance) nftRefusal(f *netfacts.Facts, o firewall.Obstacle) error {
	if a.Port == 0 && o.Table == "docker-bridges" {
		network := "NETWORK"
		if c := f.Container(a.Container); c != nil && len(c.Addresses) > 0 {
			network = c.Addresses[0].Network
		}
		return refused("docker's own rules drop it (%s), and no other rule can override them; create the network again with docker's option for that: "+
			"docker network create -o com.docker.network.bridge.trusted_host_interfaces=%s %s", o, a.link(f), network)
	}
	return refused("no other rule can override this rule of nft: %s", o)
}

// candidates returns the rules that may get past an obstacle, the likeliest first.
func (a *Allowance) candidates(f *netfacts.Facts, table *netfilter.Table, o firewall.Obstacle) []Rule {
	var all []Rule
	for _, hook := range []netfilter.Hook{netfilter.Forward, netfilter.Input, netfilter.Output, netfilter.Prerouting, netfilter.Postrouting} {
		for _, c := range table.Chains {
			if c.Hook != hook || c.Name != o.Chain && len(table.Callers(c.Name, o.Chain)) == 0 {
				continue
			}
			r := Rule{Tool: o.Tool, Backend: o.Backend, Table: o.Table, Chain: c.Name, Target: "ACCEPT"}
			if o.Tool == netfilter.EBTables {
				all = append(all, neighborRules(r, o, hook)...)
				continue
			}
			if user := table.Chain(userChain); hook == netfilter.Forward && user != nil && (a.Port == 0 || o.Chain == userChain || len(table.Callers(userChain, o.Chain)) > 0) {
				r.Chain, r.Target = userChain, "RETURN"
			}
			for _, match := range a.matches(f, hook) {
				r.Match = match
				if a.Port == 0 {
					r.Target, r.First = "ACCEPT", r.Table == "raw"
				}
				all = append(all, r.before(table, o))
			}
		}
	}
	return all
}

// before returns the rule with Before set, so that packets meet it before the obstacle.
func (r Rule) before(table *netfilter.Table, o firewall.Obstacle) Rule {
	r.Before = nil
	if r.First || o.Number == 0 {
		return r
	}
	if r.Chain == o.Chain {
		if !table.Chain(o.Chain).Rules[o.Number-1].Ends() {
			r.Before = []string{o.Text}
		}
		return r
	}
	for _, caller := range table.Callers(r.Chain, o.Chain) {
		r.Before = append(r.Before, caller.Text)
	}
	return r
}

// neighborRules returns rules for ARP between the docker host and the container, based on r.
// They do not match the docker host's address, because that varies: with arp_announce 0 the kernel
// puts the source address of the waiting packet into its ARP request. The chains at these hooks see
// only frames from and to the docker host itself.
func neighborRules(r Rule, o firewall.Obstacle, hook netfilter.Hook) []Rule {
	if o.Layer != firewall.Neighbors {
		return nil
	}
	switch hook {
	case netfilter.Output, netfilter.Postrouting:
		r.Match = "-p ARP --arp-ip-dst " + containerAddress
	case netfilter.Input, netfilter.Prerouting:
		r.Match = "-p ARP --arp-ip-src " + containerAddress
	default:
		return nil
	}
	return []Rule{r}
}

// matches returns conditions for a rule at a hook. They match packets that clients have sent to the
// published port, and no others; none of them needs the container's address.
func (a *Allowance) matches(f *netfacts.Facts, hook netfilter.Hook) []string {
	if a.Port == 0 {
		return a.routed(f, hook)
	}
	protocol := a.Protocol()
	switch hook {
	case netfilter.Forward, netfilter.Postrouting:
		return []string{fmt.Sprintf("-p %s -m conntrack --ctstate DNAT %s--ctorigdstport %d", protocol, a.source("--ctorigsrc"), a.Port)}
	case netfilter.Prerouting:
		return []string{fmt.Sprintf("%s-p %s -m addrtype --dst-type LOCAL -m %s --dport %d", a.source("-s"), protocol, protocol, a.Port)}
	case netfilter.Input:
		return []string{fmt.Sprintf("%s-p %s -m %s --dport %d", a.source("-s"), protocol, protocol, a.Port)}
	}
	return nil
}

// addPair adds a rule to DOCKER-USER for each rule in table raw, which lets clients of a VPN into a
// container network. Their packets must pass both, also for a container that starts later.
func (a *Allowance) addPair(f *netfacts.Facts) {
	for _, r := range a.Rules {
		filter := f.Table(r.Tool, r.Backend, "filter")
		if a.Port != 0 || r.Table != "raw" || filter == nil || filter.Chain(userChain) == nil {
			continue
		}
		a.add(Rule{Tool: r.Tool, Backend: r.Backend, Table: "filter", Chain: userChain, Target: "ACCEPT", Match: a.routed(f, netfilter.Forward)[0]})
	}
}

// routed returns conditions for packets between the clients' interface and the container's
// network: to the container, and at hook Forward also the answers.
func (a *Allowance) routed(f *netfacts.Facts, hook netfilter.Hook) []string {
	link := a.link(f)
	switch hook {
	case netfilter.Prerouting:
		return []string{fmt.Sprintf("%s-d %s -i %s", a.source("-s"), subnet, link)}
	case netfilter.Forward:
		return []string{
			fmt.Sprintf("%s-d %s -i %s", a.source("-s"), subnet, link),
			fmt.Sprintf("-s %s %s-o %s -m conntrack --ctdir REPLY", subnet, a.source("-d"), link),
		}
	}
	return nil
}
