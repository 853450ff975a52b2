package firewall

import (
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

// suspicions are notes on what looks wrong around the packet's way.
func suspicions(f *netfacts.Facts, a *Answer) {
	backends := map[netfilter.Backend]bool{}
	for _, t := range f.Tables {
		if t.Tool == netfilter.IPTables && slices.ContainsFunc(t.Chains, func(c *netfilter.Chain) bool { return len(c.Rules) > 0 }) {
			backends[t.Backend] = true
		}
		if note := userChain(t); note != "" && !slices.Contains(a.Notes, note) {
			a.Notes = append(a.Notes, note)
		}
	}
	if backends[netfilter.NFTables] && backends[netfilter.Legacy] {
		a.Notes = append(a.Notes, "iptables rules are in both backends, nft and legacy, and both act")
	}
	if a.Verdict == Blocked && !dockerRules(f) {
		a.Notes = append(a.Notes, "docker's own rules are missing: dockerd runs with --iptables=false, or something has flushed them since; restarting docker writes them again")
	}
	if slices.ContainsFunc(a.Obstacles, func(o Obstacle) bool {
		return o.rule && o.WrittenBy != nil && o.WrittenBy.Program == "docker" && rawTable(o.Place)
	}) {
		a.Notes = append(a.Notes, "Docker 28 and later drops what is sent straight to a container's address from outside; a published port is the way in")
	}
}

// rawTable reports whether a place is in a table that packets pass before conntrack.
func rawTable(p netfilter.Place) bool { return p.Table == "raw" || p.Chain == "raw-PREROUTING" }

// userChain is what is wrong with DOCKER-USER in a table, where the administrator has rules in it.
func userChain(t *netfilter.Table) string {
	forward, user := t.Chain("FORWARD"), t.Chain("DOCKER-USER")
	if t.Name != "filter" || forward == nil || user == nil || !slices.ContainsFunc(user.Rules, func(r *netfilter.Rule) bool { return r.Text != "-j RETURN" }) {
		return ""
	}
	for _, r := range forward.Rules {
		switch call := r.Target.Call; {
		case call == "DOCKER-USER":
			return ""
		case strings.HasPrefix(call, "DOCKER"):
			if calls(forward, "DOCKER-USER") {
				return "FORWARD calls DOCKER-USER behind " + call + ": what docker has accepted there does not reach its rules"
			}
		}
	}
	if calls(forward, "DOCKER-USER") {
		return ""
	}
	return "DOCKER-USER has rules, but FORWARD does not call it: they act on nothing"
}

func calls(c *netfilter.Chain, name string) bool {
	return slices.ContainsFunc(c.Rules, func(r *netfilter.Rule) bool { return r.Target.Call == name })
}

// dockerRules reports whether docker has rules for forwarding.
func dockerRules(f *netfacts.Facts) bool {
	for _, t := range f.Tables {
		if strings.HasPrefix(t.Name, "docker-bridges") {
			return true
		}
		c := t.Chain("FORWARD")
		if t.Name != "filter" || c == nil {
			continue
		}
		for _, r := range c.Rules {
			if strings.HasPrefix(r.Target.Call, "DOCKER") && r.Target.Call != "DOCKER-USER" {
				return true
			}
		}
	}
	return false
}
