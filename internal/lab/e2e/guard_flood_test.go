//go:build e2e && linux

package e2e

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// flood tries without end to connect from outside.
type flood struct {
	*scene
	stop  chan struct{}
	group sync.WaitGroup
	all   map[string]*tried // by address and port
}

// tried is what became of the tries to connect.
type tried struct {
	port            int
	tries, in, lost atomic.Int64
}

// flood begins one on both addresses of the docker host.
func (s *scene) flood(ports ...int) *flood {
	s.Helper()
	f := &flood{scene: s, stop: make(chan struct{}), all: map[string]*tried{}}
	for _, p := range ports {
		for _, a := range []string{public4, public6} {
			address, t := net.JoinHostPort(a, fmt.Sprint(p)), &tried{port: p}
			f.all[address] = t
			f.group.Go(func() {
				err := s.vm.NAT.Do(func() error { f.worker(address, t); return nil })
				if err != nil {
					s.Error(err)
				}
			})
		}
	}
	return f
}

// worker tries one address. It keeps its thread, so that it stays in the namespace.
func (f *flood) worker(address string, t *tried) {
	for {
		select {
		case <-f.stop:
			return
		default:
		}
		t.tries.Add(1)
		conn, err := net.DialTimeout("tcp", address, patient(t.port))
		switch {
		case err == nil:
			t.in.Add(1)
			_ = conn.(*net.TCPConn).SetLinger(0) // its port may come again soon
			conn.Close()
			if t.port == 8080 {
				time.Sleep(2 * time.Millisecond)
			}
		case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
			time.Sleep(2 * time.Millisecond) // there is no docker host now
		default:
			t.lost.Add(1)
			if t.port == 8080 {
				f.Logf("no answer: %v", err)
			}
		}
	}
}

// patient is how long a connection may take: long where one is let in for certain.
func patient(port int) time.Duration {
	if port == 8080 {
		return 3 * time.Second
	}
	return 60 * time.Millisecond
}

// end stops it once each address was tried often enough, and logs what came of it.
func (f *flood) end(what string) {
	f.Helper()
	for _, t := range f.all {
		f.must(await.Until(f.ctx(), what+": tries", func() (bool, error) { return t.tries.Load() >= 5, nil }))
	}
	close(f.stop)
	f.group.Wait()
	for address, t := range f.all {
		f.Logf("%s: %s: %d tries, %d in, %d without an answer", what, address, t.tries.Load(), t.in.Load(), t.lost.Load())
	}
}

// closed wants none in on any port but those that are open, which some must reach.
func (f *flood) closed(what string, open ...int) {
	f.Helper()
	f.end(what)
	for address, t := range f.all {
		switch n := t.in.Load(); {
		case slices.Contains(open, t.port) && n == 0:
			f.Errorf("%s: nothing was let in to %s, which is open", what, address)
		case !slices.Contains(open, t.port) && n > 0:
			f.Errorf("%s: %d connections were let in to %s", what, n, address)
		}
	}
}

// lastingIPv6 gives the docker host its IPv6 address at every boot, before dockerd starts, and
// the client outside one for as long as the test lives.
func (s *scene) lastingIPv6() {
	s.Helper()
	s.must(s.vm.WriteFile("/etc/systemd/system/public6.service", []byte("[Unit]\nDefaultDependencies=no\nBefore=docker.service\n[Service]\nType=oneshot\nExecStart=/bin/sh -c 'sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0; ip -6 addr replace "+public6+
		"/64 dev eth0 nodad'\n[Install]\nWantedBy=docker.service\n"), 0o644))
	s.root("systemctl enable public6.service")
	gone := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		for {
			select {
			case <-gone:
				return
			case <-time.After(20 * time.Millisecond):
			}
			cmd := s.vm.NAT.Command(s.ctx(), "sh", "-c", `l=$(ip -o -4 addr show to `+outside4+` | awk '{print $2}'); [ -z "$l" ] || ip -o -6 addr show dev "$l" | grep -q `+outside6+` || ip -6 addr add `+outside6+`/64 dev "$l" nodad`)
			_ = cmd.Run() // the link comes and goes
		}
	})
	s.Cleanup(func() {
		close(gone)
		done.Wait()
	})
}

// From before the first container starts: no connection is let in to a closed port in a boot,
// a restart of dockerd, its death, or when a port is published.
func TestGuardUnderFlood(t *testing.T) {
	s := on(t, nsguest.Systemd, fakestore.Options{})
	s.backend(dockerBackends()[0])
	s.must(s.vm.ImportBusybox(s.ctx()))
	s.ipv6()
	s.lastingIPv6()
	s.site("open", 80, "-p", "8080:80", "--restart=always")
	s.site("shut", 80, "-p", "8081:80", "--restart=always")
	unguarded := s.flood(8080, 8081)
	time.Sleep(300 * time.Millisecond)
	unguarded.closed("without guard", 8080, 8081)
	s.guard(0, "start", "--public", "eth0", "--allow", "8080", "--strict")

	// A container that runs again, a port that is new.
	f := s.flood(8080, 8081, 8083, 8084)
	_, err := s.vm.Docker(s.ctx(), "restart", "-t", "0", "shut")
	s.must(err)
	_, err = s.vm.Docker(s.ctx(), "network", "create", "fresh")
	s.must(err)
	s.site("new", 80, "--network", "fresh", "-p", "8083:80", "--restart=always")
	_, err = s.vm.Docker(s.ctx(), "network", "create", "-o", "com.docker.network.bridge.name=lan7", "named")
	s.must(err)
	s.site("named", 80, "--network", "named", "-p", "8084:80", "--restart=always")
	time.Sleep(300 * time.Millisecond)
	f.closed("new ports", 8080)
	s.guardStatus("bridge-unknown")
	s.guard(0, "start")
	s.guardStatus()

	// dockerd goes and comes.
	f = s.flood(8080, 8081, 8083)
	s.must(s.vm.Service(s.ctx(), "restart"))
	s.must(s.vm.AwaitDockerd(s.ctx()))
	s.root("kill -9 $(cat /run/docker.pid)")
	s.must(await.Until(s.ctx(), "the new dockerd", func() (bool, error) {
		_, err := s.vm.Docker(s.ctx(), "ps")
		return err == nil && s.outside(public4, 8080) == "open", nil
	}))
	s.root("systemctl stop docker.service docker.socket; sleep 0.3; systemctl start docker.service")
	s.must(await.Until(s.ctx(), "the web server", func() (bool, error) { return s.outside(public6, 8080) == "open", nil }))
	f.closed("restarts of dockerd", 8080)
	s.guardStatus()

	// Another firewall flushes what it takes for its own.
	f = s.flood(8080, 8081)
	s.root("iptables -F; iptables -t nat -F DOCKER; ip6tables -F")
	time.Sleep(time.Second)
	f.closed("the filter and nat tables are flushed", 8080)

	for range runs(10) + 2 { // boots
		f = s.flood(8080, 8081, 8083)
		s.vbox("controlvm", "default", "poweroff")
		s.start(s.host)
		s.must(await.Until(s.ctx(), "the web server", func() (bool, error) {
			return s.outside(public4, 8080) == "open" && s.outside(public6, 8080) == "open", nil
		}))
		f.closed("a boot", 8080)
		s.guardStatus()
	}
}

// While rules are loaded again, no closed port opens and no allowed client is cut off.
func TestGuardLoadedAgain(t *testing.T) {
	for _, backend := range []string{"nft", "legacy"} {
		t.Run(backend, func(t *testing.T) {
			s := on(t, nsguest.Systemd, fakestore.Options{})
			s.backend(backend)
			s.must(s.vm.ImportBusybox(s.ctx()))
			s.ipv6()
			// busybox's web server drops connections by itself when it is busy.
			_, err := s.vm.Docker(s.ctx(), "run", "-d", "-p", "8080:80", "-v", "/usr:/usr", "-v", "/lib:/lib", "-v", "/lib64:/lib64", "busybox",
				"python3", "-c", "import socket\ns = socket.create_server(('', 80), backlog=1000)\nwhile True: s.accept()[0].close()")
			s.must(err)
			s.site("shut", 80, "-p", "8081:80", "--restart=always")
			// Rules of others, as many as 300 containers have.
			s.root(`{ echo '*nat'; for i in $(seq 300); do echo "-A DOCKER ! -i docker0 -p tcp -m tcp --dport $((20000 + i)) -j DNAT --to-destination 172.17.0.2:80"; done; echo COMMIT; } | iptables-restore -n`)
			s.root(`{ echo '*filter'; for i in $(seq 300); do echo "-A DOCKER -d 172.17.0.2/32 -p tcp -m tcp --dport $((20000 + i)) -j ACCEPT"; done; echo COMMIT; } | iptables-restore -n`)
			s.guard(0, "start", "--public", "eth0", "--allow", "8080")
			s.guardStatus()
			once := func(n int) string {
				return strings.TrimSpace(s.root(fmt.Sprintf("n=%d; a=$(date +%%s%%N); for i in $(seq $n); do sh /etc/docker-vpn-helper/guard/apply || exit 1; done; echo $((($(date +%%s%%N) - a) / n / 1000000))", n)))
			}
			t.Logf("loaded again without a flood: %s ms each", once(10))
			f := s.flood(8080, 8081)
			out := once(runs(200))
			f.closed("loaded again, "+out+" ms each", 8080)
			for address, a := range f.all {
				if a.port == 8080 && a.lost.Load() > 0 {
					t.Errorf("%s: %d connections got no answer", address, a.lost.Load())
				}
			}
		})
	}
}

// backend makes iptables mean that one, and dockerd use it. With "nftables" a dockerd that can
// writes nft's own tables.
func (s *scene) backend(name string) {
	s.Helper()
	s.root("systemctl stop docker.service docker.socket; for p in iptables ip6tables; do $p -P FORWARD ACCEPT; $p -t nat -F; $p -F; $p -t nat -X; $p -X; done; true")
	config := "{}"
	switch {
	case name == "nftables":
		config = `{"seccomp-profile": "unconfined", "firewall-backend": "nftables"}`
		s.root("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
	case nsguest.OtherDocker() != "":
		config = `{"seccomp-profile": "unconfined"}` // a runc of one's own may have no seccomp
	}
	s.must(s.vm.WriteFile("/etc/docker/daemon.json", []byte(config), 0o644))
	if name == "legacy" {
		s.root("for p in iptables ip6tables; do for t in '' -save -restore; do ln -sf xtables-legacy-multi /usr/sbin/$p$t; done; done; iptables --version")
	}
	s.root("systemctl start docker.service")
	s.must(s.vm.AwaitDockerd(s.ctx()))
}

// A download from a port that is denied stalls; one from an allowed port goes on.
func TestGuardEndsConnections(t *testing.T) {
	s := on(t, nsguest.Systemd, fakestore.Options{})
	s.must(s.vm.ImportBusybox(s.ctx()))
	s.ipv6()
	for _, port := range []string{"8080", "8081", "8082", "8083"} {
		_, err := s.vm.Docker(s.ctx(), "run", "-d", "-p", port+":80", "busybox", "sh", "-c", "while true; do nc -l -p 80 -e sh -c 'while echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; do sleep 0.01; done'; done")
		s.must(err)
	}
	s.guard(0, "start", "--public", "eth0", "--allow", "8080,8081,8082,8083")
	for address, ports := range map[string][]string{public4: {"8080", "8081"}, public6: {"8082", "8083"}} {
		var last [2]atomic.Int64
		for i, port := range ports {
			conn, err := s.vm.NAT.Dial(s.ctx(), net.JoinHostPort(address, port))
			s.must(err)
			defer conn.Close()
			go func() {
				b := make([]byte, 4096)
				for {
					if _, err := conn.Read(b); err != nil {
						return
					}
					last[i].Store(time.Now().UnixNano())
				}
			}()
		}
		time.Sleep(500 * time.Millisecond)
		s.guard(0, "deny", ports[1])
		denied := time.Now()
		time.Sleep(1500 * time.Millisecond)
		goesOn, stalled := time.Unix(0, last[0].Load()), time.Unix(0, last[1].Load())
		if time.Since(goesOn) > 700*time.Millisecond {
			t.Errorf("%s: the allowed download stands since %s", address, time.Since(goesOn))
		}
		if stalled.After(denied.Add(time.Second)) || last[1].Load() == 0 {
			t.Errorf("%s: the denied download goes on: %s after deny had ended", address, stalled.Sub(denied))
		}
		t.Logf("%s: the last byte of the denied one came %s before deny had ended", address, denied.Sub(stalled))
	}
}
