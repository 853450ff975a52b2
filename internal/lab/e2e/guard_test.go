//go:build e2e && linux

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/netns"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// The docker host's public side: eth0, and a client outside.
const (
	public4, public6   = "10.0.2.15", "2001:db8:7::2"
	outside4, outside6 = "10.0.2.2", "2001:db8:7::9"
)

// guarded is what `guard status --json` prints.
type guarded struct {
	On, Pending bool
	Method      string
	Public      []string
	Ports       []struct {
		Container, Protocol string
		Port                int
		Open                bool
		From                []string
	}
	Drift []struct{ Kind, Text string }
	Notes []string
}

// guard runs a command of guard on the machine, which must end with that exit status.
func (s *scene) guard(exit int, args ...string) string {
	s.Helper()
	began := time.Now()
	r := s.helper(append(append([]string{"guard"}, args...), "-H", "default")...)
	s.Logf("guard %v took %v: %s%s", args, time.Since(began).Round(time.Millisecond), r.Stdout, r.Stderr)
	if r.Exit != exit {
		s.Fatalf("guard %v: exit %d, want %d", args, r.Exit, exit)
	}
	return r.Stdout + r.Stderr
}

// guardStatus asks for the state; what drifts is named in drift.
func (s *scene) guardStatus(drift ...string) guarded {
	s.Helper()
	r := s.helper("--json", "guard", "status", "-H", "default")
	var g guarded
	s.decode(r.Stdout, &g)
	var kinds []string
	for _, d := range g.Drift {
		kinds = append(kinds, d.Kind)
	}
	s.same("drift", drift, kinds)
	if want := min(1, len(drift)); r.Exit != want {
		s.Errorf("guard status: exit %d, want %d: %s%s", r.Exit, want, r.Stdout, r.Stderr)
	}
	return g
}

// ipv6 gives the docker host and the client outside IPv6.
func (s *scene) ipv6() {
	s.Helper()
	s.root("sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0 net.ipv6.conf.eth0.accept_dad=0; ip -6 addr add " + public6 + "/64 dev eth0 nodad")
	link, err := s.vm.NAT.Output(s.ctx(), "sh", "-c", "ip -o -4 addr show to "+outside4+" | awk '{print $2}'")
	s.must(err)
	s.must(s.vm.NAT.IP(s.ctx(), "addr add "+outside6+"/64 dev "+strings.TrimSpace(link)+" nodad"))
	s.must(await.Until(s.ctx(), "IPv6 to the docker host", func() (bool, error) {
		conn, err := s.vm.NAT.Dial(s.ctx(), net.JoinHostPort(public6, "22"))
		if err == nil {
			conn.Close()
		}
		return err == nil, err
	}))
}

// outside asks a web server from outside: what it answers, "" if nothing.
func (s *scene) outside(address string, port int) string {
	s.Helper()
	return s.ask(func() (net.Conn, error) { return s.vm.NAT.Dial(s.ctx(), net.JoinHostPort(address, fmt.Sprint(port))) })
}

func (s *scene) ask(dial func() (net.Conn, error)) string {
	conns := make(chan net.Conn, 1)
	go func() {
		conn, err := dial()
		if err != nil {
			close(conns)
			return
		}
		conns <- conn
	}()
	select {
	case conn, ok := <-conns:
		if !ok {
			return ""
		}
		defer conn.Close()
		s.must(conn.SetDeadline(time.Now().Add(2 * time.Second)))
		if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
			return ""
		}
		all, _ := io.ReadAll(conn)
		_, body, _ := strings.Cut(string(all), "\r\n\r\n")
		return strings.TrimSpace(body)
	case <-time.After(1500 * time.Millisecond):
		return ""
	}
}

// datagram sends one from outside and waits for the answer.
func (s *scene) datagram(address string, port int) string {
	s.Helper()
	var conn net.Conn
	s.must(s.vm.NAT.Do(func() (err error) {
		conn, err = net.Dial("udp", net.JoinHostPort(address, fmt.Sprint(port)))
		return err
	}))
	defer conn.Close()
	s.must(conn.SetDeadline(time.Now().Add(1500 * time.Millisecond)))
	if _, err := io.WriteString(conn, "x\n"); err != nil {
		return ""
	}
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line)
}

// site starts a container with a web server that answers with its name.
func (s *scene) site(name string, port int, args ...string) {
	s.Helper()
	run := append([]string{"run", "-d", "--name", name}, args...)
	_, err := s.vm.Docker(s.ctx(), append(run, "busybox", "sh", "-c", fmt.Sprintf("mkdir /www; echo %s >/www/index.html; exec httpd -f -p %d -h /www", name, port))...)
	s.must(err)
}

// sites are the containers of the tests.
func (s *scene) sites() {
	s.Helper()
	s.must(s.vm.ImportBusybox(s.ctx()))
	s.ipv6()
	s.site("open", 80, "-p", "8080:80", "--restart=always")
	s.site("shut", 80, "-p", "8081:80", "--restart=always")
	s.site("cross", 443, "-p", "9001:443")
	s.site("crossed", 80, "-p", "443:80")
	s.site("lan", 80, "-p", s.m.IP+":8082:80")
	s.site("own-network", 8090, "--network", "host")
	for _, u := range []struct{ name, port string }{{"udp-open", "5353"}, {"udp-shut", "5354"}} {
		_, err := s.vm.Docker(s.ctx(), "run", "-d", "--name", u.name, "--restart=always", "-p", u.port+":53/udp", "-v", "/usr:/usr", "-v", "/lib:/lib", "-v", "/lib64:/lib64",
			"busybox", "python3", "-c", "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.bind(('', 53))\nwhile True: s.sendto(b'"+u.name+"\\n', s.recvfrom(99)[1])")
		s.must(err)
	}
	for _, port := range []int{5353, 5354} {
		s.must(await.Until(s.ctx(), "a UDP server", func() (bool, error) { return s.datagram(public4, port) != "", nil }))
	}
	s.root("mkdir -p /tmp/www; echo host >/tmp/www/index.html; busybox httpd -p 8091 -h /tmp/www")
	s.must(s.vm.NAT.IP(s.ctx(), "route add 172.17.0.0/16 via "+public4))
}

// answerAt answers every connection at an address of a namespace.
func (s *scene) answerAt(ns netns.NS, address, answer string) {
	s.Helper()
	var l net.Listener
	s.must(ns.Do(func() (err error) {
		l, err = net.Listen("tcp", address)
		return err
	}))
	s.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 4096))
				_, _ = io.WriteString(conn, "HTTP/1.0 200 OK\r\n\r\n"+answer)
			}()
		}
	}()
}

// others are what guard has nothing to do with: a way through the docker host, and a server
// outside.
func (s *scene) others() {
	s.Helper()
	s.root("iptables -t nat -A POSTROUTING -s 10.0.2.2 -o eth1 -j MASQUERADE; iptables -I FORWARD -i eth0 -o eth1 -j ACCEPT; iptables -I FORWARD -i eth1 -o eth0 -j ACCEPT")
	s.must(s.vm.NAT.IP(s.ctx(), "route add 192.168.99.0/24 via "+public4))
	s.answerAt(s.lab.Laptop(), "192.168.99.1:7070", "behind")
	s.answerAt(s.vm.NAT, outside4+":7071", "outside")
}

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
	for _, want := range []string{"no interface ppp0 now", "PREROUTING rule", "--to-destination 192.168.99.1:7070"} {
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
