//go:build e2e && linux

package e2e

import (
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// The lab itself: what the other tests take for granted.

// direct are docker's settings for the host-only address, as docker-machine env prints them.
func (s *scene) direct(args ...string) lab.Result {
	s.Helper()
	r, err := s.lab.Run(s.ctx(), []string{
		"DOCKER_HOST=tcp://" + s.m.IP + ":2376", "DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH=" + s.m.Dir,
	}, append([]string{"timeout", "5", "docker"}, args...)...)
	s.must(err)
	return r
}

func (s *scene) sshToHost(command string) lab.Result {
	s.Helper()
	r, err := s.lab.Run(s.ctx(), nil, "timeout", "60", "ssh", "-F", "/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
		"-o", "IdentitiesOnly=yes", "-i", s.m.Dir+"/id_rsa", "docker@"+s.m.IP, command)
	s.must(err)
	return r
}

func TestLabDockerHosts(t *testing.T) {
	for _, style := range []nsguest.Style{nsguest.Boot2docker, nsguest.Systemd} {
		t.Run(string(style), func(t *testing.T) {
			s := on(t, style, fakestore.Options{})
			s.must(s.vm.ImportBusybox(s.ctx()))
			s.same("docker run", "hello\n", s.direct("run", "--rm", "busybox", "echo", "hello").Stdout)
			s.same("sudo", "0\n", s.sshToHost("sudo id -u").Stdout)
			s.same("logins", 1, s.logins())
			mac, err := s.vm.Output(s.ctx(), "cat", "/sys/class/net/eth1/address")
			s.must(err)
			s.same("MAC, by which docker-machine finds the address", "08:00:27:00:01:00\n", mac)
			s.sleeper("kept", "--restart=always")
			s.sleeper("lost")
			s.sleeper("gone", "--rm")
			pid := s.vm.DockerdPID()
			s.must(s.vm.Service(s.ctx(), "restart"))
			s.must(s.vm.AwaitDockerd(s.ctx()))
			if s.vm.DockerdPID() == pid {
				t.Error("dockerd has the same PID after a restart")
			}
			s.same("running containers", map[string]bool{"kept": true, "lost": false, "gone": false}, s.running("kept", "lost", "gone"))

			s.vbox("controlvm", "default", "acpipowerbutton")
			s.awaitState("poweroff")
			s.start(s.host)
			s.same("running containers", map[string]bool{"kept": true}, s.running("kept"))
			s.vbox("controlvm", "default", "poweroff")
			s.start(s.host)
			s.same("running containers", map[string]bool{"kept": true}, s.running("kept"))

			old := s.vm.PID()
			_, err = s.vm.Output(s.ctx(), "reboot")
			s.must(err)
			s.must(await.Until(s.ctx(), "the reboot", func() (bool, error) { p := s.vm.PID(); return p != 0 && p != old, nil }))
			s.must(s.vm.AwaitReady(s.ctx()))
			s.same("logins", 1, s.logins())

			pid = s.vm.DockerdPID()
			s.vbox("controlvm", "default", "savestate")
			if s.direct("version").Exit == 0 {
				t.Error("a saved VM answers")
			}
			s.vbox("startvm", "default", "--type", "headless")
			s.must(s.vm.AwaitReady(s.ctx()))
			s.same("dockerd's PID", pid, s.vm.DockerdPID())

			_, err = s.vm.Output(s.ctx(), "poweroff")
			s.must(err)
			s.awaitState("poweroff")
		})
	}
}

func (s *scene) running(names ...string) map[string]bool {
	s.Helper()
	is := map[string]bool{}
	for _, n := range names {
		ok, err := s.vm.HasContainer(s.ctx(), n)
		s.must(err)
		is[n] = ok
	}
	return is
}

func (s *scene) awaitState(state string) {
	s.Helper()
	s.must(await.Until(s.ctx(), "VM state "+state, func() (bool, error) {
		out, err := s.lab.VBoxManage(s.ctx(), "showvminfo", "default", "--machinereadable")
		return strings.Contains(out, `VMState="`+state+`"`), err
	}))
}

func TestLabVPN(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{})
	s.same("before", 0, s.direct("version").Exit)
	s.vpn(true)
	s.same("killed by timeout", 124, s.direct("version").Exit)
	s.vpn(false)
	s.same("killed by timeout", 124, s.direct("version").Exit)
	s.vbox("hostonlyif", "ipconfig", lab.Adapter, "--ip", "192.168.99.1", "--netmask", "255.255.255.0")
	s.same("after", 0, s.direct("version").Exit)
	s.vpn(true)
	s.must(s.lab.VPN().Crash(s.ctx()))
	s.wantRoute("eth0")
}

func TestLabIntrusionPrevention(t *testing.T) {
	for _, how := range []nsguest.Verdict{nsguest.Reset, nsguest.Drop} {
		t.Run(strings.Fields(string(how))[0], func(t *testing.T) {
			s := on(t, nsguest.Boot2docker, fakestore.Options{})
			s.must(s.vm.LimitSSH(s.ctx(), 3, "1/minute", how)) // slow logins are let in by a faster rule
			for i := range 3 {
				if r := s.sshToHost("true"); r.Exit != 0 {
					t.Fatalf("login %d: exit %d: %s", i, r.Exit, r.Stderr)
				}
			}
			if s.sshToHost("true").Exit == 0 {
				t.Error("the fourth login is let in")
			}
			s.must(s.vm.OpenSSH(s.ctx()))
			s.same("exit", 0, s.sshToHost("true").Exit)
		})
	}
}

// VirtualBox's process is killed: the VM is aborted, and nothing of it goes on.
func TestLabAbortedVM(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{})
	pid := s.vm.PID()
	s.must(s.lab.KillVirtualBox(s.ctx(), "default"))
	s.must(await.Until(s.ctx(), "the VM to die", func() (bool, error) { return s.vm.PID() != pid, nil }))
	s.awaitState("aborted")
	s.start(s.host)
}
