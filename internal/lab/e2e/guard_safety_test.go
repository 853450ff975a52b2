//go:build e2e && linux

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// guardHost is a docker host with a port to leave open, 8080, and one to close, 8081.
func guardHost(t *testing.T, style nsguest.Style) *scene {
	s := on(t, style, fakestore.Options{})
	s.must(s.vm.ImportBusybox(s.ctx()))
	s.ipv6()
	s.site("open", 80, "-p", "8080:80", "--restart=always")
	s.site("shut", 80, "-p", "8081:80", "--restart=always")
	return s
}

// ownRules prints what there is of guard.
const ownRules = `{ iptables-save; ip6tables-save; iptables-legacy-save; ip6tables-legacy-save; nft list ruleset; } 2>/dev/null | grep -E 'DOCKER-PUB|dvh_guard' || true`

// wantPublic wants exactly those of the two ports open.
func (s *scene) wantPublic(what string, open ...int) {
	s.Helper()
	for port, name := range map[int]string{8080: "open", 8081: "shut"} {
		want := ""
		if slices.Contains(open, port) {
			want = name
		}
		for _, a := range []string{public4, public6} {
			s.same(fmt.Sprintf("%s: port %d of %s", what, port, a), want, s.outside(a, port))
		}
	}
}

// A change that no new connection confirms is reverted, and not back after a boot.
func TestGuardNotConfirmed(t *testing.T) {
	s := guardHost(t, nsguest.Systemd)
	before := s.root(everyRule)
	// One login is let in, the next one is not: that is what a change can do that locks out.
	s.root("iptables -N ONE; iptables -I INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -j ONE; iptables -A ONE -m recent --name one --rcheck -j DROP; iptables -A ONE -m recent --name one --set")
	limited := s.root(everyRule)
	r := s.helper("guard", "start", "-H", "default", "--public", "eth0", "--allow", "8080", "--confirm-within", "5s", "--timeout", "40s")
	t.Logf("%s%s", r.Stdout, r.Stderr)
	s.same("exit status", 1, r.Exit)
	s.must(await.Until(s.ctx(), "the revert", func() (bool, error) { return s.root(everyRule) == limited, nil }))
	s.root("iptables -F ONE; iptables -D INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -j ONE; iptables -X ONE")
	s.same("rules", before, s.root(everyRule))
	s.wantPublic("reverted", 8080, 8081)

	s.guard(0, "start", "--public", "eth0", "--allow", "8080")
	s.wantPublic("confirmed", 8080)
	s.vbox("controlvm", "default", "poweroff")
	s.start(s.host)
	s.ipv6()
	s.wantPublic("confirmed, after a boot", 8080)
	s.helper("undo", "default")
	s.wantPublic("undone", 8080, 8081)
	s.same("rules after undo", "", s.root(ownRules))
}

// On the docker host itself, in an SSH session: the command prints how to confirm.
func TestGuardInSession(t *testing.T) {
	s := guardHost(t, nsguest.Systemd)
	s.root("mkdir -p /opt; true")
	program, err := os.ReadFile(built.helper)
	s.must(err)
	s.must(s.vm.WriteFile("/usr/local/bin/dvh", program, 0o755))
	r := s.sshToHost("dvh guard start -H local --public auto --allow 8080 --confirm-within 4s")
	t.Logf("%s%s", r.Stdout, r.Stderr)
	s.same("exit status", 0, r.Exit)
	if !strings.Contains(r.Stdout+r.Stderr, "docker-vpn-helper guard confirm -H local") {
		t.Error("it does not print how to confirm")
	}
	s.wantPublic("not confirmed yet", 8080)
	s.must(await.Until(s.ctx(), "the revert", func() (bool, error) { return s.outside(public4, 8081) == "shut", nil }))
	r = s.sshToHost("dvh guard confirm -H local")
	s.same("confirming too late", 1, r.Exit)
	undo := s.sshToHost("dvh undo local")
	s.same("undo of what was reverted", 0, undo.Exit)
	if !strings.Contains(undo.Stdout+undo.Stderr, "was not confirmed in time, and the docker host has reverted it by itself") || strings.Contains(undo.Stdout+undo.Stderr, "undone") {
		t.Errorf("undo prints: %s%s", undo.Stdout, undo.Stderr)
	}
	s.wantPublic("reverted", 8080, 8081)
	s.same("exit status", 0, s.sshToHost("dvh guard start -H local --public auto --allow 8080 --confirm-within 10s").Exit)
	s.same("confirming", 0, s.sshToHost("dvh guard confirm -H local").Exit)
	time.Sleep(time.Second)
	s.wantPublic("confirmed", 8080)
	s.guardStatus()

	// Not confirmed, and the power goes: the next boot has the rules that last.
	s.same("exit status", 0, s.sshToHost("dvh guard deny 8080 -H local --confirm-within 60s").Exit)
	s.wantPublic("not confirmed")
	s.vbox("controlvm", "default", "poweroff")
	s.start(s.host)
	s.ipv6()
	s.wantPublic("after a boot", 8080)
	s.guardStatus()
}

// guard's commands are killed at random instants: no closed port opens, and the next run
// finishes.
func TestGuardKilled(t *testing.T) {
	s := guardHost(t, nsguest.Systemd)
	before := s.root(everyRule)
	s.guard(0, "start", "--public", "eth0", "--allow", "8080")
	all := s.root(everyRule)
	instants := seeded(t)
	for i := range runs(100) {
		f := s.flood(8081)
		command := [][]string{{"allow", "8082"}, {"deny", "8080"}, {"start", "--allow", "8080,9000"}}[i%3]
		cmd := s.lab.Command(s.ctx(), append(append([]string{"docker-vpn-helper", "guard"}, command...), "-H", "default")...)
		s.must(cmd.Start())
		after := time.Duration(instants.IntN(1000)) * time.Millisecond
		time.Sleep(after)
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait()
		if i%2 == 1 { // and what runs on the docker host
			s.root("for p in $(ps -eo pid,args | awk '$2 == \"sh\" && $3 == \"-s\" { print $1 }'); do kill -9 $p; done 2>/dev/null; true")
		}
		s.guard(0, "start", "--public", "eth0", "--allow", "8080")
		f.closed(fmt.Sprintf("%v killed after %v", command, after))
		s.same("rules", all, s.root(everyRule))
		s.guardStatus()
	}
	for i := range 3 {
		cmd := s.lab.Command(s.ctx(), "docker-vpn-helper", "guard", []string{"stop", "start"}[i%2], "-H", "default")
		s.must(cmd.Start())
		time.Sleep(time.Duration(instants.IntN(900)) * time.Millisecond)
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait()
	}
	s.guard(0, "stop")
	s.same("rules after stop", before, s.root(everyRule))
	s.wantPublic("stopped", 8080, 8081)

	// Two at once: one waits.
	ended := make(chan int, 2)
	for range 2 {
		go func() {
			r, err := s.lab.Run(s.ctx(), nil, "docker-vpn-helper", "guard", "start", "-H", "default", "--public", "eth0", "--allow", "8080")
			if err != nil {
				r.Exit = -1
			}
			ended <- r.Exit
		}()
	}
	s.same("exit statuses", [2]int{0, 0}, [2]int{<-ended, <-ended})
	s.same("rules", all, s.root(everyRule))
}

// Each kind of drift, made by hand.
func TestGuardDrift(t *testing.T) {
	s := guardHost(t, nsguest.Systemd)
	s.guard(0, "start", "--public", "auto", "--allow", "8080")
	// A restart of dockerd may change the order of its own rules.
	const guards = "{ " + everyRule + "; } | grep -E 'DOCKER-PUB|dvh_guard'"
	all := s.root(guards)
	const dropIn = "/etc/systemd/system/docker.service.d/50-docker-vpn-helper-guard.conf"
	for _, c := range []struct{ do, kinds string }{
		{"iptables -t mangle -D FORWARD -i eth0 -j DOCKER-PUB", "jump-missing"},
		{"ip6tables -t mangle -D FORWARD -i eth0 -j DOCKER-PUB", "jump-missing"},
		{"iptables -t mangle -I FORWARD -p tcp -j ACCEPT", "jump-displaced"},
		{"iptables -t mangle -A FORWARD -i eth9 -j DOCKER-PUB", "jump-foreign"},
		{"iptables -t mangle -F; iptables -t mangle -X", "chain-missing"},
		{"ip6tables -t mangle -F; ip6tables -t mangle -X", "chain-missing"},
		{"iptables -t mangle -I DOCKER-PUB -j RETURN", "chain-changed"},
		{"nft delete table inet dvh_guard", "table-missing"},
		{"nft insert rule inet dvh_guard published accept", "table-changed"},
		{"iptables-legacy -A INPUT -p tcp --dport 7 -j DROP", "two-backends"},
		{"docker network create -o com.docker.network.bridge.name=lan8 eight", "bridge-unknown"},
		{"rm " + dropIn, "drop-in-missing"},
		{"rm " + dropIn + "; systemctl daemon-reload; systemctl restart docker", "cgroup-stale drop-in-missing"},
		{"echo >>" + dropIn, "drop-in-changed"},
		{"printf '[Service]\\nExecStartPre=\\n' >/etc/systemd/system/docker.service.d/99-other.conf; systemctl daemon-reload", "drop-in-masked"},
		{"rm /etc/docker-vpn-helper/guard/remove", "file-missing"},
		{"echo exit 0 >>/etc/docker-vpn-helper/guard/apply", "file-changed"},
		{"sed -i s/8080/8081/ /etc/docker-vpn-helper/guard/v4", "file-changed chain-changed"},
		{"ip route del default; ip route add default via " + s.laptopIP() + " dev eth1", "interface-outdated interface-outdated"},
	} {
		s.root(c.do)
		if c.kinds == "drop-in-changed" {
			s.root("systemctl daemon-reload")
		}
		s.Logf("after %s", c.do)
		s.guardStatus(strings.Fields(c.kinds)...)
		s.root(map[string]string{
			"jump-displaced":                        "iptables -t mangle -D FORWARD -p tcp -j ACCEPT",
			"two-backends":                          "iptables-legacy -F INPUT",
			"drop-in-masked":                        "rm /etc/systemd/system/docker.service.d/99-other.conf; systemctl daemon-reload",
			"interface-outdated interface-outdated": "ip route del default; ip route add default via " + outside4,
		}[c.kinds] + "\ntrue")
		s.guard(0, "start")
		s.guardStatus()
		if c.kinds == "bridge-unknown" {
			s.root("docker network rm eight")
			s.guard(0, "start")
		}
	}
	s.must(s.vm.AwaitDockerd(s.ctx()))
	s.same("rules when all is right again", all, s.root(guards))

	// A rule of another program between ours stays.
	s.root("iptables -t mangle -A FORWARD -p icmp -j MARK --set-mark 7")
	s.guard(0, "allow", "8081")
	s.guard(0, "stop")
	if left := s.root("iptables -t mangle -S FORWARD"); !strings.Contains(left, "--set-xmark 0x7") {
		t.Errorf("the rule of another program is gone: %s", left)
	}
}

// laptopIP is the laptop on the host-only network.
func (s *scene) laptopIP() string { return "192.168.99.1" }
