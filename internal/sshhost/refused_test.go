package sshhost

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
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
		}, verdict{StageAuth, TurnedAway, "SSH-2.0-OpenSSH_7.2"}, `; it sent "Your account has expired."`},
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
	check(t, c.CheckAlive(t.Context()))
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

// kexInit is a server that offers these ciphers, and everything else that we do (RFC 4253, section 7.1).
func kexInit(ciphers ...string) func(net.Conn) {
	ours := ssh.SupportedAlgorithms()
	payload := append([]byte{20}, ssh.Marshal(struct {
		Cookie                                     [16]byte
		Kex, HostKeys, C2S, S2C, MACs, MACsBack    []string
		Compression, CompressionBack, Lang, Tongue []string
		Follows                                    bool
		Reserved                                   uint32
	}{
		Kex: ours.KeyExchanges, HostKeys: ours.HostKeys, C2S: ciphers, S2C: ciphers, MACs: ours.MACs, MACsBack: ours.MACs,
		Compression: []string{"none"}, CompressionBack: []string{"none"},
	})...)
	padding := 16 - (len(payload)+5)%8
	packet := binary.BigEndian.AppendUint32(nil, uint32(1+len(payload)+padding))
	packet = append(append(append(packet, byte(padding)), payload...), make([]byte, padding)...)
	return func(c net.Conn) {
		c.Write([]byte("SSH-2.0-OpenSSH_5.9\r\n"))
		c.Write(packet)
		io.Copy(io.Discard, c)
	}
}

// Outdated algorithms are worth a second connection only where they would help.
func TestNothingInCommon(t *testing.T) {
	for name, tt := range map[string]struct {
		theirs   []string
		legacy   bool
		outdated bool
	}{
		"unknown":              {[]string{"aes256-cbc", "rijndael-cbc@lysator.liu.se"}, false, false},
		"outdated":             {[]string{"aes256-cbc", "aes128-cbc"}, false, true},
		"unknown_to_all_of_us": {[]string{"aes256-cbc"}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			addr := listen(t, kexInit(tt.theirs...))
			cfg := toStranger(t, addr)
			cfg.Legacy = tt.legacy
			_, err := Dial(t.Context(), cfg)
			if diff := cmp.Diff(verdict{StageKeyExchange, NoCommonAlgorithm, "SSH-2.0-OpenSSH_5.9"}, verdictOf(t, err)); diff != "" {
				t.Error(diff)
			}
			if e := err.(*Error); e.Outdated != tt.outdated || !cmp.Equal(tt.theirs, e.Theirs) {
				t.Errorf("outdated %v, theirs %v", e.Outdated, e.Theirs)
			}
		})
	}
}

// What is no SSH server is quoted, but not at length.
func TestMuchIsSaid(t *testing.T) {
	addr := listen(t, func(c net.Conn) { c.Write(bytes.Repeat([]byte("\x16\xff"), 5000)); c.(*net.TCPConn).CloseWrite() })
	_, err := Dial(t.Context(), toStranger(t, addr))
	if diff := cmp.Diff(verdict{StageBanner, NotSSH, ""}, verdictOf(t, err)); diff != "" {
		t.Error(diff)
	}
	if n := len(err.Error()); n > 400 {
		t.Errorf("%d bytes", n)
	}
}
