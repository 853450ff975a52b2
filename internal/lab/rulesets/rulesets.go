// Package rulesets makes random rulesets of packet filters, for comparing the evaluator with
// the kernel. How often a match or a target comes follows a count of 978 distinct rule lines
// from 21 public repositories: saved rules of servers and routers, ufw's files, Docker's own
// tables, a KVM host, a Proxmox host, admins' notes. Values are drawn from few, so that rules
// match often.
package rulesets

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// World is what rules can be about: the addresses, ports and interfaces of a test's network.
type World struct {
	IPv6                   bool
	Client, Router, Server string // addresses; Router is the one that the client sees
	ClientNet, ServerNet   string
	In, Out                string // the router's interfaces to the client and to the server
}

// Ports are those that packets and rules have.
var Ports = []int{80, 443, 8080, 53, 22}

// weighted is one choice and how often it comes, in tenths of a percent of all rules.
type weighted struct {
	weight int
	text   func(r *rand.Rand, w *World) string
}

func fixed(text string) func(*rand.Rand, *World) string {
	return func(*rand.Rand, *World) string { return text }
}

// pick draws one of choices.
func pick[T any](r *rand.Rand, choices ...T) T { return choices[r.IntN(len(choices))] }

// matches come independently of each other: the weight is the chance that a rule has one.
var matches = []weighted{
	{160, func(r *rand.Rand, w *World) string {
		return not(r) + "-i " + pick(r, w.In, w.In, w.Out, w.In[:1]+"+", "lo")
	}},
	{150, func(r *rand.Rand, w *World) string {
		return not(r) + "-o " + pick(r, w.Out, w.Out, w.In, w.Out[:1]+"+")
	}},
	{140, func(r *rand.Rand, w *World) string {
		return not(r) + "-d " + pick(r, w.Server, w.ServerNet, w.Router, w.ClientNet)
	}},
	{100, func(r *rand.Rand, w *World) string {
		return not(r) + "-s " + pick(r, w.Client, w.ClientNet, w.Server, w.ServerNet)
	}},
	{540, protocol},
	{126, state}, // conntrack 8.9 %, state 3.7 %
	{37, func(r *rand.Rand, w *World) string {
		kind := pick(r, "LOCAL", "UNICAST", "BROADCAST", "LOCAL")
		if w.IPv6 && kind == "BROADCAST" {
			kind = "MULTICAST"
		}
		return "-m addrtype " + not(r) + pick(r, "--dst-type ", "--src-type ") + kind
	}},
	{28, fixed("-m limit --limit 100/sec --limit-burst 200")},
	{22, hops},
	{8, fixed(`-m comment --comment "one \"two\" -j DROP"`)},
	{8, func(r *rand.Rand, _ *World) string {
		return "-m mark " + not(r) + "--mark " + pick(r, "0x1", "0x0/0x1", "0x2/0xff")
	}},
	{6, fixed("-m physdev --physdev-is-bridged")},
	{6, func(r *rand.Rand, w *World) string {
		if w.IPv6 {
			return "-m rt --rt-type 0"
		}
		return "-f"
	}},
	{5, func(r *rand.Rand, _ *World) string {
		return "-m connmark " + not(r) + "--mark " + pick(r, "0x1", "0x0/0x1")
	}},
	{4, fixed("-m statistic --mode random --probability 0.5")},
	{4, fixed("-m recent --name seen --set --rsource")},
}

// not negates one match of eight.
func not(r *rand.Rand) string {
	if r.IntN(8) == 0 {
		return "! "
	}
	return ""
}

// protocol is -p, two times of three with ports: --dport 34 % and multiport 2.6 % of all rules.
func protocol(r *rand.Rand, w *World) string {
	name := pick(r, "tcp", "tcp", "tcp", "udp", "udp")
	port := func() string {
		p := pick(r, Ports...)
		return pick(r, fmt.Sprint(p), fmt.Sprint(p), fmt.Sprint(p), fmt.Sprintf("%d:%d", p, p+1000), fmt.Sprintf("1:%d", p))
	}
	switch n := r.IntN(54); {
	case n < 34:
		return "-p " + name + " -m " + name + " " + not(r) + "--dport " + port()
	case n < 36:
		return "-p " + name + " -m " + name + " --sport " + pick(r, "1024:65535", "1:1023", "40000:65535")
	case n < 39:
		return "-p " + name + " -m multiport " + not(r) + pick(r, "--dports ", "--ports ") + pick(r, "80,443", "22,53,8000:9000", "1:100")
	case n < 41:
		if w.IPv6 {
			return "-p ipv6-icmp -m icmp6 --icmpv6-type " + pick(r, "128", "135")
		}
		return "-p icmp -m icmp --icmp-type " + pick(r, "8", "3/4", "any")
	case n < 43:
		return "-p tcp -m tcp --tcp-flags " + pick(r, "FIN,SYN,RST,ACK SYN", "SYN,ACK SYN", "ALL NONE", "SYN,FIN SYN,FIN")
	}
	return not(r) + "-p " + name
}

func state(r *rand.Rand, w *World) string {
	states := pick(r, "RELATED,ESTABLISHED", "NEW", "INVALID", "NEW,ESTABLISHED", "ESTABLISHED", "DNAT", "NEW,UNTRACKED")
	if r.IntN(12) < 4 && !strings.Contains(states, "DNAT") {
		return "-m state " + not(r) + "--state " + states
	}
	port := pick(r, Ports...)
	return "-m conntrack " + pick(r,
		not(r)+"--ctstate "+states, not(r)+"--ctstate "+states, not(r)+"--ctstate "+states, not(r)+"--ctstate "+states,
		"--ctdir "+pick(r, "ORIGINAL", "REPLY"), not(r)+fmt.Sprintf("--ctorigdstport %d", port),
		"--ctstate DNAT "+fmt.Sprintf("--ctorigdstport %d", port), not(r)+"--ctorigdst "+pick(r, w.Router, w.Server),
		not(r)+"--ctorigsrc "+pick(r, w.ClientNet, w.Server), "--ctproto 6", not(r)+"--ctstatus "+pick(r, "SEEN_REPLY", "CONFIRMED"))
}

func hops(r *rand.Rand, w *World) string {
	if w.IPv6 {
		return "-m hl --hl-" + pick(r, "eq 63", "lt 10", "gt 62")
	}
	return "-m ttl --ttl-" + pick(r, "eq 63", "lt 10", "gt 62", "eq 64")
}

// targets of the tables other than nat. A chain comes on top, where there is one below.
var targets = []weighted{
	{390, fixed("-j ACCEPT")}, {110, fixed("-j DROP")}, {50, fixed("-j RETURN")},
	{73, fixed("-j LOG")},
	{13, func(r *rand.Rand, w *World) string {
		if w.IPv6 {
			return "-j REJECT --reject-with icmp6-port-unreachable"
		}
		return "-j REJECT --reject-with icmp-port-unreachable"
	}},
	{6, fixed("-j NFLOG")},
}

// marking are targets of mangle alone.
var marking = []weighted{
	{30, func(r *rand.Rand, _ *World) string {
		return "-j MARK --set-xmark " + pick(r, "0x1/0xffffffff", "0x1/0x1", "0x0/0x1", "0x2/0xff")
	}},
	{15, func(r *rand.Rand, _ *World) string {
		return "-j CONNMARK " + pick(r, "--set-xmark 0x1/0xffffffff", "--save-mark --nfmask 0xffffffff --ctmask 0xffffffff", "--restore-mark --nfmask 0xffffffff --ctmask 0xffffffff")
	}},
}

// jumpShare is how often a rule calls a chain, in tenths of a percent.
const jumpShare = 160

func draw(r *rand.Rand, w *World, from []weighted) string {
	sum := 0
	for _, c := range from {
		sum += c.weight
	}
	i := 0
	for n := r.IntN(sum); n >= from[i].weight; i++ {
		n -= from[i].weight
	}
	return from[i].text(r, w)
}

// table is one table while it is written.
type table struct {
	name   string
	base   []string // base chains
	chains int      // further ones, C0 … which call only later ones
}

// IP is a ruleset for iptables-restore, or for ip6tables-restore in an IPv6 world.
func IP(r *rand.Rand, w *World) string {
	var b strings.Builder
	for _, t := range []table{
		{"raw", []string{"PREROUTING", "OUTPUT"}, r.IntN(2)},
		{"mangle", []string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}, r.IntN(3)},
		{"nat", []string{"PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"}, r.IntN(2)},
		{"filter", []string{"INPUT", "FORWARD", "OUTPUT"}, 1 + r.IntN(4)},
	} {
		t.write(&b, r, w)
	}
	return b.String()
}

func (t table) write(b *strings.Builder, r *rand.Rand, w *World) {
	fmt.Fprintf(b, "*%s\n", t.name)
	for _, c := range t.base {
		policy := "ACCEPT"
		if t.name == "filter" && r.IntN(3) == 0 || t.name == "mangle" && r.IntN(20) == 0 {
			policy = "DROP"
		}
		fmt.Fprintf(b, ":%s %s [0:0]\n", c, policy)
	}
	for i := range t.chains {
		fmt.Fprintf(b, ":C%d - [0:0]\n", i)
	}
	for _, c := range t.base {
		most := 3
		if t.name == "filter" || c == "PREROUTING" && t.name == "nat" {
			most = 9
		}
		for range r.IntN(most) {
			t.rule(b, r, w, c, 0)
		}
	}
	for i := range t.chains {
		for range r.IntN(6) {
			t.rule(b, r, w, fmt.Sprintf("C%d", i), i+1)
		}
	}
	b.WriteString("COMMIT\n")
}

// rule writes one rule of a chain that may call the chains from on.
func (t table) rule(b *strings.Builder, r *rand.Rand, w *World, chain string, from int) {
	target := t.target(r, w, chain)
	if from < t.chains && r.IntN(1000) < jumpShare*2 && t.name != "nat" {
		target = pick(r, "-j ", "-j ", "-j ", "-g ") + fmt.Sprintf("C%d", from+r.IntN(t.chains-from))
	}
	fmt.Fprintf(b, "-A %s", chain)
	for _, m := range matches {
		if r.IntN(1000) >= m.weight {
			continue
		}
		text := m.text(r, w)
		if !t.allows(chain, text) || strings.Contains(text, "-p ") && strings.HasPrefix(target, "-p ") {
			continue
		}
		b.WriteString(" " + text)
	}
	b.WriteString(" " + target + "\n")
}

// allows leaves out what iptables refuses there.
func (t table) allows(chain, text string) bool {
	text = strings.TrimPrefix(text, "! ")
	switch {
	case strings.HasPrefix(text, "-o "):
		return chain != "PREROUTING" && chain != "INPUT"
	case strings.HasPrefix(text, "-i "):
		return chain != "POSTROUTING" && chain != "OUTPUT"
	}
	return true
}

func (t table) target(r *rand.Rand, w *World, chain string) string {
	switch t.name {
	case "nat":
		return natTarget(r, w, chain)
	case "mangle":
		all := append(append([]weighted{}, targets[:3]...), marking...)
		return draw(r, w, all)
	case "raw":
		return draw(r, w, targets[:3])
	}
	return draw(r, w, targets)
}

// natTarget: DNAT 12.5 %, MASQUERADE 5.1 %, SNAT 1.0 %, REDIRECT 0.9 % of all rules.
func natTarget(r *rand.Rand, w *World, chain string) string {
	server := w.Server
	if w.IPv6 {
		server = "[" + server + "]"
	}
	switch {
	case chain == "PREROUTING" && r.IntN(3) > 0:
		return pick(r, "-p tcp -j DNAT --to-destination "+server+":80", "-p udp -j DNAT --to-destination "+server+":53", "-j DNAT --to-destination "+w.Server, "-p tcp -j REDIRECT --to-ports 8080")
	case chain == "POSTROUTING" && r.IntN(3) > 0:
		return pick(r, "-j MASQUERADE", "-j MASQUERADE", "-j MASQUERADE", "-j ACCEPT")
	}
	return pick(r, "-j ACCEPT", "-j RETURN", "-j LOG")
}

// Bridge is what rules about frames can be about.
type Bridge struct {
	Name  string
	Ports [2]string
	MACs  [2]string // of the computers behind the ports
	Addrs [2]string
	Own   string // the bridge's address
	Net   string
}

// frameMatches are those of ebtables, by the same shares where iptables has the like; the
// matches of ARP have no count.
var frameMatches = []struct {
	weight int
	text   func(r *rand.Rand, b *Bridge) string
}{
	{540, func(r *rand.Rand, b *Bridge) string { return arpMatch(r, b) }},
	{160, func(r *rand.Rand, b *Bridge) string {
		return late(r, "-i", pick(r, b.Ports[0], b.Ports[1], b.Ports[0][:2]+"+"))
	}},
	{150, func(r *rand.Rand, b *Bridge) string {
		return late(r, "-o", pick(r, b.Ports[0], b.Ports[1], b.Ports[0][:2]+"+"))
	}},
	{100, func(r *rand.Rand, b *Bridge) string { return late(r, "-s", pick(r, b.MACs[0], b.MACs[1], "Unicast")) }},
	{140, func(r *rand.Rand, b *Bridge) string {
		return late(r, "-d", pick(r, b.MACs[1], "Broadcast", "Multicast", "Unicast"))
	}},
}

// late negates one match of eight, as ebtables writes it.
func late(r *rand.Rand, option, value string) string {
	return option + " " + not(r) + value
}

func arpMatch(r *rand.Rand, b *Bridge) string {
	text := "-p " + pick(r, "ARP", "ARP", "ARP", "ARP", "IPv4", "IPv6")
	if text != "-p ARP" {
		return text
	}
	if r.IntN(2) == 0 {
		text += " " + late(r, "--arp-op", pick(r, "Request", "Reply"))
	}
	if r.IntN(2) == 0 {
		text += " " + late(r, "--arp-ip-src", pick(r, b.Addrs[0], b.Addrs[1], b.Own, b.Net))
	}
	if r.IntN(2) == 0 {
		text += " " + late(r, "--arp-ip-dst", pick(r, b.Addrs[0], b.Addrs[1], b.Own, b.Net))
	}
	return text
}

// Frames is a ruleset for ebtables-restore.
func Frames(r *rand.Rand, b *Bridge) string {
	var out strings.Builder
	out.WriteString("*filter\n")
	for _, c := range []string{"INPUT", "FORWARD", "OUTPUT"} {
		fmt.Fprintf(&out, ":%s %s\n", c, pick(r, "ACCEPT", "ACCEPT", "DROP"))
	}
	chains := 1 + r.IntN(3)
	for i := range chains {
		fmt.Fprintf(&out, ":C%d %s\n", i, pick(r, "ACCEPT", "RETURN", "RETURN", "DROP"))
	}
	rule := func(chain string, from int) {
		target := pick(r, "ACCEPT", "ACCEPT", "ACCEPT", "DROP", "CONTINUE")
		if chain[0] == 'C' {
			target = pick(r, target, target, target, "RETURN")
		}
		if from < chains && r.IntN(1000) < jumpShare*2 {
			target = fmt.Sprintf("C%d", from+r.IntN(chains-from))
		}
		fmt.Fprintf(&out, "-A %s", chain)
		for _, m := range frameMatches {
			if r.IntN(1000) >= m.weight {
				continue
			}
			text := m.text(r, b)
			if (text[:2] == "-o" && chain == "INPUT") || (text[:2] == "-i" && chain == "OUTPUT") {
				continue
			}
			out.WriteString(" " + text)
		}
		fmt.Fprintf(&out, " -j %s\n", target)
	}
	for _, c := range []string{"INPUT", "FORWARD", "OUTPUT"} {
		for range r.IntN(9) {
			rule(c, 0)
		}
	}
	for i := range chains {
		for range r.IntN(6) {
			rule(fmt.Sprintf("C%d", i), i+1)
		}
	}
	return out.String()
}
