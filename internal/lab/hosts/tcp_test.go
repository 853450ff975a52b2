//go:build e2e && linux

package hosts

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority signs certificates.
type authority struct {
	*scene
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func (s *scene) authority(name string) authority {
	s.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	s.must(err)
	cert, err := x509.ParseCertificate(der)
	s.must(err)
	return authority{s, cert, key}
}

// leaf is what makes a certificate.
type leaf struct {
	from, until time.Duration
	ip          string
	usage       x509.ExtKeyUsage
}

func (a authority) sign(l leaf) tls.Certificate {
	a.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.must(err)
	if l.until == 0 {
		l.until = 100 * 24 * time.Hour
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "docker"}, NotBefore: time.Now().Add(l.from - time.Minute), NotAfter: time.Now().Add(l.until),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{l.usage}}
	if l.ip != "" {
		template.IPAddresses = []net.IP{net.ParseIP(l.ip)}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	a.must(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// files writes ca.pem, cert.pem and key.pem, as DOCKER_CERT_PATH has them.
func (s *scene) files(dir string, ca authority, client tls.Certificate) {
	s.Helper()
	s.must(os.MkdirAll(dir, 0o755))
	der, err := x509.MarshalECPrivateKey(client.PrivateKey.(*ecdsa.PrivateKey))
	s.must(err)
	for name, block := range map[string]*pem.Block{
		"ca.pem":   {Type: "CERTIFICATE", Bytes: ca.cert.Raw},
		"cert.pem": {Type: "CERTIFICATE", Bytes: client.Certificate[0]},
		"key.pem":  {Type: "EC PRIVATE KEY", Bytes: der},
	} {
		s.must(os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600))
	}
}

// tcpHost is a dockerd on TCP.
type tcpHost struct {
	server     leaf // its usage and address are filled in
	other      bool // the server's certificate is another CA's
	client     authority
	noClientCA bool
	plain      bool
	answer     http.HandlerFunc
}

// start starts it and writes docker's files; the HOST is returned.
func (h tcpHost) start(s *scene) string {
	s.Helper()
	ca := s.authority("ours")
	signer := ca
	if h.other {
		signer = s.authority("other")
	}
	if h.server.ip == "" {
		h.server.ip = "127.0.0.1"
	}
	h.server.usage = x509.ExtKeyUsageServerAuth
	clients := ca
	if h.client.scene != nil {
		clients = h.client
	}
	dir := s.path("certs")
	s.files(dir, ca, clients.sign(leaf{usage: x509.ExtKeyUsageClientAuth}))
	s.env["DOCKER_CERT_PATH"], s.env["DOCKER_TLS_VERIFY"] = dir, "1"
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	config := &tls.Config{Certificates: []tls.Certificate{signer.sign(h.server)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	if h.noClientCA {
		config.ClientAuth = tls.NoClientCert
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	addr := ln.Addr().String()
	if !h.plain {
		ln = tls.NewListener(ln, config)
	}
	if h.answer == nil {
		h.answer = dockerd("1.48")
	}
	s.web(ln, h.answer)
	return "tcp://" + addr
}

func TestTCP(t *testing.T) {
	day := 24 * time.Hour
	try(t, []situation{
		{name: "healthy", docker: works, make: func(s *scene) string { return tcpHost{}.start(s) }},
		{name: "refused", cause: "daemon.unreachable", make: func(s *scene) string {
			tcpHost{}.start(s)
			return "tcp://127.0.0.1:" + s.freePort()
		}},
		{name: "silent", cause: "daemon.hangs", docker: hangs, make: func(s *scene) string {
			tcpHost{}.start(s)
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			s.must(err)
			s.serve(ln, s.silent)
			return "tcp://" + ln.Addr().String()
		}},
		{name: "greets_first", cause: "tls.not-tls", make: func(s *scene) string {
			tcpHost{}.start(s)
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			s.must(err)
			s.serve(ln, saying("SSH-2.0-OpenSSH_9.2\r\n"))
			return "tcp://" + ln.Addr().String()
		}},
		{name: "name_unknown", cause: "route.name-unknown", make: func(s *scene) string {
			tcpHost{}.start(s)
			return "tcp://no-such-host.invalid:2376"
		}},
		{name: "plain_where_TLS_was_expected", cause: "tls.not-tls", make: func(s *scene) string { return tcpHost{plain: true}.start(s) }},
		{name: "expired", cause: "tls.expired", make: func(s *scene) string { return tcpHost{server: leaf{from: -10 * day, until: -day}}.start(s) }},
		{name: "not_yet_valid", cause: "tls.not-yet-valid", make: func(s *scene) string {
			return tcpHost{server: leaf{from: day}}.start(s)
		}},
		{name: "expires_soon", cause: "tls.expires-soon", docker: works, make: func(s *scene) string { return tcpHost{server: leaf{until: 5 * day}}.start(s) }},
		{name: "another_CA", cause: "tls.wrong-ca", make: func(s *scene) string { return tcpHost{other: true}.start(s) }},
		{name: "another_address", cause: "tls.name-missing", alike: "127.0.0.1 may be a NAT rule of a machine, whose certificate has a code of its own", make: func(s *scene) string { return tcpHost{server: leaf{ip: "192.0.2.1"}}.start(s) }},
		{name: "client_of_another_CA", cause: "tls.client-cert-rejected", make: func(s *scene) string { return tcpHost{client: s.authority("third")}.start(s) }},
		{name: "no_client_files", cause: "tls.client-cert-unusable", make: func(s *scene) string {
			h := tcpHost{}.start(s)
			s.must(os.RemoveAll(s.path("certs")))
			return h
		}},
		{name: "client_key_of_another_certificate", cause: "tls.client-cert-unusable", make: func(s *scene) string {
			h := tcpHost{}.start(s)
			key, err := os.ReadFile(s.path("certs/key.pem"))
			s.must(err)
			tcpHost{}.start(s)
			s.must(os.WriteFile(s.path("certs/key.pem"), key, 0o600))
			return h
		}},
		{name: "asks_for_no_client_certificate", cause: "tls.no-client-auth", docker: works, make: func(s *scene) string { return tcpHost{noClientCA: true}.start(s) }},
		{name: "not_docker", cause: "daemon.not-docker", make: func(s *scene) string { return tcpHost{answer: http.NotFound}.start(s) }},
		{name: "proxy_refuses", cause: "daemon.proxy-refuses", make: func(s *scene) string {
			tcpHost{}.start(s)
			s.env["HTTPS_PROXY"] = s.proxy(nil)
			return "tcp://build.invalid:2376"
		}},
		{name: "proxy_is_gone", cause: "daemon.proxy-refuses", alike: "docker names the docker host, not the proxy", make: func(s *scene) string {
			tcpHost{}.start(s)
			s.env["HTTPS_PROXY"] = "127.0.0.1:" + s.freePort()
			return "tcp://build.invalid:2376"
		}},
		{name: "proxy_is_not_for_this_host", cause: "route.name-unknown", make: func(s *scene) string {
			tcpHost{}.start(s)
			s.env["HTTPS_PROXY"], s.env["NO_PROXY"] = s.proxy(nil), "localhost,build.invalid:2376"
			return "tcp://build.invalid:2376"
		}},
		{name: "through_a_proxy", cause: "tls.name-missing", make: func(s *scene) string {
			h := tcpHost{}.start(s)
			s.env["HTTPS_PROXY"] = s.proxy(func() (net.Conn, error) { return net.Dial("tcp", h[len("tcp://"):]) })
			return "tcp://build.invalid:2376"
		}},
	})
}
