package sshhost

import (
	"context"
	"encoding/pem"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
)

// verdict is what the ssh layer decides by.
type verdict struct {
	Stage Stage
	Cause Cause
	Ident string
}

func verdictOf(t *testing.T, err error) verdict {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("got %T (%v), want *Error", err, err)
	}
	t.Log(e)
	return verdict{e.Stage, e.Cause, e.Ident}
}

// peer answers like something that is not quite an SSH server.
func TestWhatClosesSSH(t *testing.T) {
	// A close with unread data in the buffer would be a reset.
	hear := func(c net.Conn) { c.Read(make([]byte, 64)) }
	kexThenReset := func(c net.Conn) {
		c.Write([]byte("SSH-2.0-OpenSSH_7.2\r\n"))
		hear(c)
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
	for name, tt := range map[string]struct {
		serve   func(net.Conn)
		timeout time.Duration
		banner  time.Duration
		want    verdict
		bytes   int64
	}{
		"silent":                  {func(net.Conn) {}, 100 * time.Millisecond, 0, verdict{StageBanner, Timeout, ""}, 0},
		"silent_banner_deadline":  {func(net.Conn) {}, 10 * time.Second, 100 * time.Millisecond, verdict{StageBanner, Timeout, ""}, 0},
		"closed_before_banner":    {func(c net.Conn) { hear(c); c.Close() }, time.Second, 0, verdict{StageBanner, Closed, ""}, 0},
		"half_a_banner":           {func(c net.Conn) { hear(c); c.Write([]byte("SSH-2")); c.Close() }, time.Second, 0, verdict{StageBanner, Closed, ""}, 5},
		"max_startups_text":       {func(c net.Conn) { hear(c); c.Write([]byte("Exceeded MaxStartups\r\n")); c.Close() }, time.Second, 0, verdict{StageBanner, Closed, ""}, 22},
		"reset_in_key_exchange":   {kexThenReset, time.Second, 0, verdict{StageKeyExchange, Reset, "SSH-2.0-OpenSSH_7.2"}, 21},
		"silent_in_key_exchange":  {func(c net.Conn) { c.Write([]byte("SSH-2.0-x\r\n")) }, 100 * time.Millisecond, 0, verdict{StageKeyExchange, Timeout, "SSH-2.0-x"}, 11},
		"closed_after_the_banner": {func(c net.Conn) { c.Write([]byte("SSH-2.0-x\r\n")); c.(*net.TCPConn).CloseWrite() }, time.Second, 0, verdict{StageKeyExchange, Closed, "SSH-2.0-x"}, 11},
		"http_server":             {func(c net.Conn) { c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\nno")); c.(*net.TCPConn).CloseWrite() }, time.Second, 0, verdict{StageBanner, NotSSH, ""}, 30},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := listen(t, tt.serve)
			cfg := toStranger(t, addr)
			cfg.Timeout, cfg.BannerTimeout = tt.timeout, tt.banner
			_, err := Dial(t.Context(), cfg)
			if diff := cmp.Diff(tt.want, verdictOf(t, err)); diff != "" {
				t.Error(diff)
			}
			if e := err.(*Error); e.Received != tt.bytes || e.After <= 0 || e.After > 5*time.Second {
				t.Errorf("evidence: %d bytes after %v, want %d", e.Received, e.After, tt.bytes)
			}
		})
	}
}

// toStranger logs in to a server whose host key is not known yet.
func toStranger(t *testing.T, addr string) Config {
	t.Helper()
	cfg := newServer(t).config()
	cfg.Dial, cfg.Addr = dialer(addr), addr
	cfg.KnownKey, cfg.NewKey = nil, func([]byte) error { return nil }
	return cfg
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	l.Close()
	s := newServer(t)
	cfg := s.config()
	cfg.Dial = dialer(l.Addr().String())
	_, err = Dial(t.Context(), cfg)
	if diff := cmp.Diff(verdict{StageDial, Refused, ""}, verdictOf(t, err)); diff != "" {
		t.Error(diff)
	}
}

func TestUserGivesUpDuringTheHandshake(t *testing.T) {
	addr := listen(t, func(net.Conn) {})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err := Dial(ctx, toStranger(t, addr))
	if diff := cmp.Diff(verdict{StageBanner, Canceled, ""}, verdictOf(t, err)); diff != "" {
		t.Error(diff)
	}
}

func TestHostKeys(t *testing.T) {
	s := newServer(t)
	line := ssh.MarshalAuthorizedKey(s.hostKey.PublicKey())

	t.Run("first_use_is_shown_and_kept", func(t *testing.T) {
		cfg, shown := s.config(), []byte(nil)
		cfg.KnownKey, cfg.NewKey = nil, func(l []byte) error { shown = l; return nil }
		c := dial(t, cfg)
		if diff := cmp.Diff(string(line), string(shown)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(Greeting{Ident: "SSH-2.0-OpenSSH_7.2"}, c.Greeting()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("first_use_declined", func(t *testing.T) {
		cfg := s.config()
		cfg.KnownKey, cfg.NewKey = nil, func([]byte) error { return errors.New("not now") }
		_, err := Dial(t.Context(), cfg)
		if diff := cmp.Diff(verdict{StageHostKey, Declined, "SSH-2.0-OpenSSH_7.2"}, verdictOf(t, err)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("changed", func(t *testing.T) {
		s := newServer(t)
		cfg, other := s.config(), newHostKey(t).PublicKey()
		cfg.KnownKey = ssh.MarshalAuthorizedKey(other)
		_, err := Dial(t.Context(), cfg)
		if diff := cmp.Diff(verdict{StageHostKey, Changed, "SSH-2.0-OpenSSH_7.2"}, verdictOf(t, err)); diff != "" {
			t.Error(diff)
		}
		e := err.(*Error)
		if diff := cmp.Diff([]string{ssh.FingerprintSHA256(other), ssh.FingerprintSHA256(s.hostKey.PublicKey())}, []string{e.Known, e.Got}); diff != "" {
			t.Error(diff)
		}
		if s.logins.Load() != 0 {
			t.Error("logged in all the same")
		}
	})
	t.Run("a_second_host_key_of_another_type_is_no_change", func(t *testing.T) {
		rsaKey := newRSAHostKey(t)
		s := newServer(t, func(c *ssh.ServerConfig) { c.AddHostKey(rsaKey) })
		for _, key := range []ssh.Signer{rsaKey, s.hostKey} {
			cfg := s.config()
			cfg.KnownKey = ssh.MarshalAuthorizedKey(key.PublicKey())
			dial(t, cfg)
		}
	})
	t.Run("no_decision", func(t *testing.T) {
		cfg := s.config()
		cfg.KnownKey = nil
		if _, err := Dial(t.Context(), cfg); err == nil {
			t.Error("logged in without knowing to whom")
		}
	})
	t.Run("unreadable_pin", func(t *testing.T) {
		cfg := s.config()
		cfg.KnownKey = []byte("garbage")
		_, err := Dial(t.Context(), cfg)
		if diff := cmp.Diff(verdict{StageHostKey, BadKey, ""}, verdictOf(t, err)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestUserKeys(t *testing.T) {
	s := newServer(t)
	encrypted, err := ssh.MarshalPrivateKeyWithPassphrase(mustRaw(t, s.userPEM), "", []byte("x"))
	check(t, err)
	for name, tt := range map[string]struct {
		key  []byte
		want verdict
	}{
		"of_another_machine": {newServer(t).userPEM, verdict{StageAuth, Rejected, "SSH-2.0-OpenSSH_7.2"}},
		"encrypted":          {pem.EncodeToMemory(encrypted), verdict{StageKey, BadKey, ""}},
		"encrypted_pkcs8":    {pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")}), verdict{StageKey, BadKey, ""}},
		"truncated":          {s.userPEM[:40], verdict{StageKey, BadKey, ""}},
		"empty":              {nil, verdict{StageKey, BadKey, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := s.config()
			cfg.KeyPEM = tt.key
			_, err := Dial(t.Context(), cfg)
			if diff := cmp.Diff(tt.want, verdictOf(t, err)); diff != "" {
				t.Error(diff)
			}
			if e := err.(*Error); tt.want.Cause == Rejected {
				if diff := cmp.Diff([]string{"publickey"}, e.Methods); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func mustRaw(t *testing.T, pem []byte) any {
	t.Helper()
	key, err := ssh.ParseRawPrivateKey(pem)
	check(t, err)
	return key
}

func TestOldServers(t *testing.T) {
	rsaKey := newRSAHostKey(t)
	sha1Only, err := ssh.NewSignerWithAlgorithms(rsaKey.(ssh.AlgorithmSigner), []string{ssh.KeyAlgoRSA})
	check(t, err)
	old := func(kex, cipher string) serverOption {
		return func(c *ssh.ServerConfig) {
			c.KeyExchanges, c.Ciphers = []string{kex}, []string{cipher}
		}
	}
	t.Run("ssh_rsa_sha1_group14_aes128_ctr", func(t *testing.T) {
		s := newServer(t, old(ssh.InsecureKeyExchangeDH14SHA1, ssh.CipherAES128CTR), func(c *ssh.ServerConfig) { c.AddHostKey(sha1Only) })
		cfg := s.config()
		cfg.KnownKey = ssh.MarshalAuthorizedKey(rsaKey.PublicKey())
		c := dial(t, cfg)
		if diff := cmp.Diff([]string{"diffie-hellman-group14-sha1", "ssh-rsa"}, c.Greeting().Weak); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("group1_only", func(t *testing.T) {
		s := newServer(t, old(ssh.InsecureKeyExchangeDH1SHA1, ssh.InsecureCipherAES128CBC))
		_, err := Dial(t.Context(), s.config())
		if diff := cmp.Diff(verdict{StageKeyExchange, NoCommonAlgorithm, "SSH-2.0-OpenSSH_7.2"}, verdictOf(t, err)); diff != "" {
			t.Error(diff)
		}
		e := err.(*Error)
		if e.What != "key exchange" || !cmp.Equal(e.Theirs, []string{"diffie-hellman-group1-sha1"}) || len(e.Ours) < 4 {
			t.Errorf("what %q, theirs %q, ours %q", e.What, e.Theirs, e.Ours)
		}
		cfg := s.config()
		cfg.Legacy = true
		c := dial(t, cfg)
		if diff := cmp.Diff([]string{"diffie-hellman-group1-sha1", "aes128-cbc"}, c.Greeting().Weak); diff != "" {
			t.Error(diff)
		}
	})
}

func TestLockedAccountSaysSoInTheBanner(t *testing.T) {
	s := newServer(t, func(c *ssh.ServerConfig) {
		c.BannerCallback = func(ssh.ConnMetadata) string { return "account docker is locked\n" }
		c.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, errors.New("no") }
	})
	_, err := Dial(t.Context(), s.config())
	verdictOf(t, err)
	if e := err.(*Error); e.Banner != "account docker is locked" {
		t.Errorf("banner %q", e.Banner)
	}
}

func TestErrorsNeverQuoteTheKey(t *testing.T) {
	s := newServer(t)
	for _, key := range [][]byte{s.userPEM, s.userPEM[:len(s.userPEM)-40], append([]byte("x"), s.userPEM[30:]...)} {
		cfg := s.config()
		cfg.KeyPEM = key
		_, err := Dial(t.Context(), cfg)
		if err != nil && strings.Contains(err.Error(), string(s.userPEM[60:100])) {
			t.Errorf("%v", err)
		}
	}
}

func FuzzIdentLine(f *testing.F) {
	for _, s := range []string{"SSH-2.0-OpenSSH_7.2\r\n", "hello\nSSH-2.0-x\n", "SSH-", "", "\n\n", "SSH-\xff\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		got := identLine(head)
		if got != "" && (!strings.HasPrefix(got, "SSH-") || strings.Contains(got, "\n")) {
			t.Errorf("%q from %q", got, head)
		}
		if got != "" && identLine(append([]byte("noise\n"), head...)) != got {
			t.Errorf("noise before %q hides it", got)
		}
	})
}
