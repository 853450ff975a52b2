package routes

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// ErrNoRoute means that the kernel has no route to the address, not even a default route.
var ErrNoRoute = errors.New("no route to it")

// ErrRejected means that the matching route refuses packets.
var ErrRejected = errors.New("a route refuses packets to it")

// GetArgv returns the command that asks macOS for the route to an address (route(8)). Without
// -inet6, route takes an IPv6 address for a name.
func GetArgv(to netip.Addr) []string {
	argv := []string{"route", "-n", "get"}
	if to.Is6() {
		argv = append(argv, "-inet6")
	}
	return append(argv, to.String())
}

// ParseRouteGet parses what GetArgv prints, stdout and stderr together or either: the kernel's own
// decision, with full names. The second value is the flags: "UP", "GATEWAY" … A route through a
// tunnel has no gateway line. Dst is zero if the kernel answers with a host route that it cloned
// for this one address (WASCLONED), because the original is not printed. The error is ErrNoRoute,
// ErrRejected (then the route is returned, too), or that the text has another form.
func ParseRouteGet(out []byte) (host.Route, []string, error) {
	field := map[string]string{}
	for line := range strings.Lines(string(out)) {
		key, value, ok := strings.Cut(line, ":")
		key = strings.TrimSpace(key)
		if _, dup := field[key]; ok && !dup {
			field[key] = strings.TrimSpace(value)
		}
	}
	if field["interface"] == "" {
		if strings.Contains(string(out), "not in table") || strings.Contains(string(out), "Network is unreachable") {
			return host.Route{}, nil, ErrNoRoute
		}
		return host.Route{}, nil, errors.New("reading route get: no interface in its output")
	}
	route := host.Route{Link: field["interface"]}
	if gw, err := netip.ParseAddr(field["gateway"]); err == nil { // else a name or link#N
		route.Gateway = gw.WithZone("")
	}
	flags := strings.FieldsFunc(field["flags"], func(r rune) bool { return strings.ContainsRune("<,>", r) })
	var err error
	if route.Dst, err = parseDst(field["destination"], field["mask"], flags); err != nil {
		return host.Route{}, nil, fmt.Errorf("reading route get: %w", err)
	}
	if slices.Contains(flags, "WASCLONED") {
		route.Dst = netip.Prefix{}
	}
	if slices.Contains(flags, "BLACKHOLE") || slices.Contains(flags, "REJECT") && !FailedNeighbor(flags) {
		return route, flags, ErrRejected
	}
	return route, flags, nil
}

// FailedNeighbor reports whether macOS's flags are those of an address on the interface's own
// network whose neighbor lookup (ARP) has failed: the kernel then marks its host route for the
// lookup with REJECT for some seconds (XNU, bsd/netinet/in_arp.c). A route that was added to refuse
// packets has other flags.
func FailedNeighbor(flags []string) bool {
	has := func(flag string) bool { return slices.Contains(flags, flag) }
	return has("REJECT") && has("HOST") && !has("GATEWAY") && !has("STATIC") && (has("LLINFO") || has("WASCLONED"))
}

func parseDst(dst, mask string, flags []string) (netip.Prefix, error) {
	if dst == "default" {
		// All networks that begin with zeros are printed as "default", also 0.0.0.0/1, one half of a
		// full tunnel (routename in Apple's network_cmds, route.tproj/route.c).
		if dst = "0.0.0.0"; mask == "" {
			mask = "default"
		}
	}
	a, err := netip.ParseAddr(dst)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("its destination %q is no address", dst)
	}
	switch mask {
	case "": // a host route has none
		return netip.PrefixFrom(a.WithZone(""), a.BitLen()), nil
	case "default": // 0.0.0.0
		return netip.PrefixFrom(a.WithZone(""), 0).Masked(), nil
	}
	bits, six, err := maskBits(mask)
	if err != nil {
		return netip.Prefix{}, err
	}
	if a = a.WithZone(""); a.Is6() != six {
		return netip.Prefix{}, fmt.Errorf("the network mask %s does not belong to the destination %s", mask, a)
	}
	return netip.PrefixFrom(a, bits).Masked(), nil
}

// maskBits parses 255.255.255.0, 0xffffff00 and ffff:ffff::, the last of which is six.
func maskBits(mask string) (bits int, six bool, err error) {
	var m []byte
	if a, err := netip.ParseAddr(mask); err == nil && a.Zone() == "" {
		m, six = a.AsSlice(), a.Is6()
	} else if m, err = hex.DecodeString(strings.TrimPrefix(mask, "0x")); err != nil || len(mask) != 10 || len(m) != 4 {
		return 0, false, fmt.Errorf("network mask %q is not one", mask)
	}
	if bits, all := net.IPMask(m).Size(); all != 0 {
		return bits, six, nil
	}
	return 0, six, fmt.Errorf("network mask %q has holes", mask)
}
