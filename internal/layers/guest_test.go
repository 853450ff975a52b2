package layers

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/hosttest"
)

// laptop is a transcript's computer with a real directory for the store and the journals, and with
// a docker host behind its open addresses.
type laptop struct {
	*hosttest.Computer
	t       *testing.T
	real    string
	guest   *guest
	sshPort string
	standIn *standIn // nil where commands answer as the transcript has it
}

func (l *laptop) local(path string) (*host.Local, bool) {
	return host.NewLocal(host.Sudo{}), strings.HasPrefix(path, l.real)
}

func (l *laptop) ReadFile(ctx context.Context, path string) ([]byte, error) {
	if h, ok := l.local(path); ok {
		return h.ReadFile(ctx, path)
	}
	return l.Computer.ReadFile(ctx, path)
}

func (l *laptop) WriteFile(ctx context.Context, path string, data []byte, perm fs.FileMode) error {
	if h, ok := l.local(path); ok {
		return h.WriteFile(ctx, path, data, perm)
	}
	return l.Computer.WriteFile(ctx, path, data, perm)
}

func (l *laptop) Remove(ctx context.Context, path string) error {
	if h, ok := l.local(path); ok {
		return h.Remove(ctx, path)
	}
	return l.Computer.Remove(ctx, path)
}

func (l *laptop) ReadDir(ctx context.Context, path string) ([]fs.DirEntry, error) {
	if h, ok := l.local(path); ok {
		return h.ReadDir(ctx, path)
	}
	return l.Computer.ReadDir(ctx, path)
}

func (l *laptop) MkdirAll(ctx context.Context, path string, perm fs.FileMode) error {
	if h, ok := l.local(path); ok {
		return h.MkdirAll(ctx, path, perm)
	}
	return l.Computer.MkdirAll(ctx, path, perm)
}

// Run runs docker's client 24.0, which every computer has, or a command of the transcript.
func (l *laptop) Run(ctx context.Context, cmd host.Cmd) (host.Output, error) {
	if len(cmd.Argv) > 0 && filepath.Base(cmd.Argv[0]) == "docker" {
		return host.Output{Stdout: []byte("1.43\n")}, nil
	}
	if l.standIn != nil {
		return l.standIn.run(ctx, cmd)
	}
	return l.Computer.Run(ctx, cmd)
}

// LookPath finds docker's client on every computer.
func (l *laptop) LookPath(name string, also ...string) (string, error) {
	if name == "docker" {
		return "/usr/local/bin/docker", nil
	}
	return l.Computer.LookPath(name, also...)
}

func (l *laptop) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if addr == "127.0.0.1:22" {
		l.t.Error("the laptop's own sshd was contacted")
	}
	// Do not wait long for a silent address.
	soon, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	conn, err := l.Computer.DialContext(soon, network, addr)
	if err != nil {
		return nil, err
	}
	conn.Close()
	to := l.guest.dockerd
	if _, port, _ := net.SplitHostPort(addr); port == "22" || port == l.sshPort {
		to = l.guest.sshd
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", to)
}

// guest is a docker host that cannot be changed: sshd answers every command with the facts, dockerd
// answers /_ping.
type guest struct{ sshd, dockerd string }

func serve(t *testing.T, s *fakestore.Store, m *fakestore.Machine, client bool) *guest {
	t.Helper()
	pair, err := tls.X509KeyPair(m.Server.CertPEM, m.Server.KeyPEM)
	check(t, err)
	clients := x509.NewCertPool()
	clients.AddCert(s.CA.Cert)
	g := &guest{}
	g.dockerd = listen(t, func(c net.Conn) {
		one := &oneConn{conn: tls.Server(c, &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients})}
		h := http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/_ping" {
				http.NotFound(w, r)
				return
			}
			w.Header().Set("Api-Version", "1.39")
			io.WriteString(w, "OK")
		})}
		_ = h.Serve(one)
	})
	_, hostKey, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	signer, err := ssh.NewSignerFromKey(hostKey)
	check(t, err)
	cfg := &ssh.ServerConfig{ServerVersion: "SSH-2.0-OpenSSH_7.9", PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }}
	cfg.AddHostKey(signer)
	g.sshd = listen(t, func(c net.Conn) { g.login(c, cfg, facts(s, m, client)) })
	return g
}

// facts returns what a boot2docker 19.03 answers to dockerhost's probe, with or without a docker
// command.
func facts(s *fakestore.Store, m *fakestore.Machine, client bool) []byte {
	var b bytes.Buffer
	frame := func(name, text string) {
		fmt.Fprintf(&b, "@@%s\n", name)
		for line := range strings.SplitSeq(text, "\n") {
			fmt.Fprintf(&b, "|%s\n", line)
		}
	}
	b.WriteString("@@docker-vpn-helper facts\n")
	frame("uid", "1000")
	frame("sudo", "")
	if client {
		frame("client", "yes")
	}
	frame("os-release", "ID=boot2docker\nVERSION_ID=19.03.12")
	frame("boot", "2c6a1f0e-5d6b-4b0e-9a7e-4d1b7a2f0c11")
	frame("init", "/etc/init.d/docker")
	frame("cert-path", "/var/lib/boot2docker/server.pem")
	frame("cert", string(m.Server.CertPEM)+".")
	frame("ca-path", "/var/lib/boot2docker/ca.pem")
	frame("ca", string(s.CA.CertPEM)+".")
	frame("key-path", "/var/lib/boot2docker/server-key.pem")
	frame("daemon", "2417 3105")
	frame("hosts", "unix://\ntcp://0.0.0.0:2376")
	frame("now", fmt.Sprint(time.Now().Unix()))
	frame("free", "1000000")
	b.WriteString("@@end\n")
	return b.Bytes()
}

func (g *guest) login(c net.Conn, cfg *ssh.ServerConfig, answer []byte) {
	defer c.Close()
	conn, channels, requests, err := ssh.NewServerConn(c, cfg)
	if err != nil {
		return
	}
	defer conn.Close()
	go ssh.DiscardRequests(requests)
	for ch := range channels {
		switch ch.ChannelType() {
		case "session":
			session, requests, err := ch.Accept()
			if err != nil {
				return
			}
			go func() {
				defer session.Close()
				for r := range requests {
					r.Reply(r.Type == "exec", nil)
					if r.Type == "exec" {
						go io.Copy(io.Discard, session)
						session.Write(answer)
						session.SendRequest("exit-status", false, make([]byte, 4))
						return
					}
				}
			}()
		case "direct-tcpip":
			to, err := net.Dial("tcp", g.dockerd)
			if err != nil {
				ch.Reject(ssh.ConnectionFailed, "Connection refused")
				continue
			}
			from, requests, err := ch.Accept()
			if err != nil {
				return
			}
			go ssh.DiscardRequests(requests)
			go func() { io.Copy(to, from); to.Close() }()
			go func() { io.Copy(from, to); from.Close() }()
		default:
			ch.Reject(ssh.ConnectionFailed, "nothing there")
		}
	}
}

// listen serves each connection to a loopback port until the test ends.
func listen(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go handle(c)
		}
	}()
	return ln.Addr().String()
}

// oneConn is a listener for one connection.
type oneConn struct {
	conn net.Conn
	once sync.Once
}

func (o *oneConn) Accept() (net.Conn, error) {
	var c net.Conn
	o.once.Do(func() { c = o.conn })
	if c == nil {
		return nil, io.EOF
	}
	return c, nil
}

func (o *oneConn) Close() error   { return nil }
func (o *oneConn) Addr() net.Addr { return o.conn.LocalAddr() }
