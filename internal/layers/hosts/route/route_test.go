package route

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/hosttest"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/laptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// A docker host of tcp:// as a Mac sees it.
func TestFindingsOnMacOS(t *testing.T) {
	const (
		mac     = "-- computer --\nos darwin\nlink en0 - up 192.168.1.20/24\n"
		noVPN   = "-- $ scutil --\n  no keys.\n-- stdin --\nlist State:/Network/Service/[^/]+/(DNS|IPv4)\n-- $ scutil --nc list --\n"
		getV4   = "-- $ route -n get 192.168.1.50 --\n"
		onLink  = getV4 + "destination: 192.168.1.0\nmask: 255.255.255.0\ninterface: en0\nflags: <UP,DONE,CLONING>\n"
		asked   = getV4 + "destination: 192.168.1.50\ninterface: en0\nflags: <UP,HOST,REJECT,DONE,LLINFO,WASCLONED>\n"
		routed  = getV4 + "destination: default\nmask: default\ngateway: 192.168.1.1\ninterface: en0\nflags: <UP,GATEWAY,DONE>\n"
		refused = getV4 + "destination: 192.168.1.0\nmask: 255.255.255.0\ninterface: lo0\nflags: <UP,REJECT,DONE,STATIC>\n"
		none    = getV4 + "-- stderr --\nroute: writing to routing socket: not in table\n"
	)
	for situation, c := range map[string]struct {
		at, computer string
		want         engine.Finding
	}{
		"reached":                     {"192.168.1.50:2376", mac + "open 192.168.1.50:2376\n" + onLink, leaves.Found("192.168.1.50", "en0")},
		"local_network_denied":        {"192.168.1.50:2376", mac + "ancestor /Applications/iTerm.app/Contents/MacOS/iTerm2\nunreachable 192.168.1.50:*\n" + onLink + noVPN, forbidden.Found("iTerm", "192.168.1.50")},
		"no_neighbor":                 {"192.168.1.50:2376", mac + "unreachable 192.168.1.50:*\n" + asked + noVPN, leaves.Found("192.168.1.50", "en0")},
		"behind_a_router":             {"192.168.1.50:2376", mac + "unreachable 192.168.1.50:*\n" + routed + noVPN, leaves.Found("192.168.1.50", "en0 (the default route)")},
		"a_route_refuses":             {"192.168.1.50:2376", mac + refused, refuses.Found("192.168.1.50")},
		"no_route":                    {"192.168.1.50:2376", mac + none, noRoute.Found("192.168.1.50")},
		"what_route_prints_is_odd":    {"192.168.1.50:2376", mac + getV4 + "interface: en0\n", unasked.Found("192.168.1.50", `reading route get: its destination "" is no address`)},
		"IPv6_in_the_laptops_network": {"[fd00::50]:2376", mac + "open [fd00::50]:2376\n-- $ route -n get -inet6 fd00::50 --\ndestination: fd00::\nmask: ffff:ffff:ffff:ffff::\ninterface: en0\nflags: <UP,DONE>\n", leaves.Found("fd00::50", "en0")},
	} {
		t.Run(situation, func(t *testing.T) {
			computer := hosttest.New(t, []byte(c.computer))
			s, err := inspect(t.Context(), &target.Target{Kind: target.TCP, Laptop: computer, Network: laptop.New(computer), TCP: target.TCPEndpoint{Addr: c.at, TLS: true}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]engine.Finding{c.want}, s.Findings()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
