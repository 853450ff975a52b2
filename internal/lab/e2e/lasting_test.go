//go:build e2e && linux

package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// Issue 2, line 10.
func TestEnvWithTheMachineDown(t *testing.T) {
	s := off(t, nsguest.Boot2docker, fakestore.Options{})
	r := s.helper("env", "default")
	s.same("exit", 1, r.Exit)
	s.same("stdout", "", r.Stdout)
	if !strings.Contains(r.Stderr, "error: ") || !strings.Contains(r.Stderr, "hint: ") {
		t.Errorf("neither error nor hint: %q", r.Stderr)
	}
}

// Issue 2, line 10: nothing has to be done again.
func TestEnvHoldsOverReconnectAndRestart(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{Names: ipOnly()})
	s.must(s.vm.ImportBusybox(s.ctx()))
	s.vpn(true)
	s.fix("default")
	logins := s.logins()
	s.vpn(false)
	s.vpn(true)
	s.shell(dockerWorks)
	s.vbox("controlvm", "default", "poweroff")
	s.start(s.host)
	s.shell(dockerWorks)
	s.same("logins", logins, s.logins())
}

// Issue 2, line 10: the route that the VPN has lost.
func TestLostRouteIsPutBackWithoutALogin(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{})
	s.fix("default")
	s.vpn(true)
	s.vpn(false)
	logins, pid := s.logins(), s.vm.DockerdPID()
	s.fix("default")
	s.wantRoute(lab.Adapter)
	s.same("logins", logins, s.logins())
	s.same("dockerd's PID", pid, s.vm.DockerdPID())
}

// A client that cleans up leaves nothing to repair.
func TestVPNThatLeavesCleanly(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{})
	s.fix("default")
	s.must(s.lab.VPN().Connect(s.ctx(), true))
	s.wantRoute("utun0")
	s.must(s.lab.VPN().Disconnect(s.ctx()))
	s.wantRoute(lab.Adapter)
	s.same("changes", 0, len(s.fix("default").Applied))
}

// Issue 2, line 9.
func TestDoctorUnderVPNIsQuick(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{Names: ipOnly()})
	s.vpn(true)
	_, r := s.doctor("default")
	if r.Took > 5*time.Second {
		t.Errorf("doctor took %s", r.Took)
	}
	s.same("exit", 1, r.Exit)
}

// Issue 2, line 8: two machines at the same instant.
func TestTwoMachinesAtOnce(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{})
	other := s.add(nsguest.Boot2docker, fakestore.Options{Name: "other"})
	s.start(other)
	s.vpn(true)
	var wg sync.WaitGroup
	results := map[string]*lab.Result{"default": {}, "other": {}}
	for name, r := range results {
		wg.Go(func() {
			res, err := s.lab.Run(s.ctx(), nil, "docker-vpn-helper", "fix", "--yes", name)
			if err != nil {
				t.Error(err)
			}
			*r = res
		})
	}
	wg.Wait()
	ports := map[string]bool{}
	for name, r := range results {
		if r.Exit != 0 {
			t.Fatalf("fix %s: exit %d\n%s", name, r.Exit, r.Stderr)
		}
		who := s.shell(fmt.Sprintf("eval \"$(docker-vpn-helper env %s)\"; docker info -f '{{.Name}}'; echo \"$DOCKER_HOST\"", name))
		lines := strings.Fields(who)
		s.same("docker info", name, lines[0])
		ports[lines[1]] = true
	}
	s.same("different ports", 2, len(ports))
}
