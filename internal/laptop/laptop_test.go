package laptop

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/hosttest"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/routes"
)

// linux is a laptop whose packets to 192.168.99.100 leave by link.
func linux(link, rest string) string {
	return `Debian 12.

-- computer --
os linux
link eth0 - up 192.168.1.20/24
link vboxnet0 - up 192.168.99.1/24
link tun0 tun up 10.8.0.2/24
route 192.168.99.100 ` + link + " 192.168.99.0/24\n" + rest
}

func dockerHost() Destination {
	return Destination{Addr: netip.MustParseAddr("192.168.99.100"), Laptop: netip.MustParsePrefix("192.168.99.1/24")}
}

func TestWhoHasTheRoute(t *testing.T) {
	for situation, tt := range map[string]struct{ transcript, want string }{
		"the_host_only_adapter": {linux("vboxnet0", ""), ""},
		"a_tunnel":              {linux("tun0", ""), "traffic to 192.168.99.0/24 goes into tun0, a VPN tunnel"},
		"a_vpn_that_is_known":   {linux("tun0", "process 81 openvpn\n"), "traffic to 192.168.99.0/24 goes into tun0 (OpenVPN)"},
		"a_vpn_that_would_take_it": {linux("vboxnet0", "-- $ /opt/cisco/anyconnect/bin/vpn state --\n  >> state: Connected\n"),
			"Cisco AnyConnect / Secure Client is connected (vpn state: Connected)"},
	} {
		t.Run(situation, func(t *testing.T) {
			got, err := New(hosttest.New(t, []byte(tt.transcript))).VPNTakes(t.Context(), dockerHost())
			if err != nil || got != tt.want {
				t.Errorf("%q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

// On macOS the kernel is asked by command, and netstat for what a cloned route hides.
func TestRouteOnMacOS(t *testing.T) {
	const mac = `macOS 12.6.

-- computer --
os darwin
link en0 - up 192.168.1.20/24
link utun3 tun up 10.8.0.2/24
-- $ route -n get 192.168.99.100 --
   route to: 192.168.99.100
destination: 192.168.99.100
  interface: utun3
      flags: <UP,HOST,DONE,WASCLONED,IFSCOPE,IFREF>
-- $ netstat -rn -f inet --
Routing tables

Internet:
Destination        Gateway            Flags           Netif Expire
default            192.168.1.1        UGScg             en0
128.0/1            utun3              USc             utun3
192.168.99.100     utun3              UHWIi           utun3
`
	view, err := New(hosttest.New(t, []byte(mac))).Route(t.Context(), dockerHost())
	want := host.Route{Link: "utun3", Dst: netip.MustParsePrefix("128.0.0.0/1")}
	if diff := cmp.Diff(want, view.Route, cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{})); err != nil || view.RouteErr != nil || diff != "" {
		t.Error(err, view.RouteErr, diff)
	}
}

// refusing is a laptop whose kernel has a route of another type than unicast.
type refusing struct {
	*hosttest.Computer
	answer error
}

func (r refusing) RouteTo(context.Context, netip.Addr) (host.Route, error) {
	return host.Route{}, fmt.Errorf("asking for the route: %w", r.answer)
}

func TestRouteThatRefusesPackets(t *testing.T) {
	for kind, tt := range map[string]struct{ answer, want error }{
		"blackhole":   {syscall.EINVAL, routes.ErrRejected},
		"unreachable": {syscall.EHOSTUNREACH, routes.ErrRejected},
		"prohibit":    {syscall.EACCES, routes.ErrRejected},
		"none":        {syscall.ENETUNREACH, routes.ErrNoRoute},
	} {
		t.Run(kind, func(t *testing.T) {
			view, err := New(refusing{hosttest.New(t, []byte(linux("vboxnet0", ""))), tt.answer}).Route(t.Context(), dockerHost())
			if err != nil || view.RouteErr != tt.want || view.WhyUnanswered() != nil {
				t.Errorf("%v, %v, want %v", view.RouteErr, err, tt.want)
			}
		})
	}
	view, err := New(refusing{hosttest.New(t, []byte(linux("vboxnet0", ""))), syscall.EINTR}).Route(t.Context(), dockerHost())
	if err != nil || !errors.Is(view.WhyUnanswered(), syscall.EINTR) {
		t.Errorf("interrupted: %v, %v", view.WhyUnanswered(), err)
	}
}

func TestVirtualBoxIsAskedForTheAdapterOnlyWhereTwoFit(t *testing.T) {
	asked := 0
	to := dockerHost()
	to.Adapter = func(context.Context) string { asked++; return "vboxnet1" }
	one := New(hosttest.New(t, []byte(linux("vboxnet0", ""))))
	two := New(hosttest.New(t, []byte(linux("vboxnet0", "link vboxnet1 - up 192.168.99.1/24\n"))))
	if view, err := one.Route(t.Context(), to); err != nil || view.VirtualBoxAdapter != "" || asked != 0 {
		t.Errorf("one adapter: %q, asked %d times, %v", view.VirtualBoxAdapter, asked, err)
	}
	if view, err := two.Route(t.Context(), to); err != nil || view.VirtualBoxAdapter != "vboxnet1" || asked != 1 {
		t.Errorf("two adapters: %q, asked %d times, %v", view.VirtualBoxAdapter, asked, err)
	}
}

func TestManyMachinesShareAnswers(t *testing.T) {
	const listening = `-- $ ss -Hltnp --
LISTEN 0 10 127.0.0.1:2376 0.0.0.0:* users:(("VBoxHeadless",pid=41,fd=20))
LISTEN 0 10 127.0.0.1:2377 0.0.0.0:* users:(("node",pid=42,fd=20))
`
	c := hosttest.New(t, []byte(linux("tun0", listening+"-- $ /opt/cisco/anyconnect/bin/vpn state --\n  >> state: Connected\n")))
	n := ForManyMachines(c)
	view, err := n.Route(t.Context(), dockerHost())
	if err != nil {
		t.Fatal(err)
	}
	var got []routes.Listener
	for _, port := range []int{2376, 2377, 2378} {
		n.VPN(t.Context(), view)
		l, err := n.Listeners(t.Context(), port)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, l...)
	}
	want := []routes.Listener{{PID: 41, Command: "VBoxHeadless", Addr: netip.MustParseAddrPort("127.0.0.1:2376")}, {PID: 42, Command: "node", Addr: netip.MustParseAddrPort("127.0.0.1:2377")}}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
		t.Error(diff)
	}
	ran := c.Ran()
	slices.Sort(ran)
	if diff := cmp.Diff([]string{"$ ss -Hltnp", "$ vpn state"}, ran); diff != "" {
		t.Error(diff)
	}
}

func TestTheBootsName(t *testing.T) {
	for _, transcript := range []string{
		"x\n-- computer --\nos linux\n-- /proc/sys/kernel/random/boot_id --\nabc\n",
		"x\n-- computer --\nos darwin\n-- $ sysctl -n kern.bootsessionuuid --\nabc\n",
	} {
		if got, err := Boot(t.Context(), hosttest.New(t, []byte(transcript))); err != nil || got != "abc" {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestAppleSilicon(t *testing.T) {
	for transcript, want := range map[string]bool{
		"x\n-- computer --\nos darwin\n-- $ sysctl -n hw.optional.arm64 --\n1\n": true,
		"x\n-- computer --\nos darwin\n-- $ sysctl -n hw.optional.arm64 --\n0\n": false,
		"x\n-- computer --\nos linux\n":                                          false,
	} {
		if got := AppleSilicon(t.Context(), hosttest.New(t, []byte(transcript))); got != want {
			t.Errorf("%t, want %t", got, want)
		}
	}
}
