//go:build e2e && linux

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// bothVerdicts runs a test for intrusion prevention that resets and for one that drops.
func bothVerdicts(t *testing.T, test func(*testing.T, nsguest.Verdict)) {
	for _, how := range []nsguest.Verdict{nsguest.Reset, nsguest.Drop} {
		t.Run(strings.Fields(string(how))[0], func(t *testing.T) { test(t, how) })
	}
}

// ssh logs in like docker-machine does, by the forwarded port.
func (s *scene) ssh(port int) (ok bool) {
	s.Helper()
	r, err := s.lab.Run(s.ctx(), nil, "timeout", "5", "ssh", "-F", "/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
		"-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=1", "-p", fmt.Sprint(port), "-i", s.m.Dir+"/id_rsa", "docker@127.0.0.1", "true")
	s.must(err)
	return r.Exit == 0
}

// wantSSH runs doctor and wants one of these codes from the ssh layer, soon.
func (s *scene) wantSSH(codes ...string) (title string) {
	s.Helper()
	var r report
	res := s.helper("--json", "doctor", "default")
	s.decode(res.Stdout, &r)
	for _, l := range r.Layers {
		for _, f := range l.Findings {
			if slices.Contains(codes, f.Code) {
				title = f.Title
			}
		}
	}
	if title == "" {
		s.Errorf("none of %v among %v\n%s", codes, r.codes(), res.Stdout)
	}
	if strings.Contains(res.Stdout, "exit status 255") {
		s.Errorf("exit status 255:\n%s", res.Stdout)
	}
	// A diagnosis ends itself after 5 s; the rest is for a busy computer to start it.
	if res.Took > 7*time.Second {
		s.Errorf("doctor took %s", res.Took)
	}
	s.Log(title)
	return title
}

func (s *scene) connections(h *host) int {
	s.Helper()
	n, err := h.vm.Connections()
	s.must(err)
	return n
}

// Issue 6, lines 1 and 2: thirteen short logins are banned, and what doctor says then.
func TestBannedAfterABurst(t *testing.T) {
	bothVerdicts(t, func(t *testing.T, how nsguest.Verdict) {
		s := on(t, nsguest.Boot2docker, fakestore.Options{})
		s.fix("default")
		s.must(s.vm.BanSSH(s.ctx(), how))
		let := 0
		for range 13 {
			if !s.ssh(s.m.SSHPort) {
				break
			}
			let++
		}
		if let >= 5 {
			t.Fatalf("%d logins in a row are let in", let)
		}
		s.wantSSH("ssh.rate-limited")
		seen := s.connections(s.host)
		s.vpn(true)
		title := s.wantSSH("ssh.rate-limited", "ssh.closed-before-banner")
		if !strings.Contains(title, "ago") {
			t.Errorf("the title does not say when it answered: %s", title)
		}
		s.same("connections that sshd saw meanwhile", seen, s.connections(s.host))
	})
}

// Issue 6, line 1: our own commands in a row are not banned.
func TestOurCommandsInARowAreNotBanned(t *testing.T) {
	bothVerdicts(t, func(t *testing.T, how nsguest.Verdict) {
		s := on(t, nsguest.Boot2docker, fakestore.Options{Names: ipOnly()})
		for i := range 3 {
			s.start(s.add(nsguest.Boot2docker, fakestore.Options{Name: fmt.Sprintf("m%d", i)}))
		}
		s.must(s.vm.BanSSH(s.ctx(), how))
		before, start := s.logins(), time.Now()
		s.fix("default")
		for _, args := range [][]string{{"doctor", "default"}, {"doctor", "--all"}, {"undo", "default", "--yes"}} {
			r := s.helper(args...)
			if !strings.HasPrefix(args[0], "doctor") && r.Exit != 0 || strings.Contains(r.Stdout, "rate-limited") || strings.Contains(r.Stdout, "before the server") {
				t.Errorf("%v: exit %d\n%s%s", args, r.Exit, r.Stdout, r.Stderr)
			}
		}
		if took := time.Since(start); took > 40*time.Second {
			t.Errorf("the four commands took %s", took)
		}
		if n := s.logins() - before; n > 7 {
			t.Errorf("%d logins: four on default and one on each other are enough", n)
		}
	})
}

// Issue 6, line 1: machines that share an address share the count.
func TestManyMachinesBehindOneAddressAreNotBanned(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{Driver: "generic", SSHPort: 22})
	for i := range 3 {
		name := fmt.Sprintf("m%d", i)
		to := filepath.Join(filepath.Dir(s.m.Dir), name)
		s.must(os.CopyFS(to, os.DirFS(s.m.Dir)))
		config, err := os.ReadFile(filepath.Join(to, "config.json"))
		s.must(err)
		config = bytes.ReplaceAll(config, []byte(`/default`), []byte("/"+name))
		config = bytes.ReplaceAll(config, []byte(`"default"`), []byte(`"`+name+`"`))
		s.must(os.WriteFile(filepath.Join(to, "config.json"), config, 0o600))
		s.must(os.Chmod(filepath.Join(to, "id_rsa"), 0o600))
	}
	s.must(s.vm.BanSSH(s.ctx(), nsguest.Drop))
	for range 2 {
		s.helper("doctor", "default")
		r := s.helper("doctor", "--all")
		s.same("exit of doctor --all", 0, r.Exit)
		if strings.Contains(r.Stdout, "no answer") {
			t.Errorf("banned:\n%s", r.Stdout)
		}
	}
	if n := s.logins(); n > 2 {
		t.Errorf("%d logins, and a repair would have none left", n)
	}
}

// Issue 6, line 3: an IPS that does not like what the client says first.
func TestCutAfterTheClientsBanner(t *testing.T) {
	bothVerdicts(t, func(t *testing.T, how nsguest.Verdict) {
		s := repaired(t, fakestore.Options{})
		s.must(s.vm.CutSSHOn(s.ctx(), "SSH-2.0-Go", how))
		title := s.wantSSH("ssh.closed-in-key-exchange")
		if !strings.Contains(title, "OpenSSH") {
			t.Errorf("the title does not say who was reached: %s", title)
		}
	})
}

// Issue 6, line 3: an IPS that reads the names of algorithms.
func TestCutOnABytePattern(t *testing.T) {
	s := repaired(t, fakestore.Options{})
	s.must(s.vm.CutSSHOn(s.ctx(), "ecdh-sha2-nistp256", nsguest.Reset))
	s.wantSSH("ssh.closed-in-key-exchange")
}

// Issue 6, line 3: somebody else's login hangs, and sshd takes no more.
func TestMaxStartups(t *testing.T) {
	s := repaired(t, fakestore.Options{})
	s.must(s.vm.RestartSSHD(s.ctx(), "MaxStartups 1:100:1"))
	conn, err := s.vm.DialNAT(s.ctx(), 22)
	s.must(err)
	defer conn.Close()
	_, err = io.ReadFull(conn, make([]byte, 4))
	s.must(err)
	s.wantSSH("ssh.closed-before-banner")
	conn.Close()
	s.must(awaitLogin(s))
	s.wantSSH("ssh.ok")
}

func awaitLogin(s *scene) error {
	for range 50 {
		if s.ssh(s.m.SSHPort) {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("sshd does not recover")
}

// Issue 6, line 3: a path MTU of 1280 with ICMP dropped.
func TestSmallPathMTU(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{Driver: "generic", SSHPort: 22})
	s.must(s.vm.LoseLarge(s.ctx(), "eth1", 1280))
	title := s.wantSSH("ssh.large-packets-lost")
	if !strings.Contains(title, "small packets only") {
		t.Errorf("not logged in: %s", title)
	}
	s.wantSSH("ssh.large-packets-lost")
}

// The same behind VirtualBox's NAT, where the size of packets is not ours.
func TestSmallPathMTUBehindNAT(t *testing.T) {
	s := repaired(t, fakestore.Options{})
	s.must(s.vm.LoseLarge(s.ctx(), "eth0", 1280))
	title := s.wantSSH("ssh.large-packets-lost", "ssh.closed-in-key-exchange")
	if !strings.Contains(title, "MTU") {
		t.Errorf("the title does not name the MTU: %s", title)
	}
}

// Issue 6, line 3: a server of 2014.
func TestLegacyServer(t *testing.T) {
	s := repaired(t, fakestore.Options{})
	_, err := s.vm.Output(s.ctx(), "ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", "/root/old_rsa_key")
	s.must(err)
	s.must(s.vm.RestartSSHD(s.ctx(), "HostKey /root/old_rsa_key", "HostKeyAlgorithms ssh-rsa", "PubkeyAcceptedAlgorithms ssh-rsa",
		"KexAlgorithms diffie-hellman-group14-sha1", "Ciphers aes128-ctr", "MACs hmac-sha1"))
	title := s.wantSSH("ssh.weak-algorithms")
	if !strings.Contains(title, "ssh-rsa") {
		t.Errorf("the title does not name the algorithms: %s", title)
	}
	before := s.connections(s.host)
	s.wantSSH("ssh.weak-algorithms")
	s.same("connections when it is known", 1, s.connections(s.host)-before)
}

// One session at a time: sshd counts the last one until it has read that it is closed.
func TestOneSessionAtATime(t *testing.T) {
	s := repaired(t, fakestore.Options{})
	s.must(s.vm.RestartSSHD(s.ctx(), "MaxSessions 1"))
	before := s.connections(s.host)
	r := s.helper("cert", "renew", "--yes", "default")
	if n := s.connections(s.host) - before; r.Exit != 0 || n != 1 {
		t.Errorf("exit %d, %d connections\n%s", r.Exit, n, r.Stderr)
	}
}

// A server with which nothing is in common.
func TestNoCommonAlgorithm(t *testing.T) {
	s := repaired(t, fakestore.Options{})
	s.must(s.vm.RestartSSHD(s.ctx(), "Ciphers aes256-cbc"))
	title := s.wantSSH("ssh.no-common-algorithm")
	if !strings.Contains(title, "aes256-cbc") || !strings.Contains(title, "aes256-gcm@openssh.com") {
		t.Errorf("the title does not say what each side offers: %s", title)
	}
}

// Issue 2, line 8: an sshd that hangs is not one that counts, though it answered a moment ago.
func TestHangingSSHDIsATimeout(t *testing.T) {
	s := repaired(t, fakestore.Options{})
	s.wantSSH("ssh.ok")
	s.must(s.vm.HangSSHD(s.ctx()))
	s.wantSSH("ssh.timeout")
}

// Issue 2, line 8.
func TestStoppedSSHDThatAnsweredIsRefused(t *testing.T) {
	s := repaired(t, fakestore.Options{})
	s.wantSSH("ssh.ok")
	s.must(s.vm.KillSSHD(s.ctx()))
	s.wantSSH("ssh.refused")
}
