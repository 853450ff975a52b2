//go:build e2e && linux

package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakevbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// wantCause runs doctor and wants it to name the root cause.
func (s *scene) wantCause(code string) {
	s.Helper()
	r, res := s.doctor("default")
	if r.Cause != code {
		s.Errorf("cause is %q, want %s; findings %v\n%s", r.Cause, code, r.codes(), res.Stdout)
	}
	if !slices.Contains(r.codes(), code) {
		s.Errorf("no finding %s among %v", code, r.codes())
	}
	if res.Took > 5*time.Second {
		s.Errorf("doctor took %s", res.Took)
	}
}

// repaired is a machine that has its NAT rule already, switched on.
func repaired(t *testing.T, o fakestore.Options) *scene {
	t.Helper()
	s := off(t, nsguest.Boot2docker, o)
	s.forward(s.host, 2376)
	s.start(s.host)
	return s
}

// Issue 2, line 8.
func TestDoctorHealthy(t *testing.T) {
	s := repaired(t, fakestore.Options{})
	r, res := s.doctor("default")
	s.same("exit", 0, res.Exit)
	s.same("cause", "", r.Cause)
	s.same("endpoint", "tcp://localhost:2376", r.Endpoint)
}

func TestDoctorRouteHijacked(t *testing.T) {
	s := repaired(t, fakestore.Options{})
	s.vpn(true)
	s.wantCause("route.hijacked")
}

func TestDoctorRouteHijackedAndNoRule(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{})
	s.vpn(true)
	s.wantCause("forward.rule-missing")
	r, _ := s.doctor("default")
	if !slices.Contains(r.codes(), "route.hijacked") {
		t.Errorf("route.hijacked is not among %v", r.codes())
	}
}

func TestDoctorRouteMissing(t *testing.T) {
	s := repaired(t, fakestore.Options{})
	s.must(s.lab.LoseRoute(s.ctx()))
	s.wantCause("route.missing")
}

func TestDoctorRouteStale(t *testing.T) {
	s := repaired(t, fakestore.Options{})
	s.must(s.lab.StaleRoute(s.ctx()))
	s.wantCause("route.stale")
}

func TestDoctorVMStopped(t *testing.T) {
	s := off(t, nsguest.Boot2docker, fakestore.Options{})
	s.wantCause("machine.not-running")
}

func TestDoctorVMSaved(t *testing.T) {
	s := repaired(t, fakestore.Options{})
	s.vbox("controlvm", "default", "savestate")
	s.wantCause("machine.not-running")
	pid := s.vm.DockerdPID()
	s.fix("default")
	s.same("dockerd's PID", pid, s.vm.DockerdPID())
}

func TestDoctorVMUnknownToVirtualBox(t *testing.T) {
	s := off(t, nsguest.Boot2docker, fakestore.Options{})
	s.must(s.lab.VirtualBox(func(w *fakevbox.VirtualBox) error { w.VMs = nil; return nil }))
	s.wantCause("machine.missing")
}

func TestDoctorRuleMissing(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{})
	s.wantCause("forward.rule-missing")
}

func TestDoctorPortTakenByAnotherProcess(t *testing.T) {
	s := off(t, nsguest.Boot2docker, fakestore.Options{})
	s.forward(s.host, 2376)
	s.must(s.lab.Occupy(s.ctx(), 2376))
	s.start(s.host)
	s.wantCause("forward.port-taken")
	s.fix("default")
	s.shell(`eval "$(docker-vpn-helper env default)"; docker version; [ "$DOCKER_HOST" != tcp://localhost:2376 ]`)
}

func TestDoctorPortTakenByAnotherVMsRule(t *testing.T) {
	s := off(t, nsguest.Boot2docker, fakestore.Options{})
	other := s.add(nsguest.Boot2docker, fakestore.Options{Name: "other"})
	s.forward(other, 2376)
	s.start(other)
	s.forward(s.host, 2376)
	s.start(s.host)
	s.wantCause("forward.port-taken")
	s.fix("default")
	s.same("docker info", "default\n", s.shell(`eval "$(docker-vpn-helper env default)"; docker info -f '{{.Name}}'`))
}

func TestDoctorOtherMachineTookThePort(t *testing.T) {
	s := off(t, nsguest.Boot2docker, fakestore.Options{})
	other := s.add(nsguest.Boot2docker, fakestore.Options{Name: "other"})
	s.forward(s.host, 2376)
	s.forward(other, 2376)
	s.start(other)
	s.wantCause("daemon.other-machine")
}

func TestDoctorSSHDRefuses(t *testing.T) {
	s := repaired(t, fakestore.Options{})
	s.must(s.vm.KillSSHD(s.ctx()))
	s.wantCause("ssh.refused")
}

func TestDoctorSSHDRefusesUnderVPN(t *testing.T) {
	s := repaired(t, fakestore.Options{})
	s.must(s.vm.KillSSHD(s.ctx()))
	s.vpn(true)
	r, _ := s.doctor("default")
	// Only the NAT rule is left, and it takes every connection.
	if !slices.Contains(r.codes(), "ssh.closed-before-banner") {
		t.Errorf("ssh.closed-before-banner is not among %v", r.codes())
	}
}

func TestDoctorSSHDSilent(t *testing.T) {
	s := repaired(t, fakestore.Options{})
	s.must(s.vm.CloseSSH(s.ctx(), nsguest.Drop))
	s.wantCause("ssh.timeout")
}

func TestDoctorCertificateExpired(t *testing.T) {
	s := repaired(t, fakestore.Options{NotBefore: time.Now().AddDate(-3, 0, 0), NotAfter: time.Now().AddDate(0, 0, -1)})
	s.wantCause("tls.expired")
	s.fix("default")
}

func TestDoctorCertificateNotYetValid(t *testing.T) {
	s := repaired(t, fakestore.Options{NotBefore: time.Now().AddDate(0, 0, 2), NotAfter: time.Now().AddDate(3, 0, 0)})
	s.wantCause("tls.not-yet-valid")
	s.fix("default")
}

func TestDoctorCertificateOfAnotherCA(t *testing.T) {
	ca, err := fakestore.NewAuthority(fakestore.AuthorityOptions{Slot: "another"})
	if err != nil {
		t.Fatal(err)
	}
	s := repaired(t, fakestore.Options{ServerCA: ca})
	s.wantCause("tls.wrong-ca")
	s.fix("default")
}

func TestDoctorCertificateDoesNotNameLocalhost(t *testing.T) {
	s := repaired(t, fakestore.Options{Names: ipOnly()})
	s.wantCause("tls.name-missing")
	s.fix("default")
}

func TestDoctorServedIsNotOnDisk(t *testing.T) {
	s := repaired(t, fakestore.Options{})
	newer, err := s.store.CA.Server(s.m.Server.Key, fakestore.ServerOptions{Names: []string{s.m.IP, "localhost"}})
	s.must(err)
	s.must(s.vm.WriteFile("/var/lib/boot2docker/server.pem", newer.CertPEM, 0o644))
	s.wantCause("tls.drift")
}

func TestDoctorClientCertificateOfAnotherCA(t *testing.T) {
	ca, err := fakestore.NewAuthority(fakestore.AuthorityOptions{Slot: "another"})
	if err != nil {
		t.Fatal(err)
	}
	s := repaired(t, fakestore.Options{ClientCA: ca})
	s.wantCause("tls.client-cert-rejected")
}

func TestDoctorDockerdStopped(t *testing.T) {
	s := repaired(t, fakestore.Options{})
	s.must(s.vm.Service(s.ctx(), "stop"))
	s.wantCause("daemon.unreachable")
	s.fix("default")
	s.shell(`eval "$(docker-vpn-helper env default)"; docker version`)
}

func TestDoctorNotDockerd(t *testing.T) {
	s := repaired(t, fakestore.Options{})
	s.must(s.vm.Service(s.ctx(), "stop"))
	_, err := s.vm.Output(s.ctx(), "busybox", "httpd", "-p", "2376")
	s.must(err)
	s.wantCause("daemon.not-docker")
}
