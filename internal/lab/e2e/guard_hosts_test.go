//go:build e2e && linux

package e2e

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// boot2docker: no systemd, no cgroup of dockerd: a list of ports, which follows docker.
func TestGuardBoot2docker(t *testing.T) {
	s := guardHost(t, nsguest.Boot2docker)
	s.guard(0, "start", "--public", "auto", "--allow", "8080")
	g := s.guardStatus()
	s.same("method", "list", g.Method)
	s.wantPublic("list", 8080)
	if !slices.ContainsFunc(g.Notes, func(n string) bool { return strings.Contains(n, "one by one") }) {
		t.Errorf("notes: %q", g.Notes)
	}
	s.wantIdle()
	f := s.flood(8083)
	s.site("new", 80, "-p", "8083:80")
	s.must(await.Until(s.ctx(), "the new port to close", func() (bool, error) { return s.outside(public6, 8083) == "", nil }))
	f.end("a new port")
	if n := f.all[net.JoinHostPort(public4, "8083")].in.Load(); n > 0 {
		t.Errorf("%d connections were let in to the new port over IPv4", n)
	}
	t.Logf("notes: %q", s.guardStatus().Notes)
	s.same("the new port over IPv4", "", s.outside(public4, 8083))
	s.must(s.vm.Service(s.ctx(), "restart"))
	s.must(s.vm.AwaitDockerd(s.ctx()))
	s.wantPublic("dockerd has restarted", 8080)

	f = s.flood(8081)
	s.vbox("controlvm", "default", "poweroff")
	s.start(s.host)
	s.ipv6()
	time.Sleep(300 * time.Millisecond)
	f.closed("a boot")
	s.wantPublic("after a boot", 8080)
	s.guardStatus()
	s.guard(0, "stop")
	s.same("rules after stop", "", s.root(ownRules))
	s.same("processes after stop", "", s.root("ps -eo args | grep '[g]uard/' || true"))
	s.same("files", "guard.saved\n", s.root("ls /var/lib/boot2docker/docker-vpn-helper; ls /var/lib/boot2docker/bootsync.sh 2>/dev/null || true"))
}

// wantIdle wants what follows docker for guard to use at most a thousandth of a processor.
func (s *scene) wantIdle() {
	s.Helper()
	used := func() (processes int, used time.Duration) {
		out := s.root(`for p in $(ps -eo pid,args | awk '/guard\/watch|docker .*events --filter/ && !/awk/ { print $1 }'); do echo $p; cat /proc/$p/task/*/schedstat 2>/dev/null; done`)
		for line := range strings.Lines(out) {
			fields := strings.Fields(line)
			if len(fields) == 1 {
				processes++
				continue
			}
			n, err := strconv.ParseInt(fields[0], 10, 64)
			s.must(err)
			used += time.Duration(n)
		}
		return processes, used
	}
	const look = 20 * time.Second
	time.Sleep(time.Second) // what begins
	processes, before := used()
	time.Sleep(look)
	_, after := used()
	s.Logf("%d processes follow docker, and used %v in %v", processes, after-before, look)
	if processes < 2 || after-before > look/1000 {
		s.Errorf("%d processes follow docker, and used %v in %v", processes, after-before, look)
	}
}

// systemd, and no way to find out whether the kernel matches cgroups: a list of ports, which
// follows docker by a path unit. Nothing of guard runs meanwhile.
func TestGuardList(t *testing.T) {
	s := guardHost(t, nsguest.Systemd)
	s.root("cp -p /usr/bin/unshare /opt/unshare; ln -sf /nonexistent /usr/bin/unshare")
	s.guard(0, "start", "--public", "auto", "--allow", "8080")
	s.same("method", "list", s.guardStatus().Method)
	s.wantPublic("list", 8080)
	for i := range 8 { // more than systemd's start limit in its interval
		s.site(fmt.Sprintf("new%d", i), 80, "-p", fmt.Sprintf("%d:80", 9000+i))
	}
	closed := func() (bool, error) {
		for i := range 8 {
			if s.outside(public6, 9000+i) != "" || s.outside(public4, 9000+i) != "" {
				return false, nil
			}
		}
		return true, nil
	}
	s.must(await.Until(s.ctx(), "the new ports to close", closed))
	g := s.guardStatus()
	if !slices.ContainsFunc(g.Notes, func(n string) bool { return strings.Contains(n, " ms over IPv6") }) {
		t.Errorf("how long a port was open is not printed: %q", g.Notes)
	}
	t.Logf("notes: %q", g.Notes)
	s.must(await.Until(s.ctx(), "no process of guard", func() (bool, error) { return s.root("ps -eo args | grep '[g]uard/' || true") == "", nil }))
	s.must(s.vm.Service(s.ctx(), "restart"))
	s.must(s.vm.AwaitDockerd(s.ctx()))
	s.must(await.Until(s.ctx(), "the web server", func() (bool, error) { return s.outside(public6, 8080) == "open", nil }))
	s.wantPublic("dockerd has restarted", 8080)
	s.root("systemctl stop docker-vpn-helper-guard.path; ip6tables -t mangle -D DOCKER-PUB-IN -p tcp -m tcp --dport 8081 -j DROP")
	s.guardStatus("port-not-listed", "path-unit-inactive")
	s.guard(0, "start")
	s.guardStatus()

	// The trial is possible again: the list goes.
	s.root("rm /usr/bin/unshare; cp -p /opt/unshare /usr/bin/unshare")
	s.guard(0, "start")
	s.same("method", "cgroup", s.guardStatus().Method)
	s.wantPublic("cgroup", 8080)
	s.same("units", "", s.root("ls /etc/systemd/system | grep docker-vpn-helper || true"))
	s.guard(0, "stop")
	s.same("rules after stop", "", s.root(ownRules))
}

// Neither systemd nor boot2docker: the rules are loaded, and what is missing is said.
func TestGuardWithoutInit(t *testing.T) {
	s := guardHost(t, nsguest.Boot2docker)
	s.root("umount -l /var/lib/boot2docker && rmdir /var/lib/boot2docker")
	program, err := os.ReadFile(built.helper)
	s.must(err)
	s.must(s.vm.WriteFile("/usr/local/bin/dvh", program, 0o755))
	out := s.root("dvh guard start -H local --public eth0 --allow 8080 2>&1")
	t.Log(out)
	if !strings.Contains(out, "run /etc/docker-vpn-helper/guard/apply at boot before dockerd starts") {
		t.Error("it does not say what is missing")
	}
	s.wantPublic("loaded", 8080)
	if out := s.root("dvh guard start -H local 2>&1"); !strings.Contains(out, "nothing to change") {
		t.Errorf("the same again: %s", out)
	}
	s.root("dvh guard deny 8080 -H local")
	s.wantPublic("denied")
	s.root("dvh undo local")
	s.wantPublic("undone", 8080)
	s.root("dvh guard status -H local; dvh guard stop -H local")
	s.wantPublic("stopped", 8080, 8081)
	s.root("dvh undo local")
	s.wantPublic("stop undone", 8080)
	s.root("dvh guard stop -H local")
	s.same("rules after stop", "", s.root(ownRules))
	s.same("processes after stop", "", s.root("ps -eo args | grep '[g]uard/' || true"))
}
