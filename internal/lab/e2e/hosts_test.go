//go:build e2e && linux

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// One real dockerd, by its socket, by TCP and by SSH: well, stopped and gone.
func TestDoctorOfOtherHosts(t *testing.T) {
	s := on(t, nsguest.Systemd, fakestore.Options{})
	s.userSSH()
	s.install(built.helper, "/usr/local/bin/docker-vpn-helper", 0o755)
	hosts := map[string]func(host string) string{
		"local": func(host string) string {
			return s.root("docker-vpn-helper --json doctor " + host + "; true")
		},
		"ssh://docker@" + s.m.IP: func(host string) string { return s.helper("--json", "doctor", host).Stdout },
		"tcp://" + s.m.IP + ":2376": func(host string) string {
			r, err := s.lab.Run(s.ctx(), []string{"DOCKER_CERT_PATH=" + s.m.Dir}, "docker-vpn-helper", "--json", "doctor", host)
			s.must(err)
			return r.Stdout
		},
	}
	want := func(when string, causes map[string]string) {
		t.Helper()
		for host, ask := range hosts {
			began := time.Now()
			var r report
			s.decode(ask(host), &r)
			form, _, _ := strings.Cut(host, ":")
			s.same(when+": "+host, causes[form], r.Cause)
			if took := time.Since(began); took > 7*time.Second {
				t.Errorf("%s: doctor %s took %s", when, host, took)
			}
		}
	}
	want("well", map[string]string{})
	pid := fmt.Sprint(s.vm.DockerdPID())
	s.root("kill -STOP " + pid)
	want("dockerd is stopped", map[string]string{"local": "daemon.hangs", "ssh": "daemon.hangs", "tcp": "daemon.hangs"})
	s.root("kill -CONT " + pid)
	want("well again", map[string]string{})
	s.root("chmod 600 /var/run/docker.sock")
	want("the user may not connect to the socket", map[string]string{"ssh": "daemon.socket-denied"})
	s.root("chmod 660 /var/run/docker.sock; systemctl stop docker.socket docker.service")
	want("no dockerd", map[string]string{"local": "socket.missing", "ssh": "daemon.unreachable", "tcp": "daemon.unreachable"})
}
