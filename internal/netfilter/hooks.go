package netfilter

import (
	"cmp"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// Chains returns the base chains that see a packet at a hook, in the order in which the kernel calls them.
func Chains(tables []*Table, hook Hook, p *packet.Packet) []*Chain {
	families := []string{string(p.Family), "inet"}
	switch {
	case hook == Ingress || hook == Egress:
		families = []string{"netdev", "inet"}
	case p.Bridge != "":
		families = []string{"bridge"}
	case p.Family == packet.ARP:
		families = []string{"arp"}
	}
	var all []*Chain
	for _, table := range tables {
		if !slices.Contains(families, table.Family) {
			continue
		}
		for _, c := range table.Chains {
			if c.Hook != hook || !maySee(c, hook, p) {
				continue
			}
			// Among chains of equal priority the kernel first calls the one that was added last
			// (net/netfilter/core.c). nft lists them in the order in which they were added.
			at := len(all)
			if i := slices.IndexFunc(all, func(other *Chain) bool { return other.Table.Tool == NFT }); table.Tool == NFT && i >= 0 {
				at = i
			}
			all = slices.Insert(all, at, c)
		}
	}
	slices.SortStableFunc(all, func(a, b *Chain) int { return cmp.Compare(a.Priority, b.Priority) })
	return all
}

// maySee reports whether a chain may see the packet at all. Chains at Ingress and Egress see only
// packets of their interfaces; a chain whose interfaces are not known may see every packet.
func maySee(c *Chain, hook Hook, p *packet.Packet) bool {
	link := p.In
	switch hook {
	case Ingress:
	case Egress:
		link = p.Out
	default:
		return true
	}
	return c.Devices == nil || slices.ContainsFunc(c.Devices, func(name string) bool {
		start, wild := strings.CutSuffix(name, "*")
		return name == link || wild && strings.HasPrefix(link, start)
	})
}
