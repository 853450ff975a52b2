package routes

import (
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// kindOf guesses a link's kind from its macOS name, in Linux's words.
func kindOf(name string) string {
	for _, k := range []struct{ prefix, kind string }{
		{"utun", "tun"}, {"tun", "tun"}, {"tap", "tun"}, {"gpd", "tun"}, {"cscotun", "tun"},
		{"jnc", "tun"}, {"feth", "tun"}, // Juniper Network Connect; ZeroTier on macOS
		{"ppp", "ppp"}, {"ipsec", "ipsec"}, {"wg", "wireguard"}, {"bridge", "bridge"},
	} {
		if numbered(name, k.prefix) {
			return k.kind
		}
	}
	return ""
}

// numbered reports whether name is prefix followed by a number: "utun12", but not "tunnelblick".
func numbered(name, prefix string) bool {
	n, ok := strings.CutPrefix(name, prefix)
	return ok && n != "" && strings.Trim(n, "0123456789") == ""
}

// Tunnel reports whether a link belongs to a VPN, by its kind, or by its name if the kind is
// unknown. VirtualBox's own adapters never do.
func Tunnel(l host.Link) bool {
	if isHostOnlyName(l.Name) {
		return false
	}
	switch l.Kind {
	case "tun", "tap", "ppp", "ipsec", "wireguard", "vti", "xfrm", "gre", "ipip", "sit", "l2tp":
		return true
	}
	if k := kindOf(l.Name); k != "" && k != "bridge" {
		return true
	}
	// Names that clients use and that are not a prefix and a number.
	for _, prefix := range []string{
		"tailscale", "zt", "nordlynx", "nordtun", "proton", "CloudflareWARP", "zcctun", "f5_tun",
		"vpn", "wg-", "wg_", "tun-", "tun_", "tap-", "tap_",
	} {
		if strings.HasPrefix(l.Name, prefix) {
			return true
		}
	}
	return false
}

// isHostOnlyName reports whether a link is VirtualBox's own adapter, vboxnetN, or a bridge from
// bridge100 up, which vmnet makes for host-only networks of VirtualBox 7 on macOS
// (hashicorp/vagrant PR 12983).
func isHostOnlyName(name string) bool {
	if numbered(name, "vboxnet") {
		return true
	}
	n, ok := strings.CutPrefix(name, "bridge")
	i, err := strconv.Atoi(n)
	return ok && err == nil && i >= 100
}
