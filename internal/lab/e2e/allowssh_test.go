//go:build e2e && linux

package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// A docker host reached over the user's own SSH, with sudo, whose container network has IPv6:
// what comes by IPv6 goes through docker-proxy, and there is a rule in ip6tables for it.
func TestAllowOverSSH(t *testing.T) {
	s := on(t, nsguest.Systemd, fakestore.Options{})
	s.userSSH()
	s.must(s.vm.ImportBusybox(s.ctx()))
	s.ipv6()
	s.root("ip -6 route add default via " + outside6)
	_, err := s.vm.Docker(s.ctx(), "network", "create", "--ipv6", "--subnet", "10.213.213.0/24", "--subnet", "fd00:213::/64", "six")
	s.must(err)
	s.web("web2", "-p", "8080:80", "--network=six")
	s.web("web3", "-p", "8081:80", "--network=six")
	t.Log(s.root("ps -eo args | grep '[d]ocker-proxy'"))
	open := func(when string, want bool) {
		t.Helper()
		for _, address := range []string{public4, public6} {
			s.root("ip neigh flush all; ip -6 neigh flush all")
			s.same(when+": web2 at "+address, want, s.page(address, 8080) == nil)
			s.same(when+": web3 at "+address, false, s.page(address, 8081) == nil)
		}
	}
	s.root(`iptables -I DOCKER-USER 1 -j DROP
		for port in 8080 8081; do ip6tables -A INPUT -i eth0 -p tcp --dport $port -j DROP; done
		ip6tables -A OUTPUT -o br-+ -p ipv6-icmp -m icmp6 --icmpv6-type 135 -j DROP
		ebtables -A INPUT -p ARP -j DROP; ebtables -A OUTPUT -p ARP -j DROP`)
	open("before", false)
	rules := func() string { return withoutLines(s.ruleLines(), "-A DOCKER ", "-A POSTROUTING ") } // docker's own follow the addresses
	before := rules()
	host := "ssh://docker@" + s.m.IP
	run := func(exit int, args ...string) allowed {
		t.Helper()
		r := s.helper(append([]string{"--json", "-H", host}, args...)...)
		if r.Exit != exit {
			t.Fatalf("%v: exit %d\n%s%s", args, r.Exit, r.Stdout, r.Stderr)
		}
		var a allowed
		s.decode(r.Stdout, &a)
		return a
	}
	// Neighbor discovery cannot be opened for one container: ip6tables does not look into it.
	if said := run(1, "allow", "web2").Error.Message; !strings.Contains(said, "no rule for a single container gets past this: ip6tables-nft ip6 filter OUTPUT rule 1") {
		t.Errorf("refused: %s", said)
	}
	s.same("rules", before, rules())
	s.root("ip6tables -F OUTPUT")
	before = rules()
	a := run(0, "allow", "web2")
	t.Logf("rules: %s", strings.Join(a.Rules, "\n"))
	s.same("rules", 4, len(a.Rules))
	open("allowed", true)
	s.same("drift", []string{}, run(0, "allow", "--list").Allowances[0].Drift)

	// Another address of both families.
	s.root("docker stop -t 0 web2 web3 >/dev/null && docker start web3 web2 >/dev/null")
	s.settled("web2", "web3")
	open("swapped addresses", true)
	run(0, "deny", "web2")
	s.same("rules after deny", before, rules())
	open("denied", false)
}

// withoutLines is a text without the lines that begin with one of these.
func withoutLines(text string, beginnings ...string) string {
	var kept []string
	for line := range strings.Lines(text) {
		if !slices.ContainsFunc(beginnings, func(b string) bool { return strings.HasPrefix(line, b) }) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}
