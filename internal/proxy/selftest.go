package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/relay"
)

// pingRequest is a _ping request that is the only one on its connection.
const pingRequest = "GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"

// Ping asks dockerd for its API version, without a proxy.
func Ping(ctx context.Context, dial Dialer) (version string, err error) {
	s, err := dial(ctx)
	if err != nil {
		return "", err
	}
	defer s.Close()
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	return ping(s, func() error { return nil })
}

// SelfTest runs a Server with temporary certificates on l, a listener on a loopback address, and
// connects to it. Like docker, the client closes its direction right after its request; SelfTest
// verifies that the answer still comes.
func SelfTest(ctx context.Context, l net.Listener, dial Dialer, now time.Time) error {
	credentials, config, err := testCredentials(now)
	if err != nil {
		return err
	}
	server := New(Options{Dial: dial, MaxConnections: 1, Log: func(Event) {}, Now: func() time.Time { return now }}, credentials)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	err = func() error {
		conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", l.Addr().String())
		if err != nil {
			return err
		}
		defer conn.Close()
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		defer stop()
		_, err = ping(conn, conn.(relay.Stream).CloseWrite)
		return err
	}()
	_ = l.Close()
	server.Shutdown(ctx)
	return errors.Join(err, <-served)
}

// ping sends the request, calls sent, and reads the answer. It returns dockerd's API version.
func ping(conn io.ReadWriter, sent func() error) (version string, err error) {
	if _, err := io.WriteString(conn, pingRequest); err != nil {
		return "", err
	}
	if err := sent(); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", fmt.Errorf("reading dockerd's answer: %w", err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err != nil {
		return "", fmt.Errorf("reading dockerd's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("dockerd answered with status %d", resp.StatusCode)
	}
	return resp.Header.Get("Api-Version"), nil
}

// testCredentials creates the credentials of a server and the TLS configuration of its client.
func testCredentials(now time.Time) (*Credentials, *tls.Config, error) {
	pair, err := certs.NewCA("docker-vpn-helper self-test", now)
	if err != nil {
		return nil, nil, err
	}
	ca, key, err := certs.ParseCA(pair.Cert, pair.Key)
	if err != nil {
		return nil, nil, err
	}
	server, err := certs.NewServer([]string{"127.0.0.1"}, ca, key, now)
	if err != nil {
		return nil, nil, err
	}
	client, err := certs.NewClient("self-test", ca, key, now)
	if err != nil {
		return nil, nil, err
	}
	credentials, err := NewCredentials(server.Cert, server.Key, pair.Cert, nil, now)
	if err != nil {
		return nil, nil, err
	}
	clientPair, err := tls.X509KeyPair(client.Cert, client.Key)
	if err != nil {
		return nil, nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	return credentials, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", Certificates: []tls.Certificate{clientPair}, Time: func() time.Time { return now }}, nil
}
