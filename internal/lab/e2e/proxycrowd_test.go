//go:build e2e && linux

package e2e

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
)

// tls is a client's configuration, with the certificate of proxy init.
func (p *proxied) tls() *tls.Config {
	p.Helper()
	ca, err := os.ReadFile(filepath.Join(p.certs, "ca.pem"))
	p.must(err)
	pair, err := tls.LoadX509KeyPair(filepath.Join(p.certs, "cert.pem"), filepath.Join(p.certs, "key.pem"))
	p.must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &tls.Config{RootCAs: roots, ServerName: "localhost", Certificates: []tls.Certificate{pair}}
}

// connect connects to the docker host's own proxy.
func (p *proxied) connect() net.Conn {
	p.Helper()
	conn, err := p.lab.Laptop().Dial(p.ctx(), p.at["local"])
	p.must(err)
	p.must(conn.SetDeadline(time.Now().Add(patience)))
	return conn
}

// ask sends a request on a connection that stays open, and reads the answer.
func ask(conn net.Conn) error {
	if _, err := io.WriteString(conn, "GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"); err != nil {
		return err
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || string(text) != "OK" {
		return fmt.Errorf("got %q, %w", text, err)
	}
	return nil
}

// number runs a line of shell on the docker host that prints one.
func (s *scene) number(line string) int {
	s.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(s.root(line)))
	s.must(err)
	return n
}

// Issue 17, "Must hold" 5: a thousand clients at once, and some that never finish.
func (p *proxied) crowd() {
	p.Helper()
	const busy, slow, half = 1000, 200, 50
	descriptors := func() int { return p.number("ls /proc/$(pidof docker-vpn-helper)/fd | wc -l") }
	before := descriptors()
	config, began := p.tls(), time.Now()
	var all []net.Conn
	for i := range busy + half {
		client := tls.Client(p.connect(), config)
		all = append(all, client)
		switch {
		case i < half: // ends its direction with a request of which it never reads the answer
			_, err := io.WriteString(client, "GET /events HTTP/1.1\r\nHost: docker\r\n\r\n")
			p.must(err)
			p.must(client.CloseWrite())
		default:
			p.must(ask(client))
		}
		if i < slow {
			stuck := p.connect()
			all = append(all, stuck)
			_, err := stuck.Write([]byte{22, 3, 1}) // the beginning of a handshake
			p.must(err)
		}
	}
	p.Logf("%d connections after %v", len(all), time.Since(began).Round(10*time.Millisecond))
	if n := descriptors(); n < before+2*busy {
		p.Errorf("%d descriptors: these are not as many connections as meant", n)
	}
	began = time.Now()
	p.same("docker in the crowd", "alone\n", p.client(p.ctx(), "local", "docker run --rm busybox echo alone").Stdout)
	p.Logf("docker run in the crowd took %v", time.Since(began).Round(time.Millisecond))
	peak := p.number("grep VmHWM /proc/$(pidof docker-vpn-helper)/status | tr -dc 0-9")
	p.Logf("the proxy had up to %d MiB", peak>>10)
	if peak > 96<<10 {
		p.Errorf("the proxy had %d KiB, want at most 96 MiB", peak)
	}
	for _, c := range all {
		if client, ok := c.(*tls.Conn); ok {
			c = client.NetConn()
		}
		_ = c.Close()
	}
	p.must(await.Until(p.ctx(), "the crowd's descriptors to be closed", func() (bool, error) {
		n := descriptors()
		return n <= before, fmt.Errorf("%d, before %d", n, before)
	}))
}
