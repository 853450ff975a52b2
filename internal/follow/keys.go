package follow

import (
	"cmp"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ports"
)

// sorted returns the keys of a map, sorted by port and protocol.
func sorted[V any](m map[ports.Key]V) []ports.Key {
	keys := make([]ports.Key, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b ports.Key) int { return compareKeys(a, b) })
	return keys
}

func compareKeys(a, b ports.Key) int {
	return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Protocol, b.Protocol))
}
