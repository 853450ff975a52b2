package routes

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// Client is a VPN client's name, for advice only: no decision depends on it.
type Client struct {
	Name      string `json:"name"`                // "" where nothing gave it away
	Connected bool   `json:"connected,omitempty"` // there is evidence that it is connected now
	How       string `json:"how,omitempty"`       // what gave it away
}

// Signs are the traces that VPN clients leave. Zero fields were not looked at.
type Signs struct {
	Owner     host.Link      // who has the machine's address
	Keys      []string       // keys of the dynamic store, from ParseScutilKeys
	Services  []Service      // from ParseNCList
	Cisco     string         // from ParseCiscoState
	Processes []host.Process // any user's
}

// CiscoPaths are where AnyConnect and Secure Client put their command line
// program; `vpn state` is the subcommand (its users: many public scripts).
func CiscoPaths() []string {
	return []string{"/opt/cisco/secureclient/bin/vpn", "/opt/cisco/anyconnect/bin/vpn"}
}

// ScutilListKeys is what to write to scutil's stdin for ParseScutilKeys.
const ScutilListKeys = "list State:/Network/Service/[^/]+/(DNS|IPv4)\n"

// Identify names the VPN client that most likely owns the route. Signs that it is
// connected come before its mere presence; a process is the weakest sign, as most
// clients have daemons that always run.
func Identify(s Signs) Client {
	for _, k := range s.Keys {
		for _, c := range keyClients() {
			if strings.Contains(k, c.sign) {
				return Client{Name: c.name, Connected: true, How: "scutil has " + k}
			}
		}
	}
	if strings.EqualFold(s.Cisco, "Connected") {
		return Client{Name: cisco, Connected: true, How: "vpn state: " + s.Cisco}
	}
	for _, n := range s.Services {
		if n.VPN() && n.Status == "Connected" {
			name := n.Name
			for _, c := range typeClients() {
				if strings.Contains(strings.ToLower(n.Type), c.sign) {
					name = c.name + " (" + n.Name + ")"
				}
			}
			return Client{Name: name, Connected: true, How: "scutil --nc list: " + n.Type}
		}
	}
	for _, c := range linkClients() {
		if strings.HasPrefix(s.Owner.Name, c.sign) || s.Owner.Kind == c.sign {
			return Client{Name: c.name, Connected: true, How: "interface " + s.Owner.Name}
		}
	}
	for _, c := range processClients() {
		for _, p := range s.Processes {
			if strings.EqualFold(p.Name, c.sign) {
				return Client{Name: c.name, Connected: Tunnel(s.Owner) && c.onlyUp, How: "process " + p.Name + " (" + strconv.Itoa(p.PID) + ")"}
			}
		}
	}
	return Client{}
}

const cisco = "Cisco AnyConnect / Secure Client"

type clientSign struct {
	sign, name string
	onlyUp     bool // for processes: it runs only while connected
}

func keyClients() []clientSign {
	return []clientSign{
		{sign: "com.cisco.anyconnect", name: cisco},
		{sign: "/gpd.pan/", name: "GlobalProtect"}, // may outlive a dead tunnel
		{sign: "net.juniper.ncproxyd", name: "Pulse / Ivanti Secure"},
		{sign: "/CloudflareWARP/", name: "Cloudflare WARP"},
	}
}

func typeClients() []clientSign {
	return []clientSign{
		{sign: "com.wireguard", name: "WireGuard"},
		{sign: "tailscale", name: "Tailscale"},
		{sign: "cisco", name: cisco},
		{sign: "paloaltonetworks", name: "GlobalProtect"},
		{sign: "zscaler", name: "Zscaler"},
		{sign: "fortinet", name: "FortiClient"},
		{sign: "openvpn", name: "OpenVPN"},
	}
}

// linkClients go by name or by Linux kind.
func linkClients() []clientSign {
	return []clientSign{
		{sign: "cscotun", name: cisco},
		{sign: "gpd", name: "GlobalProtect"},
		{sign: "tailscale", name: "Tailscale"},
		{sign: "nordlynx", name: "NordVPN"},
		{sign: "proton", name: "Proton VPN"},
		{sign: "CloudflareWARP", name: "Cloudflare WARP"},
		{sign: "zcctun", name: "Zscaler"},
		{sign: "wireguard", name: "WireGuard"},
		{sign: "ppp", name: "PPP (L2TP, PPTP or SSTP)"},
		{sign: "ipsec", name: "IPsec"},
	}
}

// processClients: those that run only while connected first. The names are from
// public process lists, not from the vendors' manuals: advice, not fact.
func processClients() []clientSign {
	return []clientSign{
		{"openconnect", "openconnect", true},
		{"openvpn", "OpenVPN", true},
		{"wireguard-go", "WireGuard", true},
		{"vpnc", "vpnc", true},
		{"openfortivpn", "openfortivpn", true},
		{"ZscalerTunnel", "Zscaler", false},
		{"vpnagentd", cisco, false},
		{"acvpnagentd", cisco, false},
		{"PanGPS", "GlobalProtect", false},
		{"dsAccessService", "Pulse / Ivanti Secure", false},
		{"pulsesecure", "Pulse / Ivanti Secure", false},
		{"tailscaled", "Tailscale", false},
		{"charon", "strongSwan (IPsec)", false},
		{"Tunnelblick", "Tunnelblick (OpenVPN)", false},
	}
}

// ParseScutilKeys reads what scutil answers to `list PATTERN`, lines of the form
// `subKey [0] = State:/Network/Service/gpd.pan/DNS`.
func ParseScutilKeys(out []byte) []string {
	var keys []string
	for line := range strings.Lines(string(out)) {
		head, key, ok := strings.Cut(strings.TrimSpace(line), "] = ")
		if ok && strings.HasPrefix(head, "subKey [") && key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// ParseScutilShow reads what scutil answers to `show KEY`: false for
// "No such key", else the dictionary with nested names joined by dots:
// "InterfaceName", "ServerAddresses.0".
func ParseScutilShow(out []byte) (map[string]string, bool) {
	dict := map[string]string{}
	var path []string
	open := false
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		key, value, pair := strings.Cut(line, " : ")
		switch {
		case line == "}":
			if len(path) == 0 {
				return dict, open
			}
			path = path[:len(path)-1]
		case !open:
			open = strings.HasPrefix(line, "<dictionary> {")
		case pair && strings.HasPrefix(value, "<") && strings.HasSuffix(value, "> {"):
			path = append(path, key)
		case pair:
			dict[strings.Join(append(slices.Clone(path), key), ".")] = value
		}
	}
	return dict, open
}

// Service is a row of `scutil --nc list`: built-in VPNs and Network Extensions,
// but modems too.
type Service struct {
	Enabled bool
	Status  string // "Connected", "Disconnected", "Connecting" …
	UUID    string
	Name    string
	Type    string // "IPSec", "PPP:L2TP", "VPN:com.wireguard.macos"
}

// VPN says that the service is one, and not a modem or DSL line.
func (s Service) VPN() bool {
	kind, sub, _ := strings.Cut(s.Type, ":")
	switch kind {
	case "VPN", "IPSec", "L2TP", "PPTP":
		return true
	case "PPP":
		return sub == "L2TP" || sub == "PPTP"
	}
	return false
}

// ParseNCList reads rows of the forms
//
//   - (Connected)      UUID IPSec             "Office"   [IPSec]
//     (Disconnected)   UUID PPP --> L2TP      "Home"     [PPP:L2TP]
//
// A name may be cut so that its closing quotation mark is missing.
func ParseNCList(out []byte) []Service {
	var services []Service
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		rest, enabled := strings.CutPrefix(line, "*")
		rest, ok := strings.CutPrefix(strings.TrimSpace(rest), "(")
		status, rest, ok2 := strings.Cut(rest, ")")
		if !ok || !ok2 || status == "" {
			continue
		}
		s := Service{Enabled: enabled, Status: status}
		if i := strings.LastIndex(rest, "["); i >= 0 && strings.HasSuffix(rest, "]") {
			s.Type, rest = rest[i+1:len(rest)-1], rest[:i]
		}
		head, name, _ := strings.Cut(rest, `"`)
		s.Name = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(name), `"`))
		if f := strings.Fields(head); len(f) > 0 {
			s.UUID = f[0]
		}
		services = append(services, s)
	}
	return services
}

// ParseCiscoState reads `vpn state`, which prints several ">> state: X" lines a
// run; the last one counts. "" where there is none.
func ParseCiscoState(out []byte) string {
	last := ""
	for line := range strings.Lines(string(out)) {
		if state, ok := strings.CutPrefix(strings.TrimSpace(line), ">> state:"); ok {
			last = cmp.Or(strings.TrimSpace(state), last)
		}
	}
	return last
}
