package world

import (
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/memo"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/routes"
)

// Shared is what the Worlds of many machines ask once for all of them. It is for
// looking only: what it knows is not forgotten.
type Shared struct {
	vpn       memo.ByKey[string, routes.Client] // by the interface that owns the route
	owners    memo.Of[map[string]string]
	listeners memo.Of[[]routes.Listener]
}
