//go:build e2e && linux

package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// matrix is what answers from where, one line each.
func (s *scene) matrix() string {
	s.Helper()
	var b strings.Builder
	say := func(what, answer string) {
		if answer == "" {
			answer = "-"
		}
		fmt.Fprintf(&b, "%s: %s\n", what, answer)
	}
	for _, a := range []string{public4, public6} {
		for _, port := range []int{8080, 8081, 9001, 443, 8090, 8091} {
			say(fmt.Sprintf("outside %s %d", a, port), s.outside(a, port))
		}
		for _, port := range []int{5353, 5354} {
			say(fmt.Sprintf("outside %s %d/udp", a, port), s.datagram(a, port))
		}
	}
	address, err := s.vm.Docker(s.ctx(), "inspect", "-f", "{{.NetworkSettings.IPAddress}}", "shut")
	s.must(err)
	say("outside, the container's own address", s.outside(address, 80))
	lan := func(port int) string {
		return s.ask(func() (net.Conn, error) {
			return s.lab.Laptop().Dial(s.ctx(), net.JoinHostPort(s.m.IP, fmt.Sprint(port)))
		})
	}
	say("lan 8081", lan(8081))
	say("lan 8082", lan(8082))
	for _, url := range []string{"127.0.0.1:8081", public4 + ":8081", "[::1]:8081"} {
		say("docker host "+url, strings.TrimSpace(s.root("curl -s -m 2 http://"+url+"/ || true")))
	}
	for _, to := range []string{address + " 80", public4 + " 8081", "172.17.0.1 8081"} {
		_, body, _ := strings.Cut(s.inContainer(to), "\r\n\r\n")
		say("container "+strings.Replace(to, address, "shut", 1), body)
	}
	for _, a := range []string{public4, public6} {
		say("dockerd's own port at "+a, s.outside(a, 2376))
	}
	say("behind the docker host", s.outside("192.168.99.1", 7070))
	_, body, _ := strings.Cut(s.inContainer(outside4+" 7071"), "\r\n\r\n")
	say("container to a server outside", body)
	began := time.Now()
	_, err = s.vm.Docker(s.ctx(), "pull", outside4+":7071/x")
	if took := time.Since(began); err == nil || took > 5*time.Second || !strings.Contains(err.Error(), "server gave HTTP response") {
		s.Errorf("docker pull got no answer (%v): %v", took, err)
	}
	return b.String()
}

// inContainer is what a server answers to a container.
func (s *scene) inContainer(to string) string {
	s.Helper()
	out, err := s.vm.Docker(s.ctx(), "exec", "open", "sh", "-c", `printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 2 `+to)
	s.must(err)
	return out
}

const closedMatrix = `outside 10.0.2.15 8080: open
outside 10.0.2.15 8081: -
outside 10.0.2.15 9001: -
outside 10.0.2.15 443: crossed
outside 10.0.2.15 8090: own-network
outside 10.0.2.15 8091: host
outside 10.0.2.15 5353/udp: udp-open
outside 10.0.2.15 5354/udp: -
outside 2001:db8:7::2 8080: open
outside 2001:db8:7::2 8081: -
outside 2001:db8:7::2 9001: -
outside 2001:db8:7::2 443: crossed
outside 2001:db8:7::2 8090: own-network
outside 2001:db8:7::2 8091: host
outside 2001:db8:7::2 5353/udp: udp-open
outside 2001:db8:7::2 5354/udp: -
outside, the container's own address: -
lan 8081: shut
lan 8082: lan
docker host 127.0.0.1:8081: shut
docker host 10.0.2.15:8081: shut
docker host [::1]:8081: shut
container shut 80: shut
container 10.0.2.15 8081: shut
container 172.17.0.1 8081: shut
dockerd's own port at 10.0.2.15: Client sent an HTTP request to an HTTPS server.
dockerd's own port at 2001:db8:7::2: Client sent an HTTP request to an HTTPS server.
behind the docker host: behind
container to a server outside: outside
`

// openMatrix is what answers without a guard.
func openMatrix() string {
	m := closedMatrix
	for _, line := range []struct{ from, answer string }{{" 8081", "shut"}, {" 9001", "cross"}, {" 5354/udp", "udp-shut"}} {
		m = strings.ReplaceAll(m, line.from+": -", line.from+": "+line.answer)
	}
	if nsguest.OtherDocker() != "" {
		return m // from version 28 on docker itself closes containers' own addresses
	}
	return strings.ReplaceAll(m, "own address: -", "own address: shut")
}

// everyRule prints all rules, whatever the order of tables and chains. Empty built-in chains
// are no difference.
const everyRule = `for f in iptables-nft ip6tables-nft iptables-legacy ip6tables-legacy ebtables; do
	$f-save 2>/dev/null | awk -v f=$f '/^\*/ { t = $1 } /^:/ && $2 == "-" { print f, t, $1 } /^-A/ { print f, t, $2, ++n[t $2], $0 }'
done | sort; nft list table inet dvh_guard 2>/dev/null; nft list tables | grep -v mangle | sort; true`

func TestGuardMatrix(t *testing.T) {
	for _, backend := range dockerBackends() {
		t.Run(backend, func(t *testing.T) { guardMatrix(on(t, nsguest.Systemd, fakestore.Options{}), backend) })
	}
}

// dockerBackends are the ways in which this dockerd can write its rules.
func dockerBackends() []string {
	if nsguest.OtherDocker() != "" {
		return []string{"nft", "nftables"}
	}
	return []string{"nft", "legacy"}
}

func guardMatrix(s *scene, backend string) {
	s.backend(backend)
	s.sites()
	s.others()
	s.same("without guard", openMatrix(), s.matrix())
	before := s.root(everyRule)
	const all = "find /etc/systemd/system /etc/docker-vpn-helper /var/run/docker-vpn-helper 2>/dev/null | LC_ALL=C sort"
	files := s.root(all)

	s.guard(2, "start")
	s.guard(0, "start", "--public", "auto", "--allow", "8080,443,5353/udp", "--dry-run")
	s.same("rules after a dry run", before, s.root(everyRule))
	s.guard(0, "start", "--public", "auto", "--allow", "8080,443,5353/udp")
	s.same("method", "cgroup", s.guardStatus().Method)
	s.same("with guard", closedMatrix, s.matrix())
	s.same("reach an allowed port", "", s.reach("8080").lines())
	if r := s.reach("8081"); r.Verdict != "blocked" || !strings.Contains(r.lines(), "DOCKER-PUB") {
		s.Errorf("reach a closed port: %s", r.lines())
	}
	with := s.root(everyRule)
	s.guard(0, "start")
	s.same("rules after the same again", with, s.root(everyRule))

	s.guard(0, "stop")
	s.guard(0, "stop")
	s.same("rules after stop", before, s.root(everyRule))
	s.same("files after stop", "/etc/docker-vpn-helper\n/etc/docker-vpn-helper/guard.saved\n"+files+"/var/run/docker-vpn-helper\n/var/run/docker-vpn-helper/rules\n/var/run/docker-vpn-helper/rules/lock\n", s.root(all))
	s.same("without guard again", openMatrix(), s.matrix())

	// Settings are restored; interfaces that are not there, and rules of others, are named.
	s.root("iptables -t nat -A PREROUTING -i eth0 -p tcp --dport 7000 -j DNAT --to 192.168.99.1:7070")
	s.same("the rule of another", "behind", s.outside(public4, 7000))
	out := s.guard(0, "start", "--public", "eth0,ppp0")
	for _, want := range []string{"the interface ppp0 does not exist now", "PREROUTING rule", "--to-destination 192.168.99.1:7070"} {
		if !strings.Contains(out, want) {
			s.Errorf("start does not print %q", want)
		}
	}
	s.same("the rule of another, cut", "", s.outside(public4, 7000))
	if out := s.guard(0, "allow", "7000"); strings.Contains(out, "192.168.99.1:7070") {
		s.Error("allow lists a rule that it opens")
	}
	s.same("the rule of another, allowed", "behind", s.outside(public4, 7000))
	s.root("iptables -t nat -D PREROUTING -i eth0 -p tcp --dport 7000 -j DNAT --to 192.168.99.1:7070")
	s.same("closed again", closedMatrix, s.matrix())

	// firewalld's reload: the rules of iptables are gone, of all tables but nat and filter.
	s.root("for p in iptables ip6tables; do $p -t mangle -F; $p -t mangle -X; done")
	s.same("without iptables' half", closedMatrix, s.matrix())
	s.guardStatus("chain-missing", "chain-missing")
}
