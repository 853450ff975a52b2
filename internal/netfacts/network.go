package netfacts

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// parseLinks reads the output of `ip -o link` and `ip -o addr`. "eth0@if5" means eth0.
func parseLinks(links, addresses []string) []Link {
	var all []Link
	for _, line := range links {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		index, err := strconv.Atoi(strings.TrimSuffix(fields[0], ":"))
		if err != nil {
			continue
		}
		name, _, _ := strings.Cut(strings.TrimSuffix(fields[1], ":"), "@")
		l := Link{Index: index, Name: name}
		for i := 2; i+1 < len(fields); i++ {
			switch {
			case fields[i] == "master":
				l.Master = fields[i+1]
			case strings.HasPrefix(fields[i], "link/"):
				l.MAC = fields[i+1]
			}
		}
		all = append(all, l)
	}
	for _, line := range addresses {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[2] != "inet" && fields[2] != "inet6" {
			continue
		}
		p, err := parsePrefix(fields[3])
		if err != nil {
			continue
		}
		for i := range all {
			if all[i].Name == strings.TrimSuffix(fields[1], ":") {
				all[i].Addresses = append(all[i].Addresses, p)
			}
		}
	}
	return all
}

// parsePrefix reads "10.0.0.1/24" and "10.0.0.1".
func parsePrefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		return netip.ParsePrefix(s)
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// Route is an entry of the routing tables.
type Route struct {
	Dst    netip.Prefix
	Link   string
	Via    netip.Addr
	Table  string // "main", "local" …
	Type   string // "unicast", "local", "unreachable", "blackhole" …
	Metric int
}

var routeTypes = []string{"unicast", "local", "broadcast", "multicast", "anycast", "unreachable", "blackhole", "prohibit", "throw", "nat"}

// parseRoutes reads the output of `ip route show table all`.
func parseRoutes(lines []string, family packet.Family) []Route {
	var all []Route
	for _, line := range lines {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if fields[0] == "nexthop" { // of a multipath route only the first next hop is read
			if n := len(all); n > 0 && all[n-1].Link == "" {
				all[n-1].options(fields[1:])
			}
			continue
		}
		r := Route{Table: "main", Type: "unicast"}
		if slices.Contains(routeTypes, fields[0]) && len(fields) > 1 {
			r.Type, fields = fields[0], fields[1:]
		}
		if fields[0] == "default" {
			r.Dst = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
			if family == packet.IPv6 {
				r.Dst = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
			}
		} else {
			p, err := parsePrefix(fields[0])
			if err != nil {
				continue
			}
			r.Dst = p
		}
		r.options(fields[1:])
		all = append(all, r)
	}
	return all
}

func (r *Route) options(fields []string) {
	for i := 0; i+1 < len(fields); i++ {
		switch fields[i] {
		case "dev":
			r.Link = fields[i+1]
		case "via":
			r.Via, _ = netip.ParseAddr(fields[i+1])
		case "table":
			r.Table = fields[i+1]
		case "metric":
			r.Metric, _ = strconv.Atoi(fields[i+1])
		}
	}
}

// PolicyRule is a line of `ip rule`.
type PolicyRule struct {
	Family   packet.Family
	From     netip.Prefix // the zero value means all
	To       netip.Prefix // the zero value means all
	Link     string       // the incoming interface; "" means any
	Table    string
	Suppress int    // ignore routes with a prefix of at most this length; -1 ignores none
	Other    string // other selectors, which are not evaluated: "fwmark 0x1"
}

// parsePolicyRules reads the output of `ip rule`.
func parsePolicyRules(lines []string, family packet.Family) []PolicyRule {
	var all []PolicyRule
	for _, line := range lines {
		_, text, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		r := PolicyRule{Family: family, Suppress: -1}
		fields := strings.Fields(text)
		for i := 0; i < len(fields); i++ {
			next := ""
			if i+1 < len(fields) {
				next = fields[i+1]
			}
			switch fields[i] {
			case "from", "to":
				p, err := parsePrefix(next)
				switch {
				case next == "all":
				case err != nil:
					r.Other += fields[i] + " " + next + " "
				case fields[i] == "from":
					r.From = p
				default:
					r.To = p
				}
				i++
			case "iif":
				r.Link = next
				i++
			case "lookup":
				r.Table = next
				i++
			case "suppress_prefixlength":
				r.Suppress, _ = strconv.Atoi(next)
				i++
			case "proto", "priority":
				i++
			default:
				r.Other += fields[i] + " "
			}
		}
		all = append(all, r)
	}
	return all
}

// parseNeighbors reads the output of `ip neigh`.
func parseNeighbors(lines []string) []Neighbor {
	var all []Neighbor
	for _, line := range lines {
		fields := strings.Fields(line)
		if len(fields) < 4 {
			continue
		}
		a, err := netip.ParseAddr(fields[0])
		if err != nil {
			continue
		}
		n := Neighbor{Addr: a, State: fields[len(fields)-1]}
		for i := 1; i+1 < len(fields); i++ {
			if fields[i] == "dev" {
				n.Link = fields[i+1]
			}
		}
		all = append(all, n)
	}
	return all
}

// States of a socket in /proc/net/tcp and udp (include/net/tcp_states.h).
const (
	tcpListen = "0A"
	udpOpen   = "07"
)

// parseListeners reads lines of /proc/PID/net/{tcp,tcp6,udp,udp6}, each after "FILE:". It returns
// the sockets by PID; the PID of "self" is 0.
func parseListeners(lines []string) map[int][]Listener {
	all := map[int][]Listener{}
	for _, line := range lines {
		path, text, ok := strings.Cut(line, ":")
		parts := strings.Split(path, "/")
		fields := strings.Fields(text)
		if !ok || len(parts) < 5 || len(fields) < 4 {
			continue
		}
		pid, _ := strconv.Atoi(parts[2])
		udp := strings.HasPrefix(parts[4], "udp")
		if fields[3] != tcpListen && !udp || udp && fields[3] != udpOpen {
			continue
		}
		address, portText, ok := strings.Cut(fields[1], ":")
		port, err := strconv.ParseUint(portText, 16, 16)
		a, okAddr := KernelAddr(address)
		if !ok || err != nil || !okAddr {
			continue
		}
		all[pid] = append(all[pid], Listener{UDP: udp, Addr: a, Port: int(port)})
	}
	return all
}

// KernelAddr reads an address in the notation of /proc/net/tcp: 32-bit little-endian words in
// hexadecimal digits.
func KernelAddr(s string) (netip.Addr, bool) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 4 && len(b) != 16 {
		return netip.Addr{}, false
	}
	for i := 0; i < len(b); i += 4 {
		slices.Reverse(b[i : i+4])
	}
	return netip.AddrFromSlice(b)
}

// portsOf reads lines such as "/proc/PID/root/sys/class/net/eth0/iflink:7". It returns by PID the
// indexes of the docker host's interfaces that lead to the process.
func portsOf(lines []string) map[int][]int {
	all := map[int][]int{}
	for _, line := range lines {
		path, index, ok := strings.Cut(line, ":")
		parts := strings.Split(path, "/")
		n, err := strconv.Atoi(strings.TrimSpace(index))
		if !ok || err != nil || len(parts) < 9 || parts[7] == "lo" {
			continue
		}
		pid, _ := strconv.Atoi(parts[2])
		all[pid] = append(all[pid], n)
	}
	return all
}
