package ports_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerd"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ports"
)

// Each container is named after who should have port 8080.
func TestPlan(t *testing.T) {
	at := func(name, ip string) dockerd.Container {
		return container(name, bound(ip, 80, 8080, "tcp"))
	}
	waiting := func(c dockerd.Container) dockerd.Container {
		c.State, c.Ports = "restarting", nil
		return c
	}
	published := func(c dockerd.Container) ports.Published { return ports.Of([]dockerd.Container{c})[0] }
	key := ports.Key{Protocol: "tcp", Port: 8080}
	first := published(at("first", "127.0.0.1"))
	for name, tt := range map[string]struct {
		have    map[ports.Key]ports.Published
		list    []dockerd.Container
		want    string
		refused []string
	}{
		"one":                          {nil, []dockerd.Container{at("web", "0.0.0.0")}, "web", nil},
		"none":                         {map[ports.Key]ports.Published{key: first}, nil, "", nil},
		"every_address_first":          {nil, []dockerd.Container{at("a", "127.0.0.1"), at("b", "0.0.0.0")}, "b", []string{"port 8080 is already forwarded to b, which is published on the docker host's address 0.0.0.0"}},
		"the_one_that_has_it":          {map[ports.Key]ports.Published{key: first}, []dockerd.Container{at("first", "127.0.0.1"), at("b", "0.0.0.0")}, "first", []string{"port 8080 is already forwarded to first, which is published on the docker host's address 127.0.0.1"}},
		"restart_loop_keeps_it":        {map[ports.Key]ports.Published{key: first}, []dockerd.Container{waiting(at("first", "127.0.0.1"))}, "first", nil},
		"another_took_it_meanwhile":    {map[ports.Key]ports.Published{key: first}, []dockerd.Container{waiting(at("first", "127.0.0.1")), at("b", "0.0.0.0")}, "b", nil},
		"a_loop_that_never_had_a_port": {nil, []dockerd.Container{waiting(at("first", "127.0.0.1"))}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			wanted, refused := ports.Plan(tt.have, tt.list)
			if got := wanted[key].Container; got != tt.want || len(wanted) > 1 {
				t.Errorf("%q has the port, want %q: %v", got, tt.want, wanted)
			}
			var reasons []string
			for _, p := range refused {
				reasons = append(reasons, p.Obstacle)
			}
			if diff := cmp.Diff(tt.refused, reasons); diff != "" {
				t.Errorf("refused, -want +got:\n%s", diff)
			}
		})
	}
}

func TestWhereTheDockerHostDials(t *testing.T) {
	nat := netip.MustParseAddr("10.0.2.15")
	for _, tt := range []struct {
		bound string
		own   netip.Addr
		want  string
	}{
		{"0.0.0.0", nat, "10.0.2.15:8080"},
		{"0.0.0.0", netip.Addr{}, "127.0.0.1:8080"},
		{"0.0.0.0", netip.MustParseAddr("127.0.0.1"), "127.0.0.1:8080"},
		{"0.0.0.0", netip.MustParseAddr("fd00::1"), "127.0.0.1:8080"},
		{"127.0.0.1", nat, "127.0.0.1:8080"},
		{"192.168.99.100", nat, "192.168.99.100:8080"},
		{"::", nat, "[::1]:8080"},
		{"::1", nat, "[::1]:8080"},
	} {
		p := ports.Published{HostIP: netip.MustParseAddr(tt.bound), HostPort: 8080}
		if got := p.DialAddr(tt.own); got != tt.want {
			t.Errorf("bound to %s, own address %s: %s, want %s", tt.bound, tt.own, got, tt.want)
		}
	}
}
