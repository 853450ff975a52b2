package allowance

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/firewall"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// checkOthers refuses a plan that would change which packets reach other containers. It notes
// other ports of the same container c that are opened as well.
func (p *Plan) checkOthers(before, after *netfacts.Facts, c *netfacts.Container, direct bool) error {
	origins, err := publicOrigins(before)
	if err != nil {
		return err
	}
	origins = append(origins, firewall.FromLocal)
	if !direct && !slices.Contains(origins, firewall.FromLAN) {
		origins = append(origins, firewall.FromLAN)
	}
	for i := range before.Containers {
		other := &before.Containers[i]
		for _, target := range targets(other, c, p) {
			for _, from := range origins {
				if outcome(before, target, from) == outcome(after, target, from) {
					continue
				}
				if other.Name != c.Name {
					return refused("it would also change whether packets from %[2]s reach %[1]s", target, from)
				}
				p.note("it also opens %s to packets from %s: ARP for a container cannot be allowed for one port only", target, from)
			}
		}
	}
	return nil
}

// targets returns the targets at a container whose outcome a plan for container c must not
// change: its published ports that the plan does not open, and the addresses of other containers.
func targets(other, c *netfacts.Container, p *Plan) []string {
	var all []string
	for _, o := range other.Published {
		planned := slices.ContainsFunc(p.Allowances, func(a Allowance) bool { return a.Port == o.HostPort && a.UDP == o.UDP })
		w := Allowance{UDP: o.UDP}
		if text := fmt.Sprintf("%s:%d/%s", other.Name, o.Port, w.Protocol()); !(planned && other.Name == c.Name) && !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	if other.Name == c.Name || other.PID == 0 {
		return all
	}
	for _, own := range other.Addresses {
		all = append(all, own.Addr.String())
	}
	return all
}

// outcome returns the verdict and the obstacles for a packet as text that can be compared. It has
// no rule numbers, because an added rule changes them.
func outcome(f *netfacts.Facts, target, from string) string {
	answer, err := firewall.Reach(f, target, from)
	if err != nil {
		return err.Error()
	}
	lines := []string{string(answer.Verdict)}
	for _, o := range answer.Obstacles {
		lines = append(lines, strings.Join([]string{string(o.Tool), o.Table, o.Chain, o.Text}, " "))
	}
	return strings.Join(lines, "\n")
}

// letsOut reports whether a plan lets the container send packets to the outside that it could not
// send before. It tries a few common ports, and the container's published ones.
func letsOut(before, after *netfacts.Facts, c *netfacts.Container) bool {
	now := after.Container(c.Name)
	for _, proto := range []int{packet.TCP, packet.UDP} {
		ports := []int{53, 80, 443, 8080, 31337}
		for _, p := range c.Published {
			ports = append(ports, p.HostPort, p.Port)
		}
		for _, port := range ports {
			if !firewall.ReachesOutside(before, c, proto, port) && firewall.ReachesOutside(after, now, proto, port) {
				return true
			}
		}
	}
	return false
}

// Drift returns the reasons why an allowance does not work: missing rules, and obstacles. None if
// the container is not running.
func (a *Allowance) Drift(f *netfacts.Facts) []string {
	c := f.Container(a.Container)
	switch {
	case c == nil:
		return []string{"there is no container " + a.Container}
	case c.PID == 0:
		return nil // it gets its rules when it starts
	}
	if a.Port != 0 && len(a.targets(c)) == 0 {
		return []string{fmt.Sprintf("container %s no longer publishes port %d/%s", c.Name, a.Port, a.Protocol())}
	}
	var found []string
	for _, r := range a.Rules {
		for _, text := range a.texts(f, r) {
			if !present(f, r, text) {
				found = append(found, "missing: "+r.command(1, text))
			}
		}
	}
	for _, target := range a.targets(c) {
		origins, err := a.origins(f)
		if err != nil {
			return append(found, err.Error())
		}
		obstacles, _, err := reach(f, target, origins)
		if err != nil {
			return append(found, err.Error())
		}
		for _, o := range obstacles {
			found = append(found, "blocked: "+o.String())
		}
	}
	return found
}

// targets returns the allowance's port, or the container's addresses, as targets of reach.
func (a *Allowance) targets(c *netfacts.Container) []string {
	var all []string
	for _, p := range c.Published {
		if target := fmt.Sprintf("%s:%d/%s", c.Name, p.Port, a.Protocol()); p.HostPort == a.Port && p.UDP == a.UDP && !slices.Contains(all, target) {
			all = append(all, target)
		}
	}
	if a.Port == 0 {
		for _, own := range c.Addresses {
			if own.Addr.Is4() == cmp.Or(a.From, netip.PrefixFrom(netip.IPv4Unspecified(), 0)).Addr().Is4() {
				all = append(all, netip.AddrPortFrom(own.Addr, uint16(a.Inside)).String()+"/"+a.Protocol())
			}
		}
	}
	return all
}

// present reports whether a rule is in its chain.
func present(f *netfacts.Facts, r Rule, text string) bool {
	table := f.Table(r.Tool, r.Backend, r.Table)
	if table == nil || table.Chain(r.Chain) == nil {
		return false
	}
	return slices.ContainsFunc(table.Chain(r.Chain).Rules, func(have *netfilter.Rule) bool { return words(have.Text) == words(text) })
}

// words returns a rule's words sorted, without quotation marks and module names. Versions of
// iptables print them in different orders.
func words(text string) string {
	var all []string
	skip := false
	for _, w := range strings.Fields(text) {
		if skip {
			skip = false
			continue
		}
		if w == "-m" {
			skip = true
			continue
		}
		all = append(all, strings.Trim(w, `"`))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}
