//go:build e2e && linux

package e2e

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/pictures"
)

var update = flag.Bool("update", false, "write the picture of reach")

// reached is what `reach --json` prints.
type reached struct {
	Verdict   string
	Obstacles []struct {
		Layer, Backend, Tool, Family, Table, Chain, Text string
		Rule                                             int
		Written                                          struct {
			Unit, File string
			Line       int
		} `json:"written_by"`
	}
	Doubts []struct{ Text, Why string }
	Notes  []string
}

// lines are the obstacles, one a line.
func (r reached) lines() string {
	var b strings.Builder
	for _, o := range r.Obstacles {
		switch {
		case o.Tool == "":
			fmt.Fprintf(&b, "%s: %s\n", o.Layer, o.Text)
		case o.Rule == 0:
			fmt.Fprintf(&b, "%s: %s-%s %s %s %s\n", o.Layer, o.Tool, o.Backend, o.Table, o.Chain, o.Text)
		default:
			fmt.Fprintf(&b, "%s: %s-%s %s %s rule %d: %s [%s %s:%d]\n", o.Layer, o.Tool, o.Backend, o.Table, o.Chain, o.Rule, o.Text, o.Written.Unit, o.Written.File, o.Written.Line)
		}
	}
	return b.String()
}

// reach asks the program, and wants exit status 0 for reachable, 1 for blocked, 4 for unknown.
func (s *scene) reach(target string, args ...string) reached {
	s.Helper()
	began := time.Now()
	out := s.helper(append([]string{"--json", "reach", target, "-H", "default"}, args...)...)
	var r reached
	s.decode(out.Stdout, &r)
	s.Logf("reach %s %v took %v", target, args, time.Since(began).Round(time.Millisecond))
	if want := map[string]int{"reachable": 0, "blocked": 1, "unknown": 4}[r.Verdict]; out.Exit != want || r.Verdict == "" {
		s.Errorf("reach %s %v: exit %d, verdict %q: %s%s", target, args, out.Exit, r.Verdict, out.Stdout, out.Stderr)
	}
	return r
}

// get asks a web server on the docker host's public side, as a client outside does.
func (s *scene) get(port int) error {
	s.Helper()
	return s.page(nsguest.NATGuest, port)
}

// page asks a web server at an address, from the docker host's public side.
func (s *scene) page(addr string, port int) error {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx(), 3*time.Second)
	defer cancel()
	conn, err := s.vm.NAT.Dial(ctx, net.JoinHostPort(addr, strconv.Itoa(port)))
	if err != nil {
		return err
	}
	defer conn.Close()
	s.must(conn.SetDeadline(time.Now().Add(4 * time.Second)))
	if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// root runs a line of shell on the docker host.
func (s *scene) root(line string) string {
	s.Helper()
	out, err := s.vm.Output(s.ctx(), "sh", "-c", line)
	s.must(err)
	return out
}

const allRules = "{ iptables-save; ip6tables-save; iptables-legacy-save; ebtables-save; nft -s list ruleset 2>/dev/null; } | grep -v '^#'"

// secureFirewall is the script of a contest's docker host, which a unit runs at every boot.
const secureFirewall = `#!/bin/bash
iptables -I DOCKER-USER 1 -j DROP
iptables -I DOCKER-USER 1 -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
iptables -I DOCKER-USER 1 -p tcp --dport 80  -d 10.213.213.213  -j ACCEPT
iptables -I DOCKER-USER 1 -d 10.213.213.1  -j ACCEPT
ebtables -A INPUT -i eth0 -j ACCEPT
ebtables -A INPUT -p ARP --arp-ip-src 10.213.213.213 --arp-ip-dst 10.213.213.1 -j ACCEPT
ebtables -A INPUT -p ARP --arp-ip-src 10.213.213.1 --arp-ip-dst 10.213.213.213 -j ACCEPT
ebtables -A INPUT -p ARP -j DROP
ebtables -A OUTPUT -o eth0 -j ACCEPT
ebtables -A OUTPUT -p ARP --arp-ip-src 10.213.213.213 --arp-ip-dst 10.213.213.1 -j ACCEPT
ebtables -A OUTPUT -p ARP --arp-ip-src 10.213.213.1 --arp-ip-dst 10.213.213.213 -j ACCEPT
ebtables -A OUTPUT -p ARP -j DROP
`

const secureUnit = `[Unit]
Description=secure firewall
After=docker.service
[Service]
ExecStart=/opt/secure_firewall.sh
[Install]
WantedBy=multi-user.target
`

// web starts a container with a web server.
func (s *scene) web(name string, args ...string) {
	s.Helper()
	run := append([]string{"run", "-d", "--name", name}, args...)
	_, err := s.vm.Docker(s.ctx(), append(run, "busybox", "sh", "-c", "echo hello >/tmp/index.html; exec httpd -f -p 80 -h /tmp")...)
	s.must(err)
}

// contest is the docker host of the contest: web1 is reachable, web2's port is dead.
func contest(t *testing.T) *scene {
	s := on(t, nsguest.Systemd, fakestore.Options{})
	s.must(s.vm.ImportBusybox(s.ctx()))
	_, err := s.vm.Docker(s.ctx(), "network", "create", "-d", "bridge", "my-net", "--gateway", "10.213.213.1", "--subnet", "10.213.213.0/24")
	s.must(err)
	s.web("web1", "--restart=always", "-p", "80:80", "--network=my-net", "--ip=10.213.213.213", "--mac-address=02:42:ac:11:00:02")
	s.web("web2", "-p", "8080:80", "--network=my-net")
	s.root("mkdir -p /opt")
	s.must(s.vm.WriteFile("/opt/secure_firewall.sh", []byte(secureFirewall), 0o755))
	s.must(s.vm.WriteFile("/etc/systemd/system/secure-firewall.service", []byte(secureUnit), 0o644))
	s.root("systemctl daemon-reload && systemctl enable --now secure-firewall && while systemctl is-active -q secure-firewall; do sleep 0.1; done; ip neigh flush all")
	return s
}

const (
	dropDocker = "l3: iptables-nft filter DOCKER-USER rule 4: -j DROP [secure-firewall.service /opt/secure_firewall.sh:2]\n"
	dropAsk    = "arp: ebtables-nft filter OUTPUT rule 4: -p ARP -j DROP [secure-firewall.service /opt/secure_firewall.sh:13]\n"
	dropReply  = "arp: ebtables-nft filter INPUT rule 4: -p ARP -j DROP [secure-firewall.service /opt/secure_firewall.sh:9]\n"
)

// firewallLayer is doctor's layer firewall in short, as that line of shell prints it.
func (s *scene) firewallLayer(line string) string {
	s.Helper()
	var report struct {
		Layers []struct {
			Layer, Status, Skipped string
			Findings               []struct{ Code string }
		}
	}
	s.decode(s.root(line+"; true"), &report)
	for _, l := range report.Layers {
		if l.Layer != "firewall" {
			continue
		}
		short := l.Status + ":"
		if l.Skipped != "" {
			short += " " + l.Skipped
		}
		for _, f := range l.Findings {
			short += " " + f.Code
		}
		return short
	}
	s.Fatalf("no layer firewall: %+v", report)
	return ""
}

func TestReachContest(t *testing.T) {
	s := contest(t)
	s.must(s.get(80))
	if s.get(8080) == nil {
		t.Fatal("web2 answers")
	}
	before, logins := s.root(allRules), s.logins()
	s.same("web2", dropDocker+dropAsk+dropReply, s.reach("web2").lines())
	s.same("logins", logins+1, s.logins())
	s.same("rules", before, s.root(allRules))
	s.same("8080 from the docker host itself", dropAsk+dropReply, s.reach("8080", "--from", "local").lines())
	s.same("8080 from the host-only network", dropDocker+dropAsk+dropReply, s.reach("8080", "--from", "lan").lines())
	s.same("web1", "", s.reach("web1").lines())
	// Frames on bridges pass iptables, too, as long as br_netfilter is on.
	s.same("web2 from web1", dropDocker, s.reach("web2", "--from", "container:web1").lines())
	across := func() error { // over the bridge, from web1 to web2
		_, err := s.vm.Docker(s.ctx(), "exec", "web1", "sh", "-c", "echo | nc -w 3 10.213.213.2 80")
		return err
	}
	if across() == nil {
		t.Error("web1 reaches web2")
	}
	text := s.helper("reach", "web2", "-H", "default")
	t.Logf("\n%s%s", text.Stdout, text.Stderr)
	if err := pictures.Check("../../../docs/pictures", "reach", "reach names each rule that keeps packets from a container, and what wrote it",
		"$ docker-vpn-helper reach web2 -H default\n"+text.Stdout, *update); err != nil {
		t.Error(err)
	}
	if os.Getenv("DVH_SHOW") != "" {
		t.Log(s.helper("-v", "reach", "web2", "-H", "default").Stdout)
	}

	// On the docker host itself doctor warns of the same; without root it is skipped.
	program, err := os.ReadFile(built.helper)
	s.must(err)
	s.must(s.vm.WriteFile("/opt/docker-vpn-helper", program, 0o755))
	s.same("doctor local", "warn: firewall.drops firewall.arp-drops firewall.arp-drops", s.firewallLayer("/opt/docker-vpn-helper --json doctor local"))
	s.same("doctor local without root", "skipped: needs root", s.firewallLayer("busybox su docker -s /bin/sh -c '/opt/docker-vpn-helper --json doctor local'"))

	// Half of the repair: what is left, and only that. A client sees the same.
	for _, half := range []struct {
		name, undo, redo, want string
	}{
		{"only iptables dropped", "ebtables -F", "ebtables -A INPUT -i eth0 -j ACCEPT", dropDocker},
		{"only ebtables", "iptables -I DOCKER-USER 1 -j ACCEPT", "iptables -D DOCKER-USER 1", dropAsk + dropReply},
	} {
		save := s.root("ebtables-save")
		s.root(half.undo + "; ip neigh flush all")
		s.same(half.name, half.want, s.reach("web2").lines())
		if s.get(8080) == nil {
			t.Errorf("%s: web2 answers", half.name)
		}
		s.root(half.redo)
		cmd := s.vm.Enter(s.ctx(), "ebtables-restore")
		cmd.Stdin = strings.NewReader(save)
		s.must(cmd.Run())
	}
	s.root("iptables -D DOCKER-USER -j DROP; ebtables -F INPUT; ip neigh flush all")
	s.same("only the question is dropped", dropAsk, s.reach("web2").lines())
	if s.get(8080) == nil {
		t.Error("web2 answers")
	}
	s.root("ebtables -F OUTPUT; ebtables -A INPUT -p ARP -j DROP; ip neigh flush all")
	if s.get(8080) == nil {
		t.Error("web2 answers")
	}
	s.same("only the answer is dropped", strings.ReplaceAll(dropReply, "rule 4", "rule 1"), s.reach("web2").lines())

	// The false green: the neighbor table still has the address.
	s.root("ebtables -F; ip neigh flush all")
	s.must(s.get(8080))
	s.root("ebtables -A INPUT -p ARP -j DROP")
	s.must(s.get(8080))
	r := s.reach("web2")
	s.same("false green", strings.ReplaceAll(dropReply, "rule 4", "rule 1"), r.lines())
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "until that entry expires") {
		t.Errorf("notes: %q", r.Notes)
	}
	s.root("ip neigh flush all")
	if s.get(8080) == nil {
		t.Error("web2 answers without its neighbor entry")
	}
	s.root("ebtables -F")
	s.same("all is repaired", "", s.reach("web2").lines())
	s.must(across())
	s.must(s.get(8080))
}

// What else keeps packets away, on a docker host without systemd: what is printed, and what
// a client outside meets.
func TestReachCauses(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{})
	s.must(s.vm.ImportBusybox(s.ctx()))
	s.web("web", "-p", "8080:80")
	_, err := s.vm.Docker(s.ctx(), "run", "-d", "--name", "shy", "-p", "8081:80", "busybox", "httpd", "-f", "-p", "127.0.0.1:80", "-h", "/tmp")
	s.must(err)
	s.must(s.get(8080))
	s.same("nothing", "", s.reach("web").lines())
	for _, c := range []struct{ name, do, undo, target, want string }{
		{"listens on loopback", "true", "true", "shy", "container: in container shy port 80/tcp is open only on 127.0.0.1, which can be reached only from inside the container\n"},
		{"nothing is published", "true", "true", "9999", "docker: nothing is published on port 9999 of the docker host\n"},
		{"ip_forward is off", "sysctl -qw net.ipv4.ip_forward=0", "sysctl -qw net.ipv4.ip_forward=1", "web", "route: net.ipv4.ip_forward is 0: the docker host forwards no packets\n"},
		{"the other backend", "iptables-legacy -A FORWARD -p tcp --dport 80 -j DROP", "iptables-legacy -F FORWARD", "web", "l3: iptables-legacy filter FORWARD rule 1: -p tcp -m tcp --dport 80 -j DROP [ :0]\n"},
		{"mangle", "iptables -t mangle -A PREROUTING -p tcp --dport 8080 -j DROP", "iptables -t mangle -F PREROUTING", "8080", "l3: iptables-nft mangle PREROUTING rule 1: -p tcp -m tcp --dport 8080 -j DROP [ :0]\n"},
		{"the answer", "iptables -I DOCKER-USER -i docker0 -o eth0 -m conntrack --ctdir REPLY -j REJECT", "iptables -D DOCKER-USER 1", "web",
			"l3: iptables-nft filter DOCKER-USER rule 1: -i docker0 -o eth0 -m conntrack --ctdir REPLY -j REJECT --reject-with icmp-port-unreachable [ :0]\n"},
		{"the connection's later packets", "iptables -I DOCKER-USER -i eth0 -m conntrack --ctstate ESTABLISHED -j DROP", "iptables -D DOCKER-USER 1", "web",
			"l3: iptables-nft filter DOCKER-USER rule 1: -i eth0 -m conntrack --ctstate ESTABLISHED -j DROP [ :0]\n"},
		{"nft", "nft add table inet fw; nft add chain inet fw pass '{ type filter hook forward priority -5; }'; nft add rule inet fw pass iifname eth0 tcp dport '{ 80, 443 }' drop", "nft delete table inet fw", "web",
			"l3: nft-nft fw pass rule 1: meta iifname eth0 tcp dport (set: [80, 443]) drop [ :0]\n"},
	} {
		s.root(c.do)
		if s.get(map[string]int{"shy": 8081, "9999": 9999}[c.target]+map[string]int{"web": 8080, "8080": 8080}[c.target]) == nil {
			t.Errorf("%s: the port answers", c.name)
		}
		s.same(c.name, c.want, s.reach(c.target).lines())
		s.root(c.undo)
	}
	// A firewall's reload has flushed docker's chains: docker-proxy takes the packets then.
	s.root("iptables -P FORWARD DROP; iptables -F; iptables -t nat -F")
	r := s.reach("172.17.0.2:80", "--from", "lan")
	s.same("docker's rules are gone", "l3: iptables-nft filter FORWARD policy DROP\n", r.lines())
	s.same("by docker-proxy", "", s.reach("web").lines())
	s.must(s.get(8080))
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "docker's own rules are missing") {
		t.Errorf("notes: %q", r.Notes)
	}
}
