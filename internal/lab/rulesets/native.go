package rulesets

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// rules are up to eight rules of one chain for nft, each with one of the matches; those that begin
// with with may have another.
func rules(r *rand.Rand, with string, matches ...string) string {
	var b strings.Builder
	for range r.IntN(8) {
		text := pick(r, matches...)
		if second := pick(r, matches...); r.IntN(2) == 0 && strings.HasPrefix(text, with) && (strings.HasPrefix(second, with) || !strings.Contains(second, "arp")) {
			text += " " + second
		}
		fmt.Fprintf(&b, "\t\t%s counter %s\n", text, pick(r, "accept", "accept", "drop", "drop", "continue", "jump more"))
	}
	return b.String()
}

// Devices is a ruleset for nft at the ends of the router's interfaces: ingress of both, egress, and
// ingress of family inet.
func Devices(r *rand.Rand, w *World) string {
	family := "ip"
	if w.IPv6 {
		family = "ip6"
	}
	port := func() string { return fmt.Sprint(pick(r, Ports...)) }
	matches := []string{
		family + " saddr " + pick(r, w.Client, w.ClientNet), family + " daddr " + w.Server, family + " daddr != " + w.Router,
		"tcp dport " + port(), "udp dport { " + port() + ", 9999 }", "meta l4proto tcp", "ether saddr 02:00:00:00:00:01",
	}
	var b strings.Builder
	chain := func(name, hook, device, policy, extra string) {
		fmt.Fprintf(&b, "\tchain %s {\n\t\ttype filter hook %s %s priority %d; policy %s;\n%s\t}\n", name, hook, device, r.IntN(5), policy, rules(r, family, append(matches, extra)...))
	}
	more := func() {
		fmt.Fprintf(&b, "\tchain more {\n%s\t}\n", strings.ReplaceAll(rules(r, family, matches...), "jump more", "return"))
	}
	policy := func() string { return pick(r, "accept", "accept", "accept", "drop") }
	b.WriteString("table netdev d {\n")
	more()
	chain("in", "ingress", `device "`+w.In+`"`, policy(), "arp operation request")
	chain("both", "ingress", "devices = { "+w.In+", "+w.Out+" }", "accept", `iifname "`+w.Out+`"`)
	chain("out", "egress", `device "`+w.Out+`"`, policy(), `oifname "`+w.Out+`"`)
	b.WriteString("}\ntable inet d {\n")
	more()
	chain("in", "ingress", `device "`+w.In+`"`, "accept", "meta nfproto ipv4")
	b.WriteString("}\n")
	return b.String()
}

// ARP is a ruleset for nft's family arp; mac is the server's.
func ARP(r *rand.Rand, w *World, gateway, mac string) string {
	matches := []string{
		"arp operation request", "arp operation reply", "arp saddr ip " + pick(r, w.Server, gateway), "arp daddr ip " + pick(r, w.Server, gateway), "arp daddr ip != " + w.ServerNet,
		"arp saddr ether " + mac, "arp htype 1 arp hlen 6", `iifname "` + w.Out + `"`, `oifname "` + w.Out + `"`,
	}
	var b strings.Builder
	fmt.Fprintf(&b, "table arp a {\n\tchain more {\n%s\t}\n", strings.ReplaceAll(rules(r, "arp", matches...), "jump more", "return"))
	for _, hook := range []string{"input", "output"} {
		fmt.Fprintf(&b, "\tchain %s {\n\t\ttype filter hook %s priority 0; policy %s;\n%s\t}\n", hook, hook, pick(r, "accept", "accept", "drop"), rules(r, "arp", matches...))
	}
	return b.String() + "}\n"
}
