// Package allowance plans the smallest change of a docker host's packet filters that lets packets
// reach a container, and evaluates the filters as they will be after it. A script on the docker
// host adds the rules, and adds them again whenever something there changes.
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

// Allowance keeps one port of a container open.
type Allowance struct {
	Container string // its name
	// Port is the published port on the docker host. 0 means that clients send to the
	// container's own address, to which packets are routed.
	Port int
	// Inside is the port inside the container if Port is 0.
	Inside int
	UDP    bool
	// From is the network of the clients; the zero value means everyone.
	From netip.Prefix
	// Once is the ID of the boot after which the allowance ends; "" if it does not end.
	Once  string
	Rules []Rule
}

// Rule is a rule that lets packets pass, and its place in a chain.
type Rule struct {
	Tool    netfilter.Tool
	Backend netfilter.Backend
	Table   string
	Chain   string
	// Match has the rule's conditions in the tool's syntax. The container's addresses are
	// placeholders, because they change.
	Match  string
	Target string // ACCEPT or RETURN
	// Before has the texts of rules that must come after this one. So must the first rule that
	// ends the chain for every packet and, if First is set, the first rule that drops any packet.
	Before []string
	First  bool
}

// Placeholders in Match. A rule with a placeholder is added once per network of the container.
const (
	containerAddress = "@CONTAINER@"
	subnet           = "@SUBNET@"
)

// Comment returns the comment of the allowance's iptables rules.
func (a *Allowance) Comment() string { return "dvh-allow:" + a.Container }

// Protocol is "tcp" or "udp".
func (a *Allowance) Protocol() string {
	if a.UDP {
		return "udp"
	}
	return "tcp"
}

// String describes the allowance for people: "web2 port 8080/tcp from 10.0.0.0/8".
func (a *Allowance) String() string {
	s := a.Container
	if a.Port != 0 {
		s += fmt.Sprintf(" port %d/%s", a.Port, a.Protocol())
	} else {
		s += fmt.Sprintf(" port %d/%s at its own address", a.Inside, a.Protocol())
	}
	if a.From.IsValid() {
		s += " from " + a.From.String()
	}
	if a.Once != "" {
		s += ", until the next reboot"
	}
	return s
}

// sameAs reports whether two allowances open the same port to the same clients.
func (a *Allowance) sameAs(b *Allowance) bool {
	return a.Container == b.Container && a.Port == b.Port && a.Inside == b.Inside && a.UDP == b.UDP && a.From == b.From
}

// key identifies a rule regardless of its place.
func (r Rule) key() string {
	return strings.Join([]string{string(r.Tool), string(r.Backend), r.Table, r.Chain, r.Match, r.Target}, " ")
}

// command returns the command that inserts the rule, with its placeholders filled in as text.
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

// Commands returns commands that add the allowance's rules, with the container's current
// addresses. They are shown, not run: apply.sh adds the rules.
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

// add adds a rule to the allowance. If the allowance has the rule, add only extends its Before.
// It returns whether anything changed.
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

// texts returns a rule's conditions and target with the container's current addresses: one text
// per network, or one in all if the rule has no placeholder.
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

// fill returns the rule's match with the placeholders replaced by the container's address on one
// network; nothing if that address is of the other address family.
func fill(f *netfacts.Facts, r Rule, own netfacts.Address) []string {
	var all []string
	for _, n := range f.Networks {
		if n.Name != own.Network || own.Addr.Is6() != (r.Tool == netfilter.IP6Tables) {
			continue
		}
		ownSubnet := netip.Prefix{}
		for _, s := range n.Subnets {
			if s.Contains(own.Addr) {
				ownSubnet = s
			}
		}
		if strings.Contains(r.Match, subnet) && !ownSubnet.IsValid() {
			continue
		}
		all = append(all, strings.NewReplacer(containerAddress, own.Addr.String(), subnet, ownSubnet.String()).Replace(r.Match))
	}
	return all
}

// After returns the facts of the docker host as they will be with the allowance's rules.
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

// position returns the number, from 1, that the rule gets in a chain.
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
