//go:build e2e && linux

package e2e

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// proxied is a docker host in front of which three proxies run: one on the docker host itself,
// two on the laptop. All have certificates of one CA.
type proxied struct {
	*scene
	certs string            // the directory of proxy init, on the laptop
	at    map[string]string // where a proxy listens, by its HOST
}

// bridge is where containers reach their docker host.
const bridge = "172.17.0.1"

func behindProxies(t *testing.T) *proxied {
	s := on(t, nsguest.Boot2docker, fakestore.Options{})
	s.must(s.vm.ImportBusybox(s.ctx()))
	s.fix("default")
	p := &proxied{scene: s, certs: filepath.Join(s.lab.Home(), "certs")}
	s.same("exit of proxy init", 0, s.helper("proxy", "init", p.certs, "--name", s.m.IP+","+bridge).Exit)
	if other := nsguest.OtherDocker(); other != "" { // docker finds its plugins in the home directory
		s.must(os.MkdirAll(filepath.Join(s.lab.Home(), ".docker"), 0o755))
		s.must(os.Symlink(filepath.Join(other, "cli-plugins"), filepath.Join(s.lab.Home(), ".docker", "cli-plugins")))
	}
	s.userSSH()
	overSSH := "ssh://docker@" + s.m.IP
	p.at = map[string]string{"local": s.m.IP + ":4242", "default": "127.0.0.1:4243", overSSH: "127.0.0.1:4244"}
	for _, h := range []string{"default", overSSH} {
		p.start(s.lab.Command(s.whole(), "docker-vpn-helper", "proxy", "-H", h, "--certs", p.certs, "--listen", p.at[h]), p.at[h])
	}
	s.install(built.helper, "/usr/local/bin/docker-vpn-helper", 0o755)
	s.root("mkdir /root/certs")
	for _, name := range []string{"ca.pem", "server.pem", "server-key.pem"} {
		s.install(filepath.Join(p.certs, name), "/root/certs/"+name, 0o600)
	}
	p.start(s.vm.Enter(s.whole(), "docker-vpn-helper", "proxy", "-H", "local", "--certs", "/root/certs", "--listen", "0.0.0.0:4242"), p.at["local"])
	return p
}

// start starts a proxy and waits until it listens.
func (p *proxied) start(cmd *exec.Cmd, addr string) {
	p.Helper()
	log, err := os.Create(filepath.Join(p.lab.Dir(), "proxy-"+addr+".log"))
	p.must(err)
	cmd.Stdout, cmd.Stderr = log, log
	p.must(cmd.Start())
	p.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
		if text, err := os.ReadFile(log.Name()); p.Failed() && err == nil {
			p.Logf("the proxy at %s: %s", addr, text)
		}
	})
	p.must(await.Until(p.ctx(), "the proxy at "+addr, func() (bool, error) {
		conn, err := p.lab.Laptop().Dial(p.ctx(), addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil, err
	}))
}

// install copies a file of this computer to the docker host.
func (s *scene) install(from, to string, perm os.FileMode) {
	s.Helper()
	data, err := os.ReadFile(from)
	s.must(err)
	s.must(s.vm.WriteFile(to, data, perm))
}

// userSSH makes the laptop's ssh log in to the docker host. ssh reads the configuration of the
// password file's home directory, so that the laptop has an ssh command of its own.
func (s *scene) userSSH() {
	s.Helper()
	config := filepath.Join(s.lab.Home(), "ssh_config")
	s.must(os.WriteFile(config, fmt.Appendf(nil, "IdentityFile %s\nIdentityAgent none\nIdentitiesOnly yes\nStrictHostKeyChecking accept-new\nUserKnownHostsFile %s\nGlobalKnownHostsFile none\n",
		filepath.Join(s.m.Dir, "id_rsa"), filepath.Join(s.lab.Home(), "known_hosts")), 0o600))
	syscall.ForkLock.RLock() // a fork would hold the file open for writing (golang/go#22315)
	defer syscall.ForkLock.RUnlock()
	s.must(os.WriteFile(filepath.Join(s.lab.Dir(), "bin", "ssh"), []byte("#!/bin/sh\nexec /usr/bin/ssh -F "+config+" \"$@\"\n"), 0o755))
}

// in is the same docker host, in a subtest.
func (p *proxied) in(t *testing.T) *proxied {
	s := *p.scene
	s.T = t
	return &proxied{&s, p.certs, p.at}
}

func (p *proxied) hosts() []string { return slices.Sorted(maps.Keys(p.at)) }

// env are docker's settings for a proxy, and what a script needs to have names of its own.
func (p *proxied) env(host string) []string {
	n := slices.Index(p.hosts(), host)
	return []string{"DOCKER_HOST=tcp://" + p.at[host], "DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH=" + p.certs, "N=" + strconv.Itoa(n), "CERTS=" + p.certs}
}

// client runs a script on the laptop, whose docker talks to a proxy.
func (p *proxied) client(ctx context.Context, host, script string) lab.Result {
	p.Helper()
	r, err := p.lab.Run(ctx, p.env(host), "bash", "-uc", script)
	p.must(err)
	return r
}

// Issue 17, "Must hold" 1 to 4. The waits are long and cost nothing, so that all runs side by side.
func TestProxy(t *testing.T) {
	p := behindProxies(t)
	began := time.Now()
	var wg sync.WaitGroup
	// Not t.Parallel, which runs no more at once than there are processors.
	run := func(name string, f func(*proxied)) {
		wg.Go(func() { t.Run(name, func(t *testing.T) { f(p.in(t)) }) })
	}
	for _, host := range p.hosts() {
		run("clients of "+p.at[host], func(p *proxied) { p.clients(host) })
		run("waits of "+p.at[host], func(p *proxied) { p.waits(host) })
	}
	run("containers", (*proxied).twoContainers)
	wg.Wait()
	t.Logf("the clients took %v", time.Since(began).Round(time.Second))
	for _, host := range p.hosts() {
		p.killedClients(host)
	}
	p.crowd()
	p.dockerdRestarts()
}

// twoContainers are those of the article that this is about: one has a client certificate, one has not.
func (p *proxied) twoContainers() {
	context := filepath.Join(p.lab.Home(), "two")
	p.must(os.MkdirAll(context, 0o755))
	for _, name := range []string{"ca.pem", "cert.pem", "key.pem"} {
		data, err := os.ReadFile(filepath.Join(p.certs, name))
		p.must(err)
		p.must(os.WriteFile(filepath.Join(context, name), data, 0o600))
	}
	r := p.client(p.ctx(), "local", `cd `+context+`
printf 'FROM busybox\nCOPY ca.pem /certs/\n' >Untrusted
printf 'FROM busybox\nCOPY ca.pem cert.pem key.pem /certs/\n' >Trusted
docker build -q -t untrusted -f Untrusted . >/dev/null
docker build -q -t trusted -f Trusted . >/dev/null
try() {
	docker run --rm -v /usr:/usr:ro -v /usr/lib:/lib:ro -v /usr/lib64:/lib64:ro "$@" --cacert /certs/ca.pem -s -w '\n%{http_code}\n' https://`+bridge+`:4242/containers/json?all=1
}
try --name the-trusted-one trusted /usr/bin/curl --cert /certs/cert.pem --key /certs/key.pem
try untrusted /usr/bin/curl`)
	list, refusal, _ := strings.Cut(r.Stdout, "\n200\n")
	if !strings.HasPrefix(list, "[{") || !strings.Contains(list, "/the-trusted-one") {
		p.Errorf("the container with a certificate gets %s%s", r.Stdout, r.Stderr)
	}
	p.same("the container without a certificate gets", `{"message":"no client certificate was sent, and this proxy requires one"}`+"\n\n400\n", refusal)
}

// connections are those of a proxy's clients, and those to dockerd. What dockerd keeps when its
// client is gone is not counted: 20.10 never closes some streams, without a proxy, too.
func (p *proxied) connections(host string) (clients, dockerd int) {
	p.Helper()
	const list = "ss -Hn state established | grep -cE '%s' || true"
	_, port, _ := strings.Cut(p.at[host], ":")
	own := fmt.Sprintf(list, `[0-9]\]?:`+port+` +[^ ]+ *$`)
	count := func(text string) int {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		p.must(err)
		return n
	}
	dockerd = count(p.root(fmt.Sprintf(list, `/docker.sock [0-9]+ +\* [1-9]|:2376 +[^ ]+ *$`)))
	if host == "local" {
		return count(p.root(own)), dockerd
	}
	return count(p.sh(own).Stdout), dockerd
}

// A client that is killed frees the proxy's socket and dockerd's within 2 s.
func (p *proxied) killedClients(host string) {
	p.Helper()
	for name, command := range map[string]string{"events": "events", "logs -f": "logs -f talker", "run -i": "run --rm -i busybox cat", "run": "run --rm busybox sleep 1000"} {
		_, _ = p.vm.Docker(p.ctx(), "run", "-d", "--name", "talker", "busybox", "sleep", "1000") // there may be one already
		clients, dockerd := p.connections(host)
		cmd := p.lab.Command(p.whole(), append([]string{"docker"}, strings.Fields(command)...)...)
		cmd.Env = append(cmd.Env, p.env(host)...)
		_, err := cmd.StdinPipe()
		p.must(err)
		p.must(cmd.Start())
		p.must(await.Until(p.ctx(), name+" to connect", func() (bool, error) {
			c, d := p.connections(host)
			return c > clients && d > dockerd, nil
		}))
		// docker opens its streams one after the other; and what ends right after close_notify may be
		// the end of one direction only.
		time.Sleep(1500 * time.Millisecond)
		p.must(cmd.Process.Kill())
		_ = cmd.Wait()
		killed := time.Now()
		p.must(await.Until(p.ctx(), fmt.Sprintf("the sockets of a killed %s at %s to be freed", name, host), func() (bool, error) {
			c, d := p.connections(host)
			return c <= clients && d <= dockerd, fmt.Errorf("%d and %d connections, before %d and %d", c, d, clients, dockerd)
		}))
		took := time.Since(killed)
		p.Logf("killed %s at %s: sockets freed after %v", name, host, took.Round(time.Millisecond))
		if took > 2*time.Second {
			p.Errorf("killed %s at %s: sockets freed after %v", name, host, took)
		}
	}
}

// dockerd ends: streams end as they do without a proxy, clients get a reason, and what comes
// after the restart works.
func (p *proxied) dockerdRestarts() {
	p.Helper()
	type stream struct {
		host string
		f    *following
	}
	direct := p.launch(p.vm.Enter(p.whole(), "docker", "events"))
	streams := []stream{{"docker's socket", direct}}
	for _, host := range p.hosts() {
		cmd := p.lab.Command(p.whole(), "docker", "events")
		cmd.Env = append(cmd.Env, p.env(host)...)
		streams = append(streams, stream{host, p.launch(cmd)})
	}
	time.Sleep(time.Second) // events prints nothing when it has connected
	for _, s := range streams {
		p.same("events of "+s.host+" has ended already", 0, len(s.f.ended))
	}
	p.must(p.vm.Service(p.ctx(), "stop"))
	for _, s := range streams {
		select {
		case <-s.f.ended:
			p.same("exit of events at "+s.host, direct.cmd.ProcessState.ExitCode(), s.f.cmd.ProcessState.ExitCode())
		case <-time.After(patience):
			p.Fatalf("events at %s goes on without dockerd", s.host)
		}
	}
	for _, host := range p.hosts() {
		r := p.client(p.ctx(), host, "docker ps")
		if r.Exit == 0 || !strings.Contains(r.Stderr, "connecting to dockerd") {
			p.Errorf("without dockerd a client of %s gets: exit %d: %s", host, r.Exit, r.Stderr)
		}
	}
	p.must(p.vm.Service(p.ctx(), "start"))
	p.must(p.vm.AwaitDockerd(p.ctx()))
	for _, host := range p.hosts() {
		r := p.client(p.ctx(), host, "docker run --rm busybox echo again")
		p.same("after the restart, at "+host, "again\n", r.Stdout)
	}
}
