package guard

import (
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

// Exposure is a published port, and who reaches it.
type Exposure struct {
	Container string   `json:"container"`
	Port      int      `json:"port"`
	Protocol  string   `json:"protocol"`
	HostIP    string   `json:"host_ip"`
	Open      bool     `json:"open"` // to the public interfaces
	From      []string `json:"from"` // the clients, if not everyone
}

// Exposures are the published ports of running containers.
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
			for _, a := range f.ports(s) {
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

// Notes are what the user should know about these settings on this docker host.
func (f *Facts) Notes(s Settings) []string {
	var notes []string
	add := func(parts ...string) { notes = append(notes, strings.Join(parts, "")) }
	for _, name := range s.Public {
		if f.Link(name) == nil {
			add("there is no interface ", name, " now: its ports will be closed when there is one")
		}
	}
	for _, rule := range f.cut(s) {
		add("a rule that is not docker's forwards packets to a port that guard closes: ", rule)
	}
	for _, p := range f.Own() {
		add(p.String(), " stays open: dockerd listens there")
	}
	if p, ok := f.sessionPort(); ok {
		add(p.String(), " of ", f.publisher(p), " stays open: this SSH session uses it")
	}
	for _, c := range f.Containers {
		for _, b := range c.Published {
			p := Port{Port: b.HostPort, UDP: b.UDP}
			if c.PID != 0 && b.Port == 22 && !b.UDP && !slices.ContainsFunc(f.ports(s), p.sameAs) {
				add(p.String(), " of ", c.Name, " looks like SSH to a container, and is closed")
			}
		}
	}
	if slices.ContainsFunc(f.Networks, func(n netfacts.Network) bool { return n.Driver == "overlay" }) {
		add("the docker host is in a swarm: the ports of its services are not listed here, and those on which dockerd itself listens stay open. A service whose ports are published with mode=host is covered as other containers are")
	}
	if f.Rules.Pending != nil && f.UsesCgroup() {
		add("until the last change is confirmed, a restart of docker leaves IPv6 open: guard start puts it right")
	}
	if !f.Rules.AtBoot {
		add("neither systemd nor boot2docker runs there: have what starts dockerd run ", f.Rules.Dir, "/apply first, or guard is gone after the next boot")
	}
	if f.UFW {
		add("ufw is on: it does not cover published ports, which are forwarded; guard does. What ufw closes to docker-proxy stays closed")
	}
	if f.Firewall {
		add("firewalld runs: its zones do not cover published ports; guard does. A reload of firewalld flushes iptables' tables", f.reloaded())
	}
	if !f.UsesCgroup() {
		why := f.Matches
		if f.Group == "" {
			why = "dockerd has no cgroup of docker.service that nft could match"
		}
		if f.Window != "" {
			add("the port that was published last was open for ", f.Window, " ms over IPv6")
		}
		add("what docker-proxy serves (IPv6) is closed by a list of ports, which follows docker: a new port is open for a moment. ",
			`"userland-proxy": false in daemon.json takes docker-proxy away.`, because(why))
	}
	return notes
}

// cut are the rules of others that send packets elsewhere by DNAT, to ports that guard
// closes.
func (f *Facts) cut(s Settings) []string {
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

// allowedBy reports whether all ports that the rule names are open to everyone.
func (f *Facts) allowedBy(s Settings, rule string) bool {
	_, rest, ok := strings.Cut(rule, " --dport ")
	number, _, _ := strings.Cut(rest, " ")
	return ok && slices.ContainsFunc(f.ports(s), func(p Port) bool {
		text, _, _ := strings.Cut(p.String(), "/")
		return text == number && !p.From.IsValid() && strings.Contains(rule, "-p "+p.protocol()+" ")
	})
}

// onPublic reports whether packets of a public interface can match the rule.
func (f *Facts) onPublic(s Settings, rule string) bool {
	_, rest, ok := strings.Cut(" "+rule, " -i ")
	name, _, _ := strings.Cut(rest, " ")
	return !ok || slices.Contains(s.Public, name) || strings.HasSuffix(name, "+")
}

// reloaded is what a reload of firewalld does to guard.
func (f *Facts) reloaded() string {
	if f.UsesCgroup() {
		return "; nft's table goes on closing the ports, and guard start puts the rest right"
	}
	return ", guard's rules too: run guard start after it"
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return " The reason: " + why
}
