package fakedockerhost_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakedockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakevbox"
	"github.com/google/go-cmp/cmp"
)

func TestBothStylesServeAndRestart(t *testing.T) {
	for style, restart := range map[fakedockerhost.Style]string{
		fakedockerhost.Boot2docker: "sudo /etc/init.d/docker restart", fakedockerhost.Systemd: "sudo -n systemctl restart docker",
	} {
		t.Run(string(style), func(t *testing.T) {
			w := boot(t, style, nil)
			w.up(1)
			before := fakedockerhost.DaemonPID(w.dir)
			if out, exit := w.sh(restart, ""); exit != 0 {
				t.Fatalf("exit %d: %s", exit, out)
			}
			w.up(2)
			if after := fakedockerhost.DaemonPID(w.dir); after == before || after == 0 {
				t.Errorf("PID %d, then %d", before, after)
			}
			if n := fakedockerhost.Count(w.dir, "logins"); n != 1 {
				t.Errorf("%d logins", n)
			}
		})
	}
}

func TestPathsAreTheGuests(t *testing.T) {
	w := boot(t, fakedockerhost.Boot2docker, nil)
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
	if got, _ := w.sh("sh -s", "cat /etc/os-release | head -n 1\nls /var/lib/boot2docker\n"); got != "NAME=Boot2Docker\nca.pem\nlog\nprofile\nserver-key.pem\nserver.pem\n" {
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
	w := boot(t, fakedockerhost.Boot2docker, nil)
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
	w := boot(t, fakedockerhost.Boot2docker, nil)
	w.up(1)
	other, err := fakestore.Key(fakestore.RSA, "other")
	if err != nil {
		t.Fatal(err)
	}
	pem, err := fakestore.KeyPEM(other)
	if err != nil {
		t.Fatal(err)
	}
	w.sh("cat >/var/lib/boot2docker/server-key.pem && sudo /etc/init.d/docker restart", string(pem))
	w.wait("dockerd to be gone", func() bool { return fakedockerhost.DaemonPID(w.dir) == 0 })
	if out, exit := w.sh("sudo /etc/init.d/docker status; tail -n 1 /var/lib/boot2docker/log/docker.log", ""); !strings.Contains(out, "private key does not match public key") {
		t.Errorf("exit %d: %s", exit, out)
	}
}

func TestOnlyCertFault(t *testing.T) {
	w := boot(t, fakedockerhost.Systemd, nil)
	w.up(1)
	sum := sha256.Sum256(w.m.Server.CertPEM)
	if err := fakedockerhost.SetFault(w.dir, "dockerd-only-cert", hex.EncodeToString(sum[:])); err != nil {
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
	w := boot(t, fakedockerhost.Boot2docker, func(dir string) {
		for name, policy := range map[string]string{"web": "always", "job": "no"} {
			if err := fakedockerhost.AddContainer(dir, name, policy); err != nil {
				t.Fatal(err)
			}
		}
	})
	w.up(1)
	running := func() map[string]bool {
		m := map[string]bool{}
		for _, c := range fakedockerhost.Containers(w.dir) {
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
	if out, exit := w.sh("docker inspect -f '{{.State.Running}}' web nosuch job 2>/dev/null", ""); out != "true\nfalse\n" || exit == 0 {
		t.Errorf("exit %d: %s", exit, out)
	}
}

func TestSavedGuestGoesOn(t *testing.T) {
	w := boot(t, fakedockerhost.Boot2docker, func(dir string) { _ = fakedockerhost.AddContainer(dir, "web", "always") })
	w.up(1)
	before := fakedockerhost.Containers(w.dir)
	if err := w.g.Stop(context.Background(), fakevbox.Save); err != nil {
		t.Fatal(err)
	}
	if _, err := w.dial(22); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("saved: %v", err)
	}
	if err := w.g.Start(context.Background(), true); err != nil {
		t.Fatal(err)
	}
	w.up(1)
	if diff := cmp.Diff(before, fakedockerhost.Containers(w.dir)); diff != "" {
		t.Error(diff)
	}
}

func TestSSHDFaults(t *testing.T) {
	w := boot(t, fakedockerhost.Boot2docker, nil)
	for fault, want := range map[string]string{
		"refuse": "connection refused", "close": "EOF", "auth": "unable to authenticate",
	} {
		if err := fakedockerhost.SetFault(w.dir, "sshd", fault); err != nil {
			t.Fatal(err)
		}
		if _, err := w.login(); err == nil || !strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%s: %v", fault, err)
		}
	}
	if err := fakedockerhost.SetFault(w.dir, "sshd", "silent"); err != nil {
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
	if n := fakedockerhost.Count(w.dir, "logins"); n != 0 {
		t.Errorf("%d logins", n)
	}
}

func TestNotDocker(t *testing.T) {
	w := boot(t, fakedockerhost.Boot2docker, func(dir string) { _ = fakedockerhost.SetFault(dir, "not-docker", "") })
	w.wait("the port", func() bool { c, err := w.dial(2376); return err == nil && c.Close() == nil })
	if err := w.ping(); err == nil || !strings.Contains(err.Error(), "HTTP response to HTTPS client") {
		t.Errorf("ping: %v", err)
	}
}

func TestDetachedScriptEndsWithTheGuest(t *testing.T) {
	w := boot(t, fakedockerhost.Boot2docker, nil)
	w.sh("setsid sh -c 'echo $$ >/tmp/pid; sleep 60' >/dev/null 2>&1 </dev/null &", "")
	var pid string
	w.wait("the script", func() bool {
		data, _ := os.ReadFile(filepath.Join(w.dir, "root/tmp/pid"))
		pid = strings.TrimSpace(string(data))
		return pid != ""
	})
	if err := w.g.Stop(context.Background(), fakevbox.PowerOff); err != nil {
		t.Fatal(err)
	}
	w.wait("its end", func() bool {
		jobs, _ := os.ReadDir(filepath.Join(w.dir, "jobs"))
		return len(jobs) == 0
	})
}

func TestWithoutAProcFileSystem(t *testing.T) {
	t.Setenv("DVH_OWN_PROC", "1")
	w := boot(t, fakedockerhost.Boot2docker, nil)
	w.up(1)
	script := "read -r p </var/run/docker.pid; read -r c <\"/proc/$p/comm\"; echo $c; read -r u _ </proc/uptime; echo ${u%%.*} >/dev/null && read -r s </proc/$$/stat && case $s in \"$$ (sh) S \"*) echo me ;; esac\n"
	if out, exit := w.sh("sudo sh -s", script); out != "dockerd\nme\n" {
		t.Errorf("exit %d: %s", exit, out)
	}
}
