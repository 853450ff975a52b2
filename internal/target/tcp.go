package target

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerd"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
)

// TCPEndpoint is a dockerd on TCP, as docker is configured to reach it.
type TCPEndpoint struct {
	Addr string // host:port
	TLS  bool
	// CertDir is the directory of ca.pem, cert.pem and key.pem.
	CertDir string
	// SkipVerify means that docker accepts any server certificate.
	SkipVerify bool
	// Proxy is the URL of the proxy through which docker connects; "" if there is none.
	Proxy string
}

// PerRequest reports whether docker sends each request to a proxy, which it does without TLS. With
// TLS the proxy forwards the connection.
func (e TCPEndpoint) PerRequest() bool { return e.Proxy != "" && !e.TLS }

// ProxyName returns the proxy's URL without its password. If the URL cannot be parsed, it returns
// the name of the environment variable that has it.
func (e TCPEndpoint) ProxyName() string {
	u, err := url.Parse(e.Proxy)
	if err != nil {
		return e.proxyVariable()
	}
	return u.Redacted()
}

// proxyVariable returns the name of the environment variable for the proxy.
func (e TCPEndpoint) proxyVariable() string {
	if e.TLS {
		return "HTTPS_PROXY"
	}
	return "HTTP_PROXY"
}

// Ping returns the request for /_ping, to be sent over a connection from Docker.
func (t *Target) Ping() (request string) {
	if t.TCP.PerRequest() {
		return dockerd.ProxyPing(t.TCP.Addr)
	}
	return dockerd.PingRequest
}

// API returns a client of the docker host's API, which connects with Docker.
func (t *Target) API() *dockerd.Client {
	c := dockerd.New(t.Docker)
	if t.TCP.PerRequest() {
		c.ThroughProxy(t.TCP.Addr)
	}
	return c
}

// Host returns the host name that the server's certificate must be valid for.
func (e TCPEndpoint) Host() string {
	host, _, err := net.SplitHostPort(e.Addr)
	if err != nil {
		return e.Addr
	}
	return host
}

var tcpForm = form{
	kind: TCP, prefix: "tcp://", usage: "tcp://host:port",
	parse: func(rest string) (string, error) { return parseTCP(rest, true) },
	open: func(_ context.Context, t *Target, name string) error {
		t.setTCP(TCPEndpoint{Addr: name, TLS: true, CertDir: cmp.Or(t.Getenv("DOCKER_CERT_PATH"), dockerConfig(t.Getenv))})
		return nil
	},
}

// parseTCP parses the text after tcp:// and returns "host:port". The default port is docker's: 2376
// with TLS, 2375 without (docker/cli, opts/hosts.go).
func parseTCP(rest string, withTLS bool) (string, error) {
	text := "tcp://" + rest
	u, err := url.Parse(text)
	switch {
	case err != nil || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(rest, "?# \t\n"):
		return "", &RefError{text, "it is not tcp://host:port"}
	case u.Hostname() == "":
		return "", &RefError{text, "it has no host"}
	case !isPort(u.Port()):
		return "", &RefError{text, "a port is a number from 1 to 65535"}
	}
	port := "2375"
	if withTLS {
		port = "2376"
	}
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port)), nil
}

// setTCP makes t the Target of a dockerd on TCP. No commands can run on that docker host.
func (t *Target) setTCP(e TCPEndpoint) {
	e.Proxy = proxyFor(t.Getenv, e)
	t.Kind, t.TCP, t.key = TCP, e, "tcp://"+e.Addr
	t.Docker = func(ctx context.Context) (net.Conn, error) { return t.dialTCP(ctx) }
}

// dialTCP connects as docker does, including the verification of the server.
func (t *Target) dialTCP(ctx context.Context) (net.Conn, error) {
	conn, err := t.ConnectTCP(ctx)
	if err != nil || !t.TCP.TLS {
		return conn, err
	}
	config, err := t.ClientTLS(ctx)
	if err != nil {
		conn.Close()
		return nil, err
	}
	c := tls.Client(conn, config)
	if err := c.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, &HandshakeError{t.TCP.Addr, err}
	}
	return c, nil
}

// HandshakeError means that the connection was accepted, but the TLS handshake failed.
type HandshakeError struct {
	Addr string
	Err  error
}

func (e *HandshakeError) Error() string { return fmt.Sprintf("TLS with %s: %v", e.Addr, e.Err) }

func (e *HandshakeError) Unwrap() error { return e.Err }

// ProxyError means that a proxy does not connect to the docker host.
type ProxyError struct{ Proxy, Status string }

func (e *ProxyError) Error() string {
	return fmt.Sprintf("the proxy %s does not connect to it: %s", e.Proxy, e.Status)
}

// ConnectTCP connects to the docker host's port, through docker's proxy if there is one. If the
// proxy forwards single requests, it only connects to the proxy. An error is a *ProxyError, or a
// network error if there is no proxy.
func (t *Target) ConnectTCP(ctx context.Context) (net.Conn, error) {
	if t.TCP.Proxy == "" {
		return t.Laptop.DialContext(ctx, "tcp", t.TCP.Addr)
	}
	proxy, err := url.Parse(t.TCP.Proxy)
	if err != nil || proxy.Host == "" {
		return nil, &ProxyError{t.TCP.ProxyName(), "its address cannot be read"}
	}
	conn, err := t.Laptop.DialContext(ctx, "tcp", net.JoinHostPort(proxy.Hostname(), cmp.Or(proxy.Port(), "80")))
	if err != nil {
		return nil, &ProxyError{proxy.Redacted(), err.Error()}
	}
	if t.TCP.PerRequest() {
		return conn, nil
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: t.TCP.Addr}, Host: t.TCP.Addr, Header: http.Header{}}
	if password, ok := proxy.User.Password(); ok {
		request.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(proxy.User.Username()+":"+password)))
	}
	err = request.Write(conn)
	var answer *http.Response
	if err == nil {
		answer, err = http.ReadResponse(bufio.NewReader(conn), request)
	}
	if err == nil && answer.StatusCode == http.StatusOK {
		return conn, nil
	}
	conn.Close()
	if err != nil {
		return nil, &ProxyError{proxy.Redacted(), err.Error()}
	}
	return nil, &ProxyError{proxy.Redacted(), answer.Status}
}

// ClientTLS returns docker's TLS configuration, from the files in CertDir. They may be missing if
// the server is not verified.
func (t *Target) ClientTLS(ctx context.Context) (*tls.Config, error) {
	config := &tls.Config{ServerName: t.TCP.Host(), InsecureSkipVerify: t.TCP.SkipVerify, MinVersion: tls.VersionTLS12}
	var files [3][]byte
	for i, name := range []string{"ca.pem", "cert.pem", "key.pem"} {
		data, err := t.Laptop.ReadFile(ctx, filepath.Join(t.TCP.CertDir, name))
		if errors.Is(err, fs.ErrNotExist) && t.TCP.SkipVerify {
			return config, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the client's TLS files: %w", err)
		}
		files[i] = data
	}
	pair, err := tls.X509KeyPair(files[1], files[2])
	if err != nil {
		return nil, fmt.Errorf("the client certificate in %s cannot be used: %w", t.TCP.CertDir, err)
	}
	config.Certificates, config.RootCAs = []tls.Certificate{pair}, x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(files[0]) {
		return nil, fmt.Errorf("%s has no certificate that can be read", filepath.Join(t.TCP.CertDir, "ca.pem"))
	}
	return config, nil
}

// proxyFor returns the proxy that docker uses for the endpoint, as net/http's ProxyFromEnvironment
// does; "" if none. An endpoint on this computer has none.
func proxyFor(getenv func(string) string, e TCPEndpoint) string {
	addr, err := netip.ParseAddr(e.Host())
	if e.Host() == "localhost" || err == nil && addr.IsLoopback() {
		return ""
	}
	except := cmp.Or(getenv("NO_PROXY"), getenv("no_proxy"))
	if shell.NoProxyCovers(except, e.Host()) || shell.NoProxyCovers(except, e.Addr) { // an entry may have a port
		return ""
	}
	name := e.proxyVariable()
	proxy := cmp.Or(getenv(name), getenv(strings.ToLower(name)))
	if proxy != "" && !strings.Contains(proxy, "://") {
		proxy = "http://" + proxy
	}
	return proxy
}

// dockerConfig returns docker's configuration directory.
func dockerConfig(getenv func(string) string) string {
	return cmp.Or(getenv("DOCKER_CONFIG"), filepath.Join(getenv("HOME"), ".docker"))
}
