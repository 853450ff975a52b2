package routes

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// ParseIfconfig reads macOS's `ifconfig -a`. The kind of a link is guessed from
// its name, in the words that Linux uses.
func ParseIfconfig(out []byte) ([]host.Link, error) {
	var links []host.Link
	for line := range strings.Lines(string(out)) {
		line = strings.TrimRight(line, "\r\n")
		if name, rest, ok := strings.Cut(line, ": flags="); ok && name != "" && !strings.ContainsAny(name, " \t") {
			_, flags, _ := strings.Cut(rest, "<")
			flags, _, _ = strings.Cut(flags, ">")
			up := strings.HasPrefix(flags+",", "UP,") || strings.Contains(flags+",", ",UP,")
			links = append(links, host.Link{Name: name, Kind: kindOf(name), Up: up})
			continue
		}
		if len(links) == 0 {
			continue
		}
		if p, ok := parseInet(strings.Fields(line)); ok {
			l := &links[len(links)-1]
			l.Addrs = append(l.Addrs, p)
		}
	}
	if len(links) == 0 {
		return nil, errors.New("reading ifconfig: no interface in its output")
	}
	return links, nil
}

// parseInet reads the lines "inet A [--> B] netmask 0xM …", "inet A/N …" and
// "inet6 A%link prefixlen N …".
func parseInet(f []string) (netip.Prefix, bool) {
	if len(f) < 2 || (f[0] != "inet" && f[0] != "inet6") {
		return netip.Prefix{}, false
	}
	if p, err := netip.ParsePrefix(f[1]); err == nil {
		return p, true
	}
	a, err := netip.ParseAddr(f[1])
	if err != nil || a.Is4() != (f[0] == "inet") {
		return netip.Prefix{}, false
	}
	bits := a.BitLen()
	for i := 2; i+1 < len(f); i++ {
		switch {
		case f[i] == "netmask" && a.Is4():
			if bits, err = maskBits(f[i+1]); err != nil {
				return netip.Prefix{}, false
			}
		case f[i] == "prefixlen" && a.Is6():
			n, err := strconv.ParseUint(f[i+1], 10, 8)
			if err != nil || n > 128 {
				return netip.Prefix{}, false
			}
			bits = int(n)
		}
	}
	return netip.PrefixFrom(a.WithZone(""), bits), true
}

// kindOf guesses a link's kind from its name on macOS.
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

// numbered says whether name is prefix and a number: "utun12", not "tunnelblick".
func numbered(name, prefix string) bool {
	n, ok := strings.CutPrefix(name, prefix)
	return ok && n != "" && strings.Trim(n, "0123456789") == ""
}

// Tunnel says whether a link is a VPN's by its kind or, where the kind is not
// known, its name. An adapter of VirtualBox's is none, whatever it is made of.
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
	// Names that clients give and that are no prefix and number.
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

// isHostOnlyName knows VirtualBox's own adapters, vboxnetN, and the bridges
// bridge100 and up that vmnet makes for host-only networks of VirtualBox 7 on
// macOS (hashicorp/vagrant PR 12983).
func isHostOnlyName(name string) bool {
	if numbered(name, "vboxnet") {
		return true
	}
	n, ok := strings.CutPrefix(name, "bridge")
	i, err := strconv.Atoi(n)
	return ok && err == nil && i >= 100
}
