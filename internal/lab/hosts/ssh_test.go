//go:build e2e && linux

package hosts

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// remote is a docker host whose dockerd is well.
func (s *scene) remote(config ...string) *sshd {
	ln, _ := s.unix("d.sock")
	s.web(ln, dockerd("1.48"))
	return s.sshd(config...)
}

// instead puts another docker into the PATH of the docker host's shells.
func (s *scene) instead(script string) (config string) {
	s.Helper()
	dir := s.path("remote-bin")
	s.must(os.MkdirAll(dir, 0o755))
	s.must(os.Symlink("/bin/sh", filepath.Join(dir, "sh")))
	if script != "" {
		s.executable(filepath.Join(dir, "docker"), []byte("#!/bin/sh\n"+script+"\n"))
	}
	return "ForceCommand PATH=" + dir + "; export PATH; eval \"$SSH_ORIGINAL_COMMAND\""
}

func TestSSH(t *testing.T) {
	// docker 23.0 and later ask for no terminal.
	sinceDocker23 := fails
	if out, err := exec.Command("docker", "version", "--format", "{{.Client.Version}}").Output(); len(out) > 0 {
		major, _, _ := strings.Cut(string(out), ".")
		if n, err := strconv.Atoi(major); err != nil {
			t.Fatal(err)
		} else if n >= 23 {
			sinceDocker23 = works
		}
	} else {
		t.Fatalf("docker does not print its version: %v", err)
	}
	try(t, []situation{
		{name: "healthy", docker: works, make: func(s *scene) string { return s.remote().host() }},
		{name: "name_unknown", cause: "route.name-unknown", make: func(s *scene) string {
			return s.sshd().at("no-such-host.invalid")
		}},
		{name: "refused", cause: "ssh.refused", make: func(s *scene) string {
			s.keygen("id")
			s.client()
			return "ssh://me@127.0.0.1:" + s.freePort()
		}},
		{name: "sshd_stopped", cause: "ssh.timeout", make: func(s *scene) string {
			s.env["PATIENCE"] = "3"
			d := s.remote()
			s.must(syscall.Kill(d.cmd.Process.Pid, syscall.SIGSTOP))
			return d.host()
		}},
		{name: "silent_port", cause: "ssh.timeout", make: func(s *scene) string {
			s.env["PATIENCE"] = "3"
			return s.tcp(s.silent)
		}},
		{name: "closed_at_once", cause: "ssh.closed-before-banner", make: func(s *scene) string { return s.tcp(closing) }},
		{name: "not_ssh", cause: "ssh.not-ssh", make: func(s *scene) string {
			return s.tcp(saying("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n" + strings.Repeat("x", 20000)))
		}},
		{name: "closed_in_key_exchange", cause: "ssh.closed-in-key-exchange", make: func(s *scene) string {
			return s.tcp(func(c net.Conn) {
				_, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n")
				_, _ = c.Read(make([]byte, 20))
				time.Sleep(100 * time.Millisecond)
			})
		}},
		{name: "max_startups", cause: "ssh.max-startups", alike: "ssh prints what sshd answers only where it debugs", make: func(s *scene) string {
			d := s.remote("MaxStartups 1")
			for greeting := ""; !strings.HasPrefix(greeting, "SSH-"); { // then sshd counts it
				conn, err := net.Dial("tcp", "127.0.0.1:"+d.port)
				s.must(err)
				s.Cleanup(func() { conn.Close() })
				got := make([]byte, 8)
				_, err = conn.Read(got)
				s.must(err)
				greeting = string(got)
			}
			return d.host()
		}},
		{name: "no_common_cipher", cause: "ssh.no-common-algorithm", make: func(s *scene) string {
			d := s.remote("Ciphers aes256-ctr")
			s.client("Ciphers aes128-ctr")
			return d.host()
		}},
		{name: "host_key_changed", cause: "ssh.host-key-changed", make: func(s *scene) string {
			d := s.remote()
			s.keygen("other")
			s.known("other.pub", d.port)
			return d.host()
		}},
		{name: "host_key_unknown", cause: "ssh.host-key-unknown", make: func(s *scene) string {
			d := s.remote()
			s.must(os.Remove(s.path("known_hosts")))
			return d.host()
		}},
		{name: "key_not_accepted", cause: "ssh.auth-failed", make: func(s *scene) string {
			d := s.remote()
			s.keygen("other")
			s.must(os.Rename(s.path("other.pub"), s.path("id.pub")))
			s.must(os.Rename(s.path("other"), s.path("id")))
			s.keygen("third")
			s.must(os.Rename(s.path("third.pub"), s.path("id.pub")))
			return d.host()
		}},
		{name: "too_many_keys", cause: "ssh.auth-failed", make: func(s *scene) string {
			d := s.remote("MaxAuthTries 1")
			s.keygen("a")
			s.keygen("b")
			s.client("IdentityFile "+s.path("a"), "IdentityFile "+s.path("b"))
			return d.host()
		}},
		{name: "config_broken", cause: "ssh.config-broken", make: func(s *scene) string {
			d := s.remote()
			s.client("Hots build")
			return d.host()
		}},
		{name: "jump_host_does_not_reach_it", cause: "ssh.proxy-failed", make: func(s *scene) string {
			d := s.remote()
			s.client("Host build", "HostName 127.0.0.1", "Port "+s.freePort(), fmt.Sprintf("ProxyCommand %s -W %%h:%%p -p %s %s@127.0.0.1", filepath.Join(s.path("bin"), "ssh"), d.port, account()))
			return "ssh://build"
		}},
		{name: "through_a_jump_host", docker: works, make: func(s *scene) string {
			d := s.remote()
			s.client("Host build", "HostName 127.0.0.1", "Port "+d.port, "User "+account(), fmt.Sprintf("ProxyCommand %s -W %%h:%%p -p %s %s@127.0.0.1", filepath.Join(s.path("bin"), "ssh"), d.port, account()))
			return "ssh://build"
		}},
		{name: "remote_command", cause: "ssh.remote-command", make: func(s *scene) string {
			d := s.remote()
			s.client("RemoteCommand tmux attach")
			return d.host()
		}},
		{name: "request_tty", cause: "ssh.request-tty", docker: sinceDocker23, make: func(s *scene) string {
			d := s.remote()
			s.client("RequestTTY force")
			return d.host()
		}},
		{name: "control_master_dead", cause: "ssh.master-dead", docker: hangs, make: func(s *scene) string {
			d := s.remote()
			s.must(syscall.Kill(d.master(), syscall.SIGSTOP))
			return d.host()
		}},
		{name: "control_master_alive", docker: works, make: func(s *scene) string {
			d := s.remote()
			d.master()
			return d.host()
		}},
		{name: "control_master_stale", docker: works, make: func(s *scene) string {
			d := s.remote()
			ln, err := net.Listen("unix", s.path("own"))
			s.must(err)
			ln.(*net.UnixListener).SetUnlinkOnClose(false)
			ln.Close()
			s.client("ControlMaster no", "ControlPath "+s.path("own"))
			return d.host()
		}},
		{name: "docker_not_in_path", cause: "daemon.not-in-path", make: func(s *scene) string { return s.remote(s.instead("")).host() }},
		{name: "docker_not_installed", cause: "daemon.not-installed", alike: "the shell there does not find docker, whether it is installed or not", make: func(s *scene) string {
			return s.remote("ForceCommand echo 'bash: line 1: docker: command not found' >&2; exit 127").host()
		}},
		{name: "docker_too_old", cause: "daemon.no-dial-stdio", make: func(s *scene) string { // 18.06
			return s.remote(s.instead(`echo "docker: 'dial-stdio' is not a docker command.
See 'docker --help'" >&2; exit 1`)).host()
		}},
		{name: "user_not_in_the_group_there", cause: "daemon.socket-denied", alike: "docker drops what docker on the docker host prints about its socket", make: func(s *scene) string {
			d := s.remote(`ForceCommand exec setpriv --reuid=65534 --regid=65534 --clear-groups sh -c "$SSH_ORIGINAL_COMMAND"`)
			s.must(os.Chmod(s.path("d.sock"), 0o600))
			return d.host()
		}},
		{name: "dockerd_down_there", cause: "daemon.unreachable", make: func(s *scene) string { return s.sshd().host() }},
		{name: "dockerd_hangs_there", cause: "daemon.hangs", docker: hangs, make: func(s *scene) string {
			ln, _ := s.unix("d.sock")
			s.serve(ln, s.silent)
			return s.sshd().host()
		}},
		{name: "shell_prints_a_greeting", cause: "daemon.shell-output", make: func(s *scene) string {
			return s.remote(`ForceCommand echo Welcome; eval "$SSH_ORIGINAL_COMMAND"`).host()
		}},
		{name: "shell_is_slow", cause: "daemon.shell-slow", docker: works, make: func(s *scene) string {
			return s.remote(`ForceCommand sleep 6; eval "$SSH_ORIGINAL_COMMAND"`).host() + s.path("d.sock")
		}},
		{name: "docker_command_hangs_there", cause: "daemon.hangs", docker: hangs, make: func(s *scene) string {
			return s.remote(`ForceCommand case "$SSH_ORIGINAL_COMMAND" in *dial-stdio*) sleep 60 ;; *) eval "$SSH_ORIGINAL_COMMAND" ;; esac`).host() + s.path("d.sock")
		}},
		{name: "no_commands", cause: "daemon.no-commands", make: func(s *scene) string {
			return s.remote("ForceCommand /usr/sbin/nologin").host()
		}},
		{name: "no_sessions", cause: "daemon.no-commands", make: func(s *scene) string { return s.remote("MaxSessions 0").host() }},
	})
}
