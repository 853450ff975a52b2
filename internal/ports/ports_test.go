package ports_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerd"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ports"
)

func container(name string, bindings ...dockerd.PortBinding) dockerd.Container {
	return dockerd.Container{ID: name + "-id", Names: []string{"/" + name}, State: "running", Ports: bindings}
}

func bound(ip string, private, public int, protocol string) dockerd.PortBinding {
	return dockerd.PortBinding{IP: ip, PrivatePort: private, PublicPort: public, Type: protocol}
}

func host(c dockerd.Container) dockerd.Container {
	c.HostConfig.NetworkMode = "host"
	return c
}

func swarm(c dockerd.Container) dockerd.Container {
	c.Labels = map[string]string{"com.docker.swarm.service.name": "front"}
	return c
}

func ingress(c dockerd.Container) dockerd.Container {
	c = swarm(c)
	c.NetworkSettings.Networks = map[string]struct{}{"ingress": {}, "back": {}}
	return c
}

var (
	anywhere = netip.IPv4Unspecified()
	compare  = cmp.Options{cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmpopts.IgnoreFields(ports.Published{}, "ID")}
)

func TestPublishedPorts(t *testing.T) {
	for name, tt := range map[string]struct {
		list []dockerd.Container
		want []ports.Published
	}{
		"nothing_published": {[]dockerd.Container{container("db", dockerd.PortBinding{PrivatePort: 5432, Type: "tcp"})}, nil},
		"both_families_are_one": {
			[]dockerd.Container{container("web", bound("0.0.0.0", 80, 8080, "tcp"), bound("::", 80, 8080, "tcp"))},
			[]ports.Published{{Container: "web", Protocol: "tcp", HostIP: anywhere, HostPort: 8080}},
		},
		"ipv6_only": {
			[]dockerd.Container{container("web", bound("::", 80, 8080, "tcp"))},
			[]ports.Published{{Container: "web", Protocol: "tcp", HostIP: netip.IPv6Unspecified(), HostPort: 8080}},
		},
		"a_daemon_without_addresses": {
			[]dockerd.Container{container("web", dockerd.PortBinding{PrivatePort: 80, PublicPort: 8080})},
			[]ports.Published{{Container: "web", Protocol: "tcp", HostIP: anywhere, HostPort: 8080}},
		},
		"sctp": {
			[]dockerd.Container{container("sip", bound("0.0.0.0", 5060, 5060, "sctp"))},
			[]ports.Published{{Container: "sip", Protocol: "sctp", HostIP: anywhere, HostPort: 5060, Obstacle: "sctp cannot be forwarded"}},
		},
		"host_network": {
			[]dockerd.Container{host(container("monitor"))},
			[]ports.Published{{Container: "monitor", Obstacle: "host network: docker does not list its ports"}},
		},
		"swarm_ingress": {
			[]dockerd.Container{ingress(container("front.1"))},
			[]ports.Published{{Container: "front.1", Obstacle: "swarm service front: docker does not list the ports of its ingress network here"}},
		},
		"swarm_mode_host": {
			[]dockerd.Container{swarm(container("front.1", bound("0.0.0.0", 80, 8080, "tcp")))},
			[]ports.Published{{Container: "front.1", Protocol: "tcp", HostIP: anywhere, HostPort: 8080}},
		},
		"swarm_both_modes": {
			[]dockerd.Container{ingress(container("front.1", bound("0.0.0.0", 80, 8080, "tcp")))},
			[]ports.Published{
				{Container: "front.1", Obstacle: "swarm service front: docker does not list the ports of its ingress network here"},
				{Container: "front.1", Protocol: "tcp", HostIP: anywhere, HostPort: 8080},
			},
		},
		"swarm_publishes_nothing": {[]dockerd.Container{swarm(container("worker"))}, nil},
		"sorted": {
			[]dockerd.Container{container("b", bound("127.0.0.1", 80, 9000, "tcp")), container("a", bound("0.0.0.0", 53, 53, "udp"))},
			[]ports.Published{
				{Container: "a", Protocol: "udp", HostIP: anywhere, HostPort: 53},
				{Container: "b", Protocol: "tcp", HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: 9000},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, ports.Of(tt.list), compare); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestWaysToAPort(t *testing.T) {
	web := ports.Published{Container: "web", Protocol: "tcp", HostIP: anywhere, HostPort: 8080}
	hostOnly := netip.MustParseAddr("192.168.99.100")
	at := func(ip string) ports.Published {
		p := web
		p.HostIP = netip.MustParseAddr(ip)
		return p
	}
	rule := []ports.Rule{{Protocol: "tcp", HostPort: 18080, GuestPort: 8080}}
	for name, tt := range map[string]struct {
		ways          ports.Ways
		port          ports.Published
		reach, reason string
	}{
		"followed_first":        {ports.Ways{Followed: map[ports.Key]string{web.Key(): "localhost:8081"}, Rules: rule, HostOnly: hostOnly}, web, "localhost:8081", ""},
		"nat_rule":              {ports.Ways{Rules: rule, HostOnly: hostOnly}, web, "localhost:18080", ""},
		"nat_rule_at_127.0.0.2": {ports.Ways{Rules: []ports.Rule{{Protocol: "tcp", Host: "127.0.0.2", HostPort: 18080, GuestPort: 8080}}}, web, "127.0.0.2:18080", ""},
		"host_only":             {ports.Ways{HostOnly: hostOnly}, web, "192.168.99.100:8080", ""},
		"that_very_address":     {ports.Ways{HostOnly: hostOnly}, at("192.168.99.100"), "192.168.99.100:8080", ""},
		"local":                 {ports.Ways{Here: true}, at("127.0.0.1"), "localhost:8080", ""},
		"local_at_an_address":   {ports.Ways{Here: true}, at("192.168.1.5"), "192.168.1.5:8080", ""},
		"loopback":              {ports.Ways{HostOnly: hostOnly, Rules: rule}, at("127.0.0.1"), "", "it listens only on 127.0.0.1 of the docker host"},
		"another_address":       {ports.Ways{HostOnly: hostOnly}, at("10.0.2.15"), "", "it listens only on 10.0.2.15"},
		"ipv6_only":             {ports.Ways{HostOnly: hostOnly}, at("::"), "", "it listens only on ::"},
		"no_way":                {ports.Ways{NoWay: "VPN"}, web, "", "VPN"},
		"a_rule_for_other_udp":  {ports.Ways{Rules: []ports.Rule{{Protocol: "udp", HostPort: 8080, GuestPort: 8080}}, NoWay: "VPN"}, web, "", "VPN"},
	} {
		t.Run(name, func(t *testing.T) {
			reach, reason := tt.ways.Reach(tt.port)
			if reach != tt.reach || reason != tt.reason {
				t.Errorf("%q, %q, want %q, %q", reach, reason, tt.reach, tt.reason)
			}
		})
	}
}
