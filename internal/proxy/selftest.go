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

// pingRequest asks dockerd whether it is there, on a connection of its own.
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

// SelfTest serves one client on l, a listener on loopback, and is that client: it ends its
// direction right behind its request, as docker does, and verifies that the answer comes.
// The certificates are made for it.
func SelfTest(ctx context.Context, l net.Listener, dial Dialer, now time.Time) error {
	credentials, config, err := forSelfTest(now)
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

// ping sends the request, does what comes next, and reads the answer to its end.
func ping(conn io.ReadWriter, next func() error) (version string, err error) {
	if _, err := io.WriteString(conn, pingRequest); err != nil {
		return "", err
	}
	if err := next(); err != nil {
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

// forSelfTest makes the credentials of a proxy and the configuration of its client.
func forSelfTest(now time.Time) (*Credentials, *tls.Config, error) {
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
	mine, err := tls.X509KeyPair(client.Cert, client.Key)
	if err != nil {
		return nil, nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	return credentials, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", Certificates: []tls.Certificate{mine}, Time: func() time.Time { return now }}, nil
}
