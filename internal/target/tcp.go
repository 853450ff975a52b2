package target

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"
)

// TCPEndpoint is a dockerd on TCP, as docker sees it.
type TCPEndpoint struct {
	Addr string // host:port
	TLS  bool
	// CertDir has ca.pem, cert.pem and key.pem.
	CertDir string
	// SkipVerify reports that docker takes any certificate of the server.
	SkipVerify bool
}

// Host is the name that the server's certificate must be good for.
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

// parseTCP reads what stands behind tcp://. A port that is missing is docker's: 2376 with
// TLS, 2375 without (docker/cli, opts/hosts.go).
func parseTCP(rest string, withTLS bool) (string, error) {
	text := "tcp://" + rest
	u, err := url.Parse(text)
	switch {
	case err != nil || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(rest, "?# \t\n"):
		return "", &RefError{text, "it is not tcp://host:port"}
	case u.Hostname() == "":
		return "", &RefError{text, "it has no host"}
	}
	port := "2375"
	if withTLS {
		port = "2376"
	}
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port)), nil
}

// setTCP makes the Target a dockerd on TCP. No command runs on that docker host.
func (t *Target) setTCP(e TCPEndpoint) {
	t.Kind, t.TCP, t.key = TCP, e, "tcp://"+e.Addr
	t.Docker = func(ctx context.Context) (net.Conn, error) { return t.dialTCP(ctx) }
}

// dialTCP connects as docker does, and verifies as it does.
func (t *Target) dialTCP(ctx context.Context) (net.Conn, error) {
	if !t.TCP.TLS {
		return t.Laptop.DialContext(ctx, "tcp", t.TCP.Addr)
	}
	config, err := t.clientTLS(ctx, t.TCP.CertDir)
	if err != nil {
		return nil, err
	}
	conn, err := t.Laptop.DialContext(ctx, "tcp", t.TCP.Addr)
	if err != nil {
		return nil, err
	}
	config.ServerName, config.InsecureSkipVerify = t.TCP.Host(), t.TCP.SkipVerify
	return shakeHands(ctx, conn, config)
}

// shakeHands is the connection with TLS on it.
func shakeHands(ctx context.Context, conn net.Conn, config *tls.Config) (net.Conn, error) {
	c := tls.Client(conn, config)
	if err := c.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("TLS with %s: %w", conn.RemoteAddr(), err)
	}
	return c, nil
}

// clientTLS is docker's side of a handshake, from the files of a directory of certificates.
func (t *Target) clientTLS(ctx context.Context, dir string) (*tls.Config, error) {
	var files [3][]byte
	for i, name := range []string{"ca.pem", "cert.pem", "key.pem"} {
		data, err := t.Laptop.ReadFile(ctx, filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("reading the client's TLS files: %w", err)
		}
		files[i] = data
	}
	pair, err := tls.X509KeyPair(files[1], files[2])
	if err != nil {
		return nil, fmt.Errorf("the client certificate in %s cannot be used: %w", dir, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(files[0]) {
		return nil, fmt.Errorf("%s has no certificate that can be read", filepath.Join(dir, "ca.pem"))
	}
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// dockerConfig is docker's configuration directory.
func dockerConfig(getenv func(string) string) string {
	return cmp.Or(getenv("DOCKER_CONFIG"), filepath.Join(getenv("HOME"), ".docker"))
}
