//go:build e2e && linux

package e2e

import (
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// Issue 3, line 6: what becomes of containers when dockerd is restarted.

// states are the containers by name, "running", "paused" or "exited".
func (s *scene) states() map[string]string {
	s.Helper()
	out, err := s.vm.Docker(s.ctx(), "ps", "-a", "--format", "{{.Names}} {{.Status}}")
	s.must(err)
	all := map[string]string{}
	for line := range strings.Lines(out) {
		name, status, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case strings.Contains(status, "(Paused)"):
			all[name] = "paused"
		case strings.HasPrefix(status, "Up "):
			all[name] = "running"
		default:
			all[name] = "exited"
		}
	}
	return all
}

func eightContainers(t *testing.T, style nsguest.Style) *scene {
	s := on(t, style, fakestore.Options{Names: ipOnly()})
	s.must(s.vm.ImportBusybox(s.ctx()))
	s.sleeper("plain")
	s.sleeper("unless", "--restart=unless-stopped")
	s.sleeper("always", "--restart=always")
	s.sleeper("failure", "--restart=on-failure")
	s.sleeper("paused")
	s.sleeper("gone", "--rm")
	s.sleeper("dependent", "--network=container:plain")
	_, err := s.vm.Docker(s.ctx(), "run", "--name", "ended", "busybox", "true")
	s.must(err)
	_, err = s.vm.Docker(s.ctx(), "pause", "paused")
	s.must(err)
	return s
}

func TestContainersRunAsBefore(t *testing.T) {
	for _, style := range []nsguest.Style{nsguest.Boot2docker, nsguest.Systemd} {
		t.Run(string(style), func(t *testing.T) {
			s := eightContainers(t, style)
			before, exactly := s.states(), s.containers()
			s.same("before", map[string]string{
				"plain": "running", "unless": "running", "always": "running", "failure": "running", "dependent": "running",
				"gone": "running", "paused": "paused", "ended": "exited",
			}, before)

			asked := s.helper("fix", "default")
			s.same("exit without a yes", 3, asked.Exit)
			s.same("containers without a yes", exactly, s.containers())

			said := s.helper("fix", "default", "--yes")
			s.same("exit", 0, said.Exit)
			for _, text := range []string{asked.Stderr, said.Stderr} {
				for _, name := range []string{"plain", "unless", "always", "failure", "paused", "dependent", "gone (--rm: it will not come back)"} {
					if !strings.Contains(text, name) {
						s.Errorf("%q is not announced:\n%s", name, text)
					}
				}
				if strings.Contains(text, "ended") {
					s.Errorf("a container is announced that does not run:\n%s", text)
				}
			}
			delete(before, "gone")
			s.same("containers afterwards", before, s.states())
			if !strings.Contains(said.Stderr, "gone with the restart (--rm): gone") {
				s.Errorf("what did not come back is not named:\n%s", said.Stderr)
			}

			s.same("exit of undo", 0, s.helper("undo", "default", "--yes").Exit)
			s.same("containers after undo", before, s.states())
		})
	}
}

// The user who logs in may not use dockerd's socket: root asks.
func TestContainersOfAUserOutsideTheGroup(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{Names: ipOnly()})
	s.must(s.vm.ImportBusybox(s.ctx()))
	s.sleeper("plain")
	s.sleeper("gone", "--rm")
	_, err := s.vm.Output(s.ctx(), "chmod", "0600", "/var/run/docker.sock")
	s.must(err)
	before := s.containers()
	r := s.helper("fix", "default")
	s.same("exit without a yes", 3, r.Exit)
	for _, name := range []string{"plain", "gone (--rm: it will not come back)"} {
		if !strings.Contains(r.Stderr, name) {
			s.Errorf("%q is not announced:\n%s", name, r.Stderr)
		}
	}
	s.same("containers", before, s.containers())
}

// With live-restore containers do not notice, so that nobody is asked; but this
// dockerd, of before 24.0.8, kills those with --rm all the same (moby/moby#46308).
func TestContainersLiveRestore(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{Names: ipOnly()})
	s.must(s.vm.ImportBusybox(s.ctx()))
	profile, err := s.vm.ReadFile("/var/lib/boot2docker/profile")
	s.must(err)
	s.must(s.vm.WriteFile("/var/lib/boot2docker/profile", []byte(strings.Replace(string(profile), "--label", "--live-restore --label", 1)), 0o644))
	s.must(s.vm.Service(s.ctx(), "restart"))
	s.must(s.vm.AwaitDockerd(s.ctx()))
	s.sleeper("plain")
	pid, before := s.vm.DockerdPID(), s.containers()
	s.sleeper("gone", "--rm")
	asked := s.helper("fix", "default")
	s.same("exit without a yes", 3, asked.Exit)
	if !strings.Contains(asked.Stderr, "stops gone (--rm: it will not come back):") {
		s.Errorf("what stops is announced as:\n%s", asked.Stderr)
	}
	_, err = s.vm.Docker(s.ctx(), "rm", "-f", "gone")
	s.must(err)
	r := s.helper("fix", "default")
	s.same("exit", 0, r.Exit)
	if strings.Contains(r.Stderr, "plain") {
		s.Errorf("containers are announced that go on:\n%s", r.Stderr)
	}
	if s.vm.DockerdPID() == pid {
		s.Error("dockerd was not restarted")
	}
	s.same("containers", before, s.containers())
}
