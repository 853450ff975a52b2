package routes

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

func TestParseRouteGet(t *testing.T) {
	const tail = " recvpipe  sendpipe  ssthresh  rtt,msec    rttvar  hopcount      mtu     expire\n" +
		"       0         0         0         0         0         0      1500         0 \n"
	for situation, c := range map[string]struct {
		out   string
		want  host.Route
		flags []string
	}{
		"healthy": {"   route to: 192.168.99.100\ndestination: 192.168.99.0\n       mask: 255.255.255.0\n  interface: vboxnet0\n      flags: <UP,DONE,CLONING>\n" + tail,
			host.Route{Dst: prefix("192.168.99.0/24"), Link: "vboxnet0"}, []string{"UP", "DONE", "CLONING"}},
		"default_route": {"   route to: 192.168.99.100\ndestination: default\n       mask: default\n    gateway: 192.168.1.1\n  interface: en0\n      flags: <UP,GATEWAY,DONE,STATIC,PRCLONING,GLOBAL>\n" + tail,
			host.Route{Dst: prefix("0.0.0.0/0"), Link: "en0", Gateway: netip.MustParseAddr("192.168.1.1")},
			[]string{"UP", "GATEWAY", "DONE", "STATIC", "PRCLONING", "GLOBAL"}},
		"full_tunnel_without_gateway": {"   route to: 192.168.99.100\ndestination: 128.0.0.0\n       mask: 128.0.0.0\n  interface: utun4\n      flags: <UP,DONE,CLONING,STATIC,GLOBAL>\n" + tail,
			host.Route{Dst: prefix("128.0.0.0/1"), Link: "utun4"}, []string{"UP", "DONE", "CLONING", "STATIC", "GLOBAL"}},
		"lower_half_of_a_full_tunnel": {"   route to: 10.22.0.100\ndestination: default\n       mask: 128.0.0.0\n    gateway: 10.8.0.1\n  interface: utun4\n      flags: <UP,GATEWAY,DONE,STATIC,PRCLONING>\n" + tail,
			host.Route{Dst: prefix("0.0.0.0/1"), Link: "utun4", Gateway: netip.MustParseAddr("10.8.0.1")}, []string{"UP", "GATEWAY", "DONE", "STATIC", "PRCLONING"}},
		"network_of_ipv6": {"   route to: fd7a:1c2b:3d4e::1\ndestination: fd7a:1c2b:3d4e::\n       mask: ffff:ffff:ffff:ffff::\n  interface: utun4\n      flags: <UP,DONE,STATIC,PRCLONING>\n" + tail,
			host.Route{Dst: prefix("fd7a:1c2b:3d4e::/64"), Link: "utun4"}, []string{"UP", "DONE", "STATIC", "PRCLONING"}},
		"default_route_of_ipv6": {"   route to: 2001:db8::7\ndestination: ::\n       mask: default\n    gateway: fe80::1%en0\n  interface: en0\n      flags: <UP,GATEWAY,DONE,STATIC,PRCLONING,GLOBAL>\n" + tail,
			host.Route{Dst: prefix("::/0"), Link: "en0", Gateway: netip.MustParseAddr("fe80::1")}, []string{"UP", "GATEWAY", "DONE", "STATIC", "PRCLONING", "GLOBAL"}},
		"default_without_mask": {"destination: default\ninterface: en0\nflags: <UP>\n",
			host.Route{Dst: prefix("0.0.0.0/0"), Link: "en0"}, []string{"UP"}},
		"gateway_is_a_name": {"   route to: docker\ndestination: 192.168.99.0\n       mask: 0xffffff00\n    gateway: index: 14 utun2\n  interface: utun2\n      flags: <UP,GATEWAY>\n",
			host.Route{Dst: prefix("192.168.99.0/24"), Link: "utun2"}, []string{"UP", "GATEWAY"}},
		"host_route": {"   route to: 192.168.99.100\ndestination: 192.168.99.100\n  interface: utun2\n      flags: <UP,HOST,DONE,STATIC>\n",
			host.Route{Dst: prefix("192.168.99.100/32"), Link: "utun2"}, []string{"UP", "HOST", "DONE", "STATIC"}},
		"host_route_cloned_from_an_unknown_one": {"   route to: 192.168.99.100\ndestination: 192.168.99.100\n    gateway: 192.168.1.1\n  interface: en0\n      flags: <UP,GATEWAY,HOST,DONE,WASCLONED,IFSCOPE,IFREF>\n",
			host.Route{Link: "en0", Gateway: netip.MustParseAddr("192.168.1.1")}, []string{"UP", "GATEWAY", "HOST", "DONE", "WASCLONED", "IFSCOPE", "IFREF"}},
	} {
		t.Run(situation, func(t *testing.T) {
			got, flags, err := ParseRouteGet([]byte(c.out))
			if err != nil {
				t.Fatal(err)
			}
			compare(t, c.want, got)
			compare(t, c.flags, flags)
		})
	}
}

func TestParseRouteGetErrors(t *testing.T) {
	for situation, c := range map[string]struct {
		out  string
		want error
	}{
		"no_route":                    {"route: writing to routing socket: not in table\n", ErrNoRoute},
		"unreachable":                 {"route: writing to routing socket: Network is unreachable\n", ErrNoRoute},
		"rejected_host":               {"destination: 192.168.99.100\ngateway: 127.0.0.1\ninterface: lo0\nflags: <UP,GATEWAY,HOST,REJECT,DONE,STATIC>\n", ErrRejected},
		"clone_of_a_rejected_network": {"destination: 192.168.99.100\ngateway: 127.0.0.1\ninterface: lo0\nflags: <UP,GATEWAY,HOST,REJECT,DONE,WASCLONED>\n", ErrRejected},
		"blackhole":                   {"destination: 192.168.99.0\nmask: 255.255.255.0\ninterface: vboxnet0\nflags: <UP,DONE,BLACKHOLE,STATIC>\n", ErrRejected},
		"refused":                     {"destination: 192.168.99.0\nmask: 255.255.255.0\ninterface: lo0\nflags: <UP,REJECT,DONE>\n", ErrRejected},
	} {
		if _, _, err := ParseRouteGet([]byte(c.out)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", situation, err)
		}
	}
	for _, out := range []string{"", "interface: en0\n", "interface: en0\ndestination: docker\n", "interface: en0\ndestination: 10.0.0.0\nmask: 255.0.255.0\n",
		"interface: en0\ndestination: fd00::\nmask: 255.255.255.0\n", "interface: en0\ndestination: 10.0.0.0\nmask: ffff::\n"} {
		if r, _, err := ParseRouteGet([]byte(out)); err == nil {
			t.Errorf("%q was read as %+v", out, r)
		}
	}
}

// FuzzParseRouteGet: what was read, printed as route(8) does, reads the same.
func FuzzParseRouteGet(f *testing.F) {
	f.Add("destination: default\nmask: default\ngateway: 192.168.1.1\ninterface: en0\nflags: <UP>\n")
	f.Add("destination: 192.168.99.0\nmask: 255.255.255.0\ninterface: utun0\nflags: <UP,WASCLONED>\n")
	f.Add("destination: 192.168.99.0\nmask: 0xffffff00\ninterface: utun0\n")
	f.Add("destination: 10.0.0.1\ninterface: en0\nflags: ,<UP>\n")
	f.Add("destination: fd00::\nmask: ffff:ffff::\ninterface: utun0\n")
	f.Add("destination: fe80::1%en0\ninterface: utun0\n")
	f.Fuzz(func(t *testing.T, out string) {
		r, flags, err := ParseRouteGet([]byte(out))
		if err != nil && !errors.Is(err, ErrRejected) {
			return
		}
		var b strings.Builder
		fmt.Fprintf(&b, "interface: %s\nflags: <%s>\n", r.Link, strings.Join(flags, ","))
		if r.Gateway.IsValid() {
			fmt.Fprintf(&b, "gateway: %s\n", r.Gateway)
		}
		switch {
		case !r.Dst.IsValid():
			b.WriteString("destination: 0.0.0.0\n") // cloned
		case r.Dst.Bits() == r.Dst.Addr().BitLen():
			fmt.Fprintf(&b, "destination: %s\n", r.Dst.Addr())
		case r.Dst.Bits() == 0:
			fmt.Fprintf(&b, "destination: %s\nmask: default\n", r.Dst.Addr())
		default:
			fmt.Fprintf(&b, "destination: %s\nmask: %s\n", r.Dst.Addr(), netmask(r.Dst))
		}
		again, flags2, err2 := ParseRouteGet([]byte(b.String()))
		if !errors.Is(err2, err) {
			t.Fatalf("%v, then %v\n%s", err, err2, b.String())
		}
		compare(t, r, again)
		compare(t, flags, flags2)
	})
}

// The kernel remembers for some seconds that nothing answered its neighbor lookup.
func TestParseRouteGetFailedNeighbor(t *testing.T) {
	for situation, flags := range map[string]string{
		"first lookup":         "UP,HOST,REJECT,DONE,LLINFO,WASCLONED,IFSCOPE,IFREF",
		"before El Capitan":    "UP,HOST,REJECT,DONE,LLINFO,WASCLONED",
		"its own entry":        "UP,HOST,REJECT,DONE,LLINFO,IFSCOPE,IFREF",
		"lookup has not begun": "UP,HOST,REJECT,DONE,WASCLONED,IFSCOPE,IFREF",
	} {
		r, got, err := ParseRouteGet([]byte("destination: 192.168.99.100\ninterface: vboxnet0\nflags: <" + flags + ">\n"))
		if err != nil || r.Link != "vboxnet0" || !FailedNeighbor(got) {
			t.Errorf("%s: %+v %v %v", situation, r, got, err)
		}
	}
	if FailedNeighbor([]string{"UP", "HOST", "DONE", "LLINFO", "WASCLONED"}) {
		t.Error("a neighbor that was found has failed")
	}
}
