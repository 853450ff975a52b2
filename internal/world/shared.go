package world

import "github.com/docker-vpn-helper/docker-vpn-helper/internal/memo"

// Shared is what the Worlds of many machines ask once for all of them. It is for
// looking only: what it knows is not forgotten.
type Shared struct {
	owners memo.Of[map[string]string]
}
