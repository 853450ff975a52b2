//go:build e2e && linux

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// onHost runs a line of shell on the docker host, as a user, and wants it to be the program's.
func (s *scene) onHost(user, line string) lab.Result {
	s.Helper()
	script := line
	if user != "root" {
		script = fmt.Sprintf("busybox su %s -s /bin/sh -c '%s'", user, line)
	}
	var r lab.Result
	text := s.root("(" + script + ") >/tmp/out 2>/tmp/err; echo $?; cat /tmp/out; echo; echo @@; cat /tmp/err")
	code, rest, _ := strings.Cut(text, "\n")
	r.Stdout, r.Stderr, _ = strings.Cut(rest, "\n@@\n")
	if _, err := fmt.Sscan(code, &r.Exit); err != nil {
		s.Fatal(err)
	}
	return r
}

// hinted is the command that an error's hint has.
func (s *scene) hinted(r lab.Result) string {
	s.Helper()
	_, rest, ok := strings.Cut(r.Stderr, "docker-vpn-helper: hint: ")
	if !ok {
		s.Fatalf("no hint: exit %d\n%s%s", r.Exit, r.Stdout, r.Stderr)
	}
	command, _, _ := strings.Cut(rest, "\n")
	return command
}

// The exit statuses of reach, on a machine, over the user's own SSH and on the docker host itself.
// Where sudo is refused, the command that is printed works.
func TestReachExits(t *testing.T) {
	s := on(t, nsguest.Systemd, fakestore.Options{})
	s.must(s.vm.ImportBusybox(s.ctx()))
	s.userSSH()
	s.install(built.helper, "/usr/local/bin/docker-vpn-helper", 0o755)
	s.web("web", "-p", "8080:80")
	overSSH := "ssh://docker@" + s.m.IP
	run := map[string]func(args ...string) lab.Result{
		"default": func(args ...string) lab.Result { return s.helper(append(args, "-H", "default")...) },
		overSSH:   func(args ...string) lab.Result { return s.helper(append(args, "-H", overSSH)...) },
		"local": func(args ...string) lab.Result {
			return s.onHost("docker", "docker-vpn-helper "+strings.Join(args, " ")+" -H local")
		},
	}
	all := func(when string, want int, args ...string) {
		t.Helper()
		for host, reach := range run {
			if r := reach(args...); r.Exit != want {
				t.Errorf("%s, %s: exit %d, not %d\n%s%s", when, host, r.Exit, want, r.Stdout, r.Stderr)
			}
		}
	}
	all("reachable", 0, "reach", "web")
	s.root("iptables -I DOCKER-USER -i eth0 -j DROP")
	all("a rule drops", 1, "reach", "web")
	s.root("iptables -D DOCKER-USER 1; iptables -I DOCKER-USER -i eth0 -m limit --limit 1/hour -j DROP")
	all("a rate limit decides", 4, "reach", "web")
	s.root("iptables -D DOCKER-USER 1")
	all("no such container", 2, "reach", "wep")
	all("no such protocol", 2, "reach", "web/sctp")
	all("no such origin", 2, "reach", "web", "--from", "mars")

	rules := s.root(allRules)
	s.root("cp /etc/sudoers /root/sudoers; sed -i s/NOPASSWD:// /etc/sudoers")
	all("sudo asks for a password", 3, "reach", "web")
	s.same("rules", rules, s.root(allRules))
	hints := map[string]string{}
	for _, host := range []string{overSSH, "local"} {
		hints[host] = s.hinted(run[host]("reach", "web"))
	}
	s.same("hint over SSH", "docker-vpn-helper reach web -H 'ssh://root@"+s.m.IP+"'", hints[overSSH])
	s.same("hint on the docker host", "sudo docker-vpn-helper reach web -H local", hints["local"])
	s.same("hint for a machine", "docker-machine ssh default sudo true", s.hinted(run["default"]("reach", "web")))

	// Root may log in there, and the password is known.
	s.root("sed -i 's/^PermitRootLogin .*/PermitRootLogin prohibit-password/' /etc/ssh/sshd_config; mkdir -p /root/.ssh; cp ~docker/.ssh/authorized_keys /root/.ssh/; chown -R 0:0 /root/.ssh; chmod -R go= /root/.ssh; systemctl restart ssh.service || systemctl restart sshd.service")
	if out := s.shell(hints[overSSH]); !strings.HasPrefix(out, "web from public: reachable") {
		t.Errorf("%s: %s", hints[overSSH], out)
	}
	s.root("cp /root/sudoers /etc/sudoers")
	if r := s.onHost("docker", hints["local"]); r.Exit != 0 || !strings.HasPrefix(r.Stdout, "web from public: reachable") {
		t.Errorf("%s: exit %d: %s%s", hints["local"], r.Exit, r.Stdout, r.Stderr)
	}

	// The docker host is off.
	s.vbox("controlvm", "default", "poweroff")
	if r := s.helper("reach", "web", "-H", "default"); r.Exit != 4 || !strings.Contains(r.Stderr, "is not running") {
		t.Errorf("off: exit %d: %s", r.Exit, r.Stderr)
	}
	if r := s.helper("--json", "reach", "web", "-H", "default"); r.Exit != 4 || !strings.HasPrefix(r.Stdout, `{"schema":1,"error":`) || r.Stderr != "" {
		t.Errorf("off, --json: exit %d: %q %q", r.Exit, r.Stdout, r.Stderr)
	}
}
