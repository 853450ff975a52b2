//go:build e2e && linux

package e2e

import (
	"strings"
	"sync"
	"testing"
)

// Where only one of the two filters drops, only that one is opened. Where ARP alone kept the
// container in, it requires confirmation, because the container gets out as well.
func TestAllowOpensNoMore(t *testing.T) {
	s := closedWorld(t)
	s.root("ebtables -F")
	a := s.allow(0, "allow", "web2")
	if len(a.Rules) != 1 || !strings.HasPrefix(a.Rules[0], "iptables -I DOCKER-USER 4 ") {
		t.Errorf("rules: %q", a.Rules)
	}
	if rules := s.ruleLines(); strings.Contains(rules, "--arp") {
		t.Errorf("ebtables: %s", rules)
	}
	s.must(s.get(8080))
	if s.get(8081) == nil {
		t.Error("web3 answers")
	}
	s.allow(0, "deny", "web2")

	s.root("ebtables -A INPUT -p ARP -j DROP; ebtables -A OUTPUT -p ARP -j DROP; iptables -I DOCKER-USER 1 -j ACCEPT; ip neigh flush all")
	before := s.ruleLines()
	if s.leaves("web2", "http://10.0.2.2:9999/") {
		t.Fatal("web2 gets out before")
	}
	refused := s.helper("-H", "default", "allow", "web2")
	if refused.Exit != 3 || !strings.Contains(refused.Stderr, "so far only the missing ARP prevents that") || !strings.Contains(refused.Stderr, "--yes") {
		t.Errorf("exit %d: %s", refused.Exit, refused.Stderr)
	}
	s.same("rules", before, s.ruleLines())
	s.allow(0, "allow", "web2", "--yes")
	s.root("ip neigh flush all")
	s.must(s.get(8080))

	// Clients of one network alone.
	s.root("iptables -D DOCKER-USER -j ACCEPT; ebtables -F")
	s.allow(0, "deny", "web2")
	s.allow(0, "allow", "web2", "-p", "80", "--from", "192.168.99.0/24")
	if s.get(8080) == nil {
		t.Error("web2 answers a client outside --from")
	}
	s.shell("exec 3<>/dev/tcp/" + s.m.IP + "/8080 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && head -c 4 <&3 | grep -q HTTP")
	s.allow(0, "deny", "web2")

	// Two at once: one waits, and both are there afterwards.
	var wg sync.WaitGroup
	for _, name := range []string{"web2", "web3"} {
		wg.Go(func() { s.allow(0, "allow", name) })
	}
	wg.Wait()
	s.must(s.get(8080))
	s.must(s.get(8081))
	list := s.allow(0, "allow", "--list")
	if len(list.Allowances) != 2 {
		t.Errorf("list: %+v", list)
	}
}
