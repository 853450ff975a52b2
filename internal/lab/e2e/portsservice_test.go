//go:build e2e && linux

package e2e

import (
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

const (
	userManager = "systemd-run -q --unit=manager -p User=docker -p Delegate=yes -p Type=notify -p NotifyAccess=all" +
		" -E XDG_RUNTIME_DIR=/run/user/1000 -E HOME=/home/docker /lib/systemd/systemd --user"
	// sshToItself lets the user log in to the docker host by the user's own ssh.
	sshToItself = `set -e
mkdir -p /run/user/1000 /home/docker/.ssh
ssh-keygen -q -t ed25519 -N '' -f /home/docker/.ssh/id_ed25519
cat /home/docker/.ssh/id_ed25519.pub >> /home/docker/.ssh/authorized_keys
echo 'StrictHostKeyChecking accept-new' > /home/docker/.ssh/config
chown -R docker /run/user/1000 /home/docker/.ssh`
	portsUnit = "docker-vpn-helper-ports-*.service"
)

// asUser runs a shell command as the user docker of the docker host.
func (s *scene) asUser(line string) string {
	s.Helper()
	out, err := s.vm.Output(s.ctx(), "runuser", "-u", "docker", "--", "env", "HOME=/home/docker", "XDG_RUNTIME_DIR=/run/user/1000", "sh", "-c", line)
	s.must(err)
	return strings.TrimSpace(out)
}

// localhost waits until port 8080 of the docker host's own localhost answers, or until it is free.
func (s *scene) localhost(answers bool) {
	s.Helper()
	want := "7" // curl(1): failed to connect
	if answers {
		want = "0"
	}
	s.must(await.Until(s.ctx(), "curl to end with "+want, func() (bool, error) {
		return s.asUser("curl -s -m 5 -o /dev/null http://127.0.0.1:8080/; echo $?") == want, nil
	}))
}

// Issue 16, "Must hold" 8: the login service under a real systemd --user. The docker host follows
// itself: the container publishes its port at another address than 127.0.0.1.
func TestPortsService(t *testing.T) {
	s := on(t, nsguest.Systemd, fakestore.Options{})
	s.must(s.vm.ImportBusybox(s.ctx()))
	s.install(built.helper, "/usr/local/bin/docker-vpn-helper", 0o755)
	s.root(sshToItself)
	s.root(userManager)
	s.serve("web", "-p", s.m.IP+":8080:80")
	host := "ssh://docker@" + s.m.IP
	s.localhost(false)

	s.asUser("docker-vpn-helper ports on " + host)
	s.localhost(true)
	main := func() string {
		s.Helper()
		return s.asUser("systemctl --user show -p MainPID --value '" + portsUnit + "'")
	}
	first := main()
	s.same("user", "docker", strings.TrimSpace(s.root("ps -o user= -p "+first)))
	if status := s.asUser("docker-vpn-helper ports status " + host); !strings.Contains(status, "the login service (PID "+first+")") {
		t.Errorf("ports status: %s", status)
	}

	s.root("kill -9 " + first)
	s.must(await.Until(s.ctx(), "systemd to start it again", func() (bool, error) {
		now := main()
		return now != first && now != "0", nil
	}))
	s.localhost(true)

	s.root("systemctl stop manager") // the user logs out
	s.localhost(false)
	s.root(userManager)
	s.localhost(true)

	s.asUser("docker-vpn-helper ports off " + host)
	s.localhost(false)
	s.same("units", "", s.asUser("systemctl --user list-units --all --plain --no-legend '"+portsUnit+"'; find .config ~/.config -name '"+portsUnit+"' 2>/dev/null || true"))
	s.asUser("docker-vpn-helper undo " + host) // off
	s.localhost(true)
	s.asUser("docker-vpn-helper undo " + host) // on
	s.localhost(false)
}
