package fakelaptop

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakedockerhost"
)

// docker is the laptop's docker command. It connects to DOCKER_HOST over the State's routes, with
// the certificates in DOCKER_CERT_PATH.
func docker(c *call) int {
	if len(c.args) > 0 && c.args[0] == "context" {
		return dockerContext(c, c.args[1:])
	}
	u, err := url.Parse(os.Getenv("DOCKER_HOST"))
	if err != nil || u.Host == "" {
		return c.fail(1, "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?")
	}
	t := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
		return c.dial(ctx, addr)
	}}
	d := fakedockerhost.Daemon{HTTP: &http.Client{Transport: t, Timeout: 3 * time.Second}, URL: "http://" + u.Host, Shown: u.String(), Version: "20.10.24"}
	if os.Getenv("DOCKER_TLS_VERIFY") != "" {
		d.URL = "https://" + u.Host
		if t.TLSClientConfig, err = clientTLS(os.Getenv("DOCKER_CERT_PATH")); err != nil {
			return c.fail(1, "%v", err)
		}
	}
	return d.CLI(c.args, c.stdout, c.stderr)
}

func (c *call) dial(ctx context.Context, addr string) (net.Conn, error) {
	h, p, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	ip, err := netip.ParseAddr(h)
	if h == "localhost" || err == nil && ip.IsLoopback() {
		var d net.Dialer
		return d.DialContext(ctx, "tcp4", net.JoinHostPort("127.0.0.1", p))
	}
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(p)
	if err != nil {
		return nil, err
	}
	return c.w.dial(ctx, os.Getenv("FAKEVBOX_HOME"), ip, port)
}

func clientTLS(dir string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		return nil, fmt.Errorf("could not load X509 key pair: %w", err)
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		return nil, fmt.Errorf("could not read CA certificate: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool}, nil
}
