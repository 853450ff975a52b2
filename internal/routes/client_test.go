package routes

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

const ncList = `Available network connection services in the current set (*=enabled):
* (Disconnected)   F866AE22-4EC1-4524-8769-86A290A0C582 VPN (com.wireguard.macos) "office (1) wg" [VPN:com.wireguard.macos]
* (Connected)      9B33EDB3-7576-4A9C-AB78-BC8C08E05BE4 IPSec              "Office"             [IPSec]
  (Disconnected)   1A2B3C4D-0000-0000-0000-000000000000 PPP --> L2TP       "My "old" VPN"       [PPP:L2TP]
* (Connected)      22222222-2222-2222-2222-222222222222 Home Tunnel [IKEv2]
* (Connected)   1DA56645-7350-49ED-9D79-275DAC53903D PPP --> Chameleon: hw_v1, fw_v256 "Chameleon: hw_v1, fw_v256  [PPP:Modem]
`

func TestParseNCList(t *testing.T) {
	compare(t, []Service{
		{"Disconnected", "F866AE22-4EC1-4524-8769-86A290A0C582", "office (1) wg", "VPN:com.wireguard.macos"},
		{"Connected", "9B33EDB3-7576-4A9C-AB78-BC8C08E05BE4", "Office", "IPSec"},
		{"Disconnected", "1A2B3C4D-0000-0000-0000-000000000000", `My "old" VPN`, "PPP:L2TP"},
		{"Connected", "22222222-2222-2222-2222-222222222222", "Home Tunnel", "IKEv2"},
		{"Connected", "1DA56645-7350-49ED-9D79-275DAC53903D", "Chameleon: hw_v1, fw_v256", "PPP:Modem"},
	}, ParseNCList([]byte(ncList)))
}

const ciscoDNS = `<dictionary> {
  DomainName : corp.example
  InterfaceName : utun2
  ServerAddresses : <array> {
    0 : 10.1.1.1
    1 : 10.1.1.2
  }
  IPv4 : <dictionary> {
    Addresses : <array> {
      0 : 10.8.0.2
    }
  }
}
`

func TestParseDictionary(t *testing.T) {
	got, ok := parseDictionary([]byte(ciscoDNS))
	compare(t, true, ok)
	compare(t, map[string]string{
		"DomainName": "corp.example", "InterfaceName": "utun2", "ServerAddresses.0": "10.1.1.1", "ServerAddresses.1": "10.1.1.2", "IPv4.Addresses.0": "10.8.0.2",
	}, got)
	got, ok = parseDictionary([]byte("  No such key\n"))
	compare(t, false, ok)
	compare(t, map[string]string{}, got)
}

func TestParseScutilShows(t *testing.T) {
	compare(t, []string{"", "utun2", "", "utun2"}, ParseShownLinks([]byte("  No such key\n"+ciscoDNS+"<dictionary> {\n  A : <array> {\n    0 : }\n  }\n}\n"+ciscoDNS)))
}

// FuzzParseShownLinks: printed again, the links read the same.
func FuzzParseShownLinks(f *testing.F) {
	f.Add("  No such key\n" + ciscoDNS)
	f.Fuzz(func(t *testing.T, out string) {
		links := ParseShownLinks([]byte(out))
		var b strings.Builder
		for _, l := range links {
			fmt.Fprintf(&b, "<dictionary> {\n  InterfaceName : %s\n}\n", l)
		}
		compare(t, links, ParseShownLinks([]byte(b.String())))
	})
}

func TestParseScutilKeys(t *testing.T) {
	compare(t, []string{"State:/Network/Service/com.cisco.anyconnect/DNS", "State:/Network/Service/A B/IPv4"},
		ParseScutilKeys([]byte("  subKey [0] = State:/Network/Service/com.cisco.anyconnect/DNS\n  subKey [1] = State:/Network/Service/A B/IPv4\n  no keys.\n")))
}

func TestParseCiscoState(t *testing.T) {
	compare(t, "Connected", ParseCiscoState([]byte("Cisco AnyConnect (version 4.10)\n  >> state: Disconnected\n  >> notice: Ready to connect.\n  >> state: Connected\n  >> state: \nVPN> ")))
	compare(t, "", ParseCiscoState([]byte("no such file")))
}

func TestIdentify(t *testing.T) {
	utun := host.Link{Name: "utun2", Kind: "tun"}
	for situation, c := range map[string]struct {
		signs Signs
		want  Client
	}{
		"anyconnect_by_key": {Signs{Owner: utun, Keys: []string{"State:/Network/Service/com.cisco.anyconnect/DNS"}},
			Client{cisco, true, "scutil has State:/Network/Service/com.cisco.anyconnect/DNS", true}},
		"secure_client_by_state": {Signs{Owner: utun, Cisco: "Connected"}, Client{cisco, true, "vpn state: Connected", true}},
		"anyconnect_daemon_but_not_connected": {Signs{Owner: host.Link{Name: "en0"}, Cisco: "Disconnected", Processes: []host.Process{{PID: 7, Name: "vpnagentd"}}},
			Client{cisco, false, "process vpnagentd (7)", true}},
		"globalprotect":              {Signs{Owner: utun, Keys: []string{"State:/Network/Service/gpd.pan/DNS"}}, Client{"GlobalProtect", true, "scutil has State:/Network/Service/gpd.pan/DNS", true}},
		"built_in_ikev2_not_a_modem": {Signs{Owner: host.Link{Name: "ipsec0"}, Services: ParseNCList([]byte(ncList))}, Client{"Office", true, "scutil --nc list: IPSec", false}},
		"wireguard_app": {Signs{Owner: utun, Services: []Service{{"Connected", "u", "home", "VPN:com.wireguard.macos"}}},
			Client{"WireGuard (home)", true, "scutil --nc list: VPN:com.wireguard.macos", false}},
		"wireguard_on_linux":          {Signs{Owner: host.Link{Name: "office", Kind: "wireguard"}}, Client{"WireGuard", true, "interface office", false}},
		"openconnect_on_linux":        {Signs{Owner: host.Link{Name: "tun0", Kind: "tun"}, Processes: []host.Process{{PID: 5, Name: "PanGPS"}, {PID: 9, Name: "openconnect"}}}, Client{"openconnect", true, "process openconnect (9)", false}},
		"openvpn_with_its_tunnel_off": {Signs{Owner: host.Link{Name: "en0"}, Processes: []host.Process{{PID: 9, Name: "openvpn"}}}, Client{"OpenVPN", false, "process openvpn (9)", false}},
		"two_tunnels_and_the_key_is_the_other's": {Signs{Owner: utun, Keys: []string{"State:/Network/Service/com.cisco.anyconnect/DNS"},
			Interfaces: map[string]string{"State:/Network/Service/com.cisco.anyconnect/DNS": "utun7"}, Processes: []host.Process{{PID: 3, Name: "openvpn"}}},
			Client{"OpenVPN", true, "process openvpn (3)", false}},
		"a_service's_tunnel_by_its_interface": {Signs{Owner: utun, Keys: []string{"State:/Network/Service/u-1/IPv4", "State:/Network/Service/u-2/IPv4"},
			Interfaces: map[string]string{"State:/Network/Service/u-1/IPv4": "utun5", "State:/Network/Service/u-2/IPv4": "utun2"},
			Services:   []Service{{"Connected", "u-1", "home", "VPN:com.wireguard.macos"}, {"Connected", "u-2", "Office", "IPSec"}}},
			Client{"Office", true, "scutil --nc list: IPSec", false}},
		"anyconnect_connected_and_the_route_is_not_its": {Signs{Owner: host.Link{Name: "en0"}, Keys: []string{"State:/Network/Service/com.cisco.anyconnect/DNS"},
			Interfaces: map[string]string{"State:/Network/Service/com.cisco.anyconnect/DNS": "utun7"}},
			Client{cisco, true, "scutil has State:/Network/Service/com.cisco.anyconnect/DNS", true}},
		"globalprotect_s_key_has_outlived_its_tunnel": {Signs{Owner: host.Link{Name: "vboxnet0"}, Links: []host.Link{{Name: "vboxnet0", Up: true}, {Name: "utun0", Up: true}},
			Keys: []string{"State:/Network/Service/gpd.pan/DNS"}, Interfaces: map[string]string{"State:/Network/Service/gpd.pan/DNS": "utun2"}, Processes: []host.Process{{PID: 4, Name: "PanGPS"}}},
			Client{globalProtect, false, "process PanGPS (4)", true}},
		"globalprotect_names_its_tunnel_under_ipv4_alone": {Signs{Owner: utun, Keys: []string{"State:/Network/Service/gpd.pan/DNS", "State:/Network/Service/gpd.pan/IPv4"},
			Interfaces: map[string]string{"State:/Network/Service/gpd.pan/IPv4": "utun9"}, Processes: []host.Process{{PID: 3, Name: "openvpn"}}},
			Client{"OpenVPN", true, "process openvpn (3)", false}},
		"nothing_known": {Signs{Owner: utun}, Client{}},
	} {
		t.Run(situation, func(t *testing.T) { compare(t, c.want, Identify(c.signs)) })
	}
}

// FuzzParseNCList: printed again, the rows read the same.
func FuzzParseNCList(f *testing.F) {
	f.Add(ncList)
	f.Fuzz(func(t *testing.T, out string) {
		services := ParseNCList([]byte(out))
		var b strings.Builder
		for _, s := range services {
			fmt.Fprintf(&b, "* (%s)   %s \"%s\" [%s]\n", s.Status, s.UUID, s.Name, s.Type)
		}
		compare(t, services, ParseNCList([]byte(b.String())))
	})
}

// FuzzParseDictionary: names are joined of parts that are in the text, values are lines' ends.
func FuzzParseDictionary(f *testing.F) {
	f.Add(ciscoDNS)
	f.Add("  No such key\n")
	f.Fuzz(func(t *testing.T, out string) {
		dict, ok := parseDictionary([]byte(out))
		if !ok && len(dict) > 0 {
			t.Errorf("no dictionary, yet %v", dict)
		}
		for _, k := range slices.Sorted(maps.Keys(dict)) {
			if !strings.Contains(out, dict[k]) || strings.Contains(dict[k], "\n") {
				t.Errorf("%q: %q", k, dict[k])
			}
		}
	})
}

// FuzzParseScutilKeys: printed again, the keys read the same.
func FuzzParseScutilKeys(f *testing.F) {
	f.Add("  subKey [0] = State:/Network/Service/gpd.pan/DNS\n")
	f.Fuzz(func(t *testing.T, out string) {
		keys := ParseScutilKeys([]byte(out))
		var b strings.Builder
		for i, k := range keys {
			fmt.Fprintf(&b, "  subKey [%d] = %s\n", i, k)
		}
		compare(t, keys, ParseScutilKeys([]byte(b.String())))
	})
}

// FuzzParseCiscoState: the state alone reads the same.
func FuzzParseCiscoState(f *testing.F) {
	f.Add("  >> state: Connected\n")
	f.Fuzz(func(t *testing.T, out string) {
		state := ParseCiscoState([]byte(out))
		compare(t, state, ParseCiscoState([]byte(">> state: "+state+"\n")))
	})
}
