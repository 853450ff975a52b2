package routes

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// ErrNoRoute reports that the kernel knows no way to the address, not even a
// default route.
var ErrNoRoute = errors.New("no route to it")

// ErrRejected reports that a route is there to refuse the packets.
var ErrRejected = errors.New("a route refuses packets to it")

// ParseRouteGet reads macOS's `route -n get ADDRESS`, stdout and stderr together
// or either: this is the kernel's own decision, with names in full. The second
// value is the flags, "UP", "GATEWAY" … A route through a tunnel has no gateway
// line. Dst is zero where the kernel answers with a host route that it cloned for
// this one address (WASCLONED): what it was cloned from is not printed. Errors: ErrNoRoute, ErrRejected (the route is returned with it), or that
// the text is of another form.
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
	if route.Dst, err = getDst(field["destination"], field["mask"], flags); err != nil {
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

// FailedNeighbor reports whether the flags of macOS's answer are those of an address on
// the interface's own network whose neighbor lookup (ARP) has failed: the kernel then
// marks the host route that it has made for the lookup with REJECT for some seconds
// (XNU, bsd/netinet/in_arp.c). A route that was added to refuse packets has neither.
func FailedNeighbor(flags []string) bool {
	has := func(flag string) bool { return slices.Contains(flags, flag) }
	return has("REJECT") && has("HOST") && !has("GATEWAY") && !has("STATIC") && (has("LLINFO") || has("WASCLONED"))
}

func getDst(dst, mask string, flags []string) (netip.Prefix, error) {
	if dst == "default" {
		// Any network that begins with zeros is printed so, the half 0.0.0.0/1 of a
		// full tunnel too (routename in Apple's network_cmds, route.tproj/route.c).
		if dst = "0.0.0.0"; mask == "" {
			mask = "default"
		}
	}
	a, err := netip.ParseAddr(dst)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("destination: %w", err)
	}
	switch mask {
	case "": // a host route has none
		return netip.PrefixFrom(a.WithZone(""), a.BitLen()), nil
	case "default": // 0.0.0.0
		return netip.PrefixFrom(a.WithZone(""), 0).Masked(), nil
	}
	bits, err := maskBits(mask)
	if err != nil {
		return netip.Prefix{}, err
	}
	if !a.Is4() {
		return netip.Prefix{}, fmt.Errorf("destination %s has an IPv4 mask", a)
	}
	return netip.PrefixFrom(a, bits).Masked(), nil
}

// maskBits reads 255.255.255.0 and 0xffffff00.
func maskBits(mask string) (int, error) {
	var v uint32
	if a, err := netip.ParseAddr(mask); err == nil && a.Is4() {
		m := a.As4()
		v = uint32(m[0])<<24 | uint32(m[1])<<16 | uint32(m[2])<<8 | uint32(m[3])
	} else if n, err := fmt.Sscanf(mask, "0x%08x", &v); err != nil || n != 1 || len(mask) != 10 {
		return 0, fmt.Errorf("network mask %q is not one", mask)
	}
	for bits := 0; bits <= 32; bits++ {
		if v == ^(uint32(0xffffffff) >> bits) {
			return bits, nil
		}
	}
	return 0, fmt.Errorf("network mask %q has holes", mask)
}
