//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// dockerWorks is what a user does after the repair: issue 2, line 2.
const dockerWorks = `
eval "$(docker-vpn-helper env default)"
docker version
[ "$(docker run --rm busybox echo it runs)" = "it runs" ]
printf 'FROM busybox\nRUN echo built > /proof\n' | docker build -q -t proof -
[ "$(docker run --rm proof cat /proof)" = built ]
keeper=$(docker run -d --rm --stop-signal=KILL busybox sleep 1000)
[ "$(printf 'to the end' | docker exec -i "$keeper" cat)" = "to the end" ]
[ "$(head -c 1000000 /dev/zero | docker exec -i "$keeper" cat | wc -c)" = 1000000 ]
docker stop "$keeper"
`

// Issue 2, line 2: VPN on, certificate naming only the IP.
func TestRepairUnderVPN(t *testing.T) {
	for _, style := range []nsguest.Style{nsguest.Boot2docker, nsguest.Systemd} {
		t.Run(string(style), func(t *testing.T) {
			s := on(t, style, fakestore.Options{Names: ipOnly()})
			s.must(s.vm.ImportBusybox(s.ctx()))
			s.vpn(true)
			broken, err := s.lab.Run(s.ctx(), []string{
				"DOCKER_HOST=tcp://192.168.99.100:2376", "DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH=" + s.m.Dir,
			}, "timeout", "1", "docker", "version")
			s.must(err)
			if broken.Exit == 0 {
				t.Fatal("docker version works although the VPN has taken the route")
			}
			before := s.logins()
			r := s.helper("fix", "default", "--yes")
			if r.Exit != 0 {
				t.Fatalf("fix: exit %d\n%s", r.Exit, r.Stderr)
			}
			if n := s.logins() - before; n != 1 {
				t.Errorf("fix logged in %d times, want once", n)
			}
			for _, line := range strings.Split(strings.TrimSpace(r.Stdout), "\n") {
				if !strings.HasPrefix(line, "export DOCKER_") && !strings.HasPrefix(line, "#") {
					t.Errorf("fix printed more than the env block: %q", line)
				}
			}
			s.shell(dockerWorks)
			s.vpn(false)
			s.shell(dockerWorks)
			s.vpn(true)
			s.shell(dockerWorks)
		})
	}
}

// Issue 2, line 3: the served certificate is good for localhost already.
func TestRepairWithoutRestart(t *testing.T) {
	for _, style := range []nsguest.Style{nsguest.Boot2docker, nsguest.Systemd} {
		t.Run(string(style), func(t *testing.T) {
			s := on(t, style, fakestore.Options{})
			s.must(s.vm.ImportBusybox(s.ctx()))
			s.sleeper("plain")
			s.sleeper("kept", "--restart=always")
			s.vpn(true)
			pid, containers, files, store := s.vm.DockerdPID(), s.containers(), s.hostFiles(), s.tree(s.lab.StoreDir())
			s.fix("default")
			s.same("dockerd's PID", pid, s.vm.DockerdPID())
			s.same("containers", containers, s.containers())
			s.same("files on the docker host", files, s.hostFiles())
			s.same("NAT rules", []string{"docker-vpn-helper,tcp,127.0.0.1,2376,,2376"}, s.rules("default"))
			after := s.tree(s.lab.StoreDir())
			for path, data := range store {
				s.same(path, data, after[path])
			}
		})
	}
}

// Issue 2, lines 4 and 5.
func TestRepairTwice(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{Names: ipOnly()})
	s.vpn(true)
	s.fix("default")
	pid, logins, store, rules := s.vm.DockerdPID(), s.logins(), s.tree(s.lab.StoreDir()), s.rules("default")
	again := s.fix("default")
	s.same("changes", 0, len(again.Applied))
	s.same("logins", logins, s.logins())
	s.same("dockerd's PID", pid, s.vm.DockerdPID())
	s.same("store", store, s.tree(s.lab.StoreDir()))
	s.same("NAT rules", rules, s.rules("default"))
}

// Issue 2, lines 6 and 7.
func TestUndo(t *testing.T) {
	for _, style := range []nsguest.Style{nsguest.Boot2docker, nsguest.Systemd} {
		t.Run(string(style), func(t *testing.T) {
			s := on(t, style, fakestore.Options{Names: ipOnly()})
			s.vpn(true)
			files, store, served := s.hostFiles(), s.tree(s.lab.StoreDir()), s.served()
			s.fix("default")
			if s.served() == served {
				t.Fatal("dockerd serves the old certificate after fix")
			}
			s.onlySANs(store["machines/default/config.json"], s.tree(s.lab.StoreDir())["machines/default/config.json"])

			r := s.helper("undo", "default", "--yes")
			if r.Exit != 0 {
				t.Fatalf("undo: exit %d\n%s", r.Exit, r.Stderr)
			}
			s.same("files on the docker host", files, s.hostFiles())
			s.same("store", store, s.tree(s.lab.StoreDir()))
			s.same("NAT rules", []string(nil), s.rules("default"))
			if s.served() != served {
				t.Error("dockerd does not serve the old certificate after undo")
			}
		})
	}
}

// onlySANs wants two config.json to be the same but for ServerCertSANs.
func (s *scene) onlySANs(before, after string) {
	s.Helper()
	sans := regexp.MustCompile(`"ServerCertSANs": (null|\[[^]]*\])`)
	s.same("config.json besides ServerCertSANs", sans.ReplaceAllString(before, ""), sans.ReplaceAllString(after, ""))
	var c struct {
		HostOptions struct {
			AuthOptions struct{ ServerCertSANs []string }
		}
	}
	s.must(json.Unmarshal([]byte(after), &c))
	s.same("ServerCertSANs", []string{"localhost", "127.0.0.1"}, c.HostOptions.AuthOptions.ServerCertSANs)
}

// Design, zero-restart first: what --dry-run says is what fix does.
func TestDryRunTellsWhatFixDoes(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{Names: ipOnly()})
	s.vpn(true)
	files, store := s.hostFiles(), s.tree(s.lab.Home())
	dry := s.helper("fix", "default", "--dry-run")
	s.same("exit", 1, dry.Exit)
	s.same("files on the docker host", files, s.hostFiles())
	s.same("NAT rules", []string(nil), s.rules("default"))
	after := s.tree(s.lab.Home())
	for path, data := range store {
		s.same(path, data, after[path])
	}
	f := s.fix("default")
	// Which endpoint is recorded only dockerd's layer can say, which was still blocked.
	want := append(slices.DeleteFunc(f.Applied, func(c string) bool { return strings.HasPrefix(c, "record the endpoint") }), "then re-check: daemon")
	s.same("what was said and what was done", want, strings.Split(strings.TrimSpace(dry.Stdout), "\n"))
}
