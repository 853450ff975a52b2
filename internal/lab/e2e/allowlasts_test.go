//go:build e2e && linux

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// reboot boots the docker host anew, and gives it IPv6 again.
func (s *scene) reboot() {
	s.Helper()
	old := s.vm.PID()
	_, _ = s.vm.Output(s.ctx(), "reboot")
	s.must(await.Until(s.ctx(), "the reboot", func() (bool, error) { p := s.vm.PID(); return p != 0 && p != old, nil }))
	s.must(s.vm.AwaitReady(s.ctx()))
	s.ipv6()
	s.root("ip -6 route add default via " + outside6)
}

// settled waits until all containers run and systemd has nothing more to do.
func (s *scene) settled(containers ...string) {
	s.Helper()
	s.must(await.Until(s.ctx(), "the containers", func() (bool, error) {
		out, err := s.vm.Docker(s.ctx(), "ps", "--format", "{{.Names}}")
		names := strings.Fields(out)
		return err == nil && !slices.ContainsFunc(containers, func(c string) bool { return !slices.Contains(names, c) }), nil
	}))
	s.must(await.Until(s.ctx(), "systemd", func() (bool, error) {
		out, err := s.vm.Output(s.ctx(), "systemctl", "list-jobs", "--no-legend")
		return err == nil && strings.TrimSpace(out) == "", nil
	}))
	time.Sleep(300 * time.Millisecond) // the path unit
}

// address is a container's own.
func (s *scene) address(container string) string {
	s.Helper()
	out, err := s.vm.Docker(s.ctx(), "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container)
	s.must(err)
	return out
}

func TestAllowLasts(t *testing.T) {
	s := closedWorld(t)
	s.allow(0, "allow", "web2")

	// Containers get each other's address while everything runs.
	before := s.address("web2")
	s.root("docker stop -t 0 web2 web3 && docker start web3 && docker start web2")
	s.settled("web1", "web2", "web3")
	if now := s.address("web2"); now == before || s.address("web3") != before {
		t.Errorf("web2 had %s and has %s", before, now)
	}
	s.wantOpen("swapped addresses", "web1", "web2")

	s.root("systemctl restart docker")
	s.must(s.vm.AwaitDockerd(s.ctx()))
	s.root("docker start web2 web3")
	s.settled("web1", "web2", "web3")
	s.wantOpen("docker restarted", "web1", "web2")

	// A script that takes its time: systemd counts the unit as started at once.
	slow := strings.Replace(secureFirewall, "#!/bin/bash\n", "#!/bin/bash\nsleep 0.3\n", 1)
	s.must(s.vm.WriteFile("/opt/secure_firewall.sh", []byte(slow), 0o755))
	s.root("iptables -F DOCKER-USER; iptables -A DOCKER-USER -j RETURN; ebtables -F; systemctl restart secure-firewall")
	s.wantOpen("slow script", "web1", "web2")

	// By hand, nothing of ours runs: it is drift, which allow repairs.
	s.root("/opt/secure_firewall.sh")
	drift := s.allow(1, "allow", "--list")
	if len(drift.Allowances) != 1 || len(drift.Allowances[0].Drift) == 0 {
		t.Errorf("drift: %+v", drift)
	}
	s.allow(0, "allow", "web2")
	s.same("drift", []string{}, s.allow(0, "allow", "--list").Allowances[0].Drift)
	s.wantOpen("script by hand, and allow", "web1", "web2")

	s.root("docker update --restart=always web2 web3; systemctl add-wants default.target secure-firewall.service")
	orders := map[string]string{
		"the unit after docker":  secureUnit,
		"the unit before docker": strings.Replace(secureUnit, "After=docker.service", "Before=docker.service\nDefaultDependencies=no", 1),
	}
	for _, name := range []string{"the unit after docker", "the unit before docker"} {
		s.must(s.vm.WriteFile("/etc/systemd/system/secure-firewall.service", []byte(orders[name]), 0o644))
		if strings.Contains(name, "before") { // docker has not made the chain yet
			s.must(s.vm.WriteFile("/opt/secure_firewall.sh", []byte(strings.Replace(slow, "sleep 0.3", "sleep 0.3; iptables -N DOCKER-USER", 1)), 0o755))
		}
		for boot := range 2 {
			s.root("systemctl daemon-reload; sync")
			s.reboot()
			s.settled("web1", "web2", "web3")
			s.wantOpen(fmt.Sprintf("%s, boot %d, web2 has %s", name, boot+1, s.address("web2")), "web1", "web2")
		}
	}
	s.same("drift", []string{}, s.allow(0, "allow", "--list").Allowances[0].Drift)
}

// How long a container that starts has no rules of ours.
func TestAllowFollowsContainers(t *testing.T) {
	s := closedWorld(t)
	s.allow(0, "allow", "web2")
	var took []time.Duration
	for range 5 {
		out := s.root(`docker stop -t 0 web2 >/dev/null
			until ! ebtables-save | grep -q 'arp-ip-dst 10.213.213.2 '; do :; done
			docker start web2 >/dev/null; a=$(date +%s%N)
			until ebtables-save | grep -q 'arp-ip-dst 10.213.213.2 '; do :; done
			echo $(($(date +%s%N) - a))`)
		n, err := strconv.Atoi(strings.TrimSpace(out))
		s.must(err)
		took = append(took, time.Duration(n))
	}
	slices.Sort(took)
	t.Logf("from docker's answer to the rules: %v", took)
	if took[2] > 2*time.Second {
		t.Errorf("it takes %v", took[2])
	}
	// Many starts in a row do not end it.
	s.root("for i in 1 2 3 4 5 6 7 8; do docker restart -t 0 web2 >/dev/null; done")
	s.settled("web2")
	s.same("path unit", "active\n", s.root("systemctl is-active docker-vpn-helper-allow.path"))
	s.wantOpen("many starts", "web1", "web2")
}

// --once ends with the next reboot, and so does what was not confirmed.
func TestAllowOnce(t *testing.T) {
	s := closedWorld(t)
	s.root("docker update --restart=always web2 web3; systemctl add-wants default.target secure-firewall.service")
	s.allow(0, "allow", "web2", "--once")
	s.wantOpen("once", "web1", "web2")
	s.reboot()
	s.settled("web1", "web2", "web3")
	s.wantOpen("rebooted", "web1")
	s.allow(0, "deny", "web2")
}

// The connection dies with the change: the docker host reverts it by itself, and a reboot does
// not bring it back.
func TestAllowUnconfirmed(t *testing.T) {
	s := closedWorld(t)
	before := s.ruleLines()
	s.root("systemctl add-wants default.target secure-firewall.service")
	// As soon as the change is there, nothing gets through to sshd any more.
	cut := s.vm.Enter(s.ctx(), "sh", "-c", "until iptables-save | grep -q dvh-allow; do :; done; iptables -t raw -I PREROUTING -p tcp --dport 22 -j DROP; date +%s%N")
	began := time.Now()
	s.must(cut.Start())
	r := s.helper("--json", "-H", "default", "allow", "web2", "--confirm-within", "8s", "--timeout", "60s")
	s.must(cut.Wait())
	t.Logf("exit %d after %v: %s%s", r.Exit, time.Since(began).Round(time.Millisecond), r.Stdout, r.Stderr)
	if r.Exit == 0 {
		t.Error("it is confirmed over a dead connection")
	}
	s.must(await.Until(s.ctx(), "the revert", func() (bool, error) { return !strings.Contains(s.ruleLines(), "dvh-allow"), nil }))
	s.root("iptables -t raw -F PREROUTING")
	s.same("rules", before, s.ruleLines())
	s.same("files", "", s.root("ls -A /etc/docker-vpn-helper 2>/dev/null; ls /etc/systemd/system | grep docker-vpn-helper || true"))
	s.reboot()
	if strings.Contains(s.ruleLines(), "dvh-allow") {
		t.Error("it is back after a boot")
	}
	s.root("docker start web2 web3")
	s.settled("web1", "web2", "web3")
	s.wantOpen("after a boot", "web1")
	s.allow(0, "allow", "web2")
	s.wantOpen("again", "web1", "web2")
}

// Inside an SSH session the user confirms, in another one.
func TestAllowInAnSSHSession(t *testing.T) {
	s := closedWorld(t)
	data, err := os.ReadFile(built.helper)
	s.must(err)
	s.must(s.vm.WriteFile("/usr/local/bin/docker-vpn-helper", data, 0o755))
	before := s.ruleLines()
	run := func(exit int, command string) string {
		s.Helper()
		r := s.sshToHost("sudo -n docker-vpn-helper -H local " + command)
		if r.Exit != exit {
			t.Fatalf("%s: exit %d: %s%s", command, r.Exit, r.Stdout, r.Stderr)
		}
		return r.Stdout + r.Stderr
	}
	said := run(0, "allow web2 --confirm-within 5s")
	if !strings.Contains(said, "docker-vpn-helper allow --confirm -H local") {
		t.Errorf("no command that confirms: %s", said)
	}
	run(0, "allow --list")
	s.must(await.Until(s.ctx(), "the revert", func() (bool, error) { return s.ruleLines() == before, nil }))
	run(1, "allow --confirm")
	if said := run(0, "undo local"); !strings.Contains(said, "allow web2 port 8080/tcp was not confirmed in time, and the docker host has reverted it by itself") || strings.Contains(said, "nothing to undo\n") {
		t.Errorf("undo of what was reverted: %s", said)
	}
	if said := run(0, "undo local"); !strings.Contains(said, "nothing to undo") {
		t.Errorf("undo once more: %s", said)
	}
	run(0, "allow web2")
	if list := run(0, "undo --list"); strings.Count(list, "rolled-back") != 1 || strings.Count(list, "done") != 1 {
		t.Errorf("the journal of what was reverted: %s", list)
	}
	run(0, "allow --confirm")
	s.wantOpen("confirmed", "web1", "web2")
	run(0, "undo local")
	s.same("rules", before, s.ruleLines())
}

// The program is killed at random instants: nothing is there that was not planned, and
// another run finishes.
func TestAllowKilled(t *testing.T) {
	s := closedWorld(t)
	instants := seeded(t)
	before := strings.Split(s.ruleLines(), "\n")
	began := time.Now()
	s.allow(0, "allow", "web2")
	took := time.Since(began)
	after := strings.Split(s.ruleLines(), "\n")
	n := 10
	if soaking() {
		n = 50
	}
	for i := range n {
		args := []string{"allow", "web2", "--confirm-within", "20s"}
		if i%2 == 0 {
			args = []string{"deny", "web2"}
		}
		cmd := s.lab.Command(s.ctx(), append([]string{"docker-vpn-helper", "-H", "default"}, args...)...)
		s.must(cmd.Start())
		time.Sleep(time.Duration(instants.Int64N(int64(took))))
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		s.forgetLogins()
		for range 5 {
			lines := strings.Split(s.ruleLines(), "\n")
			for _, line := range lines {
				if !slices.Contains(after, line) {
					t.Errorf("%v killed: %s", args, line)
				}
			}
			for _, line := range before {
				if !slices.Contains(lines, line) {
					t.Errorf("%v killed, and gone: %s", args, line)
				}
			}
			time.Sleep(100 * time.Millisecond)
		}
		if i%2 == 0 {
			s.allow(0, "allow", "web2")
			s.same("finished", after, strings.Split(s.ruleLines(), "\n"))
			continue
		}
		s.helper("-H", "default", "deny", "web2")
		s.must(await.Until(s.ctx(), "the old rules", func() (bool, error) { return s.ruleLines() == strings.Join(before, "\n"), nil }))
		s.allow(0, "allow", "web2")
	}
	s.wantOpen("in the end", "web1", "web2")
}

// A docker host without systemd: rules come back after a boot by bootlocal.sh.
func TestAllowBoot2docker(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{})
	s.must(s.vm.ImportBusybox(s.ctx()))
	s.web("web", "-p", "8080:80", "--restart=always")
	s.web("other", "-p", "8081:80", "--restart=always")
	// It waits until dockerd has made the chain.
	const script = "#!/bin/sh\nuntil iptables -nL DOCKER-USER >/dev/null 2>&1; do sleep 1; done\niptables -I DOCKER-USER 1 -i eth0 -j DROP\n"
	s.must(s.vm.WriteFile("/var/lib/boot2docker/bootlocal.sh", []byte(script), 0o755))
	s.root("sh /var/lib/boot2docker/bootlocal.sh")
	user := func() string { return s.root("iptables -S DOCKER-USER") }
	before := user()
	const note = "without systemd the rules are loaded only at boot"
	if a := s.allow(0, "allow", "web"); len(a.Notes) != 1 || !strings.Contains(a.Notes[0], note) {
		t.Errorf("notes: %q", a.Notes)
	}
	if a := s.allow(0, "allow", "--list"); len(a.Notes) != 1 || !strings.Contains(a.Notes[0], note) {
		t.Errorf("notes of --list: %q", a.Notes)
	}
	look := func(when string) {
		s.Helper()
		s.must(await.Until(s.ctx(), "web, "+when, func() (bool, error) { return s.get(8080) == nil, nil }))
		if s.get(8081) == nil {
			t.Errorf("%s: other answers", when)
		}
	}
	look("at once")
	old := s.vm.PID()
	_, _ = s.vm.Output(s.ctx(), "reboot")
	s.must(await.Until(s.ctx(), "the reboot", func() (bool, error) { p := s.vm.PID(); return p != 0 && p != old, nil }))
	s.must(s.vm.AwaitReady(s.ctx()))
	s.must(await.Until(s.ctx(), "bootlocal.sh", func() (bool, error) { return strings.Contains(s.ruleLines(), "dvh-allow"), nil }))
	look("after a boot")
	s.allow(0, "deny", "web")
	s.same("rules", before, user())
	s.same("bootlocal.sh", script, s.root("cat /var/lib/boot2docker/bootlocal.sh"))
}

// Another container that gets the port of one that is gone is not let in.
func TestAllowIsForOneContainer(t *testing.T) {
	s := closedWorld(t)
	s.allow(0, "allow", "web2")
	s.wantOpen("allowed", "web1", "web2")
	s.root("docker rm -f web2")
	s.web("web4", "-p", "8080:80", "--network=my-net")
	s.settled("web4")
	s.root("ip neigh flush all")
	if s.get(8080) == nil || s.page(public6, 8080) == nil {
		t.Error("web4 answers at web2's port")
	}
	if rules := s.ruleLines(); strings.Contains(rules, "dvh-allow") || strings.Contains(rules, "10.213.213.2 -j ACCEPT") {
		t.Errorf("rules of web2 are there: %s", rules)
	}
	s.same("drift", []string{"there is no container web2"}, s.allow(1, "allow", "--list").Allowances[0].Drift)
	s.root("docker rm -f web4")
	s.web("web2", "-p", "8080:80", "--network=my-net")
	s.settled("web2")
	s.wantOpen("web2 is made anew", "web1", "web2")
}

// Docker's rules are those of iptables-legacy.
func TestAllowLegacy(t *testing.T) {
	s := on(t, nsguest.Systemd, fakestore.Options{})
	s.root("for p in iptables ip6tables; do for t in '' -save -restore; do ln -sf xtables-legacy-multi /usr/sbin/$p$t; done; done; sync")
	old := s.vm.PID()
	_, _ = s.vm.Output(s.ctx(), "reboot")
	s.must(await.Until(s.ctx(), "the reboot", func() (bool, error) { p := s.vm.PID(); return p != 0 && p != old, nil }))
	s.must(s.vm.AwaitReady(s.ctx()))
	s.must(s.vm.ImportBusybox(s.ctx()))
	s.web("web", "-p", "8080:80")
	s.web("other", "-p", "8081:80")
	s.root("iptables-legacy -I DOCKER-USER 1 -i eth0 -j DROP; iptables-legacy -I DOCKER-USER 1 -s 192.0.2.0/24 -j DROP")
	before := s.root("iptables-legacy -S DOCKER-USER")
	s.allow(0, "allow", "web")
	s.must(s.get(8080))
	if s.get(8081) == nil {
		t.Error("other answers")
	}
	if rules := s.root("iptables-legacy -S DOCKER-USER | sed -n 3p"); !strings.Contains(rules, "dvh-allow:web") {
		t.Errorf("its place: %s", s.root("iptables-legacy -S DOCKER-USER"))
	}
	s.same("drift", []string{}, s.allow(0, "allow", "--list").Allowances[0].Drift)
	s.allow(0, "deny", "web")
	s.same("rules", before, s.root("iptables-legacy -S DOCKER-USER"))
}
