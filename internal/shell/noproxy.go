package shell

import (
	"net/netip"
	"slices"
	"strings"
)

// NoProxyCovers reports whether a value of no_proxy exempts a host, a name or an IP address, from
// the proxy: by the host itself, its domain, its network, or "*". Entries with a port do not count,
// because they exempt only that port. Entries are compared as a whole: 192.168.99.10 is not covered
// by 192.168.99.100.
func NoProxyCovers(list, host string) bool {
	addr, err := netip.ParseAddr(host)
	isAddr := err == nil
	for _, entry := range entries(list) {
		switch {
		case entry == "*" || strings.EqualFold(entry, host):
			return true
		case isAddr:
			if network, err := netip.ParsePrefix(entry); err == nil && network.Contains(addr) {
				return true
			}
		case entry != "" && len(host) > len(strings.TrimPrefix(entry, ".")) &&
			strings.HasSuffix(strings.ToLower(host), "."+strings.ToLower(strings.TrimPrefix(entry, "."))):
			return true
		}
	}
	return false
}

// AddNoProxy adds a host to a value of no_proxy, unless it is there already. A lone "*" stays
// unchanged: curl reads it as "everything" only if it is alone (curl manual, NO_PROXY).
func AddNoProxy(list, host string) string {
	have := entries(list)
	for _, entry := range have {
		if strings.EqualFold(entry, host) {
			return list
		}
	}
	switch {
	case len(have) == 0:
		return host
	case len(have) == 1 && have[0] == "*":
		return list
	}
	return strings.TrimRight(list, ", \t") + "," + host
}

// RemoveNoProxy removes a host's own entry from a value of no_proxy. A value without that entry
// stays unchanged, byte for byte.
func RemoveNoProxy(list, host string) string {
	have := entries(list)
	rest := slices.DeleteFunc(slices.Clone(have), func(e string) bool { return strings.EqualFold(e, host) })
	if len(rest) == len(have) {
		return list
	}
	return strings.Join(rest, ",")
}

func entries(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
}
