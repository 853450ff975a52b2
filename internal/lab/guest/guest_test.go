package guest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/guest"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/machine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/standin"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
)

// world is an installed guest that runs in the test's process.
type world struct {
	t     *testing.T
	dir   string
	store *machine.Store
	m     *machine.Machine
	g     *guest.Guest
}

func boot(t *testing.T, style guest.Style, prepare func(dir string)) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "g")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &world{t: t, dir: filepath.Join(dir, "g")}
	if w.store, err = machine.NewStore(filepath.Join(dir, "store"), machine.StoreOptions{CA: machine.AuthorityOptions{Algorithm: machine.ECDSA}}); err != nil {
		t.Fatal(err)
	}
	if w.m, err = w.store.Add(machine.Options{}); err != nil {
		t.Fatal(err)
	}
	err = guest.Install(w.dir, guest.Disk{
		Spec: guest.Spec{Style: style}, AuthorizedKey: w.m.AuthorizedKey,
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
	if w.g, err = guest.Open(w.dir, exe); err != nil {
		t.Fatal(err)
	}
	if err := w.g.Start(context.Background(), false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.g.Stop(context.Background(), standin.PowerOff) })
	return w
}

func (w *world) wait(what string, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(w.dir, "root/var/log/docker.log"))
			w.t.Fatalf("waited in vain for %s; docker.log:\n%s", what, log)
		}
	}
}

func (w *world) up(starts int) {
	w.t.Helper()
	w.wait("dockerd", func() bool { return guest.Count(w.dir, "daemon-starts") == starts && w.ping() == nil })
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

func TestBothStylesServeAndRestart(t *testing.T) {
	for style, restart := range map[guest.Style]string{
		guest.Boot2docker: "sudo /etc/init.d/docker restart", guest.Systemd: "sudo -n systemctl restart docker",
	} {
		t.Run(string(style), func(t *testing.T) {
			w := boot(t, style, nil)
			w.up(1)
			before := guest.DaemonPID(w.dir)
			if out, exit := w.sh(restart, ""); exit != 0 {
				t.Fatalf("exit %d: %s", exit, out)
			}
			w.up(2)
			if after := guest.DaemonPID(w.dir); after == before || after == 0 {
				t.Errorf("PID %d, then %d", before, after)
			}
			if n := guest.Count(w.dir, "logins"); n != 1 {
				t.Errorf("%d logins", n)
			}
		})
	}
}

func TestPathsAreTheGuests(t *testing.T) {
	w := boot(t, guest.Boot2docker, nil)
	w.up(1)
	for command, want := range map[string]string{
		"grep ^SERVERCERT= /var/lib/boot2docker/profile":                      "SERVERCERT=/var/lib/boot2docker/server.pem\n",
		". /etc/os-release; echo $ID":                                         "boot2docker\n",
		"cd /tmp && pwd":                                                      "/tmp\n",
		"echo x >/etc/x && cat /etc/x && rm /etc/x":                           "x\n",
		"sudo id -u; id -u":                                                   "0\n1000\n",
		"command -v systemctl || echo none":                                   "none\n",
		"docker ps -q; docker version -f '{{.Server.Os}}'":                    "linux\n",
		"curl --unix-socket /var/run/docker.sock 2>/dev/null || echo no curl": "no curl\n",
	} {
		if got, _ := w.sh(command, ""); got != want {
			t.Errorf("%s: %q, want %q", command, got, want)
		}
	}
	if got, _ := w.sh("sh -s", "cat /etc/os-release | head -n 1\nls /var/lib/boot2docker\n"); got != "NAME=Boot2Docker\nca.pem\nprofile\nserver-key.pem\nserver.pem\n" {
		t.Errorf("script on stdin: %q", got)
	}
	if got, exit := w.sh("/etc/init.d/docker status", ""); got != "must be root\n" || exit != 1 {
		t.Errorf("%q, exit %d", got, exit)
	}
	if got, exit := w.sh("exit 7", ""); exit != 7 {
		t.Errorf("%q, exit %d", got, exit)
	}
}

func TestForwardingToTheSocketAndTheDaemonsPort(t *testing.T) {
	w := boot(t, guest.Boot2docker, nil)
	w.up(1)
	c, err := w.login()
	if err != nil {
		t.Fatal(err)
	}
	h := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return c.Dial("unix", "/var/run/docker.sock")
	}}}
	resp, err := h.Get("http://docker/v1.39/info")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var info struct{ Name string }
	if err := json.NewDecoder(resp.Body).Decode(&info); err != nil || info.Name != "default" {
		t.Errorf("%+v, %v", info, err)
	}
	conn, err := c.Dial("tcp", "127.0.0.1:2376")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if _, err := c.Dial("tcp", "127.0.0.1:80"); err == nil {
		t.Error("port 80 answers")
	}
}

func TestKeyThatDoesNotMatchStopsTheDaemon(t *testing.T) {
	w := boot(t, guest.Boot2docker, nil)
	w.up(1)
	other, err := machine.Key(machine.RSA, "other")
	if err != nil {
		t.Fatal(err)
	}
	pem, err := machine.KeyPEM(other)
	if err != nil {
		t.Fatal(err)
	}
	w.sh("cat >/var/lib/boot2docker/server-key.pem && sudo /etc/init.d/docker restart", string(pem))
	w.wait("dockerd to be gone", func() bool { return guest.DaemonPID(w.dir) == 0 })
	if out, exit := w.sh("sudo /etc/init.d/docker status; tail -n 1 /var/log/docker.log", ""); !strings.Contains(out, "private key does not match public key") {
		t.Errorf("exit %d: %s", exit, out)
	}
}

func TestOnlyCertFault(t *testing.T) {
	w := boot(t, guest.Systemd, nil)
	w.up(1)
	sum := sha256.Sum256(w.m.Server.CertPEM)
	if err := guest.SetFault(w.dir, "dockerd-only-cert", hex.EncodeToString(sum[:])); err != nil {
		t.Fatal(err)
	}
	if out, exit := w.sh("sudo systemctl restart docker", ""); exit != 0 {
		t.Errorf("same certificate: exit %d: %s", exit, out)
	}
	if out, exit := w.sh("echo >>/etc/docker/server.pem; sudo systemctl restart docker", ""); exit != 1 || !strings.Contains(out, "Job for docker.service failed") {
		t.Errorf("other certificate: exit %d: %s", exit, out)
	}
}

func TestContainersOverARestart(t *testing.T) {
	w := boot(t, guest.Boot2docker, func(dir string) {
		for name, policy := range map[string]string{"web": "always", "job": "no"} {
			if err := guest.AddContainer(dir, name, policy); err != nil {
				t.Fatal(err)
			}
		}
	})
	w.up(1)
	running := func() map[string]bool {
		m := map[string]bool{}
		for _, c := range guest.Containers(w.dir) {
			m[c.Name] = c.Running
		}
		return m
	}
	if out, exit := w.sh("docker start job", ""); exit != 0 {
		t.Fatal(out)
	}
	w.sh("sudo /etc/init.d/docker restart", "")
	w.up(2)
	if diff := cmp.Diff(map[string]bool{"web": true, "job": false}, running()); diff != "" {
		t.Error(diff)
	}
	if out, _ := w.sh("docker inspect -f '{{.HostConfig.RestartPolicy.Name}} {{.State.Running}}' web job", ""); out != "always true\nno false\n" {
		t.Error(out)
	}
}

func TestSavedGuestGoesOn(t *testing.T) {
	w := boot(t, guest.Boot2docker, func(dir string) { _ = guest.AddContainer(dir, "web", "always") })
	w.up(1)
	before := guest.Containers(w.dir)
	if err := w.g.Stop(context.Background(), standin.Save); err != nil {
		t.Fatal(err)
	}
	if _, err := w.dial(22); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("saved: %v", err)
	}
	if err := w.g.Start(context.Background(), true); err != nil {
		t.Fatal(err)
	}
	w.up(1)
	if diff := cmp.Diff(before, guest.Containers(w.dir)); diff != "" {
		t.Error(diff)
	}
}

func TestSSHDFaults(t *testing.T) {
	w := boot(t, guest.Boot2docker, nil)
	for fault, want := range map[string]string{
		"refuse": "connection refused", "close": "EOF", "auth": "unable to authenticate",
	} {
		if err := guest.SetFault(w.dir, "sshd", fault); err != nil {
			t.Fatal(err)
		}
		if _, err := w.login(); err == nil || !strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%s: %v", fault, err)
		}
	}
	if err := guest.SetFault(w.dir, "sshd", "silent"); err != nil {
		t.Fatal(err)
	}
	c, err := w.dial(22)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("silent: %v", err)
	}
	if n := guest.Count(w.dir, "logins"); n != 0 {
		t.Errorf("%d logins", n)
	}
}

func TestNotDocker(t *testing.T) {
	w := boot(t, guest.Boot2docker, func(dir string) { _ = guest.SetFault(dir, "not-docker", "") })
	w.wait("the port", func() bool { c, err := w.dial(2376); return err == nil && c.Close() == nil })
	if err := w.ping(); err == nil || !strings.Contains(err.Error(), "HTTP response to HTTPS client") {
		t.Errorf("ping: %v", err)
	}
}

func TestDetachedScriptEndsWithTheGuest(t *testing.T) {
	w := boot(t, guest.Boot2docker, nil)
	w.sh("setsid sh -c 'echo $$ >/tmp/pid; sleep 60' >/dev/null 2>&1 </dev/null &", "")
	var pid string
	w.wait("the script", func() bool {
		data, _ := os.ReadFile(filepath.Join(w.dir, "root/tmp/pid"))
		pid = strings.TrimSpace(string(data))
		return pid != ""
	})
	if err := w.g.Stop(context.Background(), standin.PowerOff); err != nil {
		t.Fatal(err)
	}
	w.wait("its end", func() bool {
		jobs, _ := os.ReadDir(filepath.Join(w.dir, "jobs"))
		return len(jobs) == 0
	})
}
