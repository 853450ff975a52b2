package writer

import (
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

const script = `#!/bin/bash
iptables -I DOCKER-USER 1 -j DROP
iptables -I DOCKER-USER 1 -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
iptables -I DOCKER-USER 1 -p tcp --dport 80  -d 10.213.213.213  -j ACCEPT
ebtables -A INPUT -p ARP -j DROP
ebtables -A OUTPUT -p ARP -j DROP
`

func TestWhoWroteIt(t *testing.T) {
	f := New([]string{
		"/etc/systemd/system/secure-firewall.service:ExecStart=/opt/secure_firewall.sh",
		"/etc/systemd/system/other.service:ExecStart=/bin/sh -c 'iptables -t mangle -A FORWARD -i eth0 -j DROP; true'",
		"/etc/systemd/system/third.service.d/x.conf:ExecStartPost=-/usr/local/sbin/start",
	}, []string{"/etc/systemd/system/multi-user.target.wants/secure-firewall.service"})
	f.Add("/opt/secure_firewall.sh", strings.Split(script, "\n"))
	f.Add("/etc/systemd/system/other.service", []string{"[Service]", "ExecStart=/bin/sh -c 'iptables -t mangle -A FORWARD -i eth0 -j DROP; true'"})
	f.Add("/usr/local/sbin/start", []string{"#!/bin/sh", `. "$(dirname "$0")/lib.sh"`})
	f.Add("/usr/local/sbin/lib.sh", []string{"IPT=/sbin/iptables", `for ip in 10.0.0.1 10.0.0.2; do`, `  $IPT -w -A FORWARD --source "$ip" \`, `    --jump DROP`, "done"})
	f.Add("/etc/iptables/rules.v4", strings.Split("*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n-A INPUT -p tcp -m tcp --dport 22 -j REJECT --reject-with icmp-port-unreachable\nCOMMIT", "\n"))
	place := func(tool netfilter.Tool, table, chain string, n int, text string) netfilter.Place {
		return netfilter.Place{Tool: tool, Table: table, Chain: chain, Number: n, Text: text}
	}
	for _, c := range []struct {
		place netfilter.Place
		want  Source
	}{
		{place(netfilter.IPTables, "filter", "DOCKER-USER", 4, "-j DROP"), Source{Unit: "secure-firewall.service", File: "/opt/secure_firewall.sh", Line: 2}},
		{place(netfilter.IPTables, "filter", "DOCKER-USER", 3, "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"), Source{Unit: "secure-firewall.service", File: "/opt/secure_firewall.sh", Line: 3}},
		{place(netfilter.IPTables, "filter", "DOCKER-USER", 2, "-d 10.213.213.213/32 -p tcp -m tcp --dport 80 -j ACCEPT"), Source{Unit: "secure-firewall.service", File: "/opt/secure_firewall.sh", Line: 4}},
		{place(netfilter.EBTables, "filter", "OUTPUT", 4, "-p ARP -j DROP"), Source{Unit: "secure-firewall.service", File: "/opt/secure_firewall.sh", Line: 6}},
		{place(netfilter.IPTables, "mangle", "FORWARD", 1, "-i eth0 -j DROP"), Source{Unit: "other.service", File: "/etc/systemd/system/other.service", Line: 2}},
		{place(netfilter.IPTables, "filter", "FORWARD", 1, "-s 10.0.0.2/32 -j DROP"), Source{Unit: "third.service", File: "/usr/local/sbin/lib.sh", Line: 3}},
		{place(netfilter.IPTables, "filter", "INPUT", 1, "-p tcp -m tcp --dport 22 -j REJECT --reject-with icmp-port-unreachable"), Source{Unit: "netfilter-persistent.service", File: "/etc/iptables/rules.v4", Line: 4}},
		{place(netfilter.IPTables, "filter", "FORWARD", 0, "policy DROP"), Source{Unit: "netfilter-persistent.service", File: "/etc/iptables/rules.v4", Line: 3}},
		{place(netfilter.IP6Tables, "filter", "FORWARD", 0, "policy DROP"), Source{}},
		{place(netfilter.IPTables, "filter", "DOCKER-ISOLATION-STAGE-2", 1, "-o docker0 -j DROP"), Source{Unit: "docker.service", Program: "docker"}},
		{place(netfilter.IPTables, "filter", "DOCKER-USER", 4, "-s 192.0.2.1/32 -j DROP"), Source{}},
	} {
		if got := f.Of(c.place); got != c.want {
			t.Errorf("%v\ngot  %+v\nwant %+v", c.place, got, c.want)
		}
	}
}
