package allowance

import (
	"fmt"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/firewall"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

// userChain is where Docker wants the rules of others.
const userChain = "DOCKER-USER"

// ruleFor is the rule that opens an obstacle. Where the first one that could has been tried,
// it is the next.
func (a *Allowance) ruleFor(f *netfacts.Facts, o firewall.Obstacle) (Rule, error) {
	table := f.Table(o.Tool, o.Backend, o.Table)
	switch {
	case o.Tool == "":
		return Rule{}, refused("no packet filter keeps packets away, but this: %s", o)
	case o.Tool == netfilter.NFT || table == nil:
		return Rule{}, a.nftRefusal(f, o)
	case o.Number == 0 && a.Port != 0:
		return Rule{}, refused("%s: a policy is not changed; restart docker, which writes its own rules anew", o)
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
		return Rule{}, refused("no rule for one container opens this: %s", o)
	}
	return first, nil
}

// covers reports whether a rule comes before all that another one has to come before.
func covers(have, r Rule) bool {
	return !slices.ContainsFunc(r.Before, func(text string) bool { return !slices.Contains(have.Before, text) })
}

// nftRefusal is about a rule of a table that is nft's own: an accept elsewhere does not
// overrule it.
func (a *Allowance) nftRefusal(f *netfacts.Facts, o firewall.Obstacle) error {
	if a.Port == 0 && o.Table == "docker-bridges" {
		network := "NETWORK"
		if c := f.Container(a.Container); c != nil && len(c.Addresses) > 0 {
			network = c.Addresses[0].Network
		}
		return refused("docker's own rules drop it (%s), and no other rule overrules them; make the network anew with docker's option for that: "+
			"docker network create -o com.docker.network.bridge.trusted_host_interfaces=%s %s", o, a.link(f), network)
	}
	return refused("no rule elsewhere overrules one of nft: %s", o)
}

// candidates are the rules that may open an obstacle, the likeliest first.
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

// before adds the rules that have to come behind.
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

// neighborRules are about ARP between the docker host and the container. They do not name the
// docker host's address: a process there that connects to one of the docker host's own addresses
// has the kernel ask for the container with that address, not with the bridge's (arp_announce 0).
// In these chains are frames of the docker host and for it, and no others.
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

// matches are what a rule at a hook may match: packets to the port as the client sent them,
// and no others. None has the address of a container.
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

// addPair completes what lets a VPN's clients into a container network: what has passed raw
// has to pass DOCKER-USER, too, also for a container that starts later.
func (a *Allowance) addPair(f *netfacts.Facts) {
	for _, r := range a.Rules {
		filter := f.Table(r.Tool, r.Backend, "filter")
		if a.Port != 0 || r.Table != "raw" || filter == nil || filter.Chain(userChain) == nil {
			continue
		}
		a.add(Rule{Tool: r.Tool, Backend: r.Backend, Table: "filter", Chain: userChain, Target: "ACCEPT", Match: a.routed(f, netfilter.Forward)[0]})
	}
}

// routed are matches of packets between the clients' interface and the container's network,
// in both directions.
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
