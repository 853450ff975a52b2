package fakedockerhost_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakedockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakevbox"
	"golang.org/x/crypto/ssh"
)

// world is an installed guest that runs in the test's process.
type world struct {
	t     *testing.T
	dir   string
	store *fakestore.Store
	m     *fakestore.Machine
	g     *fakedockerhost.Guest
}

func boot(t *testing.T, style fakedockerhost.Style, prepare func(dir string)) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "g")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &world{t: t, dir: filepath.Join(dir, "g")}
	if w.store, err = fakestore.NewStore(filepath.Join(dir, "store"), fakestore.StoreOptions{CA: fakestore.AuthorityOptions{Algorithm: fakestore.ECDSA}}); err != nil {
		t.Fatal(err)
	}
	if w.m, err = w.store.Add(fakestore.Options{}); err != nil {
		t.Fatal(err)
	}
	err = fakedockerhost.Install(w.dir, fakedockerhost.Disk{
		Spec: fakedockerhost.Spec{Style: style}, AuthorizedKey: w.m.AuthorizedKey,
		CACert: w.m.CACertPEM, ServerCert: w.m.Server.CertPEM, ServerKey: w.m.Server.KeyPEM,
	})
	if err != nil {
		t.Fatal(err)
	}
	if prepare != nil {
		prepare(w.dir)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if w.g, err = fakedockerhost.Open(w.dir, exe); err != nil {
		t.Fatal(err)
	}
	if err := w.g.Start(context.Background(), false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.g.Stop(context.Background(), fakevbox.PowerOff) })
	return w
}

func (w *world) wait(what string, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(w.dir, "root/var/lib/boot2docker/log/docker.log"))
			w.t.Fatalf("waited in vain for %s; docker.log:\n%s", what, log)
		}
	}
}

func (w *world) up(starts int) {
	w.t.Helper()
	w.wait("dockerd", func() bool { return fakedockerhost.Count(w.dir, "daemon-starts") == starts && w.ping() == nil })
}

func (w *world) dial(port int) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return w.g.Dial(ctx, port)
}

// ping asks dockerd over mutual TLS.
func (w *world) ping() error {
	pair, err := tls.X509KeyPair(w.store.Client.CertPEM, w.store.Client.KeyPEM)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AddCert(w.store.CA.Cert)
	c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return w.dial(2376) },
		TLSClientConfig:   &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, ServerName: "localhost"},
	}}
	resp, err := c.Get("https://localhost:2376/_ping")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && string(body) != "OK" {
		err = errors.New(string(body))
	}
	return err
}

func (w *world) login() (*ssh.Client, error) {
	conn, err := w.dial(22)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	signer, err := ssh.NewSignerFromKey(w.m.SSHKey)
	if err != nil {
		return nil, err
	}
	c, chans, reqs, err := ssh.NewClientConn(conn, "guest", &ssh.ClientConfig{
		User: "docker", Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	if err != nil {
		return nil, err
	}
	client := ssh.NewClient(c, chans, reqs)
	w.t.Cleanup(func() { client.Close() })
	return client, nil
}

func (w *world) sh(command, stdin string) (stdout string, exit int) {
	w.t.Helper()
	c, err := w.login()
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := c.NewSession()
	if err != nil {
		w.t.Fatal(err)
	}
	var out, errs bytes.Buffer
	s.Stdout, s.Stderr, s.Stdin = &out, &errs, strings.NewReader(stdin)
	err = s.Run(command)
	var ee *ssh.ExitError
	if errors.As(err, &ee) {
		return out.String() + errs.String(), ee.ExitStatus()
	}
	if err != nil {
		w.t.Fatalf("%s: %v", command, err)
	}
	return out.String() + errs.String(), 0
}
