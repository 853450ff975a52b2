//go:build e2e && linux

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// program puts a script into the laptop's PATH, before everything else.
func (s *scene) program(name, script string) {
	s.Helper()
	s.must(os.WriteFile(filepath.Join(s.lab.Dir(), "bin", name), []byte("#!/bin/bash\n"+script), 0o755))
}

// vboxdrv makes a service of the kernel modules, as systemctl would know it. It
// does not restart while a VM runs, and a restart takes the adapter's address.
func (s *scene) vboxdrv() {
	s.Helper()
	s.program("systemctl", `echo "$*" >> $HOME/systemctl.log
case "$*" in
"cat vboxdrv.service") echo '# /run/systemd/generator.late/vboxdrv.service' ;;
"restart vboxdrv")
	[ -z "$(VBoxManage list runningvms)" ] || { echo "Job for vboxdrv.service failed." >&2; exit 1; }
	ip addr flush dev vboxnet0 ;;
*) exit 4 ;;
esac
`)
}

// alone runs the program where it sees no other VM process than those of this
// lab: the computer that runs the test may have others, and VirtualBox's modules
// are all processes' business. VBoxManage is run outside, so that what it starts
// lives on there.
func (s *scene) alone(args ...string) lab.Result {
	s.Helper()
	dir := filepath.Join(s.lab.Home(), "outside")
	s.must(os.MkdirAll(dir, 0o755))
	s.must(os.WriteFile(filepath.Join(dir, "VBoxManage"), []byte("#!/bin/sh\nexec nsenter --target $OUTER --mount -- "+s.lab.Dir()+"/bin/VBoxManage \"$@\"\n"), 0o755))
	r, err := s.lab.Run(s.ctx(), nil, append([]string{"bash", "-c", `OUTER=$$ unshare --mount bash -c '
set -e
view=$HOME/outside/proc
mkdir -p $view
mount -t tmpfs none $view
mkdir $view/.all
mount --rbind /proc $view/.all
cd /proc
for f in [!0-9]*; do ln -s .all/$f $view/$f; done
ln -s .all/$OUTER $view/$OUTER
for p in $(pgrep -x VBoxHeadless); do
	if grep -qzx "FAKEVBOX_HOME=$FAKEVBOX_HOME" $p/environ 2>/dev/null; then ln -s .all/$p $view/$p; fi
done
cd $HOME
mount --rbind $view /proc
PATH=$HOME/outside:$PATH exec docker-vpn-helper "$@"' - "$@"
exit`, "-"}, args...)...)
	s.must(err)
	return r
}

// two machines run, a container on each.
func two(t *testing.T) (*scene, *host) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{})
	other := s.add(nsguest.Boot2docker, fakestore.Options{Name: "other"})
	s.start(other)
	for _, h := range []*host{s.host, other} {
		s.must(h.vm.ImportBusybox(s.ctx()))
		_, err := h.vm.Docker(s.ctx(), "run", "-d", "--name", "web", "busybox", "sleep", "1000")
		s.must(err)
	}
	s.vboxdrv()
	return s, other
}

// untouched is what a refusal leaves as it was.
func (s *scene) untouched(other *host) map[string]any {
	s.Helper()
	calls, err := os.ReadFile(filepath.Join(s.lab.Dir(), "vbox", "calls.log"))
	s.must(err)
	changing := regexp.MustCompile(`(?m)^(controlvm|startvm|modifyvm|hostonlyif) .*$`)
	log, _ := os.ReadFile(filepath.Join(s.lab.Home(), "systemctl.log"))
	return map[string]any{
		"VBoxManage": strings.Join(changing.FindAllString(string(calls), -1), "\n"), "restarts": strings.Count(string(log), "restart"),
		"default": s.containers(), "dockerd": s.vm.DockerdPID(), "other": other.vm.DockerdPID(),
	}
}

// Issue 4, line 2: module restart with two VMs running.
func TestModulesAreNotRestartedWhileVMsRun(t *testing.T) {
	s, other := two(t)
	before := s.untouched(other)
	r := s.alone("modules", "restart")
	s.same("exit", 3, r.Exit)
	if n := len(regexp.MustCompile(`VBoxHeadless \(pid \d+\)`).FindAllString(r.Stderr, -1)); n != 2 || !strings.Contains(r.Stderr, "modules restart --stop-vms") {
		t.Errorf("%d PIDs: %s", n, r.Stderr)
	}
	s.same("nothing touched", before, s.untouched(other))
}

// Issue 4, line 2: with --stop-vms both are back, containers and all.
func TestModulesAreRestartedWithTheVMsSaved(t *testing.T) {
	s, other := two(t)
	s.must(s.lab.LoseRoute(s.ctx()))
	web, pid, pid2 := s.containers(), s.vm.DockerdPID(), other.vm.DockerdPID()
	r := s.alone("modules", "restart", "--stop-vms")
	if r.Exit != 0 {
		t.Fatalf("exit %d\n%s", r.Exit, r.Stderr)
	}
	s.must(s.vm.AwaitReady(s.ctx()))
	s.must(other.vm.AwaitReady(s.ctx()))
	s.same("containers", web, s.containers())
	s.same("dockerd's PIDs", []int{pid, pid2}, []int{s.vm.DockerdPID(), other.vm.DockerdPID()})
	s.same("the other's container", map[string]bool{"web": true}, func() map[string]bool {
		ok, err := other.vm.HasContainer(s.ctx(), "web")
		s.must(err)
		return map[string]bool{"web": ok}
	}())
	s.wantRoute(lab.Adapter)
	log, err := os.ReadFile(filepath.Join(s.lab.Home(), "systemctl.log"))
	s.must(err)
	s.same("restarts", 1, strings.Count(string(log), "restart vboxdrv"))
}

// All steps: adding the route and giving the adapter its address help
// nothing, as its other end is dead until the modules are restarted.
func TestFixRestartsTheModulesLast(t *testing.T) {
	s, other := two(t)
	s.must(s.lab.StaleRoute(s.ctx()))
	s.program("systemctl", `case "$*" in
"cat vboxdrv.service") ;;
"restart vboxdrv") ip addr flush dev vboxnet0; ip netns exec dvh-`+s.lab.Name+`-wires ip link set laptop master br0 ;;
*) exit 4 ;;
esac
`)
	r := s.alone("--json", "fix", "--yes", "default")
	s.same("exit without --stop-vms", 0, r.Exit)
	if s.direct("version").Exit == 0 {
		t.Error("the route is alive before its time")
	}
	r = s.alone("--json", "fix", "--yes", "--stop-vms", "default")
	var f fixed
	s.decode(r.Stdout, &f)
	s.same("exit", 0, r.Exit)
	s.same("applied", []string{"restore the route 192.168.99.0/24 by vboxnet0", "give host-only adapter vboxnet0 its address 192.168.99.1/24", "restart VirtualBox's kernel modules"}, f.Applied)
	s.must(other.vm.AwaitReady(s.ctx()))
	s.same("docker at the host-only address", 0, s.direct("version").Exit)
}

// Issue 4, line 2: the route alone comes back, and the VM hears nothing of it.
func TestLostRouteIsPutBackWithoutTouchingTheVM(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{})
	s.vpn(true)
	s.vpn(false)
	pid := s.vm.DockerdPID()
	f := s.fix("default")
	s.wantRoute(lab.Adapter)
	s.same("dockerd's PID", pid, s.vm.DockerdPID())
	s.same("first change", "restore the route 192.168.99.0/24 by vboxnet0", f.Applied[0])
	calls, err := os.ReadFile(filepath.Join(s.lab.Dir(), "vbox", "calls.log"))
	s.must(err)
	if strings.Contains(string(calls), "savestate") || strings.Contains(string(calls), "ipconfig") {
		t.Errorf("more than the route was touched:\n%s", calls)
	}
}

// A connected VPN that has the network: nothing is restarted under it.
func TestModulesAreNotRestartedUnderAVPN(t *testing.T) {
	s, other := two(t)
	s.vpn(true)
	before := s.untouched(other)
	r := s.alone("modules", "restart", "--stop-vms")
	s.same("exit", 3, r.Exit)
	if !strings.Contains(r.Stderr, "disconnect from the VPN and run again: docker-vpn-helper modules restart --stop-vms") {
		t.Error(r.Stderr)
	}
	s.same("nothing touched", before, s.untouched(other))
}
