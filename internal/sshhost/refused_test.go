package sshhost

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// The key is not wrong wherever a login by key fails.
func TestWhoIsNotLetIn(t *testing.T) {
	password := func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) { return nil, nil }
	for name, tt := range map[string]struct {
		change serverOption
		want   verdict
		says   string
	}{
		"no_keys_at_all": {func(c *ssh.ServerConfig) { c.PublicKeyCallback, c.PasswordCallback = nil, password },
			verdict{StageAuth, KeyNotAsked, "SSH-2.0-OpenSSH_7.2"}, "lets docker in by no key (it offers: password)"},
		"a_password_as_well": {func(c *ssh.ServerConfig) {
			c.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) {
				return nil, &ssh.PartialSuccessError{Next: ssh.ServerAuthCallbacks{PasswordCallback: password}}
			}
		}, verdict{StageAuth, KeyNotEnough, "SSH-2.0-OpenSSH_7.2"}, "accepts the key for docker, and wants more (it offers: password)"},
		"another_key": {func(c *ssh.ServerConfig) {
			c.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, errors.New("no") }
		}, verdict{StageAuth, Rejected, "SSH-2.0-OpenSSH_7.2"}, "does not accept the key SHA256:"},
		"an_account_that_has_expired": {func(c *ssh.ServerConfig) {
			c.BannerCallback = func(ssh.ConnMetadata) string { return "authorised use only\n" }
			c.MaxAuthTries = 1
			c.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) {
				return nil, &ssh.BannerError{Err: errors.New("expired"), Message: "Your account has expired.\n"}
			}
		}, verdict{StageAuth, TurnedAway, "SSH-2.0-OpenSSH_7.2"}, `; it says "Your account has expired."`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Dial(t.Context(), newServer(t, tt.change).config())
			if diff := cmp.Diff(tt.want, verdictOf(t, err)); diff != "" {
				t.Error(diff)
			}
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%q lacks %q", err, tt.says)
			}
		})
	}
}

// sshd reads "close" and "open" together and still counts the old session (OpenSSH 9.2
// with MaxSessions 1): that is not a refusal.
func TestSessionThatIsStillCounted(t *testing.T) {
	s := newServer(t)
	c := dial(t, s.config())
	s.full.Store(3)
	out, err := c.Run(t.Context(), host.Cmd{Argv: []string{"echo", "x"}})
	check(t, err)
	if string(out.Stdout) != "x\n" || s.logins.Load() != 1 {
		t.Errorf("%q, %d logins", out.Stdout, s.logins.Load())
	}
}

// A server that opens no session has not lost the connection.
func TestNoSessions(t *testing.T) {
	s := newServer(t)
	c := dial(t, s.config())
	s.full.Store(1 << 20)
	_, err := c.Run(t.Context(), host.Cmd{Argv: []string{"echo", "x"}})
	if diff := cmp.Diff(verdict{StageSession, Denied, "SSH-2.0-OpenSSH_7.2"}, verdictOf(t, err)); diff != "" {
		t.Error(diff)
	}
	check(t, c.Lost())
	check(t, c.Answers(t.Context()))
}

// A reset may be faster than the news of the connection.
func TestResetWhileConnecting(t *testing.T) {
	cfg := newServer(t).config()
	cfg.Dial = func(context.Context) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNRESET)}
	}
	_, err := Dial(t.Context(), cfg)
	if diff := cmp.Diff(verdict{StageBanner, Reset, ""}, verdictOf(t, err)); diff != "" {
		t.Error(diff)
	}
}

// What is no SSH server is quoted, but not at length.
func TestMuchIsSaid(t *testing.T) {
	addr := listen(t, func(c net.Conn) { c.Write(bytes.Repeat([]byte("\x16\xff"), 5000)); c.(*net.TCPConn).CloseWrite() })
	_, err := Dial(t.Context(), Config{Dial: dialer(addr), Addr: addr, User: "docker", KeyPEM: anyKey(t), NewKey: func([]byte) error { return nil }})
	if diff := cmp.Diff(verdict{StageBanner, NotSSH, ""}, verdictOf(t, err)); diff != "" {
		t.Error(diff)
	}
	if n := len(err.Error()); n > 400 {
		t.Errorf("%d bytes", n)
	}
}
