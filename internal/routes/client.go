package routes

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// Client is the name of a VPN client, only for advice: no decision depends on it.
type Client struct {
	Name      string `json:"name"`                // "" if nothing identified it
	Connected bool   `json:"connected,omitempty"` // there is evidence that it is connected now
	How       string `json:"how,omitempty"`       // what identified it
	// TakesLocal means that this client is known to send local networks into its tunnel, including
	// those that the laptop joins while it is connected (docker/machine#2632, docker/toolbox#854).
	TakesLocal bool `json:"takes_local,omitempty"`
}

// Signs are the traces that VPN clients leave. Zero fields were not looked up.
type Signs struct {
	Owner host.Link   // the link that has the route to the machine's address
	Links []host.Link // all of the laptop's
	Keys  []string    // keys of the dynamic store, from ParseScutilKeys
	// Interfaces are the interface names of the keys, from ParseShownLinks.
	Interfaces map[string]string
	Services   []Service      // from ParseNCList
	Cisco      string         // from ParseCiscoState
	Processes  []host.Process // any user's
}

// CiscoPaths returns where AnyConnect and Secure Client install their command line program; its
// subcommand is `vpn state` (from many public scripts).
func CiscoPaths() []string {
	return []string{"/opt/cisco/secureclient/bin/vpn", "/opt/cisco/anyconnect/bin/vpn"}
}

// RevealingKeys returns the keys of the dynamic store whose InterfaceName shows whose a tunnel is:
// those of known clients, and those of connected services. It returns at most eight, because each
// must be queried.
func RevealingKeys(keys []string, services []Service) []string {
	var out []string
	for _, k := range keys {
		if _, known := byKey(k); known || slices.ContainsFunc(services, func(s Service) bool { return s.connected() && s.hasKey(k) }) {
			out = append(out, k)
		}
	}
	return out[:min(len(out), 8)]
}

// Identify returns the VPN client that most likely owns the route. What names this very tunnel
// comes first. Signs that a client is connected come before signs that it is installed. A process
// is the weakest sign: most clients have daemons that always run.
func Identify(s Signs) Client {
	c := identify(s)
	c.TakesLocal = slices.Contains([]string{cisco, globalProtect, pulse}, c.Name)
	return c
}

func identify(s Signs) Client {
	for _, k := range s.Keys {
		if c, ok := byKey(k); ok && !s.otherTunnel(k) && !s.tunnelGone(k) {
			return Client{Name: c.name, Connected: true, How: "scutil has " + k}
		}
	}
	for _, n := range s.Services {
		for k, link := range s.Interfaces {
			if n.connected() && n.hasKey(k) && link == s.Owner.Name {
				return n.client()
			}
		}
	}
	if strings.EqualFold(s.Cisco, "Connected") {
		return Client{Name: cisco, Connected: true, How: "vpn state: " + s.Cisco}
	}
	for _, n := range s.Services {
		if n.connected() && !slices.ContainsFunc(s.Keys, func(k string) bool { return n.hasKey(k) && s.otherTunnel(k) }) {
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

// tunnels returns the links of the key's service: GlobalProtect, for one, may name its tunnel under
// IPv4 but not under DNS.
func (s Signs) tunnels(key string) (names []string) {
	service := key[:strings.LastIndex(key, "/")+1]
	for k, link := range s.Interfaces {
		if strings.HasPrefix(k, service) {
			names = append(names, link)
		}
	}
	return names
}

// otherTunnel reports whether the key belongs to another tunnel than the one that has the route.
func (s Signs) otherTunnel(key string) bool {
	names := s.tunnels(key)
	return Tunnel(s.Owner) && len(names) > 0 && !slices.Contains(names, s.Owner.Name)
}

// tunnelGone reports whether the tunnel of the key no longer exists: GlobalProtect's key may
// outlive it.
func (s Signs) tunnelGone(key string) bool {
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

// connected reports whether the service is a VPN and connected.
func (s Service) connected() bool { return s.VPN() && s.Status == "Connected" }

// hasKey reports whether a key of the dynamic store belongs to this service.
func (s Service) hasKey(key string) bool {
	return s.UUID != "" && strings.Contains(key, "/"+s.UUID+"/")
}

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

// linkClients recognizes links by name or by Linux kind.
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

// processClients are the names of VPN clients' processes, first those that run only while
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

// ParseCiscoState parses `vpn state`, which prints several lines ">> state: X" in one run, and
// returns the last X, or "" if there is none.
func ParseCiscoState(out []byte) string {
	last := ""
	for line := range strings.Lines(string(out)) {
		if state, ok := strings.CutPrefix(strings.TrimSpace(line), ">> state:"); ok {
			last = cmp.Or(strings.TrimSpace(state), last)
		}
	}
	return last
}
