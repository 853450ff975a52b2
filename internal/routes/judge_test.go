package routes

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

func TestJudge(t *testing.T) {
	var (
		en0      = link("en0", "", "192.168.1.20/24")
		vboxnet0 = link("vboxnet0", "", "192.168.99.1/24")
		noAddr   = link("vboxnet0", "")
		down     = host.Link{Name: "vboxnet0", Addrs: vboxnet0.Addrs}
		utun0    = link("utun0", "tun", "10.8.0.2/32")
		mac      = []host.Link{en0, utun0, vboxnet0}
	)
	hostOnly := prefix("192.168.99.1/24")
	route := func(dst, link string) host.Route { return host.Route{Dst: prefix(dst), Link: link} }
	for _, c := range []struct {
		situation string
		view      View // Addr is filled in
		want      Judgement
	}{
		{"healthy", View{LaptopAddr: hostOnly, Links: mac, Route: route("192.168.99.0/24", "vboxnet0")},
			Judgement{OK, "vboxnet0", "vboxnet0", "traffic to 192.168.99.100 goes through vboxnet0"}},
		{"healthy_though_a_cloned_host_route_answers", View{LaptopAddr: hostOnly, Links: mac, Route: host.Route{Link: "vboxnet0"}},
			Judgement{OK, "vboxnet0", "vboxnet0", "traffic to 192.168.99.100 goes through vboxnet0"}},
		{"healthy_name_cut_by_netstat", View{LaptopAddr: hostOnly, Links: mac, Route: route("192.168.99.0/24", "vboxnet")},
			Judgement{OK, "vboxnet0", "vboxnet0", "traffic to 192.168.99.100 goes through vboxnet0"}},
		{"healthy_lab_adapter_is_a_bridge", View{LaptopAddr: hostOnly, Links: []host.Link{en0, link("vboxnet0", "bridge", "192.168.99.1/24")}, Route: route("192.168.99.0/24", "vboxnet0")},
			Judgement{OK, "vboxnet0", "vboxnet0", "traffic to 192.168.99.100 goes through vboxnet0"}},
		{"healthy_vmnet_of_virtualbox_7", View{LaptopAddr: hostOnly, VirtualBoxAdapter: "minikube-hostonly", Links: []host.Link{en0, link("bridge100", "bridge", "192.168.99.1/24")}, Route: route("192.168.99.0/24", "bridge100")},
			Judgement{OK, "bridge100", "bridge100", "traffic to 192.168.99.100 goes through bridge100"}},
		{"healthy_host_only_address_unknown", View{Links: mac, Route: route("192.168.99.0/24", "vboxnet0")},
			Judgement{OK, "vboxnet0", "vboxnet0", "traffic to 192.168.99.100 goes through vboxnet0"}},
		{"healthy_wireguard_full_tunnel_leaves_connected_nets", View{LaptopAddr: hostOnly, Links: []host.Link{en0, link("wg0", "wireguard", "10.0.0.2/32"), vboxnet0}, Route: route("192.168.99.0/24", "vboxnet0")},
			Judgement{OK, "vboxnet0", "vboxnet0", "traffic to 192.168.99.100 goes through vboxnet0"}},

		{"anyconnect_split_tunnel", View{LaptopAddr: hostOnly, Links: mac, Route: route("192.168.99.0/24", "utun0")},
			Judgement{Hijacked, "utun0", "vboxnet0", "traffic to 192.168.99.0/24 goes into utun0 instead of vboxnet0"}},
		{"pulse_claims_private_nets_toolbox_854", View{LaptopAddr: hostOnly, Links: mac, Route: route("192.168.0.0/16", "utun0")},
			Judgement{Hijacked, "utun0", "vboxnet0", "traffic to 192.168.99.0/24 goes into utun0 instead of vboxnet0"}},
		{"full_tunnel_in_halves_and_connected_route_gone", View{LaptopAddr: hostOnly, Links: mac, Route: route("128.0.0.0/1", "utun0")},
			Judgement{Hijacked, "utun0", "vboxnet0", "traffic to 192.168.99.0/24 goes into utun0 instead of vboxnet0"}},
		{"openconnect_on_linux", View{LaptopAddr: hostOnly, Links: []host.Link{en0, link("corp", "tun", "10.1.1.2/32"), vboxnet0}, Route: route("192.168.99.0/24", "corp")},
			Judgement{Hijacked, "corp", "vboxnet0", "traffic to 192.168.99.0/24 goes into corp instead of vboxnet0"}},
		{"hijacked_while_the_adapter_is_away", View{LaptopAddr: hostOnly, Links: []host.Link{en0, utun0}, Route: route("192.168.99.0/24", "utun0")},
			Judgement{Hijacked, "utun0", "", "traffic to 192.168.99.0/24 goes into utun0"}},
		{"tunnel_has_the_laptops_host_only_address", View{LaptopAddr: hostOnly, Links: []host.Link{en0, link("utun0", "tun", "192.168.99.1/24"), noAddr}, Route: route("192.168.99.0/24", "utun0")},
			Judgement{Hijacked, "utun0", "vboxnet0", "traffic to 192.168.99.0/24 goes into utun0 instead of vboxnet0"}},
		{"links_unknown_and_a_tunnel_owns", View{LaptopAddr: hostOnly, Route: route("0.0.0.0/0", "utun3")},
			Judgement{Hijacked, "utun3", "", "traffic to 192.168.99.100 goes into utun3"}},

		{"vpn_gone_and_route_lost", View{LaptopAddr: hostOnly, Links: mac, Route: route("0.0.0.0/0", "en0")},
			Judgement{Missing, "en0", "vboxnet0", "no route to 192.168.99.0/24 through vboxnet0; traffic goes into en0"}},
		{"route_lost_and_the_default_routes_clone_answers", View{LaptopAddr: hostOnly, Links: mac, Route: host.Route{Link: "en0"}},
			Judgement{Missing, "en0", "vboxnet0", "no route to 192.168.99.0/24 through vboxnet0; traffic goes into en0"}},
		{"home_network_is_192_168_0_0_16", View{LaptopAddr: hostOnly, Links: []host.Link{link("en0", "", "192.168.1.20/16"), vboxnet0}, Route: route("192.168.0.0/16", "en0")},
			Judgement{Missing, "en0", "vboxnet0", "no route to 192.168.99.0/24 through vboxnet0; traffic goes into en0"}},
		{"route_lost_and_offline", View{LaptopAddr: hostOnly, Links: []host.Link{vboxnet0}, RouteErr: ErrNoRoute},
			Judgement{Missing, "", "vboxnet0", "no route to 192.168.99.0/24"}},

		{"wifi_has_the_same_net", View{LaptopAddr: hostOnly, VirtualBoxAdapter: "vboxnet0", Links: []host.Link{link("en0", "", "192.168.99.7/24"), vboxnet0}, Route: route("192.168.99.0/24", "en0")},
			Judgement{Colliding, "en0", "vboxnet0", "traffic to 192.168.99.100 goes into en0 instead of vboxnet0: en0 has the same network"}},
		{"wifi_has_the_same_net_and_the_adapter_no_address", View{LaptopAddr: hostOnly, Links: []host.Link{link("en0", "", "192.168.99.1/24"), noAddr}, Route: route("192.168.99.0/24", "en0")},
			Judgement{Colliding, "en0", "vboxnet0", "traffic to 192.168.99.100 goes into en0 instead of vboxnet0: en0 has the same network"}},
		{"wifi_has_the_same_net_and_a_clone_answers", View{LaptopAddr: hostOnly, Links: []host.Link{link("en0", "", "192.168.99.7/24"), vboxnet0}, Route: host.Route{Link: "en0"}},
			Judgement{Colliding, "en0", "vboxnet0", "traffic to 192.168.99.100 goes into en0 instead of vboxnet0: en0 has the same network"}},
		{"static_route_by_the_office_router", View{LaptopAddr: hostOnly, Links: mac, Route: route("192.168.99.0/24", "en0")},
			Judgement{Colliding, "en0", "vboxnet0", "traffic to 192.168.99.100 goes into en0 instead of vboxnet0: en0 has the same network"}},
		{"second_adapter_with_the_same_net", View{LaptopAddr: hostOnly, VirtualBoxAdapter: "vboxnet0", Links: []host.Link{vboxnet0, link("vboxnet1", "", "192.168.99.1/24")}, Route: route("192.168.99.0/24", "vboxnet1")},
			Judgement{Colliding, "vboxnet1", "vboxnet0", "traffic to 192.168.99.100 goes into vboxnet1 instead of vboxnet0: vboxnet1 has the same network"}},
		{"laptop_has_the_machines_address", View{LaptopAddr: hostOnly, Links: []host.Link{link("en0", "", "192.168.99.100/24"), vboxnet0}, Route: route("192.168.99.100/32", "lo0")},
			Judgement{Colliding, "lo0", "vboxnet0", "192.168.99.100 is an address of this laptop itself"}},

		{"adapter_lost_its_address_docker_machine_2136", View{LaptopAddr: hostOnly, Links: []host.Link{en0, noAddr}, Route: route("0.0.0.0/0", "en0")},
			Judgement{InterfaceDown, "en0", "vboxnet0", "vboxnet0 has no address in 192.168.99.0/24"}},
		{"adapter_is_down", View{LaptopAddr: hostOnly, Links: []host.Link{en0, down}, Route: route("0.0.0.0/0", "en0")},
			Judgement{InterfaceDown, "en0", "vboxnet0", "vboxnet0 is down"}},
		{"adapter_is_down_yet_owns_the_route", View{LaptopAddr: hostOnly, Links: []host.Link{en0, down}, Route: route("192.168.99.0/24", "vboxnet0")},
			Judgement{InterfaceDown, "vboxnet0", "vboxnet0", "vboxnet0 is down"}},
		{"adapter_without_address_behind_a_full_tunnel", View{LaptopAddr: hostOnly, Links: []host.Link{en0, utun0, noAddr}, Route: route("0.0.0.0/1", "utun0")},
			Judgement{InterfaceDown, "utun0", "vboxnet0", "vboxnet0 has no address in 192.168.99.0/24"}},
		{"virtualbox_names_the_adapter_among_several", View{LaptopAddr: hostOnly, VirtualBoxAdapter: "vboxnet1", Links: []host.Link{en0, noAddr, link("vboxnet1", "")}, Route: route("0.0.0.0/0", "en0")},
			Judgement{InterfaceDown, "en0", "vboxnet1", "vboxnet1 has no address in 192.168.99.0/24"}},

		{"static_address_in_another_network", View{LaptopAddr: prefix("192.168.59.1/24"), VirtualBoxAdapter: "vboxnet0", Links: []host.Link{en0, link("vboxnet0", "", "192.168.59.1/24")}, Route: route("0.0.0.0/0", "en0")},
			Judgement{Outside, "en0", "vboxnet0", "the VM's address 192.168.99.100 is outside vboxnet0's network 192.168.59.0/24: it is a static address, or another network's DHCP server gave it out"}},
		{"static_address_in_another_network_that_a_tunnel_takes", View{LaptopAddr: prefix("192.168.59.1/24"), Links: []host.Link{utun0, link("bridge100", "bridge", "192.168.59.1/24")}, Route: route("192.168.0.0/16", "utun0")},
			Judgement{Outside, "utun0", "bridge100", "the VM's address 192.168.99.100 is outside bridge100's network 192.168.59.0/24: it is a static address, or another network's DHCP server gave it out"}},
		{"static_address_and_the_adapter_has_none", View{LaptopAddr: prefix("192.168.59.1/24"), Links: []host.Link{en0, noAddr}, Route: route("0.0.0.0/0", "en0")},
			Judgement{Outside, "en0", "vboxnet0", "the VM's address 192.168.99.100 is outside the host-only network 192.168.59.0/24: it is a static address, or another network's DHCP server gave it out"}},
		{"dhcp_of_another_adapters_network_docker_machine_1819", View{LaptopAddr: prefix("192.168.59.1/24"), VirtualBoxAdapter: "vboxnet1", Links: []host.Link{vboxnet0, link("vboxnet1", "", "192.168.59.1/24")}, Route: route("192.168.99.0/24", "vboxnet0")},
			Judgement{Outside, "vboxnet0", "vboxnet1", "the VM is on vboxnet1 (192.168.59.1/24), and its address 192.168.99.100 is of vboxnet0's network: another network's DHCP server gave it out"}},
		{"adapter_has_another_network_than_config_json", View{LaptopAddr: prefix("192.168.59.1/24"), VirtualBoxAdapter: "vboxnet0", Links: mac, Route: route("192.168.99.0/24", "vboxnet0")},
			Judgement{OK, "vboxnet0", "vboxnet0", "traffic to 192.168.99.100 goes through vboxnet0"}},
		{"adapter_has_another_network_than_config_json_and_no_route", View{LaptopAddr: prefix("192.168.59.1/24"), VirtualBoxAdapter: "vboxnet0", Links: mac, Route: route("0.0.0.0/0", "en0")},
			Judgement{Missing, "en0", "vboxnet0", "no route to 192.168.99.0/24 through vboxnet0; traffic goes into en0"}},

		{"modules_not_loaded", View{LaptopAddr: hostOnly, Links: []host.Link{en0}, Route: route("0.0.0.0/0", "en0")},
			Judgement{NoAdapter, "en0", "", "no host-only adapter for 192.168.99.0/24; traffic to 192.168.99.100 goes into en0"}},
		{"modules_not_loaded_and_offline", View{LaptopAddr: hostOnly, Links: []host.Link{link("lo0", "", "127.0.0.1/8")}, RouteErr: ErrNoRoute},
			Judgement{NoAdapter, "", "", "no host-only adapter for 192.168.99.0/24; traffic to 192.168.99.100 goes into nothing"}},
		{"only_another_networks_adapter", View{LaptopAddr: hostOnly, Links: []host.Link{en0, link("vboxnet4", "", "192.168.56.1/24")}, Route: route("0.0.0.0/0", "en0")},
			Judgement{NoAdapter, "en0", "", "no host-only adapter for 192.168.99.0/24; traffic to 192.168.99.100 goes into en0"}},

		{"route_command_failed", View{LaptopAddr: hostOnly, Links: mac, RouteErr: errors.New("route: not found")},
			Judgement{Unknown, "", "vboxnet0", "asking for the route to 192.168.99.100: route: not found"}},
		{"route_refuses", View{LaptopAddr: hostOnly, Links: mac, Route: route("192.168.99.0/24", "lo0"), RouteErr: ErrRejected},
			Judgement{Colliding, "lo0", "vboxnet0", "a route refuses packets to 192.168.99.100: a VPN client, a firewall or a person has added it"}},
		{"route_refuses_on_linux", View{LaptopAddr: hostOnly, Links: mac, RouteErr: ErrRejected},
			Judgement{Colliding, "", "vboxnet0", "a route refuses packets to 192.168.99.100: a VPN client, a firewall or a person has added it"}},
		{"route_into_a_tunnel_refuses", View{LaptopAddr: hostOnly, Links: mac, Route: route("192.168.99.0/24", "utun0"), RouteErr: ErrRejected},
			Judgement{Hijacked, "utun0", "vboxnet0", "a route through utun0 refuses packets to 192.168.99.100"}},
		{"links_unknown", View{LaptopAddr: hostOnly, Route: route("0.0.0.0/0", "en0")},
			Judgement{Unknown, "en0", "", "traffic to 192.168.99.100 goes into en0; this laptop's interfaces could not be listed"}},
		{"route_without_interface", View{LaptopAddr: hostOnly, Links: mac},
			Judgement{Unknown, "", "vboxnet0", "the route to 192.168.99.100 names no interface"}},
	} {
		t.Run(c.situation, func(t *testing.T) {
			c.view.Addr = netip.MustParseAddr("192.168.99.100")
			compare(t, c.want, Judge(c.view))
		})
	}
	compare(t, Judgement{Verdict: Unknown, Evidence: "no IPv4 address to look for"}, Judge(View{}))
}

// parseLinks parses lines "NAME [KIND [PREFIX…]]"; a link without a prefix is down.
func parseLinks(text string) (links []host.Link) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		l := host.Link{Name: f[0], Up: len(f) > 2}
		if len(f) > 1 && f[1] != "-" {
			l.Kind = f[1]
		}
		for _, word := range f[min(2, len(f)):] {
			if p, err := netip.ParsePrefix(word); err == nil {
				l.Addrs = append(l.Addrs, p)
			}
		}
		links = append(links, l)
	}
	return links
}

// FuzzJudge: whatever the tables are, the verdict is ok only if the packets leave through the
// adapter, hijacked only for a tunnel, and there is always evidence.
func FuzzJudge(f *testing.F) {
	const links = "lo0 - 127.0.0.1/8\nen0 - 192.168.1.20/24\nutun0 tun 10.8.0.2/32\nvboxnet0\nbridge100 bridge 192.168.59.1/24"
	f.Add(links, "destination: default\ninterface: en0\n", "192.168.99.1/24", "")
	f.Add(links, "destination: 192.168.99.0\nmask: 255.255.255.0\ninterface: utun0\n", "", "vboxnet0")
	f.Add(links, "not in table", "192.168.59.1/24", "bridge100")
	f.Fuzz(func(t *testing.T, links, get, hostOnly, adapter string) {
		v := View{Addr: netip.MustParseAddr("192.168.99.100"), VirtualBoxAdapter: adapter}
		v.LaptopAddr, _ = netip.ParsePrefix(hostOnly)
		v.Links = parseLinks(links)
		v.Route, _, v.RouteErr = ParseRouteGet([]byte(get))
		j := Judge(v)
		switch {
		case j.Evidence == "":
			t.Errorf("no evidence: %+v", j)
		case j.Verdict == OK && (j.Owner != j.Adapter || j.Owner == ""):
			t.Errorf("%+v", j)
		case j.Verdict == Hijacked && !Tunnel(v.Link(j.Owner)):
			t.Errorf("%+v", j)
		}
	})
}
