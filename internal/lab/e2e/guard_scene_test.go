//go:build e2e && linux

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/netns"
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
