package sshhost

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
)

// What is cut before the server has said a word was not cut for what we said.
func TestTheServerSpeaksFirst(t *testing.T) {
	heard := make(chan string, 1)
	addr := listen(t, func(c net.Conn) {
		c.SetReadDeadline(time.Now().Add(maxHold / 5))
		early, _ := io.ReadAll(c)
		heard <- string(early)
		c.Write([]byte("SSH-2.0-OpenSSH_9.2\r\n"))
		c.SetReadDeadline(time.Now().Add(maxHold / 5))
		line := make([]byte, 4)
		io.ReadFull(c, line)
		heard <- string(line)
		c.Close()
	})
	_, err := Dial(t.Context(), toStranger(t, addr))
	if v := verdictOf(t, err); v.Stage != StageKeyExchange {
		t.Errorf("stage %s", v.Stage)
	}
	if diff := cmp.Diff([]string{"", "SSH-"}, []string{<-heard, <-heard}); diff != "" {
		t.Error(diff)
	}
}

// A multiplexer may wait for the client's line to tell SSH from TLS.
func TestServerThatWaitsForOurLine(t *testing.T) {
	s := newServer(t)
	cfg := s.config()
	cfg.Dial = func(ctx context.Context) (net.Conn, error) {
		c, err := dialer(s.addr)(ctx)
		return &shy{Conn: c, spoken: make(chan struct{})}, err
	}
	dial(t, cfg)
}

// shy lets nothing in before something has gone out.
type shy struct {
	net.Conn
	spoken chan struct{}
}

func (s *shy) Write(p []byte) (int, error) {
	select {
	case <-s.spoken:
	default:
		close(s.spoken)
	}
	return s.Conn.Write(p)
}

func (s *shy) Read(p []byte) (int, error) {
	<-s.spoken
	return s.Conn.Read(p)
}

// A path that swallows large packets, or an IPS without manners: each silence of the key
// exchange is bounded, not only the first.
func TestSilenceAfterTheBanner(t *testing.T) {
	addr := listen(t, func(c net.Conn) { c.Write([]byte("SSH-2.0-x\r\n")) })
	start := time.Now()
	cfg := toStranger(t, addr)
	cfg.Timeout, cfg.BannerTimeout = time.Minute, 200*time.Millisecond
	_, err := Dial(t.Context(), cfg)
	if diff := cmp.Diff(verdict{StageKeyExchange, Timeout, "SSH-2.0-x"}, verdictOf(t, err)); diff != "" {
		t.Error(diff)
	}
	if e := err.(*Error); e.Sent < 500 || time.Since(start) > 5*time.Second {
		t.Errorf("%d bytes sent, %v", e.Sent, time.Since(start))
	}
}

// An old server takes RSA with SHA-1 only, and a current one is never asked to.
func TestKeyForAnOldServer(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	check(t, err)
	userPEM := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	for name, old := range map[string]bool{"old": true, "current": false} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, func(c *ssh.ServerConfig) {
				c.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }
				c.PublicKeyAuthAlgorithms = []string{ssh.KeyAlgoRSA}
				if old {
					c.KeyExchanges = []string{ssh.InsecureKeyExchangeDH14SHA1}
				}
			})
			cfg := s.config()
			cfg.KeyPEM, cfg.Legacy = userPEM, old
			if !old {
				cfg.Dial = dialer(newServer(t).addr) // knows another key
				cfg.KnownKey, cfg.NewKey = nil, func([]byte) error { return nil }
				_, err := Dial(t.Context(), cfg)
				e, ok := errors.AsType[*Error](err)
				if !ok || e.Cause != Rejected || e.Key != ssh.FingerprintSHA256(signer.PublicKey()) || e.User != "docker" {
					t.Errorf("got %v", err)
				}
				if !strings.Contains(err.Error(), e.Key) {
					t.Errorf("the key is not named: %v", err)
				}
				return
			}
			c := dial(t, cfg)
			if diff := cmp.Diff([]string{ssh.InsecureKeyExchangeDH14SHA1}, c.Greeting().Weak); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSignOfLife(t *testing.T) {
	s := newServer(t)
	c := dial(t, s.config())
	check(t, c.CheckAlive(t.Context()))
	s.mute.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	e, ok := errors.AsType[*Error](c.CheckAlive(ctx))
	if !ok || e.Cause != Timeout || e.What != SignOfLife || e.Sent == 0 {
		t.Errorf("got %+v", e)
	}
}
