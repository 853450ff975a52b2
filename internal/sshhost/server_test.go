package sshhost

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// server is a real SSH server on loopback that runs commands with /bin/sh in a
// directory of its own, whose bin directory is first in PATH.
type server struct {
	addr     string
	dir      string
	hostKey  ssh.Signer
	userPEM  []byte
	logins   atomic.Int32
	commands chan string
	raw      chan net.Conn // accepted connections
	mute     atomic.Bool   // global requests get no answer
	full     atomic.Int32  // sessions that are turned down, as with sshd's MaxSessions
}

type serverOption func(*ssh.ServerConfig)

func newServer(t *testing.T, opts ...serverOption) *server {
	t.Helper()
	userPub, userKey, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	block, err := ssh.MarshalPrivateKey(userKey, "")
	check(t, err)
	allowed, err := ssh.NewPublicKey(userPub)
	check(t, err)
	s := &server{dir: t.TempDir(), hostKey: newHostKey(t), userPEM: pem.EncodeToMemory(block), commands: make(chan string, 100), raw: make(chan net.Conn, 10)}
	check(t, os.Mkdir(filepath.Join(s.dir, "bin"), 0o755))
	cfg := &ssh.ServerConfig{
		ServerVersion: "SSH-2.0-OpenSSH_7.2",
		PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if bytes.Equal(key.Marshal(), allowed.Marshal()) {
				return nil, nil
			}
			return nil, fmt.Errorf("not allowed")
		},
	}
	cfg.AddHostKey(s.hostKey)
	for _, o := range opts {
		o(cfg)
	}
	s.addr = listen(t, func(c net.Conn) {
		select {
		case s.raw <- c:
		default:
		}
		s.serve(t, c, cfg)
	})
	return s
}

func (s *server) serve(t *testing.T, c net.Conn, cfg *ssh.ServerConfig) {
	conn, chans, reqs, err := ssh.NewServerConn(c, cfg)
	if err != nil {
		c.Close()
		return
	}
	s.logins.Add(1)
	defer conn.Close()
	go func() {
		for r := range reqs {
			if r.WantReply && !s.mute.Load() {
				r.Reply(false, nil)
			}
		}
	}()
	for ch := range chans {
		switch ch.ChannelType() {
		case "session":
			if s.full.Add(-1) >= 0 {
				ch.Reject(ssh.ConnectionFailed, "open failed")
				continue
			}
			ch, reqs, _ := ch.Accept()
			go s.session(ch, reqs)
		case "direct-tcpip":
			var m struct {
				Host   string
				Port   uint32
				Origin string
				OPort  uint32
			}
			ssh.Unmarshal(ch.ExtraData(), &m)
			go forward(ch, "tcp", fmt.Sprintf("%s:%d", m.Host, m.Port))
		case "direct-streamlocal@openssh.com":
			var m struct {
				Path, Reserved string
				Zero           uint32
			}
			ssh.Unmarshal(ch.ExtraData(), &m)
			go forward(ch, "unix", m.Path)
		default:
			ch.Reject(ssh.UnknownChannelType, "")
		}
	}
}

func forward(nc ssh.NewChannel, network, addr string) {
	to, err := net.Dial(network, addr)
	if err != nil {
		nc.Reject(ssh.ConnectionFailed, "Connection refused")
		return
	}
	ch, reqs, _ := nc.Accept()
	go ssh.DiscardRequests(reqs)
	go func() {
		io.Copy(to, ch)
		to.(interface{ CloseWrite() error }).CloseWrite()
	}()
	io.Copy(ch, to)
	ch.Close()
	to.Close()
}

func (s *server) session(ch ssh.Channel, reqs <-chan *ssh.Request) {
	var cmd *exec.Cmd
	for r := range reqs {
		switch r.Type {
		case "exec":
			var m struct{ Line string }
			ssh.Unmarshal(r.Payload, &m)
			s.commands <- m.Line
			cmd = exec.Command("/bin/sh", "-c", m.Line)
			cmd.Dir = s.dir
			cmd.Env = []string{"PATH=" + s.dir + "/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			cmd.Stdout, cmd.Stderr = ch, ch.Stderr()
			in, _ := cmd.StdinPipe()
			r.Reply(cmd.Start() == nil, nil)
			go func() { io.Copy(in, ch); in.Close() }()
			go func(cmd *exec.Cmd) {
				cmd.Wait()
				ws := cmd.ProcessState.Sys().(syscall.WaitStatus)
				if ws.Signaled() {
					ch.SendRequest("exit-signal", false, ssh.Marshal(struct {
						Sig  string
						Core bool
						Err  string
						Lang string
					}{"KILL", false, "", ""}))
				} else {
					ch.SendRequest("exit-status", false, ssh.Marshal(struct{ N uint32 }{uint32(ws.ExitStatus())}))
				}
				ch.Close()
			}(cmd)
		case "signal":
			kill(cmd)
		default:
			if r.WantReply {
				r.Reply(false, nil)
			}
		}
	}
	// The connection is gone, and with it what it ran.
	kill(cmd)
}

func kill(cmd *exec.Cmd) {
	if cmd != nil && cmd.Process != nil {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
}

func (s *server) config() Config {
	return Config{
		Dial: dialer(s.addr), Addr: s.addr, User: "docker", KeyPEM: s.userPEM,
		KnownKey: ssh.MarshalAuthorizedKey(s.hostKey.PublicKey()), Timeout: 10 * time.Second,
	}
}

// fake puts a script in the docker host's PATH.
func (s *server) fake(t *testing.T, name, script string) {
	t.Helper()
	check(t, os.WriteFile(filepath.Join(s.dir, "bin", name), []byte("#!/bin/sh\n"+script), 0o755))
}

// listen accepts connections on loopback until the test ends.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			go serve(c)
		}
	}()
	return l.Addr().String()
}

func dialer(addr string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", addr) }
}

func newHostKey(t *testing.T) ssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	s, err := ssh.NewSignerFromKey(key)
	check(t, err)
	return s
}

func newRSAHostKey(t *testing.T) ssh.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	s, err := ssh.NewSignerFromKey(key)
	check(t, err)
	return s
}

func dial(t *testing.T, cfg Config) *Client {
	t.Helper()
	c, err := Dial(t.Context(), cfg)
	check(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
