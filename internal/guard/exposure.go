package guard

import (
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

// Exposure is a published port, and who can reach it.
type Exposure struct {
	Container string   `json:"container"`
	Port      int      `json:"port"`
	Protocol  string   `json:"protocol"`
	HostIP    string   `json:"host_ip"`
	Open      bool     `json:"open"` // to the public interfaces
	From      []string `json:"from"` // the networks of the clients; empty means everyone
}

// Exposures returns the published ports of running containers, sorted by port.
func (f *Facts) Exposures(s Settings) []Exposure {
	all := []Exposure{}
	for _, c := range f.Containers {
		if c.PID == 0 {
			continue
		}
		for _, b := range c.Published {
			p := Port{Port: b.HostPort, UDP: b.UDP}
			e := Exposure{Container: c.Name, Port: p.Port, Protocol: p.protocol(), HostIP: b.HostIP.String(), From: []string{}}
			e.Open = !f.Active() && !b.HostIP.IsLoopback()
			for _, a := range f.openPorts(s) {
				if f.Active() && a.sameAs(p) {
					e.Open = true
					if a.From.IsValid() {
						e.From = append(e.From, a.From.String())
					}
				}
			}
			if b.HostIP.IsLoopback() {
				e.Open, e.From = false, []string{}
			}
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b Exposure) int { return a.Port - b.Port })
	return all
}

// Notes returns what the user should know about these settings on this docker host.
func (f *Facts) Notes(s Settings) []string {
	var notes []string
	add := func(parts ...string) { notes = append(notes, strings.Join(parts, "")) }
	for _, name := range s.Public {
		if f.Link(name) == nil {
			add("the interface ", name, " does not exist now: guard closes its ports as soon as it does")
		}
	}
	for _, rule := range f.foreignForwards(s) {
		add("a rule that docker did not add forwards packets, and guard drops them: ", rule)
	}
	for _, p := range f.DockerdPorts() {
		add(p.String(), " stays open: dockerd itself listens there")
	}
	if p, ok := f.sessionPort(); ok {
		add(p.String(), " of ", f.publisher(p), " stays open: this SSH session uses it")
	}
	for _, c := range f.Containers {
		for _, b := range c.Published {
			p := Port{Port: b.HostPort, UDP: b.UDP}
			if c.PID != 0 && b.Port == 22 && !b.UDP && !slices.ContainsFunc(f.openPorts(s), p.sameAs) {
				add(p.String(), " of ", c.Name, " is closed, and looks like SSH to that container")
			}
		}
	}
	if slices.ContainsFunc(f.Networks, func(n netfacts.Network) bool { return n.Driver == "overlay" }) {
		add("the docker host is in a swarm. Ports of its services are not listed here; those on which dockerd itself listens stay open. A service's ports with mode=host are treated like a container's")
	}
	if f.Rules.Pending != nil && f.UsesCgroup() {
		add("until the last change is confirmed, a restart of docker leaves IPv6 open: guard start closes it again")
	}
	if !f.Rules.AtBoot {
		add("the docker host has neither systemd nor boot2docker: run ", f.Rules.Dir, "/apply at boot before dockerd starts, or guard will be off after the next boot")
	}
	if f.UFW {
		add("ufw is active. It does not cover published ports, because their packets are forwarded; guard does. What ufw closes to docker-proxy stays closed")
	}
	if f.Firewalld {
		add("firewalld is running. Its zones do not cover published ports; guard does. A reload of firewalld flushes iptables' tables", f.afterReload())
	}
	if !f.UsesCgroup() {
		why := f.CgroupMatch
		if f.Cgroup == "" {
			why = "there is no cgroup of docker.service that nft could match"
		}
		if f.Window != "" {
			add("the port that was published last was open for ", f.Window, " ms over IPv6")
		}
		add("guard closes the ports that docker-proxy serves (IPv6) one by one, after docker has published them: a new port is open for a moment. ",
			`"userland-proxy": false in daemon.json does without docker-proxy.`, because(why))
	}
	return notes
}

// foreignForwards returns the DNAT rules of other programs than docker whose packets guard drops.
func (f *Facts) foreignForwards(s Settings) []string {
	var texts []string
	for _, t := range f.Tables {
		if t.Tool == netfilter.NFT || t.Tool == netfilter.EBTables || t.Name != "nat" {
			continue
		}
		for _, c := range t.Chains {
			if c.Name == "DOCKER" || c.Hook == netfilter.Output || c.Hook == netfilter.Postrouting {
				continue
			}
			for _, r := range c.Rules {
				if r.Target.NAT != nil && strings.Contains(r.Text, "-j DNAT") && !f.allowedBy(s, r.Text) && f.onPublic(s, r.Text) {
					texts = append(texts, r.Place().String())
				}
			}
		}
	}
	return texts
}

// allowedBy reports whether the port that a rule matches is open to everyone.
func (f *Facts) allowedBy(s Settings, rule string) bool {
	_, rest, ok := strings.Cut(rule, " --dport ")
	number, _, _ := strings.Cut(rest, " ")
	return ok && slices.ContainsFunc(f.openPorts(s), func(p Port) bool {
		text, _, _ := strings.Cut(p.String(), "/")
		return text == number && !p.From.IsValid() && strings.Contains(rule, "-p "+p.protocol()+" ")
	})
}

// onPublic reports whether a rule can match packets that arrive on a public interface.
func (f *Facts) onPublic(s Settings, rule string) bool {
	_, rest, ok := strings.Cut(" "+rule, " -i ")
	name, _, _ := strings.Cut(rest, " ")
	return !ok || slices.Contains(s.Public, name) || strings.HasSuffix(name, "+")
}

// afterReload continues a sentence on what a reload of firewalld flushes.
func (f *Facts) afterReload() string {
	if f.UsesCgroup() {
		return "; guard's nft table still closes the ports, and guard start restores the rest"
	}
	return ", guard's rules among them: run guard start after each reload"
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return " The reason: " + why
}
