//go:build e2e && linux

package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// vpnClient is a network namespace on the docker host, behind an interface tun0: a client of
// a VPN that ends there.
func (s *scene) vpnClient() {
	s.Helper()
	s.root(`ip netns add client && ip link add tun0 type veth peer name c0 && ip link set c0 netns client
		ip addr add 10.8.0.1/24 dev tun0 && ip link set tun0 up
		ip -n client addr add 10.8.0.2/24 dev c0 && ip -n client link set c0 up && ip -n client route add default via 10.8.0.1`)
	s.Cleanup(func() { _, _ = s.vm.Output(s.ctx(), "ip", "netns", "del", "client") })
}

// fromVPN reports whether the client gets an answer of a web server.
func (s *scene) fromVPN(addr string) bool {
	line := fmt.Sprintf(`exec 3<>/dev/tcp/%s/80 && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && head -c 4 <&3 | grep -q HTTP`, addr)
	_, err := s.vm.Output(s.ctx(), "ip", "netns", "exec", "client", "timeout", "4", "bash", "-c", line)
	return err == nil
}

// modernDocker reports whether the docker host has Docker 28 or later, which drops packets
// that are routed to a container's address.
func (s *scene) modernDocker() bool {
	s.Helper()
	version, err := s.vm.Docker(s.ctx(), "version", "--format", "{{.Server.Version}}")
	s.must(err)
	return !strings.HasPrefix(version, "20.")
}

// A VPN ends on the docker host, and its clients are routed into a container network. Docker 28
// drops their packets in raw PREROUTING; an older one gets such a rule here by hand.
func TestAllowRoutedContainer(t *testing.T) {
	s := on(t, nsguest.Systemd, fakestore.Options{})
	if nsguest.OtherDocker() != "" { // whose runc may have been built without seccomp
		s.root(`echo '{"seccomp-profile": "unconfined"}' >/etc/docker/daemon.json; systemctl restart docker`)
		s.must(s.vm.AwaitDockerd(s.ctx()))
	}
	s.must(s.vm.ImportBusybox(s.ctx()))
	_, err := s.vm.Docker(s.ctx(), "network", "create", "-d", "bridge", "my-net", "--gateway", "10.213.213.1", "--subnet", "10.213.213.0/24")
	s.must(err)
	s.web("web2", "-p", "8080:80", "--network=my-net", "--restart=always", "--ip=10.213.213.2")
	s.vpnClient()
	s.must(s.vm.NAT.IP(s.ctx(), "route add 10.213.213.0/24 via "+nsguest.NATGuest))
	modern := s.modernDocker()
	if !modern {
		s.root("iptables -t raw -A PREROUTING -d 10.213.213.2 ! -i $(ip -o -4 addr show to 10.213.213.1 | awk '{print $2}') -j DROP")
	}
	lines := func() string { return s.root("iptables-save | grep '^-A' | sort") } // a restart of dockerd gives them another order
	before := lines()
	client := netip.MustParsePrefix("10.8.0.0/24").Masked().String()
	look := func(when, addr string, open bool) {
		s.Helper()
		got := s.fromVPN(addr)
		for range 5 { // a container that starts may not listen yet
			if open && !got {
				got = s.fromVPN(addr)
			}
		}
		if got != open {
			t.Errorf("%s: %s from the VPN: %v\n%s", when, addr, got, s.reach(addr+":80", "--from", "10.8.0.2").lines())
		}
		if s.page(addr, 80) == nil {
			t.Errorf("%s: %s from eth0", when, addr)
		}
	}
	look("before", "10.213.213.2", false)
	if found := s.reach("10.213.213.2:80", "--from", "10.8.0.2").lines(); !strings.Contains(found, "raw PREROUTING") {
		t.Errorf("reach: %s", found)
	}
	a := s.allow(0, "allow", "10.213.213.2", "-p", "80", "--from", client)
	t.Log(strings.Join(a.Rules, "\n"))
	look("allowed", "10.213.213.2", true)
	s.same("drift", []string{}, s.allow(0, "allow", "--list").Allowances[0].Drift)
	if modern {
		s.web("later", "--network=my-net", "--restart=always", "-p", "8085:80", "--ip=10.213.213.9")
		look("a later container", "10.213.213.9", true)
		s.root("systemctl restart docker")
		s.must(s.vm.AwaitDockerd(s.ctx()))
		s.settled("web2", "later")
		look("docker restarted", "10.213.213.2", true)
		look("docker restarted", "10.213.213.9", true)
		_, err := s.vm.Docker(s.ctx(), "rm", "-f", "later")
		s.must(err)
	}
	s.allow(0, "deny", "web2")
	look("denied", "10.213.213.2", false)
	s.same("rules", before, lines())
	if modern { // Docker's own nftables rules are not overruled by a rule elsewhere
		s.root(`echo '{"seccomp-profile": "unconfined", "firewall-backend": "nftables"}' >/etc/docker/daemon.json; systemctl restart docker`)
		s.must(s.vm.AwaitDockerd(s.ctx()))
		s.settled("web2")
		look("nftables", "10.213.213.2", false)
		refused := s.allow(1, "allow", "10.213.213.2", "-p", "80", "--from", client).Error.Message
		if !strings.Contains(refused, "com.docker.network.bridge.trusted_host_interfaces=tun0 my-net") {
			t.Error(refused)
		}
	}
}
