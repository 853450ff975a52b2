package firewall

import (
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

// noteSuspicions adds notes on what looks wrong in the packet filters beside the obstacles.
func noteSuspicions(f *netfacts.Facts, a *Answer) {
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
		a.Notes = append(a.Notes, "both backends, nft and legacy, have iptables rules, and the kernel applies both")
	}
	if a.Verdict == Blocked && !dockerRules(f) {
		a.Notes = append(a.Notes, "docker's own rules are missing: dockerd runs with --iptables=false, or they were flushed; restarting docker adds them again")
	}
	if slices.ContainsFunc(a.Obstacles, func(o Obstacle) bool {
		return o.isRule && o.WrittenBy != nil && o.WrittenBy.Program == "docker" && rawTable(o.Place)
	}) {
		a.Notes = append(a.Notes, "Docker 28 and later drops packets that are sent to a container's own address from outside; use a published port")
	}
}

// rawTable reports whether a place is in a table that packets pass before connection tracking.
func rawTable(p netfilter.Place) bool { return p.Table == "raw" || p.Chain == "raw-PREROUTING" }

// userChain returns what is wrong with the chain DOCKER-USER of a table, or "". A chain without
// rules of the administrator does not matter.
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
				return "FORWARD calls DOCKER-USER after " + call + ": packets that docker accepts there do not reach the rules of DOCKER-USER"
			}
		}
	}
	if calls(forward, "DOCKER-USER") {
		return ""
	}
	return "DOCKER-USER has rules, but FORWARD does not call it: they have no effect"
}

// calls reports whether a rule of the chain calls the chain called name.
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
