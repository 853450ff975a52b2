package fakedockerhost

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// sshServer is the guest's sshd.
type sshServer struct {
	g  *Guest
	ln net.Listener

	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]bool
	recent []time.Time // connections, for the fault "sshd limit"
}

func newSSHServer(g *Guest) (*sshServer, error) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sshServer{g: g, ln: ln, conns: map[net.Conn]bool{}}
	go s.serve()
	return s, nil
}

func (s *sshServer) port() int { return s.ln.Addr().(*net.TCPAddr).Port }

func (s *sshServer) close() {
	s.ln.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.conns {
		c.Close()
	}
}

func (s *sshServer) serve() {
	for {
		conn, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed {
			conn.Close()
		} else {
			s.conns[conn] = true
		}
		s.mu.Unlock()
		go func() {
			defer func() {
				conn.Close()
				s.mu.Lock()
				delete(s.conns, conn)
				s.mu.Unlock()
			}()
			s.handle(conn)
		}()
	}
}

func (s *sshServer) handle(conn net.Conn) {
	count(s.g.dir, "dials", time.Now().UTC().Format(time.RFC3339Nano))
	fault, _ := Fault(s.g.dir, "sshd")
	words := append(strings.Fields(fault), "")
	switch words[0] {
	case "silent":
		_, _ = io.Copy(io.Discard, conn)
		return
	case "close":
		return
	case "limit":
		if s.overLimit(words[1:]) {
			return
		}
	}
	config, err := s.config(words[0])
	if err != nil {
		return
	}
	sc, chans, reqs, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	defer sc.Close()
	count(s.g.dir, "logins", time.Now().UTC().Format(time.RFC3339Nano)+" "+sc.User())
	go ssh.DiscardRequests(reqs) // a keepalive gets a refusal, which is an answer
	for ch := range chans {
		switch ch.ChannelType() {
		case "session":
			go s.g.session(ch, sc.User())
		case "direct-tcpip":
			go s.g.forwardTCP(ch)
		case "direct-streamlocal@openssh.com":
			go s.g.forwardUnix(ch)
		default:
			_ = ch.Reject(ssh.UnknownChannelType, "unknown channel type "+ch.ChannelType())
		}
	}
}

// overLimit implements "limit N SECONDS": more than N connections in that time
// are closed, as intrusion prevention does.
func (s *sshServer) overLimit(args []string) bool {
	n, _ := strconv.Atoi(args[0])
	seconds := 60
	if len(args) > 1 && args[1] != "" {
		seconds, _ = strconv.Atoi(args[1])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	kept := s.recent[:0]
	for _, t := range s.recent {
		if now.Sub(t) < time.Duration(seconds)*time.Second {
			kept = append(kept, t)
		}
	}
	s.recent = append(kept, now)
	return len(s.recent) > n
}

func (s *sshServer) config(fault string) (*ssh.ServerConfig, error) {
	key, err := s.g.hostKey(fault == "hostkey")
	if err != nil {
		return nil, err
	}
	c := &ssh.ServerConfig{
		ServerVersion: "SSH-2.0-OpenSSH_7.9",
		PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if fault == "auth" || meta.User() != s.g.spec.User || !s.g.authorized(key) {
				return nil, fmt.Errorf("no key of %s", meta.User())
			}
			return nil, nil
		},
	}
	c.AddHostKey(key)
	return c, nil
}

// authorized looks the key up in the user's authorized_keys.
func (g *Guest) authorized(key ssh.PublicKey) bool {
	rest, err := os.ReadFile(g.path("root", "home", g.spec.User, ".ssh", "authorized_keys"))
	for err == nil && len(rest) > 0 {
		var k ssh.PublicKey
		if k, _, _, rest, err = ssh.ParseAuthorizedKey(rest); err == nil && bytes.Equal(k.Marshal(), key.Marshal()) {
			return true
		}
	}
	return false
}

// hostKey reads or makes the host key; other is the one of "hostkey": a host
// that was replaced.
func (g *Guest) hostKey(other bool) (ssh.Signer, error) {
	name := "ssh_host_ed25519_key"
	if other {
		name += ".other"
	}
	file := g.path(name)
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		_, priv, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		der, err := x509.MarshalPKCS8PrivateKey(priv)
		if err != nil {
			return nil, err
		}
		data = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		if err := os.WriteFile(file, data, 0o600); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	return ssh.ParsePrivateKey(data)
}

// forwardTCP serves a direct-tcpip channel: the guest's own loopback and address.
func (g *Guest) forwardTCP(ch ssh.NewChannel) {
	var req struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	if err := ssh.Unmarshal(ch.ExtraData(), &req); err != nil {
		_ = ch.Reject(ssh.ConnectionFailed, "bad request")
		return
	}
	switch req.Host {
	case "127.0.0.1", "localhost", "::1", "0.0.0.0", "10.0.2.15", g.spec.IP:
	default:
		_ = ch.Reject(ssh.ConnectionFailed, "No route to host")
		return
	}
	conn, err := g.Dial(context.Background(), int(req.Port))
	g.forward(ch, conn, err)
}

// forwardUnix serves a direct-streamlocal channel: dockerd's socket.
func (g *Guest) forwardUnix(ch ssh.NewChannel) {
	var req struct {
		Path     string
		Reserved string
		Port     uint32
	}
	if err := ssh.Unmarshal(ch.ExtraData(), &req); err != nil {
		_ = ch.Reject(ssh.ConnectionFailed, "bad request")
		return
	}
	conn, err := net.Dial("unix", mapIn(g.path("root"), req.Path))
	g.forward(ch, conn, err)
}

func (g *Guest) forward(nc ssh.NewChannel, conn net.Conn, err error) {
	if err != nil {
		_ = nc.Reject(ssh.ConnectionFailed, "Connection refused")
		return
	}
	defer conn.Close()
	ch, reqs, err := nc.Accept()
	if err != nil {
		return
	}
	defer ch.Close()
	go ssh.DiscardRequests(reqs)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(ch, conn)
		_ = ch.CloseWrite()
	}()
	_, _ = io.Copy(conn, ch)
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	<-done
}
