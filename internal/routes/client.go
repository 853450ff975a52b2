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
	// TakesLocal reports that this client is known to take local networks into its
	// tunnel, one that the laptop gets while it is connected too
	// (docker/machine#2632, docker/toolbox#854).
	TakesLocal bool `json:"takes_local,omitempty"`
}

// Signs are the traces that VPN clients leave. Zero fields were not looked at.
type Signs struct {
	Owner host.Link   // who has the machine's address
	Links []host.Link // all of the laptop's
	Keys  []string    // keys of the dynamic store, from ParseScutilKeys
	// Interfaces are the interface names of the keys, from ParseShownLinks.
	Interfaces map[string]string
	Services   []Service      // from ParseNCList
	Cisco      string         // from ParseCiscoState
	Processes  []host.Process // any user's
}

// CiscoPaths are where AnyConnect and Secure Client put their command line
// program; `vpn state` is the subcommand (its users: many public scripts).
func CiscoPaths() []string {
	return []string{"/opt/cisco/secureclient/bin/vpn", "/opt/cisco/anyconnect/bin/vpn"}
}

// Revealing are the keys of a dynamic store whose InterfaceName shows whose a
// tunnel is: those of known clients, and those of connected services. At most
// eight, as each has to be asked for.
func Revealing(keys []string, services []Service) []string {
	var out []string
	for _, k := range keys {
		if _, known := byKey(k); known || slices.ContainsFunc(services, func(s Service) bool { return s.up() && s.has(k) }) {
			out = append(out, k)
		}
	}
	return out[:min(len(out), 8)]
}

// Identify names the VPN client that most likely owns the route. What names the
// very tunnel comes first, signs that a client is connected come before its mere
// presence; a process is the weakest sign, as most clients have daemons that
// always run.
func Identify(s Signs) Client {
	c := identify(s)
	c.TakesLocal = slices.Contains([]string{cisco, globalProtect, pulse}, c.Name)
	return c
}

func identify(s Signs) Client {
	for _, k := range s.Keys {
		if c, ok := byKey(k); ok && !s.another(k) && !s.dead(k) {
			return Client{Name: c.name, Connected: true, How: "scutil has " + k}
		}
	}
	for _, n := range s.Services {
		for k, link := range s.Interfaces {
			if n.up() && n.has(k) && link == s.Owner.Name {
				return n.client()
			}
		}
	}
	if strings.EqualFold(s.Cisco, "Connected") {
		return Client{Name: cisco, Connected: true, How: "vpn state: " + s.Cisco}
	}
	for _, n := range s.Services {
		if n.up() && !slices.ContainsFunc(s.Keys, func(k string) bool { return n.has(k) && s.another(k) }) {
			return n.client()
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

// tunnels are the links that the key's service has: GlobalProtect, for one, may
// name its tunnel under IPv4 and not under DNS.
func (s Signs) tunnels(key string) (names []string) {
	service := key[:strings.LastIndex(key, "/")+1]
	for k, link := range s.Interfaces {
		if strings.HasPrefix(k, service) {
			names = append(names, link)
		}
	}
	return names
}

// another reports whether the key belongs to another tunnel than the one that has the route.
func (s Signs) another(key string) bool {
	names := s.tunnels(key)
	return Tunnel(s.Owner) && len(names) > 0 && !slices.Contains(names, s.Owner.Name)
}

// dead reports whether the tunnel of the key is gone: GlobalProtect's key may outlive it.
func (s Signs) dead(key string) bool {
	names := s.tunnels(key)
	return s.Links != nil && len(names) > 0 && !slices.ContainsFunc(s.Links, func(l host.Link) bool { return l.Up && slices.Contains(names, l.Name) })
}

func byKey(key string) (clientSign, bool) {
	for _, c := range keyClients() {
		if strings.Contains(key, c.sign) {
			return c, true
		}
	}
	return clientSign{}, false
}

// up reports whether the service is a VPN that is connected.
func (s Service) up() bool { return s.VPN() && s.Status == "Connected" }

// has reports whether a key of the dynamic store is this service's.
func (s Service) has(key string) bool { return s.UUID != "" && strings.Contains(key, "/"+s.UUID+"/") }

func (s Service) client() Client {
	name := s.Name
	for _, c := range typeClients() {
		if strings.Contains(strings.ToLower(s.Type), c.sign) {
			name = c.name + " (" + s.Name + ")"
		}
	}
	return Client{Name: name, Connected: true, How: "scutil --nc list: " + s.Type}
}

const (
	cisco         = "Cisco AnyConnect / Secure Client"
	globalProtect = "GlobalProtect"
	pulse         = "Pulse / Ivanti Secure"
)

type clientSign struct {
	sign, name string
	onlyUp     bool // for processes: it runs only while connected
}

func keyClients() []clientSign {
	return []clientSign{
		{sign: "com.cisco.anyconnect", name: cisco},
		{sign: "/gpd.pan/", name: globalProtect},
		{sign: "net.juniper.ncproxyd", name: pulse},
		{sign: "/CloudflareWARP/", name: "Cloudflare WARP"},
	}
}

func typeClients() []clientSign {
	return []clientSign{
		{sign: "com.wireguard", name: "WireGuard"},
		{sign: "tailscale", name: "Tailscale"},
		{sign: "cisco", name: cisco},
		{sign: "paloaltonetworks", name: globalProtect},
		{sign: "zscaler", name: "Zscaler"},
		{sign: "fortinet", name: "FortiClient"},
		{sign: "openvpn", name: "OpenVPN"},
	}
}

// linkClients go by name or by Linux kind.
func linkClients() []clientSign {
	return []clientSign{
		{sign: "cscotun", name: cisco},
		{sign: "gpd", name: globalProtect},
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

// processClients are the names of VPN clients' processes, those first that run only while
// connected. They are from public process lists, not from the vendors' manuals.
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
		{"PanGPS", globalProtect, false},
		{"dsAccessService", pulse, false},
		{"pulsesecure", pulse, false},
		{"tailscaled", "Tailscale", false},
		{"charon", "strongSwan (IPsec)", false},
		{"Tunnelblick", "Tunnelblick (OpenVPN)", false},
	}
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
