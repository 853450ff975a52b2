//go:build e2e && linux

package hosts

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// sshd is a real one, an ordinary process on a loopback port.
type sshd struct {
	*scene
	port string
	cmd  *exec.Cmd
}

// account is the user that logs in: sshd without root's rights knows only its own.
func account() string {
	if name := os.Getenv("USER"); os.Getuid() != 0 && name != "" {
		return name
	}
	return "root"
}

func (s *scene) keygen(name string) {
	s.Helper()
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", s.path(name)).CombinedOutput(); err != nil {
		s.Fatalf("ssh-keygen: %v: %s", err, out)
	}
}

// freePort is a loopback port on which nothing listens.
func (s *scene) freePort() string {
	s.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	defer ln.Close()
	return fmt.Sprint(ln.Addr().(*net.TCPAddr).Port)
}

// client makes the user's ssh configuration: ssh reads ~/.ssh of the password file, not of
// $HOME, so that the scene has an ssh command of its own. Where $PATIENCE is set, ssh waits
// for so many seconds: docker has it wait for 30, twice.
func (s *scene) client(config ...string) {
	s.Helper()
	path := s.path("ssh_config")
	lines := append(config, "Host *", "IdentityFile "+s.path("id"), "IdentityAgent none", "UserKnownHostsFile "+s.path("known_hosts"), "GlobalKnownHostsFile none")
	s.must(os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644))
	s.executable(filepath.Join(s.path("bin"), "ssh"), fmt.Appendf(nil, "#!/bin/sh\nexec /usr/bin/ssh ${PATIENCE:+-o ConnectTimeout=$PATIENCE} -F %s \"$@\"\n", path))
}

// sshd starts one that lets the scene's key in and whose docker talks to the scene's dockerd.
// config are lines of sshd_config, before those that are the same for all.
func (s *scene) sshd(config ...string) *sshd {
	s.Helper()
	s.keygen("hostkey")
	s.keygen("id")
	d := &sshd{scene: s, port: s.freePort()}
	lines := append(config, "Port "+d.port, "ListenAddress 127.0.0.1", "HostKey "+s.path("hostkey"), "AuthorizedKeysFile "+s.path("id.pub"),
		"StrictModes no", "UsePAM no", "PidFile none", "PrintMotd no", "SetEnv DOCKER_HOST=unix://"+s.path("d.sock")+" HOME="+s.home, "Subsystem sftp internal-sftp")
	s.must(os.WriteFile(s.path("sshd_config"), []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	s.known("hostkey.pub", d.port)
	s.client()
	s.must(os.MkdirAll("/run/sshd", 0o755))
	d.cmd = exec.Command("/usr/sbin/sshd", "-D", "-e", "-f", s.path("sshd_config"))
	log, err := os.Create(s.path("sshd.log"))
	s.must(err)
	d.cmd.Stderr = log
	// Its sessions end with it.
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	s.must(d.cmd.Start())
	s.Cleanup(func() {
		_ = syscall.Kill(d.cmd.Process.Pid, syscall.SIGCONT)
		_ = d.cmd.Process.Kill()
		_ = d.cmd.Wait()
		log.Close()
		if s.Failed() {
			text, _ := os.ReadFile(s.path("sshd.log"))
			s.Logf("sshd: %s", text)
		}
	})
	for range 200 {
		if conn, err := net.Dial("tcp", "127.0.0.1:"+d.port); err == nil {
			conn.Close()
			return d
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.Fatal("sshd does not listen")
	return nil
}

// known puts a host key into known_hosts.
func (s *scene) known(file, port string) {
	s.Helper()
	key, err := os.ReadFile(s.path(file))
	s.must(err)
	s.must(os.WriteFile(s.path("known_hosts"), fmt.Appendf(nil, "[127.0.0.1]:%s %s", port, key), 0o644))
}

func (d *sshd) host() string { return d.at("127.0.0.1") }

// at is the HOST by another name.
func (d *sshd) at(name string) string { return fmt.Sprintf("ssh://%s@%s:%s", account(), name, d.port) }

// tcp is a HOST on whose port something else than sshd answers.
func (s *scene) tcp(each func(net.Conn)) string {
	s.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	s.serve(ln, each)
	s.keygen("id")
	s.client()
	return fmt.Sprintf("ssh://%s@%s", account(), ln.Addr())
}

// master starts the user's own ControlMaster, and returns its process.
func (d *sshd) master() int {
	d.Helper()
	path := d.path("own")
	d.client("ControlMaster auto", "ControlPath "+path)
	cmd := exec.Command(filepath.Join(d.path("bin"), "ssh"), "-N", "-o", "ControlMaster=yes", "-o", "ControlPersist=no", "-p", d.port, account()+"@127.0.0.1")
	d.must(cmd.Start())
	d.Cleanup(func() {
		_ = syscall.Kill(cmd.Process.Pid, syscall.SIGCONT)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for range 500 {
		if conn, err := net.Dial("unix", path); err == nil {
			conn.Close()
			return cmd.Process.Pid
		}
		time.Sleep(20 * time.Millisecond)
	}
	d.Fatal("the ControlMaster does not listen")
	return 0
}
