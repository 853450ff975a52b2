// Package allowance plans the smallest change of a docker host's packet filters that lets
// packets get to a container, and evaluates what they would do after it. A script that runs
// on the docker host makes it, again whenever something there has changed.
package allowance

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/saved"
)

// Allowance is one way to a container that is kept open.
type Allowance struct {
	Container string
	// Port is where it is published on the docker host. 0 stands for the addresses of the
	// container's networks, to which packets are routed.
	Port int
	// Inside is the port inside the container where its own address is reached.
	Inside int
	UDP    bool
	// From are the clients; the zero value stands for all.
	From netip.Prefix
	// Once is the boot of the docker host with which it ends; "" for none.
	Once  string
	Rules []Rule
}

// Rule is a rule that lets packets pass, and where it has to be.
type Rule struct {
	Tool    netfilter.Tool
	Backend netfilter.Backend
	Table   string
	Chain   string
	// Match is what the rule matches, as its tool writes it. The addresses of the container
	// are placeholders in it, because they change.
	Match  string
	Target string
	// Before are the texts of rules that it has to come before. It also comes before the
	// first rule that ends the chain for every packet; with First, before the first that
	// drops any.
	Before []string
	First  bool
}

// Placeholders in the text of a rule, for each network that the container is on.
const (
	containerAddress = "@CONTAINER@"
	subnet           = "@SUBNET@"
)

// Comment is in every rule of iptables that is ours.
func (a *Allowance) Comment() string { return "dvh-allow:" + a.Container }

// Protocol is "tcp" or "udp".
func (a *Allowance) Protocol() string {
	if a.UDP {
		return "udp"
	}
	return "tcp"
}

// String names it for people: "web2 port 8080/tcp from 10.0.0.0/8".
func (a *Allowance) String() string {
	s := a.Container
	if a.Port != 0 {
		s += fmt.Sprintf(" port %d/%s", a.Port, a.Protocol())
	} else {
		s += fmt.Sprintf(" port %d/%s by its own address", a.Inside, a.Protocol())
	}
	if a.From.IsValid() {
		s += " from " + a.From.String()
	}
	if a.Once != "" {
		s += ", until the next reboot"
	}
	return s
}

// is reports whether two are about the same way.
func (a *Allowance) is(b *Allowance) bool {
	return a.Container == b.Container && a.Port == b.Port && a.Inside == b.Inside && a.UDP == b.UDP && a.From == b.From
}

// key is a rule without where it has to be.
func (r Rule) key() string {
	return strings.Join([]string{string(r.Tool), string(r.Backend), r.Table, r.Chain, r.Match, r.Target}, " ")
}

// command is a rule with that text, as its tool takes it.
func (r Rule) command(position int, text string) string {
	tool := string(r.Tool)
	if r.Backend == netfilter.Legacy {
		tool += "-legacy"
	}
	if r.Table != "filter" {
		tool += " -t " + r.Table
	}
	return fmt.Sprintf("%s -I %s %d %s", tool, r.Chain, position, text)
}

// Commands are the allowance's rules with today's addresses as commands, to be shown: apply.sh
// adds the rules.
func (a *Allowance) Commands(f *netfacts.Facts) []string {
	var all []string
	for _, r := range a.Rules {
		position := 1
		if t := f.Table(r.Tool, r.Backend, r.Table); t != nil && t.Chain(r.Chain) != nil {
			position = r.position(t.Chain(r.Chain))
		}
		for _, text := range a.texts(f, r) {
			all = append(all, r.command(position, text))
		}
	}
	return all
}

// add puts a rule into the allowance, or where it has to be into the one that is there.
// changed reports that something is new.
func (a *Allowance) add(r Rule) (changed bool) {
	for i := range a.Rules {
		if a.Rules[i].key() != r.key() {
			continue
		}
		for _, text := range r.Before {
			if !slices.Contains(a.Rules[i].Before, text) {
				a.Rules[i].Before = append(a.Rules[i].Before, text)
				changed = true
			}
		}
		return changed
	}
	a.Rules = append(a.Rules, r)
	return true
}

// texts are a rule's texts with the addresses that the container has now: one a network,
// or one in all where it has no placeholder.
func (a *Allowance) texts(f *netfacts.Facts, r Rule) []string {
	tail := " -j " + r.Target
	if r.Tool != netfilter.EBTables {
		tail = fmt.Sprintf(" -m comment --comment %q", a.Comment()) + tail
	}
	if !strings.Contains(r.Match, "@") {
		return []string{r.Match + tail}
	}
	var all []string
	if c := f.Container(a.Container); c != nil && c.PID != 0 {
		for _, own := range c.Addresses {
			for _, filled := range fill(f, r, own) {
				if !slices.Contains(all, filled+tail) {
					all = append(all, filled+tail)
				}
			}
		}
	}
	return all
}

// fill puts the addresses on one network into a rule's match.
func fill(f *netfacts.Facts, r Rule, own netfacts.Address) []string {
	six := r.Tool == netfilter.IP6Tables
	var all []string
	for _, n := range f.Networks {
		if n.Name != own.Network || own.Addr.Is6() != six {
			continue
		}
		of := netip.Prefix{}
		for _, s := range n.Subnets {
			if s.Contains(own.Addr) {
				of = s
			}
		}
		if strings.Contains(r.Match, subnet) && !of.IsValid() {
			continue
		}
		all = append(all, strings.NewReplacer(containerAddress, own.Addr.String(), subnet, of.String()).Replace(r.Match))
	}
	return all
}

// After is the docker host with the rules of an allowance in place.
func (a *Allowance) After(f *netfacts.Facts) (*netfacts.Facts, error) {
	after := f
	for _, r := range a.Rules {
		table := after.Table(r.Tool, r.Backend, r.Table)
		if table == nil || table.Chain(r.Chain) == nil {
			return nil, fmt.Errorf("%s of the %s backend has no chain %s in table %s", r.Tool, r.Backend, r.Chain, r.Table)
		}
		for _, text := range a.texts(f, r) {
			changed, err := saved.Insert(table, r.Chain, r.position(table.Chain(r.Chain)), text)
			if err != nil {
				return nil, err
			}
			after = after.With(table, changed)
			table = changed
		}
	}
	return after, nil
}

// position is the number that the rule gets in a chain.
func (r Rule) position(c *netfilter.Chain) int {
	if r.Tool == netfilter.EBTables {
		return 1
	}
	for _, other := range c.Rules {
		if other.Ends() || slices.Contains(r.Before, other.Text) || r.First && other.Target.Verdict == netfilter.Drop {
			return other.Number
		}
	}
	return len(c.Rules) + 1
}
