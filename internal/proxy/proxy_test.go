package proxy

import (
	"bufio"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/relay"
)

const patience = 20 * time.Second

// authority is a CA and what it has signed.
type authority struct {
	t      *testing.T
	pem    []byte
	cert   *x509.Certificate
	key    crypto.Signer
	server certs.Pair
}

func newAuthority(t *testing.T, now time.Time) *authority {
	t.Helper()
	a := &authority{t: t}
	ca, err := certs.NewCA("test CA", now)
	must(t, err)
	a.pem = ca.Cert
	a.cert, a.key, err = certs.ParseCA(ca.Cert, ca.Key)
	must(t, err)
	a.server, err = certs.NewServer([]string{"127.0.0.1"}, a.cert, a.key, now)
	must(t, err)
	return a
}

// client is a client certificate that was made at some time.
func (a *authority) client(cn string, at time.Time) *tls.Certificate {
	a.t.Helper()
	p, err := certs.NewClient(cn, a.cert, a.key, at)
	must(a.t, err)
	return pairOf(a.t, p)
}

func pairOf(t *testing.T, p certs.Pair) *tls.Certificate {
	t.Helper()
	c, err := tls.X509KeyPair(p.Cert, p.Key)
	must(t, err)
	return &c
}

func (a *authority) credentials(allow ...string) *Credentials {
	a.t.Helper()
	c, err := NewCredentials(a.server.Cert, a.server.Key, a.pem, allow, time.Now())
	must(a.t, err)
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rig is a proxy in front of a unix socket, and a client's certificate.
type rig struct {
	t      *testing.T
	ca     *authority
	cert   *tls.Certificate
	server *Server
	addr   string

	mu     sync.Mutex
	events []Event
}

// newRig starts a proxy whose upstream connections are served by upstream, one goroutine each.
func newRig(t *testing.T, o Options, upstream func(*net.UnixConn), adjust ...func(*Server)) *rig {
	t.Helper()
	r := &rig{t: t, ca: newAuthority(t, time.Now())}
	r.cert = r.ca.client("ci", time.Now())
	path := filepath.Join(t.TempDir(), "docker.sock")
	docker, err := net.Listen("unix", path)
	must(t, err)
	go func() {
		for {
			c, err := docker.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(patience))
			go func() {
				defer c.Close()
				upstream(c.(*net.UnixConn))
			}()
		}
	}()
	if o.Dial == nil {
		o.Dial = unixDialer(path)
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = 100
	}
	o.Now = time.Now
	o.Log = func(e Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, e)
	}
	r.server = New(o, r.ca.credentials())
	for _, f := range adjust {
		f(r.server)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	r.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- r.server.Serve(l) }()
	t.Cleanup(func() {
		_ = l.Close()
		_ = docker.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		r.server.Shutdown(ctx)
	})
	return r
}

func unixDialer(path string) Dialer {
	return func(ctx context.Context) (relay.Stream, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
		if err != nil {
			return nil, err
		}
		return c.(*net.UnixConn), nil
	}
}

// logged waits for the n-th event.
func (r *rig) logged(n int) Event {
	r.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		r.mu.Lock()
		if len(r.events) >= n {
			defer r.mu.Unlock()
			return r.events[n-1]
		}
		r.mu.Unlock()
	}
	r.t.Fatalf("no event %d", n)
	return Event{}
}

func (r *rig) config(cert *tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(r.ca.cert)
	c := &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}
	if cert != nil {
		c.Certificates = []tls.Certificate{*cert}
	}
	return c
}

func (r *rig) tcp() *net.TCPConn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	must(r.t, err)
	r.t.Cleanup(func() { c.Close() })
	must(r.t, c.SetDeadline(time.Now().Add(patience)))
	return c.(*net.TCPConn)
}

// dial is a connection with a client certificate, or none.
func (r *rig) dial(cert *tls.Certificate) *tls.Conn {
	r.t.Helper()
	c := tls.Client(r.tcp(), r.config(cert))
	must(r.t, c.Handshake())
	return c
}

// get sends a request and reads its response.
func get(t *testing.T, c net.Conn, request string) (status int, message string) {
	t.Helper()
	_, err := io.WriteString(c, request)
	must(t, err)
	return response(t, bufio.NewReader(c))
}

func response(t *testing.T, r *bufio.Reader) (status int, message string) {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	must(t, err)
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	var m struct{ Message string }
	if json.Unmarshal(body, &m) == nil {
		return resp.StatusCode, m.Message
	}
	return resp.StatusCode, string(body)
}

const request = "GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"

// dockerd answers each request, and ends when its client does.
func dockerd(c *net.UnixConn) {
	for r := bufio.NewReader(c); ; {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"); err != nil {
			return
		}
	}
}

func TestWhoIsLetIn(t *testing.T) {
	r := newRig(t, Options{}, dockerd)
	r.server.Use(r.ca.credentials("ci", "backup"))
	now := time.Now()
	const years = 365 * 24 * time.Hour
	old := newAuthority(t, now.Add(-5*years))
	r.ca.cert.NotBefore = now.Add(-6 * years) // so that it signs expired certificates, too
	for _, c := range []struct {
		name   string
		cert   *tls.Certificate
		status int
		reason string
	}{
		{"good", r.cert, 200, "OK"},
		{"none", nil, 400, "no client certificate was sent, and this proxy requires one"},
		{"wrong CA", old.client("ci", now), 400, "the client certificate is not signed by the CA of this proxy"},
		{"expired", r.ca.client("ci", now.Add(-4*years)), 400, "the client certificate expired on "},
		{"not yet valid", r.ca.client("ci", now.Add(24*time.Hour)), 400, "the client certificate is not valid before "},
		{"server only", pairOf(t, r.ca.server), 400, "the certificate is not for clients (extended key usage)"},
		{"wrong name", r.ca.client("intern", now), 403, `the client "intern" is not allowed to use this proxy`},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, reason := get(t, r.dial(c.cert), request)
			if status != c.status || !strings.HasPrefix(reason, c.reason) {
				t.Errorf("got %d %q, want %d %q", status, reason, c.status, c.reason)
			}
		})
	}
}

func TestNoTLSAndOldTLS(t *testing.T) {
	r := newRig(t, Options{}, dockerd)
	if status, reason := get(t, r.tcp(), request); status != 400 || !strings.Contains(reason, "plain HTTP") {
		t.Errorf("plain HTTP: %d %q", status, reason)
	}
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		config := r.config(r.cert)
		config.MinVersion, config.MaxVersion = tls.VersionTLS10, version
		err := tls.Client(r.tcp(), config).Handshake()
		if err == nil || !strings.Contains(err.Error(), "remote error: tls: protocol version not supported") {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
}

// A HEAD request's refusal has no body: its client would take that for the next response.
func TestRefusalOfHEAD(t *testing.T) {
	r := newRig(t, Options{}, dockerd)
	c := r.dial(nil)
	_, err := io.WriteString(c, "HEAD /_ping HTTP/1.1\r\nHost: docker\r\n\r\n")
	must(t, err)
	text, err := io.ReadAll(c)
	must(t, err)
	if !strings.HasPrefix(string(text), "HTTP/1.1 400 ") || !strings.HasSuffix(string(text), "\r\n\r\n") {
		t.Errorf("got %q", text)
	}
}

// docker ends its direction right after the request, and output comes later.
func TestOutputAfterInputHasEnded(t *testing.T) {
	r := newRig(t, Options{}, func(c *net.UnixConn) {
		all, _ := io.ReadAll(c)
		time.Sleep(100 * time.Millisecond)
		_, _ = io.WriteString(c, "late "+string(all))
	})
	c := r.dial(r.cert)
	_, err := io.WriteString(c, "input")
	must(t, err)
	must(t, c.CloseWrite())
	got, err := io.ReadAll(c)
	if err != nil || string(got) != "late input" {
		t.Errorf("got %q, %v", got, err)
	}
	_ = c.Close()
	if e := r.logged(1); e.CommonName != "ci" || e.In != 5 || e.Out != 10 || e.Status != 0 || e.Reason != "" {
		t.Errorf("event %+v", e)
	}
}

// What dockerd has not finished must not look finished.
func TestBrokenUpstream(t *testing.T) {
	r := newRig(t, Options{}, func(c *net.UnixConn) {
		_, _ = c.Read(make([]byte, 1))
		_, _ = io.WriteString(c, "half of")
		time.Sleep(50 * time.Millisecond)
		// It closes with input unread, so that the socket is reset (unix(7)).
	})
	c := r.dial(r.cert)
	_, err := io.WriteString(c, "input")
	must(t, err)
	got, err := io.ReadAll(c)
	if err == nil {
		t.Errorf("the client reads %q and a clean end", got)
	}
}

func TestDockerdIsNotThere(t *testing.T) {
	r := newRig(t, Options{Dial: unixDialer("/nowhere/docker.sock")}, dockerd)
	status, reason := get(t, r.dial(r.cert), request)
	if status != 502 || !strings.Contains(reason, "/nowhere/docker.sock") {
		t.Errorf("got %d %q", status, reason)
	}
}

// Streams go on when the CA is replaced; its clients are refused from then on, also when they
// resume a TLS session.
func TestReload(t *testing.T) {
	r := newRig(t, Options{}, func(c *net.UnixConn) { _, _ = io.Copy(c, c) })
	config := r.config(r.cert)
	config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	connect := func() *tls.Conn {
		c := tls.Client(r.tcp(), config)
		must(t, c.Handshake())
		return c
	}
	echo := func(c *tls.Conn) {
		t.Helper()
		_, err := io.WriteString(c, "hi")
		must(t, err)
		_, err = io.ReadFull(c, make([]byte, 2))
		must(t, err)
	}
	stream := connect()
	echo(stream)
	second := connect()
	echo(second)
	if !second.ConnectionState().DidResume {
		t.Error("sessions are not resumed at all")
	}

	other := newAuthority(t, time.Now())
	changed, err := NewCredentials(r.ca.server.Cert, r.ca.server.Key, other.pem, nil, time.Now())
	must(t, err)
	r.server.Use(changed)
	echo(stream)
	status, reason := get(t, connect(), request)
	if status != 400 || !strings.Contains(reason, "not signed by the CA") {
		t.Errorf("got %d %q", status, reason)
	}
}

func TestShutdown(t *testing.T) {
	r := newRig(t, Options{}, func(c *net.UnixConn) { _, _ = io.Copy(io.Discard, c) })
	short, long := r.dial(r.cert), r.dial(r.cert)
	for _, c := range []*tls.Conn{short, long} {
		_, err := io.WriteString(c, "x")
		must(t, err)
	}
	_ = short.Close()
	r.logged(1)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if n := r.server.Shutdown(ctx); n != 1 {
		t.Errorf("%d connections were cut off, want 1", n)
	}
	r.logged(2)
}
